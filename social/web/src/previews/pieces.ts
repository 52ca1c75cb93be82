/** A text as a platform shows it: links, mentions and tags stand out, and what is too long is cut. Pure. */

import { linksIn } from "../composer/counting";
import { graphemesOf } from "../composer/counting/units";

export interface Piece { kind: "text" | "link" | "mention" | "tag"; text: string }

/** How a platform marks: what a mention is (its first group is shown), and how an address looks. */
export interface Marking { mention: RegExp; address: (url: string) => string }

const TAG = /(?<![\p{L}\p{M}\p{N}_/=&])(#[\p{L}\p{M}\p{N}_]*\p{L}[\p{L}\p{M}\p{N}_]*)/giu;

export function piecesOf(text: string, marking: Marking): Piece[] {
  const found: Piece[] = [];
  let at = 0;
  for (const { from, to, url } of linksIn(text)) {
    found.push(...markedIn(text.slice(at, from), marking.mention), { kind: "link", text: marking.address(url) });
    at = to;
  }
  return [...found, ...markedIn(text.slice(at), marking.mention)];
}

/** Without its scheme, and `most` letters of it at most. */
export function shortened(url: string, most: number): string {
  const bare = url.replace(/^https?:\/\/(?:www\.)?/i, "").replace(/\/$/, "");
  return bare.length > most ? `${bare.slice(0, most)}…` : bare;
}

/** The longest beginning of `text` that `fits`, cut after a word; all of it where it does. */
export function cut(text: string, fits: (text: string) => boolean): string {
  if (fits(text)) return text;
  const letters = graphemesOf(text);
  let [low, high] = [0, letters.length];
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (fits(letters.slice(0, middle).join(""))) low = middle;
    else high = middle - 1;
  }
  const kept = letters.slice(0, low).join("");
  const word = kept.search(/\s\S*$/u);
  return (word > kept.length * 0.7 ? kept.slice(0, word) : kept).trimEnd();
}

function markedIn(text: string, mention: RegExp): Piece[] {
  const marks = [
    ...[...text.matchAll(mention)].map((match) => ({ from: match.index, to: match.index + match[0].length, kind: "mention" as const, text: match[1] ?? match[0] })),
    ...[...text.matchAll(TAG)].map((match) => ({ from: match.index, to: match.index + match[0].length, kind: "tag" as const, text: match[0] })),
  ].sort((a, b) => a.from - b.from);
  const found: Piece[] = [];
  let at = 0;
  for (const mark of marks) {
    if (mark.from < at) continue;
    if (mark.from > at) found.push({ kind: "text", text: text.slice(at, mark.from) });
    found.push({ kind: mark.kind, text: mark.text });
    at = mark.to;
  }
  if (at < text.length) found.push({ kind: "text", text: text.slice(at) });
  return found;
}
