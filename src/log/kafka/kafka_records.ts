/**
 * Kafka's record batches, format 2: written from a RecordBatchBuilder in one
 * pass, read into the columns of a RecordBatch without an object or a copy
 * for each record. Source: Kafka documentation, "Record Batch".
 */
import { LogError } from "../../base/error.ts";
import type { RecordBatch, RecordBatchBuilder } from "../record_batch.ts";
import { crc32c } from "../../base/crc32c.ts";
import { inflate, INFLATED_MAX } from "./compression/kafka_compression.ts";

const HEADER = 61;
const CRC_FROM = 21;
/** Bits of a batch's attributes: the number of its codec, and what kind it is. */
const CODEC = 7;
const TRANSACTIONAL = 0x10;
const CONTROL = 0x20;
/** Type of the control record that ends an aborted transaction. */
const ABORT = 0;
const ENCODER = new TextEncoder();

/** The producer of a batch, and what distinguishes the batch from its repetition. */
export interface BatchProducer {
  /** The broker's number for the producer. */
  readonly producerId: bigint;
  /** How often the producer has been renewed. */
  readonly epoch: number;
  /** Sequence number of the first record in its partition. */
  readonly sequence: number;
  /** Whether the batch belongs to a transaction; it does unless it is said not to. */
  readonly transactional?: boolean;
}

/** A name and a value that go with a record. */
export type RecordHeaders = Readonly<Record<string, string>>;

/** A batch as it is sent. */
export interface EncodedBatch {
  /** Number of records. */
  readonly count: number;
  /** Its bytes. */
  readonly bytes: Uint8Array;
}

/**
 * Encodes the records of a builder as batches of about
 * `bytesMax` bytes at most (one record may be longer); `sequence` counts on
 * from batch to batch.
 */
export function encodeBatches(
  records: RecordBatchBuilder,
  producer: BatchProducer,
  bytesMax: number,
  headers: RecordHeaders = {},
): EncodedBatch[] {
  const tail = encodeHeaders(headers);
  const { lengths, count } = records;
  const batches: EncodedBatch[] = [];
  let from = 0;
  let position = 0;
  while (from < count) {
    let size = HEADER;
    let to = from;
    let end = position;
    for (; to < count; to++) {
      const length = lengths[2 * to] + lengths[2 * to + 1];
      // Lengths and deltas take at most 5, 1, 10, 5, 5 and 5 bytes.
      const more = length + tail.length + 31;
      if (to > from && size + more > bytesMax) break;
      size += more;
      end += length;
    }
    const bytes = new Uint8Array(size);
    const sequence = (producer.sequence + from) % 2 ** 31;
    const range = { from, to, position };
    const written = writeBatch(bytes, records, range, tail, {
      ...producer,
      sequence,
    });
    batches.push({ count: to - from, bytes: bytes.subarray(0, written) });
    from = to;
    position = end;
  }
  return batches;
}

function encodeHeaders(headers: RecordHeaders): Uint8Array {
  const entries = Object.entries(headers).map(([name, value]) =>
    [ENCODER.encode(name), ENCODER.encode(value)] as const
  );
  let size = 5;
  for (const [name, value] of entries) size += name.length + value.length + 10;
  const bytes = new Uint8Array(size);
  let at = writeVarint(bytes, 0, entries.length);
  for (const [name, value] of entries) {
    at = writeVarint(bytes, at, name.length);
    bytes.set(name, at);
    at = writeVarint(bytes, at + name.length, value.length);
    bytes.set(value, at);
    at += value.length;
  }
  return bytes.subarray(0, at);
}

/** Records `from` to below `to`, the first of which lies at `position`. */
interface Range {
  readonly from: number;
  readonly to: number;
  readonly position: number;
}

