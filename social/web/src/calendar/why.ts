/** What is said of why a publication is where it is. Pure. */

import { toMs } from "../clock/saying";
import type { PublicationOut, PublicationState } from "../wire/types";
import { w } from "../words";
import { isOnHold } from "./states";

type About = Pick<PublicationOut, "state" | "reason" | "why" | "due_at" | "in_doubt" | "parts_online">;

export interface Said {
  text: string;
  /** What is expected next by itself, and when. Null where a person must do something, or it may come at any moment. */
  next: { what: "goesOn" | "check" | "try"; at: string } | null;
  /** Hard: a person must do something. Quiet: all is as it should be, so it is said only where there is room. */
  kind: "hard" | "mild" | "quiet";
}

const HARD = new Set<PublicationState>(["held", "failed", "missed"]);
const ENDED_WELL = new Set<PublicationState>(["online", "cancelled"]);
const QUIET = new Set(["planned", "prepared", "preparing", "converting", "sending", "queued", "due"]);
const PATIENCE = 5_000; // ms after which what was to go on by then is late

/** Null where there is nothing to be said. `now` in ms. */
export function whyOf(publication: About, now: number): Said | null {
  const { state, reason, why } = publication;
  if (ENDED_WELL.has(state)) return null;
  if (isOnHold(publication)) return onHold(publication, now);
  if (HARD.has(state)) {
    const text = reason?.text ?? why?.text ?? (state === "missed" ? w.calendar.missedText : w.calendar.heldText);
    return { text, next: null, kind: "hard" };
  }
  if (state === "sending") return { text: w.calendar.sendingText, next: null, kind: "quiet" };
  if (!why) return { text: w.calendar.anyMoment, next: null, kind: "quiet" };
  const over = why.expected ? now - toMs(why.expected) : 0;
  if (over > PATIENCE && QUIET.has(why.code)) return { text: w.calendar.lateText, next: null, kind: "mild" };
  const isInLine = why.code === "queued" && why.text.includes(" after ");
  const what = state === "unconfirmed" ? "check" : state === "waiting" ? "try" : "goesOn";
  return { text: why.text, next: why.expected && over < 0 ? { what, at: why.expected } : null, kind: QUIET.has(why.code) && !isInLine ? "quiet" : "mild" };
}

/** What becomes of it when the hold is ended. Its time may have passed since it was read. */
function onHold({ reason, why, due_at, in_doubt, parts_online }: About, now: number): Said {
  const isPassed = toMs(due_at) <= now;
  const asks = isPassed && !in_doubt && parts_online === 0;
  return { text: asks ? w.holds.passed : (why?.text ?? reason?.text ?? w.calendar.heldText), next: null, kind: isPassed ? "mild" : "quiet" };
}
