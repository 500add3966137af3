/**
 * The canonical files of a data set, written the plainest way, to compare
 * their sums with those of an independent implementation.
 */
import {
  CUSTOMER_RECORD,
  TERMINAL_RECORD,
} from "../../src/payment/profile_json.ts";
import { createHash } from "node:crypto";
import { formatDatetime } from "../../src/payment/calendar.ts";
import {
  type Customer,
  emptyPayment,
  PAYMENT_FIELDS,
  type PaymentTable,
  readTableRow,
  type Terminal,
} from "../../src/payment/payment.ts";

/** SHA-256 of a text made of lines. */
export function sumOfLines(lines: Iterable<string>): string {
  const hash = createHash("sha256");
  let block: string[] = [];
  for (const line of lines) {
    block.push(line, "\n");
    if (block.length >= 10_000) {
      hash.update(block.join(""));
      block = [];
    }
  }
  return hash.update(block.join("")).digest("hex");
}

/** Lines of the transactions file, header first. */
export function* transactionLines(
  table: PaymentTable,
  startSeconds: number,
): Generator<string> {
  yield PAYMENT_FIELDS.join(",");
  const row = emptyPayment();
  for (let i = 0; i < table.length; i++) {
    readTableRow(table, i, startSeconds, row);
    yield [
      row.transactionId,
      formatDatetime(row.datetimeSeconds),
      row.customerId,
      row.terminalId,
      row.amount,
      row.timeSeconds,
      Math.floor(row.timeSeconds / 86_400),
      row.fraud,
      row.scenario,
    ].join(",");
  }
}

/** Lines of the customers file, header first. */
export function* customerLines(
  customers: readonly Customer[],
): Generator<string> {
  yield CUSTOMER_RECORD.map(({ name }) => name).join(",");
  for (const c of customers) {
    yield [
      c.customerId,
      c.x,
      c.y,
      c.meanAmount,
      c.stdAmount,
      c.meanPaymentsPerDay,
    ].join(",");
  }
}

/** Lines of the terminals file, header first. */
export function* terminalLines(
  terminals: readonly Terminal[],
): Generator<string> {
  yield TERMINAL_RECORD.map(({ name }) => name).join(",");
  for (const t of terminals) yield [t.terminalId, t.x, t.y].join(",");
}
