/** What is said of a workspace's punctuality. Pure. */

import type { Punctuality } from "../wire/types";

const ON_TIME = 1_000; // ms: the second that was asked for

/** Of the last hour, or of the last day if nothing went out in that; null where nothing did. */
export function verdictOf(measured: Punctuality): { window: keyof Punctuality; p99: number; isOnTime: boolean } | null {
  const window = measured.hour.count ? "hour" : "day";
  const p99 = measured[window].p99_ms;
  return p99 === null || p99 === undefined ? null : { window, p99, isOnTime: p99 < ON_TIME };
}
