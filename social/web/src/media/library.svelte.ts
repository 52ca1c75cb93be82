/** The workspace's files that somebody looks for, newest first. */

import { toasts } from "../frame/toasts.svelte";
import { sayError } from "../look/errors";
import { media as calls, type Wanted } from "../wire/calls";
import { line } from "../wire/live.svelte";
import type { FileOut, LibraryOut } from "../wire/types";
import { w } from "../words";

const UNDONE = 10_000; // ms in which a deletion can be taken back: it is made only then

class Library {
  /** All that were read; `all` leaves out what is about to be deleted. */
  #read = $state.raw<FileOut[]>([]);
  #leaving = $state.raw<readonly string[]>([]);
  state = $state<"unread" | "read" | "failed">("unread");
  error = $state.raw<unknown>();
  next = $state<string | null>(null);
  wanted = $state.raw<Wanted>({});
  /** What it holds as a whole; undefined until that is known. */
  whole = $state.raw<LibraryOut>();

  #soon: ReturnType<typeof setTimeout> | undefined;
  #asked = 0;

  constructor() {
    line.listen({
      heard: ({ type, data }) => {
        if (type === "media.removed") this.drop(data.id);
        if ((type === "media.added" || type === "media.changed") && this.state === "read") this.#readSoon();
      },
      missed: () => void (this.state === "read" && this.read()),
    });
    window.addEventListener("pagehide", () => this.#leaving.forEach((id) => void calls.remove(id).catch(() => {})));
  }

  get all(): FileOut[] {
    return this.#read.filter(({ id }) => !this.#leaving.includes(id));
  }

  /** Whether anything is looked for. */
  get narrowed(): boolean {
    return Object.values(this.wanted).some(Boolean);
  }

  /** Looks for others, and for nothing else than what is given. */
  look(wanted: Wanted): void {
    this.wanted = wanted;
    void this.read();
  }

  async read(): Promise<void> {
    const asked = ++this.#asked;
    try {
      const [page, whole] = await Promise.all([calls.page(this.wanted, null), calls.library()]);
      if (asked !== this.#asked) return; // somebody has typed on meanwhile
      this.#read = page.items;
      this.next = page.next;
      this.whole = whole;
      this.state = "read";
    } catch (error) {
      this.error = error;
      if (this.state === "unread") this.state = "failed";
    }
  }

  async more(): Promise<void> {
    const page = await calls.page(this.wanted, this.next);
    const known = new Set(this.#read.map(({ id }) => id));
    this.#read = [...this.#read, ...page.items.filter(({ id }) => !known.has(id))];
    this.next = page.next;
  }

  take(file: FileOut): void {
    const known = this.#read.some(({ id }) => id === file.id);
    this.#read = known ? this.#read.map((each) => (each.id === file.id ? file : each)) : [file, ...this.#read];
  }

  drop(id: string): void {
    this.#read = this.#read.filter((each) => each.id !== id);
    this.#leaving = this.#leaving.filter((each) => each !== id);
  }

  /** Out of sight now, and gone for good unless that is taken back. */
  remove({ id, name }: FileOut): void {
    this.#leaving = [...this.#leaving, id];
    const gone = setTimeout(() => void this.#removed(id), UNDONE);
    const back = () => {
      clearTimeout(gone);
      this.#leaving = this.#leaving.filter((each) => each !== id);
    };
    toasts.say(w.media.removed(name), { until: UNDONE, action: { label: w.media.undo, act: back } });
  }

  async #removed(id: string): Promise<void> {
    try {
      await calls.remove(id);
      this.drop(id);
      this.#readSoon();
    } catch (error) {
      this.#leaving = this.#leaving.filter((each) => each !== id);
      toasts.say(sayError(error), { kind: "bad" });
    }
  }

  /** Several files often come together: one look for all of them. */
  #readSoon(): void {
    clearTimeout(this.#soon);
    this.#soon = setTimeout(() => void this.read(), 500);
  }
}

export const library = new Library();
