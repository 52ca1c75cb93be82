/** What a preview is given, and what it finds in options: platforms name alike things alike. Pure. */

import type { Picture } from "../composer/writing";
import type { PlatformOptions } from "../wire/types";

export interface Shown {
  name: string;
  handle: string;
  avatar: string | null;
  parts: readonly { key: number; text: string; pictures: readonly Picture[] }[];
  options: PlatformOptions;
}

export interface PollShown { choices: string[]; multiple: boolean; seconds: number }

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
