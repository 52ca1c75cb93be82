import { describe, expect, test } from "vitest";
import { byDay, byPost } from "../src/calendar/days";
import { sayLate, sayMinutes } from "../src/clock/lateness";
import { sayDay, sayDistance, sayDuration, sayLateness, sayNear } from "../src/clock/saying";
import { daysBetween, daysToMonday, instantOf, isKnown, offsetName, onDay, wallAt, withSeconds } from "../src/clock/zones";
import { firstProposal } from "../src/composer/proposals";

const at = (iso: string) => Date.parse(iso);

describe("a wall time becomes an instant", () => {
  test.each([
    ["2026-11-22T09:30:00", "Europe/Berlin", "2026-11-22T08:30:00Z"],
    ["2026-07-01T00:00:00", "America/New_York", "2026-07-01T04:00:00Z"],
    ["2026-11-22T09:30:15", "Asia/Kolkata", "2026-11-22T04:00:15Z"],
    ["2026-01-01T00:00:00", "Pacific/Kiritimati", "2025-12-31T10:00:00Z"],
    ["2026-01-01T00:00:00", "Pacific/Pago_Pago", "2026-01-01T11:00:00Z"],
    ["2026-03-01T12:00:00", "UTC", "2026-03-01T12:00:00Z"],
  ])("%s in %s", (wall, zone, instant) => {
    expect(instantOf(wall, zone)).toEqual({ kind: "plain", at: at(instant) });
    expect(wallAt(at(instant), zone)).toBe(wall);
  });

  test("one that the clocks jump over moves forward by the jump", () => {
    expect(instantOf("2026-03-29T02:30:00", "Europe/Berlin")).toEqual({ kind: "skipped", at: at("2026-03-29T01:30:00Z"), wall: "2026-03-29T03:30:00" });
    expect(instantOf("2026-10-04T02:15:00", "Australia/Lord_Howe")).toEqual({ kind: "skipped", at: at("2026-10-03T15:45:00Z"), wall: "2026-10-04T02:45:00" });
  });

  test("one that the clocks show twice has two instants, the first first", () => {
    expect(instantOf("2026-10-25T02:30:00", "Europe/Berlin")).toEqual({ kind: "doubled", first: at("2026-10-25T00:30:00Z"), second: at("2026-10-25T01:30:00Z") });
    expect(instantOf("2026-11-01T01:30:00", "America/New_York")).toEqual({ kind: "doubled", first: at("2026-11-01T05:30:00Z"), second: at("2026-11-01T06:30:00Z") });
  });

  test("around a change nothing else is skipped or doubled", () => {
    expect(instantOf("2026-03-29T01:59:59", "Europe/Berlin").kind).toBe("plain");
    expect(instantOf("2026-03-29T03:00:00", "Europe/Berlin").kind).toBe("plain");
    expect(instantOf("2026-10-25T01:59:59", "Europe/Berlin").kind).toBe("plain");
    expect(instantOf("2026-10-25T03:00:00", "Europe/Berlin").kind).toBe("plain");
  });
});

describe("days are those of the calendar, not of 24 hours", () => {
  test("nine o'clock tomorrow is nine o'clock, clock change or not", () => {
    expect(onDay("2026-03-28T23:30:00", 1, "09:00")).toBe("2026-03-29T09:00:00");
    expect(onDay("2026-12-31T23:30:00", 1, "09:00")).toBe("2027-01-01T09:00:00");
  });

  test("next Monday is a week away on a Monday", () => {
    expect([22, 23, 24, 28, 29].map((day) => daysToMonday(`2026-11-${day}T12:00:00`))).toEqual([1, 7, 6, 2, 1]);
  });

  test("days between", () => {
    expect(daysBetween("2026-10-24T23:59:00", "2026-10-26T00:01:00")).toBe(2);
  });

  test("things fall on the day of the zone they are shown in", () => {
    const late = ["2026-11-22T22:30:00.000Z", "2026-11-22T23:30:00.000Z"];
    expect(byDay(late, (each) => each, "Europe/Berlin").map(({ wall, items }) => [wall, items.length])).toEqual([["2026-11-22", 1], ["2026-11-23", 1]]);
    expect(byDay(late, (each) => each, "UTC")).toHaveLength(1);
  });

  test("what goes out of one post at one instant is together, in the order of what came first", () => {
    const [nine, ten] = ["2026-11-22T09:00:00.000Z", "2026-11-22T10:00:00.000Z"];
    const items = [["a", nine], ["b", nine], ["a", nine], ["a", ten]].map(([post_id, due_at], n) => ({ post_id: post_id!, due_at: due_at!, n }));
    expect(byPost(items).map(({ items }) => items.map(({ n }) => n))).toEqual([[0, 2], [1], [3]]);
  });

  test("today, tomorrow and yesterday have names", () => {
    const now = at("2026-11-22T23:30:00Z"); // already Monday in Berlin
    const named = (day: string) => sayDay(day, "Europe/Berlin", now).name;
    expect(["2026-11-22", "2026-11-23", "2026-11-24", "2026-11-25"].map(named)).toEqual(["Yesterday", "Today", "Tomorrow", "Wednesday"]);
  });
});

