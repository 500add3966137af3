/**
 * A small job on a Kafka behind a proxy: two partitions of a few records, each
 * of which leads to one in the output, and what must have come of it.
 */
import assert from "node:assert/strict";
import type { KafkaSettings } from "../../src/log/kafka/kafka_settings.ts";
import {
  type ConsumeOptions,
  type Log,
  READ_LIMIT,
  readRange,
} from "../../src/log/log.ts";
import { openLog } from "../../src/log/open_log.ts";
import type { RecordBatch } from "../../src/log/record_batch.ts";
import { appendOf, valuesOf } from "../log/records.ts";
import { FaultyProxy } from "../services/faulty_proxy.ts";
import { freePort } from "../services/free_port.ts";
import { type KafkaServer, startKafka } from "../services/kafka_server.ts";

/** What the job reads. */
export const INPUT = { name: "input", partitions: 2, compacted: false };
/** What it writes. */
export const OUTPUT = { name: "output", partitions: 2, compacted: false };
/** Records in each partition of the input, and in a step. */
const RECORDS = 24;
const STEP_RECORDS = 8;
/** Group of the job. */
export const GROUP = "job";
/** What takes longer hangs. */
export const DEADLINE_MS = 90_000;
const never = new AbortController().signal;

/** Kafka behind a proxy. */
export interface ProxiedKafka extends AsyncDisposable {
  /** The broker. */
  readonly server: KafkaServer;
  /** What is between it and its clients. */
  readonly proxy: FaultyProxy;
  /** The proxy's address, which the broker says is its own. */
  readonly address: string;
}

/** Starts both. */
export async function startProxied(): Promise<ProxiedKafka> {
  const port = freePort();
  const server = await startKafka({ advertisedPort: port });
  const proxy = new FaultyProxy(port, server.address);
  return {
    server,
    proxy,
    address: `127.0.0.1:${port}`,
    [Symbol.asyncDispose]: async () => {
      proxy[Symbol.dispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

let streams = 0;

/** Settings for topics of their own. */
export function settingsOf(address: string): KafkaSettings {
  return {
    kind: "kafka",
    brokers: [address],
    prefix: `lost${++streams}-`,
    replication: undefined,
    tls: undefined,
    sasl: undefined,
    sessionTimeoutMs: 2000,
  };
}

/** Fails if it takes too long. */
export async function soon<T>(what: string, work: Promise<T>): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => reject(new Error(`${what}: not done in ${DEADLINE_MS / 1000} s`)),
    DEADLINE_MS,
  );
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** The values of a topic's partitions, once all that is there can be read: no transaction is left open. */
export async function settledValues(
  log: Log,
  topic: string,
): Promise<string[][]> {
  const deadline = performance.now() + DEADLINE_MS;
  for (;;) {
    const ends = await log.endOffsets(topic) ?? [];
    const partitions: string[][] = [];
    let unsettled = 0;
    for (const [partition, end] of ends.entries()) {
      const values: string[] = [];
      let next = 0;
      for await (const batch of readRange(log, topic, partition, 0, end)) {
        values.push(...valuesOf(batch));
        next = batch.next;
      }
      partitions.push(values);
      if (next < end) unsettled++;
    }
    if (unsettled === 0) return partitions;
    assert.ok(performance.now() < deadline, "a transaction was left open");
  }
}

function inputOf(partition: number): string[] {
  return Array.from({ length: RECORDS }, (_, i) => `${partition}/${i}`);
}

/** Topics, and records in the input. */
export async function prepare(log: Log): Promise<void> {
  await log.createTopics([INPUT, OUTPUT]);
  const producer = await log.producer("input");
  await producer.append(
    [0, 1].map((partition) =>
      appendOf(INPUT.name, partition, inputOf(partition))
    ),
  );
  await settledValues(log, INPUT.name);
}

/** Whether the group has taken all of the input. */
async function isAllTaken(log: Log): Promise<boolean> {
  const commits = await log.committed(GROUP, INPUT.name);
  return commits.every((commit) => (commit?.offset ?? 0) >= RECORDS);
}

/** How the job consumes: each record leads to one in the same partition of the output. The first step of a partition commits without taking anything, as who waits for others does. */
export function jobOn(
  log: Log,
  more: Partial<ConsumeOptions> = {},
): ConsumeOptions {
  return {
    group: GROUP,
    topic: INPUT.name,
    limit: { records: STEP_RECORDS, bytes: READ_LIMIT.bytes },
    signal: never,
    open: (partition, commit) => {
      let taken = Number(commit?.metadata ?? 0);
      let isFirst = true;
      return Promise.resolve({
        step: (batch: RecordBatch) => {
          if (isFirst && batch.count > 0) {
            isFirst = false;
            const [next] = batch.offsets;
            return { next, metadata: String(taken), appends: [] };
          }
          taken += batch.count;
          const values = valuesOf(batch).map((value) => `out of ${value}`);
          return {
            next: batch.next,
            metadata: String(taken),
            appends: values.length === 0
              ? []
              : [appendOf(OUTPUT.name, partition, values)],
          };
        },
      });
    },
    idle: () => isAllTaken(log),
    ...more,
  };
}

/**
 * Runs the job to its end on topics of its own, disturbed by what `disturb`
 * sets up; asserts that it was exactly once. `disturb` gives what ends the
 * disturbance and tells whether it has happened, which is the result.
 */
export async function runDisturbed(
  kafka: ProxiedKafka,
  what: string,
  disturb: () => () => boolean,
): Promise<boolean> {
  await using log = await openLog(settingsOf(kafka.address), () => {});
  await prepare(log);
  const undisturb = disturb();
  await soon(what, log.consume(jobOn(log)));
  const isMet = undisturb();
  await soon(`${what}, then`, assertExactlyOnce(log, what));
  return isMet;
}

/** Asserts that the job's output is there, all of it, once, in order. */
export async function assertExactlyOnce(log: Log, what: string): Promise<void> {
  assert.deepEqual(
    await settledValues(log, OUTPUT.name),
    [0, 1].map((partition) =>
      inputOf(partition).map((value) => `out of ${value}`)
    ),
    what,
  );
  const commits = await log.committed(GROUP, INPUT.name);
  const [first, second] = await log.endOffsets(INPUT.name) ?? [];
  assert.deepEqual(
    commits.map((commit) => [commit?.offset, commit?.metadata]),
    [[first, String(RECORDS)], [second, String(RECORDS)]],
    what,
  );
}
