/**
 * The newest days of labelled payments, to learn from and to judge by. They
 * come in any order of days and leave sorted, so a model is a function of the
 * set of payments. Where labels arrive later than the payments, what is given
 * out is also a function of the time that is asked about: no label that was not
 * known by then is in it. Memory is bounded by days and by rows.
 */
import {
  DAY_SECONDS,
  emptyPayment,
  type TransactionId,
} from "../../payment/payment.ts";
import {
  CELL,
  FRAUD_UNKNOWN,
  PAYMENT_CELLS,
} from "../../payment/payment_cells.ts";
import {
  HANDBOOK_SHAPE,
  type PaymentShape,
} from "../../payment/payment_shape.ts";
import { compareTexts, TextHeap } from "../../payment/text_heap.ts";
import { type LateLabel, LateLabels } from "./late_labels.ts";
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
  /** Where ids are text. */
  readonly texts: TextHeap;
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

/** Which payments a window takes. */
export interface WindowOptions {
  /** The form of the payments, the handbook's by default. */
  readonly shape?: PaymentShape;
  /** Where labels arrive later: how long after it a payment without one is genuine, in seconds. */
  readonly matureSeconds?: number;
  /** Most payments that are kept. */
  readonly rowsMax?: number;
  /** Names of the inputs that may be missing; none by default. */
  readonly nullable?: readonly string[];
}

/** Labelled payments by day. */
export class TrainingWindow {
  readonly #inputs: readonly string[];
  readonly #nullable: readonly string[];
  readonly #shape: PaymentShape;
  readonly #matureSeconds: number;
  readonly #width: number;
  readonly #rowsMax: number;
  readonly #days = new Map<number, GatheredDay>();
  readonly #labels: LateLabels | undefined;
  readonly #verdicts = new Map<TransactionId, number>();
  #first = 0;
  #rows = 0;

  /** An empty window of payments with these inputs, TX_AMOUNT and the features. */
  constructor(inputs: readonly string[], options: WindowOptions = {}) {
    const { shape = HANDBOOK_SHAPE, matureSeconds = 0, rowsMax = ROWS_MAX } =
      options;
    this.#inputs = inputs;
    this.#nullable = options.nullable ?? [];
    this.#shape = shape;
    this.#matureSeconds = matureSeconds;
    this.#width = CELLS + inputs.length - 1;
    this.#rowsMax = rowsMax;
    this.#labels = shape.hasLabels
      ? new LateLabels(shape.transactionId)
      : undefined;
  }

  /** Number of payments kept. */
  get rows(): number {
    return this.#rows;
  }

  /** First day that is kept. */
  get firstDay(): number {
    return this.#first;
  }

