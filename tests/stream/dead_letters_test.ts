import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import type { EmbeddedLog } from "../../src/log/embedded/embedded_log.ts";
import { readRange } from "../../src/log/log.ts";
import {
  type RecordBatch,
  RecordBatchBuilder,
  recordKey,
  recordValue,
} from "../../src/log/record_batch.ts";
import { featureNames } from "../../src/features/parameters.ts";
import { toCells } from "../../src/payment/payment_cells.ts";
import { Control } from "../../src/stream/control.ts";
import {
  type DeadLetter,
  DeadLetterBox,
  KEPT_BYTES,
  letterValue,
  readDeadLetters,
} from "../../src/stream/dead_letters.ts";
import { customerStage } from "../../src/roles/customer_stage.ts";
import { PackBuilder } from "../../src/stream/pack.ts";
import { whyNotEditable } from "../../src/stream/requeue.ts";
import { CommitReader } from "../../src/stream/commit.ts";
import { terminalStage } from "../../src/roles/terminal_stage.ts";
import { discrepancies, readStatus } from "../../src/stream/status.ts";
import {
  DEAD_LETTER_TOPIC,
  REPARTITION_TOPIC,
  SINK_TOPIC,
  TRANSACTION_TOPIC,
} from "../../src/stream/topics.ts";
import { DAY_SECONDS } from "../../src/payment/payment.ts";
import {
  featuresSum,
  type OpenFolder,
  openMemory,
  parametersOf,
  produce,
  referenceSum,
  runBehind,
  SET_A,
  sinkSum,
  withIdMax,
} from "../roles/pipeline.ts";
import {
  appendPayments,
  type Entry,
  partitionsOf,
  paymentAt,
  sinkRows,
  StageDriver,
} from "../roles/stages.ts";

/** Seconds from the tests' first day to 2080-01-01. */
const IN_2080 = (Date.UTC(2080, 0, 1) - Date.UTC(2018, 3, 1)) / 1000;
/** The same to 2099-01-01: more than TX_TIME_SECONDS may be. */
const IN_2099 = (Date.UTC(2099, 0, 1) - Date.UTC(2018, 3, 1)) / 1000;

async function lettersOf(log: EmbeddedLog): Promise<DeadLetter[]> {
  return await Array.fromAsync(readDeadLetters(log));
}

/** Appends raw values to a topic. */
async function appendValues(
  log: EmbeddedLog,
  topic: string,
  partition: number,
  values: readonly (string | Uint8Array)[],
): Promise<void> {
  const records = new RecordBatchBuilder();
  const encoder = new TextEncoder();
  for (const value of values) {
    const bytes = typeof value === "string" ? encoder.encode(value) : value;
    records.add(encoder.encode("key"), bytes, 0);
  }
  const producer = await log.producer("tests");
  await producer.append([{ topic, partition, records }]);
}

/** Asserts that in every stage rows read = emitted + dead letters + duplicates, and gives the dead letters of each. */
async function deadLettered({ log }: OpenFolder): Promise<number[]> {
  const status = await readStatus(log, new Control(log));
  assert.deepEqual(discrepancies(status), []);
  const [customers, terminals, writer] = status.stages.map((stage) =>
    stage.counters
  );
  assert.equal(terminals.read - terminals.deadLettered, customers.emitted);
  assert.equal(writer.read - writer.deadLettered, terminals.emitted);
  const counts = status.stages.map((stage) => stage.counters.deadLettered);
  const letters = await Array.fromAsync(readDeadLetters(log));
  assert.equal(status.deadLetters, letters.length);
  assert.equal(letters.length, counts.reduce((sum, n) => sum + n, 0));
  return counts;
}

/** A good payment as JSON, with fields changed. */
function jsonWith(changed: Record<string, unknown>): string {
  return JSON.stringify({
    TRANSACTION_ID: 500,
    TX_DATETIME: "2018-04-03 00:00:00",
    CUSTOMER_ID: 1,
    TERMINAL_ID: 2,
    TX_AMOUNT: 3.5,
    TX_TIME_SECONDS: 2 * DAY_SECONDS,
    TX_TIME_DAYS: 2,
    TX_FRAUD: 0,
    TX_FRAUD_SCENARIO: 0,
    ...changed,
  });
}

const NOW = 3 * DAY_SECONDS;
const KNOWN = paymentAt(NOW, { transactionId: 1, amount: 5 });

