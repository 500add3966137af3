/** Reading a range of a partition whose end cannot be read yet. */
import assert from "node:assert/strict";
import { type Log, readRange } from "../../src/log/log.ts";
import { emptyBatch } from "../../src/log/record_batch.ts";
import {
  decodeBatches,
  encodeBatches,
} from "../../src/log/kafka/kafka_records.ts";
import { builderOf, record } from "./records.ts";

Deno.test("a range is read to its end, which stands behind an open transaction at first", async () => {
  const records = builderOf(["a", "b", "c"].map((value) => record(value)));
  const producer = { producerId: 1n, epoch: 0, sequence: 0 };
  const [{ bytes }] = encodeBatches(records, producer, 1 << 20);
  const all = decodeBatches({ bytes, aborted: [] }, 0, "topic/0");
  let waits = 0;
  const log: Pick<Log, "read" | "endOffsets" | "changed"> = {
    read: (_topic, _partition, offset) =>
      Promise.resolve(waits < 2 || offset === 3 ? emptyBatch(offset) : all),
    endOffsets: () => Promise.resolve([3]),
    changed: () => {
      waits++;
      return Promise.resolve();
    },
  };
  let read = 0;
  for await (const batch of readRange(log, "topic", 0, 0, 10)) {
    read += batch.count;
  }
  assert.deepEqual({ read, waits }, { read: 3, waits: 2 });
});
