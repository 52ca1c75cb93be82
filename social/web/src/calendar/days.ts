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

/** What goes out of one post at one instant, together. In the order given, each where its first is. */
export function byPost<T extends { post_id: string; due_at: string }>(items: T[]): { key: string; items: T[] }[] {
  const together = new Map<string, T[]>();
  for (const item of items) {
    const key = `${item.post_id} ${item.due_at}`;
    together.set(key, [...(together.get(key) ?? []), item]);
  }
  return [...together].map(([key, found]) => ({ key, items: found }));
}
