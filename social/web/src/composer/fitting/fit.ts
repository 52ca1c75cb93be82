/** What a person wants of a picture's shape and of a video's length, and what comes of it. Pure. */

import type { AccountOut, FileVerdict, Fit } from "../../wire/types";
import type { Picture } from "../writing";

/** With everything said. */
export type Wish = Required<Omit<Fit, "focus">> & { focus: [number, number] };
export interface Size { width: number; height: number }
export interface Fate { file: FileVerdict; accounts: AccountOut[] }

export const USUAL: Wish = { shape: "pad", aspect: null, focus: [0.5, 0.5], start: 0, end: null };
export const ASPECTS = { square: 1, portrait: 4 / 5, upright: 9 / 16, landscape: 16 / 9 } as const;
export type Aspect = keyof typeof ASPECTS;

const NEAR = 0.01; // of a shape: the same to the eye
const TRIMMABLE = new Set(["too-long", "too-large", "too-short", "empty"]);

export function wishOf({ fit }: Pick<Picture, "fit">): Wish {
  return { ...USUAL, ...fit };
}

/** As it is kept: only what is not usual, in one order; null where nothing is. */
export function kept({ shape, aspect, focus, start, end }: Wish): Fit | null {
  const fit: Fit = {
    ...(shape === USUAL.shape ? {} : { shape }),
    ...(aspect === null ? {} : { aspect: round(aspect, 4) }),
    ...(focus[0] === 0.5 && focus[1] === 0.5 ? {} : { focus: [round(focus[0], 3), round(focus[1], 3)] as [number, number] }),
    ...(start > 0 ? { start: round(start, 2) } : {}),
    ...(end === null ? {} : { end: round(end, 2) }),
  };
  return Object.keys(fit).length ? fit : null;
}

export function sameFit(one: Fit | null | undefined, other: Fit | null | undefined): boolean {
  return JSON.stringify(kept({ ...USUAL, ...one })) === JSON.stringify(kept({ ...USUAL, ...other }));
}

/** The aspect's name; undefined for the file's own. */
export function aspectOf({ aspect }: Wish): Aspect | undefined {
  return aspect === null ? undefined : (Object.keys(ASPECTS) as Aspect[]).find((name) => Math.abs(ASPECTS[name] / aspect - 1) < NEAR);
}

/** Whoever asks for another shape mostly wants it cut: that is what goes with the first one that is asked for. */
export function withAspect(wish: Wish, aspect: number | null): Wish {
  return { ...wish, aspect, shape: wish.aspect === null && aspect !== null ? "crop" : wish.shape };
}

/** The focus moved by fractions of the sides, and kept within the picture. */
export function moved({ focus: [x, y] }: Wish, right: number, down: number): [number, number] {
  return [within(x + right, 0, 1), within(y + down, 0, 1)];
}

/** Where the piece that is cut out lies for a focus: the focus as near to its middle as there is room, as the server does it. */
export function regionAt(size: Size, piece: Size, [x, y]: readonly [number, number]): { left: number; top: number } & Size {
  const place = (whole: number, part: number, point: number) => within(Math.round(whole * point - part / 2), 0, whole - part);
  return { left: place(size.width, piece.width, x), top: place(size.height, piece.height, y), width: piece.width, height: piece.height };
}

/** The verdict as it will be once the focus is there. */
export function focused(file: FileVerdict, size: Size, focus: readonly [number, number]): FileVerdict {
  return file.region ? { ...file, region: regionAt(size, file.region, focus) } : file;
}

/** Whether its shape changes there: only then does it matter how. */
export function isShaped({ verdict, width, height }: FileVerdict, size: Size): boolean {
  return verdict === "converts" && size.width > 0 && Math.abs(width / height / (size.width / size.height) - 1) > NEAR;
}

/** Whether a shorter piece of it could go out. */
export function wantsTrim({ verdict, code }: FileVerdict, picture: Pick<Picture, "mime">): boolean {
  return verdict === "cannot" && TRIMMABLE.has(code) && isVideo(picture);
}

export function isVideo({ mime }: Pick<Picture, "mime">): boolean {
  return mime?.startsWith("video/") ?? false;
}

/** Accounts for which the same becomes of it are one. */
export function together(each: readonly { file: FileVerdict; account: AccountOut }[]): Fate[] {
  const found = new Map<string, Fate>();
  for (const { file, account } of each) {
    const { pointer: _, kind: __, lasting: ___, ...same } = file;
    const key = JSON.stringify(same);
    const fate = found.get(key);
    if (fate) fate.accounts.push(account);
    else found.set(key, { file, accounts: [account] });
  }
  return [...found.values()];
}

/** How long a piece may be for all of them together. */
export function lasting(fates: readonly Fate[]): { least: number; most: number } {
  const known = fates.flatMap(({ file }) => file.lasting ?? []);
  return { least: Math.max(0.1, ...known.map(({ start }) => start)), most: Math.min(Infinity, ...known.map(({ end }) => end)) };
}

/** The piece with another beginning or end: the one gives way to the other's place, never past the video's. */
export function trimmed(wish: Wish, seconds: number, to: { start: number } | { end: number }, least = 0.1): Wish {
  const end = wish.end ?? seconds;
  if ("start" in to) {
    const start = within(to.start, 0, Math.max(0, seconds - least));
    return ended({ ...wish, start }, Math.max(end, start + least), seconds);
  }
  const last = within(to.end, Math.min(least, seconds), seconds);
  return ended({ ...wish, start: Math.min(wish.start, Math.max(0, last - least)) }, last, seconds);
}

/** As much of it as may be shown: from its beginning, or earlier where the video ends too soon. */
export function shortened(wish: Wish, seconds: number, most: number): Wish {
  const start = Math.min(wish.start, Math.max(0, seconds - most));
  return ended({ ...wish, start }, Math.min((wish.end ?? seconds), start + most), seconds);
}

function ended(wish: Wish, end: number, seconds: number): Wish {
  return { ...wish, end: end >= seconds ? null : end };
}

/** "83.5", "1:23.5" or "1:00:05" in seconds. Undefined where it is none of these. */
export function readClock(text: string): number | undefined {
  const found = /^\s*(?:(?:(\d+):)?(\d{1,2}):)?(\d+(?:[.,]\d+)?)\s*$/.exec(text);
  if (!found) return undefined;
  const seconds = Number(found[3]!.replace(",", "."));
  if (found[2] !== undefined && seconds >= 60) return undefined;
  return Number(found[1] ?? 0) * 3_600 + Number(found[2] ?? 0) * 60 + seconds;
}

/** 83.5 as "1:23.5". */
export function sayClock(seconds: number): string {
  const tenths = Math.round(seconds * 10);
  const [hours, minutes, rest] = [Math.floor(tenths / 36_000), Math.floor(tenths / 600) % 60, (tenths % 600) / 10];
  const last = `${rest < 10 ? "0" : ""}${rest.toFixed(rest % 1 ? 1 : 0)}`;
  return hours ? `${hours}:${String(minutes).padStart(2, "0")}:${last}` : `${minutes}:${last}`;
}

function within(value: number, least: number, most: number): number {
  return Math.min(Math.max(value, least), Math.max(least, most));
}

function round(value: number, places: number): number {
  return Math.round(value * 10 ** places) / 10 ** places;
}
