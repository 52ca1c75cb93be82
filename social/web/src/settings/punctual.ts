/** What is said of a workspace's punctuality. Pure. */

import type { Punctuality } from "../wire/types";

const MANY = 100; // of fewer, all are spoken of
const ON_TIME = 1_000; // ms: the second that was asked for

/** Of the last hour, or of the last day if nothing went out in that; null where nothing did. */
export function verdictOf(measured: Punctuality): { window: keyof Punctuality; n: number; within: number; isOnTime: boolean } | null {
  const window = measured.hour.count ? "hour" : "day";
  const { count: n, p99_ms, max_ms } = measured[window];
  const within = n < MANY ? max_ms : p99_ms;
  return within === null ? null : { window, n, within, isOnTime: within < ON_TIME };
}
