/**
 * The writer: puts what the sink topic holds into the store. The rows go
 * first, the offset after them, so a crash repeats some rows with the same
 * values and loses none.
 */
import { FeatureJsonReader } from "../features/feature_row.ts";
import { PAYMENT_CELLS } from "../payment/payment_cells.ts";
import { featureCount } from "../features/parameters.ts";
import type { Commit, PartitionTask, ReadLimit, Step } from "../log/log.ts";
import { type RecordBatch, valueEnd, valueStart } from "../log/record_batch.ts";
import { joinCells } from "../store/cell_rows.ts";
import type { StreamPosition } from "../store/positions.ts";
import type { Store, StoreRows } from "../store/store.ts";
import { DAY_SECONDS } from "../payment/payment.ts";
import {
  DeadLetterBox,
  type DeadLetterReason,
  idTooLarge,
} from "../stream/dead_letters.ts";
import {
  featuresOf,
  hasTaken,
  isDone,
  type StreamContext,
} from "../stream/stream_context.ts";
import { SINK_TOPIC, WRITER_GROUP } from "../stream/topics.ts";
import {
  openWriterTask,
  prepareTable,
  type WriterProgress,
  type WriterSource,
} from "../stream/writer_position.ts";

const LIMIT: ReadLimit = { records: 4096, bytes: 4 << 20 };

/** How a writer is run, of payments or of predictions. */
export interface FillOptions {
  /** Midnight of the first day for a stream of others. */
  readonly startSeconds: number | undefined;
  /** Whether nobody else writes to the store, so that it may be cleared where the log was cut back. */
  readonly clears?: boolean;
  /** Whether records that the log no longer holds may be missing from the store. */
  readonly acceptMissingStart?: boolean;
  /** Whether it ends when all that is there is stored, though more may come. */
  readonly onlyPresent?: boolean;
}

/** How the writer is run. */
export interface WriterOptions extends FillOptions {
  /** Where the rows go. */
  readonly store: Store;
  /** Told what has been stored: cells, their width, number of rows. */
  readonly stored?: (
    cells: Float64Array,
    width: number,
    count: number,
  ) => void;
}

/** Stores until the sink topic is complete and stored, or the context's signal. */
export async function runWriter(
  context: StreamContext,
  options: WriterOptions,
): Promise<void> {
  const { log, logger, signal } = context;
  const { store, stored } = options;
  const width = PAYMENT_CELLS + featureCount(featuresOf(context));
  const source: WriterSource = {
    context,
    table: store,
    group: WRITER_GROUP,
    topic: SINK_TOPIC,
    startSeconds: options.startSeconds,
    clears: options.clears ?? false,
    acceptMissingStart: options.acceptMissingStart ?? false,
  };
  await prepareTable(source);
  await log.consume({
    group: WRITER_GROUP,
    topic: SINK_TOPIC,
    limit: LIMIT,
    signal,
    open: (partition, commit) =>
      openWriterTask(
        source,
        partition,
        commit,
        (progress, start) => new WriterTask(source, partition, progress, start),
      ),
    prepare: async (steps) => {
      const rows = joinRows(steps.map(({ rows }) => rows), width);
      const positions = steps.map(({ position }) => position);
      await store.write(rows, signal, positions);
      stored?.(rows.cells, width, rows.count);
    },
    idle: async () => {
      const done = options.onlyPresent
        ? await hasTaken(log, WRITER_GROUP, SINK_TOPIC)
        : await isDone(context, WRITER_GROUP, SINK_TOPIC);
      if (done) logger.info("everything is stored");
      return done;
    },
  });
}

/** Rows of `width` cells as one block. */
function joinRows(blocks: readonly StoreRows[], width: number): StoreRows {
  if (blocks.length === 1) return blocks[0];
  const cells = joinCells(blocks, width);
  return { cells, count: cells.length / width };
}

/** A step and what is to be stored before it is committed. */
interface WriterStep extends Step {
  readonly rows: StoreRows;
  readonly position: StreamPosition;
}

class WriterTask implements PartitionTask<WriterStep> {
  /** See PartitionTask. */
  readonly start: Commit | undefined;
  readonly #source: WriterSource;
  readonly #partition: number;
  readonly #progress: WriterProgress;
  readonly #reader: FeatureJsonReader;
  readonly #width: number;
  readonly #deadLetters = new DeadLetterBox();
  #cells = new Float64Array(0);

  constructor(
    source: WriterSource,
    partition: number,
    progress: WriterProgress,
    start: Commit | undefined,
  ) {
    const features = featuresOf(source.context);
    this.start = start;
    this.#source = source;
    this.#partition = partition;
    this.#progress = progress;
    this.#reader = new FeatureJsonReader(features);
    this.#width = PAYMENT_CELLS + featureCount(features);
  }

  async step(batch: RecordBatch): Promise<WriterStep> {
    const width = this.#width;
    if (this.#cells.length < batch.count * width) {
      this.#cells = new Float64Array(batch.count * width);
    }
    this.#deadLetters.clear();
    const { context: { control }, startSeconds } = this.#source;
    const start = await control.startSeconds(startSeconds);
    let count = 0;
    for (let i = 0; i < batch.count; i++) {
      if (this.#read(batch, i, start, count * width)) count++;
    }
    const lastId = count > 0 ? this.#cells[(count - 1) * width] : undefined;
    return {
      ...this.#progress.finish(batch, lastId),
      next: batch.next,
      appends: this.#deadLetters.appends(),
      rows: { cells: this.#cells, count },
    };
  }

  /** Reads record `index` into cells `at` …; false if it is a dead letter. */
  #read(
    batch: RecordBatch,
    index: number,
    startSeconds: number | undefined,
    at: number,
  ): boolean {
    const { maxGapSeconds } = this.#source.context.parameters;
    const cells = this.#cells;
    const progress = this.#progress;
    const { counters } = progress;
    const isCounted = progress.isCounted(batch.offsets[index]);
    if (!isCounted) counters.read++;
    const reject = (reason: DeadLetterReason, message: string) => {
      if (isCounted) return; // its dead letter is there
      const source = { topic: SINK_TOPIC, partition: this.#partition };
      this.#deadLetters.add(source, batch, index, reason, message);
      counters.deadLettered++;
    };
    const defect = this.#reader.read(
      batch.bytes,
      valueStart(batch, index),
      valueEnd(batch, index),
      startSeconds,
      cells,
      at,
    );
    if (defect) {
      reject(defect.reason, defect.message);
      return false;
    }
    const { idMax } = this.#source.table;
    if (cells[at] > idMax) {
      reject("id too large", idTooLarge(cells[at], idMax));
      return false;
    }
    const time = cells[at + 5];
    if (time > progress.progress + maxGapSeconds) {
      reject(
        "implausible",
        `TX_TIME_SECONDS ${time} is more than ` +
          `${maxGapSeconds / DAY_SECONDS} days (--max-gap) ahead of the ` +
          `partition's newest payment`,
      );
      return false;
    }
    if (time > progress.progress) progress.progress = time;
    if (isCounted) return true;
    counters.emitted++;
    counters.frauds += cells[at + 6];
    return true;
  }
}
