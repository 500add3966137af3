/**
 * A source on a scripted Kafka: whatever fails, and whoever comes and goes, each
 * record of the source becomes one payment or one dead letter.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { LogError } from "../../src/base/error.ts";
import { HANDBOOK_FEATURES } from "../../src/features/parameters.ts";
import { type Append, type Log, readRange } from "../../src/log/log.ts";
import { emptyBatch } from "../../src/log/record_batch.ts";
import { moveSource } from "../../src/roles/take_over.ts";
import { runSource } from "../../src/stream/source_run.ts";
import { Control, controlRecords } from "../../src/stream/control.ts";
import type { DeadLetter } from "../../src/stream/dead_letters.ts";
import { recordedDefinition } from "../../src/stream/stream_definition.ts";
import {
  CONTROL_TOPIC,
  DEAD_LETTER_TOPIC,
  topicSpecs,
  TRANSACTION_TOPIC,
} from "../../src/stream/topics.ts";
import {
  accidents,
  faultName,
  NAMED_FAULTS,
  type PlainFault,
} from "../log/kafka/scripted/faults.ts";
import {
  type Fault,
  ScriptedKafka,
} from "../log/kafka/scripted/scripted_kafka.ts";
import { openScripted } from "../log/kafka/scripted/scripted_log.ts";
import { appendOf, valuesOf } from "../log/records.ts";
import { SOURCE_DEFINITION } from "./source_definition.ts";
import { chance, forEachSeed } from "../long.ts";
import { VirtualClock } from "../virtual_clock.ts";
import { QUIET } from "../roles/pipeline.ts";

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
  definition: recordedDefinition(SOURCE_DEFINITION),
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
  const ingest = (signal: AbortSignal) =>
    takeSource(open(), open(""), clock, signal);
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
      await fillSource(theirs, RECORDS);
      await untilTaken(open(), clock, RECORDS * SOURCE.partitions);
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

/** Takes the source as one process does. */
async function takeSource(
  log: Log,
  source: Log,
  clock: VirtualClock,
  signal: AbortSignal,
): Promise<void> {
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
      source,
      clock,
      timeOfDay: () => T0 + 1e6,
    },
  );
}

/** Waits until so many records are taken. */
async function untilTaken(
  log: Log,
  clock: VirtualClock,
  records: number,
): Promise<void> {
  const control = new Control(log);
  const deadline = clock.now() + DEADLINE_MS;
  while (clock.now() < deadline) {
    await control.refresh();
    if ((control.source?.counters.read ?? 0) >= records) return;
    await clock.sleep(50);
  }
  assert.fail(`not done in ${DEADLINE_MS / 1000} s`);
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

const FAULTS: readonly PlainFault[] = [
  ...NAMED_FAULTS,
  { lateMs: 16 },
  { lateMs: 45 },
];

for (const fault of FAULTS) {
  Deno.test(`a source is taken once, whichever exchange is ${faultName(fault)}`, async () => {
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
    const chosen = accidents(random, FAULTS, {
      exchanges: 150,
      changes: 100,
    });
    await run({ seed, ...chosen });
  });
});

Deno.test("a position that another transaction still hides is waited for", async () => {
  const clock = new VirtualClock(1);
  const kafka = new ScriptedKafka(clock);
  await using logs = new AsyncDisposableStack();
  const open = (prefix?: string) =>
    logs.use(openScripted(kafka, clock, () => {}, prefix));
  const own = open();
  const theirs = open("");
  await theirs.createTopics([SOURCE]);
  await own.createTopics(topicSpecs(PARTITIONS));
  await new Control(own).agree(PARAMETERS);
  for (const records of [RECORDS / 2, RECORDS]) {
    await fillSource(theirs, records);
    const stop = new AbortController();
    const log = open();
    let hidden = 20;
    // What is behind another producer's open transaction cannot be read yet.
    const reading: Log = new Proxy(log, {
      get(target, name) {
        const value = Reflect.get(target, name);
        if (typeof value !== "function") return value;
        const call = value.bind(target);
        if (name !== "read") return call;
        return (topic: string, partition: number, at: number, limit: unknown) =>
          topic === CONTROL_TOPIC && hidden-- > 0
            ? Promise.resolve(emptyBatch(at))
            : call(topic, partition, at, limit);
      },
    });
    const taking = takeSource(reading, open(""), clock, stop.signal);
    await untilTaken(open(), clock, records * SOURCE.partitions);
    stop.abort(new Error("over"));
    await taking;
    assert.ok(hidden <= 0 || records < RECORDS);
  }
  await assertExactlyOnce(own);
});

Deno.test("a source moves to the stream that has followed the one that took it, once nobody takes it there", async () => {
  const clock = new VirtualClock(1);
  const kafka = new ScriptedKafka(clock);
  await using logs = new AsyncDisposableStack();
  const open = (prefix: string) =>
    logs.use(openScripted(kafka, clock, () => {}, prefix));
  const [theirs, old, own] = [open(""), open("old-"), open("own-")];
  await theirs.createTopics([SOURCE]);
  for (const log of [old, own]) {
    await log.createTopics(topicSpecs(PARTITIONS));
    await new Control(log).agree(PARAMETERS);
  }
  const half = RECORDS / 2;
  await fillSource(theirs, half);
  const stop = new AbortController();
  const taking = takeSource(open("old-"), open(""), clock, stop.signal);
  await untilTaken(old, clock, half * SOURCE.partitions);
  const offsets = await copyAsFollowed(old, own);
  const streams = {
    old: { log: old, control: new Control(old) },
    own: { log: own, control: new Control(own) },
    place: "own-",
    flag: "--follow=old-",
  };
  await assert.rejects(() => moveSource(streams), /stop that process first/);
  stop.abort(new Error("over"));
  await taking;
  await moveSource(streams);
  await fillSource(theirs, RECORDS);
  const signal = new AbortController().signal;
  await assert.rejects(
    () => takeSource(open("old-"), open(""), clock, signal),
    /the source of this stream has moved to own-/,
  );
  const end = new AbortController();
  const continued = takeSource(open("own-"), open(""), clock, end.signal);
  await untilTaken(own, clock, RECORDS * SOURCE.partitions);
  end.abort(new Error("over"));
  await continued;
  assert.deepEqual(await old.endOffsets(TRANSACTION_TOPIC), offsets);
  const ids = (await valuesIn(own, TRANSACTION_TOPIC))
    .map((json) => JSON.parse(json).TRANSACTION_ID);
  const expected = Array.from(
    { length: SOURCE.partitions },
    (_, p) => sourceValues(p, 0, RECORDS).map((_, at) => 100 * p + at),
  ).flat().filter((id) => id % 100 % 5 !== 4);
  assert.deepEqual(ids.sort((a, b) => a - b), expected);
});

/** Copies the payments of a stream as one that follows it does; returns the offsets behind them. */
async function copyAsFollowed(old: Log, own: Log): Promise<number[]> {
  const offsets = await old.endOffsets(TRANSACTION_TOPIC) ?? [];
  const control = new Control(old);
  await control.refresh();
  const records = controlRecords();
  records.put("follow", {
    place: "old-",
    stream: control.identity?.id ?? "",
    startSeconds: control.begun ?? null,
    offsets,
    sinceSeconds: null,
    records: 1,
    lag: 0,
  });
  const appends: Append[] = records.appends();
  for (const partition of offsets.keys()) {
    const values = await valuesOfPartition(old, TRANSACTION_TOPIC, partition);
    appends.push(appendOf(TRANSACTION_TOPIC, partition, values));
  }
  const producer = await own.producer("copy");
  await producer.append(appends);
  return offsets;
}
