/** What is left to be sent of a file, how fast that goes and how long it takes. Pure. */

import type { UploadOut } from "../wire/types";

const WINDOW = 8_000; // ms over which a speed is measured: a line's hiccups are no news
const ENOUGH = 1_000; // ms before which nothing is said of a speed

export interface Piece { number: number; from: number; to: number }

type Shape = Pick<UploadOut, "bytes" | "part_bytes" | "part_count">;

/** Where a part begins and ends in the file. */
export function pieceOf({ bytes, part_bytes }: Shape, number: number): Piece {
  const from = (number - 1) * part_bytes;
  return { number, from, to: Math.min(bytes, from + part_bytes) };
}

/** The parts that are not there yet, in order. */
export function missing(upload: Shape & Pick<UploadOut, "parts_there">): Piece[] {
  const there = new Set(upload.parts_there);
  return Array.from({ length: upload.part_count }, (_, n) => n + 1).filter((number) => !there.has(number)).map((number) => pieceOf(upload, number));
}

/** Whether `file` is the one that `upload` was begun with, as far as a browser tells. */
export function isOf(file: { name: string; size: number; lastModified: number }, upload: Pick<UploadOut, "name" | "bytes" | "modified_at">): boolean {
  const same = upload.modified_at === null || Date.parse(upload.modified_at) === file.lastModified;
  return same && upload.bytes === file.size && upload.name === file.name.normalize("NFC");
}

/** Bytes over time. */
export class Pace {
  #noted: { at: number; bytes: number }[] = [];

  /** `bytes`: all that are through at `at` (ms). */
  note(bytes: number, at: number): void {
    this.#noted.push({ at, bytes });
    while (this.#noted.length > 2 && this.#noted[1]!.at < at - WINDOW) this.#noted.shift();
  }

  /** What was before is of no account: it stood still. */
  restart(): void {
    this.#noted = [];
  }

  /** Bytes in a second; undefined before there is anything to say. */
  get speed(): number | undefined {
    const first = this.#noted[0], last = this.#noted.at(-1);
    if (!first || !last || last.at - first.at < ENOUGH || last.bytes <= first.bytes) return undefined;
    return ((last.bytes - first.bytes) / (last.at - first.at)) * 1_000;
  }
}
