/** Every call the client makes, by noun: the only file that knows paths. Each may raise Problem and Unreachable. */

import { anyone, api, got, upload, uploadOutside } from "./api";
import type { AcceptanceIn, AccountOut, FileOut, HoldIn, Lateness, MediaKind, PlanIn, PostIn, PostOut, ProfileIn, PublicationState, QuotaIn, Realm, Role, SetupIn, WhenIn } from "./types";

/** Which files somebody looks for; what is left out does not matter. */
export interface Wanted { text?: string; kind?: MediaKind; tag?: string; since?: string; copied?: boolean }

type Progress = (bytes: number) => void;

export const people = {
  setupNeeded: () => got(anyone.GET("/api/v1/setup")).then(({ needed }) => needed),
  setUp: (body: SetupIn) => got(anyone.POST("/api/v1/setup", { body })),
  signIn: (email: string, password: string) => got(anyone.POST("/api/v1/session", { body: { email, password } })),
  signOut: () => got(anyone.DELETE("/api/v1/session")),
  changeMe: (body: ProfileIn) => got(api.PATCH("/api/v1/me", { body })),
  changePassword: (current: string, password: string) => got(api.PUT("/api/v1/me/password", { body: { current, password } })),
  readPasswordLink: (token: string) => got(anyone.POST("/api/v1/password-links/readings", { body: { token } })),
  usePasswordLink: (token: string, password: string) => got(anyone.POST("/api/v1/password-links/uses", { body: { token, password } })),
  sessions: () => got(api.GET("/api/v1/sessions")),
  endSession: (session_id: string) => got(api.DELETE("/api/v1/sessions/{session_id}", { params: { path: { session_id } } })),
  endOtherSessions: () => got(api.DELETE("/api/v1/sessions")),
  members: () => got(api.GET("/api/v1/members")),
  setRole: (user_id: string, role: Role) => got(api.PUT("/api/v1/members/{user_id}/role", { params: { path: { user_id } }, body: { role } })),
  removeMember: (user_id: string) => got(api.DELETE("/api/v1/members/{user_id}", { params: { path: { user_id } } })),
  invitations: () => got(api.GET("/api/v1/invitations")),
  invite: (role: Role, note: string) => got(api.POST("/api/v1/invitations", { body: { role, note } })),
  withdraw: (invitation_id: string) => got(api.DELETE("/api/v1/invitations/{invitation_id}", { params: { path: { invitation_id } } })),
  readInvitation: (token: string) => got(anyone.POST("/api/v1/invitations/readings", { body: { token } })),
  /** As somebody new, or, signed in, as who is signed in. */
  accept: (body: AcceptanceIn, signedIn: boolean) => got((signedIn ? api : anyone).POST("/api/v1/invitations/acceptances", { body })),
};

export const accounts = {
  platforms: () => got(api.GET("/api/v1/platforms")),
  async all(): Promise<AccountOut[]> {
    const items: AccountOut[] = [];
    let cursor: string | null = null;
    do {
      const page: { items: AccountOut[]; next: string | null } = await got(api.GET("/api/v1/accounts", { params: { query: { cursor, limit: 100 } } }));
      items.push(...page.items);
      cursor = page.next;
    } while (cursor);
    return items;
  },
  read: (account_id: string) => got(api.GET("/api/v1/accounts/{account_id}", { params: { path: { account_id } } })),
  connect: (platform: string, server: string, realm: Realm) => got(api.POST("/api/v1/connections", { body: { platform, server, realm } })),
  answer: (platform: string, body: { code?: string; state: string; error?: string; iss?: string }) =>
    got(api.POST("/api/v1/connections/{platform}/answer", { params: { path: { platform } }, body })),
  /** By a password that was made for this. */
  letIn: (platform: string, server: string, realm: Realm, name: string, secret: string) =>
    got(api.POST("/api/v1/connections/password", { body: { platform, server, realm, name, secret } })),
  /** It is not the one that was meant: what was given is given back. */
  drop: (found_id: string) => got(api.DELETE("/api/v1/connections/{found_id}", { params: { path: { found_id } } })),
  readAgain: (account_id: string) => got(api.POST("/api/v1/accounts/{account_id}/readings", { params: { path: { account_id } } })),
  /** Takes over what was found by answering. */
  link: (found_id: string) => got(api.POST("/api/v1/connections/{found_id}/account", { params: { path: { found_id } } })),
  disconnect: (account_id: string) => got(api.DELETE("/api/v1/accounts/{account_id}", { params: { path: { account_id } } })),
  quotas: (account_id: string) => got(api.GET("/api/v1/accounts/{account_id}/quotas", { params: { path: { account_id } } })),
  /** In place of all figures that were set before. */
  setQuotas: (account_id: string, quotas: QuotaIn[]) => got(api.PUT("/api/v1/accounts/{account_id}/quotas", { params: { path: { account_id } }, body: { quotas } })),
};

