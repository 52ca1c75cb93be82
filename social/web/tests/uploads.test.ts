import { describe, expect, test } from "vitest";
import { towards } from "../src/media/grid";
import { isOf, missing, Pace } from "../src/media/parts";

const upload = { bytes: 25, part_bytes: 10, part_count: 3, parts_there: [] as number[] };

describe("what is left of a file", () => {
  test("every byte is in one part, and the last part has the rest", () => {
    expect(missing(upload)).toEqual([{ number: 1, from: 0, to: 10 }, { number: 2, from: 10, to: 20 }, { number: 3, from: 20, to: 25 }]);
  });

  test("what is there is not sent again", () => {
    const given = { ...upload, parts_there: [1, 3] };
    expect(missing(given).map(({ number }) => number)).toEqual([2]);
  });

  test("a file is known again by its name, its size and when it was changed", () => {
    const begun = { name: "film.mp4", bytes: 25, modified_at: "2026-11-01T09:00:00.123Z" };
    const file = { name: "film.mp4", size: 25, lastModified: Date.parse(begun.modified_at) };
    expect(isOf(file, begun)).toBe(true);
    expect(isOf({ ...file, name: "other.mp4" }, begun)).toBe(false);
    expect(isOf({ ...file, size: 26 }, begun)).toBe(false);
    expect(isOf({ ...file, lastModified: file.lastModified + 1 }, begun)).toBe(false);
    expect(isOf(file, { ...begun, modified_at: null })).toBe(true);
  });
});

describe("the pace", () => {
  test("is that of the last seconds, not of the whole", () => {
    const pace = new Pace();
    for (let second = 0; second <= 60; second++) pace.note(second * 1_000, second * 1_000);
    for (let second = 61; second <= 80; second++) pace.note(60_000 + (second - 60) * 5_000, second * 1_000);
    expect(pace.speed).toBeCloseTo(5_000, 0);
  });

  test("says nothing before there is something to say, nor after it stood still", () => {
    const pace = new Pace();
    expect(pace.speed).toBeUndefined();
    pace.note(0, 0);
    pace.note(1_000, 500);
    expect(pace.speed).toBeUndefined();
    pace.note(2_000, 1_000);
    expect(pace.speed).toBe(2_000);
    pace.restart();
    expect(pace.speed).toBeUndefined();
  });
});

describe("arrow keys in the library", () => {
  test("stay within the grid", () => {
    expect(towards("ArrowRight", 0, 5, 3)).toBe(1);
    expect(towards("ArrowDown", 1, 5, 3)).toBe(4);
    expect(towards("ArrowDown", 2, 5, 3)).toBe(2);
    expect(towards("ArrowUp", 4, 5, 3)).toBe(1);
    expect(towards("ArrowLeft", 0, 5, 3)).toBe(0);
    expect(towards("End", 0, 5, 3)).toBe(4);
    expect(towards("a", 0, 5, 3)).toBeUndefined();
  });
});
