/**
 * What other clients do to the topics: records that cannot be taken, payments
 * that come again, a second producer of the same stream.
 *
 * Records that cannot be taken are put wherever a role reads payments
 * (transaction_topic, the repartition topic, the sink topic) and among the dead
 * letters. Nobody reads the profiles; the prediction topic is in scoring.ts.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import {
  type FeatureParameters,
  HANDBOOK_FEATURES,
} from "../../src/features/parameters.ts";
import { PAYMENT_CELLS, toCells } from "../../src/payment/payment_cells.ts";
import { type Append, type Log, readRange } from "../../src/log/log.ts";
import {
  type RecordBatch,
  RecordBatchBuilder,
  recordKey,
  recordValue,
} from "../../src/log/record_batch.ts";
import type { DeadLetter } from "../../src/stream/dead_letters.ts";
import { PackBuilder } from "../../src/stream/pack.ts";
import {
  DEAD_LETTER_TOPIC,
  REPARTITION_TOPIC,
  SINK_TOPIC,
  TRANSACTION_TOPIC,
} from "../../src/stream/topics.ts";
import { DAY_SECONDS } from "../../src/payment/payment.ts";
import { testServing } from "../services/testing_servers.ts";
import { ALL, ClusterStream } from "./cluster_stream.ts";
import { THIRTY_DAYS } from "./expected_features.ts";
import type { RoleProcess } from "./role_process.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

const START_MS = Date.UTC(2018, 3, 1);
/** An id that no payment of the stream has. */
const STRANGE_ID = 999_999_999;
const KEY = encoder.encode("from elsewhere");
/** No text, and nothing that a terminal should get. */
const GARBAGE = Uint8Array.of(0, 255, 254, 27, 91, 50, 74);

/** A record that cannot be taken. */
interface Poison {
  readonly topic: string;
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly reason: DeadLetter["reason"];
}

type Json = Readonly<Record<string, unknown>>;

/** A payment as JSON, with other fields. */
function changed(row: Json, changes: Json): Uint8Array {
  return encoder.encode(JSON.stringify({ ...row, ...changes }));
}

/** The fields of another time. */
function at(year: number): Json {
  const seconds = Math.max(0, Date.UTC(year, 0, 1) - START_MS) / 1000;
  const date = new Date(START_MS + seconds * 1000).toISOString();
  return {
    TRANSACTION_ID: STRANGE_ID,
    TX_DATETIME: `${date.slice(0, 10)} 00:00:00`,
    TX_TIME_SECONDS: seconds,
    TX_TIME_DAYS: seconds / DAY_SECONDS,
  };
}

/** A pack of one row at a time, as the first stage would make it. */
function packAt(timeSeconds: number): Uint8Array {
  const features: FeatureParameters = {
    ...HANDBOOK_FEATURES,
    windowDays: [1, 5, 10],
  };
  const pack = new PackBuilder(features, 0);
  const cell = pack.next();
  const row = {
    transactionId: STRANGE_ID,
    datetimeSeconds: START_MS / 1000 + timeSeconds,
    customerId: 1,
    terminalId: 1,
    amount: 1,
    timeSeconds,
    fraud: 0,
    scenario: 0,
  };
  toCells(row, pack.cells, cell);
  pack.cells.fill(1, cell + PAYMENT_CELLS);
  return pack.bytes().slice();
}

/** The newest record of a partition that can be read. */
async function newest(
  log: Log,
  topic: string,
  partition: number,
): Promise<Json> {
  const ends = await log.endOffsets(topic) ?? [];
  let last: Uint8Array | undefined;
  const from = Math.max(0, ends[partition] - 1000);
  for await (
    const batch of readRange(log, topic, partition, from, ends[partition])
  ) {
    if (batch.count > 0) last = recordValue(batch, batch.count - 1);
  }
  assert.ok(last, `nothing in ${topic} ${partition}`);
  return JSON.parse(decoder.decode(last));
}

