/** A report in a real Chromium. */
import assert from "node:assert/strict";
import { runMain } from "../cli/program_runner.ts";
import { testInChromium } from "./in_chromium.ts";

testInChromium("a report in Chromium", {
  file: "report_checks.ts",
  deadlineMs: 300_000,
  async prepare(folder) {
    const page = `${folder}/report.html`;
    const made = await runMain(["report", "--preset=seed", `--out=${page}`]);
    assert.equal(made.code, 0, made.stderr);
    return page;
  },
  complete: (checks, stderr) => assert.equal(checks, 21, stderr),
});
