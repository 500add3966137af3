/** Cells are named: `cells[at + CELL.time]`, never `cells[at + 5]`. */
import assert from "node:assert/strict";
import { testReading } from "../permission.ts";

const ROOT = new URL("../../", import.meta.url);

/** Files whose cells are none of a payment: a feature row of its id and values, rows of a comparison, bins of a tree. */
const OTHERS = [
  "src/cli/commands/features.ts",
  "src/stream/verify_store.ts",
  "src/learning/kinds/tree_grower.ts",
];

/** A number, alone or added, for a place in cells or a pack. */
const NUMBERED = /(?:[cC]ells|\bpack)\[(?:[\w.]+ ?\+ ?)?\d+\]/;

function* filesOf(folder: string): Generator<string> {
  for (const { name, isDirectory } of Deno.readDirSync(new URL(folder, ROOT))) {
    const path = `${folder}/${name}`;
    if (isDirectory) yield* filesOf(path);
    else if (name.endsWith(".ts")) yield path;
  }
}

Deno.test("the pattern finds numbered cells, and only those", () => {
  for (
    const line of ["cells[at + 5]", "row.cells[0]", "#cells[1]", "pack[at+2]"]
  ) assert.match(line, NUMBERED);
  for (
    const line of ["cells[at + CELL.time]", "cells[at + i]", "values[0]"]
  ) assert.doesNotMatch(line, NUMBERED);
});

testReading("no source has numbered cells", () => {
  for (const path of filesOf("src")) {
    if (OTHERS.includes(path)) continue;
    const text = Deno.readTextFileSync(new URL(path, ROOT));
    for (const [i, line] of text.split("\n").entries()) {
      assert.doesNotMatch(line, NUMBERED, `${path}:${i + 1}`);
    }
  }
});