/** What is put into a partition of the payments, among those that flow by. */
async function poisonsFor(log: Log, partition: number): Promise<Poison[]> {
  const payment = await newest(log, TRANSACTION_TOPIC, partition);
  const stored = await newest(log, SINK_TOPIC, partition);
  const amount = Number(payment.TX_AMOUNT);
  const payments: [Uint8Array, DeadLetter["reason"]][] = [
    [GARBAGE, "not JSON"],
    [encoder.encode("{}"), "missing field"],
    [changed(payment, { CUSTOMER_ID: [5] }), "wrong type"],
    [changed(payment, { TX_AMOUNT: amount + 2 }), "wrong key"],
    [changed(payment, { TX_AMOUNT: -1 }), "out of range"],
    [changed(payment, { TX_AMOUNT: 0.005 }), "not whole cents"],
    [changed(payment, { TX_TIME_DAYS: 1000 }), "time mismatch"],
    [changed(payment, { TX_AMOUNT: amount + 1 }), "conflicting id"],
    [changed(payment, at(2018)), "late"],
    [changed(payment, at(2050)), "implausible"],
    [changed(payment, at(2099)), "out of range"],
  ];
  const rows: [Uint8Array, DeadLetter["reason"]][] = [
    [GARBAGE, "not JSON"],
    [changed(stored, { TX_DURING_NIGHT: undefined }), "missing field"],
    [changed(stored, at(2050)), "implausible"],
    [changed(stored, at(2099)), "out of range"],
  ];
  const packs: [Uint8Array, DeadLetter["reason"]][] = [
    [GARBAGE, "unreadable pack"],
    [packAt(Number(at(2099).TX_TIME_SECONDS)), "unreadable pack"],
    [packAt(Number(at(2050).TX_TIME_SECONDS)), "implausible"],
  ];
  // What is refused for its fields only has the key of its card.
  const card = encoder.encode(String(payment.CUSTOMER_ID));
  const keyed = ["conflicting id", "late", "implausible"];
  const poisons = (topic: string, records: typeof packs): Poison[] =>
    records.map(([value, reason]) => {
      const isKeyed = topic === TRANSACTION_TOPIC && keyed.includes(reason);
      return { topic, key: isKeyed ? card : KEY, value, reason };
    });
  return [
    ...poisons(TRANSACTION_TOPIC, payments),
    ...poisons(REPARTITION_TOPIC, packs),
    ...poisons(SINK_TOPIC, rows),
    // It has one partition.
    ...partition === 0
      ? poisons(DEAD_LETTER_TOPIC, [[GARBAGE, "not a dead letter"]])
      : [],
  ];
}

/** Appends records to a partition of each of their topics. */
async function inject(
  log: Log,
  partition: number,
  poisons: readonly Poison[],
): Promise<void> {
  const byTopic = Map.groupBy(poisons, ({ topic }) => topic);
  const appends = [...byTopic].map(([topic, records]): Append => {
    const builder = new RecordBatchBuilder();
    for (const { key, value } of records) builder.add(key, value, Date.now());
    return { topic, partition, records: builder };
  });
  const producer = await log.producer("a foreign client");
  await producer.append(appends);
}

/** The records of a partition that are the foreign client's. */
async function* foreign(
  log: Log,
  topic: string,
  partition: number,
  poisons: readonly Poison[],
): AsyncGenerator<{ offset: number; value: Uint8Array }> {
  const ends = await log.endOffsets(topic) ?? [];
  for await (
    const batch of readRange(log, topic, partition, 0, ends[partition])
  ) {
    for (let i = 0; i < batch.count; i++) {
      const value = recordValue(batch, i).slice();
      const isForeign = poisons.some((poison) =>
        Buffer.compare(poison.value, value) === 0
      );
      if (isForeign) yield { offset: batch.offsets[i], value };
    }
  }
}

/** Waits until half of the rows have passed the second stage. */
async function midway(stream: ClusterStream): Promise<void> {
  const half = stream.expected.rows / 2;
  await stream.waitFor("half of the rows", ({ stages: [, terminal] }) => {
    return terminal.counters.emitted > half;
  });
}

testServing(
  "records that cannot be taken become dead letters, exactly those, and harm nothing",
  async () => {
    await using stream = await ClusterStream.open({ set: THIRTY_DAYS });
    const producer = stream.start("producer", "--rate=3000");
    const roles = ["processor", "writer"].map((role) => stream.start(role));
    await midway(stream);
    await stream.pause(producer);
    await using client = await stream.connect();
    const injected: { partition: number; poisons: Poison[] }[] = [];
    for (const partition of [0, 3]) {
      const poisons = await poisonsFor(client, partition);
      await inject(client, partition, poisons);
      injected.push({ partition, poisons });
    }
    producer.resume();
    await stream.finished(producer, ...roles);
    await stream.assertExact(
      { deadLettered: 22 },
      { deadLettered: 6 },
      { deadLettered: 8 },
    );
    const json = await stream.run("dead-letters", "--json");
    const letters = json.stdout.trimEnd().split("\n").map((line) => {
      const { message, ...letter }: DeadLetter = JSON.parse(line);
      assert.notEqual(message, "");
      return letter;
    });
    const expected = await lettersOf(client, injected);
    assert.deepEqual(ordered(letters), ordered(expected));
    const { stdout } = await stream.run("dead-letters");
    assert.equal(stdout.split("\\x00\\xff\\xfe\\x1b[2J\n").length, 1 + 7);
  },
);

