import assert from "node:assert/strict";
import fc from "fast-check";
import { modelCurves, thinned } from "../../src/report/model_curves.ts";
import { modelSection } from "../../src/report/model_section.ts";
import { htmlPage } from "../../src/report/html_page.ts";
import { ScoreCollector } from "../../src/report/score_collector.ts";
import { textReport } from "../../src/report/text_report.ts";
import { emptyPayment } from "../../src/payment/payment.ts";
import { readMarkup } from "./markup.ts";
import { reportOf, SET_A } from "./statistics_of.ts";

const JUDGED = { name: "a model", period: "some days", days: 2 };

function curvesOf(labels: number[], scores: number[]) {
  return modelCurves(JUDGED, {
    labels: Uint8Array.from(labels),
    scores: Float64Array.from(scores),
    amount: new Float64Array(labels.length).fill(10),
  });
}

const EUROS = { currency: "EUR", decimals: 2 };

Deno.test("modelCurves() of a perfect model reach the corners", () => {
  const curves = curvesOf([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9]);
  assert.ok(curves);
  assert.equal(curves.aucRoc, 1);
  assert.equal(curves.averagePrecision, 1);
  assert.ok(curves.roc.x.some((x, at) => x === 0 && curves.roc.y[at] === 1));
  assert.equal(curves.usual[5].hits, 2);
  assert.equal(curves.usual[5].stoppedAmount, 20);
});

Deno.test("modelCurves() of nothing are none, and of one class have no curve but a page", () => {
  assert.equal(curvesOf([], []), undefined);
  for (const label of [0, 1]) {
    const curves = curvesOf([label, label], [0.1, 0.9]);
    assert.ok(curves);
    const page = htmlPage("A title", [modelSection(curves, EUROS)]);
    readMarkup(page);
    assert.doesNotMatch(page, /NaN|Infinity/);
    const text = textReport("A title", { ...reportOf(SET_A), model: curves });
    assert.doesNotMatch(text, /NaN|Infinity/);
    assert.match(text, /AUC ROC none/);
  }
});

Deno.test("thinned() keeps the ends and points near to every one left out", () => {
  const step = fc.integer({ min: 0, max: 4000 }).map((n) => n / 4000);
  fc.assert(fc.property(fc.array(step, { minLength: 1 }), (numbers) => {
    const x = Float64Array.from(numbers).sort();
    const y = x.map((value) => value * value);
    const curve = thinned(x, y);
    assert.equal(curve.x[0], x[0]);
    assert.equal(curve.x.at(-1), x.at(-1));
    for (let at = 0; at < x.length; at++) {
      assert.ok(curve.x.some((kept, place) => {
        return Math.abs(kept - x[at]) <= 1 / 400 &&
          Math.abs(curve.y[place] - y[at]) <= 1 / 400;
      }));
    }
  }));
});

Deno.test("ScoreCollector scores each payment once, with amount and features, in batches", async () => {
  const batches: number[] = [];
  const scorer = {
    inputs: ["TX_AMOUNT", "RISK"],
    score(values: Float64Array, rows: number, scores: Float64Array) {
      batches.push(rows);
      for (let row = 0; row < rows; row++) {
        scores[row] = values[2 * row] + values[2 * row + 1];
      }
      return Promise.resolve();
    },
  };
  const collector = new ScoreCollector(scorer, ["OTHER", "RISK"], 1000);
  const rows = 10_000;
  for (let at = 0; at < rows; at++) {
    const row = { ...emptyPayment(), amount: at, fraud: at % 2 };
    row.timeSeconds = 86_400 * (1 + at % 3);
    row.datetimeSeconds = 1000 + at;
    assert.ok(collector.wants(row));
    await collector.add(row, Float64Array.of(99, 7, 0.5), 1);
  }
  const { labels, scores, amount } = await collector.finish();
  assert.deepEqual(
    [...scores],
    Array.from({ length: rows }, (_, at) => at + 0.5),
  );
  assert.deepEqual([...labels.subarray(0, 4)], [0, 1, 0, 1]);
  assert.equal(amount[rows - 1], rows - 1);
  assert.equal(collector.days, 3);
  assert.equal(batches.reduce((sum, one) => sum + one, 0), rows);
  assert.ok(batches.length > 1);
});

Deno.test("ScoreCollector does not want payments before its time, whenever their stream began", () => {
  const scorer = { inputs: ["TX_AMOUNT"], score() {} };
  const collector = new ScoreCollector(scorer, [], 2000);
  const at = (datetimeSeconds: number) => ({
    ...emptyPayment(),
    datetimeSeconds,
  });
  assert.ok(!collector.wants({ ...at(1999), timeSeconds: 5000 }));
  assert.ok(collector.wants(at(2000)));
});
