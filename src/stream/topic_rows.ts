/**
 * The payments and predictions in a stream's topics, in order of TRANSACTION_ID,
 * as its store would have them, with the labels that arrived later: for a stream
 * whose store is elsewhere. They are
 * sorted in a temporary file, so memory is bounded. Records that are no payment
 * or prediction are left out, as the writer does.
 */
import { FeatureJsonReader, featureRowCells } from "../features/feature_row.ts";
import { type Log, readRange } from "../log/log.ts";
import { valueEnd, valueStart } from "../log/record_batch.ts";
import {
  emptyPredictions,
  PREDICTION_CELLS,
  type PredictionRows,
} from "../payment/prediction.ts";
import { PredictionJsonReader } from "../payment/prediction_json.ts";
import { CELL, FRAUD_UNKNOWN } from "../payment/payment_cells.ts";
import { ShapedJsonReader } from "../payment/payment_json.ts";
import { labelCells, type PaymentShape } from "../payment/payment_shape.ts";
import { NO_TEXT, TextHeap } from "../payment/text_heap.ts";
import { textCellsOf } from "../store/cell_rows.ts";
import { IdCursor } from "../store/id_cursor.ts";
import { RowSpool } from "../store/row_spool.ts";
import type { StoreRows } from "../store/store.ts";
import { paymentTable, predictionTable } from "../store/tables.ts";
import type { StreamParameters } from "./control.ts";
import { shapeOfStream } from "./stream_definition.ts";
import {
  PREDICTION_TOPIC,
  SINK_TOPIC,
  TRANSACTION_LABEL_TOPIC,
} from "./topics.ts";

/** A spooled prediction has its version, its contributions, its decision and its shadow scores as texts behind its cells. */
const VERSION_CELL = PREDICTION_CELLS;
const CONTRIBUTIONS_CELL = PREDICTION_CELLS + 1;
const DECISION_CELL = PREDICTION_CELLS + 2;
const SHADOWS_CELL = PREDICTION_CELLS + 3;
const SPOOLED_CELLS = PREDICTION_CELLS + 4;

/** A stream whose topics are read. */
export interface ReadStream {
  /** Its log. */
  readonly log: Log;
  /** What its roles agreed on. */
  readonly parameters: StreamParameters;
  /** Midnight of its first day, seconds since 1970. */
  readonly startSeconds: number;
}

/** The rows of the sink topic up to its present end, ascending TRANSACTION_ID, with the labels that count where labels arrive later; they are valid until the next. */
export async function* sinkRows(
  stream: ReadStream,
  signal?: AbortSignal,
): AsyncGenerator<StoreRows> {
  const { log, parameters, startSeconds } = stream;
  const { features } = parameters;
  const shape = shapeOfStream(parameters);
  const width = featureRowCells(features, shape);
  const reader = new FeatureJsonReader(features, shape);
  const textCells = textCellsOf(paymentTable(features, shape));
  await using spool = new RowSpool({ width, textCells });
  const texts = new TextHeap();
  let cells = new Float64Array(0);
  for await (const batch of topicBatches(log, SINK_TOPIC)) {
    signal?.throwIfAborted();
    const { bytes } = batch;
    if (cells.length < batch.count * width) {
      cells = new Float64Array(batch.count * width);
    }
    texts.clear();
    let count = 0;
    for (let i = 0; i < batch.count; i++) {
      const [from, to] = [valueStart(batch, i), valueEnd(batch, i)];
      const at = count * width;
      const defect = reader.read(
        ...[bytes, from, to, startSeconds] as const,
        ...[cells, at, texts] as const,
      );
      if (defect === undefined) count++;
    }
    await spool.add({ cells, count, texts });
  }
  if (!shape.hasLabels) {
    yield* spool.rows();
    return;
  }
  const found = labelRows(stream, shape, signal);
  const labels = new IdCursor(found, LABEL_CELLS, shape);
  for await (const page of spool.rows()) {
    for (let at = 0; at < page.count * width; at += width) {
      const fraud = await fraudOf(labels, page.cells[at], page.texts);
      page.cells[at + CELL.fraud] = fraud;
    }
    yield page;
  }
}

/** Cells of a spooled label, behind its TRANSACTION_ID. */
const LABEL = { knownAt: 1, offset: 2, fraud: 3 } as const;
const LABEL_CELLS = 4;

/** The labels that have arrived later than their payments, ascending TRANSACTION_ID, those of one payment in no order. */
async function* labelRows(
  { log, startSeconds }: ReadStream,
  shape: PaymentShape,
  signal: AbortSignal | undefined,
): AsyncGenerator<StoreRows> {
  const reader = new ShapedJsonReader(shape);
  const { knownAt } = labelCells(shape);
  const isText = shape.transactionId === "text";
  const textCells = isText ? [CELL.id] : [];
  await using spool = new RowSpool({ width: LABEL_CELLS, textCells });
  const texts = new TextHeap();
  for await (const batch of topicBatches(log, TRANSACTION_LABEL_TOPIC)) {
    signal?.throwIfAborted();
    const cells = new Float64Array(batch.count * LABEL_CELLS);
    texts.clear();
    let count = 0;
    for (let i = 0; i < batch.count; i++) {
      const [from, to] = [valueStart(batch, i), valueEnd(batch, i)];
      const defect = reader.read(batch.bytes, from, to, startSeconds);
      if (defect || !reader.isLabel) continue;
      const { cells: own } = reader;
      const id = own[CELL.id];
      const at = count++ * LABEL_CELLS;
      cells[at] = isText ? texts.copy(id, reader.texts) : id;
      cells[at + LABEL.knownAt] = own[knownAt];
      cells[at + LABEL.offset] = batch.offsets[i];
      cells[at + LABEL.fraud] = own[CELL.fraud];
    }
    await spool.add({ cells, count, texts });
  }
  yield* spool.rows();
}

