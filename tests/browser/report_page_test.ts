/**
 * A report in a real Chromium (Debian's, found by its name or by
 * FRAUDSTREAM_CHROMIUM); ignored, by name, where there is none.
 */
import assert from "node:assert/strict";
import { runMain } from "../cli/program_runner.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { findChromium } from "./chromium.ts";

const CHECKS = new URL("./report_checks.ts", import.meta.url).pathname;
/** What all checks may take. */
const DEADLINE_MS = 300_000;

const chromium = findChromium();

Deno.test({
  name: chromium
    ? "a report in Chromium"
    : "a report in Chromium (needs chromium and --allow-run)",
  ignore: !chromium,
  async fn(t) {
    await using folder = temporaryFolder();
    const page = `${folder.path}/report.html`;
    const made = await runMain(["report", "--preset=seed", `--out=${page}`]);
    assert.equal(made.code, 0, made.stderr);
    const child = new Deno.Command(Deno.execPath(), {
      // Its driver reads what no folder's permission covers.
      args: ["run", "--quiet", "--allow-all", CHECKS, chromium ?? "", page],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      signal: AbortSignal.timeout(DEADLINE_MS),
    }).spawn();
    const [stdout, stderr, { code }] = await Promise.all([
      new Response(child.stdout).text(),
      new Response(child.stderr).text(),
      child.status,
    ]);
    const checks: { name: string; error?: string }[] = stdout.split("\n")
      .filter((line) => line !== "").map((line) => JSON.parse(line));
    for (const { name, error } of checks) {
      await t.step(name, () => assert.equal(error, undefined));
    }
    assert.equal(code, 0, stderr);
    assert.equal(checks.length, 21, stderr);
  },
});
