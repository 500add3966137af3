/**
 * The log on a real Kafka: what every log keeps to; and the real one's word on
 * what the scripted one answers in the fast tests.
 */
import assert from "node:assert/strict";
import { connectToBroker } from "../../src/log/kafka/kafka_client.ts";
import { KafkaCluster } from "../../src/log/kafka/kafka_cluster.ts";
import { openLog } from "../../src/log/open_log.ts";
import type { Log } from "../../src/log/log.ts";
import { logContract } from "../log/log_contract.ts";
import { Transcript } from "../log/kafka/kafka_transcript.ts";
import expected from "../log/kafka/kafka_transcript.txt" with { type: "text" };
import { serverProblem, testServing } from "../services/testing_servers.ts";
import { freshSettings } from "./servers.ts";

logContract("the Kafka log", async () => {
  const settings = await freshSettings();
  const open = () => openLog(settings, () => {});
  const log = await open();
  const more: Log[] = [];
  return {
    log,
    connect: open,
    [Symbol.asyncDispose]: async () => {
      for (const each of [log, ...more]) await each[Symbol.asyncDispose]();
    },
  };
}, serverProblem);

testServing("a real Kafka answers as the scripted one does", async () => {
  const settings = await freshSettings();
  await using log = await openLog(settings, () => {});
  await log.createTopics([{ name: "t", partitions: 1, compacted: false }]);
  const cluster = new KafkaCluster({
    brokers: settings.brokers,
    connect: (node) => connectToBroker(node, settings),
    report: () => {},
    signal: new AbortController().signal,
  });
  try {
    const { prefix } = settings;
    const transcript = new Transcript(cluster, `${prefix}t`, `${prefix}id`);
    await transcript.transactions();
    await transcript.membership();
    assert.deepEqual(transcript.lines, expected.split("\n"));
  } finally {
    cluster.close();
  }
});
