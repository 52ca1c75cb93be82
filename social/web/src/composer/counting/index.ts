/**
 * How long a text is to a platform, by the way of counting that the platform declares. Gives the counter while somebody
 * types; what the server says about the same text wins.
 */

import type { Counting, LimitsOut } from "../../wire/types";
import { characters, graphemes, utf16, type Rules } from "./units";
import { weighted } from "./weighted";

export { linksIn } from "./links";

/** One limit of a text: how much of it is used, and in which unit. */
export interface Count { length: number; limit: number; unit: "characters" | "bytes" }

const WAYS: Record<Counting, (text: string, rules: Rules) => number> = { graphemes, characters, utf16, weighted };
const encoder = new TextEncoder();

export function lengthOf(text: string, limits: Pick<LimitsOut, "counted_as" | "url_length" | "mentions_without_domain">): number {
  return WAYS[limits.counted_as](text, limits);
}

/** In UTF-8. */
export function bytesOf(text: string): number {
  return encoder.encode(text).length;
}

/** The limit that is nearer. `more`: what counts besides the text, such as a content warning. */
export function countOf(text: string, limits: LimitsOut, more = 0): Count {
  const letters: Count = { length: lengthOf(text, limits) + more, limit: limits.text, unit: "characters" };
  if (!limits.text_bytes) return letters;
  const bytes: Count = { length: bytesOf(text), limit: limits.text_bytes, unit: "bytes" };
  return bytes.length / bytes.limit > letters.length / letters.limit ? bytes : letters;
}
