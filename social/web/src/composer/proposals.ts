/** The time that is proposed first: the next full hour that leaves a quarter of one to think it over. */

import { wallAt } from "../clock/zones";

const QUARTER = 15 * 60_000;
const HOUR = 4 * QUARTER;

/** A wall time in `zone`. */
export function firstProposal(now: number, zone: string): string {
  return `${wallAt(now + QUARTER + HOUR, zone).slice(0, 13)}:00:00`;
}
