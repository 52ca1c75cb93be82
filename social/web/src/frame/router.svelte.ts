/** Where we are: the address bar is the state. Links are plain <a href>; `follow` turns clicks on them into moves. */

import { tick } from "svelte";
import { toPage } from "../look/focus";
import { w } from "../words";
import { routeOf } from "./routes";

/** Asked before a page is left: for another page of ours, for good. */
interface Guard { mayGo(): boolean; mayClose(): boolean }

class Router {
  route = $state.raw(routeOf(location.pathname, new URLSearchParams(location.search)));
  /** Counts the pages that were come to: the same page again is another visit, a new name for it is not. */
  visit = $state(0);
  #guard: Guard | undefined;
  #here = location.href;

  constructor() {
    window.addEventListener("popstate", () => {
      if (this.#leave()) this.#arrive();
      else history.pushState(null, "", this.#here); // the browser has already gone back: put the entry on again
    });
    window.addEventListener("beforeunload", (event) => {
      if (this.#guard && !this.#guard.mayClose()) event.preventDefault();
    });
  }

  go(address: string): void {
    if (!this.#leave()) return;
    const from = location.pathname;
    const pressed = document.activeElement;
    history.pushState(null, "", address);
    this.#arrive();
    if (location.pathname === from) return; // something over the same page
    window.scrollTo(0, 0);
    // Whoever reads with their ears or walks by keys starts at the new page, not where the link was.
    void tick().then(() => {
      if (document.activeElement === document.body || document.activeElement === pressed) toPage();
    });
  }

  /** The same page under another address: nothing to go back to. */
  replace(address: string): void {
    history.replaceState(null, "", address);
    this.#arrive();
  }

  /** The address changes and the page stays as it is: a new draft got its id. */
  rename(address: string): void {
    history.replaceState(null, "", address);
    this.#read();
  }

  /** While a page has something to lose. Returns what ends it. */
  guard(guard: Guard): () => void {
    this.#guard = guard;
    return () => {
      if (this.#guard === guard) this.#guard = undefined;
    };
  }

  /** For a click anywhere: a link to one of our pages moves there without loading the document again. */
  follow = (event: MouseEvent): void => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = (event.target as Element).closest("a");
    if (!link || link.target || link.hasAttribute("download") || link.origin !== location.origin || link.pathname.startsWith("/m/")) return;
    if (link.hash && link.pathname === location.pathname) return;
    event.preventDefault();
    this.go(link.pathname + link.search);
  };

  #leave(): boolean {
    if (this.#guard && !this.#guard.mayGo() && !confirm(w.compose.leaveUnsaved)) return false;
    this.#guard = undefined;
    return true;
  }

  #arrive(): void {
    this.visit += 1;
    this.#read();
  }

  #read(): void {
    this.#here = location.href;
    this.route = routeOf(location.pathname, new URLSearchParams(location.search));
  }
}

export const router = new Router();
