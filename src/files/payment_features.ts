/** Payments of a source with their features, block after block in the same memory. */
import { FeatureOperator } from "../features/feature_operator.ts";
import {
  featureCount,
  type FeatureParameters,
  type TotalsLayout,
  totalsLayout,
  totalsToValues,
} from "../features/parameters.ts";
import { DAY_SECONDS, type Payment } from "../payment/payment.ts";
import { HANDBOOK_SHAPE, type PaymentShape } from "../payment/payment_shape.ts";
import type { TextHeap } from "../payment/text_heap.ts";
import type { PaymentBatch } from "./payment_source.ts";

/** Payments with a row of numbers for each, valid until the next block. */
export interface FeatureBlock {
  /** Number of payments. */
  readonly count: number;
  /** Fills `into` with payment `index`. */
  read(index: number, into: Payment): void;
  /** The numbers; those of payment i begin at `first` + i · `width`. */
  readonly values: Float64Array;
  /** See `values`. */
  readonly first: number;
  /** See `values`. */
  readonly width: number;
}

/** The same of payments in files, which may keep other fields. */
export interface PaymentBlock extends FeatureBlock {
  /** Puts the kept fields of payment `index` into cells, from `at` on. */
  readKept(index: number, cells: Float64Array, at: number): void;
  /** What ids and kept fields that are texts refer to. */
  readonly texts: TextHeap;
}

/** Payments computed at once. */
const BLOCK_ROWS = 4096;

/** Computes the features of all payments of a source. */
export class FeatureBlocks {
  readonly #operator: FeatureOperator;
  readonly #layout: TotalsLayout;
  readonly #width: number;
  readonly #totals: Float64Array;
  readonly #values: Float64Array;
  readonly #row: Float64Array;

  /** Makes one that has seen no payment. */
  constructor(
    parameters: FeatureParameters,
    shape: PaymentShape = HANDBOOK_SHAPE,
  ) {
    this.#operator = new FeatureOperator(parameters, DAY_SECONDS, shape);
    this.#layout = totalsLayout(parameters);
    this.#width = featureCount(parameters);
    this.#totals = new Float64Array(BLOCK_ROWS * this.#width);
    this.#values = new Float64Array(BLOCK_ROWS * this.#width);
    this.#row = new Float64Array(this.#width);
  }

  /** The next payments with their totals (see totalsToValues). */
  *totals(batch: PaymentBatch): Generator<PaymentBlock> {
    const width = this.#width;
    const { length, texts } = batch;
    for (let from = 0; from < length; from += BLOCK_ROWS) {
      const count = Math.min(BLOCK_ROWS, length - from);
      const read = (index: number, into: Payment) =>
        batch.read(from + index, into);
      const readKept = (index: number, cells: Float64Array, at: number) =>
        batch.readKept(from + index, cells, at);
      const payments = { read, readKept };
      this.#operator.processBlock(count, payments, this.#totals, texts);
      yield {
        count,
        read,
        readKept,
        texts,
        values: this.#totals,
        first: 0,
        width,
      };
    }
  }

  /** The next payments with the values of their features. */
  *values(batch: PaymentBatch): Generator<PaymentBlock> {
    const values = this.#values;
    for (const block of this.totals(batch)) {
      const end = block.count * block.width;
      for (let at = 0; at < end; at += block.width) {
        totalsToValues(block.values, this.#layout, this.#row, at);
        values.set(this.#row, at);
      }
      yield { ...block, values };
    }
  }
}
