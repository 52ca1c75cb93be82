/** Where the focus goes when something was not taken, or whoever had it is gone. */

import { tick } from "svelte";

/** A form was not taken: to the first field that is wrong, else to `or`. What was pressed was disabled meanwhile and lost it. */
export async function backTo(form: HTMLElement, or = "button:not([type])"): Promise<void> {
  await tick(); // what is wrong is marked by then
  form.querySelector<HTMLElement>(`[aria-invalid], ${or}`)?.focus();
}

/** The page itself, for whoever reads with their ears or walks by keys. */
export function toPage(): void {
  document.getElementById("content")?.focus({ preventScroll: true });
}