/** What is refused after a payment with id 1 at NOW, and why. */
const REFUSED: [reason: string, entry: Entry][] = [
  ["not JSON", "{"],
  ["not JSON", ""],
  ["not JSON", "[1]"],
  ["missing field", jsonWith({ TERMINAL_ID: undefined })],
  ["wrong type", jsonWith({ CUSTOMER_ID: [1] })],
  ["out of range", jsonWith({ TX_AMOUNT: -1 })],
  ["out of range", jsonWith({ TX_DATETIME: "2018-04-31 00:00:00" })],
  ["not whole cents", jsonWith({ TX_AMOUNT: 0.001 })],
  ["time mismatch", jsonWith({ TX_TIME_DAYS: 1 })],
  ["time mismatch", jsonWith({ TX_DATETIME: "2018-04-04 00:00:00" })],
  ["out of range", paymentAt(IN_2099, { transactionId: 2 })],
  ["implausible", paymentAt(IN_2080, { transactionId: 2 })],
  [
    "implausible",
    paymentAt(NOW + 400 * DAY_SECONDS + 1, { transactionId: 2 }),
  ],
  ["conflicting id", { ...KNOWN, amount: 6 }],
  ["conflicting id", paymentAt(NOW + 5, { transactionId: 1 })],
  ["late", paymentAt(NOW - 3601, { transactionId: 3 })],
];

for (const [i, [reason, entry]] of REFUSED.entries()) {
  Deno.test(`a record that is refused (${reason}, ${i}) is a dead letter with its place and bytes, and the stream goes on`, async () => {
    const parameters = parametersOf(2);
    await using folder = await openMemory(parameters);
    const { log } = folder;
    const after = paymentAt(NOW - 3600, { transactionId: 4, amount: 1 });
    await appendPayments(log, 0, [KNOWN]);
    await appendPayments(log, 1, [KNOWN, entry, { ...KNOWN }, after]);
    const customers = await StageDriver.customers(log, parameters);
    const terminals = await StageDriver.terminals(log, parameters);
    await customers.drain([0, 1]);
    await terminals.drain([0, 1]);
    const source = await log.read(TRANSACTION_TOPIC, 1, 1, {
      records: 1,
      bytes: 1,
    });
    const [letter, ...more] = await lettersOf(log);
    assert.deepEqual(more, []);
    assert.ok(letter.message.length > 5 && !letter.message.includes("\n"));
    assert.deepEqual({ ...letter, message: "" }, {
      topic: TRANSACTION_TOPIC,
      partition: 1,
      offset: 1,
      reason,
      message: "",
      key: Buffer.from(recordKey(source, 0)).toString("base64"),
      value: Buffer.from(recordValue(source, 0)).toString("base64"),
    });
    assert.deepEqual(await customers.counters(), {
      read: 5,
      emitted: 3,
      deadLettered: 1,
      duplicates: 1,
      frauds: 0,
    });
    const ids = (await sinkRows(log)).map((row) => row.TRANSACTION_ID);
    assert.deepEqual(ids.sort(), [1, 1, 4]);
  });
}

Deno.test("a dead letter keeps bytes that are no text", async () => {
  const parameters = parametersOf(1);
  await using folder = await openMemory(parameters);
  const bytes = Uint8Array.from({ length: 300 }, (_, i) => i);
  await appendValues(folder.log, TRANSACTION_TOPIC, 0, [bytes]);
  await (await StageDriver.customers(folder.log, parameters)).drain([0]);
  const [letter] = await lettersOf(folder.log);
  assert.deepEqual(Buffer.from(letter.value, "base64"), Buffer.from(bytes));
  assert.equal(letter.reason, "not JSON");
});

/** The letters of values that come to the first stage. */
async function lettersFor(
  ...values: readonly Uint8Array[]
): Promise<DeadLetter[]> {
  const parameters = parametersOf(1);
  await using folder = await openMemory(parameters);
  await appendValues(folder.log, TRANSACTION_TOPIC, 0, values);
  await (await StageDriver.customers(folder.log, parameters)).drain([0]);
  return await lettersOf(folder.log);
}

Deno.test("a dead letter keeps the first 16 KiB of what is longer, its length and checksum", async () => {
  const sizes = [KEPT_BYTES, KEPT_BYTES + 1, 787_000, 5_000_000];
  const values = sizes.map((length) => new Uint8Array(length).fill(length));
  const letters = await lettersFor(...values);
  for (const [i, letter] of letters.entries()) {
    const kept = Buffer.from(letter.value, "base64");
    assert.deepEqual(kept, Buffer.from(values[i].subarray(0, KEPT_BYTES)));
    const sha256 = createHash("sha256").update(values[i]).digest("hex");
    assert.deepEqual(
      letter.truncated,
      i === 0 ? undefined : { value: { bytes: sizes[i], sha256 } },
    );
    assert.equal(letterValue(letter) === undefined, i > 0);
    assert.ok(JSON.stringify(letter).length < 23_000);
  }
  assert.equal(letters.length, 4);
});

