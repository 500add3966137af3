/**
 * Labelled payments as columns: the inputs of models, the labels, and the card
 * and time of each, so that splits and metrics can go by day and card. Splits
 * and metrics only compare cards, so a card is a small whole number whatever
 * its id is; ids of payments stay as they are. The columns lie in shared
 * memory: threads that fit models read them without a copy.
 */
import { ModelError } from "../../base/error.ts";
import {
  DAY_SECONDS,
  type Payment,
  type TransactionId,
} from "../../payment/payment.ts";
import {
  HANDBOOK_SHAPE,
  type PaymentShape,
  UNLABELLED_SHAPE,
} from "../../payment/payment_shape.ts";
import {
  compareIds,
  NO_TEXTS,
  TextHeap,
  textMoved,
} from "../../payment/text_heap.ts";
import type { Examples, Scorer } from "../kinds/model.ts";

/** Payments with inputs and labels; rows in order of days. */
export interface LabelledPayments extends Examples {
  /** Midnight of day 0, seconds since 1970. */
  readonly startSeconds: number;
  /** TRANSACTION_ID of each row: the number, or where its text lies in `texts`; transactionIds() reads both. */
  readonly transactionId: Float64Array;
  /** The texts that `transactionId` refers to; undefined where ids are numbers. */
  readonly texts: Uint8Array | undefined;
  /**
   * The card of each row. Two rows have the same one exactly if they have the
   * same CUSTOMER_ID, and cards are in the order of their CUSTOMER_IDs. In the
   * handbook's shape it is the CUSTOMER_ID, in others the CUSTOMER_ID's place
   * among those that have been added.
   */
  readonly card: Int32Array;
  /** TX_TIME_SECONDS of each row. */
  readonly timeSeconds: Int32Array;
  /** TX_AMOUNT of each row, also one of the inputs. */
  readonly amount: Float64Array;
  /** TX_FRAUD_SCENARIO of each row. */
  readonly scenario: Int32Array;
}

/** Rows `from` (inclusive) to `to` (exclusive). */
export interface RowRange {
  /** First row. */
  readonly from: number;
  /** Row behind the last. */
  readonly to: number;
}

/** Name of the input that is the amount itself; the features follow it. */
export const AMOUNT_INPUT = "TX_AMOUNT";

/** Rows that are scored at once: enough to amortize the call, few enough for the cache. */
const SCORED_ROWS = 1024;

/** TX_TIME_DAYS of a row. */
export function dayOf(payments: LabelledPayments, row: number): number {
  return Math.floor(payments.timeSeconds[row] / DAY_SECONDS);
}

/** The last day that has a payment; -1 without payments. */
export function lastDayOf(payments: LabelledPayments): number {
  return payments.rows === 0 ? -1 : dayOf(payments, payments.rows - 1);
}

/** The payments up to a TX_TIME_SECONDS, which come first. */
export function paymentsUntil(
  payments: LabelledPayments,
  timeSeconds: number,
): LabelledPayments {
  let rows = payments.rows;
  while (rows > 0 && payments.timeSeconds[rows - 1] > timeSeconds) rows--;
  return {
    ...payments,
    rows,
    columns: payments.columns.map((column) => column.subarray(0, rows)),
    labels: payments.labels.subarray(0, rows),
    transactionId: payments.transactionId.subarray(0, rows),
    card: payments.card.subarray(0, rows),
    timeSeconds: payments.timeSeconds.subarray(0, rows),
    amount: payments.amount.subarray(0, rows),
    scenario: payments.scenario.subarray(0, rows),
  };
}

/** Reads TRANSACTION_IDs by their rows. */
export function transactionIds(
  { transactionId, texts }: LabelledPayments,
): (row: number) => TransactionId {
  if (texts === undefined) return (row) => transactionId[row];
  // A decoder reads no shared memory.
  const heap = new TextHeap(texts.slice());
  return (row) => heap.text(transactionId[row]) ?? "";
}

/** The rows of the days from `firstDay` to before `endDay`. */
export function rowsOfDays(
  payments: LabelledPayments,
  firstDay: number,
  endDay: number,
): RowRange {
  return {
    from: firstRowFrom(payments, firstDay),
    to: firstRowFrom(payments, Math.max(firstDay, endDay)),
  };
}

