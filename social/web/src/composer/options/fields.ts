/** What a platform's options are made of, read from the API's own document: a new platform needs no form of its own. Pure. */

import { SCHEMAS } from "../../wire/options";
import type { Schema } from "../../wire/schemas";
import type { Options, PlatformOptions } from "../../wire/types";

interface Common {
  name: string;
  /** "poll.options": where its words are found. */
  path: string;
  title: string | undefined;
  description: string | undefined;
  /** Whether it may be left out. */
  free: boolean;
  /** Whether it may be null: for a list, another thing than an empty one. */
  nullable: boolean;
  /** What it is when it is left out. */
  usual: unknown;
}

export type Field = Common &
  (
    | { kind: "choice"; choices: string[] }
    | { kind: "switch" }
    | { kind: "text"; least: number; most: number | undefined; pattern: string | undefined; format: string | undefined }
    | { kind: "number"; least: number | undefined; most: number | undefined }
    | { kind: "list"; of: Field; least: number; most: number | undefined }
    | { kind: "group"; fields: Field[] }
  );

/** The fields of a platform's options, as they are declared; none where the document knows no such platform. */
export function fieldsOf(platform: string, schemas: Record<string, Schema> = SCHEMAS): Field[] {
  const options = schemas["Options"]?.properties?.[platform];
  return options ? fieldsIn(resolved(options, schemas), "", schemas) : [];
}

/**
 * What is sent of `options`: nothing that is as usual, no blank lines, and no group before it is complete, so that half a
 * poll does not keep a draft from being saved.
 */
export function completed(options: Options, schemas: Record<string, Schema> = SCHEMAS): Options {
  const kept = Object.entries(options).map(([platform, set]): [string, PlatformOptions] => {
    const fields = fieldsOf(platform, schemas);
    return [platform, fields.length ? groupOf(fields, set) : set];
  });
  return Object.fromEntries(kept.filter(([, set]) => Object.keys(set).length > 0));
}

/** The paths of what somebody began and has not finished, as "poll.options". */
export function unfinished(fields: readonly Field[], set: PlatformOptions): string[] {
  return fields.flatMap((field) => {
    const value = set[field.name];
    if (field.kind === "group" && isGroup(value)) return unfinished(field.fields, value);
    if (isBlank(value) || (Array.isArray(value) && value.every(isBlank))) return field.free ? [] : [field.path];
    return finished(field, value) === undefined ? [field.path] : [];
  });
}

const LINES: Record<string, number> = { options: 2 }; // a poll with less than two answers is none

/** What somebody begins with who wants this. */
export function begun(field: Field): unknown {
  if (field.usual !== undefined && field.usual !== null && linesOf(field) === 0) return field.usual;
  switch (field.kind) {
    case "choice":
      return field.choices[0];
    case "switch":
      return false;
    case "text":
      return "";
    case "number":
      return field.least ?? 0;
    case "list":
      return Array.from({ length: linesOf(field) }, () => begun(field.of));
    case "group":
      return Object.fromEntries(field.fields.filter((each) => !each.free || linesOf(each) > 0).map((each) => [each.name, begun(each)]));
  }
}

/** How many lines of a list are there to be filled in, whatever happens. */
export function linesOf(field: Field): number {
  return field.kind === "list" ? Math.max(field.least, LINES[field.name] ?? 0) : 0;
}

