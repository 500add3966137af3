/** The decision function against a plain evaluator, and what it refuses. */
import assert from "node:assert/strict";
import fc from "fast-check";
import { ConfigError } from "../../src/base/error.ts";
import { HANDBOOK_FEATURES } from "../../src/features/parameters.ts";
import { CELL } from "../../src/payment/payment_cells.ts";
import {
  HANDBOOK_SHAPE,
  type PaymentShape,
} from "../../src/payment/payment_shape.ts";
import { NO_TEXT, TextHeap } from "../../src/payment/text_heap.ts";
import { DecisionRules, ruleRows } from "../../src/scoring/decision_rules.ts";
import { readList } from "../../src/scoring/list_file.ts";
import { readRules } from "../../src/scoring/rule_file.ts";
import { isLong } from "../long.ts";

const OWN_SHAPE: PaymentShape = {
  ...HANDBOOK_SHAPE,
  customerId: "text",
  kept: [
    { name: "category", type: "text" },
    { name: "city_pop", type: "number" },
    { name: "online", type: "flag" },
  ],
};

const ROWS = ruleRows(HANDBOOK_FEATURES, OWN_SHAPE);
const KEPT = ROWS.scoreCell - 3;

/** A payment, as the plain evaluator sees it: null is missing. */
interface Plain {
  readonly amount: number;
  readonly seconds: number;
  readonly card: string;
  readonly category: string | null;
  readonly population: number | null;
  readonly online: boolean | null;
  readonly score: number | null;
  readonly alert: boolean;
}

/** A condition as CEL, and what it says about a payment. */
type Condition = readonly [string, (payment: Plain) => boolean];

const BLOCKED: Readonly<Record<string, number>> = {
  c1: Infinity,
  c2: 5000,
  c3: 100,
};
const LIST =
  "value,expires\nc1,\nc2,1970-01-01 01:23:20\nc3,1970-01-01 00:01:40\n";

const CONDITIONS: readonly Condition[] = [
  ["TX_AMOUNT > 50", ({ amount }) => amount > 50],
  [
    "TX_AMOUNT <= 20 || SCORE >= 0.5",
    ({ amount, score }) => amount <= 20 || score !== null && score >= 0.5,
  ],
  ["SCORE < 0.3", ({ score }) => score !== null && score < 0.3],
  ["!has(SCORE)", ({ score }) => score === null],
  [
    "category in ['food', 'gas']",
    ({ category }) => category === "food" || category === "gas",
  ],
  [
    "category != 'gas'",
    ({ category }) => category !== null && category !== "gas",
  ],
  [
    "category.startsWith('f') && online",
    ({ category, online }) =>
      category !== null && category.startsWith("f") && online === true,
  ],
  [
    "TX_AMOUNT / city_pop > 1",
    ({ amount, population }) =>
      population !== null && population !== 0 && amount / population > 1,
  ],
  ["online == false", ({ online }) => online === false],
  [
    "list('blocked', CUSTOMER_ID)",
    ({ card, seconds }) => card in BLOCKED && seconds < BLOCKED[card],
  ],
  ["list('blocked', category)", ({ category }) => category === "c1"],
];

function plainArbitrary(): fc.Arbitrary<Plain> {
  return fc.record({
    amount: fc.nat(100),
    seconds: fc.constantFrom(0, 99, 100, 101, 4999, 5000),
    card: fc.constantFrom("c1", "c2", "c3", "c4"),
    category: fc.constantFrom("food", "gas", "c1", null),
    population: fc.constantFrom(0, 10, 1000, null),
    online: fc.constantFrom(true, false, null),
    score: fc.constantFrom(0, 0.3, 0.5, 1, null),
    alert: fc.boolean(),
  });
}

interface PlainRule {
  readonly id: string;
  readonly priority: number;
  readonly condition: Condition;
  readonly then: "approve" | "review" | "decline";
  readonly state: "live" | "shadow" | "off";
}

