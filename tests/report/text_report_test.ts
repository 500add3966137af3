import assert from "node:assert/strict";
import fc from "fast-check";
import {
  columnChart,
  TEXT_COLUMNS,
  textReport,
  wrapped,
} from "../../src/report/text_report.ts";
import { ownReports } from "./own_reports.ts";
import { reportOf, SET_A, SET_B, statisticsOf } from "./statistics_of.ts";

Deno.test("textReport() fits 80 columns and has nothing that a terminal obeys", () => {
  const own = ownReports().map(([, data]) => data);
  for (const data of [reportOf(SET_A), reportOf(SET_B), ...own]) {
    const source = `payments in ${"a folder ".repeat(20)}\u001b[2J${
      "x".repeat(200)
    }`;
    const text = textReport("Title", { ...data, source });
    for (const line of text.split("\n")) {
      assert.ok([...line].length <= TEXT_COLUMNS, line);
      assert.doesNotMatch(line, /\p{Cc}| $|NaN|Infinity|undefined/u);
    }
    assert.match(text, /\n$/);
  }
});

Deno.test("textReport() of set A has its counts", () => {
  const text = textReport("Title", reportOf(SET_A));
  for (
    const line of [
      /^payments +2,555 +2018-04-01 to 2018-04-30$/m,
      /^frauds +1,058 +41\.41 % of the payments$/m,
      /^2: terminal compromised +569 +53\.8 % +█+/m,
      /^TERMINAL_ID_RISK_7DAY_WINDOW /m,
    ]
  ) assert.match(text, line);
});

Deno.test("textReport() of no payments says so", () => {
  const data = {
    ...reportOf({ ...SET_A, days: 1 }),
    statistics: statisticsOf([]),
  };
  const text = textReport("Title", data);
  assert.match(text, /There are no payments\.\n$/);
  assert.doesNotMatch(text, /NaN|Infinity|undefined/);
});

Deno.test("columnChart() draws the greatest number full and each number above 0 at all", () => {
  const lines = columnChart([0, 1, 500, 1000], 2);
  assert.deepEqual(lines, ["     1,000    █", "         0  ▁██"]);
  const heights = fc.array(fc.double({ min: 0, max: 1e6, noNaN: true }));
  fc.assert(fc.property(heights, (heights) => {
    const chart = columnChart(heights, 3).map((line) => [...line].slice(11));
    heights.forEach((height, column) => {
      const filled = chart.some((line) => (line[column] ?? " ") !== " ");
      assert.equal(filled, height > 0);
    });
  }));
});

Deno.test("wrapped() keeps all words and never exceeds the columns", () => {
  const word = fc.stringMatching(/^[a-z]{1,12}$/);
  fc.assert(fc.property(fc.array(word, { minLength: 1 }), (words) => {
    const lines = wrapped(words.join(" "), 20);
    assert.deepEqual(lines.join(" ").split(" "), words);
    for (const line of lines) assert.ok(line.length <= 20);
  }));
});
