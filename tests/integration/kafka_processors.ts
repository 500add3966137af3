/** Several processors on one Kafka: how they share a stream, and end it. */
import assert from "node:assert/strict";
import type { Log } from "../../src/log/log.ts";
import { openLog } from "../../src/log/open_log.ts";
import { Control } from "../../src/stream/control.ts";
import { runProcessor } from "../../src/roles/processor.ts";
import { runProducer } from "../../src/roles/producer.ts";
import {
  REPARTITION_TOPIC,
  SINK_TOPIC,
  topicSpecs,
} from "../../src/stream/topics.ts";
import {
  parametersOf,
  QUIET,
  referenceSum,
  SET_A,
  sinkSum,
} from "../roles/pipeline.ts";
import { testServing } from "../services/testing_servers.ts";
import { freshSettings } from "./servers.ts";

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

/** A stream of set A in the log, all of it published; runs processors on it, each until its signal. */
async function withProcessors(
  partitions: number,
  body: (stream: {
    readonly log: Log;
    readonly control: Control;
    readonly start: (signal?: AbortSignal) => Promise<void>;
  }) => Promise<void>,
): Promise<void> {
  const settings = await freshSettings();
  const parameters = parametersOf(partitions);
  await using log = await openLog(settings, () => {});
  await log.createTopics(topicSpecs(partitions));
  const control = new Control(log);
  await control.agree(parameters);
  const shared = { parameters, logger: QUIET };
  await runProducer({ ...shared, log, control, signal: never }, {
    data: SET_A,
    pace: { kind: "max" },
  });
  const start = async (signal = never) => {
    await using own = await openLog(settings, () => {});
    const context = { ...shared, log: own, control: new Control(own), signal };
    await runProcessor(context, undefined);
  };
  await body({ log, control, start });
  assert.deepEqual(control.end(SINK_TOPIC), { rows: ROWS_A });
  assert.equal(await sinkSum(log, parameters), referenceSum("A"));
}

testServing(
  "more processors than partitions: those without one end with the others",
  () =>
    withProcessors(2, async ({ control, start }) => {
      await Promise.all([1, 2, 3, 4].map(() => start()));
      await control.refresh();
    }),
);

testServing(
  "a processor that joins when all has been marked complete ends too, whatever partitions it gets",
  () =>
    withProcessors(2, async ({ control, start }) => {
      await Promise.all([start(), start()]);
      await Promise.all([1, 2, 3].map(() => start()));
      await control.refresh();
    }),
);

testServing(
  "a standby without partitions takes over when those that had them have gone",
  () =>
    withProcessors(2, async ({ control, start }) => {
      const stop = new AbortController();
      const first = [start(stop.signal), start(stop.signal)];
      const standby = [start(), start()];
      stop.abort();
      await Promise.all([...first, ...standby]);
      await control.refresh();
    }),
);
