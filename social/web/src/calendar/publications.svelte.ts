/** What is planned and what became of it, and the drafts: read in pages, kept up to date by the live line. */

import { SvelteMap } from "svelte/reactivity";
import { posts, publications as calls } from "../wire/calls";
import { line } from "../wire/live.svelte";
import type { PostOut, PublicationOut } from "../wire/types";
import { NEWEST_FIRST, STATES, TABS, tabOf, type Tab } from "./states";

export type List = Tab | "drafts";

interface Reading { state: "unread" | "read" | "failed"; next: string | null; error?: unknown; edge?: number }

const UNSENT = new Set<PublicationOut["state"]>(["planned", "preparing", "prepared", "queued", "waiting"]);
const TOGETHER = 300; // ms: changes that come together are read together

class Publications {
  /** Whether somebody looks at the drafts: only then is each change of one read. */
  watchingDrafts = false;

  lists = $state<Record<List, Reading>>({ planned: unread(), sent: unread(), attention: unread(), cancelled: unread(), drafts: unread() });

  #all = new SvelteMap<string, PublicationOut>();
  #drafts = new SvelteMap<string, PostOut>();
  #changedDrafts = new Set<string>();
  #soon: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    line.listen({
      heard: (event) => {
        if (event.type === "publication.changed") this.take(event.data);
        else if (event.type === "post.deleted") this.#dropPost(event.data.id);
        else if (event.type === "post.created" || event.type === "post.changed") this.#draftChanged(event.data.id);
      },
      ticked: (tick) => {
        if (tick.type === "publication.sending") tick.data.publications.forEach((id) => this.#goesOut(id));
      },
      missed: () => void this.read(),
    });
  }

  /** How many need a person. */
  get attention(): number {
    return this.#count("attention");
  }

  find(id: string): PublicationOut | undefined {
    return this.#all.get(id);
  }

  /** Those of one post, as far as they were read. */
  ofPost(id: string): PublicationOut[] {
    return [...this.#all.values()].filter(({ post_id }) => post_id === id);
  }

  /** In the order they are shown; `kept` are ids that stay although they have moved to another list. */
  in(tab: Tab, kept: ReadonlySet<string>): PublicationOut[] {
    const { edge } = this.lists[tab];
    const sign = NEWEST_FIRST[tab] ? -1 : 1;
    return [...this.#all.values()]
      .filter((each) => kept.has(each.id) || (tabOf(each) === tab && (edge === undefined || sign * (Date.parse(each.due_at) - edge) <= 0)))
      .sort((a, b) => sign * (Date.parse(a.due_at) - Date.parse(b.due_at)) || a.id.localeCompare(b.id));
  }

  get drafts(): PostOut[] {
    return [...this.#drafts.values()].sort((a, b) => Date.parse(b.updated_at) - Date.parse(a.updated_at));
  }

  /** How many, and whether there are more that were not read. */
  count(list: List): { n: number; more: boolean } {
    return { n: list === "drafts" ? this.#drafts.size : this.#count(list), more: this.lists[list].next !== null };
  }

  /** Everything that is shown first, anew. */
  async read(): Promise<void> {
    await Promise.all([...TABS.map((tab) => this.#readPage(tab, null)), this.readDrafts()]);
  }

  async readDrafts(): Promise<void> {
    await this.#attempt("drafts", async () => {
      const page = await posts.drafts(null);
      this.#drafts.clear();
      for (const post of page.items) this.#drafts.set(post.id, post);
      return page.next;
    });
  }

  async more(list: List): Promise<void> {
    const { next } = this.lists[list];
    if (!next) return;
    if (list !== "drafts") return this.#readPage(list, next);
    await this.#attempt("drafts", async () => {
      const page = await posts.drafts(next);
      for (const post of page.items) this.#drafts.set(post.id, post);
      return page.next;
    });
  }

  /** News of one. What comes late is dropped; live news lacks the picture. */
  take(news: PublicationOut): void {
    const known = this.#all.get(news.id);
    if (known && Date.parse(known.updated_at) > Date.parse(news.updated_at)) return;
    const picture = news.thumbnail_url === undefined && known?.rev === news.rev ? known.thumbnail_url : news.thumbnail_url;
    this.#all.set(news.id, { ...news, thumbnail_url: picture });
    if (picture === undefined) void this.#readPicture(news.id);
  }

  /** What an answer says of all of a post's. */
  takeAll(post: PostOut): void {
    for (const each of post.publications) this.take(each);
  }

  /** It is being sent at this moment. What comes of it is told next, and is later than anything known of it. */
  #goesOut(id: string): void {
    const known = this.#all.get(id);
    if (known && UNSENT.has(known.state)) this.#all.set(id, { ...known, state: "sending", reason: null, why: null });
  }

  forgetDraft(id: string): void {
    this.#drafts.delete(id);
  }

  async #readPage(tab: Tab, cursor: string | null): Promise<void> {
    await this.#attempt(tab, async () => {
      const page = await calls.page(STATES[tab], NEWEST_FIRST[tab], cursor, tab === "planned");
      if (!cursor) this.#clear(tab);
      for (const each of page.items) this.take(each);
      // Beyond what was read, news of later ones would look as if nothing came in between.
      this.lists[tab].edge = page.next === null ? undefined : Date.parse(page.items.at(-1)!.due_at);
      return page.next;
    });
  }

  async #attempt(list: List, read: () => Promise<string | null>): Promise<void> {
    const reading = this.lists[list];
    try {
      reading.next = await read();
      reading.state = "read";
    } catch (error) {
      reading.error = error;
      if (reading.state === "unread") reading.state = "failed"; // what was read before is still good to look at
    }
  }

  #clear(tab: Tab): void {
    for (const each of [...this.#all.values()]) if (tabOf(each) === tab) this.#all.delete(each.id);
  }

  #count(tab: Tab): number {
    let n = 0;
    for (const each of this.#all.values()) if (tabOf(each) === tab) n += 1;
    return n;
  }

  async #readPicture(id: string): Promise<void> {
    const { thumbnail_url } = (await calls.read(id).catch(() => undefined)) ?? {};
    const known = this.#all.get(id);
    if (known) this.#all.set(id, { ...known, thumbnail_url: thumbnail_url ?? null });
  }

  #dropPost(id: string): void {
    this.#drafts.delete(id);
    for (const each of [...this.#all.values()]) if (each.post_id === id) this.#all.delete(each.id);
  }

  /** A draft that saves itself changes with every sentence: read when somebody looks, and together. */
  #draftChanged(id: string): void {
    if (!this.watchingDrafts) return;
    this.#changedDrafts.add(id);
    clearTimeout(this.#soon);
    this.#soon = setTimeout(() => {
      for (const each of this.#changedDrafts) void this.#readDraft(each);
      this.#changedDrafts.clear();
    }, TOGETHER);
  }

  async #readDraft(id: string): Promise<void> {
    const post = await posts.read(id).catch(() => undefined);
    if (post?.state === "draft") this.#drafts.set(id, post);
    else this.#drafts.delete(id);
  }
}

function unread(): Reading {
  return { state: "unread", next: null };
}

export const publications = new Publications();
