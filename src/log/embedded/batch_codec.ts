/**
 * How the embedded log keeps a batch of records in one blob: count, form,
 * length and checksum, then event times, lengths and bytes, deflated when that
 * can pay. JSON records with the same keys shrink to about a seventh, in less
 * time than it takes to write them uncompressed. The checksum covers the blob
 * and the place that it was written for, so that neither a flipped bit nor a
 * row that has moved goes unnoticed.
 */
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { crc32c } from "../../base/crc32c.ts";
import type { RecordBatch, RecordBatchBuilder } from "../record_batch.ts";

const HEADER = 16;
const HEADER_UNCHECKED = 12;
/** The forms of the first version of the log, which had no checksum. */
const PLAIN_UNCHECKED = 0;
const DEFLATED_UNCHECKED = 1;
/** They differ in many bits, so that a few flipped bits do not turn one form into another. */
const PLAIN = 0xa5a5;
const DEFLATED = 0x5a5a;
const DEFLATE_MIN = 512;
/** Longer payloads are never written; a header that says so is damaged. */
const PAYLOAD_MAX = 1 << 28;
/** Large enough for almost any batch in one piece: several pieces are copied. */
const DEFLATE_OPTIONS = { level: 1, memLevel: 9, chunkSize: 1 << 18 };
/** For batches of a few records, each of which would otherwise cost more memory than it has bytes. */
const SMALL_OPTIONS = {
  level: 1,
  memLevel: 5,
  windowBits: 12,
  chunkSize: 4096,
};
const SMALL_MAX = 4096;
const NO_BYTES = new Uint8Array(0);

/** Where a blob lies in the log. */
export interface BatchPlace {
  /** The topic's number in the log. */
  readonly topic: number;
  /** Partition of the topic. */
  readonly partition: number;
  /** Offset of its first record. */
  readonly base: number;
  /** Offset behind its last record. */
  readonly next: number;
  /** The record's key in a compacted topic, null in others. */
  readonly key: Uint8Array | null;
}

/** A blob to be sealed for its place. */
export interface EncodedBatch {
  /** Number of records. */
  readonly count: number;
  /** The record's key in a compacted topic, null in others. */
  readonly key: Uint8Array | null;
  /** The blob, all but its checksum. */
  readonly data: Uint8Array;
  /** CRC-32C of what follows the header: the long part, computed before the log is locked. */
  readonly bodyCheck: number;
  /** What is in the blob: event times, lengths and bytes. */
  readonly payload: Uint8Array;
}

/** The blob of a builder's records. */
export function encodeBatch(records: RecordBatchBuilder): EncodedBatch {
  const { count, timestamps, lengths } = records;
  return encode(null, count, timestamps, lengths, records.writer.view());
}

/** A blob for each record of a builder, with its key: the form of a compacted topic. */
export function encodeRecords(records: RecordBatchBuilder): EncodedBatch[] {
  const { timestamps, lengths } = records;
  const bytes = records.writer.view();
  let start = 0;
  return Array.from(timestamps, (_, i) => {
    const keyEnd = start + lengths[2 * i];
    const end = keyEnd + lengths[2 * i + 1];
    const blob = encode(
      bytes.slice(start, keyEnd),
      1,
      timestamps.subarray(i, i + 1),
      lengths.subarray(2 * i, 2 * i + 2),
      bytes.subarray(start, end),
    );
    start = end;
    return blob;
  });
}

function encode(
  key: Uint8Array | null,
  count: number,
  timestamps: Float64Array,
  lengths: Int32Array,
  bytes: Uint8Array,
): EncodedBatch {
  const payload = new Uint8Array(16 * count + bytes.length);
  payload.set(
    new Uint8Array(timestamps.buffer, timestamps.byteOffset, 8 * count),
  );
  payload.set(
    new Uint8Array(lengths.buffer, lengths.byteOffset, 8 * count),
    8 * count,
  );
  payload.set(bytes, 16 * count);
  const deflate = payload.length >= DEFLATE_MIN;
  const options = payload.length <= SMALL_MAX ? SMALL_OPTIONS : DEFLATE_OPTIONS;
  const body = deflate ? deflateRawSync(payload, options) : payload;
  const data = new Uint8Array(HEADER + body.length);
  const view = new DataView(data.buffer);
  view.setUint32(0, count, true);
  view.setUint32(4, deflate ? DEFLATED : PLAIN, true);
  view.setUint32(8, payload.length, true);
  data.set(body, HEADER);
  return { count, key, data, bodyCheck: crc32c(body), payload };
}

/** Writes the checksum for the place into the blob; returns it. */
export function sealBatch(
  { data, bodyCheck }: EncodedBatch,
  place: BatchPlace,
): number {
  const check = checkAt(data, bodyCheck, place);
  new DataView(data.buffer, data.byteOffset).setUint32(12, check, true);
  return check;
}

