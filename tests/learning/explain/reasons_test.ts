import assert from "node:assert/strict";
import {
  featureNames,
  type FeatureSet,
  HANDBOOK_FEATURES,
} from "../../../src/features/parameters.ts";
import type { ResolvedAggregate } from "../../../src/features/declared_features.ts";
import { declaredWords } from "../../../src/learning/explain/declared_words.ts";
import { reasonsOf } from "../../../src/learning/explain/reasons.ts";
import type { UsualValue } from "../../../src/learning/explain/usual_values.ts";
import type { StreamFacts } from "../../../src/learning/explain/value_text.ts";

const FACTS: StreamFacts = { windowDays: [1, 7, 30], delayDays: 7 };
const DAY = 86_400;

/** The sentence about the first of some inputs; `usual` is that of this input. */
function sentence(
  features: Readonly<Record<string, number>>,
  usual?: UsualValue,
  facts = FACTS,
): string {
  const [feature] = Object.keys(features);
  const { raised, lowered } = reasonsOf(
    features,
    { [feature]: 1 },
    usual && { [feature]: usual },
    facts,
  );
  assert.equal(raised.length, 1);
  assert.equal(raised[0].feature, feature);
  assert.deepEqual(lowered, []);
  return raised[0].sentence;
}

/** What is usual where mean and median are the same. */
function both(value: number): UsualValue {
  return { mean: value, median: value };
}