export const media = {
  page: (wanted: Wanted, cursor: string | null) => got(api.GET("/api/v1/media", { params: { query: { ...wanted, cursor, limit: 48 } } })),
  library: () => got(api.GET("/api/v1/library")),
  uses: (media_id: string) => got(api.GET("/api/v1/media/{media_id}/posts", { params: { path: { media_id } } })),
  read: (media_id: string) => got(api.GET("/api/v1/media/{media_id}", { params: { path: { media_id } } })),
  add: (file: File, progress: Progress, signal: AbortSignal) =>
    upload(`/api/v1/media?name=${encodeURIComponent(file.name || "picture")}`, {
      method: "POST", body: file, headers: { "content-type": file.type || "application/octet-stream" }, progress, signal,
    }) as Promise<FileOut>,
  describe: (media_id: string, body: { alt: string; name: string; tags: string[] }) => got(api.PATCH("/api/v1/media/{media_id}", { params: { path: { media_id } }, body })),
  /** Done even if the page is being left. */
  remove: (media_id: string) => got(api.DELETE("/api/v1/media/{media_id}", { params: { path: { media_id } }, keepalive: true })),
};

export const uploads = {
  all: () => got(api.GET("/api/v1/uploads")),
  read: (upload_id: string) => got(api.GET("/api/v1/uploads/{upload_id}", { params: { path: { upload_id } } })),
  begin: (name: string, bytes: number, modified_at: string) => got(api.POST("/api/v1/uploads", { body: { name, bytes, modified_at } })),
  /** `digest`: of the part (RFC 9530), where the browser can make one. */
  part: (upload_id: string, number: number, body: Blob, digest: string | undefined, progress: Progress, signal: AbortSignal) =>
    upload(`/api/v1/uploads/${upload_id}/parts/${number}`, {
      method: "PUT", body, headers: { "content-type": "application/octet-stream", ...(digest ? { "content-digest": digest } : {}) }, progress, signal,
    }),
  /** The same, past our server. */
  async partOutside(upload_id: string, number: number, body: Blob, progress: Progress, signal: AbortSignal): Promise<void> {
    const [address] = await got(api.POST("/api/v1/uploads/{upload_id}/addresses", { params: { path: { upload_id } }, body: { numbers: [number] } }));
    await uploadOutside(address!.url, { method: "PUT", body, progress, signal });
  },
  /** From the web: it comes by itself. */
  fetch: (url: string) => got(api.POST("/api/v1/imports", { body: { url } })),
  finish: (upload_id: string) => got(api.POST("/api/v1/uploads/{upload_id}/media", { params: { path: { upload_id } } })),
  giveUp: (upload_id: string) => got(api.DELETE("/api/v1/uploads/{upload_id}", { params: { path: { upload_id } } })),
};

/** The document leaves open what `options` of a post holds, as platforms differ; it is what was sent. */
const post = (asked: Promise<unknown>) => asked as Promise<PostOut>;

