/** The features of a raw file with Sparkov's columns by pandas, which reads the same file and knows nothing of the program. */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { canRun } from "../permission.ts";
import { runTool } from "../services/java.ts";
import { pythonProblem, pythonWithNotebook } from "../services/python.ts";

const SCRIPT = fileURLToPath(new URL("sparkov_features.py", import.meta.url));

/** What keeps the oracle from running; undefined if nothing does. */
export const oracleProblem: string | undefined = canRun
  ? pythonProblem
  : "needs --allow-run";

/** A payment's features by pandas. */
export interface OracleRow {
  /** Its TRANSACTION_ID. */
  readonly id: string;
  /** Its features by name. */
  readonly features: Readonly<Record<string, number>>;
}

/** The features of the payments of a file, in order of time; beside it a file is written. */
export async function sparkovFeatures(raw: string): Promise<OracleRow[]> {
  const target = `${raw}.expected`;
  const python = await pythonWithNotebook();
  const { success, output } = await runTool(python, [SCRIPT, raw, target]);
  assert.ok(success, output);
  const text = await Deno.readTextFile(target);
  const [header, ...rows] = text.trimEnd().split("\n");
  const names = header.split(",").slice(1);
  return rows.map((row) => {
    const [id, ...cells] = row.split(",");
    const entries = cells.map((cell, at) => [names[at], Number(cell)] as const);
    return { id, features: Object.fromEntries(entries) };
  });
}

/** Asserts that JSON of a payment has its id and, to the last digits of a double, its features. */
export function assertFeatures(
  json: string,
  { id, features }: OracleRow,
): void {
  const found = JSON.parse(json);
  assert.equal(found.TRANSACTION_ID, id);
  for (const [name, value] of Object.entries(features)) {
    const got = found[name];
    assert.ok(
      Math.abs(got - value) <= 1e-9 * Math.max(1, Math.abs(value)),
      `${name} of payment ${id}: ${got}, pandas has ${value}`,
    );
  }
}
