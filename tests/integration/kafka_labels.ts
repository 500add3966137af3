/** A stream on Kafka whose labels arrive later than their payments. */
import assert from "node:assert/strict";
import { openLog } from "../../src/log/open_log.ts";
import { runProcessor } from "../../src/roles/processor.ts";
import { runProducer } from "../../src/roles/producer.ts";
import { Control } from "../../src/stream/control.ts";
import { topicSpecs } from "../../src/stream/topics.ts";
import { labelParameters } from "../faults/label_stream.ts";
import { QUIET, referenceSum, SET_B, sinkSum } from "../roles/pipeline.ts";
import { testServing } from "../services/testing_servers.ts";
import { freshSettings } from "./servers.ts";

const never = new AbortController().signal;

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
    },
  );
}
