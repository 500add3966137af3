/**
 * A source on a scripted Kafka: whatever fails, and whoever comes and goes, each
 * record of the source becomes one payment or one dead letter.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { LogError } from "../../src/base/error.ts";
import { readDefinition } from "../../src/definition/read_definition.ts";
import { HANDBOOK_FEATURES } from "../../src/features/parameters.ts";
import { type Log, readRange } from "../../src/log/log.ts";
import { runSource } from "../../src/stream/source_run.ts";
import { Control } from "../../src/stream/control.ts";
import type { DeadLetter } from "../../src/stream/dead_letters.ts";
import { recordedDefinition } from "../../src/stream/stream_definition.ts";
import {
  DEAD_LETTER_TOPIC,
  topicSpecs,
  TRANSACTION_TOPIC,
} from "../../src/stream/topics.ts";
import {
  type Fault,
  ScriptedKafka,
} from "../log/kafka/scripted/scripted_kafka.ts";
import { openScripted } from "../log/kafka/scripted/scripted_log.ts";
import { appendOf, valuesOf } from "../log/records.ts";
import { chance, forEachSeed } from "../long.ts";
import { VirtualClock } from "../virtual_clock.ts";
import { QUIET } from "../roles/pipeline.ts";

const DEFINITION = readDefinition(
  `version: 1
payment:
  TRANSACTION_ID: { from: nr, type: number }
  TX_DATETIME: { from: at, format: epoch-s }
  CUSTOMER_ID: { from: card, type: number }
  TERMINAL_ID: { from: shop, type: number }
  TX_AMOUNT: { from: eur, decimals: 2 }
  TX_FRAUD: bad
labels: { from: payment, delay: 7d }
features: { include: handbook }
`,
  "source.yaml",
);

const SOURCE = { name: "theirs", partitions: 3, compacted: false };
const PARTITIONS = 2;
const RECORDS = 8;
const T0 = Date.UTC(2024, 0, 1) / 1000;
/** Whatever happens, it is over by then, milliseconds of the clock. */
const DEADLINE_MS = 900_000;

const PARAMETERS = {
  partitions: PARTITIONS,
  features: HANDBOOK_FEATURES,
  latenessSeconds: 60,
  maxGapSeconds: 400 * 86_400,
  dedupeSeconds: 60,
  partitioner: "murmur2",
  definition: recordedDefinition(DEFINITION),
} as const;

/** Records of a partition of the source; every fifth is none that can be mapped. */
function sourceValues(partition: number, from: number, to: number): string[] {
  return Array.from({ length: to - from }, (_, i) => {
    const offset = from + i;
    const id = 100 * partition + offset;
    return offset % 5 === 4
      ? `{"nr":${id}}`
      : `{"nr":${id},"at":${T0 + 10 * offset},"card":${id % 7},"shop":1,` +
        `"eur":"2.50","bad":0}`;
  });
}

/** All committed values of a topic. */
async function valuesIn(log: Log, topic: string): Promise<string[]> {
  const ends = await log.endOffsets(topic) ?? [];
  const values = ends.map((_, p) => valuesOfPartition(log, topic, p));
  return (await Promise.all(values)).flat();
}

async function valuesOfPartition(
  log: Log,
  topic: string,
  partition: number,
): Promise<string[]> {
  const values: string[] = [];
  const batches = readRange(log, topic, partition, 0, Infinity);
  for await (const batch of batches) values.push(...valuesOf(batch));
  return values;
}

interface JobOptions {
  readonly seed: number;
  readonly faults: ReadonlyMap<number, Fault>;
  /** At which exchanges a further process comes. */
  readonly joins?: readonly number[];
  /** At which exchanges the first process is stopped; it then comes again. */
  readonly stops?: readonly number[];
}

/** Runs processes on a source until all of it is taken; returns the number of exchanges. */
async function runJob(options: JobOptions): Promise<number> {
  const { seed, faults, joins = [40], stops = [] } = options;
  const clock = new VirtualClock(seed);
  const kafka = new ScriptedKafka(clock);
  await using logs = new AsyncDisposableStack();
  const open = (prefix?: string) =>
    logs.use(openScripted(kafka, clock, () => {}, prefix));
  const theirs = open("");
  const own = open();
  await theirs.createTopics([SOURCE]);
  await own.createTopics(topicSpecs(PARTITIONS));
  await new Control(own).agree(PARAMETERS);
  await fillSource(theirs, RECORDS / 2);
  const over = new AbortController();
  const arrived = joins.map(() => Promise.withResolvers<void>());
  let stop = new AbortController();
  kafka.play(({ number }) => {
    joins.forEach((at, i) => number >= at && arrived[i].resolve());
    if (stops.includes(number)) stop.abort(new Error("stopped"));
    return faults.get(number);
  });
  const ingest = async (signal: AbortSignal) => {
    const log = open();
    const control = new Control(log);
    await runSource(
      { log, control, parameters: PARAMETERS, logger: QUIET, signal },
      {
        settings: {
          topic: SOURCE.name,
          idleAfterSeconds: 5,
          aheadSeconds: 60,
          acceptsGaps: false,
        },
        hmacKey: undefined,
        source: open(""),
        clock,
        timeOfDay: () => T0 + 1e6,
      },
    );
  };
  const works = Promise.all([
    (async () => {
      do {
        stop = new AbortController();
        await ingest(AbortSignal.any([stop.signal, over.signal]));
      } while (!over.signal.aborted);
    })(),
    ...arrived.map(async ({ promise }) => {
      await promise;
      if (!over.signal.aborted) await ingest(over.signal);
    }),
    (async () => {
      await clock.sleep(500);
      const watching = open();
      const control = new Control(watching);
      const isTaken = async (records: number) => {
        for (;;) {
          await control.refresh();
          if ((control.source?.counters.read ?? 0) >= records) return;
          await clock.sleep(50);
        }
      };
      await fillSource(theirs, RECORDS);
      await isTaken(RECORDS * SOURCE.partitions);
      over.abort(new Error("over"));
      for (const { resolve } of arrived) resolve();
    })(),
  ]);
  const done = new AbortController();
  const late = clock.sleep(DEADLINE_MS, done.signal).then(() =>
    assert.fail(`not done in ${DEADLINE_MS / 1000} s`)
  );
  late.catch(() => {});
  await Promise.race([works, late]);
  done.abort();
  const { exchanges } = kafka;
  kafka.play(() => undefined);
  await clock.sleep(100_000); // what was sent late has come, what was open is over
  await assertExactlyOnce(own);
  return exchanges;
}

