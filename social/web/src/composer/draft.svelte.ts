/** One post while it is written: drafts save themselves, planned posts when told to. Nothing typed is ever lost. */

import { accounts } from "../accounts/accounts.svelte";
import { isPartly } from "../calendar/states";
import { router } from "../frame/router.svelte";
import { session } from "../people/session.svelte";
import { posts } from "../wire/calls";
import { line } from "../wire/live.svelte";
import { Problem, Unreachable } from "../wire/problems";
import type { Options, PlanIn, PlanOut, PlatformOptions, PostIn, PostOut, PublicationOut } from "../wire/types";
import { completed } from "./options/fields";
import { isEmpty, nothing, partsFor, rekeyed, withParts, without, written, writingOf, type Part, type Writing } from "./writing";

const QUIET = 800; // ms without a key before a draft is saved
const AGAIN = 4_000; // ms between tries while the server is away
const GOING_OUT = new Set(["sending", "processing", "unconfirmed"]);
const FINAL = new Set(["online", "failed", "cancelled", "missed"]);

interface Kept { revision: number; writing: Writing; accounts: string[]; options: Options }

export class Draft {
  id = $state<string | null>(null);
  writing = $state.raw<Writing>(nothing());
  accounts = $state.raw<string[]>([]);
  options = $state.raw<Options>({});

  plan = $state.raw<PlanOut | null>(null);
  publications = $state.raw<PublicationOut[]>([]);

  /** Undefined until it is there to be written. */
  loaded = $state(false);
  failed = $state.raw<unknown>();
  saving = $state<"idle" | "busy" | "away" | "refused">("idle");
  refused = $state.raw<Problem>();
  /** The newer version that somebody else saved. */
  other = $state.raw<PostOut>();

  #revision = 0;
  #saved = $state(""); // the body as the server has it
  #timer: ReturnType<typeof setTimeout> | undefined;
  #running: Promise<void> | undefined;
  #place: string; // where the unsaved text is kept in this tab
  #gone = false;

  constructor(id: string | null) {
    this.id = id;
    this.#place = place(id);
  }

  /** What would be saved now. */
  get body(): PostIn {
    return this.bodyOf(this.writing);
  }

  /** The same, had somebody written that. */
  bodyOf(writing: Writing): PostIn {
    return {
      ...written(writing),
      accounts: this.accounts,
      options: completed(this.options),
    };
  }

  get key(): string {
    return JSON.stringify(this.body);
  }

  get dirty(): boolean {
    return this.loaded && this.key !== this.#saved && !(this.id === null && this.isEmpty);
  }

  get isEmpty(): boolean {
    return isEmpty(this.writing);
  }

  get isPlanned(): boolean {
    return this.plan !== null;
  }

  /** It is going out, or online: the server takes no more changes. What failed everywhere may be written anew. */
  get isFrozen(): boolean {
    const states = this.publications.map(({ state }) => state);
    const isOver = states.includes("online") && states.every((state) => FINAL.has(state));
    const isBegun = this.publications.some(isPartly);
    return this.isPlanned && (isOver || isBegun || states.some((state) => GOING_OUT.has(state)));
  }

  /** What is not saved yet will be, without anybody doing anything. */
  get savesItself(): boolean {
    return !this.isPlanned && !this.other && this.saving !== "refused" && this.saving !== "away";
  }

  optionsOf(platform: string): PlatformOptions {
    return this.options[platform] ?? {};
  }

  setOptions(platform: string, options: PlatformOptions): void {
    this.options = { ...this.options, [platform]: options };
  }

  /** All parts as the variants `keys` have them; see `partsFor`. */
  parts(keys: readonly string[]): Part[] {
    return partsFor(this.writing, keys);
  }

  write(keys: readonly string[], parts: readonly Part[]): void {
    this.writing = withParts(this.writing, keys, parts);
  }

  /** One part of them as it is now, with some of it changed. */
  revise(keys: readonly string[], key: number, change: (part: Part) => Partial<Part>): void {
    this.write(keys, this.parts(keys).map((part) => (part.key === key ? { ...part, ...change(part) } : part)));
  }

  /** The same as it would be without its own. */
  conform(key: string): void {
    this.writing = without(this.writing, key);
  }

