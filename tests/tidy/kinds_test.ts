/** A kind of model is known to its own file and to the list, and to nothing else. */
import assert from "node:assert/strict";
import { KIND_NAMES } from "../../src/learning/kinds/kinds.ts";
import { testReading } from "../permission.ts";

const ROOT = new URL("../../", import.meta.url);
const LIST = "src/learning/kinds/kinds.ts";

/** The file of a kind, by the kind's name. */
function fileOf(kind: string): string {
  return `src/learning/kinds/${kind.replaceAll("-", "_")}.ts`;
}

/** The program's files below a folder, by path from the root. */
function* sources(folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(new URL(folder, ROOT))) {
    const path = `${folder}/${name}`;
    if (isDirectory) yield* sources(path);
    else if (/\.(?:ts|js)$/.test(name)) yield path;
  }
}

testReading("no code outside a kind's file asks for the kind", () => {
  const own = new Set(KIND_NAMES.map(fileOf));
  const asked: string[] = [];
  for (const path of sources("src")) {
    const text = Deno.readTextFileSync(new URL(path, ROOT));
    const code = text.replaceAll(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "");
    for (const kind of KIND_NAMES) {
      // A name within a longer text is an example in a message or in help.
      const isNamed = RegExp(`(["'\`])${kind}(?::[\\w=.:-]*)?\\1`).test(code);
      if (isNamed && path !== fileOf(kind)) {
        asked.push(`${path} names ${kind}`);
      }
      const file = fileOf(kind).split("/").at(-1);
      const mayImport = path === LIST || own.has(path);
      if (!mayImport && code.includes(`/${file}"`)) {
        asked.push(`${path} imports ${file}`);
      }
    }
  }
  assert.deepEqual(asked, []);
  for (const kind of KIND_NAMES) {
    const text = Deno.readTextFileSync(new URL(fileOf(kind), ROOT));
    assert.ok(text.includes(`name: "${kind}"`), `${fileOf(kind)} is its file`);
  }
});
