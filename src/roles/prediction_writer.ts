/**
 * The writer's second half: puts what the prediction topic holds into the
 * store. As with the payments the rows go first and the offset after them, and
 * a crash repeats some rows with the same values. It begins when a scorer has
 * declared itself, and ends at once where the payments are stored and none has.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Commit, PartitionTask, ReadLimit, Step } from "../log/log.ts";
import { type RecordBatch, valueEnd, valueStart } from "../log/record_batch.ts";
import type { StreamPosition } from "../store/positions.ts";
import { joinCells } from "../store/cell_rows.ts";
import { type PredictionStore } from "../store/predictions.ts";
import {
  emptyPredictions,
  PREDICTION_CELLS,
  type PredictionRows,
} from "../payment/prediction.ts";
import { formatDatetime } from "../payment/calendar.ts";
import { DAY_SECONDS } from "../payment/payment.ts";
import type { Defect } from "../payment/validation.ts";
import { DeadLetterBox, idTooLarge } from "../stream/dead_letters.ts";
import { PredictionJsonReader } from "../payment/prediction_json.ts";
import {
  hasTaken,
  isDone,
  type StreamContext,
} from "../stream/stream_context.ts";
import { PREDICTION_GROUP, PREDICTION_TOPIC } from "../stream/topics.ts";
import type { FillOptions } from "./writer.ts";
import {
  openWriterTask,
  prepareTable,
  type WriterProgress,
  type WriterSource,
} from "../stream/writer_position.ts";

const LIMIT: ReadLimit = { records: 4096, bytes: 4 << 20 };

/** How often is looked whether there is a scorer. */
const LOOK_MS = 200;

/** How the writer of predictions is run. */
export interface PredictionWriterOptions extends FillOptions {
  /** Where the rows go. */
  readonly store: PredictionStore;
  /** Aborted when all payments are stored: who has not begun by then never will. */
  readonly stored: AbortSignal;
}

