import assert from "node:assert/strict";
import { join } from "node:path";
import { ApiTokens, parseApiTokens } from "../../src/api/http/api_tokens.ts";
import { keptLog } from "../api/memory_api.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { runMain, testRunning } from "./program_runner.ts";

testRunning("token prints a token and the line that lets it in", async () => {
  const { code, stdout, stderr } = await runMain(
    ["token", "till", "--scopes=score,read"],
    { permissions: ["--allow-read"] },
  );
  assert.deepEqual([code, stderr], [0, ""]);
  const [, token, line] =
    /^token: (fst_[\w-]{43})\nline: {2}(.*)\n$/.exec(stdout) ?? [];
  assert.ok(token, stdout);
  const [{ name, scopes }] = parseApiTokens(line, "tokens");
  assert.deepEqual([name, [...scopes]], ["till", ["score", "read"]]);
});

testRunning("token --append adds lines to a file of tokens only", async () => {
  await using folder = temporaryFolder();
  const path = join(folder.path, "tokens");
  const made: string[] = [];
  for (const name of ["till", "desk"]) {
    const { code, stdout } = await runMain(["token", name, `--append=${path}`]);
    assert.equal(code, 0);
    made.push(stdout.trim());
  }
  const tokens = new ApiTokens(path, keptLog());
  const names = made.map((token) => tokens.find(`Bearer ${token}`)?.name);
  assert.deepEqual(names, ["till", "desk"]);
  assert.equal((Deno.statSync(path).mode ?? 0) & 0o777, 0o600);
  const other = join(folder.path, "notes");
  Deno.writeTextFileSync(other, "milk, eggs");
  const refused = await runMain(["token", "till", `--append=${other}`]);
  assert.equal(refused.code, 2);
  assert.match(refused.stderr, /notes:1: a line must be a name/);
  assert.equal(Deno.readTextFileSync(other), "milk, eggs");
});

testRunning("token refuses scopes and names that there are not", async () => {
  for (
    const [args, message] of [
      [["till", "--scopes=all,sore"], /the scopes must be some of score,/],
      [["a b"], /the name of a token must be/],
      [[], /name the token: /],
    ] as const
  ) {
    const { code, stdout, stderr } = await runMain(["token", ...args]);
    assert.deepEqual([code, stdout], [2, ""]);
    assert.match(stderr, message);
  }
});
