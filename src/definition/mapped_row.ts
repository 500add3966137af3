/** A payment that was mapped by a definition, as the row of cells in which payments travel. */
import { DAY_SECONDS, INT_MAX } from "../payment/payment.ts";
import {
  CELL,
  FRAUD_UNKNOWN,
  PAYMENT_CELLS,
} from "../payment/payment_cells.ts";
import type { PaymentShape } from "../payment/payment_shape.ts";
import { NO_TEXT, type TextHeap } from "../payment/text_heap.ts";
import type { MappedPayment } from "./payment_mapper.ts";

/** Midnight of the day of a time, both in seconds since 1970. */
export function midnightOf(seconds: number): number {
  return Math.floor(seconds / DAY_SECONDS) * DAY_SECONDS;
}

/** Whether a stream that began at `startSeconds` can have a payment at a time, both in seconds since 1970. */
export function isInStream(seconds: number, startSeconds: number): boolean {
  const time = seconds - startSeconds;
  return time >= 0 && time <= INT_MAX;
}

/** Puts a payment into the row that begins at `at`; its texts are added to `texts`. */
export function putMappedPayment(
  payment: MappedPayment,
  shape: PaymentShape,
  startSeconds: number,
  cells: Float64Array,
  at: number,
  texts: TextHeap,
): void {
  const { datetimeSeconds, kept } = payment;
  cells[at + CELL.id] = cellOf(payment.transactionId, texts);
  cells[at + CELL.datetime] = datetimeSeconds;
  cells[at + CELL.customer] = cellOf(payment.customerId, texts);
  cells[at + CELL.terminal] = cellOf(payment.terminalId, texts);
  cells[at + CELL.amount] = payment.amountUnits / 10 ** shape.decimals;
  cells[at + CELL.time] = datetimeSeconds - startSeconds;
  cells[at + CELL.fraud] = shape.hasFraud ? payment.fraud : FRAUD_UNKNOWN;
  cells[at + CELL.scenario] = shape.hasScenario ? payment.scenario : 0;
  for (let i = 0; i < shape.kept.length; i++) {
    const value = kept[i];
    cells[at + PAYMENT_CELLS + i] = value !== null
      ? cellOf(value, texts)
      : shape.kept[i].type === "text"
      ? NO_TEXT
      : NaN;
  }
}

function cellOf(value: number | string, texts: TextHeap): number {
  return typeof value === "number" ? value : texts.addText(value);
}
