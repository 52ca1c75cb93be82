/** How options are shown whose name says more than their type: platforms name alike things alike. Pure. */

import { LANGUAGE } from "../../words";
import type { Field } from "./fields";

type Look = "language" | "seconds" | "minutes" | "long";

const LOOKS: Record<string, Look> = {
  language: "language", languages: "language", expires_in: "seconds", duration_minutes: "minutes",
  description: "long",
};

// What most people set comes first; what is not named keeps its place behind them.
const ORDER = [
  "visibility", "reply_settings", "language", "languages", "spoiler", "sensitive", "card", "poll", "quote", "reply_to", "labels", "tags",
  "replies_from", "quotes_allowed", "made_with_ai", "paid_partnership",
  "options", "expires_in", "duration_minutes", "multiple", "hide_totals",
  "url", "title", "description",
];

const WITH_PICTURES = new Set(["sensitive", "labels"]); // means nothing without

// Seconds.
const LASTS = [300, 900, 1_800, 3_600, 3 * 3_600, 6 * 3_600, 12 * 3_600, 86_400, 3 * 86_400, 7 * 86_400, 14 * 86_400, 30 * 86_400];
const WEEK = 7 * 86_400; // where a platform names no longest

// ISO 639-1, the ones most posts are written in.
const LANGUAGES = "ar bg bn ca cs cy da de el en eo es et eu fa fi fr ga gl he hi hr hu id is it ja ka ko lt lv mk ms nl no pl pt ro ru sk sl sq sr sv th tr uk ur vi zh".split(" ");

export function lookOf(field: Field): Look | undefined {
  return LOOKS[field.name] ?? (field.name === "" ? LOOKS[field.path.split(".").at(-1)!] : undefined);
}

export function inOrder(fields: readonly Field[]): Field[] {
  const rank = ({ name }: Field) => (ORDER.includes(name) ? ORDER.indexOf(name) : ORDER.length);
  return fields.toSorted((a, b) => rank(a) - rank(b));
}

export function isShown(field: Field, pictured: boolean): boolean {
  return pictured || !WITH_PICTURES.has(field.name);
}

/** How long something can last, in the field's own unit; `now` is among them. */
export function lasts(field: Field & { kind: "number" }, now: number | undefined): { value: number; seconds: number }[] {
  const unit = lookOf(field) === "minutes" ? 60 : 1;
  const values = LASTS.map((seconds) => seconds / unit).filter((value) => value >= (field.least ?? 0) && value <= (field.most ?? WEEK / unit));
  if (now !== undefined && !values.includes(now)) values.push(now);
  return values.sort((a, b) => a - b).map((value) => ({ value, seconds: value * unit }));
}

/** Languages by their names, sorted; `more` are codes that must be among them. */
export function languages(more: readonly string[]): { code: string; name: string }[] {
  const names = new Intl.DisplayNames(LANGUAGE, { type: "language" });
  const codes = [...new Set([...LANGUAGES, ...more])];
  return codes.map((code) => ({ code, name: nameIn(names, code) })).sort((a, b) => a.name.localeCompare(b.name));
}

function nameIn(names: Intl.DisplayNames, code: string): string {
  try {
    return names.of(code) ?? code;
  } catch {
    return code; // no language tag at all
  }
}