/** A batch whose record at offset 7 stands for what could not be read. */
function unreadableBatch(key: Uint8Array, value: Uint8Array): RecordBatch {
  return {
    count: 1,
    offsets: Float64Array.from([7]),
    timestamps: Float64Array.from([0]),
    positions: Int32Array.from([
      0,
      key.length,
      key.length,
      key.length + value.length,
    ]),
    bytes: Uint8Array.from([...key, ...value]),
    unreadable: new Map([[7, "the record batch of offsets 7 to 9 is strange"]]),
    next: 10,
  };
}

Deno.test("what stands for an unreadable batch is told so by every stage, whatever it thinks of the bytes", async () => {
  const parameters = parametersOf(1);
  const value = new TextEncoder().encode(jsonWith({ TX_AMOUNT: -1 }));
  const batch = unreadableBatch(new Uint8Array(0), value);
  await using folder = await openMemory(parameters);
  const { log, context } = folder;
  const stages = [
    await customerStage(context, new CommitReader(), undefined)
      .open(0, undefined),
    await terminalStage(context).open(0, undefined),
  ];
  const topics: string[] = [];
  for (const stage of stages) {
    const { next, metadata, appends } = await stage.step(batch);
    assert.equal(next, 10);
    const { read, deadLettered } = JSON.parse(metadata).counters;
    assert.deepEqual({ read, deadLettered }, { read: 1, deadLettered: 1 });
    const producer = await log.producer("tests");
    await producer.append(appends.filter(({ records }) => records.count > 0));
    const letter = (await lettersOf(log))[topics.length];
    topics.push(letter.topic);
    assert.equal(letter.reason, "unreadable batch");
    assert.equal(letter.message, batch.unreadable?.get(7));
    assert.equal(letter.offset, 7);
    assert.match(whyNotEditable(letter) ?? "", /send the records again/);
  }
  assert.deepEqual(topics, [TRANSACTION_TOPIC, REPARTITION_TOPIC]);
});

Deno.test("a key that is too long is kept in part as well, and what others put among the letters too", async () => {
  await using folder = await openMemory(parametersOf(1));
  const box = new DeadLetterBox();
  const long = new Uint8Array(KEPT_BYTES + 1);
  const batch = { ...unreadableBatch(long, long), unreadable: undefined };
  box.add({ topic: "t", partition: 0 }, batch, 0, "late", "too late");
  const producer = await folder.log.producer("tests");
  await producer.append(box.appends());
  await appendValues(folder.log, DEAD_LETTER_TOPIC, 0, [long]);
  const wrong = { ...(await lettersOf(folder.log))[0], truncated: { key: 1 } };
  await appendValues(folder.log, DEAD_LETTER_TOPIC, 0, [JSON.stringify(wrong)]);
  const [ours, foreign, shapeless] = await lettersOf(folder.log);
  assert.equal(ours.truncated?.key?.bytes, long.length);
  assert.equal(ours.truncated?.value?.bytes, long.length);
  assert.equal(foreign.reason, "not a dead letter");
  assert.equal(foreign.truncated?.value?.bytes, long.length);
  assert.equal(shapeless.reason, "not a dead letter");
});

Deno.test("dead letters are keyed by where they came from", async () => {
  const parameters = parametersOf(2);
  await using folder = await openMemory(parameters);
  const { log } = folder;
  await appendPayments(log, 1, [KNOWN, "no", "nor this"]);
  await (await StageDriver.customers(log, parameters)).drain([0, 1]);
  const keys: string[] = [];
  for await (const batch of readRange(log, DEAD_LETTER_TOPIC, 0, 0, 2)) {
    for (let i = 0; i < batch.count; i++) {
      keys.push(new TextDecoder().decode(recordKey(batch, i)));
    }
  }
  assert.deepEqual(keys, [1, 2].map((n) => `${TRANSACTION_TOPIC}/1/${n}`));
});

Deno.test("a box that is cleared, or was never filled, has nothing to append", () => {
  const box = new DeadLetterBox();
  assert.deepEqual(box.appends(), []);
  const batch: RecordBatch = {
    count: 1,
    offsets: Float64Array.from([7]),
    timestamps: Float64Array.from([0]),
    positions: new Int32Array(4),
    bytes: new Uint8Array(0),
    next: 8,
  };
  box.add({ topic: "t", partition: 0 }, batch, 0, "late", "too late");
  assert.equal(box.appends()[0].records.count, 1);
  box.clear();
  assert.deepEqual(box.appends(), []);
});

