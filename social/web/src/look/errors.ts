/** An error as one sentence for the person; the server's own words where it said some. */

import { Problem, Unreachable } from "../wire/problems";
import { w } from "../words";

export function sayError(error: unknown): string {
  if (error instanceof Unreachable) return w.errors.unreachable;
  if (!(error instanceof Problem)) throw error; // a mistake of ours: the console should have it
  const details = error.errors.map((wrong) => wrong.detail).filter(Boolean);
  if (error.kind === "internal") return w.errors.internal;
  if (details.length) return details.join(" ");
  return error.message || w.errors[error.kind] || w.errors.internal;
}
