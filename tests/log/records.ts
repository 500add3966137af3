/** Records for tests: texts in and out of batches. */
import { type Append, type Log, readRange } from "../../src/log/log.ts";
import {
  type RecordBatch,
  RecordBatchBuilder,
  recordKey,
  recordValue,
} from "../../src/log/record_batch.ts";

/** A record as tests write it. */
export interface TextRecord {
  /** The key; empty for none. */
  readonly key: string;
  /** The value. */
  readonly value: string;
  /** Event time, milliseconds since 1970. */
  readonly time: number;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** A record of the given value, its key and time made up. */
export function record(
  value: string,
  key = `key of ${value}`,
  time = 1000,
): TextRecord {
  return { key, value, time };
}

/** A builder that holds these records. */
export function builderOf(records: readonly TextRecord[]): RecordBatchBuilder {
  const builder = new RecordBatchBuilder();
  for (const { key, value, time } of records) {
    builder.add(encoder.encode(key), encoder.encode(value), time);
  }
  return builder;
}

/** What to append for these values. */
export function appendOf(
  topic: string,
  partition: number,
  values: string[],
): Append {
  const records = builderOf(values.map((value) => record(value)));
  return { topic, partition, records };
}

/** The records of a batch. */
export function recordsOf(batch: RecordBatch): TextRecord[] {
  return Array.from({ length: batch.count }, (_, i) => ({
    key: decoder.decode(recordKey(batch, i)),
    value: decoder.decode(recordValue(batch, i)),
    time: batch.timestamps[i],
  }));
}

/** The values of a batch. */
export function valuesOf(batch: RecordBatch): string[] {
  return recordsOf(batch).map(({ value }) => value);
}

/** The records of a topic, by partition in the order of the log. */
export async function topicRecords(
  log: Log,
  topic: string,
): Promise<TextRecord[][]> {
  const ends = await log.endOffsets(topic) ?? [];
  return await Promise.all(ends.map(async (end, partition) => {
    const records: TextRecord[] = [];
    for await (const batch of readRange(log, topic, partition, 0, end)) {
      for (const one of recordsOf(batch)) records.push(one);
    }
    return records;
  }));
}
