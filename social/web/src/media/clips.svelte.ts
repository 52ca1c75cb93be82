/** Clips of videos, as they come: a video may be looked at before its clip is made. */

import { SvelteMap } from "svelte/reactivity";
import { media as calls } from "../wire/calls";
import { line } from "../wire/live.svelte";

/** What has a clip, or may have one soon. */
export interface Clipped { id: string; clip_url?: string | null }

const NEAR = 0.5; // seconds by which a clip of the whole may be shorter

class Clips {
  #known = new SvelteMap<string, string>();
  #asked = new Set<string>();

  constructor() {
    line.listen({
      heard: ({ type, data }) => void (type === "media.changed" && this.#asked.has(data.id) && this.#read(data.id)),
      missed: () => this.#asked.forEach((id) => void this.#read(id)),
    });
  }

  /** The address of its clip, as soon as there is one. */
  of({ id, clip_url }: Clipped): string | undefined {
    return clip_url ?? this.#known.get(id);
  }

  /** Its original cannot be played: its clip is wanted. */
  want({ id, clip_url }: Clipped): void {
    if (clip_url || this.#known.has(id) || this.#asked.has(id)) return;
    this.#asked.add(id);
    void this.#read(id);
  }

  async #read(id: string): Promise<void> {
    const { clip_url } = await calls.read(id).catch(() => ({ clip_url: null }));
    if (!clip_url) return;
    this.#asked.delete(id);
    this.#known.set(id, clip_url);
  }
}

export const clips = new Clips();

/** How much of a film of so many seconds its clip shows, in whole seconds; undefined where that is all. */
export function partOf(seconds: number, lasts: number | undefined): number | undefined {
  return lasts && seconds - lasts > NEAR ? Math.round(lasts) : undefined;
}

/** Whether a video that is loaded can be seen: of some, browsers play nothing but the sound. */
export function isSeen({ videoWidth }: HTMLVideoElement): boolean {
  return videoWidth > 0;
}
