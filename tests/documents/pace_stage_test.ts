/** The example of a stage in docs/EXTENDING.md, on the example of a log. */
import assert from "node:assert/strict";
import { MemoryLog } from "../../docs/examples/memory_log.ts";
import { PACE_TOPIC, paceStage } from "../../docs/examples/pace_stage.ts";
import { readRange } from "../../src/log/log.ts";
import { recordValue } from "../../src/log/record_batch.ts";
import { runProcessor } from "../../src/roles/processor.ts";
import { runProducer } from "../../src/roles/producer.ts";
import { Control } from "../../src/stream/control.ts";
import { runStage } from "../../src/stream/stage.ts";
import type { StreamContext } from "../../src/stream/stream_context.ts";
import { SINK_TOPIC, topicSpecs } from "../../src/stream/topics.ts";
import { parametersOf, QUIET, SET_A } from "../roles/pipeline.ts";

const PARTITIONS = 2;
const never = new AbortController().signal;
const SMALL = {
  ...SET_A,
  parameters: { ...SET_A.parameters, days: 20 },
};

/** A stream in memory whose payments have all their features. */
async function processedStream(): Promise<StreamContext> {
  const log = new MemoryLog();
  const parameters = parametersOf(PARTITIONS);
  await log.createTopics([
    ...topicSpecs(PARTITIONS),
    { name: PACE_TOPIC, partitions: PARTITIONS, compacted: false },
  ]);
  const control = new Control(log);
  await control.agree(parameters);
  const context = { log, control, parameters, logger: QUIET, signal: never };
  await runProducer(context, { data: SMALL, pace: { kind: "max" } });
  await runProcessor(context, undefined);
  return context;
}

/** All values of a topic, as objects, by partition. */
async function valuesOf(
  { log }: StreamContext,
  topic: string,
): Promise<Record<string, number | null>[][]> {
  const ends = await log.endOffsets(topic) ?? [];
  return await Promise.all(ends.map(async (end, partition) => {
    const values: Record<string, number | null>[] = [];
    for await (const batch of readRange(log, topic, partition, 0, end)) {
      for (let i = 0; i < batch.count; i++) {
        const text = new TextDecoder().decode(recordValue(batch, i));
        values.push(JSON.parse(text));
      }
    }
    return values;
  }));
}

/** What the stage should write, from the sink topic as a whole. */
async function expectedOf(context: StreamContext): Promise<unknown> {
  const sink = await valuesOf(context, SINK_TOPIC);
  return sink.map((rows) =>
    rows.map((row, index) => {
      const time = Number(row.TX_TIME_SECONDS);
      const before = rows.slice(0, index)
        .filter(({ TERMINAL_ID }) => TERMINAL_ID === row.TERMINAL_ID)
        .map(({ TX_TIME_SECONDS }) => Number(TX_TIME_SECONDS));
      const newest = Math.max(-Infinity, ...before);
      return {
        TRANSACTION_ID: row.TRANSACTION_ID,
        SECONDS_SINCE_LAST: time - newest < 86_400
          ? Math.max(0, time - newest)
          : null,
      };
    })
  );
}

Deno.test("a stage of one's own is exact, however often it is stopped", async () => {
  const context = await processedStream();
  const expected = await expectedOf(context);
  let runs = 0;
  let rounds = 0;
  for (let isDone = false; !isDone; runs++) {
    const stop = new AbortController();
    const run = paceStage(context);
    const limit = { records: 50, bytes: 1 << 20 };
    isDone = await runStage({ ...context, signal: stop.signal }, {
      ...run,
      stage: { ...run.stage, limit },
      // The round that is about to be committed is the last of this run.
      store: () => {
        if (++rounds % 3 === 0) stop.abort();
        return Promise.resolve();
      },
    });
  }
  assert.ok(runs > 5, `${runs} runs`);
  assert.deepEqual(await valuesOf(context, PACE_TOPIC), expected);
});
