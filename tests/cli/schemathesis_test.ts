/**
 * Schemathesis sends the API requests that its OpenAPI document describes, and
 * requests that it does not, and checks every answer against it.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { fileURLToPath } from "node:url";
import { isLong } from "../long.ts";
import { canRun, canWrite } from "../permission.ts";
import { freePort } from "../services/free_port.ts";
import { runTool } from "../services/java.ts";
import { pythonProblem, pythonWithSchemathesis } from "../services/python.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { outcomeOf, startProgram } from "./program_runner.ts";

/** Where its configuration and its hooks are. */
const SERVICES = fileURLToPath(new URL("../services", import.meta.url));
/**
 * The script that pip makes names the folder in which the environment was made,
 * so this starts it: with a folder of modules and one to work in.
 */
const START = "import os, sys; sys.path.insert(0, sys.argv.pop(1)); " +
  "os.chdir(sys.argv.pop(1)); " +
  "from schemathesis.cli import schemathesis; schemathesis()";
const SEED = 1;
const EXAMPLES = isLong ? 200 : 20;
const READY_MS = 60_000;
const POLL_MS = 50;

/** Waits until a path is answered with 200. */
async function untilOk(url: string): Promise<void> {
  const deadline = performance.now() + READY_MS;
  while (performance.now() < deadline) {
    try {
      const response = await fetch(url);
      await response.body?.cancel();
      if (response.ok) return;
    } catch {
      // It does not listen yet.
    }
    await delay(POLL_MS);
  }
  throw new Error(`${url} was not answered with 200 in time`);
}

/** What keeps the test from running; undefined if nothing does. */
async function findProblem(): Promise<string | undefined> {
  if (!canRun || !canWrite) {
    return "needs --allow-read --allow-write --allow-run";
  }
  if (pythonProblem !== undefined) return pythonProblem;
  try {
    await pythonWithSchemathesis();
    return undefined;
  } catch {
    return "needs Schemathesis, which pip could not install";
  }
}

/** Runs all checks on the API at a port. */
async function testApi(
  port: number,
  folder: string,
): Promise<{ readonly success: boolean; readonly output: string }> {
  const url = `http://127.0.0.1:${port}`;
  await untilOk(`${url}/readyz`);
  return await runTool(await pythonWithSchemathesis(), [
    ...["-c", START, SERVICES, folder],
    `--config-file=${join(SERVICES, "schemathesis.toml")}`,
    ...["run", `${url}/openapi.json`, "--no-color", "--checks=all"],
    ...[`--seed=${SEED}`, `--max-examples=${EXAMPLES}`],
    "--generation-database=none",
  ]);
}

const problem = await findProblem();
const name = "all checks of Schemathesis pass on the API";
Deno.test({
  name: problem === undefined ? name : `${name} (${problem})`,
  ignore: problem !== undefined,
  fn: async () => {
    await using folder = temporaryFolder();
    const port = freePort();
    const child = startProgram([
      ...["run", "--definition=live", "--model=built-in"],
      `--api-port=${port}`,
      `--data=${join(folder.path, "data")}`,
    ], {
      permissions: ["--allow-read", "--allow-write", "--allow-net=127.0.0.1"],
    });
    const outcome = outcomeOf(child);
    await child.stdin.close();
    const found = await testApi(port, folder.path).finally(() => {
      child.kill("SIGTERM");
      return outcome;
    });
    assert.ok(found.success, found.output);
    assert.match(found.output, /(\d{3,}) generated, \1 passed/);
    const { code, stderr } = await outcome;
    assert.equal(code, 0, stderr);
  },
});
