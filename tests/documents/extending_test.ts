/** docs/EXTENDING.md quotes its examples as they are. */
import assert from "node:assert/strict";
import { testReading } from "../permission.ts";

const DOCS = new URL("../../docs/", import.meta.url);

/** Lines without their indentation: quotes begin at the margin. */
function lines(text: string): string {
  return text.split("\n").map((line) => line.trim()).join("\n").trim();
}

testReading("every quote in EXTENDING.md is in an example or a test", () => {
  const page = Deno.readTextFileSync(new URL("EXTENDING.md", DOCS));
  const folders = ["examples/", "../tests/documents/"];
  const sources = folders.flatMap((folder) => {
    const url = new URL(folder, DOCS);
    return [...Deno.readDirSync(url)].map(({ name }) =>
      lines(Deno.readTextFileSync(new URL(name, url)))
    );
  });
  const blocks = [...page.matchAll(/^```ts\n([\s\S]*?)^```/gm)]
    .map(([, block]) => lines(block));
  assert.ok(blocks.length > 0);
  for (const block of blocks) {
    assert.ok(sources.some((source) => source.includes(block)), block);
  }
});
