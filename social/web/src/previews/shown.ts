/** What a preview is given, and what it finds in options: platforms name alike things alike. Pure. */

import type { Picture } from "../composer/writing";
import { placeOf } from "../composer/places";
import type { FileVerdict, PlatformOptions, Verdict } from "../wire/types";

/** `as`: what becomes of it there, as far as that is known. */
export type PictureShown = Picture & { as?: FileVerdict };

export interface Shown {
  name: string;
  handle: string;
  avatar: string | null;
  parts: readonly { key: number; text: string; pictures: readonly PictureShown[] }[];
  options: PlatformOptions;
}

export interface PollShown { choices: string[]; multiple: boolean; seconds: number }

/** The pictures of a part with what becomes of them. While somebody types, the last answer is about a little less. */
export function withFates(pictures: readonly Picture[], part: number, verdict: Verdict | undefined): PictureShown[] {
  const here = verdict?.files.filter(({ pointer }) => placeOf(pointer).part === part) ?? [];
  return pictures.map((picture) => ({ ...picture, as: here.find(({ media_id }) => media_id === picture.id) }));
}

export function isEmpty({ parts }: Shown): boolean {
  return parts.every(({ text, pictures }) => !text.trim() && pictures.length === 0);
}

/** The first of these options that holds a text, or something that has an address. */
export function textIn(options: PlatformOptions, ...names: string[]): string | undefined {
  for (const name of names) {
    const value = options[name];
    if (typeof value === "string" && value.trim()) return value.trim();
    if (isGroup(value)) {
      const within = textIn(value, "url", "uri", "id");
      if (within) return within;
    }
  }
  return undefined;
}

export function isOn(options: PlatformOptions, name: string): boolean {
  return options[name] === true;
}

export function pollIn(options: PlatformOptions): PollShown | undefined {
  const poll = options["poll"];
  if (!isGroup(poll)) return undefined;
  const choices = Array.isArray(poll["options"]) ? poll["options"].map(String) : [];
  const minutes = typeof poll["duration_minutes"] === "number" ? poll["duration_minutes"] : undefined;
  const seconds = typeof poll["expires_in"] === "number" ? poll["expires_in"] : (minutes ?? 1_440) * 60;
  return { choices, multiple: poll["multiple"] === true, seconds };
}

/** A link's card, where somebody described one. */
export function cardIn(options: PlatformOptions): { url: string; title: string; description: string } | undefined {
  const card = options["card"];
  if (!isGroup(card)) return undefined;
  const url = textIn(card, "url") ?? "";
  return { url, title: textIn(card, "title") ?? url, description: textIn(card, "description") ?? "" };
}

/** The host of an address, or all of what is none. */
export function hostOf(url: string): string {
  return URL.canParse(url) ? new URL(url).host.replace(/^www\./, "") : url;
}

function isGroup(value: unknown): value is PlatformOptions {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
