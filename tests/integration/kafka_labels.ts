/** Streams on Kafka whose labels arrive later than their payments, and what diff says of two. */
import assert from "node:assert/strict";
import type { Log } from "../../src/log/log.ts";
import { openLog } from "../../src/log/open_log.ts";
import { RecordBatchBuilder } from "../../src/log/record_batch.ts";
import { runProcessor } from "../../src/roles/processor.ts";
import { runProducer } from "../../src/roles/producer.ts";
import { Control } from "../../src/stream/control.ts";
import {
  topicSpecs,
  TRANSACTION_LABEL_TOPIC,
} from "../../src/stream/topics.ts";
import { labelParameters } from "../faults/label_stream.ts";
import { QUIET, referenceSum, SET_B, sinkSum } from "../roles/pipeline.ts";
import { valuesOf } from "../roles/rules_replay.ts";
import { testServing } from "../services/testing_servers.ts";
import { RoleProcess } from "./role_process.ts";
import { freshSettings } from "./servers.ts";

const never = new AbortController().signal;

/** The prefix of the stream before, with the same payments. */
let before: string | undefined;

for (const partitions of [1, 3, 4]) {
  testServing(
    `labels among the payments give the reference features on Kafka with ${partitions} partitions, while they are published and two processors share them`,
    async () => {
      const settings = await freshSettings();
      const parameters = labelParameters(partitions);
      await using log = await openLog(settings, () => {});
      await log.createTopics(topicSpecs(partitions, true));
      const control = new Control(log);
      await control.agree(parameters);
      const shared = { parameters, logger: QUIET, signal: never };
      const process = async () => {
        await using own = await openLog(settings, () => {});
        const context = { ...shared, log: own, control: new Control(own) };
        await runProcessor(context, undefined);
      };
      await Promise.all([
        runProducer({ ...shared, log, control }, {
          data: SET_B,
          pace: { kind: "max" },
        }),
        process(),
        process(),
      ]);
      assert.equal(await sinkSum(log, parameters), referenceSum("B"));
      const { brokers, prefix } = settings;
      if (before && partitions === 4) {
        await assertOneLabel(log, brokers[0], [before, prefix]);
      }
      before = prefix;
    },
  );
}

/** Takes a label of the second of two streams back; diff finds that, and nothing else. */
async function assertOneLabel(
  log: Log,
  broker: string,
  prefixes: readonly [string, string],
): Promise<void> {
  const labels = await valuesOf(log, TRANSACTION_LABEL_TOPIC);
  const label = JSON.parse(labels[0].at(-1) ?? "");
  const records = new RecordBatchBuilder();
  const encoder = new TextEncoder();
  records.add(
    encoder.encode(label.CUSTOMER_ID),
    encoder.encode(JSON.stringify({ ...label, TX_FRAUD: null })),
    Date.parse(`${label.TX_DATETIME}Z`),
  );
  const producer = await log.producer("test");
  const topic = TRANSACTION_LABEL_TOPIC;
  await producer.append([{ topic, partition: 0, records }]);
  await using process = new RoleProcess("diff", [
    ...["diff", ...prefixes, `--brokers=${broker}`, "--json"],
  ]);
  const { code, stdout } = await process.ended();
  assert.equal(code, 1, process.tail());
  const { rows, columns, onlyA, onlyB } = JSON.parse(stdout);
  assert.ok(rows.both > labels.flat().length / 2);
  assert.deepEqual([onlyA.rows, onlyB.rows], [0, 0]);
  assert.deepEqual(columns, [{
    column: "TX_FRAUD",
    part: "labels",
    rows: 1,
    missing: 1,
    greatest: null,
    first: {
      transactionId: `${label.TRANSACTION_ID}`,
      a: `${label.TX_FRAUD}`,
      b: null,
    },
  }]);
}
