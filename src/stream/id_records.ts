/** Records about payments, which programs and people append: each lies in the partition of its payment's id. */
import type { Append } from "../log/log.ts";
import { partitionOf } from "../log/partitioner.ts";
import { RecordBatchBuilder } from "../log/record_batch.ts";
import type { TransactionId } from "../payment/payment.ts";

/** A record about a payment. */
export interface IdRecord {
  /** TRANSACTION_ID of the payment, the record's key. */
  readonly id: TransactionId;
  /** What it says. */
  readonly json: string;
  /** Its timestamp, milliseconds since 1970. */
  readonly timestampMs: number;
}

/** Records in the partitions of a topic, each partition's in their order. */
export function idAppends(
  topic: string,
  partitions: number,
  records: readonly IdRecord[],
): Append[] {
  const utf8 = new TextEncoder();
  const builders = new Map<number, RecordBatchBuilder>();
  for (const { id, json, timestampMs } of records) {
    const key = utf8.encode(String(id));
    const partition = partitionOf(key, partitions);
    const builder = builders.get(partition) ?? new RecordBatchBuilder();
    builders.set(partition, builder);
    builder.add(key, utf8.encode(json), timestampMs);
  }
  return [...builders].map(([partition, records]) => {
    return { topic, partition, records };
  });
}
