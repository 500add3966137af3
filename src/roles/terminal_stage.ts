/**
 * The processor's second stage, on one partition of the repartitioned rows:
 * adds the terminal features and writes the sink topic. It takes rows in log
 * order and never waits: the first stage has aligned them.
 */
import {
  FeatureJsonWriter,
  fromCells,
  TRANSACTION_CELLS,
} from "../features/feature_row.ts";
import {
  TerminalOperator,
  writeCalendarFlags,
} from "../features/feature_operator.ts";
import {
  customerPlaces,
  featureCount,
  type TotalsLayout,
  totalsLayout,
  totalsToValues,
} from "../features/parameters.ts";
import {
  type Commit,
  type Log,
  type PartitionTask,
  readRange,
  requireKept,
  type Step,
} from "../log/log.ts";
import {
  type RecordBatch,
  RecordBatchBuilder,
  recordValue,
} from "../log/record_batch.ts";
import { DAY_SECONDS, emptyTransaction } from "../transaction/transaction.ts";
import type { StreamParameters } from "./control.ts";
import { DeadLetterBox, type DeadLetterReason } from "./dead_letters.ts";
import { packWidth, readPack } from "./pack.ts";
import {
  parseCommit,
  ReplayMarks,
  type StageCommit,
  type StageCounters,
} from "./stage_commit.ts";
import { REPARTITION_TOPIC, SINK_TOPIC } from "./topics.ts";

/** How the stage's work on a partition is begun. */
export interface TerminalStageOptions {
  /** The log. */
  readonly log: Log;
  /** The stream's parameters. */
  readonly parameters: StreamParameters;
  /** The partition of the repartitioned rows and of the sink. */
  readonly partition: number;
  /** Where the group stands. */
  readonly commit: Commit | undefined;
}

interface Unreadable {
  readonly reason: DeadLetterReason;
  readonly message: string;
}

/** The second stage's work on one partition. */
export class TerminalStage implements PartitionTask {
  readonly #options: TerminalStageOptions;
  readonly #operator: TerminalOperator;
  readonly #marks: ReplayMarks;
  readonly #counters: StageCounters;
  readonly #row = emptyTransaction();
  readonly #totals: Float64Array;
  readonly #places: readonly number[];
  readonly #layout: TotalsLayout;
  readonly #values: Float64Array;
  readonly #width: number;
  readonly #json: FeatureJsonWriter;
  readonly #records = new RecordBatchBuilder();
  readonly #deadLetters = new DeadLetterBox();
  #progress: number;

  /** Begins with the commit's counters and an empty state: call restore(). */
  constructor(options: TerminalStageOptions) {
    const { features } = options.parameters;
    const { progress, replay, counters } = parseCommit(options.commit);
    // Partitions of the source drift by up to the delay against each other.
    const slackSeconds = Math.max(7, features.delayDays) * DAY_SECONDS;
    this.#options = options;
    this.#operator = new TerminalOperator(features, slackSeconds);
    this.#marks = new ReplayMarks(this.#operator.windows.keepSeconds, replay);
    this.#counters = counters;
    this.#progress = progress;
    this.#totals = new Float64Array(featureCount(features));
    this.#places = customerPlaces(features);
    this.#layout = totalsLayout(features);
    this.#values = new Float64Array(featureCount(features));
    this.#width = packWidth(features);
    this.#json = new FeatureJsonWriter(features);
  }

  /** Makes the state of the commit by reading again what led to it; returns the number of rows read. */
  async restore(): Promise<number> {
    const { log, partition, commit } = this.#options;
    if (!commit) return 0;
    const { replay } = parseCommit(commit);
    this.#progress = replay.progress;
    let rows = 0;
    const { offset: from } = replay;
    const to = commit.offset;
    await requireKept(log, REPARTITION_TOPIC, partition, from);
    const batches = readRange(log, REPARTITION_TOPIC, partition, from, to);
    for await (const batch of batches) {
      for (let i = 0; i < batch.count; i++) {
        const pack = this.#read(batch, i);
        if (!(pack instanceof Float64Array)) continue;
        for (let at = 0; at < pack.length; at += this.#width) {
          this.#accept(pack, at, batch.offsets[i]);
          rows++;
        }
      }
    }
    return rows;
  }

  /** Takes all records. */
  step(batch: RecordBatch): Step {
    const { partition } = this.#options;
    const { writer } = this.#records;
    this.#records.clear();
    this.#deadLetters.clear();
    for (let i = 0; i < batch.count; i++) {
      const pack = this.#read(batch, i);
      if (!(pack instanceof Float64Array)) {
        const source = { topic: REPARTITION_TOPIC, partition };
        this.#deadLetters.add(source, batch, i, pack.reason, pack.message);
        this.#counters.read++;
        this.#counters.deadLettered++;
        continue;
      }
      for (let at = 0; at < pack.length; at += this.#width) {
        this.#accept(pack, at, batch.offsets[i]);
        totalsToValues(this.#totals, this.#layout, this.#values);
        writer.whole(this.#row.terminalId);
        this.#records.endKey();
        this.#json.write(writer, this.#row, this.#values);
        this.#records.endRecord(this.#row.datetimeSeconds * 1000);
        this.#counters.read++;
        this.#counters.emitted++;
        this.#counters.frauds += this.#row.fraud;
      }
    }
    const metadata: StageCommit = {
      progress: this.#progress,
      head: null,
      replay: this.#marks.checkpoint,
      counters: this.#counters,
    };
    const appends = [
      { topic: SINK_TOPIC, partition, records: this.#records },
      ...this.#deadLetters.appends(),
    ];
    return {
      next: batch.next,
      metadata: JSON.stringify(metadata),
      appends,
    };
  }

  /** The rows of a record, or why it cannot be one of the first stage's. */
  #read(batch: RecordBatch, index: number): Float64Array | Unreadable {
    const { features, maxGapSeconds } = this.#options.parameters;
    const pack = readPack(recordValue(batch, index), features);
    if (typeof pack === "string") {
      return { reason: "unreadable pack", message: pack };
    }
    let progress = this.#progress;
    for (let at = 0; at < pack.length; at += this.#width) {
      const time = pack[at + 5];
      if (time > progress + maxGapSeconds) {
        return {
          reason: "implausible",
          message: `a pack with TX_TIME_SECONDS ${time}, more than ` +
            `${maxGapSeconds / DAY_SECONDS} days (--max-gap) ahead of the ` +
            `partition's newest payment`,
        };
      }
      if (time > progress) progress = time;
    }
    return pack;
  }

  /** Takes a row into the state and writes its totals. */
  #accept(pack: Float64Array, at: number, offset: number): void {
    const row = this.#row;
    fromCells(pack, at, row);
    const before = this.#progress;
    if (row.timeSeconds > before) {
      this.#marks.advance(offset, before, row.timeSeconds);
      this.#progress = row.timeSeconds;
    }
    this.#addCustomerHalf(pack, at);
    this.#operator.process(row, this.#progress, this.#totals);
  }

  /** What the first stage has found out, and the calendar flags. */
  #addCustomerHalf(pack: Float64Array, at: number): void {
    const totals = this.#totals;
    writeCalendarFlags(this.#row.datetimeSeconds, totals, 0);
    const places = this.#places;
    for (let i = 0; i < places.length; i++) {
      totals[places[i]] = pack[at + TRANSACTION_CELLS + i];
    }
  }
}
