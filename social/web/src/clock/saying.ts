/** Times in words, in a given zone. Instants are ms since 1970 or RFC 3339 texts. */

import { LANGUAGE, w } from "../words";
import { daysBetween, wallAt } from "./zones";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

type Instant = number | string;

/** The catalogue's language, as it is written where the person lives: en-US with AM and PM, en-GB without. */
function place(): { locale: string; hourCycle: Intl.LocaleHourCycleKey } {
  const wanted = typeof navigator === "undefined" ? ["en-GB"] : navigator.languages;
  const locale = wanted.find((tag) => tag.startsWith(`${LANGUAGE}-`)) ?? "en-GB";
  const { hourCycle } = new Intl.DateTimeFormat(wanted[0], { hour: "numeric" }).resolvedOptions();
  return { locale, hourCycle: hourCycle ?? "h23" };
}

const { locale, hourCycle } = place();
const formats = new Map<string, Intl.DateTimeFormat>();

const hour = hourCycle === "h23" || hourCycle === "h24" ? "2-digit" : "numeric";

function format(zone: string, name: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${name} ${zone}`;
  let known = formats.get(key);
  if (!known) formats.set(key, (known = new Intl.DateTimeFormat(locale, { timeZone: zone, hourCycle, ...options })));
  return known;
}

/** "09:30", with seconds where there are some. */
export function sayTime(instant: Instant, zone: string): string {
  const at = toMs(instant);
  const seconds = Math.floor(at / SECOND) % 60 !== 0;
  return format(zone, seconds ? "seconds" : "time", { hour, minute: "2-digit", ...(seconds && { second: "2-digit" }) }).format(at);
}

/** "09:30:02.418": for stamps. */
export function sayStamp(instant: Instant, zone: string): string {
  return format(zone, "stamp", { hour, minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 }).format(toMs(instant));
}

/** "Mon 23 Nov, 09:30", with the year where it is another one. */
export function sayWhen(instant: Instant, zone: string, now: number): string {
  return w.time.dateTime(sayDate(instant, zone, now), sayTime(instant, zone));
}

/** "today, 09:30", "tomorrow, 09:30", and then as `sayWhen`: within a sentence. */
export function sayNear(instant: Instant, zone: string, now: number): string {
  const day = { 0: w.time.today, 1: w.time.tomorrow }[daysBetween(wallAt(now, zone), wallAt(toMs(instant), zone))];
  return day ? w.time.dateTime(day, sayTime(instant, zone)) : sayWhen(instant, zone, now);
}

/** "Mon 23 Nov". */
export function sayDate(instant: Instant, zone: string, now: number): string {
  const at = toMs(instant);
  const other = wallAt(at, zone).slice(0, 4) !== wallAt(now, zone).slice(0, 4);
  return format(zone, other ? "dated" : "date", { weekday: "short", day: "numeric", month: "short", ...(other && { year: "numeric" }) }).format(at);
}

/** "Today", "Tomorrow", "Monday 30 November": the head of a day, whose wall time is any of its. */
export function sayDay(wall: string, zone: string, now: number): { name: string; date: string } {
  const days = daysBetween(wallAt(now, zone), wall);
  const noon = Date.parse(`${wall.slice(0, 10)}T12:00:00Z`);
  const year = wall.slice(0, 4) !== wallAt(now, zone).slice(0, 4);
  const date = format("UTC", year ? "day+year" : "day", { day: "numeric", month: "long", ...(year && { year: "numeric" }) }).format(noon);
  const near = { [-1]: w.calendar.yesterday, 0: w.calendar.today, 1: w.calendar.tomorrow }[days];
  return { name: near ?? format("UTC", "weekday", { weekday: "long" }).format(noon), date };
}

/** "in 42 s", "in 3 h", "12 min ago", "now". */
export function sayDistance(instant: Instant, now: number): string {
  const distance = toMs(instant) - now;
  if (Math.abs(distance) < SECOND) return w.time.now;
  return distance > 0 ? w.time.in(sayLong(distance)) : w.time.ago(sayLong(-distance));
}

/** The greatest unit alone, rounded up: nobody should believe there is more time than there is. */
function sayLong(ms: number): string {
  if (ms < 99 * SECOND) return w.time.seconds(Math.ceil(ms / SECOND));
  if (ms < 99 * MINUTE) return w.time.minutes(Math.round(ms / MINUTE));
  if (ms < 36 * HOUR) return w.time.hours(Math.round(ms / HOUR));
  return w.time.days(Math.round(ms / DAY));
}

/** How late something was sent: "on time, 38 ms" up to a second, then "4.2 s late", "3 min late". */
export function sayLateness(ms: number): string {
  if (ms < SECOND) return w.calendar.onTime(Math.max(0, Math.round(ms)));
  return w.calendar.late(sayDuration(ms));
}

/** "38 ms", "4.2 s", "12 min", "3 h". */
export function sayDuration(ms: number): string {
  if (ms < SECOND) return w.time.ms(Math.round(ms));
  if (ms < 10 * SECOND) return w.time.seconds(Math.round(ms / 100) / 10);
  return sayLong(ms);
}

/** "9:00" as people here write it, for a wall time of day. */
export function sayTimeOfDay(time: string): string {
  return format("UTC", "time", { hour, minute: "2-digit" }).format(Date.parse(`2000-01-01T${time}:00Z`));
}

export function toMs(instant: Instant): number {
  return typeof instant === "number" ? instant : Date.parse(instant);
}
