/**
 * The payments and predictions in a stream's topics, in order of TRANSACTION_ID,
 * as its store would have them: for a stream whose store is elsewhere. They are
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
import { NO_TEXT, TextHeap } from "../payment/text_heap.ts";
import { textCellsOf } from "../store/cell_rows.ts";
import { RowSpool } from "../store/row_spool.ts";
import type { StoreRows } from "../store/store.ts";
import { paymentTable, predictionTable } from "../store/tables.ts";
import type { StreamParameters } from "./control.ts";
import { shapeOfStream } from "./stream_definition.ts";
import { PREDICTION_TOPIC, SINK_TOPIC } from "./topics.ts";

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

/** The rows of the sink topic up to its present end, ascending TRANSACTION_ID; they are valid until the next. */
export async function* sinkRows(
  { log, parameters, startSeconds }: ReadStream,
  signal?: AbortSignal,
): AsyncGenerator<StoreRows> {
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
  yield* spool.rows();
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
