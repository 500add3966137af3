/** Day files from a real Kafka, where offsets have gaps: the ends of transactions, and records of those that failed. */
import assert from "node:assert/strict";
import { openLog } from "../../src/log/open_log.ts";
import { RecordBatchBuilder } from "../../src/log/record_batch.ts";
import { Control } from "../../src/stream/control.ts";
import { runFiles } from "../../src/roles/files.ts";
import { SINK_TOPIC, topicSpecs } from "../../src/stream/topics.ts";
import type { Logger } from "../../src/base/logger.ts";
import {
  addDays,
  DAY_STREAM,
  daysOf,
  expectedDays,
} from "../roles/day_stream.ts";
import { openMemory, QUIET } from "../roles/pipeline.ts";
import { valuesOfTopic } from "../roles/stages.ts";
import { testServing } from "../services/testing_servers.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { freshSettings } from "./servers.ts";

testServing(
  "day files from Kafka go on at each start, without a gap or a row twice",
  async () => {
    await using log = await openLog(await freshSettings(), () => {});
    await log.createTopics(topicSpecs(DAY_STREAM.partitions));
    const control = new Control(log);
    await control.agree(DAY_STREAM);
    await using model = await openMemory(DAY_STREAM);
    await addDays(model, 0, 6);
    const values = await valuesOfTopic(model.log, SINK_TOPIC);
    await using folder = temporaryFolder();
    const warnings: string[] = [];
    const logger: Logger = {
      ...QUIET,
      warn: (message) => warnings.push(message),
    };
    const producer = await log.producer("tests");
    const changed = log.changed.bind(log);
    for (let from = 0; from < values.length; from += 40) {
      for (const value of values.slice(from, from + 40)) {
        const records = new RecordBatchBuilder();
        records.add(new Uint8Array(), new TextEncoder().encode(value), 0);
        await producer.append([{
          topic: SINK_TOPIC,
          partition: from / 40 % 2,
          records,
        }]);
      }
      const idle = new AbortController();
      log.changed = () => {
        idle.abort();
        return Promise.resolve();
      };
      await runFiles(
        { log, control, parameters: DAY_STREAM, logger, signal: idle.signal },
        { folder: folder.path, format: "jsonl" },
      );
      log.changed = changed;
    }
    assert.deepEqual(daysOf(folder.path), await expectedDays(model));
    assert.deepEqual(warnings, []);
  },
);