export const posts = {
  drafts: (cursor: string | null) =>
    got(api.GET("/api/v1/posts", { params: { query: { drafts: true, cursor } } })) as Promise<{ items: PostOut[]; next: string | null }>,
  read: (post_id: string) => post(got(api.GET("/api/v1/posts/{post_id}", { params: { path: { post_id } } }))),
  create: (body: PostIn) => post(got(api.POST("/api/v1/posts", { body }))),
  save: (post_id: string, revision: number, body: PostIn) =>
    post(got(api.PUT("/api/v1/posts/{post_id}", { params: { path: { post_id } }, body: { revision, ...body } }))),
  remove: (post_id: string, revision: number) =>
    got(api.DELETE("/api/v1/posts/{post_id}", { params: { path: { post_id }, query: { revision } } })),
  check: (body: PostIn, signal: AbortSignal) => got(api.POST("/api/v1/posts/checks", { body, signal })),
  split: (account_id: string, text: string, numbered: boolean, signal: AbortSignal) =>
    got(api.POST("/api/v1/posts/splits", { body: { account_id, text, numbered }, signal })).then(({ parts }) => parts),
  plan: (post_id: string, revision: number, when: PlanIn) =>
    post(got(api.PUT("/api/v1/posts/{post_id}/plan", { params: { path: { post_id } }, body: { revision, ...when } }))),
  cancel: (post_id: string, revision: number) =>
    post(got(api.DELETE("/api/v1/posts/{post_id}/plan", { params: { path: { post_id }, query: { revision } } }))),
};

/** The server takes a hundred at once. */
async function inLots<T>(ids: string[], ask: (ids: string[]) => Promise<T[]>): Promise<T[]> {
  const answers: T[] = [];
  for (let from = 0; from < ids.length; from += 100) answers.push(...(await ask(ids.slice(from, from + 100))));
  return answers;
}

export const publications = {
  /** `on_hold`: of what is held only what a hold keeps back, or only the rest. */
  page: (states: readonly PublicationState[], newest_first: boolean, cursor: string | null, on_hold?: boolean) =>
    got(api.GET("/api/v1/publications", { params: { query: { state: [...states], newest_first, cursor, on_hold } } })),
  read: (publication_id: string) => got(api.GET("/api/v1/publications/{publication_id}", { params: { path: { publication_id } } })),
  move: (publication_id: string, body: WhenIn) =>
    got(api.PUT("/api/v1/publications/{publication_id}/plan", { params: { path: { publication_id } }, body })),
  cancel: (publication_id: string) => got(api.DELETE("/api/v1/publications/{publication_id}/plan", { params: { path: { publication_id } } })),
  again: (publication_id: string) => got(api.POST("/api/v1/publications/{publication_id}/attempts", { params: { path: { publication_id } } })),
  /** One word for many; so many at most in one call. */
  againAll: (ids: string[]) => inLots(ids, (ids) => got(api.POST("/api/v1/publications/attempts", { body: { ids } }))),
  cancelAll: (ids: string[]) => inLots(ids, (ids) => got(api.POST("/api/v1/publications/cancellations", { body: { ids } }))),
  settle: (publication_id: string, went_out: boolean, url?: string) =>
    got(api.POST("/api/v1/publications/{publication_id}/verdict", { params: { path: { publication_id } }, body: { went_out, url } })),
};

export const workspace = {
  settings: () => got(api.GET("/api/v1/workspace/settings")),
  reach: () => got(api.POST("/api/v1/reachability")),
  change: (body: { lateness?: Lateness; originals?: "keep" | "drop" }) => got(api.PUT("/api/v1/workspace/settings", { body })),
};

export const holds = {
  all: () => got(api.GET("/api/v1/holds")),
  begin: (body: HoldIn) => got(api.POST("/api/v1/holds", { body })),
  end: (hold_id: string) => got(api.DELETE("/api/v1/holds/{hold_id}", { params: { path: { hold_id } } })),
};

export const alarms = {
  all: () => got(api.GET("/api/v1/alarms")),
};

export const lateness = {
  read: () => got(api.GET("/api/v1/lateness")),
};

export const live = {
  ticket: () => got(api.POST("/api/v1/live/tickets")),
};