  /** Reads the post (or `copy`, to begin a new one from it) and what this tab kept of it. Returns what stops listening. */
  open(copy: string | null): () => void {
    void this.#read(copy);
    return line.listen({
      heard: (event) => {
        if (event.type === "post.changed" && event.data.id === this.id && event.data.revision > this.#revision) void this.#follow();
        if (event.type === "publication.changed" && event.data.post_id === this.id) {
          this.publications = [...this.publications.filter(({ id }) => id !== event.data.id), event.data];
        }
      },
      missed: () => void this.#follow(),
    });
  }

  /** Something was typed. */
  touch(): void {
    if (!this.dirty) return sessionStorage.removeItem(this.#place);
    sessionStorage.setItem(this.#place, JSON.stringify(this.#kept()));
    if (this.isPlanned || this.other || this.isFrozen) return; // half a sentence must not go out
    this.refused = undefined;
    this.#later(QUIET);
  }

  /** Saves what is there now. Settles when it is saved, or when it is known why not (`saving`, `other`, `refused`). */
  async save(): Promise<boolean> {
    clearTimeout(this.#timer);
    while (this.#running) await this.#running;
    if (this.dirty && !this.other) await (this.#running = this.#send().finally(() => (this.#running = undefined)));
    return !this.dirty && !this.other;
  }

  /** Saves, then gives it its date. Problem as the server says it. */
  async planFor(when: PlanIn): Promise<PostOut | undefined> {
    if (!(await this.save())) return undefined;
    try {
      const planned = await posts.plan(this.id!, this.#revision, when);
      this.#take(planned);
      return planned;
    } catch (error) {
      if (!this.#noteStale(error)) throw error;
      return undefined;
    }
  }

  /** Of two versions, this one: it is saved over the other. */
  keepMine(): void {
    this.#revision = this.other!.revision;
    this.plan = this.other!.plan;
    this.publications = this.other!.publications;
    this.other = undefined;
    if (!this.isPlanned) void this.save();
  }

  /** Of two versions, the other one. */
  takeTheirs(): void {
    this.#show(this.other!);
    this.other = undefined;
  }

  /** Deletes it, and with it whatever is planned. */
  async remove(): Promise<void> {
    clearTimeout(this.#timer);
    while (this.#running) await this.#running;
    if (this.id) await posts.remove(this.id, this.#revision);
    this.#gone = true;
    this.#saved = this.key;
    sessionStorage.removeItem(this.#place);
  }

  /** The page is left: what can be saved by itself is. */
  leave(): void {
    if (this.dirty && this.savesItself) void this.save();
    this.#gone = true;
  }

  async #read(copy: string | null): Promise<void> {
    try {
      if (this.id) this.#show(await posts.read(this.id));
      else if (copy) this.#copy(await posts.read(copy));
      else {
        this.accounts = await favourites();
        this.#saved = this.key;
      }
      this.#restore();
      this.loaded = true;
      this.touch();
    } catch (error) {
      this.failed = error;
    }
  }

  #copy(from: PostOut): void {
    this.writing = writingOf(from, this.writing);
    this.accounts = from.accounts;
    this.options = from.options;
  }

  #show(post: PostOut): void {
    this.#copy(post);
    this.#take(post);
    this.#saved = this.key;
  }

  #take(post: PostOut): void {
    this.#revision = post.revision;
    this.plan = post.plan;
    this.publications = post.publications;
  }

  /** A tab that was closed or signed out in the middle of a sentence left it here. */
  #restore(): void {
    const kept = sessionStorage.getItem(this.#place);
    if (!kept) return;
    const { revision, writing, accounts, options } = JSON.parse(kept) as Partial<Kept> & Pick<Kept, "revision" | "accounts" | "options">;
    if (!writing) return; // another version of this page left it
    this.writing = rekeyed(writing);
    this.accounts = accounts;
    this.options = options;
    if (this.id) this.#revision = Math.min(this.#revision, revision); // an older one: the server will say that it changed
  }

  #kept(): Kept {
    const { writing, accounts, options } = this;
    return { revision: this.#revision, writing, accounts, options };
  }

  #later(wait: number): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.save(), wait);
  }

  async #send(): Promise<void> {
    const body = this.body;
    const key = JSON.stringify(body);
    this.saving = "busy";
    this.refused = undefined;
    try {
      const post = this.id ? await posts.save(this.id, this.#revision, body) : await posts.create(body);
      this.#saved = key;
      this.#take(post);
      if (!this.id) this.#named(post.id);
      this.saving = "idle";
      if (!this.dirty) sessionStorage.removeItem(this.#place);
      else if (!this.isPlanned && !this.#gone) this.#later(QUIET);
    } catch (error) {
      this.#notSaved(error);
    }
  }

  #named(id: string): void {
    sessionStorage.removeItem(this.#place);
    this.id = id;
    this.#place = place(id);
    if (!this.#gone) router.rename(`/compose/${id}`);
  }

  #notSaved(error: unknown): void {
    if (error instanceof Unreachable || (error instanceof Problem && (error.status >= 500 || error.status === 429))) {
      this.saving = "away";
      if (!this.#gone) this.#later(AGAIN);
    } else if (this.#noteStale(error)) {
      this.saving = "idle";
    } else if (error instanceof Problem && error.kind === "not-found") {
      this.id = null; // deleted elsewhere while somebody wrote here: it becomes a new one
      this.plan = null;
      this.publications = [];
      this.#later(0);
    } else if (error instanceof Problem) {
      this.saving = "refused";
      this.refused = error;
    } else throw error;
  }

  #noteStale(error: unknown): boolean {
    if (!(error instanceof Problem) || error.kind !== "conflict" || !error.facts["current"]) return false;
    this.other = error.facts["current"] as PostOut;
    return true;
  }

  /** Somebody else saved: followed at once where nothing was typed here; else the next save will say so. */
  async #follow(): Promise<void> {
    while (this.#running) await this.#running;
    if (!this.id || this.#gone || !this.loaded) return;
    const post = await posts.read(this.id).catch(() => undefined);
    if (!post || post.revision <= this.#revision) return;
    if (this.dirty) this.other = post;
    else this.#show(post);
  }
}

/** Accounts to begin with: those of the last post, or the only one there is. */
async function favourites(): Promise<string[]> {
  if (accounts.state !== "read") await accounts.read();
  const connected = accounts.all.filter(({ state }) => state === "connected").map(({ id }) => id);
  const last = JSON.parse(localStorage.getItem("last-accounts") ?? "[]") as string[];
  const again = connected.filter((id) => last.includes(id));
  return again.length ? again : connected.length === 1 ? connected : [];
}

export function rememberAccounts(chosen: string[]): void {
  localStorage.setItem("last-accounts", JSON.stringify(chosen));
}

function place(id: string | null): string {
  return `unsaved ${session.me?.user.id} ${id ?? "new"}`;
}
