/** What can go wrong between here and the server, by what the person can do next. */

import type { Wrong } from "./types";

export type Kind =
  | "invalid" | "sign-in-needed" | "forbidden" | "not-found" | "conflict" | "too-large"
  | "unsupported-type" | "too-many" | "newer" | "unavailable" | "internal";

/** The server refused, in its own words (application/problem+json). `facts` is the whole document. */
export class Problem extends Error {
  constructor(
    readonly kind: Kind,
    readonly status: number,
    detail: string,
    readonly errors: Wrong[] = [],
    readonly facts: Record<string, unknown> = {},
  ) {
    super(detail);
  }

  /** The sentence about one field, named by its JSON pointer ("/email"), if there is one. */
  about(pointer: string): string | undefined {
    return this.errors.find((wrong) => wrong.pointer === pointer)?.detail;
  }
}

/** No answer came: the network, or the server, is away. Whether a change was made is not known. */
export class Unreachable extends Error {}

const KINDS: Record<number, Kind> = {
  400: "invalid", 401: "sign-in-needed", 403: "forbidden", 404: "not-found", 409: "conflict", 413: "too-large",
  415: "unsupported-type", 422: "invalid", 429: "too-many", 502: "unavailable", 503: "unavailable", 504: "unavailable",
};

/** An answer that is no success as a Problem. `body` is anything: a proxy answers with its own page. */
export function problemOf(status: number, body: unknown): Problem {
  const facts = body !== null && typeof body === "object" ? (body as Record<string, unknown>) : {};
  const type = typeof facts["type"] === "string" ? facts["type"] : "";
  const kind = (type.startsWith("/problems/") ? type.slice("/problems/".length) : KINDS[status]) as Kind | undefined;
  const errors = Array.isArray(facts["errors"]) ? (facts["errors"] as Wrong[]) : [];
  return new Problem(kind ?? "internal", status, String(facts["detail"] ?? facts["title"] ?? ""), errors, facts);
}

/** `text` as JSON, or itself. */
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
