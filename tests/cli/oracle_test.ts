/**
 * From raw CSV to features, against tests/oracle: pandas, which reads the same
 * raw file and knows nothing of the program.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { rawSet } from "../definition/raw_sets.ts";
import { canRun } from "../permission.ts";
import { runTool } from "../services/java.ts";
import { pythonProblem, pythonWithNotebook } from "../services/python.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { runMain } from "./program_runner.ts";

const ORACLE = fileURLToPath(
  new URL("../oracle/sparkov_features.py", import.meta.url),
);

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

const problem = canRun ? pythonProblem : "needs --allow-run";

Deno.test({
  name: "features of a raw file equal those of pandas, imported or not" +
    (problem === undefined ? "" : ` (${problem})`),
  ignore: problem !== undefined,
  fn: async () => {
    await using temporary = temporaryFolder();
    const folder = temporary.path;
    const python = await pythonWithNotebook();
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
    const { success, output } = await runTool(python, [
      ORACLE,
      `${folder}/raw.csv`,
      `${folder}/expected.csv`,
    ]);
    assert.ok(success, output);
    const expected = await Deno.readTextFile(`${folder}/expected.csv`);
    const found = await Deno.readTextFile(`${folder}/features.jsonl`);
    const imported = await Deno.readTextFile(`${folder}/imported.jsonl`);
    assert.ok(imported === found, "imported or not makes a difference");
    const [header, ...rows] = expected.trimEnd().split("\n");
    const names = header.split(",").slice(1);
    const lines = found.trimEnd().split("\n");
    assert.deepEqual([rows.length, lines.length], [ROWS, ROWS]);
    rows.forEach((row, at) => {
      const features = JSON.parse(lines[at]);
      const [id, ...cells] = row.split(",");
      assert.equal(features.TRANSACTION_ID, id);
      cells.forEach((cell, column) => {
        const value = Number(cell);
        const got = features[names[column]];
        assert.ok(
          Math.abs(got - value) <= 1e-9 * Math.max(1, Math.abs(value)),
          `${names[column]} of payment ${features.TRANSACTION_ID}: ` +
            `${got}, pandas has ${value}`,
        );
      });
    });
  },
});
