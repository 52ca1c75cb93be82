/** Counting by letters as a reader sees them, by code points, or by UTF-16 units; links and mentions as the rules say. Pure. */

import { linksIn } from "./links";

export interface Rules {
  /** What each http(s) address counts, however long it is; null: its own length. */
  url_length: number | null;
  /** Whether @user@domain counts as @user. */
  mentions_without_domain: boolean;
}

const MENTION = /(?<![\p{L}\p{M}\p{N}_/=])(@[a-z0-9_]+(?:[.-]+[a-z0-9_]+)*)@[\p{L}\p{N}_]+(?:[.-]+[\p{L}\p{N}_]+)*/giu;

const segmenter = new Intl.Segmenter(undefined, { granularity: "grapheme" });

export function graphemes(text: string, rules: Rules): number {
  return graphemesOf(counted(text, rules)).length;
}

export function characters(text: string, rules: Rules): number {
  return [...counted(text, rules)].length;
}

export function utf16(text: string, rules: Rules): number {
  return counted(text, rules).length;
}

export function graphemesOf(text: string): string[] {
  return [...segmenter.segment(text)].map(({ segment }) => segment);
}

function counted(text: string, { url_length, mentions_without_domain }: Rules): string {
  const plain = url_length === null ? text : withPlainLinks(text, url_length);
  return mentions_without_domain ? plain.replace(MENTION, "$1") : plain;
}

function withPlainLinks(text: string, length: number): string {
  let out = "";
  let at = 0;
  for (const { from, to } of linksIn(text)) {
    out += text.slice(at, from) + "x".repeat(length);
    at = to;
  }
  return out + text.slice(at);
}
