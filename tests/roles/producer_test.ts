import assert from "node:assert/strict";
import fc from "fast-check";
import { ConfigError, LogError } from "../../src/base/error.ts";
import { partitionOf } from "../../src/log/partitioner.ts";
import { Control } from "../../src/stream/control.ts";
import { runProducer } from "../../src/roles/producer.ts";
import { fingerprintOf } from "../../src/simulator/fingerprint.ts";
import type { Pace, RunSettings } from "../../src/roles/role.ts";
import {
  CUSTOMER_TOPIC,
  SINK_TOPIC,
  TERMINAL_TOPIC,
  TRANSACTION_TOPIC,
} from "../../src/stream/topics.ts";
import { topicRecords } from "../log/records.ts";
import { testReading } from "../permission.ts";
import {
  type OpenFolder,
  openMemory,
  parametersOf,
  runAll,
  SET_A,
} from "./pipeline.ts";

const PARTITIONS = 3;
const MAX: Pace = { kind: "max" };
/** Hands out some rows every few milliseconds, so that stops fall within a day. */
const IN_PIECES: Pace = { kind: "rate", perSecond: 20_000 };

const SEEDED: RunSettings["data"] = {
  parameters: { ...SET_A.parameters, days: 12 },
  rng: "seedrandom",
  seed: "tests",
};

interface Published {
  partition: number;
  key: string;
  value: string;
  time: number;
}

async function published(
  { log }: OpenFolder,
  topic: string,
): Promise<Published[]> {
  return (await topicRecords(log, topic)).flatMap((records, partition) =>
    records.map((one) => ({ partition, ...one }))
  );
}

/** Runs the producer; it is stopped once the payments below `until` are published. */
async function produceUntil(
  folder: OpenFolder,
  data: RunSettings["data"],
  until = Infinity,
  pace = MAX,
): Promise<number> {
  const stop = new AbortController();
  let last = 0;
  const control = new Control(folder.log);
  await runProducer({ ...folder.context, control, signal: stop.signal }, {
    data,
    pace,
    published: (nextId) => {
      last = nextId;
      if (nextId >= until) stop.abort();
    },
  });
  return last;
}

