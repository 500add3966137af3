/**
 * A stage that says how long a terminal had no payment before each of its
 * payments: from the sink topic to a topic of its own, exactly once.
 * docs/EXTENDING.md explains it.
 */
import { FeatureJsonReader } from "../../src/features/feature_row.ts";
import { featureCount } from "../../src/features/parameters.ts";
import {
  type RecordBatch,
  recordValue,
  valueEnd,
  valueStart,
} from "../../src/log/record_batch.ts";
import { DAY_SECONDS } from "../../src/payment/payment.ts";
import { CELL, PAYMENT_CELLS } from "../../src/payment/payment_cells.ts";
import {
  implausible,
  type Progress,
  type Verdict,
} from "../../src/stream/checks.ts";
import type { StreamParameters } from "../../src/stream/control.ts";
import { openStage } from "../../src/stream/opening.ts";
import type { RecoverableWork } from "../../src/stream/recovery.ts";
import type {
  Output,
  Stage,
  StageRun,
  StageState,
} from "../../src/stream/stage.ts";
import type { StreamContext } from "../../src/stream/stream_context.ts";
import { SINK_TOPIC } from "../../src/stream/topics.ts";

/** Where the stage writes: {"TRANSACTION_ID", "SECONDS_SINCE_LAST"}, null if there was none within a day. */
export const PACE_TOPIC = "pace_topic";

/** How far back the stage looks. */
const REACH_SECONDS = DAY_SECONDS;

const STAGE: Stage = {
  group: "fraudstream-pace",
  input: SINK_TOPIC,
  output: PACE_TOPIC,
  limit: { records: 4096, bytes: 4 << 20 },
  // The writer reads the same topic and writes the dead letters.
  writesLetters: false,
  markedBytes: 1024,
};

/** The stage of a stream; runStage() runs it. */
export function paceStage(context: StreamContext): StageRun<void> {
  return {
    stage: STAGE,
    open: (partition, commit) =>
      openStage({
        context,
        stage: STAGE,
        partition,
        commit,
        work: (state) => new PaceWork(context.parameters, state),
      }),
  };
}

class PaceWork implements RecoverableWork {
  readonly taken = { rows: 1, emitted: 1, frauds: 0 };
  readonly outputs: readonly number[];
  readonly #parameters: StreamParameters;
  readonly #partition: number;
  readonly #progress: Progress;
  readonly #reader: FeatureJsonReader;
  readonly #cells: Float64Array;
  /** The newest payment of each terminal: the stage's state. */
  readonly #newest = new Map<number, number>();

  constructor(
    parameters: StreamParameters,
    { partition, progress }: StageState,
  ) {
    const { features } = parameters;
    this.outputs = [partition];
    this.#parameters = parameters;
    this.#partition = partition;
    this.#progress = progress;
    this.#reader = new FeatureJsonReader(features);
    this.#cells = new Float64Array(PAYMENT_CELLS + featureCount(features));
    // A replay has to see all that may still count. Rows of the sink come out
    // of order by less than the delay.
    progress.remember(REACH_SECONDS + features.delayDays * DAY_SECONDS);
  }

  judge(batch: RecordBatch, index: number): Verdict {
    const defect = this.#reader.read(
      batch.bytes,
      valueStart(batch, index),
      valueEnd(batch, index),
      undefined,
      this.#cells,
      0,
    );
    if (defect) return defect;
    const time = this.#cells[CELL.time];
    return this.#progress.isPlausible(time)
      ? "accept"
      : implausible(`TX_TIME_SECONDS ${time} is`, this.#parameters);
  }

  take(offset: number, output: Output | undefined): void {
    const id = this.#cells[CELL.id];
    const time = this.#cells[CELL.time];
    const terminal = this.#cells[CELL.terminal];
    this.#progress.advance(time, offset);
    const newest = this.#newest.get(terminal) ?? -Infinity;
    this.#newest.set(terminal, Math.max(newest, time));
    // While the state is restored there is no output.
    if (!output) return;
    const since = time - newest < REACH_SECONDS
      ? Math.max(0, time - newest)
      : null;
    const value = { TRANSACTION_ID: id, SECONDS_SINCE_LAST: since };
    output.to(this.#partition).add(
      new TextEncoder().encode(String(id)),
      new TextEncoder().encode(JSON.stringify(value)),
      this.#cells[CELL.datetime] * 1000,
    );
  }

  /** Forgets terminals whose newest payment can no longer count. */
  finish(): void {
    const { delayDays } = this.#parameters.features;
    const reach = REACH_SECONDS + delayDays * DAY_SECONDS;
    for (const [terminal, time] of this.#newest) {
      if (time < this.#progress.seconds - reach) this.#newest.delete(terminal);
    }
  }

  rows(): { id: number; partition: number }[] {
    return [{ id: this.#cells[CELL.id], partition: this.#partition }];
  }

  reader(): (batch: RecordBatch) => { id: number }[] {
    return (batch) =>
      Array.from({ length: batch.count }, (_, index) => {
        const text = new TextDecoder().decode(recordValue(batch, index));
        return { id: JSON.parse(text).TRANSACTION_ID };
      });
  }
}
