/** How far the files are that are being converted at this moment, as the live line tells. */

import { SvelteMap } from "svelte/reactivity";
import { line } from "../wire/live.svelte";
import type { PublicationOut } from "../wire/types";

const SILENT = 6_000; // ms: it is told each second, so by then it has ended, or nobody hears of it

class Conversions {
  #done = new SvelteMap<string, number>();
  #timers = new Map<string, ReturnType<typeof setTimeout>>();

  constructor() {
    line.listen({
      heard: () => {},
      ticked: (tick) => {
        if (tick.type === "rendition.making") this.#take(tick.data.rendition_id, tick.data.done);
      },
      missed: () => this.#done.clear(),
    });
  }

  /** From 0 to 1, of the one of its files that is being made; undefined where none is. */
  of({ renditions }: Pick<PublicationOut, "renditions">): number | undefined {
    return renditions.map((id) => this.#done.get(id)).find((done) => done !== undefined);
  }

  #take(id: string, done: number): void {
    clearTimeout(this.#timers.get(id));
    if (done >= 1) return this.#forget(id);
    this.#done.set(id, done);
    this.#timers.set(id, setTimeout(() => this.#forget(id), SILENT));
  }

  #forget(id: string): void {
    this.#done.delete(id);
    this.#timers.delete(id);
  }
}

export const conversions = new Conversions();
