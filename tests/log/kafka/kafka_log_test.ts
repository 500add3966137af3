/** The log on a scripted Kafka: what every log keeps to. */
import assert from "node:assert/strict";
import expected from "./kafka_transcript.txt" with { type: "text" };
import { VirtualClock } from "../../virtual_clock.ts";
import { logContract } from "../log_contract.ts";
import { Transcript } from "./kafka_transcript.ts";
import { ScriptedKafka } from "./scripted/scripted_kafka.ts";
import { clusterOf, openScripted } from "./scripted/scripted_log.ts";

logContract("the Kafka log, scripted", () => {
  const clock = new VirtualClock(1);
  const kafka = new ScriptedKafka(clock);
  const log = openScripted(kafka, clock);
  return Promise.resolve({
    log,
    connect: () => Promise.resolve(openScripted(kafka, clock)),
    [Symbol.asyncDispose]: () => log[Symbol.asyncDispose](),
  });
});

Deno.test("the scripted Kafka answers as a real one does", async () => {
  const clock = new VirtualClock(1);
  const kafka = new ScriptedKafka(clock);
  await using log = openScripted(kafka, clock);
  await log.createTopics([{ name: "t", partitions: 1, compacted: false }]);
  const cluster = clusterOf(kafka, clock);
  const transcript = new Transcript(cluster, "p-t", "transcript");
  await transcript.transactions();
  await transcript.membership();
  assert.deepEqual(transcript.lines, expected.split("\n"));
});
