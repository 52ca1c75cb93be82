/** Files on their way to the library: small pictures at once, everything else in parts that can be gone on with. */

import { sayError } from "../look/errors";
import { pause as pauseOf } from "../wire/live.svelte";
import { media as calls, uploads } from "../wire/calls";
import { Problem, Unreachable } from "../wire/problems";
import type { FileOut, UploadOut } from "../wire/types";
import { w } from "../words";
import { isOf, missing, Pace, type Piece } from "./parts";

export const LARGEST = 10 * 2 ** 30; // bytes, as the server takes them
export const ACCEPTED = "image/*,video/*,.heic,.heif,.avif,.mkv,.mov";

const AT_ONCE = 8 * 2 ** 20; // bytes up to which a picture is sent as a whole
const FILES = 3; // side by side
const LINES = 4; // bodies on their way at any time: a browser opens six connections to a server, and others ask too
const FAST = 5_000_000; // bytes in a second
const OUTSIDE = 3; // failures on the way to the file storage itself, after which parts go through the server
const AGAIN = 2_000; // ms after which it is asked anew whether somebody else has put it together
const PASSES = new Set([408, 425, 429, 500, 502, 503, 504]);

/** `lost`: the network or the server is away, and it goes on by itself. `looking`: all is there, the server looks at it. */
export type Phase = "waiting" | "sending" | "paused" | "lost" | "looking";

/** Who waits comes next. */
class Turns {
  #waiting: (() => void)[] = [];

  constructor(private free: number) {}

  async take(): Promise<void> {
    if (this.free === 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    else this.free -= 1;
  }

  give(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.free += 1;
  }
}

const files = new Turns(FILES), lines = new Turns(LINES);
const taken = new Set<string>(); // uploads that this page is at

export class Upload {
  readonly name: string;
  readonly size: number;
  /** A look at it before the server has made a thumbnail; formats the browser does not know show as nothing. */
  readonly look: string;
  phase = $state<Phase>("waiting");
  /** Bytes that are through. */
  sent = $state(0);
  /** Bytes in a second, once that is known. */
  speed = $state<number>();
  wrong = $state<string>();
  /** The server's name for it, once it has one. */
  id = $state<string>();

  #pace = new Pace();
  #there = 0;
  #flying = new Map<number, number>();
  #outside = 0;
  #stopped = false;
  #failed = false;
  #current = new AbortController();
  #goOn: (() => void)[] = [];

  constructor(readonly file: File) {
    this.name = file.name || "picture";
    this.size = file.size;
    this.look = file.type.startsWith("image/") ? URL.createObjectURL(file) : "";
  }

  /** 0..1; at 1 the server is looking at it. */
  get share(): number {
    return this.phase === "looking" ? 1 : Math.min(0.999, this.sent / Math.max(1, this.size));
  }

  /** Seconds that it still takes. */
  get left(): number | undefined {
    return this.speed && this.phase === "sending" ? (this.size - this.sent) / this.speed : undefined;
  }

  /** Whether it can be halted and gone on with. */
  get inParts(): boolean {
    return this.size > AT_ONCE || !this.file.type.startsWith("image/");
  }

  /** The stored file; undefined where it was refused (see `wrong`) or stopped. */
  async run(): Promise<FileOut | undefined> {
    this.wrong = undefined;
    this.#there = this.sent = this.#outside = 0;
    this.#failed = false;
    if (this.size > LARGEST) {
      this.wrong = w.uploads.tooLarge(this.name);
      return undefined;
    }
    this.phase = "waiting";
    await files.take();
    try {
      const stored = this.inParts ? await this.#parts() : await this.#whole();
      this.forget();
      return stored;
    } catch (error) {
      if (this.#stopped) return undefined;
      // What the browser cannot read any more was changed, moved or unplugged since it was chosen.
      this.wrong = error instanceof DOMException ? w.uploads.unreadable(this.name) : sayError(error);
      return undefined;
    } finally {
      if (this.id) taken.delete(this.id);
      files.give();
    }
  }

  pause(): void {
    if (this.phase === "looking") return;
    this.phase = "paused";
    this.#halt();
  }

  resume(): void {
    if (this.phase !== "paused") return;
    this.phase = "waiting";
    for (const go of this.#goOn.splice(0)) go();
  }

  /** For good: nothing of it is kept. */
  stop(): void {
    this.#stopped = true;
    this.#halt();
    for (const go of this.#goOn.splice(0)) go();
    this.forget();
    if (this.id) uploads.giveUp(this.id).catch(() => {}); // what is left is thrown away in some days
  }

  forget(): void {
    if (this.look) URL.revokeObjectURL(this.look);
  }

  async #whole(): Promise<FileOut> {
    const whole = { number: 1, from: 0, to: this.size };
    const stored = await this.#until((signal) => this.#onALine(whole, signal, (progress) => calls.add(this.file, progress, signal)));
    return stored;
  }

  async #parts(): Promise<FileOut> {
    let upload = await this.#until(() => this.#begun());
    for (;;) {
      this.#there = upload.arrived;
      this.#count();
      await this.#send(upload, missing(upload));
      this.phase = "looking";
      try {
        return await this.#until(() => uploads.finish(upload.id));
      } catch (error) {
        if (!(error instanceof Problem) || error.status !== 409) throw error;
        if (!error.facts["missing"]) await moment(AGAIN); // another tab is at it
        upload = await this.#until(() => uploads.read(upload.id));
      }
    }
  }

  /** The upload that was begun with this very file, now or days ago. */
  async #begun(): Promise<UploadOut> {
    const name = this.name.normalize("NFC");
    const before = (await uploads.all()).find((each) => each.source === null && !taken.has(each.id) && isOf({ name, size: this.size, lastModified: this.file.lastModified }, each));
    const upload = before ?? (await uploads.begin(name, this.size, new Date(this.file.lastModified).toISOString()));
    taken.add(upload.id);
    this.id = upload.id;
    return upload;
  }

