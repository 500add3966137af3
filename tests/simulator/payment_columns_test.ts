import assert from "node:assert/strict";
import { PaymentColumns } from "../../src/simulator/payment_columns.ts";

Deno.test("PaymentColumns keep every payment however far they grow", () => {
  const columns = new PaymentColumns(0);
  for (let i = 0; i < 1000; i++) columns.push(i, i + 1, i / 4, i * 3);
  assert.equal(columns.length, 1000);
  for (let i = 0; i < 1000; i++) {
    assert.deepEqual(
      [
        columns.customerId[i],
        columns.terminalId[i],
        columns.amount[i],
        columns.timeSeconds[i],
      ],
      [i, i + 1, i / 4, i * 3],
    );
  }
});
