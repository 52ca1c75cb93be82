/** The live line: one socket that hears the workspace, mends itself and never loses an event. */

import { live as calls } from "./calls";
import type { PublicationOut } from "./types";

/** What happened. Publications come whole but for their picture; of everything else, what to read again. */
export type LiveEvent =
  | { type: "publication.changed"; data: PublicationOut }
  | { type: "post.created" | "post.changed" | "post.deleted"; data: { id: string; revision: number } }
  | { type: "account.connected" | "account.changed"; data: { id: string } }
  | { type: "hold.begun" | "hold.ended"; data: { id: string; scope: string } }
  | { type: "alarm.raised" | "alarm.cleared"; publication_id?: string; data: { id: string; name: string; text: string; since: string } }
  | { type: "media.added" | "media.changed" | "media.removed"; data: { id: string } };

/** What is true for a moment: it has no number, is not kept, and is followed by an event that is. */
export type Tick =
  | { type: "publication.sending"; data: { publications: string[] } }
  /** How far a file is that is converted, from 0 to 1. */
  | { type: "rendition.making"; data: { rendition_id: string; media_id: string; done: number } };

type Numbered = { seq: number; at: string };
type Greeting = { type: "hello"; seq: number } | { type: "refetch"; seq: number } | { type: "pong" };

export interface Listener {
  /** One change, in order. */
  heard(event: LiveEvent): void;
  /** Something fleeting. */
  ticked?(tick: Tick): void;
  /** What was missed cannot be replayed: read everything again. */
  missed(): void;
}

const FIRST = 500; // ms
const LONGEST = 30_000;
const PING = 25_000; // proxies cut lines that are silent for 30 to 60 s
const ANSWER = 10_000;
const FRESH = 6 * 3_600_000; // ms: the addresses of pictures end after twelve hours at the earliest
const PATIENCE = 700; // ms that pages wait for the line: what they read after it is open misses nothing

/** How long to wait before attempt `n` (0, 1, ...): doubling, with half of it by chance so that browsers don't return together. */
export function pause(n: number, chance: number): number {
  const most = Math.min(LONGEST, FIRST * 2 ** n);
  return most / 2 + (most / 2) * chance;
}

class Line {
  state = $state<"off" | "connecting" | "open" | "broken">("off");

  #listeners = new Set<Listener>();
  #socket: WebSocket | undefined;
  #seen: number | undefined; // the last event's number
  #failures = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #ping: ReturnType<typeof setInterval> | undefined;
  #readAt = 0; // Date.now() when everything was read last: clocks that stop while a laptop sleeps are no use
  #lastWord = 0; // performance.now() of the last message
  #awaited: (() => void) | undefined; // whoever waits for it to be open

  listen(listener: Listener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Settles when events are heard, or after a moment: then `missed` is called once they are. */
  async open(): Promise<void> {
    if (this.state !== "off") return;
    this.#seen = undefined;
    this.#failures = 0;
    this.#readAt = Date.now();
    window.addEventListener("online", this.#hurry);
    document.addEventListener("visibilitychange", this.#hurry);
    void this.#connect();
    await new Promise<void>((resolve) => {
      this.#awaited = resolve;
      setTimeout(resolve, PATIENCE);
    });
    this.#awaited = undefined;
  }

  close(): void {
    this.state = "off";
    window.removeEventListener("online", this.#hurry);
    document.removeEventListener("visibilitychange", this.#hurry);
    clearTimeout(this.#timer);
    this.#drop();
  }

  async #connect(): Promise<void> {
    this.state = this.#failures ? "broken" : "connecting";
    try {
      const { ticket } = await calls.ticket();
      if (this.#off()) return;
      this.#talk(ticket);
    } catch {
      this.#retry(); // signed out: `close` is called by whoever notices
    }
  }

  #talk(ticket: string): void {
    const address = new URL("/live", location.href);
    address.protocol = address.protocol.replace("http", "ws");
    address.searchParams.set("ticket", ticket);
    if (this.#seen !== undefined) address.searchParams.set("after", String(this.#seen));
    const resumed = this.#seen !== undefined;
    const socket = new WebSocket(address);
    this.#socket = socket;
    this.#lastWord = performance.now();
    socket.onmessage = ({ data }) => {
      this.#lastWord = performance.now();
      this.#take(JSON.parse(data as string) as (LiveEvent & Numbered) | Tick | Greeting, resumed);
    };
    socket.onclose = () => socket === this.#socket && this.#retry();
    this.#ping = setInterval(() => {
      if (performance.now() - this.#lastWord > PING + ANSWER) return this.#retry(); // half-open: nobody is there any more
      if (socket.readyState === WebSocket.OPEN) socket.send('{"type":"ping"}');
    }, PING);
  }

  #take(message: (LiveEvent & Numbered) | Tick | Greeting, resumed: boolean): void {
    if (message.type === "pong") return;
    if (message.type === "publication.sending" || message.type === "rendition.making") {
      for (const listener of this.#listeners) listener.ticked?.(message);
      return;
    }
    if (message.type === "hello") {
      this.state = "open";
      this.#failures = 0;
      if (resumed) return; // what was missed follows
      this.#seen = message.seq;
      if (this.#awaited) this.#awaited();
      else this.#tellMissed();
    } else if (message.type === "refetch") {
      this.#seen = message.seq;
      this.#tellMissed();
    } else if (this.#seen === undefined || message.seq > this.#seen) {
      this.#seen = message.seq;
      for (const listener of this.#listeners) listener.heard(message);
    }
  }

  #tellMissed(): void {
    this.#readAt = Date.now();
    for (const listener of this.#listeners) listener.missed();
  }

  #retry(): void {
    this.#drop();
    if (this.#off()) return;
    this.state = "broken";
    this.#timer = setTimeout(() => void this.#connect(), pause(this.#failures++, Math.random()));
  }

  /** The network is back, or the person looks again: don't make them wait for the timer. */
  #hurry = (): void => {
    if (document.visibilityState === "visible" && this.state === "open" && Date.now() - this.#readAt > FRESH) this.#tellMissed();
    if (this.state !== "broken" || document.visibilityState !== "visible" || this.#socket) return;
    clearTimeout(this.#timer);
    this.#failures = Math.min(this.#failures, 1);
    void this.#connect();
  };

  #drop(): void {
    clearTimeout(this.#timer);
    clearInterval(this.#ping);
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close();
  }

  #off(): boolean {
    return this.state === "off";
  }
}

export const line = new Line();
