/** What is being uploaded, on whatever page one looks meanwhile; and what was begun before and waits for its file. */

import { uploads as calls } from "../wire/calls";
import type { MediaOut, UploadOut } from "../wire/types";
import { library } from "./library.svelte";
import { isOf } from "./parts";
import { Upload } from "./upload.svelte";

class Queue {
  all = $state<Upload[]>([]);

  #begun = $state.raw<UploadOut[]>([]);

  /** Begun in another tab or before the page was loaded anew: the browser has forgotten which file it was. */
  get begun(): UploadOut[] {
    const ids = new Set(this.all.map(({ id }) => id));
    return this.#begun.filter(({ id }) => !ids.has(id));
  }

  get running(): number {
    return this.all.filter(({ wrong }) => !wrong).length;
  }

  /** Looks what was begun and is not finished. */
  async look(): Promise<void> {
    this.#begun = await calls.all();
  }

  add(files: readonly File[]): void {
    for (const file of files) {
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

  #done(upload: Upload, stored: MediaOut): void {
    library.take(stored);
    this.all = this.all.filter((each) => each !== upload);
    this.#begun = this.#begun.filter(({ id }) => id !== upload.id);
  }
}

export const queue = new Queue();
