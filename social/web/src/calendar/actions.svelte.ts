/** What a person does about one publication, or about the whole post that it is of. */

import { now } from "../clock/now.svelte";
import { sayWhen, toMs } from "../clock/saying";
import { router } from "../frame/router.svelte";
import { toasts } from "../frame/toasts.svelte";
import { sayError } from "../look/errors";
import type { Choice } from "../look/choice";
import { session } from "../people/session.svelte";
import { posts, publications as calls } from "../wire/calls";
import type { PostOut, PublicationOut, WhenIn } from "../wire/types";
import { w } from "../words";
import { publications } from "./publications.svelte";
import { isLate, isPartly, type Action } from "./states";

export class Actions {
  /** The dialog that is open. */
  asking = $state<"move" | "cancel" | "remove" | "there" | "absent" | "leave">();
  busy = $state(false);

  constructor(
    readonly of: () => PublicationOut,
    readonly keep: (id: string) => void,
    /** It is no more: whoever shows it alone shows nothing then. */
    readonly gone: () => void = () => {},
    /** What is moved or cancelled is the post, on all its accounts. */
    readonly whole = false,
  ) {}

  /** `details`: whether the details are among them, which they lead to. */
  choices(offered: Action[], details = true): Choice[] {
    const publication = this.of();
    const { id, post_id } = publication;
    const all: Record<Action, Choice[]> = {
      again: [{ label: this.againLabel, icon: "again", act: () => void this.again(), testid: "action-again" }],
      settle: [
        { label: w.calendar.isThere, icon: "check", act: () => (this.asking = "there") },
        { label: w.calendar.notThere, icon: "again", act: () => (this.asking = "absent") },
      ],
      reconnect: [{ label: w.calendar.reconnect, icon: "again", act: () => router.go("/accounts") }],
      edit: [{ label: w.calendar.edit, icon: "write", act: () => router.go(`/compose/${post_id}`), testid: "action-edit" }],
      move: [{ label: publication.state === "cancelled" ? w.calendar.planAgain : w.calendar.move, icon: "clock", act: () => (this.asking = "move"), testid: "action-move" }],
      leave: [{ label: w.calendar.leave, icon: "check", act: () => (this.asking = "leave"), testid: "action-leave" }],
      duplicate: [{ label: w.calendar.duplicate, icon: "copy", act: () => router.go(`/compose?copy=${post_id}`), testid: "action-duplicate" }],
      cancel: [{ label: w.calendar.cancel, icon: "cancelled", act: () => (this.asking = "cancel"), danger: true, testid: "action-cancel" }],
      remove: [{ label: w.calendar.remove, icon: "trash", act: () => (this.asking = "remove"), danger: true, testid: "action-remove" }],
    };
    const found = offered.flatMap((action) => all[action]);
    if (!details) return found;
    const more: Choice = { label: w.calendar.details, icon: "info", act: () => router.go(`/?show=${id}`) };
    const dangerous = found.findIndex(({ danger }) => danger);
    return dangerous < 0 ? [...found, more] : [...found.slice(0, dangerous), more, ...found.slice(dangerous)];
  }

  /** What "again" is called: what was never tried is not tried again. */
  get againLabel(): string {
    const publication = this.of();
    if (isPartly(publication)) return w.calendar.rest;
    return this.#wasKeptBack ? w.late.sendNow : w.calendar.again;
  }

  async again(): Promise<void> {
    const said = this.#wasKeptBack ? w.plan.sending : w.calendar.trying;
    this.busy = true;
    try {
      this.#took(await calls.again(this.of().id));
      toasts.say(said, { kind: "info" });
    } catch (error) {
      toasts.say(sayError(error), { kind: "bad" });
    } finally {
      this.busy = false;
    }
  }

  /** Where it is the post's only one, the post moves: what is edited later keeps the new date. What was cancelled is
   * planned again. */
  async move(when: WhenIn, before = this.of()): Promise<void> {
    const { id, post_id } = before;
    const post = await posts.read(post_id);
    const all = this.#isAlone(post) ? (await posts.plan(post_id, post.revision, { ...when, lateness: post.plan?.lateness ?? null })).publications : [await calls.move(id, when)];
    for (const each of all) this.#took(each);
    const moved = all[0]!;
    const said = sayWhen(moved.due_at, session.zone, now());
    if (before.state === "cancelled") toasts.say(w.plan.planned(said));
    else toasts.say(w.plan.moved(said), this.#wayBack(before, (as) => this.move(as, moved)));
    this.asking = undefined;
  }

  /** Where it is the post's only one, the post becomes a draft again. */
  async cancel(): Promise<void> {
    const before = this.of();
    const { id, post_id } = before;
    const post = await posts.read(post_id);
    if (!this.#isAlone(post)) {
      this.#took(await calls.cancel(id));
      const back = this.#wayBack(before, async (as) => {
        this.#took(await calls.move(id, as));
        toasts.say(w.plan.planned(sayWhen(before.due_at, session.zone, now())));
      });
      toasts.say(back ? w.calendar.cancelled : w.calendar.cancelledForGood, back);
      return;
    }
    const draft = await posts.cancel(post_id, post.revision);
    for (const each of draft.publications) this.#took(each);
    const edit = { action: { label: w.calendar.edit, act: () => router.go(`/compose/${post_id}`) } };
    toasts.say(w.plan.undone, this.#wayBack(before, async (as) => {
      const planned = await posts.plan(post_id, draft.revision, { ...as, lateness: post.plan?.lateness ?? null });
      publications.takeAll(planned);
      toasts.say(w.plan.planned(sayWhen(before.due_at, session.zone, now())));
    }) ?? edit);
  }

  /** A thread of which some parts are online stays as it is. */
  async leave(): Promise<void> {
    this.#took(await calls.cancel(this.of().id));
    toasts.say(w.calendar.left);
  }

  async remove(): Promise<void> {
    const { post_id } = this.of();
    await posts.remove(post_id, (await posts.read(post_id)).revision);
    toasts.say(w.compose.discarded);
    this.gone();
  }

  async settle(wentOut: boolean, url: string): Promise<void> {
    this.#took(await calls.settle(this.of().id, wentOut, url.trim() || undefined));
    toasts.say(wentOut ? w.calendar.confirmedThere : w.calendar.trying);
  }

  get #wasKeptBack(): boolean {
    const publication = this.of();
    return isLate(publication) || publication.state === "missed" || publication.state === "cancelled";
  }

  /** To the date it had, as long as that lies ahead. */
  #wayBack({ wall, zone, fold, due_at }: PublicationOut, go: (as: WhenIn) => Promise<unknown>) {
    const left = toMs(due_at) - now();
    if (left <= 0) return undefined;
    const act = () => void go({ wall, zone, fold: fold === 1 ? 1 : 0 }).catch((error: unknown) => toasts.say(sayError(error), { kind: "bad" }));
    return { action: { label: w.plan.undo, act }, until: left };
  }

  #isAlone({ publications }: PostOut): boolean {
    return this.whole || publications.length === 1;
  }

  #took(news: PublicationOut): void {
    this.keep(news.id);
    publications.take(news);
  }
}
