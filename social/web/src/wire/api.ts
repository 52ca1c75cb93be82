/** Asking the server: the access token lives here, in memory, and is renewed once however many ask. */

import createClient from "openapi-fetch";
import { noteServerTime } from "../clock/now.svelte";
import { parsed, Problem, problemOf, Unreachable } from "./problems";
import type { paths } from "./schema";
import type { SignedIn } from "./types";

const EARLY = 30_000; // ms before its end at which a token is renewed instead of being tried

let token: { value: string; until: number } | undefined;
let workspace: string | null = null;
let who: string | undefined;
let renewing: Promise<SignedIn> | undefined;
let lost: () => void = () => {};

/** For what needs nobody signed in, or rests on the cookie. */
export const anyone = createClient<paths>({ fetch: (request) => fetched(request) });

/**
 * For whoever is signed in. A token that has run out is renewed and the request repeated once: 401 means that nothing
 * was done.
 */
export const api = createClient<paths>({
  fetch: async (request) => {
    const again = request.clone();
    const response = await fetched(await signed(request));
    if (response.status !== 401) return response;
    token = undefined;
    return fetched(await signed(again));
  },
});

/** What came back. Problem where the server refused, Unreachable where no answer came. */
export async function got<T>(asked: Promise<{ data?: T; error?: unknown; response: Response }>): Promise<T> {
  const { data, error, response } = await asked.catch((failed: unknown) => {
    // TypeError: the answer broke off in the middle. SyntaxError: something else answered, such as a hotel's sign-in page.
    throw failed instanceof TypeError || failed instanceof SyntaxError ? new Unreachable() : failed;
  });
  if (!response.ok) throw problemOf(response.status, error);
  return data as T;
}

/** Called when the server does not know this browser any more. */
export function whenSignedOut(tell: () => void): void {
  lost = tell;
}

/** From now on requests are made as this person, in this workspace. */
export function remember(given: SignedIn): SignedIn {
  if (who !== undefined && who !== given.me.user.id) location.assign("/"); // somebody else signed in in another tab
  who = given.me.user.id;
  token = { value: given.access_token, until: Date.parse(given.expires_at) };
  workspace ??= given.me.workspace_id;
  return given;
}

export function forget(): void {
  token = undefined;
  workspace = null;
  who = undefined;
}

/**
 * A new access token from the cookie. Tabs take turns: the cookie changes with each use, and a tab that came
 * with the old one would look like a thief to the server, who would end the session everywhere.
 */
export function renew(): Promise<SignedIn> {
  renewing ??= inTurn(() => got(anyone.POST("/api/v1/session/refresh")))
    .then(remember)
    .finally(() => (renewing = undefined));
  return renewing;
}

/** A body on its way: where to, and what is said of it. `progress` is told how many of its bytes are through. */
export interface Sending { method: "POST" | "PUT"; body: Blob; headers?: Record<string, string>; progress: (bytes: number) => void; signal: AbortSignal }

/** Sends a file, or a part of one, to our own server. Problem, Unreachable; AbortError when stopped. */
export async function upload(path: string, sending: Sending): Promise<unknown> {
  const send = async () => sent(path, sending, { "social-client": "web", ...(await credentials()) });
  let answer = await send();
  if (answer.status === 401) {
    token = undefined;
    answer = await send();
  }
  if (answer.status >= 300) throw problemOf(answer.status, parsed(answer.body));
  return answer.body ? JSON.parse(answer.body) : undefined;
}

/** Sends a part to the file storage itself: its address is the permission. */
export async function uploadOutside(address: string, sending: Sending): Promise<void> {
  const { status, body } = await sent(address, sending, {});
  if (status === 403) throw new Unreachable(); // the address was good for an hour only: another one is asked for
  if (status >= 300) throw problemOf(status >= 500 ? 503 : status, body);
}

/** One tab of this browser after the other. Pages over plain http, but for this machine's own, have no locks. */
async function inTurn<T>(act: () => Promise<T>): Promise<T> {
  if (!navigator.locks) return act();
  return (await navigator.locks.request("social-session", act)) as T;
}

async function credentials(): Promise<Record<string, string>> {
  if (!token || token.until - EARLY < Date.now()) {
    try {
      await renew();
    } catch (error) {
      if (error instanceof Problem && error.status === 401) lost();
      throw error;
    }
  }
  return { authorization: `Bearer ${token!.value}`, ...(workspace ? { "social-workspace": workspace } : {}) };
}

async function signed(request: Request): Promise<Request> {
  for (const [name, value] of Object.entries(await credentials())) request.headers.set(name, value);
  return request;
}

async function fetched(request: Request): Promise<Response> {
  request.headers.set("social-client", "web");
  try {
    const response = await fetch(request, { cache: "no-store" });
    noteServerTime(response.headers.get("date"));
    return response;
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Unreachable();
  }
}

const STALLED = 30_000; // ms without a byte going out, after which nobody is there
const ANSWERED = 120_000; // ms for the answer once all is out: the server may still be writing it to where it belongs

/**
 * fetch() cannot tell how much of a body has gone out; XMLHttpRequest can. A line that is cut does not say so, for minutes:
 * the browser's word that it is offline counts, and silence does.
 */
function sent(address: string, { method, body, headers, progress, signal }: Sending, own: Record<string, string>): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    signal.throwIfAborted();
    const request = new XMLHttpRequest();
    let why: Error = new DOMException("stopped by the person", "AbortError");
    const stop = () => request.abort();
    const lost = () => {
      why = new Unreachable();
      request.abort();
    };
    let patience = setTimeout(lost, STALLED);
    request.open(method, address);
    for (const [name, value] of Object.entries({ ...own, ...headers })) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => {
      clearTimeout(patience);
      patience = setTimeout(lost, event.loaded < event.total ? STALLED : ANSWERED);
      progress(event.loaded);
    };
    request.onload = () => resolve({ status: request.status, body: request.responseText });
    request.onerror = () => reject(new Unreachable());
    request.onabort = () => reject(why);
    request.onloadend = () => {
      clearTimeout(patience);
      signal.removeEventListener("abort", stop);
      window.removeEventListener("offline", lost);
    };
    signal.addEventListener("abort", stop);
    window.addEventListener("offline", lost);
    request.send(body);
  });
}