/** Writes a batch and gives its length. */
function writeBatch(
  out: Uint8Array,
  records: RecordBatchBuilder,
  { from, to, position }: Range,
  tail: Uint8Array,
  producer: BatchProducer,
): number {
  const { lengths, timestamps } = records;
  const source = records.writer.view();
  const baseTimestamp = timestamps[from];
  let maxTimestamp = baseTimestamp;
  let at = HEADER;
  let read = position;
  for (let i = from; i < to; i++) {
    const keyLength = lengths[2 * i];
    const valueLength = lengths[2 * i + 1];
    const timestamp = timestamps[i];
    if (timestamp > maxTimestamp) maxTimestamp = timestamp;
    const delta = timestamp - baseTimestamp;
    const index = i - from;
    const size = 1 + varintSize(delta) + varintSize(index) +
      varintSize(keyLength === 0 ? -1 : keyLength) + keyLength +
      varintSize(valueLength) + valueLength + tail.length;
    at = writeVarint(out, at, size);
    out[at++] = 0; // attributes
    at = writeVarint(out, at, delta);
    at = writeVarint(out, at, index);
    at = writeVarint(out, at, keyLength === 0 ? -1 : keyLength);
    at = copy(source, read, keyLength, out, at);
    at = writeVarint(out, at, valueLength);
    at = copy(source, read + keyLength, valueLength, out, at);
    at = copy(tail, 0, tail.length, out, at);
    read += keyLength + valueLength;
  }
  const view = new DataView(out.buffer);
  view.setBigInt64(0, 0n); // the broker gives the offset
  view.setInt32(8, at - 12);
  view.setInt32(12, -1); // leader epoch
  view.setInt8(16, 2); // format
  view.setInt16(21, producer.transactional === false ? 0 : TRANSACTIONAL);
  view.setInt32(23, to - from - 1);
  view.setBigInt64(27, BigInt(baseTimestamp));
  view.setBigInt64(35, BigInt(maxTimestamp));
  view.setBigInt64(43, producer.producerId);
  view.setInt16(51, producer.epoch);
  view.setInt32(53, producer.sequence);
  view.setInt32(57, to - from);
  view.setUint32(17, crc32c(out.subarray(CRC_FROM, at)));
  return at;
}

/** Copies bytes and returns where they end; short ones, as most keys are, in a loop. */
function copy(
  source: Uint8Array,
  from: number,
  length: number,
  out: Uint8Array,
  at: number,
): number {
  if (length > 32) out.set(source.subarray(from, from + length), at);
  else for (let i = 0; i < length; i++) out[at + i] = source[from + i];
  return at + length;
}

/** Bytes that a variable-length number takes, its sign in the lowest bit. */
function varintSize(value: number): number {
  let rest = value < 0 ? -2 * value - 1 : 2 * value;
  let size = 1;
  for (; rest >= 128; rest = Math.floor(rest / 128)) size++;
  return size;
}

/** Writes a variable-length number and says where it ends. */
function writeVarint(out: Uint8Array, from: number, value: number): number {
  let rest = value < 0 ? -2 * value - 1 : 2 * value;
  let at = from;
  for (; rest >= 128; rest = Math.floor(rest / 128)) {
    out[at++] = rest % 128 + 128;
  }
  out[at++] = rest;
  return at;
}

/** An aborted transaction: its producer's records from an offset on do not count. */
export interface AbortedTransaction {
  /** The broker's number for the producer. */
  readonly producerId: bigint;
  /** Offset of its first record. */
  readonly firstOffset: number;
}

/** A broker's answer for one partition. */
export interface FetchedRecords {
  /** Batches, one behind the other; the last may be cut off. */
  readonly bytes: Uint8Array;
  /** Aborted transactions among them. */
  readonly aborted: readonly AbortedTransaction[];
}

/** A batch's place and header. */
interface BatchHeader {
  readonly at: number;
  readonly end: number;
  readonly baseOffset: number;
  readonly lastOffset: number;
  readonly attributes: number;
  readonly baseTimestamp: number;
  readonly producerId: bigint;
  readonly count: number;
}

/**
 * The committed records with offsets from `from` on. A batch as its producer
 * wrote it, but which cannot be read (by its codec, say), is one unreadable
 * record, so that every reader, now or later, finds the same. Throws LogError,
 * naming `place`, for one that has changed since: another copy may be whole.
 */
