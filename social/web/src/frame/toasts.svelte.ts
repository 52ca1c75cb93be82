/** Short messages at the edge; each is also read aloud. */

export interface Toast {
  id: number; kind: "good" | "info" | "bad"; text: string;
  action?: { label: string; act: () => void };
}

const SHOWN = 6_000; // ms
const SHOWN_WITH_ACTION = 12_000; // somebody must be able to reach it

class Toasts {
  all = $state<Toast[]>([]);
  #next = 0;
  #timers = new Map<number, ReturnType<typeof setTimeout>>();

  /** `until`: ms from now after which it makes no sense any more, whoever looks at it. */
  say(text: string, given: { kind?: Toast["kind"]; action?: Toast["action"]; until?: number } = {}): number {
    const id = this.#next++;
    this.all = [...this.all.slice(-2), { id, kind: given.kind ?? "good", text, action: given.action }];
    if (given.until !== undefined && given.until < SHOWN_WITH_ACTION) setTimeout(() => this.drop(id), given.until);
    this.resume(id);
    return id;
  }

  drop(id: number): void {
    this.hold(id);
    this.all = this.all.filter((toast) => toast.id !== id);
  }

  /** While the pointer or the focus is on it, it stays. */
  hold(id: number): void {
    clearTimeout(this.#timers.get(id));
    this.#timers.delete(id);
  }

  resume(id: number): void {
    this.hold(id);
    const toast = this.all.find((each) => each.id === id);
    if (toast) this.#timers.set(id, setTimeout(() => this.drop(id), toast.action || toast.kind === "bad" ? SHOWN_WITH_ACTION : SHOWN));
  }
}

export const toasts = new Toasts();
