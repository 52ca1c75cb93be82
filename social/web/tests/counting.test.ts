import { describe, expect, test } from "vitest";
import { bytesOf, countOf, lengthOf, linksIn } from "../src/composer/counting";
import type { LimitsOut } from "../src/wire/types";

const mastodon = { counted_as: "graphemes", url_length: 23, mentions_without_domain: true } as const;
const plain = { url_length: null, mentions_without_domain: false } as const;
const url = "x".repeat(23).length;

const x = { counted_as: "weighted", url_length: 23, mentions_without_domain: false } as const;
const bluesky = { ...plain, counted_as: "graphemes" } as const;

describe("a text is as long as the platform says", () => {
  test.each([
    ["", 0],
    ["hello", 5],
    ["👩‍👩‍👧‍👦", 1],
    ["🇩🇪🇫🇷", 2],
    ["é", 1],
    ["a\r\nb", 3],
    ["한국어", 3],
    ["https://a.de", url],
    [`https://example.org/${"long/".repeat(60)}`, url],
    ["see https://example.org/a.", 4 + url + 1],
    ["(https://example.org/a)", 1 + url + 1],
    ["https://en.wikipedia.org/wiki/Mastodon_(software)", url],
    ["https://example.org/?q=1&b=2!", url + 1],
    ["https://bücher.example/ä", url],
    ["https://xn--bcher-kva.example/", url],
    ["HTTPS://EXAMPLE.ORG", url],
    ["https://example.org:8443/x", url],
    ["example.org/without-a-scheme", 28],
    ["https://localhost/x", 19],
    ["xhttps://example.org", 20],
    ["https://a.de https://b.de", 2 * url + 1],
    ["hi @anna@example.social!", 9],
    ["@anna", 5],
    ["mail anna@example.org", 21],
    ["@a.b@example.social", 4],
  ])("%j is %i long on Mastodon", (text, length) => {
    expect(lengthOf(text, mastodon)).toBe(length);
  });

  test("elsewhere letters or code units count, and links as they are", () => {
    expect(lengthOf("👍🏽", { ...plain, counted_as: "graphemes" })).toBe(1);
    expect(lengthOf("👍🏽", { ...plain, counted_as: "characters" })).toBe(2);
    expect(lengthOf("👍🏽", { ...plain, counted_as: "utf16" })).toBe(4);
    expect(lengthOf("https://a.de", { ...plain, counted_as: "characters" })).toBe(12);
    expect(lengthOf("@anna@example.social", { ...plain, counted_as: "characters" })).toBe(20);
  });

  test("a text meant to be slow is counted at once", () => {
    const began = performance.now();
    for (const evil of ["https://a.b/" + "(".repeat(20_000), "@a" + ".a".repeat(20_000), "https://" + "a-".repeat(20_000), "https://a.de/?" + "!".repeat(50_000), "a.".repeat(20_000), "a.de".repeat(10_000)]) {
      lengthOf(evil, mastodon);
      lengthOf(evil, x);
    }
    expect(performance.now() - began).toBeLessThan(2_000);
  });
});

describe("X weighs", () => {
  test.each([
    ["", 0],
    ["hello", 5],
    ["é", 1], // composed first
    ["e\u0301", 1],
    ["ß ü ñ", 5],
    ["привет", 6],
    ["Ωμέγα", 5],
    ["“quoted” – dashed", 17],
    ["…", 2], // beyond U+201F, and not among the primes
    ["€", 2],
    ["日本語", 6],
    ["한국어", 6],
    ["ﾊﾝｶｸ", 8],
    ["👍", 2],
    ["👍🏽", 2],
    ["👩‍👩‍👧‍👦", 2],
    ["🇩🇪🇫🇷", 4],
    ["❤️", 2],
    ["1️⃣", 2],
    ["©", 2],
    ["https://a.de", 23],
    [`https://example.org/${"long/".repeat(60)}`, 23],
    ["see https://example.org/a.", 4 + 23 + 1],
    ["example.org", 23],
    ["example.org/a/b?c=d", 23],
    ["on example.org, and example.com.", 3 + 23 + 6 + 23 + 1],
    ["notes.txt", 9],
    ["mail anna@example.org", 21],
    ["#tag.de @name.de", 16],
    ["3.14 e.g. U.S.A.", 16],
    ["@anna@example.social", 20],
    ["a\nb", 3],
  ])("%j as %i", (text, length) => {
    expect(lengthOf(text, x)).toBe(length);
  });
});

describe("Bluesky has graphemes and bytes", () => {
  const limits = { ...bluesky, text: 300, text_bytes: 3_000 } as unknown as LimitsOut;
  const family = "👩‍👩‍👧‍👦";

  test.each([
    ["hello", 5, "characters"],
    ["https://example.org/as-long-as-it-is", 36, "characters"],
    ["@anna.example.social", 20, "characters"],
    [family.repeat(100), 2_500, "bytes"],
    ["é".repeat(100), 100, "characters"],
  ])("%j: %i %s", (text, length, unit) => {
    expect(countOf(text, limits)).toMatchObject({ length, unit });
  });

  test("bytes are those of UTF-8", () => expect(["a", "é", "€", "👍", family].map(bytesOf)).toEqual([1, 2, 3, 4, 25]));

  test("what counts besides the text is added to the letters", () => expect(countOf("hello", limits, 7).length).toBe(12));
});

test("links say where they are", () => {
  expect(linksIn("to https://a.de/b and on")).toEqual([{ from: 3, to: 17, url: "https://a.de/b" }]);
});