  /** Adds the payment in a row of cells, with its features behind it, unless its day is no longer kept. Its ids may refer to `texts`, which are copied. */
  add(row: Float64Array, texts: TextHeap): void {
    const day = Math.floor(row[CELL.time] / DAY_SECONDS);
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
    const { transactionId, customerId } = this.#shape;
    cells[at + KEPT.id] = transactionId === "text"
      ? gathered.texts.copy(row[CELL.id], texts)
      : row[CELL.id];
    cells[at + KEPT.customer] = customerId === "text"
      ? gathered.texts.copy(row[CELL.customer], texts)
      : row[CELL.customer];
    cells[at + KEPT.time] = row[CELL.time];
    cells[at + KEPT.fraud] = row[CELL.fraud];
    cells[at + KEPT.scenario] = row[CELL.scenario];
    cells[at + KEPT.amount] = row[CELL.amount];
    for (let i = CELLS; i < width; i++) {
      cells[at + i] = row[PAYMENT_CELLS + i - CELLS];
    }
    gathered.length++;
    if (++this.#rows <= this.#rowsMax || this.#days.size === 1) return;
    this.dropBefore(Math.min(...this.#days.keys()) + 1);
  }

  #begin(day: number): GatheredDay {
    const cells = new Float64Array(ROWS_MIN * this.#width);
    const gathered = { length: 0, cells, texts: new TextHeap() };
    this.#days.set(day, gathered);
    return gathered;
  }

  /** Lets days go. */
  dropBefore(day: number): void {
    if (day <= this.#first) return;
    this.#first = day;
    this.#labels?.dropBefore(day);
    for (const [old, { length }] of this.#days) {
      if (old >= day) continue;
      this.#days.delete(old);
      this.#rows -= length;
    }
  }

  /** Takes an analyst's verdict, which counts instead of the payment's own label; null withdraws it. */
  judge(transactionId: TransactionId, label: number | null): void {
    this.#verdicts.delete(transactionId); // the newest stand last
    if (label === null) return;
    this.#verdicts.set(transactionId, label);
    if (this.#verdicts.size <= VERDICTS_MAX) return;
    const [oldest] = this.#verdicts.keys();
    this.#verdicts.delete(oldest);
  }

  /** Takes a label that arrives later, unless the day of its payment is no longer kept; its id may lie in `texts`. */
  label(label: LateLabel, texts: TextHeap): void {
    if (label.day >= this.#first) this.#labels?.add(label, texts);
  }

  /** Whether a payment of a day has a label that can be learned from later than `after` and no later than `until`, both TX_TIME_SECONDS. */
  hasNewLabel(day: number, after: number, until: number): boolean {
    return this.#labels?.hasNew(day, after, until) ?? false;
  }

  /**
   * The payments of the days from `firstDay` to before `endDay`, in the order
   * of TRANSACTION_ID within a day. Where labels arrive later, those that could
   * be learned from at `asOf` (TX_TIME_SECONDS) count, and payments whose label
   * was unknown by then are left out.
   */
  payments(
    firstDay: number,
    endDay: number,
    { startSeconds, asOf }: {
      readonly startSeconds: number;
      readonly asOf: number;
    },
  ): LabelledPayments {
    const shape = this.#shape;
    const builder = new PaymentsBuilder(this.#inputs, startSeconds, {
      shape,
      nullable: this.#nullable,
    });
    const days = [...this.#days.keys()].filter((day) =>
      day >= firstDay && day < endDay
    );
    for (const day of days.sort((a, b) => a - b)) {
      this.#build(builder, day, asOf);
    }
    return builder.finish();
  }

  #build(builder: PaymentsBuilder, day: number, asOf: number): void {
    const gathered = this.#days.get(day);
    if (!gathered) return;
    const { length, cells, texts } = gathered;
    const width = this.#width;
    builder.startDay(day, length);
    const isText = this.#shape.transactionId === "text";
    const compare = isText
      ? (a: number, b: number) =>
        compareTexts(cells[a * width], texts, cells[b * width], texts)
      : (a: number, b: number) => cells[a * width] - cells[b * width];
    const order = Uint32Array.from({ length }, (_, row) => row).sort(compare);
    const fraudOf = this.#fraudOf(day, asOf);
    const payment = emptyPayment();
    for (const row of order) {
      const at = row * width;
      const id = cells[at + KEPT.id];
      const time = cells[at + KEPT.time];
      const fraud = fraudOf(
        isText ? texts.text(id) ?? "" : id,
        time,
        cells[at + KEPT.fraud],
      );
      if (fraud === FRAUD_UNKNOWN) continue;
      payment.transactionId = id;
      payment.customerId = cells[at + KEPT.customer];
      payment.timeSeconds = time;
      payment.fraud = fraud;
      payment.scenario = cells[at + KEPT.scenario];
      payment.amount = cells[at + KEPT.amount];
      builder.add(payment, cells, at + CELLS, texts);
    }
  }

  /** Gives the label of a day's payment at a time, or FRAUD_UNKNOWN: from its id, its time and the label that it carries. */
  #fraudOf(
    day: number,
    asOf: number,
  ): (id: TransactionId, time: number, own: number) => number {
    if (this.#labels === undefined) {
      const verdicts = this.#verdicts;
      return (id, _, own) => verdicts.get(id) ?? own;
    }
    const known = this.#labels.of(day, asOf);
    const genuine = asOf - this.#matureSeconds;
    return (id, time) => known.get(id) ?? (time <= genuine ? 0 : FRAUD_UNKNOWN);
  }
}
