import assert from "node:assert/strict";
import fc from "fast-check";
import { partialDays } from "../../src/report/data_statistics.ts";
import { aucOf } from "../../src/report/feature_statistics.ts";
import { Histogram } from "../../src/report/histogram.ts";
import type { Payment } from "../../src/payment/payment.ts";
import { dataPath } from "../files/sets.ts";
import { testReading } from "../permission.ts";
import { reportOf, SET_A, SET_B, statisticsOf } from "./statistics_of.ts";

/** What reference.json has of a set, as far as statistics go. */
interface ReferenceCounts {
  "n_transactions": number;
  "n_frauds": number;
  "scenario_final": Record<string, number>;
  "sum_amount_cents": number;
  "max_amount": number;
}

testReading(
  "statistics of the reference sets have their counts and sums",
  () => {
    const { sets } = JSON.parse(
      Deno.readTextFileSync(dataPath("reference.json")),
    ) as { sets: Record<string, ReferenceCounts> };
    for (const [name, parameters] of [["A", SET_A], ["B", SET_B]] as const) {
      const reference = sets[name];
      const { statistics } = reportOf(parameters);
      assert.equal(statistics.payments, reference.n_transactions);
      assert.equal(statistics.frauds, reference.n_frauds);
      assert.equal(statistics.units.all, reference.sum_amount_cents);
      assert.equal(statistics.days.length, parameters.days);
      const [genuine, fraud] = statistics.features[0].values;
      assert.equal(Math.max(genuine.max, fraud.max), reference.max_amount);
      const frauds = new Map(
        statistics.scenarios.map((one) => [one.scenario, one.frauds]),
      );
      for (
        const [scenario, count] of Object.entries(reference.scenario_final)
      ) {
        assert.equal(
          frauds.get(Number(scenario)) ?? 0,
          count,
          `${name} ${scenario}`,
        );
      }
    }
  },
);

const DAY = 86_400;

const payment = fc.record({
  customerId: fc.integer({ min: 0, max: 3 }),
  terminalId: fc.integer({ min: 0, max: 3 }),
  amount: fc.integer({ min: 0, max: 50_000 }).map((cents) => cents / 100),
  timeSeconds: fc.integer({ min: 0, max: 15 * DAY }),
  scenario: fc.integer({ min: 0, max: 4 }),
}).map((row): Partial<Payment> => {
  const fraud = row.scenario === 0 ? 0 : 1;
  return { ...row, fraud, datetimeSeconds: row.timeSeconds };
});

const dayOf = (row: Partial<Payment>) =>
  Math.floor((row.timeSeconds ?? 0) / DAY);

Deno.test("statistics of days, scenarios and cards are those of plain counting", () => {
  fc.assert(fc.property(fc.array(payment), (rows) => {
    const { days, scenarios, active, ...all } = statisticsOf(rows);
    const frauds = rows.filter((row) => row.fraud === 1);
    assert.equal(all.frauds, frauds.length);
    const cents = frauds.map((row) => Math.round(100 * (row.amount ?? 0)));
    assert.equal(all.units.frauds, cents.reduce((sum, one) => sum + one, 0));
    assert.equal(
      active.customers.count,
      new Set(rows.map((r) => r.customerId)).size,
    );
    assert.equal(
      active.terminals.count,
      new Set(rows.map((r) => r.terminalId)).size,
    );
    const seen = rows.map(dayOf);
    if (rows.length > 0) {
      assert.equal(days[0].day, Math.min(...seen));
      assert.equal(days[days.length - 1].day, Math.max(...seen));
    }
    for (const day of days) {
      const today = frauds.filter((row) => dayOf(row) === day.day);
      assert.equal(day.payments, seen.filter((one) => one === day.day).length);
      assert.equal(day.frauds, today.length);
      assert.equal(
        day.fraudCards,
        new Set(today.map((r) => r.customerId)).size,
      );
      scenarios.forEach(({ scenario }, at) => {
        const of = today.filter((row) => row.scenario === scenario);
        assert.equal(day.byScenario[at], of.length);
      });
    }
    for (const { scenario, cards, terminals, amountMax } of scenarios) {
      const of = frauds.filter((row) => row.scenario === scenario);
      assert.equal(cards, new Set(of.map((row) => row.customerId)).size);
      assert.equal(terminals, new Set(of.map((row) => row.terminalId)).size);
      assert.equal(amountMax, Math.max(...of.map((row) => row.amount ?? 0)));
    }
  }));
});

