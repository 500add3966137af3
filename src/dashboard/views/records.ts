/**
 * The records that the page reads, decoded once for the index and for the live
 * state: payments with features and predictions as rows of cells, profiles as
 * places. Records that are none are skipped, for other programs may write to
 * the topics too.
 */
import {
  FeatureJsonReader,
  featureRowCells,
} from "../../features/feature_row.ts";
import type { FeatureParameters } from "../../features/parameters.ts";
import {
  type RecordBatch,
  valueEnd,
  valueStart,
} from "../../log/record_batch.ts";
import { CELL } from "../../payment/payment_cells.ts";
import { isTransactionId } from "../../payment/payment.ts";
import {
  HANDBOOK_SHAPE,
  idOf,
  labelCells,
  type PaymentShape,
} from "../../payment/payment_shape.ts";
import { TextHeap } from "../../payment/text_heap.ts";
import type { NewLabel } from "../index/alert_index.ts";
import { parseObject, ShapedJsonReader } from "../../payment/payment_json.ts";
import {
  emptyPredictions,
  type PredictionRows,
} from "../../payment/prediction.ts";
import { PredictionJsonReader } from "../../payment/prediction_json.ts";

/** Payments with their features, side by side. */
export interface PaymentRows {
  /** The cells, `width` for each row. */
  readonly cells: Float64Array;
  /** Cells of a row. */
  readonly width: number;
  /** Number of rows. */
  readonly count: number;
  /** Offset of each row's record. */
  readonly offsets: Float64Array;
  /** What the cells of texts refer to. */
  readonly texts: TextHeap;
}

/** Labels that arrive later than their payments, with the offset of each one's record. */
export interface LabelBatch {
  /** The labels. */
  readonly labels: readonly NewLabel[];
  /** Number of labels. */
  readonly count: number;
  /** Offset of each one's record. */
  readonly offsets: Float64Array;
}

/** Predictions side by side, with the offset of each one's record. */
export interface PredictionBatch extends PredictionRows {
  /** Offset of each row's record. */
  readonly offsets: Float64Array;
}

/** A card's or a terminal's place. */
export interface ProfilePlace {
  /** CUSTOMER_ID or TERMINAL_ID. */
  readonly id: number;
  /** 0 to 100. */
  readonly x: number;
  /** 0 to 100. */
  readonly y: number;
}

/** Decodes batches by the rules of the writers of the store. */
export class RecordDecoder {
  readonly #payments: FeatureJsonReader;
  readonly #width: number;
  readonly #predictions: PredictionJsonReader;
  readonly #labels: ShapedJsonReader;
  readonly #shape: PaymentShape;

  /** Decodes payments of a shape with these features. */
  constructor(features: FeatureParameters, shape = HANDBOOK_SHAPE) {
    this.#payments = new FeatureJsonReader(features, shape);
    this.#predictions = new PredictionJsonReader(shape);
    this.#labels = new ShapedJsonReader(shape);
    this.#width = featureRowCells(features, shape);
    this.#shape = shape;
  }

  /** The payments of a batch; `startSeconds` is midnight of the first day where it is known. */
  payments(batch: RecordBatch, startSeconds: number | undefined): PaymentRows {
    const width = this.#width;
    const cells = new Float64Array(batch.count * width);
    const offsets = new Float64Array(batch.count);
    const texts = new TextHeap();
    const { bytes } = batch;
    let count = 0;
    for (let i = 0; i < batch.count; i++) {
      const [from, to] = [valueStart(batch, i), valueEnd(batch, i)];
      const at = count * width;
      const reader = this.#payments;
      const bad = reader.read(bytes, from, to, startSeconds, cells, at, texts);
      // The writer makes dead letters of what cannot be read.
      if (bad) continue;
      offsets[count++] = batch.offsets[i];
    }
    return { cells, width, count, offsets, texts };
  }

  /** The labels of a batch. */
  labels(batch: RecordBatch, startSeconds: number | undefined): LabelBatch {
    const reader = this.#labels;
    const { cells, texts } = reader;
    const { knownAt, knownTime } = labelCells(this.#shape);
    const labels: NewLabel[] = [];
    const offsets = new Float64Array(batch.count);
    for (let i = 0; i < batch.count; i++) {
      const [from, to] = [valueStart(batch, i), valueEnd(batch, i)];
      const bad = reader.read(batch.bytes, from, to, startSeconds);
      if (bad || !reader.isLabel) continue;
      const fraud = cells[CELL.fraud];
      offsets[labels.length] = batch.offsets[i];
      labels.push({
        id: idOf(this.#shape.transactionId, cells[CELL.id], texts),
        time: cells[CELL.time],
        amount: cells[CELL.amount],
        fraud: fraud === 1 ? 1 : fraud === 0 ? 0 : null,
        knownAt: cells[knownAt],
        knownTime: cells[knownTime],
      });
    }
    return { labels, count: labels.length, offsets };
  }

  /** The predictions of a batch. */
  predictions(batch: RecordBatch): PredictionBatch {
    const rows = emptyPredictions(batch.count);
    const offsets = new Float64Array(batch.count);
    for (let i = 0; i < batch.count; i++) {
      const [from, to] = [valueStart(batch, i), valueEnd(batch, i)];
      const { count } = rows;
      if (this.#predictions.read(batch.bytes, from, to, rows, count)) continue;
      offsets[count] = batch.offsets[i];
      rows.count++;
    }
    return { ...rows, offsets };
  }
}

/** The first of some rows whose record is not before an offset. */
export function firstFrom(
  { offsets, count }: {
    readonly offsets: Float64Array;
    readonly count: number;
  },
  offset: number,
): number {
  let first = 0;
  while (first < count && offsets[first] < offset) first++;
  return first;
}

/** The places in a batch of profiles, whatever else these say. */
export function placesOf(
  kind: "CUSTOMER" | "TERMINAL",
  batch: RecordBatch,
): ProfilePlace[] {
  const places: ProfilePlace[] = [];
  for (let i = 0; i < batch.count; i++) {
    const [from, to] = [valueStart(batch, i), valueEnd(batch, i)];
    const { object } = parseObject(batch.bytes, from, to);
    if (!object) continue;
    const id = object[`${kind}_ID`];
    const x = object[`X_${kind}_ID`];
    const y = object[`Y_${kind}_ID`];
    // The ids of cards and terminals have no wider range.
    if (isTransactionId(id) && isFinite(x) && isFinite(y)) {
      places.push({ id, x, y });
    }
  }
  return places;
}

function isFinite(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}
