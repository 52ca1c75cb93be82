/** Wall times and instants. A wall time is "2026-11-22T09:30:00", a zone an IANA name, an instant ms since 1970. */

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

const formats = new Map<string, Intl.DateTimeFormat>();

/** The wall time that clocks in `zone` show at `instant`. Whole seconds. */
export function wallAt(instant: number, zone: string): string {
  const part = Object.fromEntries(format(zone).formatToParts(instant).map(({ type, value }) => [type, value]));
  return `${part["year"]}-${part["month"]}-${part["day"]}T${part["hour"]}:${part["minute"]}:${part["second"]}`;
}

export type Reading =
  | { kind: "plain"; at: number }
  /** The clocks jump over it: `at` is later by the jump, `wall` what they show then. */
  | { kind: "skipped"; at: number; wall: string }
  /** The clocks show it twice. */
  | { kind: "doubled"; first: number; second: number };

/** The instant at which clocks in `zone` show `wall`. A skipped time moves forward, as on the server. */
export function instantOf(wall: string, zone: string): Reading {
  const asUtc = Date.parse(`${wall}Z`);
  // No zone is further than a day from UTC or changes twice within two: its offsets around are all there can be.
  const offsets = [...new Set([offsetAt(asUtc - DAY, zone), offsetAt(asUtc + DAY, zone)])];
  const found = offsets.map((offset) => asUtc - offset).filter((at) => wallAt(at, zone) === wall).sort((a, b) => a - b);
  if (found.length === 2) return { kind: "doubled", first: found[0]!, second: found[1]! };
  if (found.length === 1) return { kind: "plain", at: found[0]! };
  const at = asUtc - offsets[0]!; // with the offset of before, which is the one of the day before
  return { kind: "skipped", at, wall: wallAt(at, zone) };
}

/** The wall time `days` later at `time` ("09:00"). */
export function onDay(wall: string, days: number, time: string): string {
  const day = new Date(Date.parse(`${wall.slice(0, 10)}T00:00:00Z`) + days * DAY);
  return `${day.toISOString().slice(0, 10)}T${withSeconds(time)}`;
}

/** Days from the day of `wall` to the next Monday after it: 1..7. */
export function daysToMonday(wall: string): number {
  const weekday = new Date(`${wall.slice(0, 10)}T00:00:00Z`).getUTCDay();
  return ((8 - weekday) % 7) || 7;
}

/** "09:30" and "09:30:00" as "09:30:00". */
export function withSeconds(time: string): string {
  return time.length === 5 ? `${time}:00` : time;
}

/** Whole days between the days of two wall times. */
export function daysBetween(from: string, to: string): number {
  return Math.round((Date.parse(`${to.slice(0, 10)}T00:00:00Z`) - Date.parse(`${from.slice(0, 10)}T00:00:00Z`)) / DAY);
}

/** Whether this browser knows the zone: those of the server may be newer. */
export function isKnown(zone: string): boolean {
  try {
    format(zone);
    return true;
  } catch {
    return false;
  }
}

export function browserZone(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
}

/** Every zone this browser knows; `also` is among them, whatever the browser calls it. */
export function allZones(also: string): string[] {
  return [...new Set(["UTC", also, ...Intl.supportedValuesOf("timeZone")])].sort();
}

/** "GMT+1" at that instant. */
export function offsetName(instant: number, zone: string): string {
  const minutes = offsetAt(instant, zone) / MINUTE;
  const [hours, rest] = [Math.floor(Math.abs(minutes) / 60), Math.abs(minutes) % 60];
  if (minutes === 0) return "UTC";
  return `UTC${minutes < 0 ? "−" : "+"}${hours}${rest ? `:${String(rest).padStart(2, "0")}` : ""}`;
}

function offsetAt(instant: number, zone: string): number {
  const whole = Math.floor(instant / 1_000) * 1_000;
  return Date.parse(`${wallAt(whole, zone)}Z`) - whole;
}

function format(zone: string): Intl.DateTimeFormat {
  let known = formats.get(zone);
  if (!known) {
    known = new Intl.DateTimeFormat("en-u-ca-iso8601-nu-latn", {
      timeZone: zone, hourCycle: "h23", year: "numeric", month: "2-digit", day: "2-digit", hour: "2-digit", minute: "2-digit", second: "2-digit",
    });
    formats.set(zone, known);
  }
  return known;
}
