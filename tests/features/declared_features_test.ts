/** What declared features are checked against, and every message with its place. */
import assert from "node:assert/strict";
import { ConfigError } from "../../src/base/error.ts";
import {
  readStreamFlags,
  type StreamOptions,
} from "../../src/cli/flags/stream_flags.ts";
import { readDefinition } from "../../src/definition/read_definition.ts";
import {
  featureNames,
  HANDBOOK_FEATURES,
} from "../../src/features/parameters.ts";
import type { StreamParameters } from "../../src/stream/control.ts";

const HEAD = `version: 1
payment:
  TRANSACTION_ID: id
  TX_DATETIME: time
  CUSTOMER_ID: card
  TERMINAL_ID: shop
  TX_AMOUNT: amount
  TX_FRAUD: fraud
  keep: { category: text, online: flag, weight: number }
features:
`;

/** The parameters of a stream with features, in lines from 11 on. */
function parametersOf(
  features: string,
  options: StreamOptions = {},
): StreamParameters {
  const definition = readDefinition(HEAD + features, "s.yaml");
  return readStreamFlags({ definition, ...options }, undefined);
}

const COLUMNS = `  include: none
  A: { count: payments, by: CUSTOMER_ID, over: 1h }
  B: { mean: TX_AMOUNT, by: CUSTOMER_ID, over: 1h }
  C: { mean: TX_AMOUNT, by: category, over: 1h }
  D: { min: weight, by: CUSTOMER_ID, over: 1h }
  E: { share: TX_FRAUD, by: TERMINAL_ID, over: 1d }
  F: { seconds_since: payments, by: CUSTOMER_ID, over: 1d }
  G: { expression: "H > 2 || online" }
  H: { expression: "TX_AMOUNT / B" }
  I: { expression: "B * 2 + A" }
  J: { max: TX_AMOUNT, by: CUSTOMER_ID, over: 1h, include_self: false }
`;

Deno.test("the columns of declared features know what their values are", () => {
  const { features } = parametersOf(COLUMNS);
  const column = ["name", "nullable", "isWhole", "isRatio"] as const;
  assert.deepEqual(
    features.declared?.columns.map((one) => column.map((key) => one[key])),
    [
      ["A", false, true, false],
      ["B", false, false, true],
      ["C", true, false, true],
      ["D", true, false, false],
      ["E", false, false, true],
      ["F", true, true, false],
      ["G", false, true, false],
      ["H", true, false, false],
      ["I", false, false, false],
      ["J", true, false, false],
    ],
  );
  assert.deepEqual(
    features.declared?.expressions.map(({ column }) => column),
    [7, 6, 8],
  );
  const [risk] =
    features.declared?.aggregates.filter(({ of }) => of === "TX_FRAUD") ?? [];
  assert.equal(risk.delaySeconds, 7 * 86_400);
});

