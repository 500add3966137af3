/** The charts of page and report in a real Chromium. */
import assert from "node:assert/strict";
import { testInChromium } from "./in_chromium.ts";

/** Three windows: two checks for each of two views, of the pointer, of dates and of the report. */
const CHECK_COUNT = 3 * (2 * 2 + 3);

testInChromium("charts in Chromium", {
  file: "chart_checks.ts",
  deadlineMs: 300_000,
  complete: (checks, stderr) => assert.equal(checks, CHECK_COUNT, stderr),
});
