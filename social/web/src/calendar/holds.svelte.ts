/** What is held: nothing of it goes out until somebody says so. Kept up to date by the live line. */

import { holds as calls } from "../wire/calls";
import { line } from "../wire/live.svelte";
import type { AccountOut, HoldIn, HoldOut } from "../wire/types";
import { publications } from "./publications.svelte";

class Holds {
  all = $state.raw<HoldOut[]>([]);

  constructor() {
    line.listen({
      heard: (event) => {
        if (event.type === "hold.begun" || event.type === "hold.ended") void this.read();
      },
      missed: () => void this.read(),
    });
  }

  /** Whether what goes out on this account is kept back. */
  keeps({ id, platform }: AccountOut): boolean {
    return this.all.some((hold) => hold.scope === "workspace" || hold.platform === platform || hold.account_id === id);
  }

  /** If it cannot be read now, the line is about to break, and it is read again after it. */
  async read(): Promise<void> {
    this.all = await calls.all().catch(() => this.all);
  }

  /** Settles when nothing more goes out. */
  async begin(body: HoldIn) {
    const begun = await calls.begin(body);
    await Promise.all([this.read(), publications.read()]);
    return begun;
  }

  async end(id: string) {
    const ended = await calls.end(id);
    await Promise.all([this.read(), publications.read()]);
    return ended;
  }
}

export const holds = new Holds();
