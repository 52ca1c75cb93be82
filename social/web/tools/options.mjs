/** Takes what platforms have as options out of the OpenAPI document: `npm run options -- openapi.json [options.ts]`. */

import { readFileSync, writeFileSync } from "node:fs";

const [document, made = "src/wire/options.ts"] = process.argv.slice(2);
const { schemas } = JSON.parse(readFileSync(document, "utf8")).components;
const wanted = new Set();

function take(name) {
  if (wanted.has(name)) return;
  wanted.add(name);
  for (const [, found] of JSON.stringify(schemas[name]).matchAll(/"#\/components\/schemas\/([^"]+)"/g)) take(found);
}

take("Options");
const kept = Object.fromEntries([...wanted].sort().map((name) => [name, schemas[name]]));
writeFileSync(
  made,
  `/** What a post can have on each platform beyond text and pictures: the OpenAPI document's own words. Generated: \`npm run options -- openapi.json\`. */

import type { Schema } from "./schemas";

export const SCHEMAS: Record<string, Schema> = ${JSON.stringify(kept, null, 2)};
`,
);