function rulesArbitrary(): fc.Arbitrary<PlainRule[]> {
  return fc.array(
    fc.record({
      priority: fc.nat(3),
      condition: fc.constantFrom(...CONDITIONS),
      then: fc.constantFrom("approve", "review", "decline"),
      state: fc.constantFrom("live", "live", "shadow", "off"),
    }),
    { maxLength: 8 },
  ).map((rules) => rules.map((rule, i) => ({ id: `r${i}`, ...rule })));
}

function yamlOf(rules: readonly PlainRule[]): string {
  const lines = rules.map(({ id, priority, condition, then, state }) =>
    `  - { id: ${id}, priority: ${priority}, when: ${
      JSON.stringify(condition[0])
    }, then: ${then}, reason: because ${id}, state: ${state} }`
  );
  return "version: 1\nlists: { blocked: blocked.csv }\n" +
    (lines.length === 0 ? "rules: []\n" : `rules:\n${lines.join("\n")}\n`);
}

/** What rules decide, told as slowly and plainly as can be. */
function plainOutcome(rules: readonly PlainRule[], payment: Plain) {
  const fired = rules.filter(({ condition }) => condition[1](payment));
  const live = fired.filter(({ state }) => state === "live");
  const top = Math.max(...live.map(({ priority }) => priority));
  const deciding = live.filter(({ priority }) => priority === top)
    .map(({ then }) => then);
  const decision = deciding.includes("decline")
    ? "decline"
    : deciding.includes("review")
    ? "review"
    : deciding.includes("approve")
    ? "approve"
    : payment.alert
    ? "review"
    : "approve";
  const ids = (state: string) =>
    fired.filter((rule) => rule.state === state).map(({ id }) => id).sort();
  return { decision, live: ids("live"), shadow: ids("shadow") };
}

function fill(
  cells: Float64Array,
  texts: TextHeap,
  { amount, seconds, card, category, population, online, score }: Plain,
): void {
  cells[CELL.amount] = amount;
  cells[CELL.datetime] = seconds;
  cells[CELL.customer] = texts.addText(card);
  cells[KEPT] = category === null ? NO_TEXT : texts.addText(category);
  cells[KEPT + 1] = population ?? NaN;
  cells[KEPT + 2] = online === null ? NaN : Number(online);
  cells[ROWS.scoreCell] = score ?? NaN;
}

Deno.test("the decision, the rules that fired and the shadow ones are those of a plain evaluator", () => {
  const lists = new Map([["blocked", readList(LIST, "blocked.csv")]]);
  const cells = new Float64Array(ROWS.width);
  const texts = new TextHeap();
  fc.assert(
    fc.property(
      rulesArbitrary(),
      fc.array(plainArbitrary(), { minLength: 1, maxLength: 20 }),
      (plain, payments) => {
        const rules = readRules(yamlOf(plain), "rules.yaml");
        const compiled = new DecisionRules(
          { rules, lists, threshold: 0.5 },
          ROWS,
        );
        for (const payment of payments) {
          texts.clear();
          fill(cells, texts, payment);
          const outcome = compiled.decide(cells, 0, texts, payment.alert);
          const { decision, fired, shadow, json } = outcome;
          assert.deepEqual({
            decision,
            live: fired.map(({ id }) => id).sort(),
            shadow: shadow.map(({ id }) => id).sort(),
          }, plainOutcome(plain, payment));
          if (fired.length > 0) assert.equal(fired[0].then, decision);
          const said = JSON.parse(
            `{${new TextDecoder().decode(json).slice(1)}}`,
          );
          assert.equal(said.DECISION, decision);
          assert.deepEqual(said.RULES ?? [], fired.map(({ id }) => id));
          assert.deepEqual(
            said.REASONS ?? [],
            fired.map(({ id }) => `because ${id}`),
          );
        }
      },
    ),
    { numRuns: isLong ? 5000 : 200 },
  );
});

