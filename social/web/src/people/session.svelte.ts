/** Who sits here. The proof is a cookie that scripts cannot read; this page keeps a short-lived token in memory. */

import { browserZone, isKnown } from "../clock/zones";
import { forget, remember, renew, whenSignedOut } from "../wire/api";
import { people } from "../wire/calls";
import { line } from "../wire/live.svelte";
import { Problem } from "../wire/problems";
import type { Me, SetupIn, SignedIn, Workspace } from "../wire/types";

const AGAIN = 3_000; // ms between tries while the server does not answer

class Session {
  state = $state<"unknown" | "unreachable" | "out" | "in">("unknown");
  me = $state.raw<Me>();
  /** It ended while somebody worked: the sign-in page says so. */
  ended = $state(false);

  #tabs = new BroadcastChannel("social-session");

  constructor() {
    whenSignedOut(() => this.#leave(true));
    this.#tabs.onmessage = ({ data }) => {
      if (data === "out" && this.state === "in") this.#leave(false);
      if (data === "in" && this.state === "out") void this.resume();
      if (data.user) this.#is(data as Me);
    };
  }

  get zone(): string {
    const zone = this.me?.user.zone;
    return zone && isKnown(zone) ? zone : browserZone();
  }

  get workspace(): Workspace | undefined {
    return this.me?.workspaces.find(({ id }) => id === this.me?.workspace_id);
  }

  /** Viewers look; everybody else writes. */
  get mayWrite(): boolean {
    return this.workspace !== undefined && this.workspace.role !== "viewer";
  }

  /** Who may stop everything: whoever may change everybody's posts. */
  get mayHold(): boolean {
    return this.mayConnect || this.workspace?.role === "editor";
  }

  get mayConnect(): boolean {
    return this.workspace?.role === "owner" || this.workspace?.role === "admin";
  }

  /** At load: is there a session in this browser? */
  async resume(): Promise<void> {
    try {
      await this.#enter(await renew());
    } catch (error) {
      if (error instanceof Problem && error.status < 500) {
        this.state = "out";
        return;
      }
      this.state = "unreachable";
      setTimeout(() => void this.resume(), AGAIN);
    }
  }

  async signIn(email: string, password: string): Promise<void> {
    await this.#enter(remember(await people.signIn(email, password)));
    this.#tabs.postMessage("in");
  }

  async setUp(body: SetupIn): Promise<void> {
    await this.#enter(remember(await people.setUp(body)));
  }

  /** What somebody says of themselves is another now, in all their tabs. */
  changed(me: Me): void {
    this.#is(me);
    this.#tabs.postMessage(me);
  }

  /** Signed in by a link: anew, or as before in one workspace more. */
  joined(signed: SignedIn): void {
    this.#enter(remember(signed));
    this.#tabs.postMessage("in");
  }

  async signOut(): Promise<void> {
    await people.signOut();
    this.#tabs.postMessage("out");
    this.#leave(false);
  }

  #enter(signed: SignedIn): void {
    this.me = signed.me;
    this.ended = false;
    this.state = "in";
    line.open();
  }

  #is({ user }: Me): void {
    if (this.me?.user.id === user.id) this.me = { ...this.me, user };
  }

  #leave(ended: boolean): void {
    line.close();
    forget();
    this.me = undefined;
    this.ended = ended;
    this.state = "out";
  }
}

export const session = new Session();
