/** What models of other programs are offered of a stream's features. */
import assert from "node:assert/strict";
import { resolveFeatures } from "../../src/features/declared_features.ts";
import { HANDBOOK_FEATURES } from "../../src/features/parameters.ts";
import { readDefinition } from "../../src/definition/read_definition.ts";
import { HANDBOOK_SHAPE } from "../../src/payment/payment_shape.ts";
import { offeredInputs } from "../../src/scoring/open_model.ts";

const DEFINITION = `version: 1
payment:
  TRANSACTION_ID: id
  TX_DATETIME: time
  CUSTOMER_ID: card
  TERMINAL_ID: shop
  TX_AMOUNT: amount
features:
  CARD_TX: { count: payments, by: CUSTOMER_ID, over: 1h }
  CARD_MEAN: { mean: TX_AMOUNT, by: CUSTOMER_ID, over: 1h, include_self: false }
  CARD_SINCE: { seconds_since: payments, by: CUSTOMER_ID, over: 7d }
  RATIO: { expression: TX_AMOUNT / CARD_MEAN }
  LARGE: { expression: TX_AMOUNT > 100 }
  SHOP_RISK_RATIO_1: { distinct: CUSTOMER_ID, by: TERMINAL_ID, over: 1h }
`;

Deno.test("offeredInputs() knows which declared features are whole and which can be missing", () => {
  const { features: { declared } } = readDefinition(
    DEFINITION,
    "stream.yaml",
  );
  const { names, nullable, isWhole } = offeredInputs({
    ...HANDBOOK_FEATURES,
    declared: resolveFeatures(declared, {
      shape: HANDBOOK_SHAPE,
      labelDelaySeconds: undefined,
      hasOwnLabels: true,
      included: [],
    }),
  });
  assert.deepEqual(names.slice(-6).filter(isWhole), [
    "CARD_TX",
    "CARD_SINCE",
    "LARGE",
    "SHOP_RISK_RATIO_1",
  ]);
  assert.deepEqual(nullable, ["CARD_MEAN", "CARD_SINCE", "RATIO"]);
  assert.deepEqual(names.slice(0, 5).filter(isWhole), [
    "TX_DURING_WEEKEND",
    "TX_DURING_NIGHT",
    "CUSTOMER_ID_NB_TX_1DAY_WINDOW",
  ]);
});