  /**
   * All of `pieces`, two at once, and more where the line is fast: what is on its way when it breaks is lost, so a slow one
   * has little. The first that fails for good ends the others.
   */
  async #send(upload: UploadOut, pieces: Piece[]): Promise<void> {
    const left = [...pieces];
    const all: Promise<void>[] = [];
    const one = async (): Promise<void> => {
      for (let piece = left.shift(); piece; piece = left.shift()) {
        await this.#part(upload, piece);
        if (all.length < LINES && (this.speed ?? 0) > FAST) all.push(one());
      }
    };
    all.push(one(), one());
    try {
      for (let n = 0; n < all.length; n++) await Promise.race([all[n], Promise.all(all)]);
    } catch (error) {
      left.length = 0;
      this.#failed = true;
      this.#halt();
      await Promise.allSettled(all);
      throw error;
    }
  }

  async #part(upload: UploadOut, piece: Piece): Promise<void> {
    const { number, from, to } = piece;
    const body = this.file.slice(from, to);
    await this.#until((signal) => this.#onALine(piece, signal, async (progress) => {
      if (upload.direct && this.#outside < OUTSIDE) {
        this.#outside += 1;
        await uploads.partOutside(upload.id, number, body, progress, signal);
        this.#outside = 0;
      } else await uploads.part(upload.id, number, body, await digest(body), progress, signal);
    }));
    this.#there += to - from;
    this.#count();
  }

  /** `send` once there is a line for it, counted while it flies. */
  async #onALine<T>({ number, from, to }: Piece, signal: AbortSignal, send: (progress: (bytes: number) => void) => Promise<T>): Promise<T> {
    await lines.take();
    try {
      signal.throwIfAborted();
      if (this.phase !== "sending") this.#pace.restart();
      this.phase = "sending";
      return await send((bytes) => {
        this.#flying.set(number, Math.min(bytes, to - from)); // headers are counted too by some browsers
        this.#count();
        if (!this.inParts && bytes >= this.size) this.phase = "looking";
      });
    } finally {
      this.#flying.delete(number);
      lines.give();
    }
  }

  /** What `act` answers, however often the network breaks or somebody pauses it meanwhile. */
  async #until<T>(act: (signal: AbortSignal) => Promise<T>): Promise<T> {
    for (let failures = 0; ; ) {
      while (this.phase === "paused" && !this.#stopped) await new Promise<void>((resolve) => this.#goOn.push(resolve));
      if (this.#stopped) throw new DOMException("stopped by the person", "AbortError");
      const { signal } = this.#current;
      try {
        return await act(signal);
      } catch (error) {
        if (signal.aborted && !this.#failed) continue; // paused or stopped
        if (!passes(error)) throw error;
        this.phase = "lost";
        this.speed = undefined;
        await online(pauseOf(failures++, Math.random()));
      }
    }
  }

  #halt(): void {
    this.#current.abort();
    this.#current = new AbortController();
    this.#flying.clear();
    this.#pace.restart();
    this.speed = undefined;
  }

  #count(): void {
    this.sent = this.#there + [...this.#flying.values()].reduce((sum, bytes) => sum + bytes, 0);
    this.#pace.note(this.sent, performance.now());
    this.speed = this.#pace.speed;
  }
}

/** Whether the same again may do. */
function passes(error: unknown): boolean {
  if (error instanceof Unreachable) return true;
  return error instanceof Problem && (PASSES.has(error.status) || error.errors.some(({ code }) => code === "digest"));
}

/** SHA-256 as RFC 9530 writes it. Pages over plain http, but for this machine's own, cannot make one. */
async function digest(body: Blob): Promise<string | undefined> {
  if (!("subtle" in crypto) || !crypto.subtle) return undefined;
  const bytes = new Uint8Array(await crypto.subtle.digest("SHA-256", await body.arrayBuffer()));
  return `sha-256=:${btoa(String.fromCharCode(...bytes))}:`;
}

/** Returns after `ms`, or as soon as the network is back. */
function online(ms: number): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      window.removeEventListener("online", done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    window.addEventListener("online", done);
  });
}

function moment(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** The files among what was dropped, pasted or chosen. */
export function filesIn(given: DataTransfer | null): File[] {
  return [...(given?.files ?? [])];
}
