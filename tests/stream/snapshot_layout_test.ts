import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import type { StateSink } from "../../src/base/state_stream.ts";
import {
  CustomerOperator,
  TerminalOperator,
} from "../../src/features/feature_operator.ts";
import {
  featureCount,
  HANDBOOK_FEATURES,
} from "../../src/features/parameters.ts";
import { DAY_SECONDS, emptyPayment } from "../../src/payment/payment.ts";
import { Ledger } from "../../src/stream/ledger.ts";
import { SNAPSHOT_FORMAT } from "../../src/stream/snapshot.ts";

/**
 * What the stages save of the same payments, for each format so far. A change
 * of what they save is a new format: raise SNAPSHOT_FORMAT and put its value
 * here, or the program reads its own older snapshots as something else.
 */
const LAYOUTS: Readonly<Record<number, string>> = {
  2: "f2743bd8d16edb19 0a713a030f1c8706 d33e97383365b19c",
};

/** The sizes of the pieces that are written, and a sum of their bytes where these are the same each time. */
function layoutOf(save: (sink: StateSink) => void, isFixed: boolean): string {
  const sum = createHash("sha256");
  const sizes: number[] = [];
  save({
    write: (bytes) => {
      sizes.push(bytes.length);
      if (isFixed) sum.update(bytes);
    },
  });
  sum.update(sizes.join());
  return sum.digest("hex").slice(0, 16);
}

Deno.test("what stages save has not changed since its format was named", () => {
  const customers = new CustomerOperator(HANDBOOK_FEATURES, 3600);
  const terminals = new TerminalOperator(HANDBOOK_FEATURES, 7 * DAY_SECONDS);
  const ledger = new Ledger(2 * DAY_SECONDS);
  const totals = new Float64Array(featureCount(HANDBOOK_FEATURES));
  const row = emptyPayment();
  for (let id = 0; id < 5000; id++) {
    row.transactionId = id;
    row.customerId = id * id % 83;
    row.terminalId = id * 7 % 131;
    row.timeSeconds = id * 900;
    row.amount = (id % 1000) / 100;
    row.fraud = id % 17 === 0 ? 1 : 0;
    customers.process(row, row.timeSeconds, totals);
    terminals.process(row, row.timeSeconds, totals);
    // Few enough for one segment: where an id lies differs from run to run.
    if (id < 100) ledger.add(row, row.timeSeconds, id);
  }
  const layout = [
    layoutOf((sink) => customers.save(sink), true),
    layoutOf((sink) => terminals.save(sink), true),
    layoutOf((sink) => ledger.save(sink), false),
  ].join(" ");
  assert.equal(layout, LAYOUTS[SNAPSHOT_FORMAT]);
});
