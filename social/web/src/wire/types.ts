/** The shapes of the API by the names rooms use. They come from `schema.d.ts`, which is generated: `npm run types -- openapi.json`. */

import type { components } from "./schema";

type Schemas = components["schemas"];

export type SignedIn = Schemas["SignedInOut"];
export type Me = Schemas["Me"];
export type Workspace = Schemas["WorkspaceOut"];
export type ProfileIn = Schemas["ProfileIn"];
export type SetupIn = Schemas["SetUpIn"];

export type Realm = Schemas["AccountOut"]["realm"];
export type PlatformOut = Schemas["PlatformOut"];
export type AccountOut = Schemas["AccountOut"];
export type LimitsOut = Schemas["LimitsOut"];
export type Counting = LimitsOut["counted_as"];

export type FoundOut = Schemas["FoundOut"];
export type SessionOut = Schemas["SessionOut"];
export type MemberOut = Schemas["MemberOut"];
export type InvitationOut = Schemas["InvitationOut"];
export type InvitationMade = Schemas["InvitationMade"];
export type AcceptanceIn = Schemas["AcceptanceIn"];
export type Role = Schemas["Role"];

/** How late a post may go out: without minutes whenever it can. */
export type Lateness = Schemas["Lateness"];
export type Punctuality = Schemas["Punctuality"];

export type QuotaOut = Schemas["QuotaOut"];
export type QuotaIn = Schemas["QuotaIn"];
export type DecidedOut = Schemas["DecidedOut"];
export type AlarmOut = Schemas["OpenAlarm"];
export type HoldOut = Schemas["HoldOut"];
export type HoldIn = Partial<Schemas["HoldIn"]>;

export type MediaOut = Schemas["FileOut"];
export type FileOut = MediaOut;
export type MediaKind = MediaOut["kind"];
export type LibraryOut = Schemas["LibraryOut"];
export type UseOut = Schemas["UseOut"];
export type UploadOut = Schemas["UploadOut"];
export type AttachedOut = Schemas["AttachedOut"];

/** What a post has on one platform beyond text and pictures; which of it, the platform says (`options.ts`). */
export type PlatformOptions = Record<string, unknown>;
export type Options = Record<string, PlatformOptions>;
/** What is wanted of a file's shape and length; what is left out is as usual. */
export type Fit = Schemas["Choice"];
export interface AttachedIn { id: string; alt: string; fit?: Fit }
export interface PartIn { text: string; media: AttachedIn[] }
export type VariantIn = Schemas["VariantIn"];
export interface PostIn extends PartIn { thread: PartIn[]; variants: Record<string, VariantIn>; accounts: string[]; options: Options }
export type PostOut = Omit<Schemas["PostOut"], "options"> & { options: Options };
export type PlanOut = Schemas["PlanOut"];
/** When: at once, or at a wall time in a zone (fold 1: the second of a doubled hour). */
export type WhenIn = { now: true } | { wall: string; zone: string; fold?: 0 | 1 };
/** And how late it may be; null: as the workspace has it. */
export type PlanIn = WhenIn & { lateness?: Lateness | null };
export type Verdict = Schemas["Verdict"];
export type FileVerdict = Schemas["FileVerdict"];
export type Wrong = Schemas["Wrong"];

export type PublicationState = Schemas["State"];
export type PublicationOut = Schemas["PublicationOut"];
export type PublicationHistory = Schemas["PublicationHistory"];
