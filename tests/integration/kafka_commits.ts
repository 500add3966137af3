/**
 * What Kafka's tools and retention do to offsets and topics: commits that are
 * reset or deleted, a topic that is made again, a beginning that is gone.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { PAYMENT_CELLS } from "../../src/payment/payment_cells.ts";
import { featureCount } from "../../src/features/parameters.ts";
import type { KafkaSettings } from "../../src/log/kafka/kafka_settings.ts";
import type { Log } from "../../src/log/log.ts";
import { openLog } from "../../src/log/open_log.ts";
import { Control, type StreamParameters } from "../../src/stream/control.ts";
import { runProcessor } from "../../src/roles/processor.ts";
import { runProducer } from "../../src/roles/producer.ts";
import { rebuild, type RebuildOptions } from "../../src/roles/rebuild.ts";
import { acceptMissingStart } from "../../src/stream/opening.ts";
import { parseCommit } from "../../src/stream/commit.ts";
import {
  CHAIN,
  CUSTOMER_GROUP,
  REPARTITION_TOPIC,
  SINK_TOPIC,
  TERMINAL_GROUP,
  topicSpecs,
  TRANSACTION_TOPIC,
} from "../../src/stream/topics.ts";
import { EmbeddedStore } from "../../src/store/embedded/embedded_store.ts";
import {
  parametersOf,
  QUIET,
  referenceSum,
  SET_A,
  sinkSum,
} from "../roles/pipeline.ts";
import { jarsOf } from "../services/jar_cache.ts";
import { runTool } from "../services/java.ts";
import { testServing } from "../services/testing_servers.ts";
import { freshSettings } from "./servers.ts";

const ROWS_A = 2555;
const PARTITIONS = 3;
const PARAMETERS: StreamParameters = {
  ...parametersOf(PARTITIONS),
  partitioner: "murmur2",
};

const STAGES = [
  { group: CUSTOMER_GROUP, topic: TRANSACTION_TOPIC },
  { group: TERMINAL_GROUP, topic: REPARTITION_TOPIC },
];

/** Runs one of Kafka's own tools. */
async function runKafkaTool(
  { brokers }: KafkaSettings,
  name: string,
  ...flags: readonly string[]
): Promise<void> {
  const { success, output } = await runTool("java", [
    "-XX:TieredStopAtLevel=1",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-cp",
    join(await jarsOf("kafka"), "*"),
    name,
    ...["--bootstrap-server", brokers[0]],
    ...flags,
  ]);
  assert.ok(success, output);
}

/** Makes a stream, with all payments of set A. */
async function published(log: Log): Promise<void> {
  await log.createTopics(topicSpecs(PARTITIONS));
  const control = new Control(log);
  await control.agree(PARAMETERS);
  await control.agreeTopics(CHAIN);
  await runProducer(contextOf(log, control), {
    data: SET_A,
    pace: { kind: "max" },
  });
}

function contextOf(log: Log, control = new Control(log)) {
  const { signal } = new AbortController();
  return { log, control, parameters: PARAMETERS, logger: QUIET, signal };
}

/** Runs the processor until it has handed on so many rows, or to its end. */
async function process(log: Log, rows = Infinity): Promise<void> {
  const control = new Control(log);
  await control.refresh();
  const stop = new AbortController();
  const context = { ...contextOf(log, control), signal: stop.signal };
  const running = runProcessor(context, undefined).finally(() => stop.abort());
  while (!stop.signal.aborted && rows !== Infinity) {
    const [, terminals] = await emitted(log);
    if (terminals >= rows) stop.abort();
    await log.changed(20, stop.signal);
  }
  await running;
}

async function emitted(log: Log): Promise<number[]> {
  const counts: number[] = [];
  for (const { group, topic } of STAGES) {
    const commits = await log.committed(group, topic);
    counts.push(commits.reduce(
      (sum, commit) => sum + parseCommit(commit).counters.emitted,
      0,
    ));
  }
  return counts;
}

const GROUPS = "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand";
const TOPICS = "org.apache.kafka.tools.TopicCommand";

