/** Payments that a test lists row by row. */
import {
  type LabelledPayments,
  PaymentsBuilder,
} from "../../src/learning/data/payments.ts";
import { SeededSource } from "../../src/simulator/random/seeded_source.ts";
import { DAY_SECONDS } from "../../src/payment/payment.ts";

/** One payment. */
export interface SmallPayment {
  day: number;
  card: number;
  fraud: number;
  amount?: number;
  /** Inputs after the amount. */
  features?: number[];
}

/** 2018-04-01. */
const START_SECONDS = 1_522_540_800;

/** The payments, ascending by day, with one feature unless they have others. */
export function smallPayments(
  rows: readonly SmallPayment[],
  inputs: readonly string[] = ["TX_AMOUNT", "FEATURE"],
): LabelledPayments {
  const builder = new PaymentsBuilder(inputs, START_SECONDS);
  const days = Map.groupBy(rows, ({ day }) => day);
  let transactionId = 100;
  for (const [day, ofDay] of days) {
    builder.startDay(day, ofDay.length);
    for (const [at, row] of ofDay.entries()) {
      const timeSeconds = day * DAY_SECONDS + at;
      builder.add({
        transactionId: transactionId++,
        datetimeSeconds: START_SECONDS + timeSeconds,
        customerId: row.card,
        terminalId: 0,
        amount: row.amount ?? 1,
        timeSeconds,
        fraud: row.fraud,
        scenario: row.fraud,
      }, row.features ?? [0]);
    }
  }
  return builder.finish();
}

/** So many days of payments of some cards; frauds have greater amounts and features, mostly. */
export function randomPayments(
  days: number,
  rowsPerDay: number,
  seed = "payments",
): LabelledPayments {
  const source = new SeededSource(seed);
  const rows: SmallPayment[] = [];
  for (let day = 0; day < days; day++) {
    for (let row = 0; row < rowsPerDay; row++) {
      const fraud = source.double() < 0.1 ? 1 : 0;
      rows.push({
        day,
        card: Math.floor(200 * source.double()),
        fraud,
        amount: Math.round(1 + 100 * (1 + fraud) * source.double()),
        features: [(1 + fraud) * source.double()],
      });
    }
  }
  return smallPayments(rows);
}
