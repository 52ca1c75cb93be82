/** What each chosen account says to the post as it is now, asked for a moment after the last key. */

import { posts } from "../wire/calls";
import { Unreachable } from "../wire/problems";
import type { AccountOut, Verdict } from "../wire/types";
import { countOf, lengthOf, type Count } from "./counting";
import type { Draft } from "./draft.svelte";
import { partsFor, type Writing } from "./writing";

const QUIET = 350; // ms

export class Checker {
  /** The last answer: good to show until the next one comes. */
  shown = $state.raw<Verdict[]>();
  away = $state(false);

  #of = $state(""); // what it was about
  #asked = $state.raw<Writing>(); // the same, to be counted

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

  /**
   * How much of an account's limit a part uses: counted here while somebody types. What the server counted differently
   * about the last text it saw (a content warning counts as text on some platforms) is taken over.
   */
  count(account: AccountOut, text: string, part: number): Count {
    return countOf(text, account.limits, this.#more(account, part));
  }

  #more(account: AccountOut, part: number): number {
    const told = this.shown?.find(({ account_id }) => account_id === account.id)?.parts[part]?.length;
    const asked = this.#asked && partsFor(this.#asked, [account.platform, account.id])[part];
    return told === undefined || !asked ? 0 : told - lengthOf(asked.text, account.limits);
  }

  async #ask(key: string, signal: AbortSignal): Promise<void> {
    const { body, writing } = this.draft;
    try {
      const verdicts = await posts.check(body, signal);
      this.shown = verdicts;
      this.#asked = writing;
      this.#of = key;
      this.away = false;
    } catch (error) {
      if (error instanceof Unreachable) this.away = true; // planning checks again, by the same rules
    }
  }
}
