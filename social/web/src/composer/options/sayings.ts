/** What options are called: our words for them, or else the API's own description. */

import { w } from "../../words";
import type { Field } from "./fields";

export function labelOf(field: Field): string {
  return wordsOf(field)?.[0] ?? field.title ?? capitalised(field.name.replaceAll("_", " "));
}

export function hintOf(field: Field): string | undefined {
  return wordsOf(field)?.[1] ?? field.description;
}

export function choiceOf(field: Field, choice: string): readonly [string, string?] {
  return w.options.choices[field.name]?.[choice] ?? w.options.choices["any"]?.[choice] ?? [capitalised(choice.replaceAll("_", " "))];
}

/** "30 minutes", "6 hours", "3 days". */
export function sayLength(seconds: number): string {
  if (seconds % 86_400 === 0) return w.options.days(seconds / 86_400);
  return seconds % 3_600 === 0 ? w.options.hours(seconds / 3_600) : w.options.minutes(Math.round(seconds / 60));
}

function wordsOf({ path, name }: Field): readonly [string, string?] | undefined {
  return w.options.fields[path] ?? w.options.fields[name];
}

function capitalised(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
