/**
 * Appends without a transaction on the scripted Kafka: whatever is lost on the
 * way, every record is there once and where the answer says; and what becomes
 * of them where a broker forgets who appends.
 */
import assert from "node:assert/strict";
import { LogError } from "../../../src/base/error.ts";
import { type Log, offsetIn, readRange } from "../../../src/log/log.ts";
import { VirtualClock } from "../../virtual_clock.ts";
import { appendOf, builderOf, record, valuesOf } from "../records.ts";
import { NAMED_FAULTS } from "./scripted/faults.ts";
import { ScriptedKafka } from "./scripted/scripted_kafka.ts";
import { openScripted } from "./scripted/scripted_log.ts";

const TOPIC = { name: "t", partitions: 2, compacted: false };

function fresh() {
  const clock = new VirtualClock(1);
  const kafka = new ScriptedKafka(clock);
  return { clock, kafka, log: openScripted(kafka, clock) };
}

/** The values of a partition, by their offsets. */
async function stored(log: Log, partition: number): Promise<string[]> {
  const end = (await log.endOffsets(TOPIC.name))?.[partition] ?? 0;
  const values: string[] = [];
  for await (const batch of readRange(log, TOPIC.name, partition, 0, end)) {
    values.push(...valuesOf(batch));
  }
  assert.equal(values.length, end);
  return values;
}

/** Appends to both partitions several times; asserts what is there and that it is where the answers say. */
async function appendAll(log: Log): Promise<void> {
  const appender = await log.appender();
  const sent: string[][] = [[], []];
  const said: string[][] = [[], []];
  for (let i = 0; i < 4; i++) {
    const values = [`${i}a`, `${i}b`];
    const runs = await appender.append(
      [0, 1].map((partition) => appendOf(TOPIC.name, partition, values)),
    );
    for (const partition of [0, 1]) {
      sent[partition].push(...values);
      for (const [j, value] of values.entries()) {
        const offset = offsetIn(runs[partition], j);
        assert.ok(offset !== undefined);
        said[partition][offset] = value;
      }
    }
  }
  for (const partition of [0, 1]) {
    const found = await stored(log, partition);
    assert.deepEqual(found, sent[partition]);
    assert.deepEqual(said[partition], found);
  }
}

for (const fault of NAMED_FAULTS) {
  Deno.test(`an appender's records are there once, whichever exchange meets "${fault}"`, async () => {
    let met = 0;
    for (let n = 1;; n++) {
      const { kafka, log } = fresh();
      await using _log = log;
      await log.createTopics([TOPIC]);
      kafka.play(({ number }) => number === n ? fault : undefined);
      await appendAll(log);
      if (kafka.exchanges < n) break;
      met++;
    }
    assert.ok(met >= 5);
  });
}

Deno.test("an append of several batches says where each record is, with another appender's in between", async () => {
  const { log } = fresh();
  await using _log = log;
  await log.createTopics([TOPIC]);
  const appenders = [await log.appender(), await log.appender()];
  const answers = await Promise.all(appenders.map(async (appender, i) => {
    const values = [0, 1, 2, 3, 4].map((j) => `${i}${j} ${"x".repeat(4e5)}`);
    const records = builderOf(values.map((value) => record(value)));
    const append = { topic: TOPIC.name, partition: 0, records };
    const [runs] = await appender.append([append]);
    assert.ok(runs.length > 1);
    return { values, runs };
  }));
  const found = await stored(log, 0);
  const last = answers.map(({ values, runs }) => {
    for (const [j, value] of values.entries()) {
      assert.equal(found[offsetIn(runs, j) ?? -1], value);
    }
    return offsetIn(runs, values.length - 1);
  });
  assert.notDeepEqual(last, [4, 9]); // they were mixed
});

Deno.test("an appender that brokers have forgotten continues under a new id, also in the middle of an append", async () => {
  const { kafka, log } = fresh();
  await using _log = log;
  await log.createTopics([TOPIC]);
  const appender = await log.appender();
  await appender.append([appendOf(TOPIC.name, 0, ["a"])]);
  kafka.forgetProducers();
  await appender.append([appendOf(TOPIC.name, 0, ["b"])]);
  let isFirst = true;
  kafka.play(({ name, number }) => {
    // After the first of the batches that follow.
    if (name !== "Produce" || number === 1) return undefined;
    if (isFirst) kafka.forgetProducers();
    isFirst = false;
    return undefined;
  });
  const values = [0, 1, 2].map((i) => `${i} ${"x".repeat(8e5)}`);
  const [runs] = await appender.append([appendOf(TOPIC.name, 0, values)]);
  assert.equal(kafka.asked.get("InitProducerId"), 1);
  assert.deepEqual(await stored(log, 0), ["a", "b", ...values]);
  assert.deepEqual(values.map((_, i) => offsetIn(runs, i)), [2, 3, 4]);
});

Deno.test("records that a broker forgot between answer and repetition are there twice, and the append ends", async () => {
  const { kafka, log } = fresh();
  await using _log = log;
  await log.createTopics([TOPIC]);
  const appender = await log.appender();
  await appender.append([appendOf(TOPIC.name, 0, ["a"])]);
  let isLost = false;
  kafka.play(({ name }) => {
    if (name !== "Produce") return undefined;
    if (isLost) {
      kafka.forgetProducers();
      return undefined;
    }
    isLost = true;
    return "answer lost";
  });
  const [runs] = await appender.append([appendOf(TOPIC.name, 0, ["b"])]);
  assert.deepEqual(await stored(log, 0), ["a", "b", "b"]);
  assert.equal(offsetIn(runs, 0), 2);
});

Deno.test("a refused append throws, and the next one of the appender is taken", async () => {
  const { log } = fresh();
  await using _log = log;
  await log.createTopics([TOPIC]);
  const appender = await log.appender();
  await assert.rejects(
    appender.append([appendOf("missing", 0, ["a"])]),
    LogError,
  );
  await appender.append([appendOf(TOPIC.name, 0, ["b"])]);
  assert.deepEqual(await stored(log, 0), ["b"]);
});

Deno.test("the word to stop ends an appender's waiting for a broker", async () => {
  const { clock, kafka, log } = fresh();
  await using _log = log;
  await log.createTopics([TOPIC]);
  const stop = new AbortController();
  const appender = await log.appender(stop.signal);
  kafka.play(() => "silence");
  const append = appender.append([appendOf(TOPIC.name, 0, ["a"])]);
  const began = clock.now();
  stop.abort(new Error("stopped"));
  await assert.rejects(append, /stopped/);
  assert.ok(clock.now() - began < 10_000);
});