Deno.test("a rule that does not fit is refused with its place and what to do", () => {
  const refuse = (when: string, list = "value\n7\n", rows = ROWS) => {
    const rules = readRules(
      `version: 1\nlists:\n  cards: cards.csv\nrules:\n  - id: one\n` +
        `    when: ${when}\n    then: review\n    reason: why\n`,
      "rules.yaml",
    );
    const lists = new Map([["cards", readList(list, "cards.csv")]]);
    try {
      new DecisionRules({ rules, lists, threshold: null }, rows);
    } catch (error) {
      assert.ok(error instanceof ConfigError);
      return error.message;
    }
    return "accepted";
  };
  const numbers = ruleRows(HANDBOOK_FEATURES, HANDBOOK_SHAPE);
  const cases: readonly [string, RegExp][] = [
    [
      refuse("TX_AMOUNT > 1 && AMOUNT > 2"),
      /^rules\.yaml:6:28: the rule one: there is no AMOUNT here; did you mean TX_AMOUNT\?$/,
    ],
    [
      refuse("'TX_FRAUD == 1'"),
      /^rules\.yaml:6:12: the rule one: TX_FRAUD is not known when/,
    ],
    [
      refuse("category > 3"),
      /^rules\.yaml:6:22: .*values of different types cannot be compared/,
    ],
    [
      refuse("TX_AMOUNT + 1"),
      /^rules\.yaml:6:11: the rule one: 'when' must be a condition/,
    ],
    [
      refuse("list('card', CUSTOMER_ID)"),
      /^rules\.yaml:6:16: the rule one: there is no list card; the lists are cards$/,
    ],
    [
      refuse("list(CUSTOMER_ID)"),
      /^rules\.yaml:6:\d+: .*list\(\) takes the name of a list and a value/,
    ],
    [
      refuse("list('cards', CUSTOMER_ID)", "value\n7\nx7\n", numbers),
      /^cards\.csv:3:1: 'x7' is not a number, and a rule asks this list about numbers; fix the row$/,
    ],
    [refuse("list('cards', CUSTOMER_ID)"), /^accepted$/],
  ];
  for (const [message, expected] of cases) assert.match(message, expected);
});

const DECLARED_RULES = `version: 1
rules:
  - { id: busy, when: CARD_TX_10MIN >= 3, then: review, reason: r }
  - { id: dear, when: "TX_AMOUNT > 2 * CARD_MEAN_1H", then: decline, reason: r }
  - { id: kept, when: category == 'food', then: decline, reason: r }
`;

Deno.test("rules name declared features, which may be missing", () => {
  const column = { isWhole: false, isRatio: false };
  const rows = ruleRows({
    ...HANDBOOK_FEATURES,
    declared: {
      columns: [
        { ...column, name: "CARD_TX_10MIN", nullable: false },
        { ...column, name: "CARD_MEAN_1H", nullable: true },
      ],
      aggregates: [],
      expressions: [],
    },
  }, OWN_SHAPE);
  const rules = readRules(DECLARED_RULES, "rules.yaml");
  const setting = { rules, lists: new Map(), threshold: null };
  const compiled = new DecisionRules(setting, rows);
  const cells = new Float64Array(rows.width);
  const texts = new TextHeap();
  const [count, mean] = ["CARD_TX_10MIN", "CARD_MEAN_1H"].map((name) =>
    rows.names.get(name)?.cell ?? NaN
  );
  cells[rows.scoreCell - 3] = texts.addText("food");
  cells[CELL.amount] = 50;
  const fired = () =>
    compiled.decide(cells, 0, texts, false).fired.map(({ id }) => id);
  cells[count] = 3;
  cells[mean] = NaN;
  assert.deepEqual(fired(), ["kept", "busy"]);
  cells[count] = 2;
  cells[mean] = 24;
  assert.deepEqual(fired(), ["dear", "kept"]);
});
