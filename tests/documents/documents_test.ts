import assert from "node:assert/strict";
import { testReading } from "../permission.ts";
import { DOCUMENTS } from "./documents.ts";

for (const [path, text] of Object.entries(DOCUMENTS)) {
  testReading(`${path} is what 'deno task docs' writes`, () => {
    const url = new URL(`../../${path}`, import.meta.url);
    assert.equal(Deno.readTextFileSync(url), text());
  });
}
