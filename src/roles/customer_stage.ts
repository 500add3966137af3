/**
 * The processor's first stage, on one partition of the payments: checks each
 * record (readable, plausible, duplicate, late, in this order), adds the
 * customer features, and hands the rows on in packs by terminal. All of it is
 * a function of the log, so a replay restores the state exactly.
 */
import { toCells, TRANSACTION_CELLS } from "../features/feature_row.ts";
import { CustomerOperator } from "../features/feature_operator.ts";
import {
  customerPlaces,
  customerReachSeconds,
  featureCount,
} from "../features/parameters.ts";
import {
  type Append,
  type Commit,
  type Log,
  type PartitionTask,
  readRange,
  requireKept,
  type Step,
} from "../log/log.ts";
import { IdPartitioner } from "../log/murmur2.ts";
import {
  type RecordBatch,
  RecordBatchBuilder,
  valueEnd,
  valueStart,
} from "../log/record_batch.ts";
import { formatDatetime } from "../transaction/calendar.ts";
import { DAY_SECONDS, emptyTransaction } from "../transaction/transaction.ts";
import { TransactionJsonReader } from "../transaction/transaction_json.ts";
import { Alignment } from "./alignment.ts";
import type { StreamParameters } from "./control.ts";
import { DeadLetterBox, type DeadLetterReason } from "./dead_letters.ts";
import { Ledger } from "./ledger.ts";
import { PackBuilder } from "./pack.ts";
import {
  type CommitReader,
  parseCommit,
  ReplayMarks,
  type StageCommit,
  type StageCounters,
} from "./stage_commit.ts";
import {
  CUSTOMER_GROUP,
  REPARTITION_TOPIC,
  TRANSACTION_TOPIC,
} from "./topics.ts";

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
  /** Where the group stands. */
  readonly commit: Commit | undefined;
  /** Reads the commits of all partitions; may be shared by their stages. */
  readonly commits: CommitReader;
  /** Gives midnight of the stream's first day, seconds since 1970, once known. */
  readonly startSeconds: () => Promise<number | undefined>;
}

/** The first stage's work on one partition. */
export class CustomerStage implements PartitionTask {
  readonly #options: CustomerStageOptions;
  readonly #operator: CustomerOperator;
  readonly #alignment: Alignment;
  readonly #ledger: Ledger;
  readonly #marks: ReplayMarks;
  readonly #counters: StageCounters;
  readonly #reader = new TransactionJsonReader();
  readonly #row = emptyTransaction();
  readonly #totals: Float64Array;
  readonly #places: readonly number[];
  readonly #partitioner: IdPartitioner;
  readonly #packs: PackBuilder[];
  readonly #records: RecordBatchBuilder[];
  readonly #deadLetters = new DeadLetterBox();
  #progress: number;
  #startSeconds: number | undefined;

  /** Begins with the commit's counters and an empty state: call restore(). */
  constructor(options: CustomerStageOptions) {
    const { partitions, features, latenessSeconds } = options.parameters;
    const { progress, replay, counters } = parseCommit(options.commit);
    const keepSeconds = customerReachSeconds(features) + latenessSeconds;
    this.#options = options;
    this.#alignment = new Alignment({
      log: options.log,
      group: CUSTOMER_GROUP,
      topic: TRANSACTION_TOPIC,
      partition: options.partition,
      delayDays: features.delayDays,
      commits: options.commits,
    });
    this.#operator = new CustomerOperator(features, latenessSeconds);
    this.#ledger = new Ledger(keepSeconds);
    // A row in reach of a window was judged by the ledger of its time, which
    // reached as far back again.
    this.#marks = new ReplayMarks(2 * keepSeconds, replay);
    this.#counters = counters;
    this.#progress = progress;
    this.#totals = new Float64Array(featureCount(features));
    this.#places = customerPlaces(features);
    this.#partitioner = new IdPartitioner(partitions);
    this.#packs = Array.from(
      { length: partitions },
      () => new PackBuilder(features),
    );
    this.#records = this.#packs.map(() => new RecordBatchBuilder());
  }

  /** Makes the state of the commit by reading again what led to it; returns the number of rows read. */
  async restore(): Promise<number> {
    const { log, partition, commit } = this.#options;
    if (!commit) return 0;
    const { replay } = parseCommit(commit);
    this.#progress = replay.progress;
    this.#startSeconds = await this.#options.startSeconds();
    let rows = 0;
    const { offset: from } = replay;
    const to = commit.offset;
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
        this.#counters.emitted++;
        this.#counters.frauds += this.#row.fraud;
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
    const metadata: StageCommit = {
      progress: this.#progress,
      head,
      replay: this.#marks.checkpoint,
      counters: this.#counters,
    };
    const appends = [...this.#packAppends(), ...this.#deadLetters.appends()];
    return { next, metadata: JSON.stringify(metadata), appends };
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
      cells[at + TRANSACTION_CELLS + i] = totals[places[i]];
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
