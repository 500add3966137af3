/**
 * The charts of page and report in a real Chromium (Debian's, found by its name
 * or by FRAUDSTREAM_CHROMIUM); ignored, by name, where there is none.
 */
import assert from "node:assert/strict";
import { temporaryFolder } from "../temporary_folder.ts";
import { findChromium } from "./chromium.ts";

const CHECKS = new URL("./chart_checks.ts", import.meta.url).pathname;
/** What all checks may take. */
const DEADLINE_MS = 300_000;
/** Three windows: two checks for each of two views, of the pointer, of dates and of the report. */
const CHECK_COUNT = 3 * (2 * 2 + 3);

const chromium = findChromium();

Deno.test({
  name: chromium
    ? "charts in Chromium"
    : "charts in Chromium (needs chromium and --allow-run)",
  ignore: !chromium,
  async fn(t) {
    await using folder = temporaryFolder();
    const child = new Deno.Command(Deno.execPath(), {
      // Its driver reads what no folder's permission covers.
      args: [
        "run",
        "--quiet",
        "--allow-all",
        CHECKS,
        chromium ?? "",
        folder.path,
      ],
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
      await t.step(name, () => assert.equal(error ?? "no error", "no error"));
    }
    assert.equal(code, 0, stderr);
    assert.equal(checks.length, CHECK_COUNT, stderr);
  },
});
