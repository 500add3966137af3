/** The label intake: what is said about payments reaches their cards' partitions, whatever is lost, repeated, unknown or not stored yet. */
import assert from "node:assert/strict";
import type { EmbeddedLog } from "../../src/log/embedded/embedded_log.ts";
import { IdPartitioner } from "../../src/log/partitioner.ts";
import { RecordBatchBuilder } from "../../src/log/record_batch.ts";
import { formatDatetime } from "../../src/payment/calendar.ts";
import { DAY_SECONDS, type TransactionId } from "../../src/payment/payment.ts";
import { labelIntake } from "../../src/roles/label_intake.ts";
import { labelStage } from "../../src/roles/label_writer.ts";
import { writerStage } from "../../src/roles/writer.ts";
import type { StreamParameters } from "../../src/stream/control.ts";
import { readDeadLetters } from "../../src/stream/dead_letters.ts";
import { LABEL_TOPIC, TRANSACTION_TOPIC } from "../../src/stream/topics.ts";
import { chance, forEachSeed } from "../long.ts";
import {
  cardText,
  idText,
  TEXT_LABEL_DEFINITION,
  textRecord,
} from "../stream/text_stream.ts";
import { type OpenFolder, openMemory, parametersOf } from "./pipeline.ts";
import {
  appendPayments,
  handbookRecord,
  hideDeleted,
  paymentAt,
  StageDriver,
  START_SECONDS,
  valuesOfTopic,
} from "./stages.ts";

function parametersFor(isText: boolean): StreamParameters {
  const parameters = parametersOf(2);
  return {
    ...parameters,
    partitioner: "murmur2",
    features: { ...parameters.features, graceSeconds: DAY_SECONDS },
    ...isText ? { definition: TEXT_LABEL_DEFINITION } : {},
  };
}

/** Publishes payments, each in its card's partition, in order of time. */
async function publish(log: EmbeddedLog, isText: boolean, count: number) {
  const partitioner = new IdPartitioner(2, "murmur2");
  for (let id = 0; id < count; id++) {
    const customerId = id % 7;
    const key = new TextEncoder().encode(cardText(customerId));
    const partition = isText
      ? partitioner.partitionOfText(key)
      : partitioner.partition(customerId);
    const payment = paymentAt(1000 * id, { transactionId: id, customerId });
    const record = isText ? textRecord : handbookRecord;
    await appendPayments(log, partition, [payment], record);
  }
}

/** Appends what is said to a partition of the label topic. */
async function say(
  log: EmbeddedLog,
  partition: number,
  said: readonly unknown[],
): Promise<void> {
  const records = new RecordBatchBuilder();
  for (const value of said) {
    const text = typeof value === "string" ? value : JSON.stringify(value);
    records.endKey();
    records.writer.bytes(new TextEncoder().encode(text));
    records.endRecord(0);
  }
  const producer = await log.producer("labels");
  await producer.append([{ topic: LABEL_TOPIC, partition, records }]);
}

/** The pipeline's stages, and the intake. */
async function openStages(
  { log, store }: OpenFolder,
  parameters: StreamParameters,
) {
  const options = { startSeconds: START_SECONDS };
  const open = StageDriver.open;
  const lookUp = store.lookUp();
  return {
    pipeline: [
      await StageDriver.customers(log, parameters),
      await StageDriver.terminals(log, parameters),
      await open(
        log,
        parameters,
        (context) => writerStage(context, { ...options, store }),
      ),
      await open(
        log,
        parameters,
        (context) => labelStage(context, { ...options, store: store.labels() }),
      ),
    ],
    intake: await open(
      log,
      parameters,
      (context) => labelIntake(context, { ...options, store: lookUp }),
    ),
  };
}

/** Drains the stages one after the other, twice: a stage may wait for the other partition. */
async function drain(stages: readonly StageDriver[]): Promise<void> {
  for (let turn = 0; turn < 2; turn++) {
    for (const stage of stages) await stage.drain([0, 1]);
  }
}

