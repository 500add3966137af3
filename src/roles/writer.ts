/**
 * The writer: puts what the sink topic holds into the store. The rows go
 * first, the offset after them, so a crash repeats some rows with the same
 * values and loses none.
 */
import {
  FeatureJsonReader,
  TRANSACTION_CELLS,
} from "../features/feature_row.ts";
import { featureCount } from "../features/parameters.ts";
import type { Commit, PartitionTask, ReadLimit, Step } from "../log/log.ts";
import { type RecordBatch, valueEnd, valueStart } from "../log/record_batch.ts";
import { joinCells } from "../store/cell_rows.ts";
import type { Store, StoreRows } from "../store/store.ts";
import { DAY_SECONDS } from "../transaction/transaction.ts";
import { DeadLetterBox, idTooLarge } from "./dead_letters.ts";
import { featuresOf, isDone, type RoleContext } from "./role.ts";
import {
  parseCommit,
  type StageCounters,
  statelessCommit,
} from "./stage_commit.ts";
import { SINK_TOPIC, WRITER_GROUP } from "./topics.ts";

const LIMIT: ReadLimit = { records: 4096, bytes: 4 << 20 };

/** How the writer is run. */
export interface WriterOptions {
  /** Where the rows go. */
  readonly store: Store;
  /** Midnight of the first day for a stream of others. */
  readonly startSeconds: number | undefined;
  /** Told what has been stored: cells, their width, number of rows. */
  readonly stored?: (
    cells: Float64Array,
    width: number,
    count: number,
  ) => void;
}

/** Stores until the sink topic is complete and stored, or the context's signal. */
export async function runWriter(
  context: RoleContext,
  options: WriterOptions,
): Promise<void> {
  const { log, logger, signal } = context;
  const { store, stored } = options;
  const width = TRANSACTION_CELLS + featureCount(featuresOf(context));
  await log.consume({
    group: WRITER_GROUP,
    topic: SINK_TOPIC,
    limit: LIMIT,
    signal,
    open: (partition, commit) =>
      Promise.resolve(new WriterTask(context, options, partition, commit)),
    prepare: async (steps) => {
      const rows = joinRows(steps.map(({ rows }) => rows), width);
      await store.write(rows, signal);
      stored?.(rows.cells, width, rows.count);
    },
    idle: async () => {
      const done = await isDone(context, WRITER_GROUP, SINK_TOPIC);
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
}

class WriterTask implements PartitionTask<WriterStep> {
  readonly #context: RoleContext;
  readonly #options: WriterOptions;
  readonly #partition: number;
  readonly #counters: StageCounters;
  readonly #reader: FeatureJsonReader;
  readonly #width: number;
  readonly #deadLetters = new DeadLetterBox();
  #cells = new Float64Array(0);
  #progress: number;

  constructor(
    context: RoleContext,
    options: WriterOptions,
    partition: number,
    commit: Commit | undefined,
  ) {
    const { progress, counters } = parseCommit(commit);
    this.#context = context;
    this.#options = options;
    this.#partition = partition;
    this.#counters = counters;
    this.#progress = progress;
    this.#reader = new FeatureJsonReader(featuresOf(context));
    this.#width = TRANSACTION_CELLS + featureCount(featuresOf(context));
  }

  async step(batch: RecordBatch): Promise<WriterStep> {
    if (this.#cells.length < batch.count * this.#width) {
      this.#cells = new Float64Array(batch.count * this.#width);
    }
    this.#deadLetters.clear();
    const { control } = this.#context;
    const start = await control.startSeconds(this.#options.startSeconds);
    let count = 0;
    for (let i = 0; i < batch.count; i++) {
      if (this.#read(batch, i, start, count * this.#width)) count++;
    }
    const next = batch.next;
    const metadata = statelessCommit(next, this.#progress, this.#counters);
    return {
      next,
      metadata: JSON.stringify(metadata),
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
    const { maxGapSeconds } = this.#context.parameters;
    const cells = this.#cells;
    this.#counters.read++;
    const defect = this.#reader.read(
      batch.bytes,
      valueStart(batch, index),
      valueEnd(batch, index),
      startSeconds,
      cells,
      at,
    );
    const source = { topic: SINK_TOPIC, partition: this.#partition };
    if (defect) {
      const { reason, message } = defect;
      this.#deadLetters.add(source, batch, index, reason, message);
      this.#counters.deadLettered++;
      return false;
    }
    const { idMax } = this.#options.store;
    if (cells[at] > idMax) {
      const message = idTooLarge(cells[at], idMax);
      this.#deadLetters.add(source, batch, index, "id too large", message);
      this.#counters.deadLettered++;
      return false;
    }
    const time = cells[at + 5];
    if (time > this.#progress + maxGapSeconds) {
      const message = `TX_TIME_SECONDS ${time} is more than ` +
        `${maxGapSeconds / DAY_SECONDS} days (--max-gap) ahead of the ` +
        `partition's newest payment`;
      this.#deadLetters.add(source, batch, index, "implausible", message);
      this.#counters.deadLettered++;
      return false;
    }
    if (time > this.#progress) this.#progress = time;
    this.#counters.emitted++;
    this.#counters.frauds += cells[at + 6];
    return true;
  }
}
