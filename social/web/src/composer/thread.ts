/** Parts of a thread: added, taken out, put in order, joined, split. Pure. */

import { newPart, type Part } from "./writing";

const GAP = "\n\n";

export function added(parts: readonly Part[], after: number): Part[] {
  return parts.toSpliced(after + 1, 0, newPart());
}

/** Without one; what is left has a first part in any case. */
export function removed(parts: readonly Part[], n: number): Part[] {
  const left = parts.toSpliced(n, 1);
  return left.length ? left : [newPart()];
}

export function moved(parts: readonly Part[], from: number, to: number): Part[] {
  const part = parts[from];
  return part && to >= 0 && to < parts.length ? parts.toSpliced(from, 1).toSpliced(to, 0, part) : [...parts];
}

/** Part `n` as the end of the one before it. */
export function joined(parts: readonly Part[], n: number): Part[] {
  const [before, part] = [parts[n - 1], parts[n]];
  return before && part ? parts.toSpliced(n - 1, 2, together([before, part])) : [...parts];
}

/** All of them as one. */
export function merged(parts: readonly Part[]): Part[] {
  return parts.length > 1 ? [together(parts)] : [...parts];
}

/** `texts` in place of part `n`, whose pictures stay with the first of them. */
export function split(parts: readonly Part[], n: number, texts: readonly string[]): Part[] {
  const part = parts[n];
  if (!part || texts.length === 0) return [...parts];
  const [first, ...rest] = texts;
  return parts.toSpliced(n, 1, { ...part, text: first! }, ...rest.map((text) => newPart(text)));
}

/** Joined texts lose the numbers that a split gave them: "2/7" at the end of the second of seven. */
function together(parts: readonly Part[]): Part {
  const numbered = parts.every(({ text }, n) => text.endsWith(` ${n + 1}/${parts.length}`));
  const texts = parts.map(({ text }) => (numbered ? text.replace(/ \d+\/\d+$/, "") : text).trim());
  const pictures = parts.flatMap((part) => part.pictures);
  return { ...parts[0]!, text: texts.filter(Boolean).join(GAP), pictures: pictures.filter(({ id }, n) => pictures.findIndex((each) => each.id === id) === n) };
}