const CASES: readonly [
  Readonly<Record<string, number>>,
  UsualValue | undefined,
  string,
][] = [
  // The amount, beside the card's average where the card has one.
  [{ TX_AMOUNT: 220.5 }, undefined, "amount 220.50"],
  [
    {
      TX_AMOUNT: 1234.5,
      CUSTOMER_ID_NB_TX_30DAY_WINDOW: 40,
      CUSTOMER_ID_AVG_AMOUNT_30DAY_WINDOW: 300,
    },
    both(45.44),
    "amount 4.1 times this card's 30-day average: 1,234.50 (usual: 45.44)",
  ],
  [
    {
      TX_AMOUNT: 30,
      CUSTOMER_ID_NB_TX_30DAY_WINDOW: 1,
      CUSTOMER_ID_AVG_AMOUNT_30DAY_WINDOW: 30,
    },
    both(45),
    "amount 30.00 (usual: 45.00)",
  ],
  // Flags.
  [{ TX_DURING_NIGHT: 1 }, undefined, "paid at night"],
  [
    { TX_DURING_NIGHT: 1 },
    { mean: 0.173, median: 0 },
    "paid at night (usual: 17 % of payments)",
  ],
  [
    { TX_DURING_NIGHT: 0 },
    { mean: 0.173, median: 0 },
    "paid during the day (usual: 83 % of payments)",
  ],
  [{ TX_DURING_WEEKEND: 1 }, undefined, "paid on a weekend"],
  [{ TX_DURING_WEEKEND: 0 }, undefined, "paid on a weekday"],
  // Windows of the card.
  [
    { CUSTOMER_ID_NB_TX_1DAY_WINDOW: 12 },
    both(2),
    "12 payments of this card in the last day (usual: 2)",
  ],
  [
    { CUSTOMER_ID_NB_TX_7DAY_WINDOW: 1 },
    both(14),
    "1 payment of this card in the last 7 days (usual: 14)",
  ],
  [
    { CUSTOMER_ID_AVG_AMOUNT_7DAY_WINDOW: 210 },
    both(53.1),
    "this card's 7-day average is 210.00 (usual: 53.10)",
  ],
  // Windows of the terminal.
  [
    { TERMINAL_ID_NB_TX_1DAY_WINDOW: 0 },
    both(1),
    "no payments at this terminal 7 to 8 days ago (usual: 1)",
  ],
  [
    { TERMINAL_ID_RISK_7DAY_WINDOW: 1, TERMINAL_ID_NB_TX_7DAY_WINDOW: 5 },
    { mean: 0.0081, median: 0 },
    "5 of 5 payments at this terminal 7 to 14 days ago were frauds (usual: 0.8 %)",
  ],
  [
    { TERMINAL_ID_RISK_30DAY_WINDOW: 0.2, TERMINAL_ID_NB_TX_30DAY_WINDOW: 5 },
    undefined,
    "1 of 5 payments at this terminal 7 to 37 days ago was a fraud",
  ],
  [
    { TERMINAL_ID_RISK_30DAY_WINDOW: 0, TERMINAL_ID_NB_TX_30DAY_WINDOW: 1200 },
    { mean: 0.0001, median: 0 },
    "none of 1,200 payments at this terminal 7 to 37 days ago was a fraud " +
    "(usual: less than 0.1 %)",
  ],
  [
    { TERMINAL_ID_RISK_1DAY_WINDOW: 1, TERMINAL_ID_NB_TX_1DAY_WINDOW: 1 },
    undefined,
    "the only payment at this terminal 7 to 8 days ago was a fraud",
  ],
  [
    { TERMINAL_ID_RISK_1DAY_WINDOW: 0, TERMINAL_ID_NB_TX_1DAY_WINDOW: 1 },
    undefined,
    "the only payment at this terminal 7 to 8 days ago was genuine",
  ],
  [
    { TERMINAL_ID_RISK_1DAY_WINDOW: 0, TERMINAL_ID_NB_TX_1DAY_WINDOW: 0 },
    undefined,
    "no payments at this terminal 7 to 8 days ago, so no known frauds",
  ],
  [
    { TERMINAL_ID_RISK_7DAY_WINDOW: 0.425 },
    undefined,
    "43 % of payments at this terminal 7 to 14 days ago were frauds",
  ],
  // The extended set.
  [
    { CUSTOMER_ID_SECONDS_SINCE_LAST_TX: 180 },
    both(5 * 3600),
    "3 minutes after this card's previous payment (usual: 5 hours)",
  ],
  [
    { CUSTOMER_ID_SECONDS_SINCE_LAST_TX: 1 },
    undefined,
    "1 second after this card's previous payment",
  ],
  [
    { CUSTOMER_ID_SECONDS_SINCE_LAST_TX: 30 * DAY },
    both(5 * 3600),
    "no earlier payment of this card in 30 days (usual: 5 hours)",
  ],
  [
    { CUSTOMER_ID_AMOUNT_RATIO_TO_MEDIAN: 5.02 },
    both(1),
    "amount 5 times this card's 30-day median (usual: 1)",
  ],
  [
    { CUSTOMER_ID_AMOUNT_RATIO_TO_MEDIAN: 1 },
    undefined,
    "amount equal to this card's 30-day median",
  ],
  [
    { CUSTOMER_ID_AMOUNT_RATIO_TO_MAX: 1000 },
    both(0.481),
    "amount at least 1,000 times this card's greatest in 30 days " +
    "(usual: 0.48)",
  ],
  [
    { CUSTOMER_ID_NB_TX_AS_LARGE: 0 },
    both(30),
    "no earlier payments of this card in 30 days were as large (usual: 30)",
  ],
  [
    { CUSTOMER_ID_NB_OUTLIERS_1DAY_WINDOW: 1 },
    both(0),
    "1 earlier payment of this card in the last day was far above its median " +
    "(usual: 0)",
  ],
  [
    { CUSTOMER_ID_SECONDS_SINCE_OUTLIER: 3 * DAY },
    both(30 * DAY),
    "3 days after this card last paid far above its median " +
    "(usual: none in 30 days)",
  ],
  [
    { CUSTOMER_ID_NB_KNOWN_FRAUDS: 2 },
    both(0),
    "2 known frauds of this card 7 to 37 days ago (usual: 0)",
  ],
  [
    { CUSTOMER_ID_SECONDS_SINCE_KNOWN_FRAUD: 37 * DAY },
    both(37 * DAY),
    "no known fraud of this card in 37 days (usual: none)",
  ],
  [
    { TERMINAL_ID_FRAUD_STREAK: 4 },
    both(0),
    "the last 4 known payments at this terminal were frauds (usual: 0)",
  ],
  [
    { TERMINAL_ID_SECONDS_SINCE_STREAK_BEGAN: 9 * DAY },
    undefined,
    "for 9 days all known payments at this terminal have been frauds",
  ],
  [
    { TERMINAL_ID_SECONDS_SINCE_FIRST_USUAL_FRAUD: 12 * DAY },
    undefined,
    "12 days after the first known fraud of ordinary amount at this terminal",
  ],
  [
    { TERMINAL_ID_NB_GENUINE_SINCE_USUAL_FRAUD: 1 },
    undefined,
    "1 known genuine payment at this terminal since its last known fraud of " +
    "ordinary amount",
  ],
  // What the program does not know.
  [{ CARD_TX_10MIN: 3.2 }, both(1.1), "CARD_TX_10MIN is 3.2 (usual: 1.1)"],
  [{ toString: 3 }, undefined, "toString is 3"],
];

