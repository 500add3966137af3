/**
 * The processor's first stage, on one partition of the payments: checks each
 * record (readable, in its place, plausible, duplicate, late, in this order), adds the
 * customer features, and hands the rows on in packs by terminal. All of it is
 * a function of the log, so a replay restores the state exactly.
 */
import { PAYMENT_CELLS, toCells } from "../payment/payment_cells.ts";
import { CustomerOperator } from "../features/feature_operator.ts";
import { customerPlaces, featureCount } from "../features/parameters.ts";
import {
  type Append,
  type Commit,
  type Log,
  type PartitionTask,
  readRange,
  requireKept,
  type Step,
} from "../log/log.ts";
import { IdPartitioner } from "../log/partitioner.ts";
import {
  type RecordBatch,
  RecordBatchBuilder,
  type RecordMark,
  recordValue,
  valueEnd,
  valueStart,
} from "../log/record_batch.ts";
import { formatDatetime } from "../payment/calendar.ts";
import { DAY_SECONDS, emptyPayment } from "../payment/payment.ts";
import { PaymentJsonReader } from "../payment/payment_json.ts";
import { Alignment, alignmentSeconds } from "../stream/alignment.ts";
import {
  customerReplaySeconds,
  rememberedSeconds,
  type StreamParameters,
} from "../stream/control.ts";
import {
  DeadLetterBox,
  type DeadLetterReason,
} from "../stream/dead_letters.ts";
import { Ledger } from "../stream/ledger.ts";
import {
  PackBuilder,
  packSource,
  packWidth,
  readPack,
} from "../stream/pack.ts";
import { Placement } from "../stream/placement.ts";
import {
  GapCheck,
  Recovery,
  stageMark,
  type StageStart,
  WrittenRows,
} from "../stream/recovery.ts";
import {
  type CommitReader,
  ReplayMarks,
  stageCommit,
  type StageCounters,
} from "../stream/stage_commit.ts";
import {
  CUSTOMER_GROUP,
  REPARTITION_TOPIC,
  TRANSACTION_TOPIC,
} from "../stream/topics.ts";

/** What a record turned out to be. */
type Verdict = "accept" | "duplicate" | Refusal;

/** Why a record is a dead letter. */
interface Refusal {
  readonly reason: DeadLetterReason;
  readonly message: string;
}

/** How the stage's work on a partition is begun. */
export interface CustomerStageOptions {
  /** The log. */
  readonly log: Log;
  /** The stream's parameters. */
  readonly parameters: StreamParameters;
  /** The partition of the payments. */
  readonly partition: number;
  /** Where the stage begins. */
  readonly start: StageStart;
  /** Ends the waiting of a recovery. */
  readonly signal: AbortSignal;
  /** Reads the commits of all partitions; may be shared by their stages. */
  readonly commits: CommitReader;
  /** Gives midnight of the stream's first day, seconds since 1970, once known. */
  readonly startSeconds: () => Promise<number | undefined>;
}

/** The first stage's work on one partition. */
export class CustomerStage implements PartitionTask {
  /** See PartitionTask; known after restore(). */
  start: Commit | undefined;
  readonly #options: CustomerStageOptions;
  readonly #operator: CustomerOperator;
  readonly #alignment: Alignment;
  readonly #ledger: Ledger;
  readonly #marks: ReplayMarks;
  readonly #counters: StageCounters;
  readonly #reader = new PaymentJsonReader();
  readonly #row = emptyPayment();
  readonly #totals: Float64Array;
  readonly #places: readonly number[];
  readonly #partitioner: IdPartitioner;
  readonly #placement: Placement;
  readonly #packs: PackBuilder[];
  readonly #records: RecordBatchBuilder[];
  readonly #deadLetters = new DeadLetterBox();
  #progress: number;
  #last: RecordMark | null;
  #startSeconds: number | undefined;
  #hasOldPacks = false;