type Letter = Omit<DeadLetter, "message">;

/** The dead letters that injected records must have led to: each with the offset that it was given. */
async function lettersOf(
  log: Log,
  injected: readonly { partition: number; poisons: readonly Poison[] }[],
): Promise<Letter[]> {
  const letters: Letter[] = [];
  for (const { partition, poisons } of injected) {
    const byTopic = Map.groupBy(poisons, ({ topic }) => topic);
    for (const [topic, expected] of byTopic) {
      const records = foreign(log, topic, partition, [...expected]);
      for await (const { offset, value } of records) {
        const poison = expected.shift();
        assert.ok(poison);
        assert.deepEqual(value, poison.value);
        letters.push({
          topic,
          partition,
          offset,
          reason: poison.reason,
          key: Buffer.from(poison.key).toString("base64"),
          value: Buffer.from(value).toString("base64"),
        });
      }
      assert.deepEqual(expected, [], "all of them are there");
    }
  }
  return letters;
}

/** Dead letters in the order of their sources. */
function ordered(letters: readonly Letter[]): Letter[] {
  const place = ({ topic, partition, offset }: Letter) =>
    `${topic} ${partition} ${String(offset).padStart(9)}`;
  return letters.toSorted((a, b) => place(a) < place(b) ? -1 : 1);
}

/** Appends what a partition holds of the last five days again; gives the number of records. */
async function repeatLastDays(log: Log): Promise<number> {
  const ends = await log.endOffsets(TRANSACTION_TOPIC) ?? [];
  const batches: { partition: number; batch: RecordBatch }[] = [];
  for (const partition of ALL) {
    const range = readRange(
      log,
      TRANSACTION_TOPIC,
      partition,
      0,
      ends[partition],
    );
    for await (const batch of range) batches.push({ partition, batch });
  }
  const newestMs = batches.reduce((newest, { batch: { timestamps } }) => {
    return timestamps.reduce((a, b) => Math.max(a, b), newest);
  }, 0);
  const producer = await log.producer("a foreign client");
  let repeated = 0;
  for (const { partition, batch } of batches) {
    const records = new RecordBatchBuilder();
    for (let i = 0; i < batch.count; i++) {
      const time = batch.timestamps[i];
      if (time < newestMs - 5 * DAY_SECONDS * 1000) continue;
      records.add(recordKey(batch, i), recordValue(batch, i), time);
    }
    if (records.count === 0) continue;
    await producer.append([{ topic: TRANSACTION_TOPIC, partition, records }]);
    repeated += records.count;
  }
  return repeated;
}

testServing(
  "the last five days appended again, midway and after the end, are exactly so many duplicates",
  async () => {
    await using stream = await ClusterStream.open({ set: THIRTY_DAYS });
    await using client = await stream.connect();
    const dedupe = "--dedupe=6d";
    const producer = stream.start("producer", "--rate=3000", dedupe);
    let roles = ["processor", "writer"].map((role) =>
      stream.start(role, dedupe)
    );
    await midway(stream);
    await stream.pause(producer);
    const first = await repeatLastDays(client);
    assert.ok(first > 5 * 400, `only ${first} payments in five days`);
    producer.resume();
    await stream.finished(producer, ...roles);
    await stream.assertExact({ duplicates: first });
    const again = await repeatLastDays(client);
    roles = ["processor", "writer"].map((role) => stream.start(role));
    await stream.finished(...roles);
    await stream.assertExact({ duplicates: first + again });
  },
);

testServing(
  "a second producer fences the first, which ends with one clear line",
  async () => {
    await using stream = await ClusterStream.open();
    const { rows } = stream.expected;
    const consumers = ["processor", "writer"].map((role) => stream.start(role));
    const produced = (least: number) =>
      stream.waitFor(`${least} payments`, (status) => status.produced >= least);
    const first = stream.start("producer", "--rate=1500");
    await produced(rows / 4);
    const second: RoleProcess = stream.start("producer", "--rate=1500");
    const { code, words } = await first.ended();
    assert.equal(code, 1);
    assert.deepEqual(words.length, 1, words.join("\n"));
    assert.match(
      words[0],
      /^fraudstream: Kafka refuses: .*it has been replaced by a newer one; stop one of the two$/,
    );
    await produced(rows / 2);
    assert.equal((await second.stop()).code, 0);
    const third = stream.start("producer", "--rate=max");
    await stream.finished(third, ...consumers);
    await stream.assertExact();
  },
);