const idOf = (id: number, isText: boolean): TransactionId =>
  isText ? idText(id) : id;

Deno.test("what is said about payments becomes their labels, whatever is lost or comes before its payment is stored", async () => {
  await forEachSeed(8, 300, async (seed) => {
    const random = chance(seed);
    const below = (n: number) => Math.floor(random() * n);
    const isText = seed % 2 === 0;
    const parameters = parametersFor(isText);
    await using folder = await openMemory(parameters);
    const { log, store } = folder;
    hideDeleted(log);
    const { pipeline, intake } = await openStages(folder, parameters);
    await publish(log, isText, 60);
    if (random() < 0.3) await drain(pipeline);
    const newest = new Map<TransactionId, number | undefined>();
    let wrong = 0;
    for (let n = 0; n < 40; n++) {
      const id = below(70);
      const label = [0, 1, null][below(3)];
      // A payment's labels stand in one partition, as its key says.
      const known = START_SECONDS + 60_000 + 100 * n;
      const said = {
        TRANSACTION_ID: idOf(id, isText),
        [["TX_FRAUD", "LABEL"][below(2)]]: label,
        KNOWN_AT: formatDatetime(known),
      };
      await say(log, id % 2, below(5) === 0 ? [said, said] : [said]);
      if (id < 60) newest.set(idOf(id, isText), label ?? undefined);
      if (random() > 0.1) continue;
      await say(log, 0, ["no JSON"]);
      wrong++;
    }
    while (!await intake.done()) {
      const partition = below(2);
      if (random() < 0.2) {
        if (random() < 0.5) await intake.lose(partition);
        await intake.reopen(partition);
      }
      const step = intake.step(partition, 1 + below(20));
      await drain(pipeline);
      await step;
    }
    await drain(pipeline);
    const ids = [...newest.keys()].sort((a, b) =>
      isText ? (a < b ? -1 : 1) : Number(a) - Number(b)
    );
    const found = await store.labels().newest(ids);
    assert.deepEqual(
      ids.map((id) => [id, found.get(id)?.fraud]),
      ids.map((id) => [id, newest.get(id)]),
    );
    const letters = await Array.fromAsync(readDeadLetters(log));
    for (const { topic, reason } of letters) {
      assert.equal(topic, LABEL_TOPIC);
      assert.ok(["unknown payment", "not JSON"].includes(reason), reason);
    }
    assert.ok(letters.length >= wrong);
  });
});

Deno.test("a label without KNOWN_AT is known at the stream's newest payment, and has all fields of its payment", async () => {
  const parameters = parametersFor(true);
  await using folder = await openMemory(parameters);
  const { log } = folder;
  const { pipeline, intake } = await openStages(folder, parameters);
  await publish(log, true, 20);
  await drain(pipeline);
  await say(log, 0, [
    { TRANSACTION_ID: idText(3), TX_FRAUD: 1, REASON: "chargeback" },
    { TRANSACTION_ID: idText(99), TX_FRAUD: 1 },
  ]);
  await intake.drain([0, 1]);
  const values = await valuesOfTopic(log, TRANSACTION_TOPIC);
  const labels = values.filter((json) => json.includes("KNOWN_AT"));
  const [, value] = textRecord(
    paymentAt(3000, { transactionId: 3, customerId: 3 }),
  );
  const { entry: _, ...payment } = JSON.parse(value);
  assert.deepEqual(labels.map((json) => JSON.parse(json)), [{
    ...payment,
    TX_FRAUD: 1,
    KNOWN_AT: formatDatetime(START_SECONDS + 19_000),
  }]);
  const [letter] = await Array.fromAsync(readDeadLetters(log));
  assert.equal(letter.reason, "unknown payment");
  assert.match(letter.message, /no payment with TRANSACTION_ID 1000000000/);
});
