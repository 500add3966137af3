/**
 * How the embedded log keeps a batch of records in one blob: count, form and
 * length, then event times, lengths and bytes, deflated when that can pay.
 * JSON records with the same keys shrink to about a seventh, in less time
 * than it takes to write them whole.
 */
import { deflateRawSync, inflateRawSync } from "node:zlib";
import type { RecordBatch, RecordBatchBuilder } from "./record_batch.ts";

const HEADER = 12;
const PLAIN = 0;
const DEFLATED = 1;
const DEFLATE_MIN = 512;
/** Longer payloads are never written; a header that says so is damaged. */
const PAYLOAD_MAX = 1 << 28;
/** One piece of output is enough for almost any batch: pieces are copied. */
const DEFLATE_OPTIONS = { level: 1, memLevel: 9, chunkSize: 1 << 18 };

/** The blob of a builder's records. */
export function encodeBatch(records: RecordBatchBuilder): Uint8Array {
  const { count, timestamps, lengths } = records;
  return encode(count, timestamps, lengths, records.writer.view());
}

/** A blob for each record of a builder, with its key: the form of a compacted topic. */
export function encodeRecords(
  records: RecordBatchBuilder,
): { count: 1; data: Uint8Array; key: Uint8Array }[] {
  const { timestamps, lengths } = records;
  const bytes = records.writer.view();
  let start = 0;
  return Array.from(timestamps, (_, i) => {
    const keyEnd = start + lengths[2 * i];
    const end = keyEnd + lengths[2 * i + 1];
    const data = encode(
      1,
      timestamps.subarray(i, i + 1),
      lengths.subarray(2 * i, 2 * i + 2),
      bytes.subarray(start, end),
    );
    const key = bytes.slice(start, keyEnd);
    start = end;
    return { count: 1, data, key };
  });
}

function encode(
  count: number,
  timestamps: Float64Array,
  lengths: Int32Array,
  bytes: Uint8Array,
): Uint8Array {
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
  const body = deflate ? deflateRawSync(payload, DEFLATE_OPTIONS) : payload;
  const data = new Uint8Array(HEADER + body.length);
  const view = new DataView(data.buffer);
  view.setUint32(0, count, true);
  view.setUint32(4, deflate ? DEFLATED : PLAIN, true);
  view.setUint32(8, payload.length, true);
  data.set(body, HEADER);
  return data;
}

/** The records of a blob whose first has the offset `baseOffset`; undefined if it is damaged. */
export function decodeBatch(
  data: Uint8Array,
  baseOffset: number,
): RecordBatch | undefined {
  if (data.length < HEADER) return undefined;
  const header = new DataView(data.buffer, data.byteOffset, HEADER);
  const count = header.getUint32(0, true);
  const length = header.getUint32(8, true);
  if (length > PAYLOAD_MAX || length < 16 * count) return undefined;
  const form = header.getUint32(4, true);
  const payload = inflated(data.subarray(HEADER), form, length);
  if (payload?.length !== length) return undefined;
  const offsets = new Float64Array(count);
  const positions = new Int32Array(4 * count);
  const lengths = new Int32Array(aligned(payload, 8 * count, 16 * count));
  for (let i = 0; i < count; i++) offsets[i] = baseOffset + i;
  let end = 0;
  for (let i = 0; i < 2 * count; i++) {
    if (lengths[i] < 0) return undefined;
    positions[2 * i] = end;
    positions[2 * i + 1] = end += lengths[i];
  }
  const bytes = payload.subarray(16 * count);
  if (end !== bytes.length) return undefined;
  const timestamps = new Float64Array(aligned(payload, 0, 8 * count));
  const next = baseOffset + count;
  return { count, offsets, timestamps, positions, bytes, next };
}

function inflated(
  body: Uint8Array,
  form: number,
  expected: number,
): Uint8Array | undefined {
  if (form === PLAIN) return body;
  if (form !== DEFLATED) return undefined;
  try {
    // With room for all of it at once nothing is copied.
    const options = {
      chunkSize: expected + 64,
      maxOutputLength: expected + 64,
    };
    const { buffer, byteOffset, length } = inflateRawSync(body, options);
    return new Uint8Array(buffer, byteOffset, length); // a Buffer's slice() is a view
  } catch {
    return undefined; // the caller says which batch is damaged
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
