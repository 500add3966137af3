/**
 * The writer's second half: stores the records of the prediction topic. As with
 * payments, it stores the rows before the offset, so a crash repeats some rows
 * with the same values. It begins when a scorer has declared itself, and ends
 * at once if all payments are stored and no scorer has.
 */
import { rest } from "../base/clock.ts";
import { type RecordBatch, valueEnd, valueStart } from "../log/record_batch.ts";
import { joinRows, textCellsOf } from "../store/cell_rows.ts";
import { type PredictionStore } from "../store/predictions.ts";
import { type CellTable, predictionTable } from "../store/tables.ts";
import {
  emptyPredictions,
  PREDICTION_CELL,
  PREDICTION_CELLS,
  type PredictionRows,
} from "../payment/prediction.ts";
import { PredictionJsonReader } from "../payment/prediction_json.ts";
import {
  idTooLarge,
  implausible,
  Progress,
  timeMismatch,
  type Verdict,
} from "../stream/checks.ts";
import {
  type Output,
  runStage,
  type StageRun,
  type StageState,
  type StageWork,
} from "../stream/stage.ts";
import { shapeOfStream } from "../stream/stream_definition.ts";
import type { StreamContext } from "../stream/stream_context.ts";
import { PREDICTION_GROUP, PREDICTION_TOPIC } from "../stream/topics.ts";
import {
  type FillOptions,
  fillStage,
  lastIdOf,
  type StoredRows,
  type WriterBounds,
} from "../stream/writer_position.ts";

/** How often the role checks whether there is a scorer, in milliseconds. */
const LOOK_MS = 200;

/** How the writer of predictions is run. */
export interface PredictionWriterOptions extends FillOptions {
  /** Where the rows go. */
  readonly store: PredictionStore;
  /** Aborted when all payments are stored: a scorer that has not started by then never will. */
  readonly stored: AbortSignal;
}

/** Stores predictions until the prediction topic is complete and stored, or the context's signal. */
export async function runPredictionWriter(
  context: StreamContext,
  options: PredictionWriterOptions,
): Promise<void> {
  if (!await isScored(context, options.stored)) return;
  const run = await predictionStage(context, options);
  const isStored = await runStage(context, run);
  if (isStored) context.logger.info("all predictions are stored");
}

/** The writer of a stream's predictions, with its table checked. */
export async function predictionStage(
  context: StreamContext,
  options: Omit<PredictionWriterOptions, "stored">,
): Promise<StageRun<StoredRows<PredictionRows>>> {
  const { store } = options;
  const table = predictionTable(shapeOfStream(context.parameters));
  const textCells = textCellsOf(table);
  return await fillStage<PredictionRows>({
    context,
    group: PREDICTION_GROUP,
    topic: PREDICTION_TOPIC,
    table: store,
    options,
    work: (state, bounds) => new PredictionWork(table, state, bounds),
    write: (blocks, positions) =>
      store.write(joined(blocks, textCells), context.signal, positions),
  });
}

/** Waits for a scorer; false if all is stored, or the role stopped, without one. */
async function isScored(
  { control, signal }: StreamContext,
  stored: AbortSignal,
): Promise<boolean> {
  const ended = AbortSignal.any([signal, stored]);
  while (!ended.aborted) {
    await control.refresh();
    if (control.isScored) return true;
    await rest(LOOK_MS, ended);
  }
  await control.refresh();
  return control.isScored && !signal.aborted;
}

/** Predictions as one block. */
function joined(
  blocks: readonly PredictionRows[],
  textCells: readonly number[],
): PredictionRows {
  if (blocks.length === 1) return blocks[0];
  const { cells, texts } = joinRows(blocks, PREDICTION_CELLS, textCells);
  const count = cells.length / PREDICTION_CELLS;
  const partitions = new Int32Array(count);
  const offsets = new Float64Array(count);
  let at = 0;
  for (const block of blocks) {
    partitions.set(block.partitions.subarray(0, block.count), at);
    offsets.set(block.offsets.subarray(0, block.count), at);
    at += block.count;
  }
  return {
    cells,
    texts,
    partitions,
    offsets,
    versions: blocks.flatMap(({ versions, count }) => versions.slice(0, count)),
    contributions: blocks.flatMap(({ contributions, count }) =>
      contributions.slice(0, count)
    ),
    decisions: blocks.flatMap(({ decisions, count }) =>
      decisions.slice(0, count)
    ),
    shadowScores: blocks.flatMap(({ shadowScores, count }) =>
      shadowScores.slice(0, count)
    ),
    count,
  };
}

class PredictionWork implements StageWork<StoredRows<PredictionRows>> {
  readonly taken = { rows: 1, emitted: 1, frauds: 0 };
  readonly #bounds: WriterBounds;
  readonly #progress: Progress;
  readonly #table: CellTable;
  readonly #partition: number;
  readonly #reader: PredictionJsonReader;
  #startSeconds: number | undefined;
  #rows: PredictionRows = emptyPredictions(0);
  #capacity = 0;

  constructor(
    table: CellTable,
    { progress, partition }: StageState,
    bounds: WriterBounds,
  ) {
    this.#table = table;
    this.#partition = partition;
    this.#reader = new PredictionJsonReader(table.shape);
    this.#bounds = bounds;
    this.#progress = progress;
  }

  async begin({ count }: RecordBatch): Promise<void> {
    this.#startSeconds = await this.#bounds.startSeconds();
    if (this.#capacity < count) {
      this.#capacity = count;
      this.#rows = emptyPredictions(count);
    }
    this.#rows.count = 0;
  }

  judge(batch: RecordBatch, index: number): Verdict {
    const rows = this.#rows;
    const { cells, count } = rows;
    const [from, to] = [valueStart(batch, index), valueEnd(batch, index)];
    const defect = this.#reader.read(batch.bytes, from, to, rows, count);
    if (defect) return defect;
    const at = count * PREDICTION_CELLS;
    const time = cells[at + PREDICTION_CELL.time];
    const datetime = cells[at + PREDICTION_CELL.datetime];
    const refusal =
      idTooLarge(cells[at + PREDICTION_CELL.id], this.#bounds.idMax) ??
        timeMismatch(time, datetime, this.#startSeconds);
    if (refusal) return refusal;
    rows.partitions[count] = this.#partition;
    rows.offsets[count] = batch.offsets[index];
    if (this.#progress.isPlausible(time)) return "accept";
    const newest = "the partition's newest prediction";
    return implausible(`TX_TIME_SECONDS ${time} is`, this.#progress, newest);
  }

  take(offset: number, output: Output | undefined): void {
    const { cells, count } = this.#rows;
    const at = count * PREDICTION_CELLS;
    this.#progress.advance(cells[at + PREDICTION_CELL.time], offset);
    if (output) this.#rows.count++;
  }

  finish(): StoredRows<PredictionRows> {
    const rows = this.#rows;
    return { rows, lastId: lastIdOf(rows, this.#table) };
  }
}
