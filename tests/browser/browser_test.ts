/**
 * The page in a real Chromium (Debian's, found by its name or by
 * FRAUDSTREAM_CHROMIUM); ignored, by name, where there is none.
 */
import assert from "node:assert/strict";
import { canRun, canWrite } from "../permission.ts";
import { temporaryFolder } from "../temporary_folder.ts";

const CHECKS = new URL("./browser_checks.ts", import.meta.url).pathname;
const PLACES = [
  "/usr/bin/chromium",
  "/usr/bin/chromium-browser",
  "/usr/bin/google-chrome",
];
/** What a whole look at the page may take. */
const DEADLINE_MS = 420_000;

function findChromium(): string | undefined {
  if (!canRun || !canWrite) return undefined;
  const variable = "FRAUDSTREAM_CHROMIUM";
  const { state } = Deno.permissions.querySync({ name: "env", variable });
  const named = state === "granted" ? Deno.env.get(variable) : undefined;
  return [...named ? [named] : [], ...PLACES].find((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false;
    }
  });
}

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
