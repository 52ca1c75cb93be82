/** What the watchdog has found wrong and has not seen mended: told by the live line, for as long as it lasts. */

import { SvelteMap } from "svelte/reactivity";
import { line } from "../wire/live.svelte";

export interface Alarm { id: string; name: string; text: string; publication_id: string | null }

class Alarms {
  #raised = new SvelteMap<string, Alarm>();

  constructor() {
    line.listen({
      heard: (event) => {
        if (event.type === "alarm.raised") this.#raised.set(event.data.id, { ...event.data, publication_id: event.publication_id ?? null });
        else if (event.type === "alarm.cleared") this.#raised.delete(event.data.id);
      },
      missed: () => {}, // nobody can be asked: what is known stays until it is dismissed
    });
  }

  /** The same thing wrong in several places is said once, of where it was found first. */
  get all(): (Alarm & { times: number })[] {
    const said = new Map<string, Alarm & { times: number }>();
    for (const each of this.#raised.values()) {
      const before = said.get(each.text);
      if (before) before.times += 1;
      else said.set(each.text, { ...each, times: 1 });
    }
    return [...said.values()];
  }

  dismiss(text: string): void {
    for (const each of [...this.#raised.values()]) if (each.text === text) this.#raised.delete(each.id);
  }
}

export const alarms = new Alarms();
