/**
 * The processor's second stage, on one partition of the repartitioned rows:
 * adds the terminal features and writes the sink topic. It takes rows in log
 * order and never waits: the first stage has aligned them.
 */
import {
  FeatureJsonReader,
  FeatureJsonWriter,
} from "../features/feature_row.ts";
import { fromCells, PAYMENT_CELLS } from "../payment/payment_cells.ts";
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
  type RecordMark,
  recordValue,
  valueEnd,
  valueStart,
} from "../log/record_batch.ts";
import { DAY_SECONDS, emptyPayment } from "../payment/payment.ts";
import type { StreamParameters } from "../stream/control.ts";
import {
  DeadLetterBox,
  type DeadLetterReason,
} from "../stream/dead_letters.ts";
import { packWidth, readPack } from "../stream/pack.ts";
import {
  GapCheck,
  Recovery,
  stageMark,
  type StageStart,
  WrittenRows,
} from "../stream/recovery.ts";
import {
  ReplayMarks,
  stageCommit,
  type StageCounters,
} from "../stream/stage_commit.ts";
import {
  REPARTITION_TOPIC,
  SINK_TOPIC,
  TERMINAL_GROUP,
} from "../stream/topics.ts";

/** How the stage's work on a partition is begun. */
export interface TerminalStageOptions {
  /** The log. */
  readonly log: Log;
  /** The stream's parameters. */
  readonly parameters: StreamParameters;
  /** The partition of the repartitioned rows and of the sink. */
  readonly partition: number;
  /** Where the stage begins. */
  readonly start: StageStart;
  /** Ends the waiting of a recovery. */
  readonly signal: AbortSignal;
}

interface Unreadable {
  readonly reason: DeadLetterReason;
  readonly message: string;
}

/** The second stage's work on one partition. */
export class TerminalStage implements PartitionTask {
  /** See PartitionTask; known after restore(). */
  start: Commit | undefined;
  readonly #options: TerminalStageOptions;
  readonly #operator: TerminalOperator;
  readonly #marks: ReplayMarks;
  readonly #counters: StageCounters;
  readonly #row = emptyPayment();
  readonly #totals: Float64Array;
  readonly #places: readonly number[];
  readonly #layout: TotalsLayout;
  readonly #values: Float64Array;
  readonly #width: number;
  readonly #json: FeatureJsonWriter;
  readonly #records = new RecordBatchBuilder();
  readonly #deadLetters = new DeadLetterBox();
  #progress: number;
  #last: RecordMark | null;

  /** Begins with the commit's counters and an empty state: call restore(). */
  constructor(options: TerminalStageOptions) {
    const { features } = options.parameters;
    const { progress, last, replay, counters } = options.start.commit;
    // Partitions of the source drift by up to the delay against each other.
    const slackSeconds = Math.max(7, features.delayDays) * DAY_SECONDS;
    this.#options = options;
    this.#operator = new TerminalOperator(features, slackSeconds);
    this.#marks = new ReplayMarks(this.#operator.windows.keepSeconds, replay);
    this.#counters = { ...counters };
    this.#progress = progress;
    this.#last = last ?? null;
    this.#totals = new Float64Array(featureCount(features));
    this.#places = customerPlaces(features);
    this.#layout = totalsLayout(features);
    this.#values = new Float64Array(featureCount(features));
    this.#width = packWidth(features);
    this.#json = new FeatureJsonWriter(features);
  }

  /** Makes the state of the start by reading again what led to it; returns the number of rows read. */
  async restore(): Promise<number> {
    const { log, partition, start } = this.#options;
    const { offset: from, progress } = start.commit.replay;
    this.#progress = progress;
    if (!start.isKnown) return await this.#recover();
    let rows = 0;
    const to = start.offset;
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

  /** Finds the position and its state by what the stage has written. */
  async #recover(): Promise<number> {
    const { log, partition, start, signal } = this.#options;
    const recovery = await Recovery.open({
      log,
      group: TERMINAL_GROUP,
      topic: REPARTITION_TOPIC,
      partition,
      start,
      outputs: [SINK_TOPIC],
      writesLetters: true,
      mayBeginLater: false,
      signal,
    });
    const written = new WrittenRows(log, SINK_TOPIC, partition, this.#ids());
    const { offset, last, records } = await recovery.run(
      [written],
      this.#counters,
      async (batch, i) => {
        const pack = this.#read(batch, i);
        if (recovery.letters.delete(batch.offsets[i])) {
          this.#counters.read++;
          this.#counters.deadLettered++;
          return "written";
        }
        if (!(pack instanceof Float64Array)) return "missing";
        if (await written.head() !== pack[0]) return "missing";
        for (let at = 0; at < pack.length; at += this.#width) {
          // A step takes whole packs.
          if (await written.head() !== pack[at]) {
            throw recovery.misfit(batch.offsets[i]);
          }
          written.advance();
          this.#accept(pack, at, batch.offsets[i]);
          this.#countEmitted();
        }
        return "written";
      },
    );
    this.#last = last;
    if (offset !== undefined) {
      this.start = { offset, metadata: this.#metadata(offset) };
    }
    return records;
  }

  /** Reads TRANSACTION_IDs of the rows in the sink, batch by batch. */
  #ids(): (batch: RecordBatch) => number[] {
    const { features, maxGapSeconds } = this.#options.parameters;
    const reader = new FeatureJsonReader(features);
    const gap = new GapCheck(maxGapSeconds);
    const cells = new Float64Array(PAYMENT_CELLS + this.#values.length);
    return (batch) => {
      const ids: number[] = [];
      for (let i = 0; i < batch.count; i++) {
        const [from, to] = [valueStart(batch, i), valueEnd(batch, i)];
        const defect = reader.read(batch.bytes, from, to, undefined, cells, 0);
        if (!defect && gap.passes(cells[5])) ids.push(cells[0]);
      }
      return ids;
    };
  }

  #countEmitted(): void {
    this.#counters.read++;
    this.#counters.emitted++;
    this.#counters.frauds += this.#row.fraud;
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
        this.#countEmitted();
      }
    }
    if (batch.count > 0) this.#last = stageMark(batch, batch.count - 1);
    const appends = [
      { topic: SINK_TOPIC, partition, records: this.#records },
      ...this.#deadLetters.appends(),
    ];
    return {
      next: batch.next,
      metadata: this.#metadata(batch.next),
      appends,
    };
  }

  #metadata(offset: number): string {
    return JSON.stringify(stageCommit(offset, {
      last: this.#last,
      progress: this.#progress,
      head: null,
      replay: this.#marks.checkpoint,
      counters: this.#counters,
    }));
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
      totals[places[i]] = pack[at + PAYMENT_CELLS + i];
    }
  }
}
