/** The page in a real Chromium. */
import assert from "node:assert/strict";
import { testInChromium } from "./in_chromium.ts";

testInChromium("the page in Chromium", {
  file: "browser_checks.ts",
  deadlineMs: 900_000,
  complete: (checks, stderr) =>
    assert.ok(checks > 40, `${checks} checks\n${stderr}`),
});
