/** A small stream whose days are kept in files, for tests: payments of a few cards on two partitions, a day at a time. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { IdPartitioner } from "../../src/log/partitioner.ts";
import { RecordBatchBuilder } from "../../src/log/record_batch.ts";
import { runFiles } from "../../src/roles/files.ts";
import { SINK_TOPIC } from "../../src/stream/topics.ts";
import { formatDate } from "../../src/payment/calendar.ts";
import { DAY_SECONDS, type Payment } from "../../src/payment/payment.ts";
import { type OpenFolder, parametersOf } from "./pipeline.ts";
import {
  appendPayments,
  paymentAt,
  StageDriver,
  START_SECONDS,
  valuesOfTopic,
} from "./stages.ts";

/** The parameters of the stream. */
export const DAY_STREAM = { ...parametersOf(2), startSeconds: START_SECONDS };

const CARDS = 6;
const PARTITIONER = new IdPartitioner(2);

/** Publishes the payments of some days, ids descending within each, and takes them through both stages. */
export async function addDays(
  { log }: OpenFolder,
  from: number,
  to: number,
  amount = 1,
): Promise<void> {
  const entries: Payment[][] = [[], []];
  for (let day = from; day < to; day++) {
    for (let n = 0; n < 4 * CARDS; n++) {
      const customerId = n % CARDS;
      entries[PARTITIONER.partition(customerId)].push(
        paymentAt(day * DAY_SECONDS + n * 3600, {
          transactionId: 100 * day + 99 - n,
          customerId,
          terminalId: n % 5,
          amount: amount + n,
        }),
      );
    }
  }
  for (const [partition, payments] of entries.entries()) {
    await appendPayments(log, partition, payments);
  }
  const customers = await StageDriver.customers(log, DAY_STREAM);
  await customers.drain([0, 1], 12);
  const terminals = await StageDriver.terminals(log, DAY_STREAM);
  await terminals.drain([0, 1], 1);
}

/** Runs the files role until it has nothing to do. */
export async function keepDays(
  { log, context }: OpenFolder,
  folder: string,
  format: "jsonl" | "csv" = "jsonl",
): Promise<void> {
  const idle = new AbortController();
  const { changed } = log;
  log.changed = () => {
    idle.abort();
    return Promise.resolve();
  };
  try {
    await runFiles({ ...context, signal: idle.signal }, { folder, format });
  } finally {
    log.changed = changed;
  }
}

/** The sink's records by date, each day's by TRANSACTION_ID: what the files should hold. */
export async function expectedDays(
  { log }: OpenFolder,
): Promise<Map<string, string[]>> {
  return byDate(await valuesOfTopic(log, SINK_TOPIC));
}

function byDate(lines: readonly string[]): Map<string, string[]> {
  const rows = lines.map((line) => {
    const { TRANSACTION_ID: id, TX_DATETIME: datetime } = JSON.parse(line);
    return { id, date: datetime.slice(0, 10), line };
  });
  rows.sort((a, b) => a.id - b.id);
  const days = new Map<string, string[]>();
  for (
    const { date, line } of rows.toSorted((a, b) =>
      a.date < b.date ? -1 : a.date > b.date ? 1 : 0
    )
  ) {
    days.set(date, [...days.get(date) ?? [], line]);
  }
  return days;
}

/** The lines of a folder's days; those of growing files in order of TRANSACTION_ID too. */
export function daysOf(folder: string): Map<string, string[]> {
  const names = [...Deno.readDirSync(folder)].map(({ name }) => name);
  const growing = names.filter((name) => name.endsWith(".part"))
    .map((name) => name.replace(".part", ".jsonl"));
  const days = new Map<string, string[]>();
  for (const name of names.sort()) {
    if (!/\.(part|jsonl)$/.test(name) || growing.includes(name)) continue;
    const lines = Deno.readTextFileSync(join(folder, name)).split("\n");
    assert.equal(lines.pop(), "");
    const date = name.slice(0, 10);
    const sorted = name.endsWith(".part") ? byDate(lines).get(date) : lines;
    days.set(date, sorted ?? []);
  }
  return days;
}

/** The date of a day of the stream. */
export function dateOf(day: number): string {
  return formatDate(START_SECONDS + day * DAY_SECONDS);
}

/** Appends a record to the sink, as a requeued dead letter arrives there. */
export async function appendToSink(
  { log }: OpenFolder,
  value: string,
): Promise<void> {
  const records = new RecordBatchBuilder();
  const encoder = new TextEncoder();
  records.add(new Uint8Array(), encoder.encode(value), 0);
  const producer = await log.producer("tests-sink");
  await producer.append([{ topic: SINK_TOPIC, partition: 0, records }]);
}