test("the first proposal is a full hour, at least a quarter of one away", () => {
  expect(firstProposal(at("2026-11-22T08:44:00Z"), "Europe/Berlin")).toBe("2026-11-22T10:00:00");
  expect(firstProposal(at("2026-11-22T08:46:00Z"), "Europe/Berlin")).toBe("2026-11-22T11:00:00");
  expect(firstProposal(at("2026-11-22T22:50:00Z"), "Europe/Berlin")).toBe("2026-11-23T01:00:00");
});

test("offsets have names", () => {
  expect(offsetName(at("2026-10-25T00:30:00Z"), "Europe/Berlin")).toBe("UTC+2");
  expect(offsetName(at("2026-10-25T01:30:00Z"), "Europe/Berlin")).toBe("UTC+1");
  expect(offsetName(at("2026-01-01T00:00:00Z"), "America/St_Johns")).toBe("UTC−3:30");
  expect(offsetName(at("2026-01-01T00:00:00Z"), "UTC")).toBe("UTC");
});

test("a zone this browser does not know is told apart", () => {
  expect([isKnown("Europe/Berlin"), isKnown("Mars/Olympus_Mons")]).toEqual([true, false]);
  expect([withSeconds("09:30"), withSeconds("09:30:15")]).toEqual(["09:30:00", "09:30:15"]);
});

describe("durations in words", () => {
  const now = at("2026-11-22T12:00:00Z");
  test.each([[42_000, "in 42 s"], [41_200, "in 42 s"], [12 * 60_000, "in 12 min"], [3 * 3_600_000, "in 3 h"], [-12 * 60_000, "12 min ago"], [200, "now"], [49 * 3_600_000, "in 2 days"]])("%i ms: %s", (ms, said) => {
    expect(sayDistance(now + ms, now)).toBe(said);
  });

  test.each([[38, "on time, 38 ms"], [0, "on time, 0 ms"], [999, "on time, 999 ms"], [4_200, "4.2 s late"], [180_000, "3 min late"]])("%i ms late: %s", (ms, said) => {
    expect(sayLateness(ms)).toBe(said);
  });

  test("within a sentence the near days have names", () => {
    const near = (instant: string) => sayNear(at(instant), "Europe/Berlin", now);
    expect(near("2026-11-22T21:00:00Z")).toMatch(/^today, 1?[02]/);
    expect(near("2026-11-22T23:30:00Z")).toMatch(/^tomorrow, (00|12):30/);
    expect(near("2026-11-24T07:00:00Z")).toMatch(/24/);
  });

  test("a short one has milliseconds", () => expect(sayDuration(240)).toBe("240 ms"));
});

describe("how late something may be, in words", () => {
  test.each([[1, "1 minute"], [90, "90 minutes"], [60, "1 hour"], [180, "3 hours"], [1_440, "1 day"], [10_080, "7 days"]])("%i", (minutes, words) => {
    expect(sayMinutes(minutes)).toBe(words);
  });

  test("and what becomes of it then", () => {
    expect(sayLate({ then: "ask", minutes: 1_440 })).toBe("Hold it and ask after 1 day");
    expect(sayLate({ then: "miss", minutes: 15 })).toBe("Do not send it after 15 minutes");
    expect(sayLate({ then: "send", minutes: null })).toBe("Send it whenever it can");
  });
});
