import { describe, expect, test } from "vitest";
import { placeOf, problemsIn, problemsOn, tabOf } from "../src/composer/places";
import { tabsFor } from "../src/composer/tabs";
import { added, joined, merged, moved, removed, split } from "../src/composer/thread";
import { differs, follows, isEmpty, newPart, partsFor, withParts, without, written, writingOf, type Part, type Writing } from "../src/composer/writing";
import type { AccountOut, Verdict } from "../src/wire/types";

const picture = (id: string, alt = "") => ({ id, alt, width: 1, height: 1, thumbnail_url: `/m/${id}` });
const writing = (...texts: string[]): Writing => ({ parts: texts.map((text) => newPart(text)), variants: {} });
const texts = (parts: readonly Part[]) => parts.map(({ text }) => text);
const changed = (of: Writing, keys: string[], n: number, change: Partial<Part>) =>
  withParts(of, keys, partsFor(of, keys).map((part, at) => (at === n ? { ...part, ...change } : part)));
const account = (id: string, platform: string) => ({ id, platform, handle: `@${id}` }) as AccountOut;

describe("what a platform or an account has of its own", () => {
  const post = writing("for all", "second");

  test("only what differs becomes its own; the rest follows", () => {
    const mine = changed(post, ["x"], 0, { text: "for x" });
    expect(written(mine).variants).toEqual({ x: { text: "for x" } });
    expect(texts(partsFor(changed(mine, [], 1, { text: "changed" }), ["x"]))).toEqual(["for x", "changed"]);
    expect(texts(partsFor(changed(mine, [], 0, { text: "changed" }), ["x"]))).toEqual(["for x", "second"]);
  });

  test("written back to what all have, it is nothing of its own any more", () => {
    const mine = changed(post, ["x"], 0, { text: "for x" });
    expect(differs(mine, "x")).toBe(true);
    expect(differs(changed(mine, ["x"], 0, { text: "for all" }), "x")).toBe(false);
    expect(without(mine, "x").variants).toEqual({});
  });

  test("an account's wins over its platform's, field by field", () => {
    const both = changed(changed(post, ["x"], 0, { text: "for x", pictures: [picture("p")] }), ["x", "id"], 0, { text: "for me" });
    const [first] = partsFor(both, ["x", "id"]);
    expect([first!.text, first!.pictures.map(({ id }) => id)]).toEqual(["for me", ["p"]]);
    expect(written(both).variants).toEqual({ x: { text: "for x", media: [{ id: "p", alt: "" }] }, id: { text: "for me" } });
  });

  test("no thread is not the thread of all", () => {
    const alone = withParts(post, ["x"], partsFor(post, ["x"]).slice(0, 1));
    expect(written(alone).variants).toEqual({ x: { thread: [] } });
    expect(texts(partsFor(alone, ["x"]))).toEqual(["for all"]);
  });

  test("another description or order of pictures is something of its own", () => {
    const shown: Writing = { parts: [newPart("a", [picture("p"), picture("q")])], variants: {} };
    expect(differs(changed(shown, ["x"], 0, { pictures: [picture("p", "bread"), picture("q")] }), "x")).toBe(true);
    expect(differs(changed(shown, ["x"], 0, { pictures: [picture("q"), picture("p")] }), "x")).toBe(true);
    expect(differs(changed(shown, ["x"], 0, { pictures: [picture("p"), picture("q")] }), "x")).toBe(false);
  });

  test("whose text is not the one of all is not counted with it", () => {
    const mine = changed(post, ["x"], 0, { text: "for x" });
    expect([follows(mine, [], ["x", "id"], 0), follows(mine, [], ["x", "id"], 1), follows(mine, ["x"], ["x", "id"], 0)]).toEqual([false, true, true]);
  });

  test("parts have different keys, whatever was put where", () => {
    const swapped = withParts(post, [], moved(post.parts, 0, 1));
    const mine = withParts(changed(post, ["x"], 0, { text: "for x" }), [], swapped.parts);
    const keys = partsFor(mine, ["x"]).map(({ key }) => key);
    expect(new Set(keys).size).toBe(keys.length);
  });

  test("there and back through the API nothing changes, and known parts keep their keys", () => {
    const mine = changed(changed(post, ["x"], 1, { text: "other end" }), [], 0, { pictures: [picture("p", "bread")] });
    const out = { ...written(mine), variants: { x: { text: null, media: null, thread: [{ text: "other end", media: [] }] } }, media: [{ ...picture("p", "bread"), mime: "image/jpeg", url: "/m/p", seconds: 0, animated: false, fit: null, clip_url: null, heavy: false }], thread: [{ text: "second", media: [] }] };
    const back = writingOf(out, mine);
    expect(written(back)).toEqual(written(mine));
    expect(back.parts.map(({ key }) => key)).toEqual(mine.parts.map(({ key }) => key));
  });

  test("empty is what has nothing for anybody", () => {
    expect([isEmpty(writing("")), isEmpty(writing("", " ")), isEmpty(changed(writing(""), ["x"], 0, { text: "x" })), isEmpty(post)]).toEqual([true, true, false, false]);
  });
});

