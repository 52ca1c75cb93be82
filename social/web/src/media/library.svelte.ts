/** The workspace's pictures, newest first. */

import { media as calls } from "../wire/calls";
import { line } from "../wire/live.svelte";
import type { MediaOut } from "../wire/types";

class Library {
  all = $state.raw<MediaOut[]>([]);
  state = $state<"unread" | "read" | "failed">("unread");
  error = $state.raw<unknown>();
  next = $state<string | null>(null);

  #soon: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    line.listen({
      heard: ({ type, data }) => {
        if (type === "media.removed") this.drop(data.id);
        if ((type === "media.added" || type === "media.changed") && this.state === "read") this.#readSoon();
      },
      missed: () => void (this.state === "read" && this.read()),
    });
  }

  async read(): Promise<void> {
    try {
      const page = await calls.page(null);
      this.all = page.items;
      this.next = page.next;
      this.state = "read";
    } catch (error) {
      this.error = error;
      if (this.state === "unread") this.state = "failed";
    }
  }

  async more(): Promise<void> {
    const page = await calls.page(this.next);
    const known = new Set(this.all.map(({ id }) => id));
    this.all = [...this.all, ...page.items.filter(({ id }) => !known.has(id))];
    this.next = page.next;
  }

  take(picture: MediaOut): void {
    const known = this.all.some(({ id }) => id === picture.id);
    this.all = known ? this.all.map((each) => (each.id === picture.id ? picture : each)) : [picture, ...this.all];
  }

  drop(id: string): void {
    this.all = this.all.filter((each) => each.id !== id);
  }

  /** Several pictures often come together: one look for all of them. */
  #readSoon(): void {
    clearTimeout(this.#soon);
    this.#soon = setTimeout(() => void this.read(), 500);
  }
}

export const library = new Library();