for (const data of [SET_A, SEEDED]) {
  Deno.test(`a producer that is stopped and started publishes the same as one that is not, ${data.rng}`, async () => {
    await using whole = await openMemory(parametersOf(PARTITIONS));
    const total = await produceUntil(whole, data);
    const expected = await published(whole, TRANSACTION_TOPIC);
    assert.equal(expected.length, total);
    const stops = fc.uniqueArray(fc.nat(total), { minLength: 1, maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(stops, async (stops) => {
        await using folder = await openMemory(parametersOf(PARTITIONS));
        for (const until of stops.sort((a, b) => a - b)) {
          await produceUntil(folder, data, until, IN_PIECES);
        }
        await produceUntil(folder, data);
        assert.deepEqual(await published(folder, TRANSACTION_TOPIC), expected);
        await folder.context.control.refresh();
        assert.deepEqual(folder.context.control.end(TRANSACTION_TOPIC), {
          rows: total,
        });
      }),
      { numRuns: 6 },
    );
  });
}

Deno.test("payments are keyed by customer, in its partition, at their own time", async () => {
  await using folder = await openMemory(parametersOf(PARTITIONS));
  await produceUntil(folder, SET_A);
  const ids: number[] = [];
  for (const record of await published(folder, TRANSACTION_TOPIC)) {
    const payment = JSON.parse(record.value);
    assert.equal(record.key, String(payment.CUSTOMER_ID));
    const key = new TextEncoder().encode(record.key);
    assert.equal(record.partition, partitionOf(key, PARTITIONS));
    const time = Date.parse(payment.TX_DATETIME.replace(" ", "T") + "Z");
    assert.equal(record.time, time);
    ids.push(payment.TRANSACTION_ID);
  }
  ids.sort((a, b) => a - b);
  assert.deepEqual(ids, [...ids.keys()]);
});

function linesOf(file: string): string[] {
  const url = new URL(`../data/A/${file}`, import.meta.url);
  return Deno.readTextFileSync(url).trimEnd().split("\n");
}

testReading(
  "customers and terminals are published once, as in set A's files",
  async () => {
    await using folder = await openMemory(parametersOf(PARTITIONS));
    for (const until of [0, 100, Infinity]) {
      await produceUntil(folder, SET_A, until);
    }
    const profiles: [topic: string, id: string, file: string][] = [
      [CUSTOMER_TOPIC, "CUSTOMER_ID", "customers.jsonl"],
      [TERMINAL_TOPIC, "TERMINAL_ID", "terminals.jsonl"],
    ];
    for (const [topic, id, file] of profiles) {
      const records = await published(folder, topic);
      records.sort((a, b) => Number(a.key) - Number(b.key));
      assert.deepEqual(records.map(({ value }) => value), linesOf(file));
      for (const { key, value } of records) {
        assert.equal(key, String(JSON.parse(value)[id]));
      }
      const ends = await folder.log.endOffsets(topic);
      assert.equal(ends?.reduce((sum, end) => sum + end), records.length);
    }
  },
);

testReading("the payments published are set A's", async () => {
  await using folder = await openMemory(parametersOf(1));
  await produceUntil(folder, SET_A);
  const lines = (await published(folder, TRANSACTION_TOPIC)).map(({ value }) =>
    Object.values(JSON.parse(value)).join(",")
  );
  assert.deepEqual(lines, linesOf("transactions.csv").slice(1));
});

Deno.test("a producer that has published all publishes nothing more", async () => {
  await using folder = await openMemory(parametersOf(PARTITIONS));
  await produceUntil(folder, SET_A);
  const ends = await folder.log.endOffsets(TRANSACTION_TOPIC);
  assert.equal(await produceUntil(folder, SET_A), 0);
  assert.deepEqual(await folder.log.endOffsets(TRANSACTION_TOPIC), ends);
});

const { parameters } = SET_A;
const others: [what: string, data: RunSettings["data"]][] = [
  ["--customers", { ...SET_A, parameters: { ...parameters, customers: 51 } }],
  ["--terminals", { ...SET_A, parameters: { ...parameters, terminals: 99 } }],
  ["--days", { ...SET_A, parameters: { ...parameters, days: 31 } }],
  ["--radius", { ...SET_A, parameters: { ...parameters, radius: 11 } }],
  ["--start", {
    ...SET_A,
    parameters: {
      ...parameters,
      startSeconds: parameters.startSeconds + 86_400,
    },
  }],
  ["--rng", { ...SET_A, rng: "seedrandom", seed: "1" }],
];

for (const [flag, data] of others) {
  Deno.test(`a producer with another ${flag} is refused and publishes nothing`, async () => {
    await using folder = await openMemory(parametersOf(PARTITIONS));
    await produceUntil(folder, SET_A, 100);
    const ends = await folder.log.endOffsets(TRANSACTION_TOPIC);
    await assert.rejects(produceUntil(folder, data), (error) => {
      assert.ok(error instanceof ConfigError);
      assert.ok(error.message.includes(fingerprintOf(SET_A)), error.message);
      assert.ok(!error.message.includes("\n"));
      return true;
    });
    assert.deepEqual(await folder.log.endOffsets(TRANSACTION_TOPIC), ends);
  });
}

Deno.test("a producer whose days begin elsewhere than agreed is refused", async () => {
  const startSeconds = Date.UTC(2018, 4, 1) / 1000;
  const agreed = { ...parametersOf(PARTITIONS), startSeconds };
  await using folder = await openMemory(agreed);
  await assert.rejects(
    produceUntil(folder, SET_A),
    /created with --start=2018-05-01, not 2018-04-01/,
  );
});

Deno.test("another seed is another stream, except to the handbook's data", () => {
  const seeded = (seed: string) => fingerprintOf({ ...SEEDED, seed });
  assert.notEqual(seeded("1"), seeded("2"));
  assert.equal(
    fingerprintOf({ ...SET_A, seed: "1" }),
    fingerprintOf({ ...SET_A, seed: "2" }),
  );
});

Deno.test("a producer that is replaced while it runs stops with an error and leaves no gap", async () => {
  await using folder = await openMemory(parametersOf(PARTITIONS));
  let replaced: Promise<number> | undefined;
  await assert.rejects(
    runProducer(folder.context, {
      data: SET_A,
      pace: MAX,
      published: (nextId) => {
        if (nextId > 500) replaced ??= produceUntil(folder, SET_A);
      },
    }),
    LogError,
  );
  await replaced;
  const records = await published(folder, TRANSACTION_TOPIC);
  const ids = records.map(({ value }) => JSON.parse(value).TRANSACTION_ID);
  ids.sort((a, b) => a - b);
  assert.deepEqual(ids, [...ids.keys()]);
  assert.equal(ids.length, 2555);
});

Deno.test("a stream without a single payment comes to its end in all roles", async () => {
  await using folder = await openMemory(parametersOf(PARTITIONS));
  const empty = { ...SET_A, parameters: { ...parameters, radius: 0 } };
  await runAll(folder, empty);
  await folder.context.control.refresh();
  for (const topic of [TRANSACTION_TOPIC, SINK_TOPIC]) {
    assert.deepEqual(folder.context.control.end(topic), { rows: 0 });
  }
  assert.deepEqual(await folder.store.status(), { rows: 0, frauds: 0 });
});