/** Fills the source up to a record of each partition. A producer that fails does not know what became of it: a newer one looks. */
async function fillSource(log: Log, to: number): Promise<void> {
  for (let attempt = 0; attempt < 20; attempt++) {
    try {
      const producer = await log.producer("theirs");
      for (let p = 0; p < SOURCE.partitions; p++) {
        const { length } = await valuesOfPartition(log, SOURCE.name, p);
        if (length === to) continue;
        const values = sourceValues(p, length, to);
        await producer.append([appendOf(SOURCE.name, p, values)]);
      }
      return;
    } catch (error) {
      assert.ok(error instanceof LogError, String(error));
    }
  }
  assert.fail("the source could not be filled");
}

async function assertExactlyOnce(log: Log): Promise<void> {
  const ids: number[] = [];
  const bad: number[] = [];
  for (let p = 0; p < SOURCE.partitions; p++) {
    for (let offset = 0; offset < RECORDS; offset++) {
      (offset % 5 === 4 ? bad : ids).push(100 * p + offset);
    }
  }
  const payments = (await valuesIn(log, TRANSACTION_TOPIC)).map((json) =>
    JSON.parse(json)
  );
  const numerically = (a: number, b: number) => a - b;
  assert.deepEqual(
    payments.map(({ TRANSACTION_ID }) => TRANSACTION_ID).sort(numerically),
    ids,
  );
  const letters = (await valuesIn(log, DEAD_LETTER_TOPIC)).map((json) =>
    JSON.parse(json) as DeadLetter
  );
  assert.deepEqual(
    letters.map(({ value }) =>
      JSON.parse(Buffer.from(value, "base64").toString()).nr
    ).sort(numerically),
    bad,
  );
  assert.deepEqual(
    [...new Set(letters.map(({ topic, reason }) => `${topic}: ${reason}`))],
    ["theirs: missing field"],
  );
  const control = new Control(log);
  await control.refresh();
  const { counters, offsets, startSeconds } = control.source ?? {};
  assert.equal(startSeconds, T0);
  assert.equal(offsets?.length, SOURCE.partitions);
  assert.deepEqual(counters, {
    read: ids.length + bad.length,
    emitted: ids.length,
    deadLettered: bad.length,
    duplicates: 0,
    frauds: 0,
  });
}

/** Runs the job; an error says what was done to it. */
async function run(options: JobOptions): Promise<number> {
  try {
    return await runJob(options);
  } catch (cause) {
    const { faults, ...others } = options;
    const what = JSON.stringify({ faults: [...faults], ...others });
    throw new Error(`${what}: ${(cause as Error).message}`, { cause });
  }
}

const FAULTS: readonly Exclude<Fault, { code: number }>[] = [
  "request lost",
  "answer lost",
  "silence",
  "slow",
  "repeated",
  "moved",
  "loading",
  "fenced",
  { lateMs: 16 },
  { lateMs: 45 },
];

for (const fault of FAULTS) {
  const what = typeof fault === "string" ? fault : `${fault.lateMs} ms late`;
  Deno.test(`a source is taken once, whichever exchange is ${what}`, async () => {
    await forEachSeed(1, 10, async (seed) => {
      for (let n = 1;; n++) {
        const faults = new Map([[n, fault]]);
        if (await run({ seed, faults }) < n) return assert.ok(n > 50);
      }
    });
  });
}

Deno.test("a source is taken once, whatever fails while processes come and go", async () => {
  await forEachSeed(80, 2000, async (seed) => {
    const random = chance(seed);
    const below = (limit: number) => Math.floor(random() * limit);
    const several = <T>(most: number, make: () => T) =>
      Array.from({ length: 1 + below(most) }, make);
    const faults = new Map(several(6, () => {
      const fault = FAULTS[below(FAULTS.length)];
      return [
        1 + below(150),
        typeof fault === "string" ? fault : { lateMs: below(100) },
      ];
    }));
    const joins = several(2, () => 1 + below(100));
    const stops = random() < 0.5 ? [] : several(2, () => 1 + below(100));
    await run({ seed, faults, joins, stops });
  });
});
