/** Files on their way to the library. */

import { sayError } from "../look/errors";
import { media as calls } from "../wire/calls";
import type { MediaOut } from "../wire/types";
import { w } from "../words";

export const LARGEST = 20 * 2 ** 20; // bytes, as the server takes them
export const ACCEPTED = "image/*,.heic,.heif,.avif";

const SIDE_BY_SIDE = 3; // a phone's line is shared by them

let running = 0;
const waiting: (() => void)[] = [];

export class Upload {
  readonly name: string;
  /** A look at it before the server has made a thumbnail; formats the browser does not know show as nothing. */
  readonly look: string;
  /** 0..1; at 1 the server is looking at it. */
  share = $state(0);
  wrong = $state<string>();

  #stop = new AbortController();

  constructor(readonly file: File) {
    this.name = file.name || "picture";
    this.look = URL.createObjectURL(file);
  }

  /** The stored picture; undefined where it was refused (see `wrong`) or stopped. */
  async run(): Promise<MediaOut | undefined> {
    this.wrong = undefined;
    this.share = 0;
    if (this.file.size > LARGEST) {
      this.wrong = w.compose.tooLarge(this.name);
      return undefined;
    }
    await turn();
    try {
      const stored = await calls.add(this.file, (share) => (this.share = share), this.#stop.signal);
      this.forget();
      return stored;
    } catch (error) {
      if (!(error instanceof DOMException)) this.wrong = sayError(error);
      return undefined;
    } finally {
      running -= 1;
      waiting.shift()?.();
    }
  }

  stop(): void {
    this.#stop.abort();
    this.forget();
  }

  forget(): void {
    URL.revokeObjectURL(this.look);
  }
}

async function turn(): Promise<void> {
  if (running >= SIDE_BY_SIDE) await new Promise<void>((resolve) => waiting.push(resolve));
  running += 1;
}

/** The files among what was dropped, pasted or chosen. */
export function filesIn(given: DataTransfer | null): File[] {
  return [...(given?.files ?? [])];
}
