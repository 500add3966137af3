/**
 * What clients of the API saw, against what the stream holds: the files that
 * check_history.py reads, and its verdict.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { canRun, canWrite } from "../permission.ts";
import { runTool } from "../services/java.ts";

const SCRIPT = fileURLToPath(new URL("check_history.py", import.meta.url));

/** The files that the checker reads, without `.jsonl`. */
export type HistoryFile =
  | "history"
  | "payments"
  | "predictions"
  | "letters"
  | "stored"
  | "scored";

/** What keeps the checker from running; undefined if nothing does. */
export const checkerProblem: string | undefined = findProblem();

/** Writes one of the checker's files. */
export async function writeHistoryFile(
  folder: string,
  name: HistoryFile,
  rows: readonly unknown[],
): Promise<void> {
  const lines = rows.map((row) => `${JSON.stringify(row)}\n`);
  await Deno.writeTextFile(join(folder, `${name}.jsonl`), lines.join(""));
}

/** Runs the checker on a folder; returns whether all was right, and its lines. */
export async function checkHistory(
  folder: string,
): Promise<{ readonly success: boolean; readonly output: string }> {
  return await runTool("python3", [SCRIPT, folder]);
}

/** Asserts that a folder has no fault; returns the checker's counts. */
export async function assertHistory(folder: string): Promise<string> {
  const { success, output } = await checkHistory(folder);
  assert.ok(success, output);
  return output;
}

function findProblem(): string | undefined {
  if (!canRun || !canWrite) {
    return "needs --allow-read --allow-write --allow-run";
  }
  if (Deno.build.os === "windows") return "needs Linux or macOS";
  const { success } = new Deno.Command("sh", {
    args: [
      "-c",
      "python3 -c 'import sys; sys.exit(sys.version_info < (3, 9))'",
    ],
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).outputSync();
  return success ? undefined : "needs python3, 3.9 or later";
}
