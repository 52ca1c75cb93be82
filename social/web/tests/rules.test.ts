import { describe, expect, test } from "vitest";
import { actionsFor, LOOKS, lookOf, mayBeOut, shownAs, STATES, tabOf } from "../src/calendar/states";
import { routeOf } from "../src/frame/routes";
import { strengthOf } from "../src/people/strength";
import { pause } from "../src/wire/live.svelte";
import { parsed, problemOf } from "../src/wire/problems";
import type { PublicationState } from "../src/wire/types";

const EVERY = Object.keys(LOOKS) as PublicationState[];

describe("what can be done about a publication", () => {
  const actions = (state: PublicationState, in_doubt = false, code?: string) => actionsFor({ state, in_doubt, reason: code ? { code, text: "" } : null });

  test("every state has its list, once", () => {
    for (const state of EVERY) expect(STATES[tabOf({ state, reason: null })]).toContain(state);
    expect([...Object.values(STATES).flat()].sort()).toEqual([...EVERY, "held"].sort());
    expect(tabOf({ state: "unconfirmed", reason: null })).toBe("planned");
    expect(STATES.sent).toEqual(["online"]);
  });

  test("what a hold keeps back is still planned, and does not look like what needs somebody", () => {
    const held = (code: string) => ({ state: "held" as const, reason: { code, text: "" }, parts_online: 0 });
    expect(["hold", "late", "disconnected"].map((code) => tabOf(held(code)))).toEqual(["planned", "attention", "attention"]);
    expect(lookOf(held("hold"))).not.toEqual(lookOf(held("late")));
    expect(actions("held", false, "hold")).toEqual(["edit", "move", "duplicate", "cancel"]);
  });

  test("between two of its parts a thread is still on its way", () => {
    expect([0, 1].map((parts_online) => shownAs({ state: "queued", parts_online }))).toEqual(["queued", "sending"]);
  });

  test("only what was sent and not refused may be out", () => {
    const out = (state: PublicationState, parts_online = 0, in_doubt = false) => mayBeOut({ state, parts_online, in_doubt });
    expect(EVERY.filter((state) => out(state)).sort()).toEqual(["online", "processing", "sending", "unconfirmed"]);
    expect([out("held", 1), out("held", 0, true), out("waiting", 0), out("failed")]).toEqual([true, true, false, false]);
  });

  test("what is going out or online cannot be changed, moved or cancelled", () => {
    for (const state of ["sending", "processing", "unconfirmed", "online"] as const) expect(actions(state)).toEqual(["duplicate"]);
  });

  test("in doubt, the person says what they saw, and nothing sends it again by the way", () => {
    expect(actions("held", true, "unknown")).toContain("settle");
    expect(actions("held", true, "unknown")).not.toContain("again");
  });

  test("a lost account is connected again first", () => expect(actions("held", false, "disconnected")[0]).toBe("reconnect"));

  test("a thread that stopped half way goes on or stays as it is", () => {
    const partly = (state: PublicationState, in_doubt = false) => actionsFor({ state, in_doubt, reason: { code: "part", text: "" }, parts_online: 1 });
    expect(partly("held")).toEqual(["again", "leave", "duplicate"]);
    expect(partly("held", true)).toEqual(["settle", "duplicate"]);
    expect(partly("waiting")).toEqual(["again", "duplicate"]);
    expect(partly("online")).toEqual(["duplicate"]);
  });

  test("what was cancelled can be planned again, and what ended in another way cannot", () => {
    expect(actions("cancelled")).toEqual(["again", "edit", "move", "duplicate", "remove"]);
    for (const state of ["failed", "missed"] as const) expect(actions(state)).not.toContain("move");
  });

  test("what failed can be tried again", () => expect(actions("failed")[0]).toBe("again"));
});

describe("a password's strength", () => {
  test.each([["short", undefined], ["aaaaaaaaaaaaaaaa", "weak"], ["123456789012", "weak"], ["abababababababab", "weak"], ["plover cabin", "fair"], ["plover-cabin-42-drum", "strong"]])("%s is %s", (password, strength) => {
    expect(strengthOf(password)).toBe(strength);
  });
});

describe("an address names a page", () => {
  test.each([["/", "home"], ["/accounts", "accounts"], ["/compose", "compose"], ["/compose/64f", "compose"], ["/connect/mastodon", "connect"], ["/connect", "lost"], ["/password", "password"], ["/nowhere", "lost"], ["/accounts/x", "lost"], ["/compose/a/b", "lost"]])("%s: %s", (path, page) => {
    expect(routeOf(path, new URLSearchParams()).page).toBe(page);
  });
});

describe("problems", () => {
  test("the server's own words, and which field they are about", () => {
    const problem = problemOf(422, { type: "/problems/invalid", detail: "No.", errors: [{ pointer: "/email", code: "form", detail: "This is no address." }] });
    expect([problem.kind, problem.message, problem.about("/email"), problem.about("/name")]).toEqual(["invalid", "No.", "This is no address.", undefined]);
  });

  test("a proxy's page is a problem of a known kind as well", () => {
    expect(problemOf(502, parsed("<html>Bad gateway</html>")).kind).toBe("unavailable");
    expect(problemOf(500, "").kind).toBe("internal");
  });
});

test("the line waits longer each time, at most half a minute, and never for all browsers alike", () => {
  expect([0, 1, 2, 3].map((n) => pause(n, 1))).toEqual([500, 1_000, 2_000, 4_000]);
  expect(pause(0, 0)).toBe(250);
  expect([pause(50, 1), pause(50, 0)]).toEqual([30_000, 15_000]);
});