function fieldOf(name: string, above: string, given: Schema, free: boolean, schemas: Record<string, Schema>): Field | undefined {
  const schema = resolved(given, schemas);
  const path = above ? `${above}.${name}` : name;
  const common: Common = { name, path, title: given.title, description: given.description, free: free || isNullable(given), nullable: isNullable(given), usual: schema.default };
  const kind = kindOf(schema);
  if (schema.enum) return { ...common, kind: "choice", choices: schema.enum.filter((each): each is string => typeof each === "string") };
  if (kind === "boolean") return { ...common, kind: "switch" };
  if (kind === "integer" || kind === "number") return { ...common, kind: "number", least: schema.minimum, most: schema.maximum };
  if (kind === "string") return { ...common, kind: "text", least: schema.minLength ?? 0, most: schema.maxLength, pattern: schema.pattern, format: schema.format };
  if (kind === "array" && schema.items) {
    const of = fieldOf("", path, schema.items, false, schemas);
    return of && { ...common, kind: "list", of, least: schema.minItems ?? 0, most: schema.maxItems };
  }
  if (kind !== "object" || !schema.properties) return undefined; // nothing a form could ask for
  return { ...common, kind: "group", fields: fieldsIn(schema, path, schemas) };
}

function fieldsIn({ properties, required }: Schema, above: string, schemas: Record<string, Schema>): Field[] {
  const fields = Object.entries(properties ?? {}).map(([name, each]) => fieldOf(name, above, each, !required?.includes(name), schemas));
  return fields.filter((each) => each !== undefined);
}

/** With what it refers to, and the one of several kinds that is not "nothing". What is said outside holds inside. */
function resolved(schema: Schema, schemas: Record<string, Schema>): Schema {
  if (schema.$ref) return { ...resolved(schemas[schema.$ref.split("/").at(-1)!] ?? {}, schemas), ...defined({ ...schema, $ref: undefined }) };
  const one = (schema.oneOf ?? schema.anyOf)?.find((each) => each.$ref || (kindOf(each) !== undefined && kindOf(each) !== "null"));
  return one ? { ...resolved(one, schemas), ...defined({ ...schema, oneOf: undefined, anyOf: undefined }) } : schema;
}

function defined(schema: Schema): Schema {
  return Object.fromEntries(Object.entries(schema).filter(([, value]) => value !== undefined));
}

function kindOf({ type }: Schema): string | undefined {
  return Array.isArray(type) ? type.find((each) => each !== "null") : type;
}

function isNullable({ type, oneOf, anyOf }: Schema): boolean {
  return (Array.isArray(type) && type.includes("null")) || Boolean((oneOf ?? anyOf)?.some((each) => each.type === "null"));
}

function groupOf(fields: readonly Field[], set: PlatformOptions): PlatformOptions {
  const kept: PlatformOptions = {};
  for (const field of fields) {
    const value = finished(field, set[field.name]);
    if (value !== undefined && !(field.free && isUsual(field, value))) kept[field.name] = value;
  }
  return kept;
}

/** The value as it is sent; undefined where it is blank or not complete. */
function finished(field: Field, value: unknown): unknown {
  if (isBlank(value)) return undefined;
  switch (field.kind) {
    case "text":
      return isText(field, value) ? value : undefined;
    case "number":
      return typeof value === "number" && value >= (field.least ?? -Infinity) && value <= (field.most ?? Infinity) ? value : undefined;
    case "list": {
      const items = (Array.isArray(value) ? value : []).map((each) => finished(field.of, each)).filter((each) => each !== undefined);
      return items.length >= Math.max(field.least, field.nullable ? 0 : 1) ? items : undefined;
    }
    case "group":
      return isGroup(value) && field.fields.every((each) => each.free || finished(each, value[each.name]) !== undefined) ? groupOf(field.fields, value) : undefined;
    default:
      return value;
  }
}

function isText(field: Field & { kind: "text" }, value: unknown): boolean {
  if (typeof value !== "string" || value.length < field.least || value.length > (field.most ?? Infinity)) return false;
  return !field.pattern || new RegExp(field.pattern, "u").test(value);
}

function isUsual(field: Field, value: unknown): boolean {
  return JSON.stringify(value) === JSON.stringify(field.usual);
}

function isBlank(value: unknown): boolean {
  return value === undefined || value === null || (typeof value === "string" && value.trim() === "");
}

function isGroup(value: unknown): value is PlatformOptions {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
