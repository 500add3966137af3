/**
 * A small job on a scripted Kafka: two consumers, the second of which comes
 * while the first is at work, copy what two partitions hold, and a producer
 * appends meanwhile. What must have come of it is known in advance.
 */
import assert from "node:assert/strict";
import {
  type ConsumeOptions,
  type Log,
  type LogProducer,
  READ_LIMIT,
  readRange,
} from "../../../../src/log/log.ts";
import type { RecordBatch } from "../../../../src/log/record_batch.ts";
import { VirtualClock } from "../../../virtual_clock.ts";
import { appendOf, valuesOf } from "../../records.ts";
import { type Fault, ScriptedKafka } from "./scripted_kafka.ts";
import { openScripted } from "./scripted_log.ts";

/** What the job reads. */
export const INPUT = { name: "input", partitions: 2, compacted: false };
/** What it writes. */
export const OUTPUT = { name: "output", partitions: 2, compacted: false };
/** Records in each partition of the input, and in a step. */
const RECORDS = 6;
const STEP_RECORDS = 3;
const GROUP = "job";
/** Whatever happens, it is over by then, milliseconds of the job's own clock. */
const DEADLINE_MS = 600_000;

/** What a run came to. */
export interface JobOutcome {
  /** Exchanges with the brokers. */
  readonly exchanges: number;
  /** How long it took on its own clock, milliseconds. */
  readonly tookMs: number;
  /** Messages that the log has reported. */
  readonly reports: readonly string[];
  /** Names of the requests, in order. */
  readonly names: readonly string[];
}

function inputOf(partition: number): string[] {
  return Array.from({ length: RECORDS }, (_, i) => `${partition}/${i}`);
}

/** How the job consumes: the first step of a partition only commits, as that of who waits for others does. */
export function jobOn(
  log: Log,
  started: () => void = () => {},
): ConsumeOptions {
  return {
    group: GROUP,
    topic: INPUT.name,
    limit: { records: STEP_RECORDS, bytes: READ_LIMIT.bytes },
    signal: new AbortController().signal,
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
          started();
          taken += batch.count;
          const values = valuesOf(batch).map((value) => `out of ${value}`);
          const appends = values.length === 0
            ? []
            : [appendOf(OUTPUT.name, partition, values)];
          return { next: batch.next, metadata: String(taken), appends };
        },
      });
    },
    idle: async () => {
      const commits = await log.committed(GROUP, INPUT.name);
      return commits.every((commit) => Number(commit?.metadata) === RECORDS);
    },
  };
}

/** The committed values of a topic's partitions. */
async function valuesIn(log: Log, topic: string): Promise<string[][]> {
  const ends = await log.endOffsets(topic) ?? [];
  return await Promise.all(ends.map(async (end, partition) => {
    const values: string[] = [];
    let next = 0;
    for await (const batch of readRange(log, topic, partition, 0, end)) {
      values.push(...valuesOf(batch));
      next = batch.next;
    }
    assert.equal(next, end, `a transaction is open in ${topic}`);
    return values;
  }));
}

/** What a job is run with. */
export interface JobOptions {
  /** Chance. */
  readonly seed: number;
  /** What goes wrong with which exchange. */
  readonly faults: ReadonlyMap<number, Fault>;
  /** At which exchanges further consumers come; without it, one at the first step. */
  readonly joins?: readonly number[];
  /** At which exchanges the first consumer is told to stop; it then comes again. */
  readonly stops?: readonly number[];
  /** Brokers of the cluster; without it two. */
  readonly brokers?: number;
  /** How long each step takes before it is committed, milliseconds: longer than the time between two heartbeats, and generations end in its midst. */
  readonly stepMs?: number;
}

