/**
 * A stage: from the sink topic it hands on the payments of a large amount, to a
 * topic of their own, exactly once. The loop of src/stream/stage.ts does the
 * rest: reading, counting, committing, restoring and recovering.
 */
import { FeatureJsonReader } from "../../src/features/feature_row.ts";
import { featureCount } from "../../src/features/parameters.ts";
import {
  type RecordBatch,
  recordKey,
  recordValue,
  valueEnd,
  valueStart,
} from "../../src/log/record_batch.ts";
import { CELL, PAYMENT_CELLS } from "../../src/payment/payment_cells.ts";
import {
  implausible,
  type Progress,
  type Verdict,
} from "../../src/stream/checks.ts";
import { openStage } from "../../src/stream/opening.ts";
import type { OutputRow, RecoverableWork } from "../../src/stream/recovery.ts";
import type {
  Output,
  Stage,
  StageRun,
  StageState,
} from "../../src/stream/stage.ts";
import type { StreamContext } from "../../src/stream/stream_context.ts";
import { SINK_TOPIC } from "../../src/stream/topics.ts";

/** Where the payments go, a partition for each of the sink's. */
export const LARGE_TOPIC = "large_payment_topic";

/** What is fixed of the stage. */
export const LARGE_PAYMENTS: Stage = {
  group: "large-payments",
  input: SINK_TOPIC,
  output: LARGE_TOPIC,
  limit: { records: 4096, bytes: 4 << 20 },
  // The writer makes the dead letters of this topic.
  writesLetters: false,
  markedBytes: 1024,
  // It may begin late, and passes over what is no payment.
  isOptional: true,
};

/** The stage for payments from an amount on. Run it with runStage(). */
export function largePayments(
  context: StreamContext,
  amountMin: number,
): StageRun<void> {
  return {
    stage: LARGE_PAYMENTS,
    open: (partition, commit) =>
      openStage({
        context,
        stage: LARGE_PAYMENTS,
        partition,
        commit,
        work: (state) => new LargePayments(context, state, amountMin),
      }),
  };
}

class LargePayments implements RecoverableWork {
  readonly taken = { rows: 1, emitted: 0, frauds: 0 };
  readonly outputs: readonly number[];
  readonly #partition: number;
  readonly #progress: Progress;
  readonly #amountMin: number;
  readonly #reader: FeatureJsonReader;
  readonly #cells: Float64Array;
  #record: { batch: RecordBatch; index: number } | undefined;

  constructor(
    { parameters: { features } }: StreamContext,
    { partition, progress }: StageState,
    amountMin: number,
  ) {
    this.outputs = [partition];
    this.#partition = partition;
    this.#progress = progress;
    this.#amountMin = amountMin;
    this.#reader = new FeatureJsonReader(features);
    this.#cells = new Float64Array(PAYMENT_CELLS + featureCount(features));
  }

  /** Judges a record; changes nothing that counts. */
  judge(batch: RecordBatch, index: number): Verdict {
    const [from, to] = [valueStart(batch, index), valueEnd(batch, index)];
    const { bytes } = batch;
    const cells = this.#cells;
    const defect = this.#reader.read(bytes, from, to, undefined, cells, 0);
    if (defect) return defect;
    this.#record = { batch, index };
    const time = cells[CELL.time];
    return this.#progress.isPlausible(time)
      ? "accept"
      : implausible(`TX_TIME_SECONDS ${time} is`, this.#progress);
  }

  /** Takes the record just judged; without an output only the state is made. */
  take(offset: number, output: Output | undefined): void {
    const isLarge = this.#isLarge();
    this.#progress.advance(this.#cells[CELL.time], offset);
    this.taken.emitted = isLarge ? 1 : 0;
    this.taken.frauds = isLarge ? this.#cells[CELL.fraud] : 0;
    if (!isLarge || !output || !this.#record) return;
    const { batch, index } = this.#record;
    output.to(this.#partition).add(
      recordKey(batch, index),
      recordValue(batch, index),
      batch.timestamps[index],
    );
  }

  /** What the record just judged leads to. */
  rows(): OutputRow[] {
    const id = this.#cells[CELL.id];
    return this.#isLarge() ? [{ id, partition: this.#partition }] : [];
  }

  /** Reads what was written, to find a position whose commit is lost. */
  reader(): (batch: RecordBatch) => { id: number }[] {
    const cells = new Float64Array(this.#cells.length);
    return (batch) => {
      const rows: { id: number }[] = [];
      for (let i = 0; i < batch.count; i++) {
        const [from, to] = [valueStart(batch, i), valueEnd(batch, i)];
        const { bytes } = batch;
        if (this.#reader.read(bytes, from, to, undefined, cells, 0)) continue;
        rows.push({ id: cells[CELL.id] });
      }
      return rows;
    };
  }

  #isLarge(): boolean {
    return this.#cells[CELL.amount] >= this.#amountMin;
  }
}
