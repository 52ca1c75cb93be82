/** What each chosen account says to the post as it is now, asked for a moment after the last key. */

import { posts } from "../wire/calls";
import { Unreachable } from "../wire/problems";
import type { Verdict } from "../wire/types";
import type { Draft } from "./draft.svelte";

const QUIET = 350; // ms

export class Checker {
  /** The last answer: good to show until the next one comes. */
  shown = $state.raw<Verdict[]>();
  away = $state(false);

  #of = $state(""); // what it was about

  constructor(readonly draft: Draft) {}

  /** The answer, if it is about exactly what is written now. */
  get current(): Verdict[] | undefined {
    return this.#of === this.draft.key ? this.shown : undefined;
  }

  /** For an effect: asks again after each change. Returns what stops the question. */
  follow(): () => void {
    const { loaded, key, body, isEmpty, isFrozen } = this.draft;
    const asked = new AbortController();
    if (!loaded || isFrozen || isEmpty || body.accounts.length === 0) {
      this.shown = undefined;
      return () => {};
    }
    const timer = setTimeout(() => void this.#ask(key, asked.signal), QUIET);
    return () => {
      clearTimeout(timer);
      asked.abort();
    };
  }

  async #ask(key: string, signal: AbortSignal): Promise<void> {
    try {
      const verdicts = await posts.check(this.draft.body, signal);
      this.shown = verdicts;
      this.#of = key;
      this.away = false;
    } catch (error) {
      if (error instanceof Unreachable) this.away = true; // planning checks again, by the same rules
    }
  }
}
