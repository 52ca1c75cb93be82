import { describe, expect, test } from "vitest";
import { cut, piecesOf, shortened, type Marking } from "../src/previews/pieces";
import { cardIn, pollIn, textIn } from "../src/previews/shown";

const MASTODON: Marking = { mention: /(?<![\p{L}\p{M}\p{N}_/=])(@[a-z0-9_]+(?:[.-]+[a-z0-9_]+)*)(?:@[\p{L}\p{N}_]+(?:[.-]+[\p{L}\p{N}_]+)*)?/giu, address: (url) => shortened(url, 30) };

test("links, mentions and tags are marked, and nothing in between is lost", () => {
  expect(piecesOf("hi @anna@example.social, see https://www.example.org/a-page-with-a-long-name #coffee #1 a@b.c", MASTODON)).toEqual([
    { kind: "text", text: "hi " },
    { kind: "mention", text: "@anna" },
    { kind: "text", text: ", see " },
    { kind: "link", text: "example.org/a-page-with-a-long…" },
    { kind: "text", text: " " },
    { kind: "tag", text: "#coffee" },
    { kind: "text", text: " #1 a@b.c" },
  ]);
});

describe("what is too long is cut", () => {
  const fits = (most: number) => (text: string) => text.length <= most;

  test("after a word where one ends near, and never within a letter", () => {
    expect(cut("one two three four", fits(14))).toBe("one two three");
    expect(cut("onetwothreefour", fits(7))).toBe("onetwot");
    expect(cut("a👩‍👩‍👧‍👦b", fits(5))).toBe("a");
  });

  test("what fits stays as it is", () => expect(cut(" as it is ", fits(20))).toBe(" as it is "));
});

test("options are found by their names, whatever the platform", () => {
  expect(pollIn({ poll: { options: ["a", "b"], duration_minutes: 60 } })).toEqual({ choices: ["a", "b"], multiple: false, seconds: 3_600 });
  expect(pollIn({ poll: { options: ["a", "b"], expires_in: 300, multiple: true } })).toEqual({ choices: ["a", "b"], multiple: true, seconds: 300 });
  expect([pollIn({}), cardIn({ card: null })]).toEqual([undefined, undefined]);
  expect(cardIn({ card: { url: "https://example.org", title: "Bread" } })).toEqual({ url: "https://example.org", title: "Bread", description: "" });
  expect([textIn({ quote: " " }, "quote"), textIn({ quote: { uri: "at://x" } }, "quote")]).toEqual([undefined, "at://x"]);
});
