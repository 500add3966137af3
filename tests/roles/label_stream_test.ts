/**
 * Streams whose labels arrive later than their payments: the stages take them
 * among the payments, and the handbook's features come out of them.
 */
import assert from "node:assert/strict";
import { ByteWriter } from "../../src/base/byte_writer.ts";
import { IdPartitioner } from "../../src/log/partitioner.ts";
import { RecordBatchBuilder } from "../../src/log/record_batch.ts";
import { formatDatetime } from "../../src/payment/calendar.ts";
import { emptyPayment, readTableRow } from "../../src/payment/payment.ts";
import { PaymentJsonWriter } from "../../src/payment/payment_json.ts";
import { labelIntake } from "../../src/roles/label_intake.ts";
import { writerStage } from "../../src/roles/writer.ts";
import { simulateHandbook } from "../../src/simulator/handbook.ts";
import { HANDBOOK_PARAMETERS } from "../../src/simulator/parameters.ts";
import { isLong } from "../long.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { HANDBOOK_FEATURES } from "../../src/features/parameters.ts";
import { DAY_SECONDS } from "../../src/payment/payment.ts";
import { runProducer } from "../../src/roles/producer.ts";
import type { RunSettings } from "../../src/roles/role.ts";
import { Control, type StreamParameters } from "../../src/stream/control.ts";
import { LABEL_TOPIC, TRANSACTION_TOPIC } from "../../src/stream/topics.ts";
import {
  partitionsOf,
  StageDriver,
  START_SECONDS,
  valuesOfTopic,
} from "./stages.ts";
import {
  type OpenFolder,
  openFolder,
  openMemory,
  parametersOf,
  produce,
  referenceSum,
  runBehind,
  SET_A,
  sinkSum,
} from "./pipeline.ts";

/** A stream whose labels count a day after they are known. */
function labelParameters(partitions: number): StreamParameters {
  return {
    ...parametersOf(partitions),
    features: { ...HANDBOOK_FEATURES, graceSeconds: DAY_SECONDS },
  };
}

Deno.test("the simulator's labels among the payments give the handbook's features, on 1, 3 and 4 partitions", async () => {
  for (const partitions of [1, 3, 4]) {
    const parameters = labelParameters(partitions);
    await using folder = await openMemory(parameters);
    await produce(folder, SET_A);
    await runBehind(folder);
    assert.equal(
      await sinkSum(folder.log, parameters),
      referenceSum("A"),
      `${partitions} partitions`,
    );
  }
});

/** Publishes as a producer that is stopped again and again: its topic's records, partition by partition. */
async function published(data: RunSettings["data"], stops: boolean) {
  const parameters = labelParameters(3);
  await using folder = await openMemory(parameters);
  const { log, context } = folder;
  const control = new Control(log);
  let runs = 0;
  do {
    const stop = new AbortController();
    let appends = 0;
    await runProducer({ ...context, control, signal: stop.signal }, {
      data,
      pace: { kind: "max" },
      published: () => {
        if (stops && ++appends > 1 + runs % 3) stop.abort();
      },
    });
    runs++;
  } while (!control.end(TRANSACTION_TOPIC) && runs < 1000);
  return { runs, values: await valuesOfTopic(log, TRANSACTION_TOPIC) };
}

Deno.test("a producer that is stopped again and again publishes each label once, where it belongs", async () => {
  const { parameters } = SET_A;
  const sets: RunSettings["data"][] = [
    SET_A,
    // Days without payments.
    { ...SET_A, parameters: { ...parameters, customers: 3, days: 120 } },
    { parameters, rng: "seedrandom", seed: "labels" },
    // More labels after the last payment than one append takes.
    {
      parameters: { ...parameters, customers: 1500, days: 8 },
      rng: "seedrandom",
      seed: "labels",
    },
  ];
  for (const data of sets) {
    const whole = await published(data, false);
    const pieces = await published(data, true);
    assert.ok(pieces.runs > 5, `${pieces.runs} runs`);
    assert.deepEqual(pieces.values, whole.values);
    const labels = whole.values.filter((json) => json.includes("KNOWN_AT"));
    assert.ok(labels.length > 0);
    assert.equal(2 * labels.length, whole.values.length);
  }
});

