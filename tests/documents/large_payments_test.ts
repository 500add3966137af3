/** The example of a stage in docs/EXTENDING.md, run, stopped, robbed of its commit, and run again. */
import assert from "node:assert/strict";
import {
  LARGE_TOPIC,
  largePayments,
} from "../../docs/examples/large_payments.ts";
import { runProcessor } from "../../src/roles/processor.ts";
import { parseCommit } from "../../src/stream/commit.ts";
import { runStage } from "../../src/stream/stage.ts";
import { openMemory, parametersOf, produce, SET_A } from "../roles/pipeline.ts";
import {
  hideDeleted,
  partitionsOf,
  sinkRows,
  StageDriver,
  valuesOfTopic,
} from "../roles/stages.ts";

const AMOUNT_MIN = 90;

Deno.test("a stage of large payments hands each on once, whatever becomes of its commits", async () => {
  const parameters = parametersOf(2);
  await using folder = await openMemory(parameters);
  const { log, context } = folder;
  hideDeleted(log);
  await log.createTopics([
    { name: LARGE_TOPIC, partitions: parameters.partitions, compacted: false },
  ]);
  await produce(folder, SET_A);
  await runProcessor(context, undefined);
  const driver = await StageDriver.open(
    log,
    parameters,
    (context) => largePayments(context, AMOUNT_MIN),
  );
  for (const partition of partitionsOf(parameters)) {
    for (let step = 0; step < 6; step++) {
      await driver.step(partition, 50);
      if (step % 2 === 0) await driver.lose(partition);
      await driver.reopen(partition);
    }
  }
  const run = largePayments(context, AMOUNT_MIN);
  assert.ok(await runStage(context, run));
  const expected = (await sinkRows(log))
    .filter((row) => Number(row.TX_AMOUNT) >= AMOUNT_MIN);
  const found = (await valuesOfTopic(log, LARGE_TOPIC))
    .map((value) => JSON.parse(value));
  assert.ok(found.length > 100);
  assert.deepEqual(found, expected);
  const { group, input } = run.stage;
  let emitted = 0;
  for (const commit of await log.committed(group, input)) {
    emitted += parseCommit(commit).counters.emitted;
  }
  assert.equal(emitted, found.length);
  assert.equal(context.control.end(LARGE_TOPIC)?.rows, found.length);
});