Deno.test("the histograms of the first days leave out later ones", () => {
  const rows = [3, 4, 12, 13].map((day) => {
    return { timeSeconds: day * DAY + 900, amount: day };
  });
  const { amounts, times } = statisticsOf(rows);
  assert.equal(amounts.count, 3);
  assert.equal(amounts.max, 12);
  assert.equal(times[1], 3);
});

Deno.test("scenarios without end are counted together from the seventeenth on", () => {
  const rows = Array.from({ length: 20 }, (_, at) => {
    return { fraud: 1, scenario: 100 + at, amount: 1 };
  });
  const { scenarios } = statisticsOf(rows);
  assert.equal(scenarios.length, 17);
  assert.deepEqual(scenarios[16].scenario, Infinity);
  assert.equal(scenarios[16].frauds, 4);
});

Deno.test("features are told apart by class", () => {
  const rows = [{ fraud: 0 }, { fraud: 1 }, { fraud: 0 }];
  const [, risk] = statisticsOf(rows, ["RISK"], [[0], [1], [0.5]]).features;
  assert.equal(risk.name, "RISK");
  assert.deepEqual(risk.moments.map(({ mean }) => mean), [0.25, 1]);
  assert.equal(risk.auc, 1);
});

Deno.test("aucOf() is the share of pairs that a fraud wins, ties by half", () => {
  const whole = fc.array(fc.integer({ min: -100, max: 100 }), { minLength: 1 });
  fc.assert(fc.property(whole, whole, (genuine, fraud) => {
    const [left, right] = [genuine, fraud].map((values) => {
      const histogram = new Histogram();
      for (const value of values) histogram.add(value);
      return histogram;
    });
    let wins = 0;
    for (const one of genuine) {
      for (const other of fraud) {
        wins += other > one ? 1 : other === one ? 0.5 : 0;
      }
    }
    const wanted = wins / (genuine.length * fraud.length);
    assert.ok(Math.abs(aucOf(left, right) - wanted) < 1e-12);
  }));
});

Deno.test("aucOf() of one class is none", () => {
  const some = new Histogram();
  some.add(1);
  assert.ok(Number.isNaN(aucOf(some, new Histogram())));
});

/** Payments every quarter of an hour of five days, between two times. */
function partialOf(fromHour: number, toHour: number): number[] {
  const quarters = Array.from({ length: 5 * 96 }, (_, at) => 900 * at);
  return partialDays(
    statisticsOf(
      quarters.filter((time) => {
        return time >= fromHour * 3600 && time < toHour * 3600;
      }).map((timeSeconds) => ({ timeSeconds })),
    ).days,
  );
}

Deno.test("partialDays() are the first and the last where the data begin or end within them", () => {
  assert.deepEqual(partialOf(0, 5 * 24), []);
  assert.deepEqual(partialOf(0, 4 * 24 + 14), [4]);
  assert.deepEqual(partialOf(3, 5 * 24), [0]);
  assert.deepEqual(partialOf(10, 4 * 24 + 1), [0, 4]);
  // Two whole days are too few to compare with.
  assert.deepEqual(partialOf(24, 3 * 24 + 12), []);
});

Deno.test("partialDays() are none of a simulated set, which has whole days", () => {
  for (const parameters of [SET_A, SET_B]) {
    assert.deepEqual(partialDays(reportOf(parameters).statistics.days), []);
  }
});
