/**
 * Counting by weight, as X does (the configuration of twitter-text v3): most letters of alphabets weigh 1, everything
 * else 2, an emoji 2 however it is put together, an address what the rules say. Composed first (NFC). Pure.
 */

import { addressesIn } from "./links";
import type { Rules } from "./units";

const LIGHT: readonly (readonly [number, number])[] = [[0x0000, 0x10ff], [0x2000, 0x200d], [0x2010, 0x201f], [0x2032, 0x2037]];
const HEAVY = 2;
const ELEMENT = String.raw`(?:\p{Regional_Indicator}{2}|[0-9#*]\uFE0F?\u20E3|[\p{Emoji}--[0-9#*\p{Regional_Indicator}]](?:\p{Emoji_Modifier}|\uFE0F?(?:[\u{E0020}-\u{E007E}]+\u{E007F})?))`;
const EMOJI = new RegExp(String.raw`${ELEMENT}(?:\u200D${ELEMENT})*`, "gv"); // "v": sets can be taken from sets

export function weighted(text: string, { url_length }: Rules): number {
  const composed = text.replace(/\r\n?/g, "\n").normalize("NFC");
  let weight = 0;
  let at = 0;
  for (const { from, to } of addressesIn(composed)) {
    weight += weightOf(composed.slice(at, from)) + (url_length ?? weightOf(composed.slice(from, to)));
    at = to;
  }
  return weight + weightOf(composed.slice(at));
}

function weightOf(text: string): number {
  let weight = 0;
  const plain = text.replace(EMOJI, () => {
    weight += HEAVY;
    return "";
  });
  for (const letter of plain) weight += isLight(letter.codePointAt(0)!) ? 1 : HEAVY;
  return weight;
}

function isLight(point: number): boolean {
  return LIGHT.some(([from, to]) => point >= from && point <= to);
}
