/**
 * Records of one partition, packed: keys and values in one buffer, positions
 * and times beside it. Hot paths read and write thousands of records without
 * an object for each.
 */
import { Buffer } from "node:buffer";
import { ByteWriter } from "../base/byte_writer.ts";
import { crc32c } from "../base/crc32c.ts";

/** Records as they are read from one partition, ascending offset. */
export interface RecordBatch {
  /** Number of records. */
  readonly count: number;
  /** Offset of each record. */
  readonly offsets: Float64Array;
  /** Event time of each record, milliseconds since 1970. */
  readonly timestamps: Float64Array;
  /** Key i lies at positions[4i] … positions[4i + 1], value i at positions[4i + 2] … positions[4i + 3]. An empty key stands for none. */
  readonly positions: Int32Array;
  /** What holds all keys and values. */
  readonly bytes: Uint8Array;
  /**
   * Why records could not be read, by offset, in a sentence. One record without
   * a key stands for all of them; its value is the stored bytes.
   */
  readonly unreadable?: ReadonlyMap<number, string> | undefined;
  /** Offset to read next: after the last record and anything that a log keeps between records. */
  readonly next: number;
}

/** The bytes of record `index`'s key: a view. */
export function recordKey(batch: RecordBatch, index: number): Uint8Array {
  const { bytes, positions } = batch;
  return bytes.subarray(positions[4 * index], positions[4 * index + 1]);
}

/** The bytes of record `index`'s value: a view. */
export function recordValue(batch: RecordBatch, index: number): Uint8Array {
  const { bytes, positions } = batch;
  return bytes.subarray(positions[4 * index + 2], positions[4 * index + 3]);
}

/** A record by its place and content, by which a later reader knows whether the log still holds the same one there. */
export interface RecordMark {
  /** Its offset. */
  readonly offset: number;
  /** CRC-32C of its key and value, one behind the other, or of their beginning. */
  readonly check: number;
}

/** The mark of record `index`, made of the first `size` bytes of its key and value. */
export function recordMark(
  batch: RecordBatch,
  index: number,
  size = Infinity,
): RecordMark {
  const { bytes, positions, offsets } = batch;
  const start = positions[4 * index];
  const keyEnd = positions[4 * index + 1];
  const end = Math.min(positions[4 * index + 3], start + size);
  // Logs keep a record's value right behind its key, or not: both give the same.
  const check = positions[4 * index + 2] === keyEnd
    ? crc32c(bytes.subarray(start, end))
    : crc32c(
      Buffer.concat([recordKey(batch, index), recordValue(batch, index)])
        .subarray(0, size),
    );
  return { offset: offsets[index], check };
}

/** Where the value of record `index` begins in the batch's bytes. */
export function valueStart({ positions }: RecordBatch, index: number): number {
  return positions[4 * index + 2];
}

/** Where the value of record `index` ends in the batch's bytes. */
export function valueEnd({ positions }: RecordBatch, index: number): number {
  return positions[4 * index + 3];
}

/** No records: reading continues at `next`. */
export function emptyBatch(next: number): RecordBatch {
  return {
    count: 0,
    offsets: new Float64Array(0),
    timestamps: new Float64Array(0),
    positions: new Int32Array(0),
    bytes: new Uint8Array(0),
    next,
  };
}

/** The records with an offset below `end`: a view. */
export function batchBelow(batch: RecordBatch, end: number): RecordBatch {
  let { count } = batch;
  while (count > 0 && batch.offsets[count - 1] >= end) count--;
  return { ...batch, count, next: Math.min(batch.next, end) };
}

/** The first `count` records: a view. */
export function batchHead(batch: RecordBatch, count: number): RecordBatch {
  if (count >= batch.count) return batch;
  return {
    ...batch,
    count,
    offsets: batch.offsets.subarray(0, count),
    timestamps: batch.timestamps.subarray(0, count),
    positions: batch.positions.subarray(0, 4 * count),
    next: batch.offsets[count],
  };
}

/** Records `from` to the end: a view. */
export function batchTail(batch: RecordBatch, from: number): RecordBatch {
  return {
    ...batch,
    count: batch.count - from,
    offsets: batch.offsets.subarray(from),
    timestamps: batch.timestamps.subarray(from),
    positions: batch.positions.subarray(4 * from),
  };
}

/** Collects records to be appended to one partition. */
export class RecordBatchBuilder {
  /** Takes the key, then the value, of the record under construction. */
  readonly writer: ByteWriter = new ByteWriter(16_384);
  #count = 0;
  #lengths = new Int32Array(128);
  #timestamps = new Float64Array(64);
  #start = 0;
  #keyEnd = 0;

  /** Number of complete records. */
  get count(): number {
    return this.#count;
  }

  /** Event times of the complete records, milliseconds since 1970: a view. */
  get timestamps(): Float64Array {
    return this.#timestamps.subarray(0, this.#count);
  }

  /** Lengths of key and value of each complete record, alternating: a view. */
  get lengths(): Int32Array {
    return this.#lengths.subarray(0, 2 * this.#count);
  }

  /** Call when the key has been written (at once, for none) and before the value. */
  endKey(): void {
    this.#keyEnd = this.writer.length;
  }

  /** Call when the value has been written. */
  endRecord(timestampMs: number): void {
    if (this.#count === this.#timestamps.length) this.#grow();
    this.#lengths[2 * this.#count] = this.#keyEnd - this.#start;
    this.#lengths[2 * this.#count + 1] = this.writer.length - this.#keyEnd;
    this.#timestamps[this.#count++] = timestampMs;
    this.#start = this.writer.length;
  }

  /** Adds a whole record. */
  add(key: Uint8Array, value: Uint8Array, timestampMs: number): void {
    this.writer.bytes(key);
    this.endKey();
    this.writer.bytes(value);
    this.endRecord(timestampMs);
  }

  /** Forgets all records, keeping the buffers. */
  clear(): void {
    this.writer.clear();
    this.#count = 0;
    this.#start = 0;
    this.#keyEnd = 0;
  }

  #grow(): void {
    const lengths = new Int32Array(2 * this.#lengths.length);
    lengths.set(this.#lengths);
    this.#lengths = lengths;
    const timestamps = new Float64Array(2 * this.#timestamps.length);
    timestamps.set(this.#timestamps);
    this.#timestamps = timestamps;
  }
}