/** The first row of day `day` or later. */
function firstRowFrom(payments: LabelledPayments, day: number): number {
  let low = 0;
  let high = payments.rows;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (dayOf(payments, middle) < day) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The examples of some rows, in their order: what a model is fitted to. */
export function examplesOf(
  payments: LabelledPayments,
  rows: Int32Array,
): Examples {
  return {
    inputs: payments.inputs,
    nullable: payments.nullable,
    rows: rows.length,
    columns: payments.columns.map((column) => {
      const taken = new Float64Array(rows.length);
      for (let at = 0; at < rows.length; at++) taken[at] = column[rows[at]];
      return taken;
    }),
    labels: Uint8Array.from(rows, (row) => payments.labels[row]),
  };
}

/** The score of each of some rows, in their order. Throws ModelError if the scorer needs an input that the payments lack. */
export async function scoreRows(
  scorer: Scorer,
  payments: LabelledPayments,
  rows: Int32Array,
): Promise<Float64Array> {
  const scores = new Float64Array(rows.length);
  const columns = scorer.inputs.map((name) => {
    const at = payments.inputs.indexOf(name);
    if (at >= 0) return payments.columns[at];
    throw new ModelError(
      `the model needs the input ${name}, which these payments lack; choose ` +
        "the features that it was trained on",
    );
  });
  const width = columns.length;
  const values = new Float64Array(SCORED_ROWS * width);
  for (let from = 0; from < rows.length; from += SCORED_ROWS) {
    const length = Math.min(SCORED_ROWS, rows.length - from);
    for (let input = 0; input < width; input++) {
      const column = columns[input];
      for (let at = 0; at < length; at++) {
        values[at * width + input] = column[rows[from + at]];
      }
    }
    // A built-in scorer answers synchronously.
    const pending = scorer.score(
      values,
      length,
      scores.subarray(from, from + length),
    );
    if (pending) await pending;
  }
  return scores;
}

/** Which payments are gathered. */
export interface BuilderOptions {
  /** How many of the last days are kept; all by default. */
  readonly spanDays?: number;
  /** The payments' shape, the handbook's by default. */
  readonly shape?: PaymentShape;
  /** Names of the inputs that may be missing; none by default. */
  readonly nullable?: readonly string[];
}

/** Gathers payments day after day; it can keep the last days alone. */
export class PaymentsBuilder {
  readonly #inputs: readonly string[];
  readonly #nullable: readonly string[];
  readonly #startSeconds: number;
  readonly #spanDays: number;
  readonly #shape: PaymentShape;
  readonly #cards: Cards | undefined;
  readonly #days: GatheredDay[] = [];

  /** Makes a builder without payments. `startSeconds` is the midnight of day 0. */
  constructor(
    inputs: readonly string[],
    startSeconds: number,
    { spanDays = Infinity, shape = HANDBOOK_SHAPE, nullable = [] }:
      BuilderOptions = {},
  ) {
    this.#inputs = inputs;
    this.#nullable = nullable;
    this.#startSeconds = startSeconds;
    this.#spanDays = spanDays;
    this.#shape = shape;
    this.#cards = cardsOf(shape);
  }

  /** Begins a day, or another part of the last one, that will have `rows` payments. */
  startDay(day: number, rows: number): void {
    this.#days.push({
      day,
      length: 0,
      values: new Float64Array(rows * this.#inputs.length),
      labels: new Uint8Array(rows),
      transactionId: new Float64Array(rows),
      texts: new TextHeap(),
      card: new Int32Array(rows),
      timeSeconds: new Int32Array(rows),
      scenario: new Int32Array(rows),
    });
    while (this.#days[0].day <= day - this.#spanDays) this.#days.shift();
  }

  /**
   * Adds a payment of the day begun last, with the features that begin at
   * `features[from]`. Its ids may refer to texts in `texts`, which are copied.
   * Its label must be known.
   */
  add(
    row: Payment,
    features: ArrayLike<number>,
    from = 0,
    texts: TextHeap = NO_TEXTS,
  ): void {
    const day = this.#days[this.#days.length - 1];
    const index = day.length++;
    const width = this.#inputs.length;
    const place = index * width;
    day.values[place] = row.amount;
    for (let at = 1; at < width; at++) {
      day.values[place + at] = features[from + at - 1];
    }
    day.labels[index] = row.fraud;
    day.transactionId[index] = this.#shape.transactionId === "text"
      ? day.texts.copy(row.transactionId, texts)
      : row.transactionId;
    day.card[index] = this.#cards === undefined
      ? row.customerId
      : this.#cards.place(row.customerId, texts);
    day.timeSeconds[index] = row.timeSeconds;
    day.scenario[index] = row.scenario;
  }

  /** The payments kept; the builder is empty afterwards. */
  finish(): LabelledPayments {
    const rows = this.#days.reduce((sum, day) => sum + day.length, 0);
    const columns = this.#inputs.map(() => sharedDoubles(rows));
    const labels = new Uint8Array(new SharedArrayBuffer(rows));
    const transactionId = sharedDoubles(rows);
    const texts = this.#shape.transactionId === "text"
      ? this.#sharedTexts()
      : undefined;
    const card = sharedInts(rows);
    const timeSeconds = sharedInts(rows);
    const scenario = sharedInts(rows);
    const width = columns.length;
    let at = 0;
    let textsAt = 0;
    for (const day of this.#days.splice(0)) {
      const { length, values } = day;
      for (let input = 0; input < width; input++) {
        const column = columns[input];
        for (let row = 0; row < length; row++) {
          column[at + row] = values[row * width + input];
        }
      }
      labels.set(day.labels.subarray(0, length), at);
      transactionId.set(day.transactionId.subarray(0, length), at);
      if (texts !== undefined) {
        for (let row = at; row < at + length; row++) {
          transactionId[row] = textMoved(transactionId[row], textsAt);
        }
        textsAt += day.texts.length;
      }
      card.set(day.card.subarray(0, length), at);
      timeSeconds.set(day.timeSeconds.subarray(0, length), at);
      scenario.set(day.scenario.subarray(0, length), at);
      at += length;
    }
    this.#cards?.order(card);
    return {
      inputs: this.#inputs,
      nullable: this.#nullable,
      rows,
      columns,
      labels,
      startSeconds: this.#startSeconds,
      transactionId,
      texts,
      card,
      timeSeconds,
      amount: columns[0],
      scenario,
    };
  }

  /** The texts of all days, one day behind the other. */
  #sharedTexts(): Uint8Array {
    const length = this.#days.reduce((sum, { texts }) => sum + texts.length, 0);
    const bytes = new Uint8Array(new SharedArrayBuffer(length));
    let at = 0;
    for (const { texts } of this.#days) {
      bytes.set(texts.bytes.subarray(0, texts.length), at);
      at += texts.length;
    }
    return bytes;
  }
}

