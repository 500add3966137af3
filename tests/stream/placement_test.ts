/** Payments whose key or partition is not their card's. */
import assert from "node:assert/strict";
import type { EmbeddedLog } from "../../src/log/embedded/embedded_log.ts";
import {
  type Partitioner,
  PARTITIONERS,
  partitionOf,
} from "../../src/log/partitioner.ts";
import { RecordBatchBuilder } from "../../src/log/record_batch.ts";
import { Control, type StreamParameters } from "../../src/stream/control.ts";
import { readDeadLetters } from "../../src/stream/dead_letters.ts";
import { findPartitioner } from "../../src/stream/placement.ts";
import { TRANSACTION_TOPIC } from "../../src/stream/topics.ts";
import { PaymentJsonWriter } from "../../src/payment/payment_json.ts";
import { openMemory, parametersOf, produce, SET_A } from "../roles/pipeline.ts";
import {
  partitionsOf,
  paymentAt,
  sinkRows,
  StageDriver,
} from "../roles/stages.ts";

const ENCODER = new TextEncoder();
const PARTITIONS = 4;

function parametersWith(
  partitioner: Partitioner | undefined,
): StreamParameters {
  return { ...parametersOf(PARTITIONS), partitioner };
}

/** Where a key belongs. */
function home(key: string, partitioner: Partitioner): number {
  return partitionOf(ENCODER.encode(key), PARTITIONS, partitioner);
}

/** Appends a payment of a card under a key. */
async function append(
  log: EmbeddedLog,
  partition: number,
  customerId: number,
  key: string,
): Promise<void> {
  const records = new RecordBatchBuilder();
  records.writer.bytes(ENCODER.encode(key));
  records.endKey();
  const id = 10 * customerId + (key.length % 10);
  const payment = paymentAt(5000, { transactionId: id, customerId, amount: 1 });
  new PaymentJsonWriter().write(records.writer, payment);
  records.endRecord(payment.datetimeSeconds * 1000);
  const producer = await log.producer("tests");
  await producer.append([{ topic: TRANSACTION_TOPIC, partition, records }]);
}

/** Runs the first stage; gives the letters as "partition reason: message", and how many were emitted. */
async function judged(log: EmbeddedLog, parameters: StreamParameters) {
  const customers = await StageDriver.customers(log, parameters);
  await customers.drain(partitionsOf(parameters));
  const letters: string[] = [];
  for await (const { partition, reason, message } of readDeadLetters(log)) {
    letters.push(`${partition} ${reason}: ${message}`);
  }
  const { emitted } = await customers.counters();
  return { letters, emitted };
}

for (const partitioner of PARTITIONERS) {
  Deno.test(`payments where ${partitioner} places their key are taken, all others are dead letters`, async () => {
    const parameters = parametersWith(partitioner);
    await using folder = await openMemory(parameters);
    const { log } = folder;
    const other = partitioner === "murmur2" ? "crc32" : "murmur2";
    const expected: string[] = [];
    for (let card = 0; card < 12; card++) {
      const right = home(String(card), partitioner);
      for (const partition of partitionsOf(parameters)) {
        await append(log, partition, card, String(card));
        if (partition === right) continue;
        const hint = home(String(card), other) === partition
          ? ` (where ${other} places them: see --partitioner)`
          : "";
        expected.push(
          `${partition} wrong partition: the payments of CUSTOMER_ID ${card} ` +
            `belong to partition ${right} by ${partitioner}, not to ` +
            `${partition}${hint}`,
        );
      }
    }
    const { letters, emitted } = await judged(log, parameters);
    assert.deepEqual(letters.sort(), expected.sort());
    assert.equal(emitted, 12);
    assert.ok(letters.some((letter) => letter.includes("--partitioner")));
  });
}

const KEYS: [key: string, shown: string][] = [
  ["", "the record has no key"],
  ["18", 'the record\'s key is "18"'],
  ["017", 'the record\'s key is "017"'],
  ["17 ", 'the record\'s key is "17 "'],
  ["7", 'the record\'s key is "7"'],
  ["117", 'the record\'s key is "117"'],
  ['"17"', 'the record\'s key is "\\"17\\""'],
  ["\u001b[31m", 'the record\'s key is "\\u001b[31m"'],
  ["x".repeat(50), `the record's key is "${"x".repeat(40)}"`],
];

for (const partitions of [1, PARTITIONS]) {
  Deno.test(`a payment under another key than its CUSTOMER_ID is a dead letter, ${partitions} partitions`, async () => {
    const parameters = { ...parametersWith("murmur2"), partitions };
    await using folder = await openMemory(parameters);
    const { log } = folder;
    const partition = partitionOf(ENCODER.encode("17"), partitions, "murmur2");
    for (const [key] of KEYS) await append(log, partition, 17, key);
    await append(log, partition, 17, "17");
    const { letters, emitted } = await judged(log, parameters);
    assert.deepEqual(
      letters,
      KEYS.map(([, shown]) =>
        `${partition} wrong key: ${shown}, not its CUSTOMER_ID 17`
      ),
    );
    assert.equal(emitted, 1);
    // A replay judges as the first pass did.
    const again = await judged(log, parameters);
    assert.deepEqual(again, { letters, emitted });
  });
}

Deno.test("a stream that was begun before the partitioner was recorded takes payments wherever they lie", async () => {
  const parameters = parametersWith(undefined);
  await using folder = await openMemory(parameters);
  for (const partition of partitionsOf(parameters)) {
    await append(folder.log, partition, 17, "1".repeat(partition));
  }
  const { letters, emitted } = await judged(folder.log, parameters);
  assert.deepEqual(letters, []);
  assert.equal(emitted, PARTITIONS);
});

for (const partitioner of PARTITIONERS) {
  Deno.test(`our own producer places payments by the stream's partitioner, ${partitioner}`, async () => {
    const parameters = parametersWith(partitioner);
    await using folder = await openMemory(parameters);
    await produce(folder, SET_A);
    const { letters, emitted } = await judged(folder.log, parameters);
    assert.deepEqual(letters, []);
    assert.equal(emitted, 2555);
    const terminals = await StageDriver.terminals(folder.log, parameters);
    await terminals.drain(partitionsOf(parameters));
    assert.equal((await sinkRows(folder.log)).length, 2555);
  });
}

Deno.test("a new stream takes the partitioner that the payments fit which are there", async () => {
  const keys = [..."123456789", ""];
  const cases: [Partitioner, (key: string) => number][] = [
    ["murmur2", () => 0], // fits neither
    ["murmur2", (key) => home(key, "murmur2")],
    ["crc32", (key) => key === "" ? 3 : home(key, "crc32")],
  ];
  for (const [expected, place] of cases) {
    await using folder = await openMemory(parametersWith("murmur2"));
    const { log } = folder;
    assert.equal(await findPartitioner(log), "murmur2");
    for (const key of keys) await append(log, place(key), 1, key);
    assert.equal(await findPartitioner(log), expected);
  }
});

Deno.test("agree() records the partitioner, and a role that names none takes the stream's", async () => {
  await using folder = await openMemory(parametersWith("crc32"));
  const { log } = folder;
  const control = new Control(log);
  await control.agree(parametersWith(undefined));
  assert.equal(control.parameters?.partitioner, "crc32");
  await assert.rejects(
    control.agree(parametersWith("murmur2")),
    /created with --partitioner=crc32, not murmur2/,
  );
});
