/**
 * The labels of payments that arrive later than these, each with the time from
 * which on it can be learned from, so that what was known at any time can be
 * read again. They may come in any order, also before their payments. Of the
 * labels of one payment the one that is known later counts, of equal ones the
 * later record: what holds at a time is a function of the set of labels.
 */
import type { TransactionId } from "../../payment/payment.ts";
import { FRAUD_UNKNOWN } from "../../payment/payment_cells.ts";
import { TextHeap } from "../../payment/text_heap.ts";

/** A label of a payment. */
export interface LateLabel {
  /** TRANSACTION_ID; where ids are text, its place in a heap. */
  readonly id: number;
  /** Day of the payment. */
  readonly day: number;
  /** KNOWN_AT as TX_TIME_SECONDS: the greatest of a payment counts. */
  readonly knownAt: number;
  /** KNOWN_TIME as TX_TIME_SECONDS: it can be learned from then on. */
  readonly knownTime: number;
  /** TX_FRAUD; FRAUD_UNKNOWN withdraws the labels before. */
  readonly fraud: number;
  /** Partition that it was read from, whose labels come in their order. */
  readonly partition: number;
}

/** Cells of a label, side by side. */
const LABEL = { id: 0, knownAt: 1, knownTime: 2, fraud: 3, partition: 4 };
const CELLS = 5;
const LABELS_MIN = 64;

/** The labels of a day's payments, in the order they came. */
interface LabelledDay {
  length: number;
  cells: Float64Array;
  readonly texts: TextHeap;
}

/** Labels by the days of their payments. */
export class LateLabels {
  readonly #isText: boolean;
  readonly #days = new Map<number, LabelledDay>();

  /** Holds no label yet. */
  constructor(idKind: "number" | "text") {
    this.#isText = idKind === "text";
  }

  /** Takes a label, whose id may lie in `texts`. */
  add(label: LateLabel, texts: TextHeap): void {
    const day = this.#days.get(label.day) ?? this.#begin(label.day);
    const at = day.length++ * CELLS;
    if (at === day.cells.length) {
      const larger = new Float64Array(2 * at);
      larger.set(day.cells);
      day.cells = larger;
    }
    const { cells } = day;
    const { id } = label;
    cells[at + LABEL.id] = this.#isText ? day.texts.copy(id, texts) : id;
    cells[at + LABEL.knownAt] = label.knownAt;
    cells[at + LABEL.knownTime] = label.knownTime;
    cells[at + LABEL.fraud] = label.fraud;
    cells[at + LABEL.partition] = label.partition;
  }

  #begin(day: number): LabelledDay {
    const begun = {
      length: 0,
      cells: new Float64Array(LABELS_MIN * CELLS),
      texts: new TextHeap(),
    };
    this.#days.set(day, begun);
    return begun;
  }

  /** Lets the labels of days before this one go. */
  dropBefore(day: number): void {
    for (const old of this.#days.keys()) {
      if (old < day) this.#days.delete(old);
    }
  }

  /** TX_FRAUD of the payments of a day whose label could be learned from at `asOf`, by TRANSACTION_ID; withdrawn ones are not among them. */
  of(day: number, asOf: number): ReadonlyMap<TransactionId, number> {
    const { length, cells, texts } = this.#days.get(day) ?? NO_LABELS;
    const newest = new Map<TransactionId, number>();
    for (let at = 0; at < length * CELLS; at += CELLS) {
      if (cells[at + LABEL.knownTime] > asOf) continue;
      const cell = cells[at + LABEL.id];
      const id = this.#isText ? texts.text(cell) ?? "" : cell;
      const before = newest.get(id);
      if (before !== undefined && isLater(cells, before, at)) continue;
      newest.set(id, at);
    }
    const known = new Map<TransactionId, number>();
    for (const [id, at] of newest) {
      const fraud = cells[at + LABEL.fraud];
      if (fraud !== FRAUD_UNKNOWN) known.set(id, fraud);
    }
    return known;
  }

  /** Whether a label of a day can be learned from later than `after` and no later than `until`. */
  hasNew(day: number, after: number, until: number): boolean {
    const { length, cells } = this.#days.get(day) ?? NO_LABELS;
    for (let at = 0; at < length * CELLS; at += CELLS) {
      const time = cells[at + LABEL.knownTime];
      if (time > after && time <= until) return true;
    }
    return false;
  }
}

const NO_LABELS: LabelledDay = {
  length: 0,
  cells: new Float64Array(0),
  texts: new TextHeap(),
};

/** Whether the label at `one` counts instead of the one at `other`, which came after it. */
function isLater(cells: Float64Array, one: number, other: number): boolean {
  for (const cell of [LABEL.knownAt, LABEL.knownTime, LABEL.partition]) {
    const difference = cells[one + cell] - cells[other + cell];
    if (difference !== 0) return difference > 0;
  }
  return false;
}