Deno.test("reasons state the value and what is usual, with units and the right number", () => {
  for (const [features, usual, expected] of CASES) {
    assert.equal(sentence(features, usual), expected);
  }
});

Deno.test("amounts have the stream's currency", () => {
  const dollars = { ...FACTS, currency: "USD" };
  assert.equal(
    sentence({ TX_AMOUNT: 220.5 }, both(45), dollars),
    "amount $220.50 (usual: $45.00)",
  );
});

for (const set of ["handbook", "extended"] satisfies FeatureSet[]) {
  Deno.test(`every input of the ${set} set has a sentence of its own`, () => {
    const features = { ...HANDBOOK_FEATURES, set };
    for (const name of ["TX_AMOUNT", ...featureNames(features)]) {
      for (const value of [0, 1, 3, 37 * DAY]) {
        const text = sentence({ [name]: value }, both(1));
        assert.ok(!text.includes("_"), text);
        assert.doesNotMatch(text, /undefined|NaN|\b1 \w+s (of|at)\b/, text);
        assert.match(text, /\(usual: [^()]+\)$/);
      }
    }
  });
}

Deno.test("reasons that raised and lowered the score are apart, the strongest first, without what is negligible", () => {
  const features = { A: 1, B: 2, C: 3, D: 4, E: 5 };
  const { raised, lowered } = reasonsOf(
    features,
    { A: 0.2, B: -0.5, C: 2, D: 0.09, E: -0.3, F: 3.9, G: 0 },
    undefined,
    FACTS,
  );
  // F, of which no value is known, is still the strongest.
  assert.deepEqual(raised.map(({ feature }) => feature), ["C", "A"]);
  assert.deepEqual(lowered.map(({ feature }) => feature), ["B", "E"]);
  assert.deepEqual(raised[0], {
    feature: "C",
    sentence: "C is 3",
    value: "3",
    contribution: 2,
  });
  assert.deepEqual(reasonsOf(features, {}, undefined, FACTS), {
    raised: [],
    lowered: [],
  });
});

Deno.test("a missing value is said to be missing, and how usual that is", () => {
  assert.equal(sentence({ SPEND_RATIO: NaN }), "SPEND_RATIO is missing");
  assert.equal(
    sentence({ SPEND_RATIO: NaN }, { mean: 2, median: 1, missing: 0.12 }),
    "SPEND_RATIO is missing (usual: missing in 12 % of payments)",
  );
  assert.equal(
    sentence({ SPEND_RATIO: 3 }, { mean: 2, median: 1, missing: 0.12 }),
    "SPEND_RATIO is 3 (usual: 1)",
  );
  // None had a value.
  assert.equal(
    sentence({ SPEND_RATIO: 3 }, { mean: NaN, median: NaN, missing: 1 }),
    "SPEND_RATIO is 3",
  );
  assert.equal(
    reasonsOf({ A: NaN }, { A: 1 }, undefined, FACTS).raised[0].value,
    "missing",
  );
});

const HOUR = 3600;

/** An aggregate over this card's payments of an hour, with what is changed. */
function aggregate(
  changed: Partial<ResolvedAggregate>,
): ResolvedAggregate {
  return {
    ...{ column: 0, kind: "count", of: "payments", by: ["CUSTOMER_ID"] },
    ...{ overSeconds: HOUR, delaySeconds: 0, labelDelaySeconds: 0 },
    where: undefined,
    ...{ includeSelf: true, scale: 100 },
    ...changed,
  };
}

