/** Where in a post a problem is, and which tabs show that place. Pure. */

import type { AccountOut, FileVerdict, Verdict } from "../wire/types";
import type { Tab } from "./tabs";

/** `at`: the variant it was written in, "" for the post itself. `part` and `what` lead on: 1 and "media/0/alt", or null and "options/x". */
export interface Place { at: string; part: number | null; what: string }

export interface Found extends Place { account: string; pointer: string; detail: string }

export function placeOf(pointer: string): Place {
  const steps = pointer.split("/").slice(1);
  const at = steps[0] === "variants" ? (steps.splice(0, 2)[1] ?? "") : "";
  if (steps[0] === "text" || steps[0] === "media") return { at, part: 0, what: steps.join("/") };
  if (steps[0] === "thread" && steps.length > 2) return { at, part: Number(steps[1]) + 1, what: steps.slice(2).join("/") };
  return { at, part: null, what: steps.join("/") };
}

/** Everything wrong that `tab` shows: what was written there, and what was written further up and is wrong for its accounts. */
export function problemsOn(tab: Tab, verdicts: readonly Verdict[] | undefined, accounts: readonly AccountOut[]): Found[] {
  const found: Found[] = [];
  for (const { account_id, problems } of verdicts ?? []) {
    if (!tab.audience.some(({ id }) => id === account_id)) continue;
    for (const { pointer, detail } of problems) {
      const place = placeOf(pointer);
      if (shows(tab, place)) found.push({ ...place, account: account_id, pointer, detail });
    }
  }
  return inOrder(found, accounts);
}

/** What becomes of the file at a place of `tab`, for each account that has it from there. */
export function filesOn(tab: Tab, verdicts: readonly Verdict[] | undefined, part: number, place: number): { file: FileVerdict; account: AccountOut }[] {
  return (verdicts ?? []).flatMap(({ account_id, files }) => {
    const account = tab.audience.find(({ id }) => id === account_id);
    const file = files.find(({ pointer }) => {
      const found = placeOf(pointer);
      return shows(tab, found) && found.part === part && found.what === `media/${place}`;
    });
    return account && file ? [{ file, account }] : [];
  });
}

/** Each platform of these accounts once, in words. */
export function platformNames(of: readonly AccountOut[], title: (platform: string) => string): string {
  return [...new Set(of.map(({ platform }) => title(platform)))].join(", ");
}

/** Everything that is wrong anywhere, each thing once. */
export function problemsIn(verdicts: readonly Verdict[] | undefined): Found[] {
  const found = (verdicts ?? []).flatMap(({ account_id, problems }) =>
    problems.map(({ pointer, detail }) => ({ ...placeOf(pointer), account: account_id, pointer, detail })),
  );
  return distinct(found);
}

/** What several accounts say alike is one thing to change. */
export function distinct(found: readonly Found[]): Found[] {
  return found.filter((one, n) => found.findIndex(({ pointer, detail }) => pointer === one.pointer && detail === one.detail) === n);
}

/** The tab a person goes to, to mend it: where it was written. */
export function tabOf(place: Place, tabs: readonly Tab[]): Tab | undefined {
  const options = place.what.split("/");
  if (options[0] === "options") return tabs.find((tab) => tab.options.includes(options[1] ?? ""));
  return tabs.find(({ key }) => key === place.at);
}

function shows(tab: Tab, { at, what }: Place): boolean {
  const [kind, platform] = what.split("/");
  if (kind === "accounts") return false;
  if (kind === "options") return tab.options.includes(platform ?? "");
  return at === "" || tab.keys.includes(at);
}

function inOrder(found: Found[], accounts: readonly AccountOut[]): Found[] {
  const rank = (id: string) => accounts.findIndex((account) => account.id === id);
  return found.sort((a, b) => (a.part ?? 1_000) - (b.part ?? 1_000) || rank(a.account) - rank(b.account));
}
