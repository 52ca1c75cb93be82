/** A text as a platform shows it: links, mentions and tags stand out. For the preview. */

import { linksIn } from "./counting";

export interface Piece { kind: "text" | "link" | "mention" | "tag"; text: string }

const MARKED = /(?<![\p{L}\p{M}\p{N}_/=])(?:(@[a-z0-9_]+(?:[.-]+[a-z0-9_]+)*)(?:@[\p{L}\p{N}_]+(?:[.-]+[\p{L}\p{N}_]+)*)?|(#[\p{L}\p{N}_]*\p{L}[\p{L}\p{N}_]*))/giu;
const SHOWN = 30; // letters of an address, as Mastodon shows it

export function piecesOf(text: string): Piece[] {
  const found: Piece[] = [];
  let at = 0;
  for (const { from, to, url } of linksIn(text)) {
    found.push(...markedIn(text.slice(at, from)), { kind: "link", text: shortened(url) });
    at = to;
  }
  return [...found, ...markedIn(text.slice(at))];
}

function markedIn(text: string): Piece[] {
  const found: Piece[] = [];
  let at = 0;
  for (const match of text.matchAll(MARKED)) {
    if (match.index > at) found.push({ kind: "text", text: text.slice(at, match.index) });
    found.push(match[1] ? { kind: "mention", text: match[1] } : { kind: "tag", text: match[2]! });
    at = match.index + match[0].length;
  }
  if (at < text.length) found.push({ kind: "text", text: text.slice(at) });
  return found;
}

function shortened(url: string): string {
  const bare = url.replace(/^https?:\/\/(?:www\.)?/i, "");
  return bare.length > SHOWN ? `${bare.slice(0, SHOWN)}…` : bare;
}