/** TX_FRAUD of the payment whose id is in a cell: that of its label with the greatest KNOWN_AT, of equal ones the later record; see laterLabel(). */
async function fraudOf(
  labels: IdCursor<StoreRows>,
  id: number,
  texts: TextHeap | undefined,
): Promise<number> {
  let [fraud, knownAt, offset] = [FRAUD_UNKNOWN, -Infinity, -1];
  for (; await labels.find(id, texts); labels.pass()) {
    const { page, row } = labels;
    const at = row * LABEL_CELLS;
    const label = page?.cells.subarray(at, at + LABEL_CELLS) ?? [];
    const later = label[LABEL.knownAt] - knownAt ||
      label[LABEL.offset] - offset;
    if (later < 0) continue;
    knownAt = label[LABEL.knownAt];
    offset = label[LABEL.offset];
    fraud = label[LABEL.fraud];
  }
  return fraud;
}

/** The predictions up to the present end of their topic, as sinkRows(). */
export async function* predictionRows(
  { log, parameters }: ReadStream,
  signal?: AbortSignal,
): AsyncGenerator<PredictionRows> {
  const shape = shapeOfStream(parameters);
  const reader = new PredictionJsonReader(shape);
  const own = textCellsOf(predictionTable(shape));
  const added = [VERSION_CELL, CONTRIBUTIONS_CELL, DECISION_CELL, SHADOWS_CELL];
  const textCells = [...own, ...added];
  await using spool = new RowSpool({ width: SPOOLED_CELLS, textCells });
  for await (const batch of topicBatches(log, PREDICTION_TOPIC)) {
    signal?.throwIfAborted();
    const { bytes } = batch;
    const rows = emptyPredictions(batch.count);
    let count = 0;
    for (let i = 0; i < batch.count; i++) {
      const [from, to] = [valueStart(batch, i), valueEnd(batch, i)];
      const defect = reader.read(bytes, from, to, rows, count);
      if (defect === undefined) count++;
    }
    await spool.add(spooled({ ...rows, count }));
  }
  for await (const page of spool.rows()) yield unspooled(page);
}

function spooled(rows: PredictionRows): StoreRows {
  const { cells, versions, contributions, decisions, shadowScores } = rows;
  const { texts, count } = rows;
  const wide = new Float64Array(count * SPOOLED_CELLS);
  for (let row = 0; row < count; row++) {
    const at = row * SPOOLED_CELLS;
    const from = row * PREDICTION_CELLS;
    wide.set(cells.subarray(from, from + PREDICTION_CELLS), at);
    const why = contributions[row];
    const decision = decisions[row];
    wide[at + VERSION_CELL] = texts.addText(versions[row]);
    wide[at + CONTRIBUTIONS_CELL] = why === null ? NO_TEXT : texts.addText(why);
    const shadows = shadowScores[row];
    wide[at + SHADOWS_CELL] = shadows === null
      ? NO_TEXT
      : texts.addText(shadows);
    wide[at + DECISION_CELL] = decision === null
      ? NO_TEXT
      : texts.addText(JSON.stringify(decision));
  }
  return { cells: wide, count, texts };
}

function unspooled({ cells, count, texts }: StoreRows): PredictionRows {
  const rows = emptyPredictions(count);
  for (let row = 0; row < count; row++) {
    const at = row * SPOOLED_CELLS;
    rows.cells.set(
      cells.subarray(at, at + PREDICTION_CELLS),
      row * PREDICTION_CELLS,
    );
    const textAt = (cell: number) =>
      cells[at + cell] === NO_TEXT
        ? null
        : texts?.text(cells[at + cell]) ?? null;
    const decision = textAt(DECISION_CELL);
    rows.versions[row] = textAt(VERSION_CELL) ?? "";
    rows.contributions[row] = textAt(CONTRIBUTIONS_CELL);
    rows.shadowScores[row] = textAt(SHADOWS_CELL);
    rows.decisions[row] = decision === null ? null : JSON.parse(decision);
  }
  return { ...rows, texts: texts ?? rows.texts, count };
}

/** The batches of all partitions of a topic up to its present end; none if there is no such topic. */
async function* topicBatches(log: Log, topic: string) {
  const [state] = await log.topics([topic]);
  const { startOffsets = [], endOffsets = [] } = state ?? {};
  for (const [partition, end] of endOffsets.entries()) {
    const start = startOffsets[partition];
    yield* readRange(log, topic, partition, start, end);
  }
}