/** Runs the job to its end; throws AssertionError unless all of it came once, in order. */
export async function runJob(options: JobOptions): Promise<JobOutcome> {
  const clock = new VirtualClock(options.seed);
  const kafka = new ScriptedKafka(clock, options.brokers);
  const reports: string[] = [];
  await using logs = new AsyncDisposableStack();
  const open = () =>
    logs.use(openScripted(kafka, clock, (_, text) => reports.push(text)));
  const first = open();
  const producer = await prepareJob(first);
  const { stepMs = 0 } = options;
  const job = (log: Log): ConsumeOptions => ({
    ...jobOn(log, stepped.resolve),
    ...stepMs > 0 && { prepare: () => clock.sleep(stepMs) },
  });
  const stepped = Promise.withResolvers<void>();
  const joins = options.joins?.map(() => Promise.withResolvers<void>()) ??
    [stepped];
  let stop = new AbortController();
  const names: string[] = [];
  kafka.play(({ number, name }) => {
    names.push(name);
    options.joins?.forEach((at, i) => at === number && joins[i].resolve());
    if (options.stops?.includes(number)) stop.abort();
    return options.faults.get(number);
  });
  const began = clock.now();
  const works = Promise.all([
    (async () => {
      do {
        stop = new AbortController();
        const { signal } = stop;
        await first.consume({ ...job(first), signal });
      } while (stop.signal.aborted);
      // Who was to come later has nothing left to do.
      for (const { resolve } of joins) resolve();
    })(),
    ...joins.map(async ({ promise }) => {
      await promise;
      const log = open();
      await log.consume(job(log));
    }),
    stepped.promise.then(() => appendRest(producer, first)),
  ]);
  const over = new AbortController();
  const late = clock.sleep(DEADLINE_MS, over.signal).then(() =>
    assert.fail(`not done in ${DEADLINE_MS / 1000} s`)
  );
  late.catch(() => {}); // it is told by the race, or not wanted
  await Promise.race([works, late]);
  over.abort();
  const { exchanges } = kafka;
  const tookMs = clock.now() - began;
  kafka.play(() => undefined);
  // What was sent late has come then, and what was left open is over.
  await clock.sleep(100_000);
  await assertExactlyOnce(first);
  return { exchanges, tookMs, reports, names };
}

/**
 * Appends the rest of the input. A producer that has been replaced does not
 * know what became of it: a newer one appends what is missing.
 */
export async function appendRest(
  producer: LogProducer,
  log: Log,
): Promise<void> {
  let current = producer;
  let from = RECORDS / 2;
  for (;;) {
    try {
      return await append(current, 0, from, RECORDS);
    } catch (error) {
      assert.match((error as Error).message, /replaced by a newer one/);
    }
    current = await log.producer("input");
    from = (await valuesIn(log, INPUT.name))[0].length;
    if (from === RECORDS) return;
  }
}

async function append(
  producer: LogProducer,
  partition: number,
  from: number,
  to: number,
): Promise<void> {
  const values = inputOf(partition).slice(from, to);
  await producer.append([appendOf(INPUT.name, partition, values)]);
}

/** Makes the topics, and fills the input but for the last records of its first partition. */
export async function prepareJob(log: Log): Promise<LogProducer> {
  await log.createTopics([INPUT, OUTPUT]);
  const producer = await log.producer("input");
  await append(producer, 0, 0, RECORDS / 2);
  await append(producer, 1, 0, RECORDS);
  return producer;
}

/** Asserts that all of the output is there, once and in order, and nothing is open. */
export async function assertExactlyOnce(log: Log): Promise<void> {
  const input = [0, 1].map(inputOf);
  assert.deepEqual(await valuesIn(log, INPUT.name), input);
  assert.deepEqual(
    await valuesIn(log, OUTPUT.name),
    input.map((values) => values.map((value) => `out of ${value}`)),
  );
  const commits = await log.committed(GROUP, INPUT.name);
  assert.deepEqual(
    commits.map((commit) => commit?.metadata),
    [String(RECORDS), String(RECORDS)],
  );
}
