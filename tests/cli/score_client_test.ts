/** The Python client of docs/examples repeats a payment until it is decided. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { canRun, canWrite } from "../permission.ts";
import { freePort } from "../services/free_port.ts";
import { runTool } from "../services/java.ts";
import { pythonProblem, pythonWithSchemathesis } from "../services/python.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { outcomeOf, startProgram } from "./program_runner.ts";

const CLIENT = fileURLToPath(
  new URL("../../docs/examples/score_client.py", import.meta.url),
);
const problem = canRun && canWrite ? pythonProblem : "needs --allow-run";
const name = "the Python client gets a decision from a program that starts " +
  "after it, and none for another amount under that id";

Deno.test({
  name: problem === undefined ? name : `${name} (${problem})`,
  ignore: problem !== undefined,
  fn: async () => {
    await using folder = temporaryFolder();
    const port = freePort();
    const python = await pythonWithSchemathesis(); // it has requests
    const url = `http://127.0.0.1:${port}/v1/score`;
    // Nobody listens yet, so it has to repeat.
    const paid = runTool(python, [CLIENT, "4711", "12.50", url]);
    const child = startProgram([
      ...["run", "--definition=live", "--model=built-in"],
      `--api-port=${port}`,
      `--data=${join(folder.path, "data")}`,
    ], {
      permissions: ["--allow-read", "--allow-write", "--allow-net=127.0.0.1"],
    });
    const outcome = outcomeOf(child);
    await child.stdin.close();
    const { success, output } = await paid;
    const other = await runTool(python, [CLIENT, "4711", "12.60", url]);
    child.kill("SIGTERM");
    const { code, stderr } = await outcome;
    assert.ok(success, output);
    assert.match(output, /^\{'TRANSACTION_ID': 4711, 'DECISION': 'approve'/);
    assert.equal(other.success, false);
    assert.match(other.output, /409 Client Error: Conflict/);
    assert.equal(code, 0, stderr);
  },
});