  /** Begins with the commit's counters and an empty state: call restore(). */
  constructor(options: CustomerStageOptions) {
    const { partitions, features, latenessSeconds } = options.parameters;
    const { progress, last, replay, counters } = options.start.commit;
    this.#options = options;
    this.#alignment = new Alignment({
      log: options.log,
      group: CUSTOMER_GROUP,
      topic: TRANSACTION_TOPIC,
      partition: options.partition,
      aheadSeconds: alignmentSeconds(features.delayDays, latenessSeconds),
      commits: options.commits,
    });
    this.#operator = new CustomerOperator(features, latenessSeconds);
    this.#ledger = new Ledger(rememberedSeconds(options.parameters));
    this.#marks = new ReplayMarks(
      customerReplaySeconds(options.parameters),
      replay,
    );
    this.#counters = { ...counters };
    this.#progress = progress;
    this.#last = last ?? null;
    this.#totals = new Float64Array(featureCount(features));
    this.#places = customerPlaces(features);
    this.#partitioner = new IdPartitioner(partitions);
    this.#placement = new Placement(options.parameters, options.partition);
    this.#packs = Array.from(
      { length: partitions },
      () => new PackBuilder(features, options.partition),
    );
    this.#records = this.#packs.map(() => new RecordBatchBuilder());
  }

  /** Makes the state of the start by reading again what led to it; returns the number of rows read. */
  async restore(): Promise<number> {
    const { log, partition, start } = this.#options;
    const { offset: from, progress } = start.commit.replay;
    this.#progress = progress;
    this.#startSeconds = await this.#options.startSeconds();
    if (!start.isKnown) return await this.#recover();
    let rows = 0;
    const to = start.offset;
    await requireKept(log, TRANSACTION_TOPIC, partition, from);
    const batches = readRange(log, TRANSACTION_TOPIC, partition, from, to);
    for await (const batch of batches) {
      for (let i = 0; i < batch.count; i++) {
        const verdict = this.#judge(batch, i);
        if (verdict === "accept") this.#accept(batch.offsets[i]);
        else if (verdict !== "duplicate") this.#refuse(batch, i, verdict);
        rows++;
      }
    }
    return rows;
  }

  /** Finds the position and its state by what the stage has written. */
  async #recover(): Promise<number> {
    const { log, partition, parameters, start, signal } = this.#options;
    const recovery = await Recovery.open({
      log,
      group: CUSTOMER_GROUP,
      topic: TRANSACTION_TOPIC,
      partition,
      start,
      outputs: [REPARTITION_TOPIC],
      writesLetters: true,
      mayBeginLater: false,
      signal,
    });
    const written = Array.from({ length: parameters.partitions }, (_, p) => {
      const gap = new GapCheck(parameters.maxGapSeconds);
      const ids = (batch: RecordBatch) => this.#idsOf(batch, gap);
      return new WrittenRows(log, REPARTITION_TOPIC, p, ids);
    });
    const counters = this.#counters;
    const { offset, last, records } = await recovery.run(
      written,
      counters,
      async (batch, i) => {
        const verdict = this.#judge(batch, i);
        const offset = batch.offsets[i];
        if (recovery.letters.delete(offset)) {
          if (typeof verdict === "object") this.#refuse(batch, i, verdict);
          counters.deadLettered++;
        } else if (verdict === "duplicate") {
          counters.duplicates++;
        } else if (verdict === "accept") {
          const { transactionId, customerId, terminalId } = this.#row;
          const rows = written[this.#partitioner.partition(terminalId)];
          if (await rows.head() !== transactionId) {
            // Old packs do not say where a payment lay that had another place.
            const isAtHome =
              this.#placement.partition(customerId) === partition;
            if (this.#hasOldPacks && !isAtHome) throw recovery.misfit(offset);
            return "missing";
          }
          rows.advance();
          this.#accept(offset);
          this.#countEmitted();
        } else return "missing";
        counters.read++;
        return verdict === "duplicate" ? "silent" : "written";
      },
    );
    this.#last = last;
    if (offset !== undefined) {
      this.start = { offset, metadata: this.#metadata(offset, null) };
    }
    return records;
  }

  /** TRANSACTION_IDs of the rows in packs that come from this partition; of old packs those whose card belongs to it. */
  #idsOf(batch: RecordBatch, gap: GapCheck): number[] {
    const { partition, parameters } = this.#options;
    const width = packWidth(parameters.features);
    const ids: number[] = [];
    for (let i = 0; i < batch.count; i++) {
      const bytes = recordValue(batch, i);
      const pack = readPack(bytes, parameters.features);
      if (!(pack instanceof Float64Array)) continue;
      const source = packSource(bytes);
      if (source === undefined) this.#hasOldPacks = true;
      for (let at = 0; at < pack.length; at += width) {
        if (!gap.passes(pack[at + 5])) continue;
        const from = source ?? this.#placement.partition(pack[at + 2]);
        if (from === partition) ids.push(pack[at]);
      }
    }
    return ids;
  }

  /** Takes records up to the first that has to wait for other partitions. */
  async step(batch: RecordBatch): Promise<Step> {
    const { partition } = this.#options;
    this.#startSeconds = await this.#options.startSeconds();
    this.#deadLetters.clear();
    for (const records of this.#records) records.clear();
    let bound = this.#alignment.sure;
    let looked = false;
    let taken = 0;
    let head: number | null = null;
    for (; taken < batch.count; taken++) {
      const verdict = this.#judge(batch, taken);
      if (verdict === "accept") {
        if (this.#row.timeSeconds >= bound && !looked) {
          bound = await this.#alignment.look();
          looked = true;
        }
        if (this.#row.timeSeconds >= bound) {
          head = this.#row.timeSeconds;
          break;
        }
        this.#accept(batch.offsets[taken]);
        this.#pack();
        this.#countEmitted();
      } else if (verdict === "duplicate") {
        this.#counters.duplicates++;
      } else {
        const source = { topic: TRANSACTION_TOPIC, partition };
        const { reason, message } = verdict;
        this.#refuse(batch, taken, verdict);
        this.#deadLetters.add(source, batch, taken, reason, message);
        this.#counters.deadLettered++;
      }
      this.#counters.read++;
    }
    const next = taken < batch.count ? batch.offsets[taken] : batch.next;
    if (taken > 0) this.#last = stageMark(batch, taken - 1);
    const appends = [...this.#packAppends(), ...this.#deadLetters.appends()];
    return { next, metadata: this.#metadata(next, head), appends };
  }

  #metadata(offset: number, head: number | null): string {
    return JSON.stringify(stageCommit(offset, {
      last: this.#last,
      progress: this.#progress,
      head,
      replay: this.#marks.checkpoint,
      counters: this.#counters,
    }));
  }

  /** Fills the row and applies the checks; changes nothing else. */
  #judge(batch: RecordBatch, index: number): Verdict {
    const { latenessSeconds, maxGapSeconds } = this.#options.parameters;
    const row = this.#row;
    const defect = this.#reader.read(
      batch.bytes,
      valueStart(batch, index),
      valueEnd(batch, index),
      this.#startSeconds,
      row,
    );
    if (defect) return defect;
    const misplaced = this.#placement.check(batch, index, row.customerId);
    if (misplaced) return misplaced;
    const progress = this.#progress;
    if (row.timeSeconds > progress + maxGapSeconds) {
      return {
        reason: "implausible",
        message: `TX_DATETIME ${formatDatetime(row.datetimeSeconds)} is more ` +
          `than ${maxGapSeconds / DAY_SECONDS} days (--max-gap) ahead of the ` +
          `partition's newest payment`,
      };
    }
    const known = this.#ledger.compare(row, progress);
    if (known === "duplicate") return "duplicate";
    if (known === "conflicting") {
      return {
        reason: "conflicting id",
        message: `TRANSACTION_ID ${row.transactionId} was accepted before ` +
          `with other fields`,
      };
    }
    if (row.timeSeconds < progress - latenessSeconds) {
      return {
        reason: "late",
        message: `TX_TIME_SECONDS ${row.timeSeconds} is more than ` +
          `${latenessSeconds} s (--lateness) behind the partition's newest ` +
          `payment at ${progress}`,
      };
    }
    return "accept";
  }

  /** Takes the row into the state. */
  #accept(offset: number): void {
    const row = this.#row;
    const before = this.#progress;
    if (row.timeSeconds > before) {
      this.#marks.advance(offset, before, row.timeSeconds);
      this.#progress = row.timeSeconds;
    }
    this.#operator.process(row, this.#progress, this.#totals);
    this.#ledger.add(row, this.#progress, offset);
  }

  /**
   * Remembers what a replay has to know of a record that was not taken: where
   * the conflict of an id was refused because of a payment that a replay has
   * not seen, it would be accepted. (A duplicate may be: the payment is then
   * out of every window's reach, and in the ledger the two are the same.)
   */
  #refuse(batch: RecordBatch, index: number, { reason }: Refusal): void {
    if (reason !== "conflicting id") return;
    this.#marks.bridge(this.#ledger.knownOffset, batch.offsets[index]);
  }

  #countEmitted(): void {
    this.#counters.emitted++;
    this.#counters.frauds += this.#row.fraud;
  }

  /** Puts the row and its customer totals into the pack of its terminal. */
  #pack(): void {
    const partition = this.#partitioner.partition(this.#row.terminalId);
    const pack = this.#packs[partition];
    if (pack.isFull) this.#endPack(partition);
    const at = pack.next();
    const { cells } = pack;
    toCells(this.#row, cells, at);
    const totals = this.#totals;
    const places = this.#places;
    for (let i = 0; i < places.length; i++) {
      cells[at + PAYMENT_CELLS + i] = totals[places[i]];
    }
  }

  /** Makes a record of a pack. */
  #endPack(partition: number): void {
    const pack = this.#packs[partition];
    const records = this.#records[partition];
    records.endKey();
    records.writer.bytes(pack.bytes());
    records.endRecord(pack.newestMs());
    pack.clear();
  }

  #packAppends(): Append[] {
    const appends: Append[] = [];
    for (const [partition, { count }] of this.#packs.entries()) {
      if (count > 0) this.#endPack(partition);
      const records = this.#records[partition];
      if (records.count === 0) continue;
      appends.push({ topic: REPARTITION_TOPIC, partition, records });
    }
    return appends;
  }
}