/** What is wrong: the features, the message behind "s.yaml:", and flags. */
const REFUSED: readonly (readonly [
  features: string,
  message: string,
  options?: StreamOptions,
])[] = [
  [
    "  A: { count: payments, by: shop, over: 1h }",
    "11:29: A: payments have no field shop that can be a key; use CUSTOMER_ID, TERMINAL_ID, category, online, weight",
  ],
  [
    "  A: { sum: category, by: CUSTOMER_ID, over: 1h }",
    "11:13: A: sum cannot be computed of category; use TX_AMOUNT, weight",
  ],
  [
    "  A: { share: weight, by: CUSTOMER_ID, over: 1h }",
    "11:15: A: share cannot be computed of weight; use TX_FRAUD, online",
  ],
  [
    "  A: { distinct: catgory, by: CUSTOMER_ID, over: 1h }",
    "11:18: A: distinct cannot be computed of catgory, which is no field of the payment; did you mean category?",
  ],
  [
    "  A: { count: payments, by: [CUSTOMER_ID, categry], over: 1h }",
    "11:29: A: payments have no field categry that can be a key; did you mean category?",
  ],
  [
    "  A: { count: payments, by: CUSTOMER_ID, over: 1h, where: has(catgory) }",
    "11:63: A: there is no catgory here; did you mean category?",
  ],
  [
    "  A: { count: payments, by: CUSTOMER_ID, over: 91d }",
    '11:48: over must be a duration like 90s, 10m, 1h or 7d, from 1s to 90d, not "91d"',
  ],
  [
    "  A: { count: payments, by: CUSTOMER_ID, over: 60d, delay: 31d }",
    "11:48: A: 'over' and 'delay' together may be at most 90d; shorten one of the two",
  ],
  [
    "  A: { share: TX_FRAUD, by: TERMINAL_ID, over: 84d }",
    "11:48: A: 'over' and the delay of the labels (7d) together may be at most 90d; shorten 'over'",
  ],
  [
    "  A: { distinct: weihgt, by: CUSTOMER_ID, over: 1h }",
    "11:18: A: distinct cannot be computed of weihgt, which is no field of the payment; did you mean weight?",
  ],
  [
    Array.from({ length: 1000 }, (_, i) => `  F${i}: { expression: '1' }`)
      .join("\n"),
    "267:3: features has 1000 keys and may have at most 256; delete some",
  ],
  [
    "  A: {\n    count: payments, by: CUSTOMER_ID, over: 1h\n  }",
    "13:3: deficient indentation; close the bracket before this line, or indent the line further than the key that the bracket belongs to",
  ],
  [
    "  A: { count: payments by: CUSTOMER_ID, over: 1h }",
    "11:26: missed comma between flow collection entries; put a comma between the keys, and quotes around an expression",
  ],
  [
    "  A: { expression: !has(category) }",
    "11:20: tags are not accepted; leave the tag out, or put quotes around a value that begins with '!'",
  ],
  [
    "  A: { count: payments, by: CUSTOMER_ID, over: 1h, decimals: 3 }",
    "11:62: A: 'decimals' has no effect except with 'sum' and 'mean'; leave it out",
  ],
  [
    "  A: { share: TX_FRAUD, by: TERMINAL_ID, over: 1h, delay: 1d }",
    "11:59: A: labels count 7d after their payments, so 'delay' must be at least that",
  ],
  [
    "  TX_AMOUNT: { count: payments, by: CUSTOMER_ID, over: 1h }",
    "11:3: features: TX_AMOUNT is a field of the payment already; choose another name",
  ],
  [
    "  score: { count: payments, by: CUSTOMER_ID, over: 1h }",
    "11:3: features: score is a field of the stream already; choose another name",
  ],
  [
    "  shadow_scores: { count: payments, by: CUSTOMER_ID, over: 1h }",
    "11:3: features: shadow_scores is a field of the stream already; choose another name",
  ],
  [
    "  Category: { count: payments, by: CUSTOMER_ID, over: 1h }",
    "11:3: features: category is a field of the payment already; choose another name",
  ],
  [
    "  TX_DURING_NIGHT: { expression: '1 > 2' }",
    "11:3: features: TX_DURING_NIGHT is a feature that is included already; choose another name",
  ],
  [
    "  A: { expression: B + 1 }\n  B: { expression: A + 1 }",
    "11:20: A needs B needs A; an expression cannot need itself; take one of the names out",
  ],
  [
    "  A: { expression: '1 + PRICE' }",
    "11:25: A: there is no PRICE here; use TRANSACTION_ID, TX_DATETIME, CUSTOMER_ID, TERMINAL_ID, TX_AMOUNT, TX_TIME_SECONDS, category, online, weight, TX_DURING_WEEKEND, TX_DURING_NIGHT, CUSTOMER_ID_NB_TX_1DAY_WINDOW or one of ",
  ],
  [
    "  A: { expression: '1 + AMOUNT' }",
    "11:25: A: there is no AMOUNT here; did you mean TX_AMOUNT?",
  ],
  [
    "  A:\n    expression: >-\n      TX_AMOUNT > 1 &&\n      has(categry)",
    "14:11: A: there is no categry here; did you mean category?",
  ],
  [
    "  A:\n    expression: TX_AMOUNT > 1 &&\n      has(categry)",
    "13:11: A: there is no categry here; did you mean category?",
  ],
  [
    "  A: { expression: 'category == ''a'' && TX_AMONT > 1' }",
    "11:42: A: there is no TX_AMONT here; did you mean TX_AMOUNT?",
  ],
  [
    '  A: { expression: "category == \\"a\\" && TX_AMONT > 1" }',
    "11:42: A: there is no TX_AMONT here; did you mean TX_AMOUNT?",
  ],
  [
    "  A: { expression: 'TX_AMOUNT >' }",
    "11:32: A: the expression ends where a value must follow; complete it",
  ],
  [
    "  A: { expression: '1 + TX_FRAUD' }",
    "11:25: A: TX_FRAUD is not known when a payment is made; use a feature that looks at labels, such as { share: TX_FRAUD, by: TERMINAL_ID, over: 30d }",
  ],
  [
    "  A: { expression: category }",
    "11:20: A: a feature is a number or a condition, not a text",
  ],
  [
    "  A: { expression: 'category > 5' }",
    "11:32: A: values of different types cannot be compared; category is a text, 5 is a number",
  ],
  [
    "  A: { count: payments, by: CUSTOMER_ID, over: 1h, where: TX_AMOUNT }",
    "11:59: A: 'where' must be a condition, such as \"TX_AMOUNT > 100\"",
  ],
  [
    ["CUSTOMER_ID", "TERMINAL_ID", "category", "online", "weight"]
      .map((key, i) => `  A${i}: { count: payments, by: ${key}, over: 1h }`)
      .join("\n"),
    "15:30: A4 has the fifth key; features may have 4 different keys; use CUSTOMER_ID, TERMINAL_ID, category, online",
  ],
  [
    "  A: { count: payments, by: category, over: 1h, delay: 8d }",
    "11:29: A: beside keys with CUSTOMER_ID only one other key is possible with 3 partitions, and TERMINAL_ID is one; use one partition",
    { partitions: 3 },
  ],
  [
    "  A: { count: payments, by: TERMINAL_ID, over: 1h }",
    "11:48: A: with 3 partitions payments reach TERMINAL_ID in no fixed order, so its window must end at least 145h before the payment; set 'delay', use one partition, or accept results that differ from run to run with 'order: arrival'",
    { partitions: 3 },
  ],
];

