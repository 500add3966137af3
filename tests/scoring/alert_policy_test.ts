import assert from "node:assert/strict";
import fc from "fast-check";
import {
  AlertJudge,
  type AlertJudgeOptions,
  type AlertPolicy,
  shareOf,
} from "../../src/scoring/alert_policy.ts";
import { ModelError } from "../../src/base/error.ts";

const DAY = 86_400;
const ALONE: AlertJudgeOptions = { partition: 0, partitions: 1, lateDays: 2 };

interface Scored {
  readonly card: number;
  readonly time: number;
  readonly score: number;
}

/** Payments of some days, in an order that is a little mixed. */
const payments: fc.Arbitrary<Scored[]> = fc.array(
  fc.record({
    card: fc.nat(8),
    day: fc.nat(5),
    late: fc.nat(2),
    score: fc.integer({ min: 0, max: 20 }).map((n) => n / 20),
  }),
  { maxLength: 200 },
).map((rows) =>
  rows.toSorted((a, b) => a.day + a.late - b.day - b.late)
    .map(({ card, day, score }) => ({ card, time: day * DAY + 5, score }))
);

function verdicts(judge: AlertJudge, rows: readonly Scored[]): boolean[] {
  return rows.map(({ card, time, score }) => {
    if (judge.begins(time)) judge.begin(time);
    return judge.decide(card, time, score);
  });
}

/** The same by looking at everything before each payment again. */
function oracle(
  policy: AlertPolicy,
  quota: number,
  rows: readonly Scored[],
): boolean[] {
  if (policy.kind === "threshold") {
    return rows.map(({ score }) => score >= policy.threshold);
  }
  const dayOf = ({ time }: Scored) => Math.floor(time / DAY);
  const keyOf = (i: number) => policy.kind === "cards" ? rows[i].card : i;
  const alerts: boolean[] = [];
  const cuts = new Map<number, number>();
  for (const [i, row] of rows.entries()) {
    const day = dayOf(row);
    if (!cuts.has(day)) {
      const least: number[] = [];
      for (let past = day - 7; past < day; past++) {
        const best = new Map<number, number>();
        for (let j = 0; j < i; j++) {
          if (dayOf(rows[j]) !== past) continue;
          const known = best.get(keyOf(j)) ?? -1;
          best.set(keyOf(j), Math.max(known, rows[j].score));
        }
        const top = [...best.values()].sort((a, b) => b - a).slice(0, quota);
        if (top.length > 0) least.push(top[top.length - 1]);
      }
      const mean = least.reduce((a, b) => a + b, 0) / least.length;
      cuts.set(day, least.length === 0 ? 0.5 : Number(mean.toPrecision(6)));
    }
    const alerted = new Set<number>();
    for (let j = 0; j < i; j++) {
      if (dayOf(rows[j]) === day && alerts[j]) alerted.add(keyOf(j));
    }
    const free = alerted.has(keyOf(i)) || alerted.size < quota;
    alerts.push(row.score >= (cuts.get(day) ?? NaN) && free);
  }
  return alerts;
}

const policies = fc.oneof(
  fc.constant<AlertPolicy>({ kind: "threshold", threshold: 0.6 }),
  fc.integer({ min: 1, max: 5 }).map((perDay): AlertPolicy => {
    return { kind: "cards", perDay };
  }),
  fc.integer({ min: 1, max: 9 }).map((perDay): AlertPolicy => {
    return { kind: "payments", perDay };
  }),
);

Deno.test("alerts are those that a look at everything before gives", () => {
  fc.assert(fc.property(policies, payments, (policy, rows) => {
    const quota = policy.kind === "threshold" ? 0 : policy.perDay;
    assert.deepEqual(
      verdicts(new AlertJudge(policy, ALONE), rows),
      oracle(policy, quota, rows),
    );
  }));
});

Deno.test("no event day gets more than its quota, however the days are mixed", () => {
  fc.assert(fc.property(policies, payments, (policy, rows) => {
    if (policy.kind === "threshold") return;
    const alerts = verdicts(new AlertJudge(policy, ALONE), rows);
    for (let day = 0; day < 8; day++) {
      const ofDay = rows.map((row, i) => ({ ...row, i })).filter((row) =>
        Math.floor(row.time / DAY) === day && alerts[row.i]
      );
      const keys: number[] = ofDay.map(({ card, i }): number =>
        policy.kind === "cards" ? card : i
      );
      assert.ok(new Set(keys).size <= policy.perDay);
    }
  }));
});

Deno.test("a judge that is made again from the open days goes on as the first would", () => {
  fc.assert(
    fc.property(policies, payments, fc.nat(200), (policy, rows, cut) => {
      const whole = verdicts(new AlertJudge(policy, ALONE), rows);
      const first = new AlertJudge(policy, ALONE);
      const begun: { day: number; cut: number; at: number }[] = [];
      const before = rows.slice(0, cut);
      for (const [at, { card, time, score }] of before.entries()) {
        if (first.begins(time)) begun.push({ ...first.begin(time), at });
        first.decide(card, time, score);
      }
      const open = begun.filter(({ day }) => first.isOpen(day));
      const again = new AlertJudge(policy, { ...ALONE, days: open });
      const from = Math.min(before.length, ...open.map(({ at }) => at));
      for (const { card, time, score } of before.slice(from)) {
        again.decide(card, time, score);
      }
      assert.deepEqual(verdicts(again, rows.slice(cut)), whole.slice(cut));
    }),
  );
});

Deno.test("partitions share a quota evenly, and none is left without", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 50 }), fc.nat(500), (parts, more) => {
      const quota = parts + more;
      const shares = Array.from(
        { length: parts },
        (_, partition) => shareOf(quota, partition, parts),
      );
      assert.equal(shares.reduce((a, b) => a + b), quota);
      assert.ok(Math.max(...shares) - Math.min(...shares) <= 1);
    }),
  );
  assert.throws(() => shareOf(3, 0, 4), ModelError);
});
