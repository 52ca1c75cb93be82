import { describe, expect, test } from "vitest";
import { begun, completed, fieldsOf, unfinished } from "../src/composer/options/fields";
import { lasts } from "../src/composer/options/looks";
import { choiceOf, hintOf, labelOf, sayLength } from "../src/composer/options/sayings";
import type { Schema } from "../src/wire/schemas";

// As the API's document has it: what refers, what may be null, and an item kind beside an empty one.
const SCHEMAS: Record<string, Schema> = {
  Options: { properties: { new: { oneOf: [{ $ref: "#/components/schemas/NewOptions" }] } } },
  NewOptions: {
    type: "object",
    required: [],
    properties: {
      visibility: { type: "string", enum: ["public", "direct"], default: "public" },
      who: { type: ["null", "string"], enum: ["a", "b", null] },
      language: { oneOf: [{ type: "string" }, { type: "null" }], pattern: "^[a-z]{2}$" },
      sensitive: { type: "boolean", default: false },
      strange_thing: { type: "string", default: "", description: "Something nobody has words for." },
      tags: { type: "array", items: { oneOf: [{ type: "string" }, {}] }, maxItems: 2, default: [] },
      replies_from: { oneOf: [{ type: "array", items: { enum: ["followers"] } }, { type: "null" }] },
      poll: { oneOf: [{ $ref: "#/components/schemas/Poll" }, { type: "null" }] },
      meta: {},
    },
  },
  Poll: {
    type: "object",
    required: ["options"],
    properties: {
      options: { type: "array", items: { oneOf: [{ type: "string" }, {}] }, minItems: 2, maxItems: 4 },
      expires_in: { type: "integer", minimum: 300, maximum: 604_800, default: 86_400 },
      multiple: { type: "boolean", default: false },
    },
  },
};
const fields = fieldsOf("new", SCHEMAS);
const field = (name: string) => fields.find((each) => each.name === name)!;
const sent = (set: Record<string, unknown>) => completed({ new: set }, SCHEMAS)["new"];

describe("a form out of the API's document", () => {
  test("each kind is known, and what no form could ask for is left out", () => {
    expect(fields.map(({ name, kind }) => [name, kind])).toEqual([
      ["visibility", "choice"], ["who", "choice"], ["language", "text"], ["sensitive", "switch"], ["strange_thing", "text"], ["tags", "list"], ["replies_from", "list"], ["poll", "group"],
    ]);
    expect(field("who")).toMatchObject({ choices: ["a", "b"], nullable: true });
    expect(field("poll")).toMatchObject({ kind: "group", fields: [{ path: "poll.options", kind: "list", least: 2, most: 4, free: false }, { path: "poll.expires_in", kind: "number" }, { path: "poll.multiple" }] });
  });

  test("our words, or else the document's", () => {
    expect([labelOf(field("visibility")), labelOf(field("strange_thing")), hintOf(field("strange_thing"))]).toEqual(["Who sees it", "Strange thing", "Something nobody has words for."]);
    expect([choiceOf(field("visibility"), "direct")[0], choiceOf(field("who"), "a")[0]]).toEqual(["Mentioned people", "A"]);
  });

  test("a platform that the document does not know has no form, and loses nothing", () => {
    expect(fieldsOf("old", SCHEMAS)).toEqual([]);
    expect(completed({ old: { any: "" } }, SCHEMAS)).toEqual({ old: { any: "" } });
  });
});

describe("what is sent", () => {
  test("nothing that is as usual or blank", () => {
    expect(sent({ visibility: "public", who: null, language: "", sensitive: false, strange_thing: " ", tags: [""], poll: undefined })).toBeUndefined();
    expect(sent({ visibility: "direct", language: "de", sensitive: true, tags: ["a", " "] })).toEqual({ visibility: "direct", language: "de", sensitive: true, tags: ["a"] });
  });

  test("an empty list only where it means another thing than none", () => expect(sent({ tags: [], replies_from: [] })).toEqual({ replies_from: [] }));

  test("half a poll is kept here and not sent", () => {
    const half = { poll: { options: ["yes", ""] } };
    expect(sent(half)).toBeUndefined();
    expect(unfinished(fields, half)).toEqual(["poll.options"]);
    const whole = { poll: { options: ["yes", "no", ""], expires_in: 86_400 } };
    expect(sent(whole)).toEqual({ poll: { options: ["yes", "no"] } });
    expect(unfinished(fields, whole)).toEqual([]);
  });

  test("what has not the form that is asked for is not finished either", () => expect(unfinished(fields, { language: "german" })).toEqual(["language"]));

  test("what is added begins with as much as it needs", () => expect(begun(field("poll"))).toEqual({ options: ["", ""] }));
});

test("durations to choose from lie within what the platform takes", () => {
  const poll = field("poll");
  const within = poll.kind === "group" ? poll.fields.find(({ name }) => name === "expires_in") : undefined;
  if (within?.kind !== "number") throw new Error("no duration");
  const values = lasts(within, 1_000).map(({ value }) => value);
  expect([values[0], values.at(-1), values.includes(1_000)]).toEqual([300, 604_800, true]);
  expect([300, 3_600, 86_400, 604_800].map(sayLength)).toEqual(["5 minutes", "1 hour", "1 day", "7 days"]);
});