export function decodeBatches(
  fetched: FetchedRecords,
  from: number,
  place: string,
): RecordBatch {
  const { bytes } = fetched;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const aborted = [...fetched.aborted].sort((a, b) =>
    a.firstOffset - b.firstOffset
  );
  const abortedNow = new Set<bigint>();
  let next = from;
  const headers: BatchHeader[] = [];
  for (let at = 0;;) {
    const header = readHeader(bytes, view, at, place);
    if (!header) break;
    at = header.end;
    next = Math.max(next, header.lastOffset + 1);
    while (aborted.length > 0 && aborted[0].firstOffset <= header.lastOffset) {
      abortedNow.add(aborted[0].producerId);
      aborted.shift();
    }
    if (header.attributes & CONTROL) {
      if (controlType(view, header) === ABORT) {
        abortedNow.delete(header.producerId);
      }
      continue;
    }
    const isAborted = header.attributes & TRANSACTIONAL &&
      abortedNow.has(header.producerId);
    if (isAborted || header.lastOffset < from) continue;
    headers.push(header);
  }
  return readColumns(bytes, headers, { from, next });
}

function readHeader(
  bytes: Uint8Array,
  view: DataView,
  at: number,
  place: string,
): BatchHeader | undefined {
  const left = bytes.length - at;
  const size = left < HEADER ? Infinity : 12 + view.getInt32(at + 8);
  if (size > left) {
    if (at > 0 || left === 0) return undefined; // comes with the next fetch
    throw new LogError(
      `the first record batch read of ${place} is damaged: its length is wrong`,
    );
  }
  const end = at + size;
  const baseOffset = Number(view.getBigInt64(at));
  const damaged = (why: string) =>
    new LogError(
      `the record batch at offset ${baseOffset} of ${place} ${why}`,
    );
  const format = view.getInt8(at + 16);
  if (format !== 2) throw damaged(`has the old format ${format}`);
  if (size < HEADER) throw damaged("is damaged: its length is wrong");
  const crc = view.getUint32(at + 17);
  if (crc !== crc32c(bytes.subarray(at + CRC_FROM, end))) {
    throw damaged("is damaged: its checksum is wrong");
  }
  return {
    at,
    end,
    baseOffset,
    lastOffset: baseOffset + view.getInt32(at + 23),
    attributes: view.getInt16(at + 21),
    baseTimestamp: Number(view.getBigInt64(at + 27)),
    producerId: view.getBigInt64(at + 43),
    count: view.getInt32(at + 57),
  };
}

/** Type of a control batch's only record, undefined if compaction has left none: its key is a version and a type. */
function controlType(
  view: DataView,
  { at, end }: BatchHeader,
): number | undefined {
  // length, attributes, time delta, offset delta and key length: one byte each
  // but for the time delta, which is 0 as well.
  const type = at + HEADER + 5 + 2;
  return type + 2 <= end ? view.getInt16(type) : undefined;
}

/** The shortest record: its length and six fields of one byte each, three of them empty. */
const RECORD_MIN = 7;
/** Most records of a batch: more are useless, and each takes memory. */
const RECORDS_MAX = 1 << 20;

/** Reads the records of these batches into columns, some of the first at least. */
function readColumns(
  bytes: Uint8Array,
  headers: readonly BatchHeader[],
  options: { from: number; next: number },
): RecordBatch {
  const { source, sections } = inflateAll(bytes, headers);
  const count = sections.reduce(
    (sum, { header, defect }) => sum + (defect ? 1 : header.count),
    0,
  );
  const columns: MutableColumns = {
    source,
    count: 0,
    offsets: new Float64Array(count),
    timestamps: new Float64Array(count),
    positions: new Int32Array(4 * count),
  };
  let unreadable: Map<number, string> | undefined;
  for (const section of sections) {
    let { defect } = section;
    const before = columns.count;
    if (!defect && !readRecords(columns, section, options.from)) {
      columns.count = before;
      defect = "is damaged: a record's length is wrong";
    }
    if (!defect) continue;
    const { header } = section;
    const offset = addUnreadable(columns, header, options.from);
    unreadable ??= new Map();
    unreadable.set(
      offset,
      `the record batch of offsets ${header.baseOffset} to ` +
        `${header.lastOffset} ${defect}`,
    );
  }
  const left = headers.at(sections.length);
  return {
    count: columns.count,
    offsets: columns.offsets.subarray(0, columns.count),
    timestamps: columns.timestamps.subarray(0, columns.count),
    positions: columns.positions.subarray(0, 4 * columns.count),
    bytes: source,
    next: left ? Math.max(options.from, left.baseOffset) : options.next,
    ...unreadable ? { unreadable } : {},
  };
}