/** Stores predictions until the prediction topic is complete and stored, or the context's signal. */
export async function runPredictionWriter(
  context: StreamContext,
  options: PredictionWriterOptions,
): Promise<void> {
  const { log, logger, signal } = context;
  if (!await isScored(context, options.stored)) return;
  const source: WriterSource = {
    context,
    table: options.store,
    group: PREDICTION_GROUP,
    topic: PREDICTION_TOPIC,
    startSeconds: options.startSeconds,
    clears: options.clears ?? false,
    acceptMissingStart: options.acceptMissingStart ?? false,
  };
  await prepareTable(source);
  await log.consume({
    group: PREDICTION_GROUP,
    topic: PREDICTION_TOPIC,
    limit: LIMIT,
    signal,
    open: (partition, commit) =>
      openWriterTask(
        source,
        partition,
        commit,
        (progress, start) =>
          new PredictionTask(source, partition, progress, start),
      ),
    prepare: (steps) =>
      options.store.write(
        joinRows(steps.map(({ rows }) => rows)),
        signal,
        steps.map(({ position }) => position),
      ),
    idle: async () => {
      const done = options.onlyPresent
        ? await hasTaken(log, PREDICTION_GROUP, PREDICTION_TOPIC)
        : await isDone(context, PREDICTION_GROUP, PREDICTION_TOPIC);
      if (done) logger.info("all predictions are stored");
      return done;
    },
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
    await delay(LOOK_MS, undefined, { signal: ended }).catch(() => {});
  }
  await control.refresh();
  return control.isScored && !signal.aborted;
}

/** Predictions as one block. */
function joinRows(blocks: readonly PredictionRows[]): PredictionRows {
  if (blocks.length === 1) return blocks[0];
  const cells = joinCells(blocks, PREDICTION_CELLS);
  return {
    cells,
    versions: blocks.flatMap(({ versions, count }) => versions.slice(0, count)),
    contributions: blocks.flatMap(({ contributions, count }) =>
      contributions.slice(0, count)
    ),
    count: cells.length / PREDICTION_CELLS,
  };
}

/** A step and what is to be stored before it is committed. */
interface PredictionStep extends Step {
  readonly rows: PredictionRows;
  readonly position: StreamPosition;
}

class PredictionTask implements PartitionTask<PredictionStep> {
  /** See PartitionTask. */
  readonly start: Commit | undefined;
  readonly #source: WriterSource;
  readonly #partition: number;
  readonly #progress: WriterProgress;
  readonly #reader = new PredictionJsonReader();
  readonly #deadLetters = new DeadLetterBox();
  #rows: PredictionRows = emptyPredictions(0);
  #capacity = 0;

  constructor(
    source: WriterSource,
    partition: number,
    progress: WriterProgress,
    start: Commit | undefined,
  ) {
    this.start = start;
    this.#source = source;
    this.#partition = partition;
    this.#progress = progress;
  }

  async step(batch: RecordBatch): Promise<PredictionStep> {
    if (this.#capacity < batch.count) {
      this.#capacity = batch.count;
      this.#rows = emptyPredictions(batch.count);
    }
    this.#deadLetters.clear();
    const { context: { control }, startSeconds } = this.#source;
    const start = await control.startSeconds(startSeconds);
    const rows = this.#rows;
    rows.count = 0;
    for (let i = 0; i < batch.count; i++) this.#read(batch, i, start);
    const lastId = rows.count > 0
      ? rows.cells[(rows.count - 1) * PREDICTION_CELLS]
      : undefined;
    return {
      ...this.#progress.finish(batch, lastId),
      next: batch.next,
      appends: this.#deadLetters.appends(),
      rows,
    };
  }

  /** Reads record `index` into the next row, unless it is a dead letter. */
  #read(
    batch: RecordBatch,
    index: number,
    startSeconds: number | undefined,
  ): void {
    const rows = this.#rows;
    const progress = this.#progress;
    const { counters } = progress;
    const isCounted = progress.isCounted(batch.offsets[index]);
    if (!isCounted) counters.read++;
    const at = rows.count * PREDICTION_CELLS;
    const defect = this.#reader.read(
      batch.bytes,
      valueStart(batch, index),
      valueEnd(batch, index),
      rows,
      rows.count,
    ) ?? this.#tooLarge(rows.cells[at]) ??
      this.#implausible(rows.cells, at, startSeconds);
    if (defect) {
      if (isCounted) return; // its dead letter is there
      const source = { topic: PREDICTION_TOPIC, partition: this.#partition };
      const { reason, message } = defect;
      this.#deadLetters.add(source, batch, index, reason, message);
      counters.deadLettered++;
      return;
    }
    const time = rows.cells[at + 5];
    if (time > progress.progress) progress.progress = time;
    if (!isCounted) counters.emitted++;
    rows.count++;
  }

  #tooLarge(
    id: number,
  ): { reason: "id too large"; message: string } | undefined {
    const { idMax } = this.#source.table;
    if (id <= idMax) return undefined;
    return { reason: "id too large", message: idTooLarge(id, idMax) };
  }

  /** What is wrong with the time of a prediction. */
  #implausible(
    cells: Float64Array,
    at: number,
    startSeconds: number | undefined,
  ): Defect | { reason: "implausible"; message: string } | undefined {
    const { maxGapSeconds } = this.#source.context.parameters;
    const [datetime, time] = [cells[at + 1], cells[at + 5]];
    const agrees = startSeconds === undefined
      ? (datetime - time) % DAY_SECONDS === 0
      : datetime - time === startSeconds;
    if (!agrees) {
      const message = `TX_TIME_SECONDS ${time} after the start is not ` +
        `TX_DATETIME ${formatDatetime(datetime)}`;
      return { reason: "time mismatch", message };
    }
    if (time <= this.#progress.progress + maxGapSeconds) return undefined;
    const message = `TX_TIME_SECONDS ${time} is more than ` +
      `${maxGapSeconds / DAY_SECONDS} days (--max-gap) ahead of the ` +
      `partition's newest prediction`;
    return { reason: "implausible", message };
  }
}
