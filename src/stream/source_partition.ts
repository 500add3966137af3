/** One partition of a source: what has been read of it, and where it stands. */
import { LogError } from "../base/error.ts";
import type { Log } from "../log/log.ts";
import { emptyBatch, type RecordBatch } from "../log/record_batch.ts";
import type { MergePartition } from "./source_merge.ts";
import type { SourceRecord } from "./source_record.ts";

/** What is used of the log that holds a source. */
export type SourceLog = Pick<Log, "endOffsets" | "read" | "topics">;

/** What a partition is made from. */
export interface SourcePartitionOptions {
  /** The log that holds it. */
  readonly source: SourceLog;
  /** Its topic. */
  readonly topic: string;
  /** Its number. */
  readonly number: number;
  /** Where it continues. */
  readonly offset: number;
  /** See MergePartition. */
  readonly reachedSeconds: number | null;
  /** How long it may be without new records before nobody waits for it, milliseconds. */
  readonly idleAfterMs: number;
  /** Whether it goes on where records were deleted before they were read. */
  readonly acceptsGaps: boolean;
  /** Reads its records. */
  readonly record: SourceRecord;
}

const READ_RECORDS = 4096;
/** Bytes of one read, and of those of all partitions. */
const READ_BYTES_MAX = 4 << 20;
const READ_BYTES_MIN = 64 << 10;
const ALL_BYTES = 64 << 20;

/** A partition of the source. */
export class SourcePartition implements MergePartition {
  /** Its number. */
  readonly number: number;
  /** Reads its records. */
  readonly record: SourceRecord;
  /** See MergePartition. */
  headSeconds: number | undefined;
  /** See MergePartition. */
  reachedSeconds: number | null;
  /** See MergePartition. */
  isIdle = false;
  readonly #options: SourcePartitionOptions;
  #batch: RecordBatch;
  #index = 0;
  #end: number;
  #quietSince: number | undefined;

  /** Has read nothing yet. */
  constructor(options: SourcePartitionOptions) {
    this.#options = options;
    this.number = options.number;
    this.record = options.record;
    this.reachedSeconds = options.reachedSeconds;
    this.#batch = emptyBatch(options.offset);
    this.#end = options.offset;
  }

  /** The records that were read last. */
  get batch(): RecordBatch {
    return this.#batch;
  }

  /** Which of them is the next. */
  get index(): number {
    return this.#index;
  }

  /** Offset of the next record to take. */
  get offset(): number {
    const { count, offsets, next } = this.#batch;
    return this.#index < count ? offsets[this.#index] : next;
  }

  /** How many records are known to be behind the offset, with what a log keeps between records. */
  get lag(): number {
    return Math.max(0, this.#end - this.offset);
  }

  /** Learns where the partition ended at a moment of the clock, and reads on; `count` is the number of partitions. */
  async look(end: number, nowMs: number, count: number): Promise<void> {
    if (end < this.offset) throw remadeSource(this.#options.topic);
    if (end !== this.#end || this.#quietSince === undefined) {
      this.#quietSince = nowMs;
    }
    this.#end = end;
    this.isIdle = nowMs - this.#quietSince >= this.#options.idleAfterMs;
    await this.readOn(count);
  }

  /** Reads further records where all are taken; false if there are none. */
  async readOn(count: number): Promise<boolean> {
    if (this.#index < this.#batch.count) return true;
    const from = this.#batch.next;
    if (from >= this.#end) return false;
    const { source, topic, number, acceptsGaps } = this.#options;
    const bytes = Math.min(READ_BYTES_MAX, ALL_BYTES / count);
    const batch = await source.read(topic, number, from, {
      records: READ_RECORDS,
      bytes: Math.max(READ_BYTES_MIN, Math.floor(bytes)),
    });
    const first = batch.count > 0 ? batch.offsets[0] : batch.next;
    if (first > from && !acceptsGaps) await this.#requireKept(from);
    this.#batch = batch;
    this.#index = 0;
    return batch.count > 0;
  }

  /** Goes on behind the next record. */
  pass(): void {
    this.#index++;
    this.headSeconds = undefined;
  }

  /** Logs keep gaps between records; but these may have been records. */
  async #requireKept(offset: number): Promise<void> {
    const { source, topic, number } = this.#options;
    const [state] = await source.topics([topic]);
    const start = state?.startOffsets[number] ?? 0;
    if (start <= offset) return;
    throw new LogError(
      `the records of ${topic} partition ${number} from offset ${offset} to ` +
        `${start} were deleted before they were read; ` +
        "--accept-missing-start goes on without them",
    );
  }
}

/** The error of a position that is not of the topic which has the name now. */
export function remadeSource(topic: string): LogError {
  return new LogError(
    `${topic} was deleted and created again since this stream began to read ` +
      "it; start a new stream with another --topic-prefix",
  );
}
