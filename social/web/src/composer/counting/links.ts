/** Where links are in a text. Pure. */

import { ENDINGS } from "./endings";

export interface Link { from: number; to: number; url: string }

const SCHEME = /(?<![a-z0-9@$#＠＃])https?:\/\//giu;
const HOST = /(?:(?:xn--[a-z0-9-]+|[\p{L}\p{N}\p{M}](?:[\p{L}\p{N}\p{M}_-]*[\p{L}\p{N}\p{M}])?)\.)+(?:xn--[a-z0-9-]+|[\p{L}\p{M}]{2,})(?::\d+)?/iuy;
const QUERY = /\?[^\s<>"「」{}`\\]*[\p{L}\p{N}_&=#/-]/uy;
const INNER = /[^\s<>()?]/u;
const NOT_LAST = /[!*"'「」;:=,.$%[\]~&|@]/u;
const LONGEST_HOST = 253;
const BARE = new RegExp(`(?<![a-z0-9@＠$#＃_./-])(?:[a-z0-9\\u00c0-\\u024f](?:[a-z0-9\\u00c0-\\u024f-]{0,62})\\.)+(?:${ENDINGS.join("|")})(?![0-9a-z@+-]|\\.[a-z0-9])`, "giu");

/** Where the http(s) addresses are in `text`, the way Mastodon's own counter finds them. A bracket at the end belongs to one only if it was opened in it. */
export function linksIn(text: string): Link[] {
  const found: Link[] = [];
  for (const { index, 0: scheme } of text.matchAll(SCHEME)) {
    if (index < (found.at(-1)?.to ?? 0)) continue;
    HOST.lastIndex = 0;
    const host = HOST.exec(text.slice(index + scheme.length, index + scheme.length + LONGEST_HOST));
    if (!host) continue;
    const to = queryEnd(text, pathEnd(text, index + scheme.length + host[0].length));
    found.push({ from: index, to, url: text.slice(index, to) });
  }
  return found;
}

/**
 * With those that have no scheme, as X makes links of them: names that end as real ones do. Of the endings there are, the
 * common ones; the server knows them all.
 */
export function addressesIn(text: string): Link[] {
  const whole = linksIn(text);
  const bare: Link[] = [];
  for (const { index, 0: host } of text.matchAll(BARE)) {
    if (whole.some(({ from, to }) => index < to && index + host.length > from) || index < (bare.at(-1)?.to ?? 0)) continue;
    const to = queryEnd(text, pathEnd(text, index + host.length));
    bare.push({ from: index, to, url: text.slice(index, to) });
  }
  return [...whole, ...bare].sort((a, b) => a.from - b.from);
}

function pathEnd(text: string, start: number): number {
  if (text[start] !== "/") return start;
  let end = start + 1;
  for (let at = end; at < text.length; ) {
    const closed = text[at] === "(" ? bracketEnd(text, at, 2) : undefined;
    const letter = String.fromCodePoint(text.codePointAt(at)!);
    if (closed !== undefined) end = at = closed;
    else if (!INNER.test(letter)) break;
    else if (NOT_LAST.test(letter)) at += letter.length;
    else end = at += letter.length;
  }
  return end;
}

/** Where the bracket that opens at `start` has closed; brackets within go `deep` levels at most. */
function bracketEnd(text: string, start: number, deep: number): number | undefined {
  if (deep === 0) return undefined;
  for (let at = start + 1; at < text.length; ) {
    if (text[at] === ")") return at + 1;
    if (text[at] === "(") {
      const inner = bracketEnd(text, at, deep - 1);
      if (inner === undefined) return undefined;
      at = inner;
    } else if (INNER.test(text[at]!)) at += 1;
    else return undefined;
  }
  return undefined;
}

function queryEnd(text: string, start: number): number {
  QUERY.lastIndex = start;
  return QUERY.test(text) ? QUERY.lastIndex : start;
}
