/** What a video shows at an instant, taken from the video itself: its poster is of another one once it is trimmed. */

import { SvelteMap } from "svelte/reactivity";
import { isVideo } from "../composer/fitting/fit";
import type { Picture } from "../composer/writing";
import { clips, isSeen } from "../media/clips.svelte";

const SIDE = 640; // pixels at most
const PATIENCE = 15_000; // ms

class Frames {
  #known = new SvelteMap<string, string>();
  #wanted = new Set<string>();

  /** The frame at `seconds`; the poster until it is there, and where the browser cannot play the video, nor a clip that
   *  is long enough. */
  of(picture: Picture, seconds: number): string {
    if (!seconds || !picture.url || !isVideo(picture)) return picture.thumbnail_url;
    const clip = clips.of(picture);
    return this.#at(picture.url, seconds, () => clips.want(picture)) ?? (clip && this.#at(clip, seconds)) ?? picture.thumbnail_url;
  }

  #at(url: string, seconds: number, failed?: () => void): string | undefined {
    const key = `${url} ${seconds}`;
    if (!this.#wanted.has(key)) {
      this.#wanted.add(key); // once: what cannot be had now cannot be had later
      void taken(url, seconds).then((frame) => this.#known.set(key, frame), failed);
    }
    return this.#known.get(key);
  }
}

async function taken(url: string, seconds: number): Promise<string> {
  const video = document.createElement("video");
  try {
    video.muted = true;
    video.preload = "auto";
    video.src = url;
    await happened(video, "loadeddata");
    if (!isSeen(video) || seconds > video.duration) throw new Error("it shows nothing");
    video.currentTime = seconds;
    await happened(video, "seeked");
    const scale = Math.min(1, SIDE / Math.max(video.videoWidth, video.videoHeight));
    const canvas = new OffscreenCanvas(Math.max(1, video.videoWidth * scale), Math.max(1, video.videoHeight * scale));
    canvas.getContext("2d")!.drawImage(video, 0, 0, canvas.width, canvas.height);
    return URL.createObjectURL(await canvas.convertToBlob({ type: "image/webp" }));
  } finally {
    video.removeAttribute("src");
    video.load(); // lets go of the connection
  }
}

function happened(video: HTMLVideoElement, name: "loadeddata" | "seeked"): Promise<void> {
  return new Promise((resolve, reject) => {
    video.addEventListener(name, () => resolve(), { once: true });
    video.addEventListener("error", () => reject(new Error(name)), { once: true });
    setTimeout(() => reject(new Error(name)), PATIENCE);
  });
}

export const frames = new Frames();