Deno.test("a row dated 2080 moves nothing: the rows after it are taken as if it were not there", async () => {
  const parameters = parametersOf(1);
  const rows = [1, 2, 3].map((n) =>
    paymentAt(n * DAY_SECONDS, { transactionId: n, amount: n })
  );
  const sinkWith = async (entries: Entry[]) => {
    await using folder = await openMemory(parameters);
    await appendPayments(folder.log, 0, entries);
    await (await StageDriver.customers(folder.log, parameters)).drain([0]);
    await (await StageDriver.terminals(folder.log, parameters)).drain([0]);
    return await sinkRows(folder.log);
  };
  const implausible = paymentAt(IN_2080, { transactionId: 9 });
  assert.deepEqual(
    await sinkWith([rows[0], implausible, rows[1], implausible, rows[2]]),
    await sinkWith(rows),
  );
});

/** A pack of one row at a time, its other cells as given. */
function packAt(timeSeconds: number, datetimeSeconds?: number): Uint8Array {
  const { features } = parametersOf(1);
  const builder = new PackBuilder(features, 0);
  const row = paymentAt(timeSeconds, { transactionId: 77 });
  if (datetimeSeconds !== undefined) row.datetimeSeconds = datetimeSeconds;
  const at = builder.next();
  toCells(row, builder.cells, at);
  for (let i = 0; i < 6; i++) builder.cells[at + 8 + i] = 1;
  return builder.bytes();
}

Deno.test("packs that are garbage, of 2080, of 2099 or of no date at all are dead letters, and the features are as without them", async () => {
  const parameters = parametersOf(3);
  await using folder = await openMemory(parameters);
  const { log } = folder;
  await produce(folder, SET_A);
  const packs: [reason: string, value: string | Uint8Array][] = [
    ["unreadable pack", "garbage"],
    ["unreadable pack", packAt(0).slice(0, 40)],
    ["implausible", packAt(IN_2080)],
    ["unreadable pack", packAt(IN_2099)],
    ["unreadable pack", packAt(0, 1e15)],
    ["unreadable pack", packAt(0, -1e15)],
  ];
  for (const partition of partitionsOf(parameters)) {
    const values = packs.map(([, value]) => value);
    await appendValues(log, REPARTITION_TOPIC, partition, values);
  }
  await runBehind(folder);
  assert.equal(await featuresSum(folder.store), referenceSum("A"));
  assert.deepEqual(await deadLettered(folder), [0, 3 * packs.length, 0]);
  const letters = await lettersOf(log);
  for (const partition of partitionsOf(parameters)) {
    const here = letters.filter((letter) => letter.partition === partition);
    assert.deepEqual(
      here.map(({ topic, offset, reason }) => [topic, offset, reason]),
      packs.map(([reason], offset) => [REPARTITION_TOPIC, offset, reason]),
    );
  }
});

/** A record of the sink with all features 1, fields changed. */
function sinkJson(changed: Record<string, unknown>): string {
  const { features } = parametersOf(1);
  const values = featureNames(features).map((name) => [name, 1]);
  return jsonWith({ ...Object.fromEntries(values), ...changed });
}

Deno.test("records of the sink that are garbage, of 2080 or with odd features are dead letters, and the store is as without them", async () => {
  const parameters = parametersOf(3);
  await using folder = await openMemory(parameters);
  const { log } = folder;
  await produce(folder, SET_A);
  const records: [reason: string, value: string][] = [
    ["not JSON", "garbage"],
    ["missing field", sinkJson({ TX_DURING_NIGHT: undefined })],
    ["wrong type", sinkJson({ TX_DURING_NIGHT: 0.5 })],
    ["wrong type", sinkJson({ CUSTOMER_ID_NB_TX_7DAY_WINDOW: 1.5 })],
    ["wrong type", sinkJson({ TERMINAL_ID_NB_TX_1DAY_WINDOW: 1e300 })],
    ["wrong type", sinkJson({ TERMINAL_ID_RISK_1DAY_WINDOW: "0" })],
    ["out of range", sinkJson({ TX_FRAUD: 2 })],
    [
      "implausible",
      sinkJson({
        TX_DATETIME: "2080-01-01 00:00:00",
        TX_TIME_SECONDS: IN_2080,
        TX_TIME_DAYS: IN_2080 / DAY_SECONDS,
      }),
    ],
  ];
  await appendValues(log, SINK_TOPIC, 1, records.map(([, value]) => value));
  await runBehind(folder);
  assert.equal(await featuresSum(folder.store), referenceSum("A"));
  assert.deepEqual(await deadLettered(folder), [0, 0, records.length]);
  assert.deepEqual(
    (await lettersOf(log)).map((
      { topic, partition, offset, reason, value },
    ) => [
      topic,
      partition,
      offset,
      reason,
      Buffer.from(value, "base64").toString(),
    ]),
    records.map(([reason, value], offset) => [
      SINK_TOPIC,
      1,
      offset,
      reason,
      value,
    ]),
  );
});

