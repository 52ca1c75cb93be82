/** What is being uploaded, on whatever page one looks meanwhile; and what was begun before and waits for its file. */

import { toasts } from "../frame/toasts.svelte";
import { uploads as calls } from "../wire/calls";
import type { FileOut, UploadOut } from "../wire/types";
import { w } from "../words";
import { library } from "./library.svelte";
import { isOf } from "./parts";
import { Upload } from "./upload.svelte";

const SOON = 1_000; // ms between looks how far the server has come

class Queue {
  all = $state<Upload[]>([]);

  #begun = $state.raw<UploadOut[]>([]);

  #again: ReturnType<typeof setTimeout> | undefined;

  /** Begun in another tab or before the page was loaded anew: the browser has forgotten which file it was. */
  get begun(): UploadOut[] {
    const ids = new Set(this.all.map(({ id }) => id));
    return this.#begun.filter(({ id, source }) => source === null && !ids.has(id));
  }

  /** What the server fetches from the web, and what it could not fetch. */
  get fetched(): UploadOut[] {
    return this.#begun.filter(({ source }) => source !== null);
  }

  get running(): number {
    return this.all.filter(({ wrong }) => !wrong).length + this.fetched.filter(({ problem }) => !problem).length;
  }

  /** Looks what was begun and is not finished, and again while something is being fetched. */
  async look(): Promise<void> {
    clearTimeout(this.#again);
    this.#begun = await calls.all();
    if (this.fetched.some(({ problem }) => !problem)) this.#again = setTimeout(() => void this.look().catch(() => {}), SOON);
  }

  /** Has the server fetch the file at `url`. Problem where it is no address. */
  async fetch(url: string): Promise<void> {
    this.#begun = [await calls.fetch(url), ...this.#begun];
    await this.look();
  }

  add(chosen: readonly File[]): void {
    for (const file of chosen) {
      this.all.push(new Upload(file));
      void this.run(this.all.at(-1)!);
    }
  }

  async run(upload: Upload): Promise<void> {
    const stored = await upload.run();
    if (stored) this.#done(upload, stored);
  }

  /** Goes on with `begun` if this is the file it was begun with; otherwise answers false. */
  goOn(begun: UploadOut, file: File): boolean {
    if (!isOf(file, begun)) return false;
    this.add([file]);
    return true;
  }

  drop(upload: Upload): void {
    upload.stop();
    this.all = this.all.filter((each) => each !== upload);
    this.#begun = this.#begun.filter(({ id }) => id !== upload.id);
  }

  async discard({ id }: UploadOut): Promise<void> {
    await calls.giveUp(id);
    this.#begun = this.#begun.filter((each) => each.id !== id);
  }

  #done(upload: Upload, stored: FileOut): void {
    library.take(stored);
    if (stored.copies.length) toasts.say(w.media.already(stored.name), { kind: "info" });
    this.all = this.all.filter((each) => each !== upload);
    this.#begun = this.#begun.filter(({ id }) => id !== upload.id);
  }
}

export const queue = new Queue();
