/** Compares features with those that pandas computes from a raw file, knowing nothing of the program. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import type { RawSetName } from "../definition/raw_sets.ts";
import { canRun } from "../permission.ts";
import { runTool } from "../services/java.ts";
import { pythonProblem, pythonWithNotebook } from "../services/python.ts";

const ORACLE = fileURLToPath(new URL("raw_features.py", import.meta.url));

/** What keeps the oracle from running; undefined if nothing does. */
export const oracleProblem: string | undefined = canRun
  ? pythonProblem
  : "needs --allow-run";

/** A row of results. */
export type Row = Readonly<Record<string, unknown>>;

/** Which of the payments of one second come first. */
export type Ties = "input" | "id";

/** Compares a file of features with those of a raw file by the oracle. */
export async function assertEqualsOracle(
  folder: string,
  { set, raw, found = "found.jsonl", ties = "input", without = [] }: {
    readonly set: RawSetName;
    readonly raw: string;
    readonly found?: string;
    readonly ties?: Ties;
    /** What the oracle has besides. */
    readonly without?: readonly string[];
  },
): Promise<void> {
  const expected = `${folder}/expected.jsonl`;
  const { success, output } = await runTool(await pythonWithNotebook(), [
    ORACLE,
    set,
    `${folder}/${raw}`,
    expected,
    ties,
  ]);
  assert.ok(success, output);
  const byId = new Map(
    (await rowsIn(`${folder}/${found}`))
      .map((row) => [String(row.TRANSACTION_ID), row]),
  );
  const rows = await rowsIn(expected);
  assert.ok(rows.length > 0);
  assert.equal(byId.size, rows.length);
  for (const row of rows) {
    const got = byId.get(String(row.TRANSACTION_ID));
    assert.ok(got, `no ${row.TRANSACTION_ID}`);
    for (const [name, value] of Object.entries(row)) {
      if (!without.includes(name)) assertEqual(got[name], value, name, row);
    }
  }
}

function assertEqual(
  got: unknown,
  value: unknown,
  name: string,
  { TRANSACTION_ID: id }: Row,
): void {
  const isEqual = typeof value === "number"
    ? typeof got === "number" &&
      Math.abs(got - value) <= 1e-9 * Math.max(1, Math.abs(value))
    : String(got) === value;
  assert.ok(isEqual, `${name} of ${id}: ${got}, pandas has ${value}`);
}

/** The rows of a file of JSON lines. */
export async function rowsIn(path: string): Promise<Row[]> {
  const text = await Deno.readTextFile(path);
  return text.trimEnd().split("\n").map((line) => JSON.parse(line));
}
