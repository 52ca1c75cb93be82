/** What a publication's state looks like, where it is listed, and what a person can do about it. Pure. */

import type { IconName } from "../look/shapes";
import type { PublicationOut, PublicationState } from "../wire/types";

export type Tab = "planned" | "sent" | "attention" | "cancelled";
export const TABS: readonly Tab[] = ["planned", "sent", "attention", "cancelled"];

/** What is read for each list. What is held is in two: what a hold keeps back is planned as before. */
export const STATES: Record<Tab, readonly PublicationState[]> = {
  planned: ["planned", "preparing", "prepared", "queued", "sending", "processing", "waiting", "unconfirmed", "held"],
  sent: ["online"],
  attention: ["held", "failed", "missed"],
  cancelled: ["cancelled"], // not among what was sent: its date may lie ahead, and it says nothing of what became of it
};

/** What is planned is read from now on, everything else from now back. */
export const NEWEST_FIRST: Record<Tab, boolean> = { planned: false, sent: true, attention: true, cancelled: true };

/** Whether a hold keeps it back. The hold is said above all lists, and what it keeps back needs nobody by itself. */
export function isOnHold({ state, reason }: Pick<PublicationOut, "state" | "reason">): boolean {
  return state === "held" && reason?.code === "hold";
}

export function tabOf(publication: Pick<PublicationOut, "state" | "reason">): Tab {
  const { state } = publication;
  if (state === "held") return isOnHold(publication) ? "planned" : "attention";
  return TABS.find((tab) => STATES[tab].includes(state)) ?? "attention";
}

export type Kind = "accent" | "busy" | "good" | "wait" | "bad" | "quiet";

interface Look { icon: IconName; kind: Kind; turning?: true }

export const LOOKS: Record<PublicationState, Look> = {
  planned: { icon: "clock", kind: "accent" },
  preparing: { icon: "spinner", kind: "busy", turning: true },
  prepared: { icon: "check", kind: "accent" },
  queued: { icon: "check", kind: "accent" },
  sending: { icon: "spinner", kind: "busy", turning: true },
  processing: { icon: "spinner", kind: "busy", turning: true },
  online: { icon: "online", kind: "good" },
  waiting: { icon: "hourglass", kind: "wait" },
  unconfirmed: { icon: "search", kind: "wait" },
  held: { icon: "hand", kind: "bad" },
  failed: { icon: "failed", kind: "bad" },
  cancelled: { icon: "cancelled", kind: "quiet" },
  missed: { icon: "missed", kind: "bad" },
};

/** What its state is called: a thread that is on its way is that between two parts as well. */
export function shownAs({ state, parts_online }: Pick<PublicationOut, "state" | "parts_online">): PublicationState {
  return state === "queued" && parts_online > 0 ? "sending" : state;
}

export function lookOf(publication: Pick<PublicationOut, "state" | "reason" | "parts_online">): Look {
  return isOnHold(publication) ? { icon: "pause", kind: "wait" } : LOOKS[shownAs(publication)];
}

export type Action = "edit" | "move" | "cancel" | "again" | "settle" | "reconnect" | "leave" | "duplicate" | "remove";

const CHANGEABLE: readonly PublicationState[] = ["planned", "preparing", "prepared", "queued", "waiting", "held"];
const ENDED: readonly PublicationState[] = ["failed", "cancelled", "missed"];

/** Whether a thread has begun to be online and is not all of it: it goes on or stays as it is, and cannot be changed. */
export function isPartly({ state, parts_online }: { state: PublicationState; parts_online?: number }): boolean {
  return state !== "online" && (parts_online ?? 0) > 0;
}

/** Whether it is public, in part at least, or may be: it was sent, and nothing has said since that it did not go out. */
export function mayBeOut({ state, in_doubt, parts_online }: Pick<PublicationOut, "state" | "in_doubt" | "parts_online">): boolean {
  return ["sending", "processing", "unconfirmed", "online"].includes(state) || in_doubt || parts_online > 0;
}

export function isEnded({ state }: Pick<PublicationOut, "state">): boolean {
  return ENDED.includes(state);
}

/** Whether it could not go out in time, and a person says now whether it is to go out all the same. */
export function isLate({ state, reason, in_doubt }: Pick<PublicationOut, "state" | "reason" | "in_doubt">): boolean {
  return state === "held" && reason?.code === "late" && !in_doubt;
}

/** What can be done, in the order it is offered. */
export function actionsFor(publication: Pick<PublicationOut, "state" | "in_doubt" | "reason"> & { parts_online?: number }): Action[] {
  const { state, in_doubt, reason } = publication;
  const found: Action[] = [];
  if (state === "held" && in_doubt) found.push("settle");
  else if (state === "held" && reason?.code === "disconnected") found.push("reconnect");
  else if (isOnHold(publication)) found.length = 0; // it goes on, or asks, when the hold is ended
  else if (state === "waiting" || state === "held" || ENDED.includes(state)) found.push("again");
  if (isPartly(publication)) return [...found, ...(state === "held" && !in_doubt ? (["leave"] as const) : []), "duplicate"];
  if (CHANGEABLE.includes(state) || ENDED.includes(state)) found.push("edit");
  if (CHANGEABLE.includes(state) || state === "cancelled") found.push("move");
  found.push("duplicate");
  if (CHANGEABLE.includes(state)) found.push("cancel");
  if (ENDED.includes(state)) found.push("remove");
  return found;
}
