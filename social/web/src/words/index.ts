/** Every text a person reads. Another language is another file of the same shape. */

import { en } from "./en";

export type Words = typeof en;
export const w: Words = en;

/** The language of the catalogue, for Intl. */
export const LANGUAGE = "en";