/** Adds the one record that stands for a batch which cannot be read, and gives its offset. */
function addUnreadable(
  columns: MutableColumns,
  { at, end, baseOffset, baseTimestamp }: BatchHeader,
  from: number,
): number {
  const i = columns.count++;
  const offset = Math.max(from, baseOffset);
  columns.offsets[i] = offset;
  columns.timestamps[i] = baseTimestamp;
  columns.positions.set([at, at, at, end], 4 * i);
  return offset;
}

interface MutableColumns {
  readonly source: Uint8Array;
  count: number;
  readonly offsets: Float64Array;
  readonly timestamps: Float64Array;
  readonly positions: Int32Array;
}

/** A batch's records, or what keeps them from being read. */
interface Section {
  readonly header: BatchHeader;
  /** Where they begin in the source. */
  readonly start: number;
  /** Where they end. */
  readonly end: number;
  /** What is wrong with the batch, as a phrase after its name. */
  readonly defect?: string | undefined;
}

/** Appends the contents of compressed batches to the other bytes; leaves later batches out once they are large. */
function inflateAll(
  bytes: Uint8Array,
  headers: readonly BatchHeader[],
): { source: Uint8Array; sections: Section[] } {
  const inflated: Uint8Array[] = [];
  let length = bytes.length;
  const sections: Section[] = [];
  for (const header of headers) {
    if (length - bytes.length > INFLATED_MAX) break;
    const { at, end, attributes } = header;
    const codec = attributes & CODEC;
    let section: Section = { header, start: at + HEADER, end };
    if (codec !== 0) {
      const plain = inflate(bytes.subarray(at + HEADER, end), codec);
      if (typeof plain === "string") section = { ...section, defect: plain };
      else {
        section = { header, start: length, end: length + plain.length };
        inflated.push(plain);
        length += plain.length;
      }
    }
    const defect = section.defect ?? countDefect(section);
    sections.push({ ...section, defect });
  }
  if (inflated.length === 0) return { source: bytes, sections };
  const source = new Uint8Array(length);
  source.set(bytes);
  let at = bytes.length;
  for (const plain of inflated) {
    source.set(plain, at);
    at += plain.length;
  }
  return { source, sections };
}

/** What is wrong with a batch's number of records, if anything. */
function countDefect(
  { header: { count }, start, end }: Section,
): string | undefined {
  if (count < 0 || count > (end - start) / RECORD_MIN) {
    return "is damaged: its number of records is wrong";
  }
  if (count <= RECORDS_MAX) return undefined;
  return `has ${count} records, more than ${RECORDS_MAX} in one batch`;
}

/** Where readVarint() reads next. */
let cursor = 0;

/** Adds a batch's records that are not before `from`; false if one is damaged. */
function readRecords(
  columns: MutableColumns,
  { header, start, end }: Section,
  from: number,
): boolean {
  const { source, offsets, timestamps, positions } = columns;
  const { baseOffset, baseTimestamp } = header;
  cursor = start;
  for (let left = header.count; left > 0; left--) {
    const recordLength = readVarint(source);
    const recordEnd = cursor + recordLength;
    cursor++; // attributes
    const timestamp = baseTimestamp + readVarint(source);
    const offset = baseOffset + readVarint(source);
    const keyLength = Math.max(0, readVarint(source));
    const keyStart = cursor;
    cursor += keyLength;
    const valueLength = Math.max(0, readVarint(source));
    const valueStart = cursor;
    const valueEnd = valueStart + valueLength;
    if (!(valueEnd <= recordEnd && recordEnd <= end)) return false;
    cursor = recordEnd; // headers are skipped
    if (offset < from) continue;
    const i = columns.count++;
    offsets[i] = offset;
    timestamps[i] = timestamp;
    positions[4 * i] = keyStart;
    positions[4 * i + 1] = keyStart + keyLength;
    positions[4 * i + 2] = valueStart;
    positions[4 * i + 3] = valueEnd;
  }
  return true;
}

function readVarint(source: Uint8Array): number {
  const first = source[cursor++];
  if (first < 128) return first & 1 ? -((first + 1) >> 1) : first >> 1;
  let value = first & 127;
  for (let factor = 128;; factor *= 128) {
    const byte = source[cursor++];
    value += (byte & 127) * factor;
    if (!(byte >= 128)) break;
  }
  return value % 2 === 1 ? -(value + 1) / 2 : value / 2;
}
