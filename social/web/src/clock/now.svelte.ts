/** What time it is, by the server's clock: a laptop may be minutes off, and countdowns would lie. */

import { createSubscriber } from "svelte/reactivity";

const TRUSTED = 2_000; // ms: the Date header has whole seconds and travelled a while; less than this is no news

let skew = 0; // ms to add to this machine's clock

/** Learns from the Date header of an answer. */
export function noteServerTime(date: string | null): void {
  const told = Date.parse(date ?? "") + 500;
  if (Number.isNaN(told)) return;
  skew = Math.abs(told - Date.now()) > TRUSTED ? told - Date.now() : 0;
}

/** ms since 1970. */
export function now(): number {
  return Date.now() + skew;
}

function every(interval: number): () => number {
  const subscribe = createSubscriber((update) => {
    const timer = setInterval(update, interval);
    return () => clearInterval(timer);
  });
  return () => {
    subscribe();
    return now();
  };
}

/** `now()` for something shown, renewed each second while it is shown. */
export const eachSecond = every(1_000);

/** `now()` for something shown that changes with the minutes. */
export const eachWhile = every(15_000);
