/** The versions of a post that can be looked at: everybody's, each platform's and each account's. Pure. */

import type { AccountOut } from "../wire/types";
import { differs, type Writing } from "./writing";

export interface Tab {
  /** "" for all, a platform's name or an account's id: where what is written here is kept. */
  key: string;
  /** The variants that hold here, the weakest first. */
  keys: readonly string[];
  platform: string | null;
  account: AccountOut | null;
  /** Whose it is. */
  audience: readonly AccountOut[];
  /** The platforms whose options are set here. */
  options: readonly string[];
}

/**
 * One for all, one for each chosen platform where there are several, one for each account where a platform has several.
 * Whatever differs has a tab in any case.
 */
export function tabsFor(chosen: readonly AccountOut[], writing: Writing): Tab[] {
  const platforms = platformsOf(chosen);
  const single = platforms.length === 1;
  const all: Tab = { key: "", keys: [], platform: null, account: null, audience: chosen, options: single ? platforms : [] };
  return [all, ...platforms.flatMap((platform) => tabsOf(platform, chosen.filter((each) => each.platform === platform), writing, single))];
}

/** Each platform once, in the order their accounts were chosen. */
export function platformsOf(chosen: readonly AccountOut[]): string[] {
  return [...new Set(chosen.map(({ platform }) => platform))];
}

function tabsOf(platform: string, accounts: readonly AccountOut[], writing: Writing, single: boolean): Tab[] {
  const tabs: Tab[] = [];
  if (!single || differs(writing, platform)) {
    tabs.push({ key: platform, keys: [platform], platform, account: null, audience: accounts, options: single ? [] : [platform] });
  }
  for (const account of accounts) {
    if (accounts.length === 1 && !differs(writing, account.id)) continue;
    tabs.push({ key: account.id, keys: [platform, account.id], platform, account, audience: [account], options: [] });
  }
  return tabs;
}