Deno.test("what cannot be computed is refused with its place and a fix", () => {
  for (const [features, message, options] of REFUSED) {
    assert.throws(() => parametersOf(features, options), (error: Error) => {
      assert.ok(error instanceof ConfigError);
      const text = error.message.slice(0, `s.yaml:${message}`.length);
      const isWhole = !message.endsWith(" one of ");
      assert.equal(isWhole ? error.message : text, `s.yaml:${message}`);
      return true;
    });
  }
});

Deno.test("several partitions leave room for keys with CUSTOMER_ID and one other", () => {
  for (
    const features of [
      "  A: { count: payments, by: [CUSTOMER_ID, category], over: 1h }",
      "  A: { count: payments, by: TERMINAL_ID, over: 1h, delay: 7d }",
      "  A: { share: TX_FRAUD, by: TERMINAL_ID, over: 1h }",
      "  A: { count: payments, by: TERMINAL_ID, over: 1h, order: arrival }",
      "  include: none\n" +
      "  A: { count: payments, by: category, over: 1h, delay: 7d }",
    ]
  ) assert.equal(parametersOf(features, { partitions: 3 }).partitions, 3);
});

Deno.test("the examples of docs/FEATURES.md are definitions", async () => {
  const path = new URL("../../docs/FEATURES.md", import.meta.url);
  const text = await Deno.readTextFile(path);
  const blocks = [...text.matchAll(/```yaml\nfeatures:\n([^`]+)```/g)]
    .map(([, lines]) => lines);
  const rows = [...text.matchAll(/`(\{ [a-z_]+: .+ \})` +\|$/gm)]
    .map(([, feature], i) => `  ROW_${i}: ${feature}\n`);
  assert.equal(blocks.length, 4);
  assert.equal(rows.length, 8);
  const [first] = blocks;
  for (const lines of [...blocks, first + rows.join("")]) {
    assert.ok(parametersOf(lines).features.declared);
  }
});

Deno.test("the handbook's features of examples are a definition, however it is formatted", () => {
  const path = new URL(
    "../../examples/definitions/handbook_declared.yaml",
    import.meta.url,
  );
  const definition = readDefinition(Deno.readTextFileSync(path), "s.yaml");
  const { features } = readStreamFlags({ definition }, undefined);
  assert.deepEqual(featureNames(features), featureNames(HANDBOOK_FEATURES));
});
