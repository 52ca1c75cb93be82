/** A form that is sent: one try at a time, and the focus goes back to what is wrong with it. */

import { Problem } from "../wire/problems";
import { backTo } from "./focus";

export class Sending {
  /** From then on it is said at a field what is wrong with it. */
  tried = $state(false);
  busy = $state(false);
  refused = $state.raw<unknown>();
  /** What the API refused it with, which may name fields. */
  readonly told = $derived(this.refused instanceof Problem ? this.refused : undefined);

  /** Does `act` unless something `isWrong` already; what it throws is `refused`. `or`: where the focus goes if no field is wrong. */
  async send(event: SubmitEvent, isWrong: () => boolean, act: () => Promise<void>, or?: string): Promise<void> {
    event.preventDefault();
    const form = event.currentTarget as HTMLFormElement;
    this.tried = true;
    this.refused = undefined;
    if (isWrong()) return backTo(form, or);
    this.busy = true;
    try {
      await act();
    } catch (error) {
      this.refused = error;
    } finally {
      this.busy = false;
      void backTo(form, or); // unless it is gone by then
    }
  }
}
