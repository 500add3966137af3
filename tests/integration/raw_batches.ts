/** Batches as any producer might send them, without a transaction: put together here and appended over a connection of their own. */
import assert from "node:assert/strict";
import { encodeBatches } from "../../src/log/kafka/kafka_records.ts";
import { WireReader, WireWriter } from "../../src/log/kafka/kafka_wire.ts";
import { RecordBatchBuilder } from "../../src/log/record_batch.ts";
import { seal } from "../log/kafka/kafka_batches.ts";
import { concatenated } from "../log/kafka/compression/compressed_frames.ts";

const HEADER_BYTES = 61;
const NOBODY = { producerId: -1n, epoch: -1, sequence: -1 };
const PRODUCE = { apiKey: 0, apiVersion: 7 };

/** A codec's number and what compresses by it. */
export interface Codec {
  /** Its number in the protocol. */
  readonly codec: number;
  /** Compresses the records of a batch. */
  readonly compress: (records: Uint8Array) => Uint8Array;
}

/** A batch of values of a plain producer, compressed or not. */
export function rawBatch(
  values: readonly Uint8Array[],
  { codec, compress }: Codec = { codec: 0, compress: (bytes) => bytes },
): Uint8Array {
  const records = new RecordBatchBuilder();
  for (const value of values) records.add(new Uint8Array(0), value, 0);
  const [{ bytes }] = encodeBatches(records, NOBODY, Infinity);
  const packed = compress(bytes.subarray(HEADER_BYTES));
  const batch = concatenated([bytes.subarray(0, HEADER_BYTES), packed]);
  const view = new DataView(batch.buffer);
  view.setInt32(8, batch.length - 12);
  view.setInt16(21, codec);
  seal(batch);
  return batch;
}

/** Appends a batch and gives the offset of its first record. */
export async function appendBatch(
  address: string,
  place: { readonly topic: string; readonly partition: number },
  batch: Uint8Array,
): Promise<number> {
  const body = new WireWriter(batch.length + 200);
  body.int16(PRODUCE.apiKey).int16(PRODUCE.apiVersion).int32(1).string("raw");
  body.string(null).int16(-1).int32(15_000);
  body.array([place], ({ topic, partition }) => {
    body.string(topic).array(
      [partition],
      () => body.int32(partition).data(batch),
    );
  });
  const answer = await ask(address, body.bytes());
  const r = new WireReader(answer);
  r.int32(); // correlation
  const [[{ code, offset }]] = r.array(() => {
    r.string();
    return r.array(() => {
      r.int32(); // partition
      const [code, offset] = [r.int16(), r.int64()];
      r.int64(); // time of appending
      r.int64(); // start of the partition
      return { code, offset };
    });
  });
  assert.equal(code, 0, `the broker refuses the batch: error ${code}`);
  return offset;
}

/** Sends a request to a broker and gives its answer. */
async function ask(address: string, request: Uint8Array): Promise<Uint8Array> {
  const [hostname, port] = address.split(":");
  using connection = await Deno.connect({ hostname, port: Number(port) });
  const length = new Uint8Array(4);
  new DataView(length.buffer).setInt32(0, request.length);
  const writer = connection.writable.getWriter();
  await writer.write(concatenated([length, request]));
  writer.releaseLock();
  const parts: Uint8Array[] = [];
  for await (const part of connection.readable) {
    parts.push(part);
    const all = concatenated(parts);
    if (all.length < 4) continue;
    const end = 4 + new DataView(all.buffer).getInt32(0);
    if (all.length >= end) return all.subarray(4, end);
  }
  throw new Error("the broker hung up");
}
