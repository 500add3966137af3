/**
 * The page in a real Chromium (Debian's, found by its name or by
 * FRAUDSTREAM_CHROMIUM); ignored, by name, where there is none.
 */
import assert from "node:assert/strict";
import { temporaryFolder } from "../temporary_folder.ts";
import { findChromium } from "./chromium.ts";

const CHECKS = new URL("./browser_checks.ts", import.meta.url).pathname;
/** What a whole look at the page may take. */
const DEADLINE_MS = 900_000;

const chromium = findChromium();

Deno.test({
  name: chromium
    ? "the page in Chromium"
    : "the page in Chromium (needs chromium and --allow-run)",
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
    const stderr = new Response(child.stderr).text();
    const stdout = await new Response(child.stdout).text();
    const { code } = await child.status;
    const checks: { name: string; error?: string }[] = stdout.split("\n")
      .filter((line) => line !== "").map((line) => JSON.parse(line));
    for (const { name, error } of checks) {
      await t.step(name, () => {
        assert.equal(error ?? "no error", "no error");
      });
    }
    assert.equal(code, 0, await stderr);
    assert.ok(checks.length > 40, `${checks.length} checks\n${await stderr}`);
  },
});
