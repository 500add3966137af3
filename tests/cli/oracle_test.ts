/**
 * From raw CSV to features, against tests/oracle: pandas, which reads the same
 * raw file and knows nothing of the program.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { BUILT_IN_DEFINITIONS } from "../../src/definition/built_in.ts";
import { splitRecord } from "../../src/files/csv_records.ts";
import { RAW_COLUMNS, rawSet } from "../definition/raw_sets.ts";
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

/** Sparkov's raw file with whole numbers below 2^31 as ids, and its second half before its first. */
function numberedSet(): string {
  const columns = RAW_COLUMNS.sparkov;
  const places = ["cc_num", "merchant", "trans_num"].map((name) =>
    columns.indexOf(name)
  );
  const numbers = places.map(() => new Map<string, number>());
  const text = [...rawSet("sparkov", { rows: ROWS, cards: CARDS, seed: 4 })];
  const [header, ...lines] = text.join("").trimEnd().split("\n");
  const rows = lines.map((line) => {
    const cells = splitRecord(line, ",") ?? [];
    places.forEach((place, at) => {
      const known = numbers[at];
      const number = known.get(cells[place]) ?? 7 + 13 * known.size;
      known.set(cells[place], number);
      cells[place] = String(number);
    });
    return cells.map((cell) =>
      /[",]/.test(cell) ? JSON.stringify(cell.replaceAll('"', "")) : cell
    )
      .join();
  });
  const half = rows.length >> 1;
  return [header, ...rows.slice(half), ...rows.slice(0, half)].join("\n");
}

const DEFINITION = BUILT_IN_DEFINITIONS.sparkov
  .replace(": trans_num", ": { from: trans_num, type: number }")
  .replace(": cc_num", ": { from: cc_num, type: number }")
  .replace(": merchant", ": { from: merchant, type: number }");

const problem = canRun ? pythonProblem : "needs --allow-run";

Deno.test({
  name: "features of an imported raw file equal those of pandas" +
    (problem === undefined ? "" : ` (${problem})`),
  ignore: problem !== undefined,
  fn: async () => {
    await using temporary = temporaryFolder();
    const folder = temporary.path;
    const python = await pythonWithNotebook();
    await Deno.writeTextFile(`${folder}/raw.csv`, numberedSet());
    await Deno.writeTextFile(`${folder}/stream.yaml`, DEFINITION);
    for (
      const args of [
        ["import", "--definition=stream.yaml", "--in=raw.csv", "--out=data"],
        ["features", "--in=data", "--out=features.jsonl"],
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
    const [header, ...rows] = expected.trimEnd().split("\n");
    const names = header.split(",");
    const lines = found.trimEnd().split("\n");
    assert.deepEqual([rows.length, lines.length], [ROWS, ROWS]);
    rows.forEach((row, at) => {
      const features = JSON.parse(lines[at]);
      row.split(",").forEach((cell, column) => {
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
