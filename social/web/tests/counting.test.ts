import { describe, expect, test } from "vitest";
import { lengthOf, linksIn } from "../src/composer/counting";
import { piecesOf } from "../src/composer/pieces";

const mastodon = { counted_as: "graphemes", url_length: 23, mentions_without_domain: true } as const;
const plain = { url_length: null, mentions_without_domain: false } as const;
const url = "x".repeat(23).length;

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
    for (const evil of ["https://a.b/" + "(".repeat(20_000), "@a" + ".a".repeat(20_000), "https://" + "a-".repeat(20_000), "https://a.de/?" + "!".repeat(50_000)]) lengthOf(evil, mastodon);
    expect(performance.now() - began).toBeLessThan(2_000);
  });
});

test("links say where they are", () => {
  expect(linksIn("to https://a.de/b and on")).toEqual([{ from: 3, to: 17, url: "https://a.de/b" }]);
});

test("the preview marks links, mentions and tags, and nothing in between is lost", () => {
  expect(piecesOf("hi @anna@example.social, see https://www.example.org/a-page-with-a-long-name #coffee #1 a@b.c")).toEqual([
    { kind: "text", text: "hi " },
    { kind: "mention", text: "@anna" },
    { kind: "text", text: ", see " },
    { kind: "link", text: "example.org/a-page-with-a-long…" },
    { kind: "text", text: " " },
    { kind: "tag", text: "#coffee" },
    { kind: "text", text: " #1 a@b.c" },
  ]);
});
