/** Things in time, by the day they fall on in a zone. Pure. */

import { wallAt } from "../clock/zones";

export interface Day<T> { wall: string; items: T[] }

/** In the order given; each day once, where its first thing is. `wall` is the day as "2026-11-22". */
export function byDay<T>(items: T[], instant: (item: T) => string, zone: string): Day<T>[] {
  const days = new Map<string, T[]>();
  for (const item of items) {
    const wall = wallAt(Date.parse(instant(item)), zone).slice(0, 10);
    days.set(wall, [...(days.get(wall) ?? []), item]);
  }
  return [...days].map(([wall, found]) => ({ wall, items: found }));
}
