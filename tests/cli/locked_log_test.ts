/** Ctrl-C ends a run that waits for a lock that another process does not let go of. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { temporaryFolder } from "../temporary_folder.ts";
import {
  outcomeOf,
  runMain,
  startProgram,
  testRunning,
} from "./program_runner.ts";

const STREAM = [
  "run",
  "--role=producer,processor,writer",
  "--customers=20",
  "--terminals=40",
  "--days=3",
];

testRunning(
  "Ctrl-C ends a run that waits for the log's lock, and reading waits for nobody",
  async () => {
    await using folder = temporaryFolder();
    const data = join(folder.path, "data");
    const whole = await runMain([...STREAM, "--rate=max", `--data=${data}`]);
    assert.equal(whole.code, 0, whole.stderr);
    const database = new DatabaseSync(join(data, "log.db"));
    try {
      database.exec("BEGIN IMMEDIATE");
      const status = await runMain(["status", `--data=${data}`]);
      assert.equal(status.code, 0, status.stderr);
      const waiting = startProgram([...STREAM, `--data=${data}`]);
      const ended = outcomeOf(waiting);
      await waiting.stdin.close();
      // It holds the role's lock from just before it waits for the log's.
      const pid = join(data, "writer.lock.pid");
      while (!isThere(pid)) await new Promise((next) => setTimeout(next, 5));
      waiting.kill("SIGINT");
      const { code, stderr } = await ended;
      assert.match(stderr, /stopped by SIGINT/);
      assert.equal(code, 1);
    } finally {
      database.close();
    }
  },
);

function isThere(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}
