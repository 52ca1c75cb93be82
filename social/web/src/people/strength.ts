/** A hint, not a judge: how hard a password is to guess, from what it is made of. The server decides. */

export const SHORTEST = 12;
export type Strength = "weak" | "fair" | "good" | "strong";

/** Undefined while it is too short. */
export function strengthOf(password: string): Strength | undefined {
  const letters = [...password];
  if (letters.length < SHORTEST) return undefined;
  const bits = freshLetters(letters) * Math.log2(alphabet(password));
  if (bits < 45) return "weak";
  if (bits < 70) return "fair";
  return bits < 95 ? "good" : "strong";
}

/** Letters that don't merely repeat or continue what came before: "aaaa", "1234" and "abab" count as little. */
function freshLetters(letters: string[]): number {
  return letters.filter((letter, n) => {
    const step = letter.codePointAt(0)! - (letters[n - 1]?.codePointAt(0) ?? -99);
    return Math.abs(step) > 1 && letter !== letters[n - 2];
  }).length;
}

function alphabet(password: string): number {
  const kinds: [RegExp, number][] = [[/[a-z]/, 26], [/[A-Z]/, 26], [/[0-9]/, 10], [/[ -/:-@[-`{-~]/, 33], [/[^ -~]/, 100]];
  return kinds.reduce((size, [kind, more]) => size + (kind.test(password) ? more : 0), 0);
}
