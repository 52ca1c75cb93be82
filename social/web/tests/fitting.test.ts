import { describe, expect, test } from "vitest";
import { focused, isShaped, kept, lasting, readClock, regionAt, sameFit, sayClock, shortened, together, trimmed, USUAL, wantsTrim, wishOf, withAspect } from "../src/composer/fitting/fit";
import { filesOn } from "../src/composer/places";
import type { Tab } from "../src/composer/tabs";
import { nothing, withParts, newPart, partsFor, written } from "../src/composer/writing";
import type { AccountOut, FileVerdict, Verdict } from "../src/wire/types";

const SIZE = { width: 1600, height: 1200 };
const file = (given: Partial<FileVerdict> = {}): FileVerdict => ({
  pointer: "/media/0", media_id: "m", verdict: "fits", kind: "", changes: [], because: "", code: "", ...SIZE, inner_width: 1600, inner_height: 1200,
  region: null, fill: "", still: false, shown: null, lasting: null, ...given,
});
const account = (id: string, platform = "x") => ({ id, platform }) as AccountOut;

describe("what is wanted of a file", () => {
  test("is nothing where all is as usual, and only what is not where something is", () => {
    expect(kept(USUAL)).toBeNull();
    expect(kept(wishOf({ fit: { shape: "crop", focus: [0.12345, 1] } }))).toEqual({ shape: "crop", focus: [0.123, 1] });
    expect(sameFit(null, { shape: "pad", focus: [0.5, 0.5], start: 0, end: null })).toBe(true);
    expect(sameFit(null, { end: 3 })).toBe(false);
  });

  test("another shape is cut unless somebody has said otherwise", () => {
    const square = withAspect(USUAL, 1);
    expect(square).toMatchObject({ aspect: 1, shape: "crop" });
    expect(withAspect({ ...square, shape: "pad" }, 4 / 5).shape).toBe("pad");
  });

  test("belongs to one platform alone where it is said there", () => {
    const picture = { id: "a", alt: "", width: 1, height: 1, thumbnail_url: "" };
    const all = { ...nothing(), parts: [newPart("hi", [picture])] };
    const own = withParts(all, ["x"], partsFor(all, ["x"]).map((part) => ({ ...part, pictures: [{ ...picture, fit: { aspect: 1 } }] })));
    expect(written(own).media).toEqual([{ id: "a", alt: "" }]);
    expect(written(own).variants).toEqual({ x: { media: [{ id: "a", alt: "", fit: { aspect: 1 } }] } });
  });
});

describe("the piece that is cut out", () => {
  const piece = { width: 1200, height: 1200 };
  test("follows the focus as far as there is room", () => {
    expect([0, 0.4, 1].map((x) => regionAt(SIZE, piece, [x, 0.5]).left)).toEqual([0, 40, 400]);
    expect(focused(file({ region: { left: 0, top: 0, ...piece } }), SIZE, [1, 1]).region).toEqual({ left: 400, top: 0, ...piece });
  });

  test("makes a difference only where the shape changes", () => {
    expect(isShaped(file(), SIZE)).toBe(false);
    expect(isShaped(file({ verdict: "converts", width: 800, height: 600 }), SIZE)).toBe(false);
    expect(isShaped(file({ verdict: "converts", width: 800, height: 800 }), SIZE)).toBe(true);
  });
});

describe("the piece of a video", () => {
  test("has a beginning before its end, both within the video", () => {
    expect(trimmed(USUAL, 60, { start: 20 })).toMatchObject({ start: 20, end: null });
    expect(trimmed({ ...USUAL, end: 30 }, 60, { start: 40 }, 2)).toMatchObject({ start: 40, end: 42 });
    expect(trimmed({ ...USUAL, start: 20 }, 60, { end: 10 }, 2)).toMatchObject({ start: 8, end: 10 });
    expect(trimmed(USUAL, 60, { end: 99 })).toMatchObject({ start: 0, end: null });
  });

  test("is made as short as it must be, and no shorter", () => {
    expect(shortened({ ...USUAL, start: 10 }, 200, 140)).toMatchObject({ start: 10, end: 150 });
    expect(shortened({ ...USUAL, start: 100 }, 200, 140)).toMatchObject({ start: 60, end: null });
  });

  test("is what refuses for its length ask for", () => {
    expect(wantsTrim(file({ verdict: "cannot", code: "too-long" }), { mime: "video/mp4" })).toBe(true);
    expect(wantsTrim(file({ verdict: "cannot", code: "shape" }), { mime: "video/mp4" })).toBe(false);
    expect(wantsTrim(file({ verdict: "cannot", code: "too-large" }), { mime: "image/gif" })).toBe(false);
  });

  test.each([["83.5", 83.5], ["1:23,5", 83.5], [" 1:00:05 ", 3605], ["0:61", undefined], ["", undefined], ["soon", undefined]])("%j is read as %j seconds", (text, seconds) => {
    expect(readClock(text)).toBe(seconds);
  });

  test("is said as it is read", () => {
    for (const seconds of [0, 4.2, 59.9, 60, 83.5, 3605, 36_000]) expect(readClock(sayClock(seconds))).toBe(seconds);
    expect([sayClock(59.96), sayClock(125)]).toEqual(["1:00", "2:05"]);
  });
});

describe("what becomes of it", () => {
  test("is said once for all to whom the same happens", () => {
    const fates = together([
      { file: file({ lasting: { start: 0.5, end: 140 } }), account: account("1") },
      { file: file({ lasting: { start: 0.1, end: 180 }, kind: "a post" }), account: account("2", "bluesky") },
      { file: file({ verdict: "cannot", code: "too-long" }), account: account("3") },
    ]);
    expect(fates.map(({ accounts }) => accounts.map(({ id }) => id))).toEqual([["1", "2"], ["3"]]);
    expect(lasting(fates)).toEqual({ least: 0.5, most: 140 });
    expect(lasting([])).toEqual({ least: 0.1, most: Infinity });
  });

  test("is found for the very place, and not for who has a file of their own there", () => {
    const tab = { keys: ["x"], audience: [account("1"), account("2")] } as unknown as Tab;
    const verdict = (id: string, pointer: string) => ({ account_id: id, files: [file({ pointer })] }) as unknown as Verdict;
    const verdicts = [verdict("1", "/variants/x/media/0"), verdict("2", "/variants/2/media/0"), verdict("3", "/media/0")];
    expect(filesOn(tab, verdicts, 0, 0).map((each) => each.account.id)).toEqual(["1"]);
    expect(filesOn(tab, verdicts, 1, 0)).toEqual([]);
  });
});
