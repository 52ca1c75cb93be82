/** Files on their way into parts of a post: they go on while somebody looks at another version of it. */

import { Upload } from "../media/upload.svelte";
import type { Draft } from "./draft.svelte";

export interface Coming { upload: Upload; keys: readonly string[]; part: number }

export class Uploads {
  all = $state<Coming[]>([]);

  constructor(readonly draft: Draft) {}

  /** How many are not there yet. */
  get running(): number {
    return this.all.filter(({ upload }) => !upload.wrong).length;
  }

  /** Those of one part as the variants `keys` have it. */
  of(keys: readonly string[], part: number): Coming[] {
    return this.all.filter((each) => each.part === part && each.keys.join() === keys.join());
  }

  add(files: readonly File[], keys: readonly string[], part: number): void {
    for (const file of files) {
      this.all.push({ upload: new Upload(file), keys, part });
      void this.run(this.all.at(-1)!);
    }
  }

  async run(coming: Coming): Promise<void> {
    const stored = await coming.upload.run();
    if (!stored || !this.all.includes(coming)) return;
    this.draft.revise(coming.keys, coming.part, ({ pictures }) => (pictures.some(({ id }) => id === stored.id) ? {} : { pictures: [...pictures, stored] }));
    this.#forget(coming);
  }

  drop(coming: Coming): void {
    coming.upload.stop();
    this.#forget(coming);
  }

  stop(): void {
    for (const { upload } of this.all) upload.stop();
    this.all = [];
  }

  #forget(coming: Coming): void {
    this.all = this.all.filter((each) => each !== coming);
  }
}