/** Time between two looks of the other program, which a label is late by at most; the lateness, seconds. */
const SLICE = 3600;
/** How long after its payment a label is known, seconds. */
const KNOWN_AFTER = 6 * DAY_SECONDS;

/**
 * Payments of a data set without their labels, hour by hour, and what is known
 * of them by then in label_topic, as another program would publish both. Gives
 * the sum of the features.
 */
async function throughIntake(
  { log, store }: OpenFolder,
  data: RunSettings["data"],
  partitions: number,
): Promise<string> {
  const parameters = labelParameters(partitions);
  const options = { startSeconds: START_SECONDS, store };
  const stages = [
    await StageDriver.customers(log, parameters),
    await StageDriver.terminals(log, parameters),
    await StageDriver.open(
      log,
      parameters,
      (context) => writerStage(context, options),
    ),
    await StageDriver.open(
      log,
      parameters,
      (context) => labelIntake(context, store),
    ),
  ];
  const producer = await log.producer("another program");
  const partitioner = new IdPartitioner(partitions);
  const { table } = simulateHandbook(data.parameters);
  const payment = emptyPayment();
  const json = new PaymentJsonWriter();
  const encoder = new TextEncoder();
  const all = partitionsOf(parameters);
  const append = async (
    topic: string,
    count: number,
    put: (n: number) => readonly [id: number, json: Uint8Array],
  ) => {
    const builders = all.map(() => new RecordBatchBuilder());
    for (let n = 0; n < count; n++) {
      const [id, value] = put(n);
      const records = builders[partitioner.partition(id)];
      records.add(encoder.encode(String(id)), value, 0);
    }
    const appends = builders.map((records, partition) => {
      return { topic, partition, records };
    });
    await producer.append(appends.filter(({ records }) => records.count > 0));
  };
  const countBefore = (from: number, time: number) => {
    let at = from;
    while (at < table.length && table.timeSeconds[at] < time) at++;
    return at - from;
  };
  let [published, said] = [0, 0];
  for (let time = SLICE; published < table.length; time += SLICE) {
    const payments = countBefore(published, time);
    await append(TRANSACTION_TOPIC, payments, (n) => {
      readTableRow(table, published + n, START_SECONDS, payment);
      const writer = new ByteWriter();
      json.write(writer, payment);
      return [payment.customerId, writer.view()];
    });
    published += payments;
    const labels = countBefore(said, time - KNOWN_AFTER);
    await append(LABEL_TOPIC, labels, (n) => {
      readTableRow(table, said + n, START_SECONDS, payment);
      const { transactionId, fraud, datetimeSeconds } = payment;
      const label = {
        TRANSACTION_ID: transactionId,
        TX_FRAUD: fraud,
        KNOWN_AT: formatDatetime(datetimeSeconds + KNOWN_AFTER),
      };
      return [transactionId, encoder.encode(JSON.stringify(label))];
    });
    said += labels;
    for (const stage of stages) await stage.drain(all);
  }
  for (const stage of stages) await stage.drain(all);
  return await sinkSum(log, parameters);
}

Deno.test("timely labels of another program in label_topic give the handbook's features", async () => {
  for (const partitions of isLong ? [1, 3, 4] : [3]) {
    await using folder = await openMemory(labelParameters(partitions));
    const sum = await throughIntake(folder, SET_A, partitions);
    assert.equal(sum, referenceSum("A"), `${partitions} partitions`);
  }
});

Deno.test({
  name: "so do those of the default set",
  ignore: !isLong,
  fn: async () => {
    await using folder = temporaryFolder();
    const data = { ...SET_A, parameters: HANDBOOK_PARAMETERS };
    const parameters = labelParameters(3);
    await using opened = await openFolder(folder.path, parameters);
    const sum = await throughIntake(opened, data, 3);
    assert.equal(sum, referenceSum("DEFAULT"));
  },
});