testServing(
  "offsets that Kafka's tools reset or delete, midway and at the end, change nothing that comes out",
  async () => {
    const settings = await freshSettings();
    await using log = await openLog(settings, () => {});
    await published(log);
    const [customers, terminals] = STAGES.map(({ group }) => [
      "--group",
      settings.prefix + group,
    ]);
    const reset = ["--reset-offsets", "--all-topics", "--execute"];
    await process(log, 800);
    await runKafkaTool(
      settings,
      GROUPS,
      ...[...customers, ...reset, "--to-earliest"],
    );
    await runKafkaTool(settings, GROUPS, ...terminals, "--delete");
    await process(log);
    const check = async () => {
      assert.deepEqual(await emitted(log), [ROWS_A, ROWS_A]);
      assert.equal(await sinkSum(log, PARAMETERS), referenceSum("A"));
    };
    await check();
    await runKafkaTool(
      settings,
      GROUPS,
      ...[...terminals, ...reset, "--to-latest"],
    );
    await runKafkaTool(settings, GROUPS, ...customers, "--delete");
    assert.deepEqual(await emitted(log), [0, 0]);
    await process(log);
    await check();
  },
);

for (const topic of [TRANSACTION_TOPIC, SINK_TOPIC]) {
  testServing(
    `${topic} deleted and created again is refused, whatever it holds`,
    async () => {
      const settings = await freshSettings();
      const name = settings.prefix + topic;
      {
        await using log = await openLog(settings, () => {});
        await published(log);
        await process(log);
      }
      await runKafkaTool(settings, TOPICS, "--delete", "--topic", name);
      await using log = await openLog(settings, () => {});
      await waitUntilGone(log, topic);
      await log.createTopics(topicSpecs(PARTITIONS));
      const refused = {
        name: "LogError",
        message: `${topic} was deleted and created again since this stream ` +
          "began, so what it holds now does not belong to the stream's other " +
          "topics; start a new stream with another --topic-prefix",
      };
      await assert.rejects(process(log), refused);
      const control = new Control(log);
      await control.agree(PARAMETERS);
      await assert.rejects(control.agreeTopics(CHAIN), refused);
      await assert.rejects(control.requireTopics(CHAIN), refused);
      if (topic !== SINK_TOPIC) return;
      // The store may be all that is left: it is not cleared.
      await using store = await oneRowStore();
      const context = contextOf(log, control);
      await assert.rejects(rebuild(context, rebuildOptions(store)), refused);
      assert.equal((await store.status()).rows, 1);
    },
  );
}

/** A store in memory that holds one payment. */
async function oneRowStore(): Promise<EmbeddedStore> {
  const { features } = PARAMETERS;
  const store = new EmbeddedStore({
    path: ":memory:",
    features,
    durable: false,
  });
  const cells = new Float64Array(PAYMENT_CELLS + featureCount(features));
  await store.write({ cells, count: 1 });
  return store;
}

function rebuildOptions(store: EmbeddedStore): RebuildOptions {
  return {
    store,
    startSeconds: undefined,
    acceptMissingStart: false,
    stored: () => {},
  };
}

async function waitUntilGone(log: Log, topic: string): Promise<void> {
  const { signal } = new AbortController();
  while ((await log.topics([topic])).length > 0) await log.changed(50, signal);
}

testServing(
  "a beginning that retention has deleted before the first start is refused until it is accepted, and then restarts",
  async () => {
    const settings = await freshSettings();
    await using log = await openLog(settings, () => {});
    await published(log);
    const [, , ends] = await Promise.all([
      log.trim(TRANSACTION_TOPIC, 0, 400),
      log.trim(TRANSACTION_TOPIC, 1, 1),
      log.endOffsets(TRANSACTION_TOPIC),
    ]);
    // All of a partition, too.
    await log.trim(TRANSACTION_TOPIC, 2, ends?.[2] ?? 0);
    await assert.rejects(
      process(log),
      /transaction_topic partition \d from offset 0 to \d+ were deleted before the processor read them.*--accept-missing-start/,
    );
    await acceptMissingStart(log, new Control(log));
    await process(log, 500);
    await process(log);
    const [customers, terminals] = await emitted(log);
    assert.ok(customers > 500 && customers < ROWS_A - 400, `${customers}`);
    assert.equal(customers, terminals);
    await process(log);
    assert.deepEqual(await emitted(log), [customers, customers]);
  },
);
