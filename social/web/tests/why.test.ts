import { describe, expect, test } from "vitest";
import { LOOKS } from "../src/calendar/states";
import { whyOf } from "../src/calendar/why";
import { verdictOf } from "../src/settings/punctual";
import { w } from "../src/words";
import type { PublicationOut, PublicationState, Punctuality } from "../src/wire/types";

const NOW = Date.parse("2026-11-27T12:00:00Z");
const at = (ms: number) => new Date(NOW + ms).toISOString();
type Why = NonNullable<PublicationOut["why"]>;
const why = (code: string, expected: string | null, text = "Because."): Why => ({ code, text, expected, by: expected ? "time" : "person" });
const said = (state: PublicationState, given: Why | null = null, now = NOW) => whyOf({ state, reason: null, why: given, due_at: at(0), in_doubt: false, parts_online: 0 }, now);

function onHold(about: { due_at: string; in_doubt?: boolean; parts_online?: number }) {
  const why: Why = { code: "hold", text: "It goes out at its time.", expected: null, by: "person" };
  return whyOf({ state: "held", reason: { code: "hold", text: "", until: null }, why, in_doubt: false, parts_online: 0, ...about }, NOW)!;
}

describe("why a publication waits", () => {
  test("whatever has not ended well says something, even without being told why", () => {
    for (const state of Object.keys(LOOKS) as PublicationState[]) {
      if (state === "online" || state === "cancelled") expect(said(state)).toBeNull();
      else expect(said(state)?.text).toBeTruthy();
    }
  });

  test("what waits for its time is quiet, and no more so when that is over", () => {
    expect(said("planned", why("planned", at(60_000)))).toMatchObject({ kind: "quiet", next: { what: "goesOn", at: at(60_000) } });
    expect(said("planned", why("planned", at(60_000)), NOW + 90_000)).toMatchObject({ kind: "mild", next: null });
    expect(said("planned", why("planned", at(-1_000)))).toMatchObject({ kind: "quiet", next: null });
  });

  test("a line, a quota and a lateness are said aloud", () => {
    expect(said("queued", why("queued", at(3_000), "Its turn is after 3 others on this account."))).toMatchObject({ kind: "mild" });
    expect(said("waiting", why("quota", at(300_000)))).toMatchObject({ kind: "mild", text: "Because.", next: { what: "try", at: at(300_000) } });
    expect(said("planned", why("late", at(1_000)))).toMatchObject({ kind: "mild" });
  });

  test("what a person must do has no time", () => {
    expect(said("held", why("disconnected", null, "Connect it."))).toEqual({ text: "Connect it.", next: null, kind: "hard" });
  });

  test("what a hold keeps back says so where there is room: the hold is said above it", () => {
    expect(onHold({ due_at: at(1_000) })).toEqual({ text: "It goes out at its time.", next: null, kind: "quiet" });
  });

  test("what a hold keeps back asks when it is ended, as soon as its time has passed", () => {
    expect(onHold({ due_at: at(0) })).toEqual({ text: w.holds.passed, next: null, kind: "mild" });
    for (const other of [{ in_doubt: true }, { parts_online: 1 }]) expect(onHold({ due_at: at(0), ...other }).text).toBe("It goes out at its time.");
  });

  test("what goes out at this moment says so before anything is told of it", () => {
    expect(said("sending")).toMatchObject({ kind: "quiet", next: null });
  });

  test("what is in doubt is checked next", () => expect(said("unconfirmed", why("unknown", at(5_000)))?.next?.what).toBe("check"));
});

describe("what is said of punctuality", () => {
  const late = (count: number, ms: number | null) => ({ count, p50_ms: ms, p90_ms: ms, p99_ms: ms, max_ms: ms && ms + 8 });
  const of = (hour: number, day: number): Punctuality => ({ five_minutes: late(0, null), hour: late(hour, hour ? 12 : null), day: late(day, day ? 4_000 : null) });

  test("nothing is claimed of nothing", () => expect(verdictOf(of(0, 0))).toBeNull());
  test("the last hour, if anything went out in it", () => expect(verdictOf(of(3, 9))).toEqual({ window: "hour", n: 3, within: 20, isOnTime: true }));
  test("of a hundred, 99", () => expect(verdictOf(of(100, 900))).toEqual({ window: "hour", n: 100, within: 12, isOnTime: true }));
  test("else the day; and late is called late", () => expect(verdictOf(of(0, 9))).toEqual({ window: "day", n: 9, within: 4_008, isOnTime: false }));
});
