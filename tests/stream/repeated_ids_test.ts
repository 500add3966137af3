import assert from "node:assert/strict";
import { EmbeddedLog } from "../../src/log/embedded/embedded_log.ts";
import { RecordBatchBuilder } from "../../src/log/record_batch.ts";
import { DeadLetterBox } from "../../src/stream/dead_letters.ts";
import { findRepeatedIds } from "../../src/stream/repeated_ids.ts";
import { SINK_TOPIC, topicSpecs } from "../../src/stream/topics.ts";
import { READ_LIMIT } from "../../src/log/log.ts";
import { chance, forEachSeed } from "../long.ts";

async function logOf(partitions: string[][]): Promise<EmbeddedLog> {
  const log = new EmbeddedLog({ path: ":memory:", durable: false });
  await log.createTopics(topicSpecs(partitions.length));
  const producer = await log.producer("tests");
  for (const [partition, values] of partitions.entries()) {
    if (values.length === 0) continue;
    const records = new RecordBatchBuilder();
    for (const value of values) {
      records.endKey();
      records.writer.ascii(value);
      records.endRecord(0);
    }
    await producer.append([{ topic: SINK_TOPIC, partition, records }]);
  }
  return log;
}

function row(id: number): string {
  return `{"TRANSACTION_ID":${id},"TX_AMOUNT":1}`;
}

Deno.test("findRepeatedIds() finds what a Map finds, in one pass and in several", async () => {
  await forEachSeed(6, 60, async (seed) => {
    const random = chance(seed);
    const counts = new Map<number, number>();
    const partitions: string[][] = [[], [], []];
    for (let i = 0; i < 200; i++) {
      const id = Math.floor(random() * (random() < 0.5 ? 150 : 2 ** 53));
      counts.set(id, 1 + (counts.get(id) ?? 0));
      partitions[Math.floor(random() * 3)].push(row(id));
    }
    const repeated = [...counts].filter(([, count]) => count > 1);
    const expected = {
      ids: repeated.length,
      surplus: repeated.reduce((sum, [, count]) => sum + count - 1, 0),
      examples: repeated.map(([id]) => id).sort((a, b) => a - b).slice(0, 5),
    };
    await using log = await logOf(partitions);
    for (const idsMax of [1000, 200, 17]) {
      const found = await findRepeatedIds(log, SINK_TOPIC, idsMax);
      assert.deepEqual(found, expected);
    }
  });
});

Deno.test("findRepeatedIds() reads rows of any form, and leaves out what is no row", async () => {
  await using log = await logOf([
    [row(1), '{ "TX_AMOUNT": 2, "TRANSACTION_ID": 1 }', "no JSON", "{}"],
    [row(2), '{"TRANSACTION_ID":"2"}', "null"],
  ]);
  assert.deepEqual(await findRepeatedIds(log, SINK_TOPIC), {
    ids: 1,
    surplus: 1,
    examples: [1],
  });
});

Deno.test("findRepeatedIds() leaves out rows that are dead letters", async () => {
  await using log = await logOf([[row(1), row(1), row(3), row(3)]]);
  const batch = await log.read(SINK_TOPIC, 0, 0, READ_LIMIT);
  const letters = new DeadLetterBox();
  const source = { topic: SINK_TOPIC, partition: 0 };
  letters.add(source, batch, 1, "wrong key", "a test");
  await (await log.producer("letters")).append(letters.appends());
  const { ids, examples } = await findRepeatedIds(log, SINK_TOPIC);
  assert.deepEqual({ ids, examples }, { ids: 1, examples: [3] });
});