describe("tabs", () => {
  const [a, b, c] = [account("a", "mastodon"), account("b", "x"), account("c", "x")];
  const keys = (chosen: AccountOut[], of = writing("")) => tabsFor(chosen, of).map(({ key }) => key);

  test.each([
    [[], [""]],
    [[a], [""]],
    [[a, b], ["", "mastodon", "x"]],
    [[a, b, c], ["", "mastodon", "x", "b", "c"]],
    [[b, c], ["", "b", "c"]],
  ])("of %j", (chosen, expected) => expect(keys(chosen as AccountOut[])).toEqual(expected));

  test("what differs can always be reached", () => {
    expect(keys([a], changed(writing("t"), ["mastodon"], 0, { text: "own" }))).toEqual(["", "mastodon"]);
    expect(keys([a], changed(writing("t"), ["mastodon", "a"], 0, { text: "own" }))).toEqual(["", "a"]);
  });

  test("each platform's options are on exactly one", () => {
    for (const chosen of [[a], [a, b], [a, b, c], [b, c]]) {
      const options = tabsFor(chosen, writing("")).flatMap((tab) => tab.options);
      expect(options.sort()).toEqual([...new Set(chosen.map(({ platform }) => platform))].sort());
    }
  });
});

describe("problems are shown where they are mended", () => {
  test.each([
    ["/text", { at: "", part: 0, what: "text" }],
    ["/media/1/alt", { at: "", part: 0, what: "media/1/alt" }],
    ["/thread/0/text", { at: "", part: 1, what: "text" }],
    ["/thread/2/media/1/alt", { at: "", part: 3, what: "media/1/alt" }],
    ["/thread", { at: "", part: null, what: "thread" }],
    ["/variants/x/text", { at: "x", part: 0, what: "text" }],
    ["/variants/6f/thread/0/text", { at: "6f", part: 1, what: "text" }],
    ["/variants/x/thread", { at: "x", part: null, what: "thread" }],
    ["/options/x/poll/options/1", { at: "", part: null, what: "options/x/poll/options/1" }],
    ["/accounts", { at: "", part: null, what: "accounts" }],
  ])("%s", (pointer, place) => expect(placeOf(pointer)).toEqual(place));

  const [a, b, c] = [account("a", "mastodon"), account("b", "x"), account("c", "x")];
  const verdict = (account_id: string, ...pointers: string[]): Verdict =>
    ({ account_id, length: 1, limit: 1, parts: [], notes: [], files: [], problems: pointers.map((pointer) => ({ pointer, detail: `${pointer} is wrong`, code: "wrong" })) });

  test("on the tab of what was written, and on those that inherit it", () => {
    const post = changed(changed(writing("t"), ["x"], 0, { text: "own" }), ["x", "b"], 0, { text: "mine" });
    const tabs = tabsFor([a, b, c], post);
    const verdicts = [verdict("a", "/text", "/options/mastodon/poll", "/accounts"), verdict("b", "/variants/b/text"), verdict("c", "/variants/x/text", "/media/0")];
    const shown = Object.fromEntries(tabs.map((tab) => [tab.key, problemsOn(tab, verdicts, [a, b, c]).map(({ pointer }) => pointer)]));
    expect(shown).toEqual({
      "": ["/text", "/media/0"],
      mastodon: ["/text", "/options/mastodon/poll"],
      x: ["/variants/x/text", "/media/0"],
      b: ["/variants/b/text"],
      c: ["/variants/x/text", "/media/0"],
    });
    expect(tabOf(placeOf("/variants/b/text"), tabs)?.key).toBe("b");
    expect(tabOf(placeOf("/options/mastodon/poll"), tabs)?.key).toBe("mastodon");
  });

  test("what several accounts say alike is one thing to change", () => {
    const verdicts = [verdict("b", "/text", "/media"), verdict("c", "/text")];
    expect(problemsIn(verdicts).map(({ pointer }) => pointer)).toEqual(["/text", "/media"]);
  });
});

describe("a thread", () => {
  const parts = ["one", "two", "three"].map((text, n) => newPart(text, n === 1 ? [picture("p")] : []));

  test("parts are added, taken out and moved", () => {
    expect(texts(added(parts, 0))).toEqual(["one", "", "two", "three"]);
    expect(texts(removed(parts, 1))).toEqual(["one", "three"]);
    expect(texts(removed([newPart("alone")], 0))).toEqual([""]);
    expect(texts(moved(parts, 2, 0))).toEqual(["three", "one", "two"]);
    expect([texts(moved(parts, 0, -1)), texts(moved(parts, 2, 3))]).toEqual([texts(parts), texts(parts)]);
  });

  test("joined and merged, nothing is lost", () => {
    expect(texts(joined(parts, 1))).toEqual(["one\n\ntwo", "three"]);
    expect(joined(parts, 1)[0]!.pictures).toHaveLength(1);
    expect(texts(merged(parts))).toEqual(["one\n\ntwo\n\nthree"]);
    expect(texts(joined(parts, 0))).toEqual(texts(parts));
  });

  test("split, the pictures stay with the first", () => {
    const made = split(parts, 1, ["t", "wo"]);
    expect(texts(made)).toEqual(["one", "t", "wo", "three"]);
    expect(made.map(({ pictures }) => pictures.length)).toEqual([0, 1, 0, 0]);
  });

  test("numbers that a split gave go when it is merged again", () => {
    expect(texts(merged(["one 1/2", "two 2/2"].map((text) => newPart(text))))).toEqual(["one\n\ntwo"]);
    expect(texts(merged(["half 1/2", "two"].map((text) => newPart(text))))).toEqual(["half 1/2\n\ntwo"]);
  });
});
