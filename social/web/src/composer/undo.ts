/** Changes that are told with a way back, and forth again: whatever was written in between is not lost. */

import { toasts } from "../frame/toasts.svelte";
import { w } from "../words";
import type { Draft } from "./draft.svelte";

export class Undo {
  #told = new Set<number>();

  constructor(readonly draft: Draft) {}

  /** Does `act` and says what was done. */
  offer(said: string, act: () => void): void {
    const before = this.draft.writing;
    act();
    this.#tell(said, w.compose.undo, () => {
      const after = this.draft.writing;
      this.draft.writing = before;
      this.#tell(w.compose.undone, w.compose.redo, () => (this.draft.writing = after));
    });
  }

  /** The post is left: there is nothing to go back to any more. */
  forget(): void {
    const told = this.#told;
    // Not at once: a component that goes sees the messages as they were, and would take newer ones away with its own.
    queueMicrotask(() => told.forEach((id) => toasts.drop(id)));
  }

  #tell(said: string, label: string, act: () => void): void {
    this.forget();
    this.#told = new Set([toasts.say(said, { kind: "info", action: { label, act } })]);
  }
}
