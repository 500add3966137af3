/**
 * From raw CSV to features, against tests/oracle: pandas, which reads the same
 * raw file and knows nothing of the program.
 */
import assert from "node:assert/strict";
import { rawSet } from "../definition/raw_sets.ts";
import {
  assertFeatures,
  oracleProblem,
  sparkovFeatures,
} from "../oracle/sparkov_oracle.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { runMain } from "./program_runner.ts";

const ROWS = 100_000;

/** Few enough that their windows hold many payments. */
const CARDS = 400;

/** Sparkov's raw file, its second half before its first. */
function unsortedSet(): string {
  const text = [...rawSet("sparkov", { rows: ROWS, cards: CARDS, seed: 4 })];
  const [header, ...rows] = text.join("").trimEnd().split("\n");
  const half = rows.length >> 1;
  return [header, ...rows.slice(half), ...rows.slice(0, half)].join("\n");
}

Deno.test({
  name: "features of a raw file equal those of pandas, imported or not" +
    (oracleProblem === undefined ? "" : ` (${oracleProblem})`),
  ignore: oracleProblem !== undefined,
  fn: async () => {
    await using temporary = temporaryFolder();
    const folder = temporary.path;
    await Deno.writeTextFile(`${folder}/raw.csv`, unsortedSet());
    const raw = ["--definition=sparkov", "--in=raw.csv"];
    for (
      const args of [
        ["features", ...raw, "--out=features.jsonl"],
        ["import", ...raw, "--out=data"],
        ["features", "--in=data", "--out=imported.jsonl"],
      ]
    ) {
      const { code, stderr } = await runMain(args, { cwd: folder });
      assert.equal(code, 0, stderr);
    }
    const expected = await sparkovFeatures(`${folder}/raw.csv`);
    const found = await Deno.readTextFile(`${folder}/features.jsonl`);
    const imported = await Deno.readTextFile(`${folder}/imported.jsonl`);
    assert.ok(imported === found, "imported or not makes a difference");
    const lines = found.trimEnd().split("\n");
    assert.deepEqual([expected.length, lines.length], [ROWS, ROWS]);
    expected.forEach((row, at) => assertFeatures(lines[at], row));
  },
});
