/** The features of raw files by pandas, which reads the same file and knows nothing of the program. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import type { RawSetName } from "../definition/raw_sets.ts";
import { canRun } from "../permission.ts";
import { runTool } from "../services/java.ts";
import { pythonProblem, pythonWithNotebook } from "../services/python.ts";

const SCRIPT = fileURLToPath(new URL("raw_features.py", import.meta.url));

/** What keeps the oracle from running; undefined if nothing does. */
export const oracleProblem: string | undefined = canRun
  ? pythonProblem
  : "needs --allow-run";

/** A row of results by the names of its fields. */
export type ResultRow = Readonly<Record<string, unknown>>;

/** What a file of results is compared with. */
export interface OracleInput {
  /** Whose columns the raw file has. */
  readonly set: RawSetName;
  /** Path of the raw file; beside it a file is written. */
  readonly raw: string;
  /** Which of the payments of one second come first. */
  readonly ties?: "input" | "id";
  /** Fields that the oracle has besides. */
  readonly without?: readonly string[];
}

/** Asserts that a file of JSON Lines has `rows` payments: their ids and, to the last digits of a double, their features by pandas. Returns its rows. */
export async function assertEqualsOracle(
  found: string,
  rows: number,
  { set, raw, ties = "input", without = [] }: OracleInput,
): Promise<ResultRow[]> {
  const target = `${raw}.expected.jsonl`;
  const { success, output } = await runTool(await pythonWithNotebook(), [
    ...[SCRIPT, set, raw, target, ties],
  ]);
  assert.ok(success, output);
  const results = await rowsIn(found);
  const byId = new Map(results.map((row) => [String(row.TRANSACTION_ID), row]));
  const expected = await rowsIn(target);
  assert.deepEqual([expected.length, byId.size], [rows, rows]);
  for (const row of expected) {
    const got = byId.get(String(row.TRANSACTION_ID));
    assert.ok(got, `no ${row.TRANSACTION_ID}`);
    for (const [name, value] of Object.entries(row)) {
      if (!without.includes(name)) assertEqual(got[name], value, name, row);
    }
  }
  return results;
}

function assertEqual(
  got: unknown,
  value: unknown,
  name: string,
  { TRANSACTION_ID: id }: ResultRow,
): void {
  const isEqual = typeof value === "number"
    ? typeof got === "number" &&
      Math.abs(got - value) <= 1e-9 * Math.max(1, Math.abs(value))
    : String(got) === value;
  assert.ok(isEqual, `${name} of ${id}: ${got}, pandas has ${value}`);
}

async function rowsIn(path: string): Promise<ResultRow[]> {
  const text = await Deno.readTextFile(path);
  return text.trimEnd().split("\n").map((line) => JSON.parse(line));
}
