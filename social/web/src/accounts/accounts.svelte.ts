/** The workspace's connected accounts, kept up to date by the live line. */

import { accounts as calls } from "../wire/calls";
import { line } from "../wire/live.svelte";
import type { AccountOut, PlatformOut } from "../wire/types";

class Accounts {
  all = $state.raw<AccountOut[]>([]);
  state = $state<"unread" | "read" | "failed">("unread");
  error = $state.raw<unknown>();
  platforms = $state.raw<PlatformOut[]>([]);

  constructor() {
    line.listen({
      heard: (event) => {
        if (event.type === "account.connected" || event.type === "account.changed") void this.#again(event.data.id);
      },
      missed: () => void this.read(),
    });
  }

  async read(): Promise<void> {
    try {
      const [all, platforms] = await Promise.all([calls.all(), this.platforms.length ? this.platforms : calls.platforms()]);
      this.all = all;
      this.platforms = platforms;
      this.state = "read";
    } catch (error) {
      this.error = error;
      if (this.state === "unread") this.state = "failed"; // what was read before stays good to look at
    }
  }

  take(account: AccountOut): void {
    this.all = [...this.all.filter(({ id }) => id !== account.id), account].sort((a, b) => a.id.localeCompare(b.id));
  }

  find(id: string): AccountOut | undefined {
    return this.all.find((account) => account.id === id);
  }

  /** "Mastodon" for "mastodon". */
  title(platform: string): string {
    return this.platforms.find(({ name }) => name === platform)?.title ?? platform.charAt(0).toUpperCase() + platform.slice(1);
  }

  /** One that changed. If it cannot be read now, the line is about to break, and everything is read again after it. */
  async #again(id: string): Promise<void> {
    const account = await calls.read(id).catch(() => undefined);
    if (account) this.take(account);
  }
}

export const accounts = new Accounts();