Deno.test("a stored row is never lost to a record of the sink that is refused", async () => {
  const parameters = parametersOf(1);
  await using folder = await openMemory(parameters);
  await produce(folder, SET_A);
  await runBehind(folder);
  await appendValues(folder.log, SINK_TOPIC, 0, [
    sinkJson({ TX_AMOUNT: 0.123 }),
  ]);
  await runBehind(folder);
  assert.equal(await featuresSum(folder.store), referenceSum("A"));
});

for (const drained of [true, false]) {
  const when = drained ? "after they were taken" : "before anything is taken";
  Deno.test(`the last 5 days appended again, ${when}, are exactly that many duplicates and change no feature`, async () => {
    const parameters = parametersOf(3);
    await using folder = await openMemory(parameters);
    const { log } = folder;
    await produce(folder, SET_A);
    const customers = await StageDriver.customers(log, parameters);
    const terminals = await StageDriver.terminals(log, parameters);
    const order = partitionsOf(parameters);
    if (drained) {
      await customers.drain(order);
      await terminals.drain(order);
    }
    let again = 0;
    const since = Date.UTC(2018, 3, 1) + 25 * DAY_SECONDS * 1000;
    const ends = await log.endOffsets(TRANSACTION_TOPIC) ?? [];
    for (const [partition, end] of ends.entries()) {
      const records = new RecordBatchBuilder();
      for await (
        const batch of readRange(log, TRANSACTION_TOPIC, partition, 0, end)
      ) {
        for (let i = 0; i < batch.count; i++) {
          if (batch.timestamps[i] < since) continue;
          const { timestamps } = batch;
          records.add(
            recordKey(batch, i),
            recordValue(batch, i),
            timestamps[i],
          );
        }
      }
      again += records.count;
      const producer = await log.producer("again");
      await producer.append([{ topic: TRANSACTION_TOPIC, partition, records }]);
    }
    assert.ok(again > 300);
    await customers.drain(order);
    await terminals.drain(order);
    const { read, emitted, duplicates, deadLettered } = await customers
      .counters();
    assert.deepEqual(
      { read, emitted, duplicates, deadLettered },
      { read: 2555 + again, emitted: 2555, duplicates: again, deadLettered: 0 },
    );
    assert.equal(await sinkSum(log, parameters), referenceSum("A"));
  });
}

Deno.test("what others put among the dead letters is shown as what it is, and hides none", async () => {
  const parameters = parametersOf(1);
  await using folder = await openMemory(parameters);
  const { log } = folder;
  const strange = [
    "\u0000 no JSON",
    "null",
    "[]",
    '{"topic":"x","offset":"1"}',
  ];
  await appendValues(log, DEAD_LETTER_TOPIC, 0, strange);
  await produce(folder, SET_A);
  await appendValues(log, TRANSACTION_TOPIC, 0, ["poison"]);
  await runBehind(folder);
  const letters = await lettersOf(log);
  assert.deepEqual(
    letters.map(({ topic, offset, reason, value }) => [
      topic,
      offset,
      reason,
      Buffer.from(value, "base64").toString(),
    ]),
    [
      ...strange.map((value, offset) => [
        DEAD_LETTER_TOPIC,
        offset,
        "not a dead letter",
        value,
      ]),
      [TRANSACTION_TOPIC, 2555, "not JSON", "poison"],
    ],
  );
});

Deno.test("payments whose ids the store's tables do not take are dead letters, and the rest is stored", async () => {
  for (const [idMax, stored] of [[2554, 2555], [2553, 2554], [2000, 2001]]) {
    await using folder = await openMemory(parametersOf(2));
    await produce(folder, SET_A);
    await runBehind({ ...folder, store: withIdMax(folder.store, idMax) });
    assert.equal((await folder.store.status()).rows, stored);
    const status = await readStatus(folder.log, new Control(folder.log));
    assert.deepEqual(discrepancies(status), []);
    assert.equal(status.deadLetters, 2555 - stored);
    for (const { reason, message } of await lettersOf(folder.log)) {
      assert.equal(reason, "id too large");
      assert.match(
        message,
        /^TRANSACTION_ID 2\d{3} is too large for the store/,
      );
      assert.match(message, /new --keyspace/);
    }
  }
});
