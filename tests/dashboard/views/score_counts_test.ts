import assert from "node:assert/strict";
import fc from "fast-check";
import {
  averagePrecision,
  binOf,
  SCORE_BINS,
  ScoreCounts,
  shadowResults,
  sumOf,
} from "../../../src/dashboard/views/score_counts.ts";

/** A payment that was scored, its score on the edge of a bin. */
const scoredPayments = fc.array(
  fc.record({
    timeSeconds: fc.nat(10 * 86_400 - 1),
    bin: fc.nat(SCORE_BINS - 1),
    fraud: fc.nat(1),
    amount: fc.nat(1000),
  }),
  { minLength: 1, maxLength: 60 },
);

Deno.test("averagePrecision() of counts is that of the payments, ties together", () => {
  fc.assert(fc.property(scoredPayments, (payments) => {
    const counts = new ScoreCounts();
    for (const { bin, ...payment } of payments) {
      const score = (bin + 0.5) / SCORE_BINS;
      counts.add({ ...payment, score, alert: 0, version: "a" });
    }
    const all = payments.filter(({ fraud }) => fraud === 1).length;
    if (all === 0) return;
    // Each threshold once: precision there times the recall that it adds.
    let expected = 0;
    for (const bin of new Set(payments.map(({ bin }) => bin))) {
      const above = payments.filter((payment) => payment.bin >= bin);
      const hits = above.filter(({ fraud }) => fraud === 1).length;
      const own = above.filter((payment) =>
        payment.bin === bin && payment.fraud === 1
      );
      expected += hits / above.length * own.length / all;
    }
    const found = averagePrecision(sumOf(counts.days()));
    assert.ok(Math.abs(found - expected) < 1e-9, `${found} ${expected}`);
  }));
});

Deno.test("scores are counted by event day, and no more than 60 days are kept", () => {
  const counts = new ScoreCounts();
  for (let day = 0; day < 100; day++) {
    counts.add({
      timeSeconds: day * 86_400,
      score: 1,
      alert: 1,
      fraud: day % 2,
      amount: 10,
      version: `v${day}`,
    });
  }
  const days = counts.days();
  assert.deepEqual(
    days.map(({ day }) => day),
    Array.from({ length: 60 }, (_, i) => 40 + i),
  );
  const last = days[59];
  assert.deepEqual([last.alerts, last.hits, [...last.versions]], [1, 1, [[
    "v99",
    1,
  ]]]);
  assert.equal(last.fraudAmount[SCORE_BINS - 1], 10);
});

Deno.test("shadow models are counted beside the live one, and labels that come later count", () => {
  fc.assert(fc.property(
    fc.array(fc.record({
      day: fc.nat(3),
      alert: fc.nat(1),
      own: fc.constantFrom(0, 0.3, 0.5, 1, null),
      fraud: fc.nat(1),
      later: fc.nat(1),
    })),
    (payments) => {
      const counts = new ScoreCounts();
      for (const { day, own, alert, fraud, later } of payments) {
        const payment = {
          ...{ timeSeconds: day * 86_400, score: 0.1, amount: 2, alert, fraud },
          shadows: own === null ? null : JSON.stringify({ a: own }),
        };
        counts.add({ ...payment, version: "live" });
        counts.relabel(payment, later - fraud);
      }
      const days = counts.days();
      const found = shadowResults(days, ({ day }) => day < 2, 0.5);
      const tried = payments.filter(({ own }) => own !== null);
      if (tried.length === 0) return assert.deepEqual(found, []);
      const resultOf = (some: typeof payments) => {
        const known = some.filter(({ day }) => day < 2);
        const frauds = known.filter(({ later }) => later === 1).length;
        return { payments: some.length, known: known.length, frauds };
      };
      const isOwn = ({ own }: { own: number | null }) => (own ?? 0) >= 0.5;
      const live = tried.filter(({ alert }) => alert === 1);
      const others = tried.filter(({ alert }) => alert === 0);
      assert.deepEqual(found, [{
        version: "a",
        all: resultOf(tried),
        live: resultOf(live),
        shadow: resultOf(tried.filter(isOwn)),
        gained: resultOf(others.filter(isOwn)),
        lost: resultOf(live.filter((one) => !isOwn(one))),
      }]);
    },
  ));
});

Deno.test("binOf() takes every score from 0 to 1", () => {
  assert.deepEqual([0, 0.005, 0.9999, 1].map(binOf), [0, 1, 199, 199]);
});
