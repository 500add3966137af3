/** Keys of declared features that payments lack. */
import assert from "node:assert/strict";
import { paymentValues } from "../../src/features/declared_features.ts";
import { MissingKeys } from "../../src/features/missing_keys.ts";
import { PAYMENT_CELLS } from "../../src/payment/payment_cells.ts";
import { HANDBOOK_SHAPE } from "../../src/payment/payment_shape.ts";
import { NO_TEXT } from "../../src/payment/text_heap.ts";

const VALUES = paymentValues({
  ...HANDBOOK_SHAPE,
  kept: [{ name: "device", type: "text" }, { name: "branch", type: "number" }],
}, PAYMENT_CELLS);

Deno.test("MissingKeys names the first feature of each key that more than half of the payments lack", () => {
  const keys = new MissingKeys([
    { feature: "A", by: ["device"] },
    { feature: "B", by: ["device"] },
    { feature: "C", by: ["CUSTOMER_ID"] },
    { feature: "D", by: ["branch", "CUSTOMER_ID"] },
  ], VALUES);
  const add = (device: number, branch: number) => {
    const cells = new Float64Array(PAYMENT_CELLS + 2);
    cells[PAYMENT_CELLS] = device;
    cells[PAYMENT_CELLS + 1] = branch;
    keys.add(cells, 0);
  };
  add(NO_TEXT, NaN);
  assert.deepEqual(keys.most().map(({ feature }) => feature).sort(), [
    "A",
    "D",
  ]);
  add(0, NaN);
  assert.deepEqual(keys.most(), [{
    feature: "D",
    by: ["branch", "CUSTOMER_ID"],
    missing: 2,
    payments: 2,
  }]);
  add(0, 0);
  add(0, 0);
  assert.deepEqual(keys.most(), []);
});
