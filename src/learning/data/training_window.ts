/**
 * The newest days of labelled payments, to learn from and to judge by. They
 * come in any order of days and leave sorted, so a model is a function of the
 * set of payments. Memory is bounded by days and by rows.
 */
import {
  DAY_SECONDS,
  emptyPayment,
  type Payment,
} from "../../payment/payment.ts";
import { type LabelledPayments, PaymentsBuilder } from "./payments.ts";

/** Most payments that are kept, about 200 bytes each; beyond that, the oldest days are dropped. */
const ROWS_MAX = 3_000_000;

/** How many of the newest verdicts are kept. */
const VERDICTS_MAX = 1_000_000;

const ROWS_MIN = 256;

/** The payments of one day, in the order they came. */
interface GatheredDay {
  length: number;
  /** Cells side by side: CELLS of the payment, then its features. */
  cells: Float64Array;
}

/** Cells of the payment: only those used for training and judging. */
const CELLS = 6;
const KEPT = {
  id: 0,
  customer: 1,
  time: 2,
  fraud: 3,
  scenario: 4,
  amount: 5,
} as const;

/** Labelled payments by day. */
export class TrainingWindow {
  readonly #inputs: readonly string[];
  readonly #width: number;
  readonly #rowsMax: number;
  readonly #days = new Map<number, GatheredDay>();
  readonly #verdicts = new Map<number, number>();
  #first = 0;
  #rows = 0;

  /** An empty window of payments with these inputs, TX_AMOUNT and the features; `rowsMax` is for tests. */
  constructor(inputs: readonly string[], rowsMax: number = ROWS_MAX) {
    this.#inputs = inputs;
    this.#width = CELLS + inputs.length - 1;
    this.#rowsMax = rowsMax;
  }

  /** Number of payments kept. */
  get rows(): number {
    return this.#rows;
  }

  /** First day that is kept. */
  get firstDay(): number {
    return this.#first;
  }

  /** Adds a payment with the features that begin at `features[from]`, unless its day is no longer kept. */
  add(row: Payment, features: Float64Array, from: number): void {
    const day = Math.floor(row.timeSeconds / DAY_SECONDS);
    if (day < this.#first) return;
    const gathered = this.#days.get(day) ?? this.#begin(day);
    const width = this.#width;
    const at = gathered.length * width;
    if (at === gathered.cells.length) {
      const larger = new Float64Array(2 * at);
      larger.set(gathered.cells);
      gathered.cells = larger;
    }
    const { cells } = gathered;
    cells[at + KEPT.id] = row.transactionId;
    cells[at + KEPT.customer] = row.customerId;
    cells[at + KEPT.time] = row.timeSeconds;
    cells[at + KEPT.fraud] = row.fraud;
    cells[at + KEPT.scenario] = row.scenario;
    cells[at + KEPT.amount] = row.amount;
    for (let i = CELLS; i < width; i++) {
      cells[at + i] = features[from + i - CELLS];
    }
    gathered.length++;
    if (++this.#rows <= this.#rowsMax || this.#days.size === 1) return;
    this.dropBefore(Math.min(...this.#days.keys()) + 1);
  }

  #begin(day: number): GatheredDay {
    const cells = new Float64Array(ROWS_MIN * this.#width);
    const gathered = { length: 0, cells };
    this.#days.set(day, gathered);
    return gathered;
  }

  /** Lets days go. */
  dropBefore(day: number): void {
    if (day <= this.#first) return;
    this.#first = day;
    for (const [old, { length }] of this.#days) {
      if (old >= day) continue;
      this.#days.delete(old);
      this.#rows -= length;
    }
  }

  /** Takes an analyst's verdict, which counts instead of the payment's own label; null withdraws it. */
  judge(transactionId: number, label: number | null): void {
    this.#verdicts.delete(transactionId); // the newest stand last
    if (label === null) return;
    this.#verdicts.set(transactionId, label);
    if (this.#verdicts.size <= VERDICTS_MAX) return;
    const [oldest] = this.#verdicts.keys();
    this.#verdicts.delete(oldest);
  }

  /** The payments of the days from `firstDay` to before `endDay`, ascending TRANSACTION_ID within a day. */
  payments(
    firstDay: number,
    endDay: number,
    startSeconds: number,
  ): LabelledPayments {
    const builder = new PaymentsBuilder(this.#inputs, startSeconds);
    const days = [...this.#days.keys()].filter((day) =>
      day >= firstDay && day < endDay
    );
    for (const day of days.sort((a, b) => a - b)) this.#build(builder, day);
    return builder.finish();
  }

  #build(builder: PaymentsBuilder, day: number): void {
    const gathered = this.#days.get(day);
    if (!gathered) return;
    const { length, cells } = gathered;
    const width = this.#width;
    builder.startDay(day, length);
    const order = Uint32Array.from({ length }, (_, row) => row)
      .sort((a, b) => cells[a * width] - cells[b * width]);
    const payment = emptyPayment();
    for (const row of order) {
      const at = row * width;
      const id = cells[at + KEPT.id];
      payment.transactionId = id;
      payment.customerId = cells[at + KEPT.customer];
      payment.timeSeconds = cells[at + KEPT.time];
      payment.fraud = this.#verdicts.get(id) ?? cells[at + KEPT.fraud];
      payment.scenario = cells[at + KEPT.scenario];
      payment.amount = cells[at + KEPT.amount];
      builder.add(payment, cells, at + CELLS);
    }
  }
}
