/**
 * Schemathesis sends the API requests that its OpenAPI document describes, and
 * requests that it does not, and checks every answer against it.
 */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { SCOPES } from "../../src/api/http/api_tokens.ts";
import { isLong } from "../long.ts";
import { canRun, canWrite } from "../permission.ts";
import { runTool } from "../services/java.ts";
import { pythonProblem, pythonWithSchemathesis } from "../services/python.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { startApi } from "./api_program.ts";

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
/** What may ask for everything. */
const TOKEN = `fst_${"A".repeat(43)}`;
const EXAMPLES = isLong ? 200 : 20;

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

/** Runs all checks on the API at an address, with a token where it has tokens. */
async function testApi(
  url: string,
  folder: string,
  hasTokens: boolean,
): Promise<{ readonly success: boolean; readonly output: string }> {
  return await runTool(await pythonWithSchemathesis(), [
    ...["-c", START, SERVICES, folder],
    `--config-file=${join(SERVICES, "schemathesis.toml")}`,
    ...["run", `${url}/openapi.json`, "--no-color", "--checks=all"],
    ...[`--seed=${SEED}`, `--max-examples=${EXAMPLES}`],
    "--generation-database=none",
    ...hasTokens ? [`--header=Authorization: Bearer ${TOKEN}`] : [],
  ]);
}

const problem = await findProblem();
for (const hasTokens of [false, true]) {
  const name = "all checks of Schemathesis pass on the API" +
    (hasTokens ? " with tokens" : "");
  Deno.test({
    name: problem === undefined ? name : `${name} (${problem})`,
    ignore: problem !== undefined,
    fn: async () => {
      await using folder = temporaryFolder();
      const tokens = join(folder.path, "tokens");
      const digest = createHash("sha256").update(TOKEN).digest("hex");
      Deno.writeTextFileSync(tokens, `all ${SCOPES.join()} ${digest}\n`);
      await using program = await startApi([
        ...["--definition=live", "--model=built-in"],
        `--data=${join(folder.path, "data")}`,
        ...hasTokens ? [`--api-tokens=${tokens}`] : [],
      ]);
      const found = await testApi(program.url, folder.path, hasTokens);
      assert.ok(found.success, found.output);
      assert.match(found.output, /(\d{3,}) generated, \1 passed/);
      const { code, stderr } = await program.stop();
      assert.equal(code, 0, stderr);
    },
  });
}
