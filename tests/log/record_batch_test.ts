/** Batches of records, however a log keeps them in memory. */
import assert from "node:assert/strict";
import { EmbeddedLog } from "../../src/log/embedded/embedded_log.ts";
import { recordMark } from "../../src/log/record_batch.ts";
import { VirtualClock } from "../virtual_clock.ts";
import { ScriptedKafka } from "./kafka/scripted/scripted_kafka.ts";
import { openScripted } from "./kafka/scripted/scripted_log.ts";
import { builderOf, record } from "./records.ts";

Deno.test("a record's mark is the same in every log, also of its first bytes", async () => {
  const clock = new VirtualClock(1);
  await using kafka = openScripted(new ScriptedKafka(clock), clock);
  await using embedded = new EmbeddedLog({ path: ":memory:", durable: false });
  const marks: string[] = [];
  for (const log of [kafka, embedded]) {
    await log.createTopics([{ name: "t", partitions: 1, compacted: false }]);
    const records = builderOf([record("value one"), record("value two")]);
    const producer = await log.producer("p");
    await producer.append([{ topic: "t", partition: 0, records }]);
    const limit = { records: 2, bytes: 1000 };
    let batch = await log.read("t", 0, 0, limit);
    // Kafka shows a transaction once its end is written everywhere.
    while (batch.count === 0) batch = await log.read("t", 0, 0, limit);
    marks.push(JSON.stringify(
      [0, 1, 3, 8, 20].map((size) => recordMark(batch, 1, size)),
    ));
  }
  assert.equal(marks[0], marks[1]);
  assert.equal(
    new Set(JSON.parse(marks[0]).map(JSON.stringify)).size > 3,
    true,
  );
});