const DECLARED: readonly [
  feature: Partial<ResolvedAggregate> | string,
  value: number,
  sentence: string,
][] = [
  [{ overSeconds: 600 }, 12, "12 payments of this card in the last 10 minutes"],
  [{}, 1, "1 payment of this card in the last hour"],
  [{ overSeconds: 90 }, 0, "no payments of this card in the last 90 seconds"],
  [
    { by: ["CUSTOMER_ID", "category"], includeSelf: false },
    2,
    "2 earlier payments of this card and category in the last hour",
  ],
  [
    { by: ["TERMINAL_ID"], overSeconds: DAY, delaySeconds: 7 * DAY },
    3,
    "3 payments at this terminal in the 1 day up to 7 days before",
  ],
  [
    { where: "category == 'food'" },
    3,
    "3 payments of this card in the last hour where category == 'food'",
  ],
  [
    { where: "x".repeat(81) },
    3,
    "3 payments of this card in the last hour that meet its condition",
  ],
  [
    { kind: "distinct", of: "TERMINAL_ID" },
    9,
    "9 different terminals of this card in the last hour",
  ],
  [
    { kind: "distinct", of: "category", by: ["TERMINAL_ID"] },
    1,
    "1 different value of category at this terminal in the last hour",
  ],
  [
    { kind: "sum", of: "TX_AMOUNT", overSeconds: 7 * DAY },
    1234.5,
    "total amount of this card in the last 7 days: 1,234.50",
  ],
  [
    { kind: "mean", of: "weight", by: ["shop"], includeSelf: false },
    0.25,
    "mean weight of earlier payments of this shop in the last hour: 0.25",
  ],
  [
    { kind: "max", of: "TX_AMOUNT" },
    NaN,
    "greatest amount of this card in the last hour: no value",
  ],
  [
    { kind: "share", of: "TX_FRAUD", by: ["TERMINAL_ID"], delaySeconds: DAY },
    0.25,
    "25 % of payments at this terminal in the 1 hour up to 1 day before were frauds",
  ],
  [
    { kind: "share", of: "online" },
    1,
    "100 % of payments of this card in the last hour had online",
  ],
  [
    { kind: "seconds_since", includeSelf: false },
    40,
    "40 seconds after the previous payment of this card",
  ],
  [
    { kind: "seconds_since", includeSelf: false },
    NaN,
    "no earlier payment of this card in the last hour",
  ],
  ["TX_AMOUNT / CARD_MEAN", 4.1, "TX_AMOUNT / CARD_MEAN is 4.1"],
  ["TX_AMOUNT / CARD_MEAN", NaN, "TX_AMOUNT / CARD_MEAN has no value"],
  ["A + ".repeat(30) + "1", 4.1, "MINE is 4.1"],
];

Deno.test("a declared feature has a title from its declaration", () => {
  const titleOf = (changed: Partial<ResolvedAggregate>) =>
    declaredWords("MINE", {
      columns: [
        { name: "MINE", nullable: true, isWhole: false, isRatio: false },
      ],
      aggregates: [aggregate(changed)],
      expressions: [],
    })?.title;
  assert.equal(titleOf({}), "Payments of this card in the last hour");
  assert.equal(
    titleOf({ kind: "distinct", of: "TERMINAL_ID", overSeconds: 30 * DAY }),
    "Different terminals of this card in the last 30 days",
  );
  assert.equal(
    titleOf({ kind: "share", of: "TX_FRAUD", by: ["TERMINAL_ID"] }),
    "Share of payments at this terminal in the last hour that were frauds",
  );
  assert.equal(declaredWords("OTHER", undefined), undefined);
});

Deno.test("a declared feature has a sentence from its declaration", () => {
  for (const [feature, value, expected] of DECLARED) {
    const isExpression = typeof feature === "string";
    const declared = {
      columns: [
        { name: "MINE", nullable: true, isWhole: false, isRatio: false },
      ],
      aggregates: isExpression ? [] : [aggregate(feature)],
      expressions: isExpression ? [{ column: 0, text: feature }] : [],
    };
    const facts = { ...FACTS, declared };
    assert.equal(sentence({ MINE: value }, undefined, facts), expected);
  }
  const condition = {
    columns: [{
      name: "NIGHT",
      nullable: false,
      isWhole: true,
      isRatio: false,
    }],
    aggregates: [],
    expressions: [{ column: 0, text: "HOUR < 7" }],
  };
  assert.equal(
    sentence({ NIGHT: 1 }, both(0.2), { ...FACTS, declared: condition }),
    "HOUR < 7 is true (usual: 20 % of payments)",
  );
  const count = {
    ...condition,
    aggregates: [aggregate({ overSeconds: 600 })],
    expressions: [],
  };
  assert.equal(
    sentence({ NIGHT: 12 }, both(1), { ...FACTS, declared: count }),
    "12 payments of this card in the last 10 minutes (usual: 1)",
  );
});
