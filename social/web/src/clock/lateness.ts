/** How late something may be, in words. Pure. */

import type { Lateness } from "../wire/types";
import { w } from "../words";

const HOUR = 60; // minutes
const DAY = 24 * HOUR;

/** "30 minutes", "1 hour", "2 days". */
export function sayMinutes(minutes: number): string {
  if (minutes % DAY === 0) return w.late.days(minutes / DAY);
  if (minutes % HOUR === 0) return w.late.hours(minutes / HOUR);
  return w.late.minutes(minutes);
}

/** "Hold it and ask after 1 day". */
export function sayLate({ then, minutes }: Lateness): string {
  return w.late.say[then](sayMinutes(minutes ?? 0));
}
