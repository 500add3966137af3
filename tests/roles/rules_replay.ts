/** Predictions made again from what the control topic says, for tests. */
import { EmbeddedLog } from "../../src/log/embedded/embedded_log.ts";
import { type Log, readRange } from "../../src/log/log.ts";
import {
  RecordBatchBuilder,
  recordKey,
  recordValue,
} from "../../src/log/record_batch.ts";
import type { ScoringSettings } from "../../src/roles/role.ts";
import { runScorer } from "../../src/roles/scorer.ts";
import { Control } from "../../src/stream/control.ts";
import {
  CONTROL_TOPIC,
  PREDICTION_TOPIC,
  SINK_TOPIC,
  topicSpecs,
} from "../../src/stream/topics.ts";
import { topicRecords } from "../log/records.ts";
import type { OpenFolder } from "./pipeline.ts";

/** The values of a topic's records by partition, as text. */
export async function valuesOf(log: Log, topic: string): Promise<string[][]> {
  return (await topicRecords(log, topic)).map((records) =>
    records.map(({ value }) => value)
  );
}

/** A log with the scorer's input and the control topic of another, as after its output was lost. */
async function withoutPredictions(
  log: Log,
  partitions: number,
): Promise<EmbeddedLog> {
  const copy = new EmbeddedLog({ path: ":memory:", durable: false });
  await copy.createTopics(topicSpecs(partitions, false));
  const producer = await copy.producer("copy");
  for (const topic of [SINK_TOPIC, CONTROL_TOPIC]) {
    const ends = await log.endOffsets(topic) ?? [];
    for (const [partition, end] of ends.entries()) {
      for await (const batch of readRange(log, topic, partition, 0, end)) {
        const records = new RecordBatchBuilder();
        for (let i = 0; i < batch.count; i++) {
          records.add(
            recordKey(batch, i),
            recordValue(batch, i),
            batch.timestamps[i],
          );
        }
        await producer.append([{ topic, partition, records }]);
      }
    }
  }
  return copy;
}

/** The predictions of a scorer that begins again with what the control topic says. */
export async function replayed(
  folder: Pick<OpenFolder, "log" | "context">,
  scoring: ScoringSettings,
): Promise<string[][]> {
  await using log = await withoutPredictions(
    folder.log,
    folder.context.parameters.partitions,
  );
  const context = { ...folder.context, log, control: new Control(log) };
  await context.control.refresh();
  // The files may be gone by then.
  const options = { scoring: { ...scoring, rules: undefined } };
  await runScorer(context, { ...options, startSeconds: undefined });
  return await valuesOf(log, PREDICTION_TOPIC);
}
