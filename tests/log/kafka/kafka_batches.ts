/** Kafka's record batches put together byte by byte, slowly and by the book. */
import { gzipSync } from "node:zlib";
import { crc32c } from "../../../src/base/crc32c.ts";
import { lz4Frame, zstdFrame } from "./compression/compressed_frames.ts";

/** Bits of a batch's attributes. */
export const TRANSACTIONAL = 0x10;
/** A batch that holds the end of a transaction. */
export const CONTROL = 0x20;

/** A record as others write it. */
export interface PlainRecord {
  /** The key; null for none. */
  readonly key: Uint8Array | null;
  /** The value; null for none. */
  readonly value: Uint8Array | null;
  /** How far its offset is from the batch's. */
  readonly offsetDelta: number;
  /** How far its time is from the batch's. */
  readonly timeDelta?: number;
  /** Names and values. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** A batch; what is not said is as a plain producer would have it. */
export interface PlainBatch {
  /** Offset of the first record. */
  readonly baseOffset: number;
  /** The records; those that compaction has removed are left out. */
  readonly records: readonly PlainRecord[];
  /** Offset of the last record from the first, also if it has been removed. */
  readonly lastOffsetDelta?: number;
  /** Kind and compression. */
  readonly attributes?: number;
  /** Who wrote it. */
  readonly producerId?: bigint;
  /** Time of the first record. */
  readonly baseTimestamp?: number;
  /** Number of records that the header says. */
  readonly count?: number;
  /** Compresses the records. */
  readonly compress?: (records: Uint8Array) => Uint8Array;
}

const encoder = new TextEncoder();

/** A variable-length number with its sign in the lowest bit. */
export function varint(value: number): number[] {
  let rest = BigInt.asUintN(64, (BigInt(value) << 1n) ^ (BigInt(value) >> 63n));
  const bytes = [];
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return [...bytes, Number(rest)];
}

function sized(bytes: Uint8Array | null): number[] {
  return bytes === null ? varint(-1) : [...varint(bytes.length), ...bytes];
}

function recordBytes(record: PlainRecord): number[] {
  const { key, value, offsetDelta, timeDelta = 0, headers = {} } = record;
  const entries = Object.entries(headers);
  const body = [
    0,
    ...varint(timeDelta),
    ...varint(offsetDelta),
    ...sized(key),
    ...sized(value),
    ...varint(entries.length),
    ...entries.flatMap(([name, text]) => [
      ...sized(encoder.encode(name)),
      ...sized(encoder.encode(text)),
    ]),
  ];
  return [...varint(body.length), ...body];
}

/** The bytes of a batch. */
export function batchBytes(batch: PlainBatch): Uint8Array {
  const { baseOffset, records, attributes = 0, baseTimestamp = 0 } = batch;
  const { producerId = -1n, count = records.length } = batch;
  const { lastOffsetDelta = records.at(-1)?.offsetDelta ?? 0 } = batch;
  const plain = Uint8Array.from(records.flatMap(recordBytes));
  const payload = batch.compress?.(plain) ?? plain;
  const bytes = new Uint8Array(61 + payload.length);
  bytes.set(payload, 61);
  const view = new DataView(bytes.buffer);
  view.setBigInt64(0, BigInt(baseOffset));
  view.setInt32(8, bytes.length - 12);
  view.setInt8(16, 2);
  view.setInt16(21, attributes);
  view.setInt32(23, lastOffsetDelta);
  view.setBigInt64(27, BigInt(baseTimestamp));
  view.setBigInt64(35, BigInt(baseTimestamp));
  view.setBigInt64(43, producerId);
  view.setInt32(57, count);
  seal(bytes);
  return bytes;
}

/** Puts the right checksum into a batch. */
export function seal(bytes: Uint8Array): void {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  view.setUint32(17, crc32c(bytes.subarray(21)));
}

/** A batch of texts at an offset and the following. */
export function textBatch(
  baseOffset: number,
  values: readonly string[],
  more: Partial<PlainBatch> = {},
): Uint8Array {
  const records = values.map((value, offsetDelta) => ({
    key: null,
    value: encoder.encode(value),
    offsetDelta,
  }));
  return batchBytes({ baseOffset, records, ...more });
}

/** A batch of a transaction. */
export function transactionBatch(
  baseOffset: number,
  values: readonly string[],
  producerId: bigint,
): Uint8Array {
  return textBatch(baseOffset, values, {
    attributes: TRANSACTIONAL,
    producerId,
  });
}

/** The end of a transaction, as the coordinator writes it. */
export function endMarker(
  baseOffset: number,
  producerId: bigint,
  outcome: "commit" | "abort",
): Uint8Array {
  return batchBytes({
    baseOffset,
    records: [{
      key: Uint8Array.of(0, 0, 0, outcome === "abort" ? 0 : 1),
      value: new Uint8Array(6),
      offsetDelta: 0,
    }],
    attributes: TRANSACTIONAL | CONTROL,
    producerId,
  });
}

/** Batches one behind the other. */
export function joined(...batches: readonly Uint8Array[]): Uint8Array {
  return Uint8Array.from(batches.flatMap((batch) => [...batch]));
}

/** Snappy without any saving: its length, then pieces as they are. */
export function snappyLiterals(bytes: Uint8Array): Uint8Array {
  const length = [];
  let rest = bytes.length;
  for (; rest > 127; rest >>>= 7) length.push(rest & 127 | 128);
  const out = [...length, rest];
  for (let at = 0; at < bytes.length; at += 60) {
    const piece = bytes.subarray(at, at + 60);
    out.push((piece.length - 1) << 2, ...piece);
  }
  return Uint8Array.from(out);
}

/** Snappy in blocks, as snappy-java writes it. */
export function snappyFrames(bytes: Uint8Array): Uint8Array {
  const out = [0x82, ...encoder.encode("SNAPPY"), 0, 0, 0, 0, 1, 0, 0, 0, 1];
  for (let at = 0; at < bytes.length; at += 1000) {
    const block = snappyLiterals(bytes.subarray(at, at + 1000));
    out.push(0, 0, block.length >> 8, block.length & 255, ...block);
  }
  return Uint8Array.from(out);
}

/** Compressions by their name: the codec's number, and who does it. */
export const COMPRESSIONS: Readonly<
  Record<
    string,
    {
      readonly codec: number;
      readonly compress: (bytes: Uint8Array) => Uint8Array;
    }
  >
> = {
  gzip: { codec: 1, compress: gzipSync },
  snappy: { codec: 2, compress: snappyLiterals },
  "snappy in frames": { codec: 2, compress: snappyFrames },
  lz4: { codec: 3, compress: (bytes) => lz4Frame(bytes) },
  zstd: { codec: 4, compress: (bytes) => zstdFrame(bytes) },
};
