/** What a backtest counts, and what it points out about rules. */
import assert from "node:assert/strict";
import { Backtest, precisionOf, recallOf } from "../../src/scoring/backtest.ts";
import type { Outcome } from "../../src/scoring/decision_rules.ts";
import {
  type Decision,
  readRules,
  type Rule,
} from "../../src/scoring/rule_file.ts";

const { rules: RULES } = readRules(
  `version: 1
rules:
  - { id: a, when: "true", then: decline, reason: r }
  - { id: b, when: "true", then: review, reason: r }
  - { id: c, when: "true", then: review, reason: r, state: shadow }
  - { id: d, when: "true", then: review, reason: r }
  - { id: e, when: "true", then: approve, reason: r }
`,
  "rules.yaml",
);
const [A, B, C, D, E] = RULES;

function outcome(
  decision: Decision,
  fired: readonly Rule[],
  shadow: readonly Rule[] = [],
): Outcome {
  return { decision, fired, shadow, json: new Uint8Array() };
}

const NOTHING = outcome("approve", [E]);
const REVIEWED = outcome("review", [B, E], [C]);
const DECLINED = outcome("decline", [A, E]);

function collected(): Backtest<string> {
  const backtest = new Backtest<string>();
  const add = (
    before: Decision,
    result: Outcome,
    fraud: number,
    units: number,
    day = 1,
    scenario = 2,
  ) =>
    backtest.add(
      { before, fraud, units, day, scenario },
      result,
      () => `${before} ${result.decision} ${units}`,
    );
  add("approve", NOTHING, 0, 1);
  add("approve", NOTHING, 1, 2, 2);
  add("approve", REVIEWED, 1, 4);
  add("approve", DECLINED, 0, 8);
  add("review", NOTHING, 0, 16);
  add("review", REVIEWED, 1, 32, 2, 3);
  add("decline", REVIEWED, -1, 64);
  add("review", DECLINED, 1, 128);
  return backtest;
}

Deno.test("a backtest counts what is gained and lost, in number and in money", () => {
  const { total, days, scenarios, examples } = collected();
  assert.deepEqual({ ...total, before: null, after: null }, {
    payments: 8,
    frauds: 4,
    fraudUnits: 2 + 4 + 32 + 128,
    before: null,
    after: null,
    alertsGained: 2,
    alertsLost: 1,
    declinesGained: 2,
    declinesLost: 1,
    changed: 5,
  });
  assert.deepEqual(total.before, {
    reviews: 3,
    declines: 1,
    caught: 2,
    known: 3,
    caughtUnits: 32 + 128,
    stoppedUnits: 0,
    refusedUnits: 0,
  });
  assert.deepEqual(total.after, {
    reviews: 3,
    declines: 2,
    caught: 3,
    known: 4,
    caughtUnits: 4 + 32 + 128,
    stoppedUnits: 128,
    refusedUnits: 8,
  });
  // A payment whose label is not known counts in neither.
  assert.equal(precisionOf(total.after), 3 / 4);
  assert.equal(recallOf(total.after, total), 3 / 4);
  assert.deepEqual(
    [...days].map(([day, { payments }]) => [day, payments]),
    [[1, 6], [2, 2]],
  );
  assert.deepEqual(
    [...scenarios].map(([scenario, { frauds, after }]) => [
      scenario,
      frauds,
      after.caught,
    ]),
    [[2, 3, 2], [3, 1, 1]],
  );
  assert.deepEqual(examples, {
    gained: ["approve review 4", "approve decline 8"],
    lost: ["review approve 16"],
  });
});

Deno.test("a rule's numbers are those of the payments on which it fires", () => {
  const found = collected().rules(RULES);
  assert.deepEqual(
    found.map(({ rule, fired, decided, frauds, known, fraudUnits }) => [
      rule.id,
      fired,
      decided,
      frauds,
      known,
      fraudUnits,
    ]),
    [
      ["a", 2, 2, 1, 2, 128],
      ["b", 3, 3, 2, 2, 36],
      ["c", 3, 0, 2, 2, 36],
      ["d", 0, 0, 0, 0, 0],
      ["e", 8, 3, 4, 7, 166],
    ],
  );
  // What changes is said of the rule that decided.
  assert.deepEqual(
    found.map(({ rule, ...tally }) => [
      rule.id,
      tally.alertsGained,
      tally.alertsLost,
      tally.declinesGained,
      tally.declinesLost,
    ]),
    [
      ["a", 1, 0, 2, 0],
      ["b", 1, 0, 0, 1],
      ["c", 0, 0, 0, 0],
      ["d", 0, 0, 0, 0],
      ["e", 0, 1, 0, 0],
    ],
  );
});

Deno.test("rules that never fire, always fire, or overlap another are pointed out", () => {
  assert.deepEqual(collected().findings(RULES), [
    // Not b because of c, which is in the shadow.
    { kind: "overlap", id: "c", other: "b", share: 1 },
    { kind: "never", id: "d" },
    { kind: "always", id: "e" },
  ]);
  const backtest = new Backtest<null>();
  const payment = {
    before: "approve",
    fraud: 0,
    units: 1,
    day: 1,
    scenario: 0,
  } as const;
  const both = outcome("review", [B], [C]);
  const alone = outcome("review", [B]);
  for (let i = 0; i < 9; i++) backtest.add(payment, both, () => null);
  backtest.add(payment, outcome("approve", []), () => null);
  backtest.add(payment, alone, () => null);
  // 9 of 10 are no more than 90 %.
  assert.deepEqual(backtest.findings([B, C]), [
    { kind: "overlap", id: "c", other: "b", share: 1 },
  ]);
  assert.equal(backtest.examples.gained.length, 10);
  assert.deepEqual([A, D].map(({ id }) => id), ["a", "d"]);
});