/** What stands for cards; undefined where the CUSTOMER_ID itself does. */
function cardsOf(shape: PaymentShape): Cards | undefined {
  if (shape.customerId === "text") return new Cards(true);
  // The handbook's are below 2^31, those of a definition need not be.
  const isSmall = shape === HANDBOOK_SHAPE || shape === UNLABELLED_SHAPE;
  return isSmall ? undefined : new Cards(false);
}

/** Numbers for CUSTOMER_IDs that are texts or may be large. */
class Cards {
  readonly #isText: boolean;
  readonly #places = new Map<TransactionId, number>();

  constructor(isText: boolean) {
    this.#isText = isText;
  }

  /** The number of a card, in the order in which they come. */
  place(cell: number, texts: TextHeap): number {
    const id = this.#isText ? texts.text(cell) ?? "" : cell;
    const known = this.#places.get(id);
    if (known !== undefined) return known;
    const place = this.#places.size;
    this.#places.set(id, place);
    return place;
  }

  /** Replaces such numbers by places in the order of the ids, and forgets the cards. */
  order(cards: Int32Array): void {
    const places = new Int32Array(this.#places.size);
    [...this.#places].sort(([a], [b]) => compareIds(a, b))
      .forEach(([, place], at) => places[place] = at);
    for (let row = 0; row < cards.length; row++) {
      cards[row] = places[cards[row]];
    }
    this.#places.clear();
  }
}

/** Payments of one day; the inputs stand row after row. */
interface GatheredDay {
  readonly day: number;
  length: number;
  readonly values: Float64Array;
  readonly labels: Uint8Array;
  readonly transactionId: Float64Array;
  readonly texts: TextHeap;
  readonly card: Int32Array;
  readonly timeSeconds: Int32Array;
  readonly scenario: Int32Array;
}

function sharedDoubles(rows: number): Float64Array {
  return new Float64Array(new SharedArrayBuffer(8 * rows));
}

function sharedInts(rows: number): Int32Array {
  return new Int32Array(new SharedArrayBuffer(4 * rows));
}
