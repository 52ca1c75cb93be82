/** What the watchdog has found wrong and has not seen mended: read at the start, then told by the live line. */

import { SvelteMap } from "svelte/reactivity";
import { alarms as calls } from "../wire/calls";
import { line } from "../wire/live.svelte";
import type { AlarmOut } from "../wire/types";

const DISMISSED = "alarms-dismissed"; // in the tab's storage: what somebody has read is not said to them again there
const MOST = 500; // that are remembered: more than are ever open at once

class Alarms {
  #raised = new SvelteMap<string, AlarmOut>();
  #told = new Set<string>(); // ids of which the line spoke since reading began: it knows better than the answer
  #readings = 0;

  constructor() {
    line.listen({
      heard: (event) => {
        if (event.type !== "alarm.raised" && event.type !== "alarm.cleared") return;
        this.#told.add(event.data.id);
        if (event.type === "alarm.raised") this.#raised.set(event.data.id, { ...event.data, publication_id: event.publication_id ?? null });
        else this.#raised.delete(event.data.id);
      },
      missed: () => void this.read(),
    });
  }

  /** If it cannot be read now, the line is about to break, and it is read again after it. */
  async read(): Promise<void> {
    const reading = ++this.#readings;
    this.#told.clear();
    const open = await calls.all().catch(() => undefined);
    if (!open || reading !== this.#readings) return;
    const readBefore = new Set(dismissed());
    for (const id of [...this.#raised.keys()]) if (!this.#told.has(id)) this.#raised.delete(id);
    for (const each of open) if (!this.#told.has(each.id) && !readBefore.has(mark(each))) this.#raised.set(each.id, each);
  }

  /** The same thing wrong in several places is said once, of where it was found first. */
  get all(): (AlarmOut & { times: number })[] {
    const said = new Map<string, AlarmOut & { times: number }>();
    for (const each of this.#raised.values()) {
      const before = said.get(each.text);
      if (before) before.times += 1;
      else said.set(each.text, { ...each, times: 1 });
    }
    return [...said.values()];
  }

  dismiss(text: string): void {
    const gone = [...this.#raised.values()].filter((each) => each.text === text);
    for (const { id } of gone) this.#raised.delete(id);
    sessionStorage.setItem(DISMISSED, JSON.stringify([...dismissed(), ...gone.map(mark)].slice(-MOST)));
  }
}

/** The same for the same alarm; another when it is raised anew. */
function mark({ id, since }: AlarmOut): string {
  return `${id} ${Date.parse(since)}`;
}

function dismissed(): string[] {
  return JSON.parse(sessionStorage.getItem(DISMISSED) ?? "[]") as string[];
}

export const alarms = new Alarms();
