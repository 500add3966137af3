/** Several processors on one Kafka: how they share a stream, and end it. */
import assert from "node:assert/strict";
import type { Log } from "../../src/log/log.ts";
import { openLog } from "../../src/log/open_log.ts";
import { Control } from "../../src/roles/control.ts";
import { runProcessor } from "../../src/roles/processor.ts";
import { runProducer } from "../../src/roles/producer.ts";
import {
  REPARTITION_TOPIC,
  SINK_TOPIC,
  topicSpecs,
} from "../../src/roles/topics.ts";
import {
  parametersOf,
  QUIET,
  referenceSum,
  SET_A,
  sinkSum,
} from "../roles/pipeline.ts";
import { testServing } from "../services/testing_servers.ts";
import { freshSettings } from "./kafka_log.ts";

const ROWS_A = 2555;
const never = new AbortController().signal;

/** The log, but whenever an end is to be marked a rival becomes the producer that does so, right after. */
function withRival(log: Log, rival: Log, met: string[]): Log {
  return new Proxy(log, {
    get: (target, name) => {
      const value = Reflect.get(target, name);
      if (name === "producer") {
        return async (id: string, signal?: AbortSignal) => {
          const producer = await target.producer(id, signal);
          if (id.endsWith("-end") && !met.includes(id)) {
            met.push(id);
            await rival.producer(id);
          }
          return producer;
        };
      }
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

testServing(
  "processors that want to mark the same end at the same moment, and fence each other, both end well",
  async () => {
    const settings = await freshSettings();
    const parameters = parametersOf(4);
    await using log = await openLog(settings, () => {});
    await log.createTopics(topicSpecs(4));
    const control = new Control(log);
    await control.agree(parameters);
    const shared = { parameters, logger: QUIET, signal: never };
    await runProducer({ ...shared, log, control }, {
      data: SET_A,
      pace: { kind: "max" },
    });
    const met: string[] = [];
    await using rival = await openLog(settings, () => {});
    const processors = [1, 2].map(async () => {
      await using own = await openLog(settings, () => {});
      const contested = withRival(own, rival, met);
      const context = {
        ...shared,
        log: contested,
        control: new Control(contested),
      };
      await runProcessor(context, undefined);
    });
    await Promise.all(processors);
    assert.equal(met.length, 2);
    await control.refresh();
    for (const topic of [REPARTITION_TOPIC, SINK_TOPIC]) {
      assert.deepEqual(control.end(topic), { rows: ROWS_A }, topic);
    }
    assert.equal(await sinkSum(log, parameters), referenceSum("A"));
  },
);
