import assert from "node:assert/strict";
import fc from "fast-check";
import type { KeptShape } from "../../src/payment/payment_shape.ts";
import { NO_TEXT, TextHeap } from "../../src/payment/text_heap.ts";
import { aucOf, type Outcome } from "../../src/report/feature_statistics.ts";
import { Histogram } from "../../src/report/histogram.ts";
import {
  keptCollector,
  type KeptStatistics,
  originOf,
} from "../../src/report/kept_statistics.ts";

interface Row {
  readonly value: string | number | null;
  readonly outcome: Outcome;
}

const outcome = fc.constantFrom<Outcome>("genuine", "fraud", "unknown");

function rowsOf(value: fc.Arbitrary<string | number>): fc.Arbitrary<Row[]> {
  return fc.array(fc.record({
    value: fc.option(value, { freq: 6 }),
    outcome,
  }));
}

function statisticsOf(
  type: KeptShape["type"],
  rows: readonly Row[],
): KeptStatistics {
  const collector = keptCollector({ name: "field", type });
  const texts = new TextHeap();
  for (const { value, outcome } of rows) {
    texts.clear();
    const none = type === "text" ? NO_TEXT : NaN;
    const cell = value === null
      ? none
      : typeof value === "string"
      ? texts.addText(value)
      : value;
    collector.add(cell, outcome, texts);
  }
  return collector.finish(rows.some(({ outcome }) => outcome !== "unknown"));
}

Deno.test("a kept field of texts has the counts and the separation of plain counting", () => {
  const rows = rowsOf(fc.constantFrom("grocery", "travel", "", "été", "x"));
  fc.assert(fc.property(rows, (rows) => {
    const field = statisticsOf("text", rows);
    assert.ok(field.type === "text");
    const present = rows.filter(({ value }) => value !== null);
    assert.equal(field.missing, rows.length - present.length);
    const different = new Set(present.map(({ value }) => value));
    assert.deepEqual(field.distinct, { count: different.size, isExact: true });
    assert.equal(field.values.length, different.size);
    for (const one of field.values) {
      const own = present.filter(({ value }) => value === one.value);
      const of = (outcome: Outcome) =>
        own.filter((row) => row.outcome === outcome).length;
      assert.equal(one.payments, own.length);
      assert.equal(one.known, own.length - of("unknown"));
      assert.equal(one.frauds, of("fraud"));
    }
    assertNear(field.separation, plainSeparation(present));
  }));
});

/** The AUC of the share of frauds of each row's value, over all pairs of a fraud and a genuine row. */
function plainSeparation(rows: readonly Row[]): number {
  const share = (value: Row["value"]) => {
    const known = rows.filter((row) =>
      row.value === value && row.outcome !== "unknown"
    );
    return known.filter(({ outcome }) => outcome === "fraud").length /
      known.length;
  };
  const [frauds, genuine] = (["fraud", "genuine"] as const).map((outcome) =>
    rows.filter((row) => row.outcome === outcome).map(({ value }) =>
      share(value)
    )
  );
  const wins = frauds.flatMap((a) =>
    genuine.map((b) => a > b ? 1 : a === b ? 0.5 : 0)
  );
  return wins.reduce((sum: number, one) => sum + one, 0) / wins.length;
}

function assertNear(found: number, wanted: number): void {
  if (Number.isNaN(wanted)) assert.ok(Number.isNaN(found));
  else assert.ok(Math.abs(found - wanted) < 1e-9, `${found}, not ${wanted}`);
}

Deno.test("a kept field of numbers has the moments and the bins of plain counting, also far from 0", () => {
  const year = fc.integer({ min: 1991, max: 2020 });
  const second = fc.integer({ min: 1_325_376_018, max: 1_325_376_117 });
  for (const value of [year, second, fc.integer({ min: -50, max: 50 })]) {
    fc.assert(fc.property(rowsOf(value), (rows) => {
      const field = statisticsOf("number", rows);
      assert.ok(field.type === "number");
      const some = rows.some(({ outcome }) => outcome !== "unknown");
      const { values, origin, moments } = field.values;
      for (const [at, outcome] of (["genuine", "fraud"] as const).entries()) {
        const own = rows.flatMap((row) => {
          const isOf = row.outcome === outcome || !some && at === 0;
          return isOf && typeof row.value === "number" ? [row.value] : [];
        });
        assert.equal(moments[at].count, own.length);
        assert.equal(values[at].count, own.length);
        const bins = values[at].coarse(-100, 1, 300);
        assert.equal(bins.below + bins.above, 0);
        const counts = own.reduce((counts, value) => {
          counts[value - origin + 100]++;
          return counts;
        }, new Float64Array(300));
        // Of negative numbers a whole one may count to the bin below.
        if (own.every((value) => value >= origin)) {
          assert.deepEqual(bins.counts, counts);
        }
      }
      assert.equal(field.missing, rows.filter((r) => r.value === null).length);
    }));
  }
});

Deno.test("originOf() lies among numbers that are far from 0, and is 0 for others", () => {
  const from = fc.integer({ min: -(2 ** 40), max: 2 ** 40 });
  const numbers = fc.tuple(from, fc.array(fc.nat(1000), { minLength: 1 }))
    .map(([from, above]) => above.map((one) => from + one));
  fc.assert(fc.property(numbers, (numbers) => {
    const [low, high] = [Math.min(...numbers), Math.max(...numbers)];
    const origin = originOf(numbers);
    const near = Math.min(Math.abs(low), Math.abs(high)) <= 2 * (high - low);
    if (low <= 0 && high >= 0 || near) assert.equal(origin, 0);
    else {
      assert.ok(origin <= low && low - origin <= Math.max(1, high - low));
      assert.ok(Number.isInteger(origin));
    }
  }));
  assert.equal(originOf([]), 0);
});

Deno.test("a kept field's numbers separate as the AUC of both classes does", () => {
  const rows = [1, 2, 3, 4].map((value): Row => {
    return { value, outcome: value > 2 ? "genuine" : "fraud" };
  });
  const field = statisticsOf("number", rows);
  assert.equal(field.separation, 1);
  const [low, high] = [new Histogram(), new Histogram()];
  low.add(1);
  high.add(2);
  assert.deepEqual([aucOf(low, high), aucOf(high, low)], [1, 0]);
});
