/**
 * How long a text is to a platform, as its server will count it. Gives the counter while somebody types; what the
 * server says about the same text wins. The rules are those of Mastodon's own counter.
 */

import type { LimitsOut } from "../wire/types";

export interface Link { from: number; to: number; url: string }

const SCHEME = /(?<![a-z0-9@$#＠＃])https?:\/\//giu;
const HOST = /(?:(?:xn--[a-z0-9-]+|[\p{L}\p{N}\p{M}](?:[\p{L}\p{N}\p{M}_-]*[\p{L}\p{N}\p{M}])?)\.)+(?:xn--[a-z0-9-]+|[\p{L}\p{M}]{2,})(?::\d+)?/iuy;
const QUERY = /\?[^\s<>"「」{}`\\]*[\p{L}\p{N}_&=#/-]/uy;
const INNER = /[^\s<>()?]/u;
const NOT_LAST = /[!*"'「」;:=,.$%[\]~&|@]/u;
const MENTION = /(?<![\p{L}\p{M}\p{N}_/=])(@[a-z0-9_]+(?:[.-]+[a-z0-9_]+)*)@[\p{L}\p{N}_]+(?:[.-]+[\p{L}\p{N}_]+)*/giu;
const LONGEST_HOST = 253;

const graphemes = new Intl.Segmenter(undefined, { granularity: "grapheme" });

export function lengthOf(text: string, limits: Pick<LimitsOut, "counted_as" | "url_length" | "mentions_without_domain">): number {
  const counted = withoutDomains(withPlainLinks(text, limits.url_length), limits.mentions_without_domain);
  if (limits.counted_as === "utf16") return counted.length;
  if (limits.counted_as === "characters") return [...counted].length;
  return [...graphemes.segment(counted)].length;
}

/** Where the http(s) addresses are in `text`. A bracket at the end belongs to one only if it was opened in it. */
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

function withPlainLinks(text: string, length: number | null): string {
  if (length === null) return text;
  let out = "";
  let at = 0;
  for (const { from, to } of linksIn(text)) {
    out += text.slice(at, from) + "x".repeat(length);
    at = to;
  }
  return out + text.slice(at);
}

function withoutDomains(text: string, wanted: boolean): string {
  return wanted ? text.replace(MENTION, "$1") : text;
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
