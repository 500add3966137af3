/**
 * Tests that run in a real Chromium (Debian's, found by its name or by
 * FRAUDSTREAM_CHROMIUM); ignored, by name, where there is none. The checks run
 * in a program of their own with all permissions, which the driver of the
 * browser needs, and report one line of JSON per check: {"name", "error"}.
 */
import assert from "node:assert/strict";
import { temporaryFolder } from "../temporary_folder.ts";
import { findChromium } from "./chromium.ts";

/** A program of checks. */
export interface ChromiumChecks {
  /** Its file in this folder. */
  readonly file: string;
  /** How long all checks may take, in milliseconds. */
  readonly deadlineMs: number;
  /** Prepares what is checked in a new folder, and returns the path that the program gets; the folder itself without it. */
  readonly prepare?: (folder: string) => Promise<string>;
  /** Asserts that no check is missing. */
  readonly complete: (checks: number, stderr: string) => void;
}

/** Registers a test with a step for each check. */
export function testInChromium(name: string, checks: ChromiumChecks): void {
  const chromium = findChromium();
  const { file, deadlineMs, prepare, complete } = checks;
  Deno.test({
    name: chromium ? name : `${name} (needs chromium and --allow-run)`,
    ignore: !chromium,
    async fn(t) {
      await using folder = temporaryFolder();
      const path = await prepare?.(folder.path) ?? folder.path;
      const script = new URL(file, import.meta.url).pathname;
      const child = new Deno.Command(Deno.execPath(), {
        args: ["run", "--quiet", "--allow-all", script, chromium ?? "", path],
        stdin: "null",
        stdout: "piped",
        stderr: "piped",
        signal: AbortSignal.timeout(deadlineMs),
      }).spawn();
      const [stdout, stderr, { code }] = await Promise.all([
        new Response(child.stdout).text(),
        new Response(child.stderr).text(),
        child.status,
      ]);
      const found: { name: string; error?: string }[] = stdout.split("\n")
        .filter((line) => line !== "").map((line) => JSON.parse(line));
      for (const { name, error } of found) {
        await t.step(name, () => assert.equal(error ?? "no error", "no error"));
      }
      assert.equal(code, 0, stderr);
      complete(found.length, stderr);
    },
  });
}