/** CRC-32C of the header's first fields, the body's checksum and the place. */
function checkAt(
  data: Uint8Array,
  bodyCheck: number,
  { topic, partition, base, next, key }: BatchPlace,
): number {
  const bytes = new Uint8Array(48);
  const view = new DataView(bytes.buffer);
  bytes.set(data.subarray(0, 12));
  view.setUint32(12, bodyCheck, true);
  view.setUint32(16, topic, true);
  view.setUint32(20, partition, true);
  view.setFloat64(24, base, true);
  view.setFloat64(32, next, true);
  view.setUint32(40, key ? 1 : 0, true);
  view.setUint32(44, crc32c(key ?? NO_BYTES), true);
  return crc32c(bytes);
}

/**
 * The checksum that stands in a blob, or in as much of it as holds its header;
 * 0 in one of the first version. Says nothing about whether it is right.
 */
export function storedCheck(data: Uint8Array): number {
  if (data.length < HEADER) return 0;
  const header = new DataView(data.buffer, data.byteOffset, HEADER);
  const form = header.getUint32(4, true);
  const isUnchecked = form === PLAIN_UNCHECKED || form === DEFLATED_UNCHECKED;
  return isUnchecked ? 0 : header.getUint32(12, true);
}

/** Whether a blob is as it was written for that place; `checked` says that it must have a checksum, otherwise it must have none. */
export function isIntact(
  data: Uint8Array,
  place: BatchPlace,
  checked: boolean,
): boolean {
  if (data.length < HEADER_UNCHECKED) return false;
  const header = new DataView(data.buffer, data.byteOffset, data.length);
  const form = header.getUint32(4, true);
  if (!checked) {
    return form === PLAIN_UNCHECKED || form === DEFLATED_UNCHECKED;
  }
  if (form !== PLAIN && form !== DEFLATED) return false;
  return data.length >= HEADER && header.getUint32(12, true) ===
      checkAt(data, crc32c(data.subarray(HEADER)), place);
}

/**
 * The records of the blob at a place; undefined if it is damaged. `checked`
 * says whether it was written with a checksum.
 */
export function decodeBatch(
  data: Uint8Array,
  place: BatchPlace,
  checked: boolean,
): RecordBatch | undefined {
  if (!isIntact(data, place, checked)) return undefined;
  const header = new DataView(data.buffer, data.byteOffset, data.length);
  const count = header.getUint32(0, true);
  const length = header.getUint32(8, true);
  if (length > PAYLOAD_MAX || length < 16 * count) return undefined;
  if (count !== place.next - place.base) return undefined;
  const form = header.getUint32(4, true);
  const body = data.subarray(checked ? HEADER : HEADER_UNCHECKED);
  const deflated = form === DEFLATED || form === DEFLATED_UNCHECKED;
  const payload = deflated ? inflated(body, length) : body;
  if (payload?.length !== length) return undefined;
  return recordsOf(payload, count, place.base);
}

/** The records of a payload, from offset `base` on; undefined if it is damaged. Their bytes are a view. */
export function recordsOf(
  payload: Uint8Array,
  count: number,
  base: number,
): RecordBatch | undefined {
  const offsets = new Float64Array(count);
  const positions = new Int32Array(4 * count);
  const lengths = new Int32Array(aligned(payload, 8 * count, 16 * count));
  for (let i = 0; i < count; i++) offsets[i] = base + i;
  let end = 0;
  for (let i = 0; i < 2 * count; i++) {
    if (lengths[i] < 0) return undefined;
    positions[2 * i] = end;
    positions[2 * i + 1] = end += lengths[i];
  }
  const bytes = payload.subarray(16 * count);
  if (end !== bytes.length) return undefined;
  const timestamps = new Float64Array(aligned(payload, 0, 8 * count));
  const next = base + count;
  return { count, offsets, timestamps, positions, bytes, next };
}

function inflated(
  body: Uint8Array,
  expected: number,
): Uint8Array | undefined {
  try {
    // With room for all of it, nothing is copied.
    const options = {
      chunkSize: expected + 64,
      maxOutputLength: expected + 64,
    };
    const { buffer, byteOffset, length } = inflateRawSync(body, options);
    return new Uint8Array(buffer, byteOffset, length); // a Buffer's slice() is a view
  } catch {
    return undefined; // the caller names the damaged batch
  }
}

function aligned(bytes: Uint8Array, from: number, to: number): ArrayBuffer {
  return bytes.slice(from, to).buffer as ArrayBuffer;
}

/** Several batches, ascending offset, as one. */
export function joinBatches(batches: readonly RecordBatch[]): RecordBatch {
  if (batches.length === 1) return batches[0];
  let count = 0;
  let size = 0;
  for (const batch of batches) {
    count += batch.count;
    size += batch.bytes.length;
  }
  const joined = {
    count,
    offsets: new Float64Array(count),
    timestamps: new Float64Array(count),
    positions: new Int32Array(4 * count),
    bytes: new Uint8Array(size),
    next: batches[batches.length - 1].next,
  };
  let record = 0;
  let at = 0;
  for (const { count, offsets, timestamps, positions, bytes } of batches) {
    joined.offsets.set(offsets, record);
    joined.timestamps.set(timestamps, record);
    joined.bytes.set(bytes, at);
    for (let i = 0; i < 4 * count; i++) {
      joined.positions[4 * record + i] = positions[i] + at;
    }
    record += count;
    at += bytes.length;
  }
  return joined;
}
