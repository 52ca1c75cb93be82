/** What is written for all accounts, and what single platforms or accounts have instead. Pure: a change is a new value. */

import type { AttachedIn, AttachedOut, PartIn, PostIn, PostOut, VariantIn } from "../wire/types";
import { sameFit } from "./fitting/fit";

export type Picture = Pick<AttachedOut, "id" | "alt" | "width" | "height" | "thumbnail_url"> & Partial<Pick<AttachedOut, "mime" | "url" | "seconds" | "animated" | "fit" | "clip_url" | "heavy">> & { placeholder?: string };

/** One part of a thread; a post that is none has one. `key` tells parts of one list apart, whatever becomes of them. */
export interface Part { key: number; text: string; pictures: readonly Picture[] }

/** What a platform or an account has of its own; null: what it would have without. `key` is that of its first part. */
export interface Variant { key: number; text: string | null; pictures: readonly Picture[] | null; thread: readonly Part[] | null }

/** `variants` by platform name or account id. There is always a first part. */
export interface Writing { parts: readonly Part[]; variants: Readonly<Record<string, Variant>> }

type Written = Pick<PostIn, "text" | "media" | "thread" | "variants">;

let lastKey = 0;

export function newPart(text = "", pictures: readonly Picture[] = []): Part {
  return { key: ++lastKey, text, pictures };
}

export function nothing(): Writing {
  return { parts: [newPart()], variants: {} };
}

/** All parts as somebody has them whose variants are `keys`, the weakest first: [], ["x"] or ["x", "<account id>"]. */
export function partsFor({ parts, variants }: Writing, keys: readonly string[]): Part[] {
  let [first, ...thread] = parts as [Part, ...Part[]];
  for (const key of keys) {
    const own = variants[key];
    if (!own) continue;
    first = { key: own.key, text: own.text ?? first.text, pictures: own.pictures ?? first.pictures };
    thread = [...(own.thread ?? thread)];
  }
  return [first, ...thread.map((part) => (part.key === first.key ? { ...part, key: -part.key } : part))];
}

/** `parts` for whoever has the variants `keys`. Only what differs from what they would have anyway becomes their own. */
export function withParts(writing: Writing, keys: readonly string[], parts: readonly Part[]): Writing {
  const key = keys.at(-1);
  if (key === undefined) return { ...writing, parts };
  const [first, ...thread] = parts as [Part, ...Part[]];
  const [before, ...rest] = partsFor(writing, keys.slice(0, -1)) as [Part, ...Part[]];
  const own: Variant = {
    key: first.key,
    text: first.text === before.text ? null : first.text,
    pictures: samePictures(first.pictures, before.pictures) ? null : first.pictures,
    thread: sameParts(thread, rest) ? null : thread,
  };
  return isOwn(own) ? { ...writing, variants: { ...writing.variants, [key]: own } } : without(writing, key);
}

/** Has nothing of its own any more. */
export function without(writing: Writing, key: string): Writing {
  const { [key]: _, ...variants } = writing.variants;
  return { ...writing, variants };
}

export function differs(writing: Writing, key: string): boolean {
  const own = writing.variants[key];
  return own !== undefined && isOwn(own);
}

/** Whether part `n` of somebody with the variants `theirs` is the one that is written for `keys`, a beginning of them. */
export function follows({ variants }: Writing, keys: readonly string[], theirs: readonly string[], n: number): boolean {
  return theirs.slice(keys.length).every((key) => (n === 0 ? variants[key]?.text : variants[key]?.thread) == null);
}

export function isEmpty({ parts, variants }: Writing): boolean {
  return parts.every(isBlank) && !Object.values(variants).some(isOwn);
}

export function isBlank({ text, pictures }: Pick<Part, "text" | "pictures">): boolean {
  return !text.trim() && pictures.length === 0;
}

/** As the API takes it. */
export function written({ parts, variants }: Writing): Written {
  const [first, ...thread] = parts.map(partIn);
  return {
    ...first!,
    thread,
    variants: Object.fromEntries(Object.entries(variants).filter(([, own]) => isOwn(own)).map(([key, own]) => [key, variantIn(own)])),
  };
}

/** What the API gave. Parts keep the keys they have in `before`, so that nobody loses their place. */
export function writingOf({ text, media, thread, variants }: Pick<PostOut, "text" | "media" | "thread" | "variants">, before?: Writing): Writing {
  const keyed = (parts: { text: string; media: readonly Picture[] }[], known: readonly Part[] | null | undefined): Part[] =>
    parts.map((part, n) => ({ ...newPart(part.text, part.media), ...(known?.[n] ? { key: known[n].key } : {}) }));
  const parts = keyed([{ text, media }, ...thread], before?.parts);
  const owns = Object.entries(variants).map(([name, own]): [string, Variant] => [
    name,
    { key: parts[0]!.key, text: own.text, pictures: own.media, thread: own.thread && keyed(own.thread, before?.variants[name]?.thread) },
  ]);
  return { parts, variants: Object.fromEntries(owns) };
}

/** What another visit kept, with keys that none of this visit's parts has. */
export function rekeyed({ parts, variants }: Writing): Writing {
  const anew = (part: Part): Part => ({ ...part, key: ++lastKey });
  const kept = parts.map(anew);
  const owns = Object.entries(variants).map(([name, own]): [string, Variant] => [name, { ...own, key: kept[0]!.key, thread: own.thread && own.thread.map(anew) }]);
  return { parts: kept, variants: Object.fromEntries(owns) };
}

function isOwn({ text, pictures, thread }: Variant): boolean {
  return text !== null || pictures !== null || thread !== null;
}

function sameParts(some: readonly Part[], others: readonly Part[]): boolean {
  return some.length === others.length && some.every((part, n) => part.text === others[n]!.text && samePictures(part.pictures, others[n]!.pictures));
}

function samePictures(some: readonly Picture[], others: readonly Picture[]): boolean {
  return some === others || (some.length === others.length && some.every(({ id, alt, fit }, n) => id === others[n]!.id && alt === others[n]!.alt && sameFit(fit, others[n]!.fit)));
}

function partIn({ text, pictures }: Part): PartIn {
  return { text, media: attached(pictures) };
}

function variantIn({ text, pictures, thread }: Variant): VariantIn {
  return {
    ...(text === null ? {} : { text }),
    ...(pictures === null ? {} : { media: attached(pictures) }),
    ...(thread === null ? {} : { thread: thread.map(partIn) }),
  };
}

function attached(pictures: readonly Picture[]): AttachedIn[] {
  return pictures.map(({ id, alt, fit }) => (fit ? { id, alt, fit } : { id, alt }));
}
