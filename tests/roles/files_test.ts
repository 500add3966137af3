import assert from "node:assert/strict";
import { join } from "node:path";
import { RecordBatchBuilder, recordValue } from "../../src/log/record_batch.ts";
import { runFiles } from "../../src/roles/files.ts";
import { runProcessor } from "../../src/roles/processor.ts";
import { runProducer } from "../../src/roles/producer.ts";
import { SINK_TOPIC } from "../../src/stream/topics.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { testWriting } from "../permission.ts";
import { TEXT_DEFINITION, textRecord } from "../stream/text_stream.ts";
import { daysOf, keepDays } from "./day_stream.ts";
import { openMemory, parametersOf, SET_A } from "./pipeline.ts";
import {
  appendPayments,
  paymentAt,
  StageDriver,
  valuesOfTopic,
} from "./stages.ts";

function lines(folder: string): Record<string, number | string>[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name)
    .filter((name) => name.endsWith(".jsonl")).sort()
    .flatMap((name) =>
      Deno.readTextFileSync(join(folder, name)).trimEnd().split("\n")
        .map((line) => JSON.parse(line))
    );
}

testWriting(
  "the files role keeps every row once, by day and by id",
  async () => {
    await using folder = temporaryFolder();
    await using open = await openMemory(parametersOf(3));
    await runProducer(open.context, { data: SET_A, pace: { kind: "max" } });
    await runProcessor(open.context, undefined);
    await runFiles(open.context, { folder: folder.path, format: "jsonl" });
    const ids = lines(folder.path).map((row) => row.TRANSACTION_ID);
    assert.deepEqual(ids, Array.from({ length: 2555 }, (_, id) => id));
  },
);

testWriting("the files role leaves out what the writer refuses", async () => {
  await using folder = temporaryFolder();
  await using open = await openMemory(parametersOf(1));
  await runProducer(open.context, { data: SET_A, pace: { kind: "max" } });
  await runProcessor(open.context, undefined);
  const [last] = await open.log.read(SINK_TOPIC, 0, 2554, {
    records: 1,
    bytes: 1,
  }).then((batch) => [
    new TextDecoder().decode(recordValue(batch, batch.count - 1)),
  ]);
  const far = last.replace(/"TX_DATETIME":"2018/, '"TX_DATETIME":"2080')
    .replace(/"TX_TIME_(SECONDS|DAYS)":\d+/g, (_, unit) => {
      const seconds = Date.parse(far2080(last)) / 1000 -
        Date.UTC(2018, 3, 1) / 1000;
      const value = unit === "DAYS" ? Math.floor(seconds / 86_400) : seconds;
      return `"TX_TIME_${unit}":${value}`;
    });
  const records = new RecordBatchBuilder();
  const encoder = new TextEncoder();
  for (const value of [far, "garbage"]) {
    records.add(new Uint8Array(), encoder.encode(value), 0);
  }
  const producer = await open.log.producer("foreign");
  await producer.append([{ topic: SINK_TOPIC, partition: 0, records }]);
  await runFiles(open.context, { folder: folder.path, format: "jsonl" });
  assert.equal(lines(folder.path).length, 2555);
});

function far2080(record: string): string {
  const datetime = /"TX_DATETIME":"([^"]*)"/.exec(record)?.[1] ?? "";
  return datetime.replace("2018", "2080").replace(" ", "T") + "Z";
}

testWriting("a files folder cut anywhere goes on without a loss", async () => {
  await using folder = temporaryFolder();
  await using open = await openMemory(parametersOf(2));
  await runProducer(open.context, { data: SET_A, pace: { kind: "max" } });
  await runProcessor(open.context, undefined);
  const stopped = new AbortController();
  stopped.abort(); // after the first round
  const files = { folder: folder.path, format: "jsonl" } as const;
  await runFiles({ ...open.context, signal: stopped.signal }, files);
  const parts = [...Deno.readDirSync(folder.path)].map(({ name }) => name)
    .filter((name) => name.endsWith(".part"));
  // What a kill between writing a file and the manifest leaves behind.
  for (const name of parts) {
    Deno.writeTextFileSync(join(folder.path, name), "half a li", {
      append: true,
    });
  }
  Deno.writeTextFileSync(join(folder.path, "2099-01-01.part"), "unknown");
  await runFiles(open.context, files);
  const ids = lines(folder.path).map((row) => row.TRANSACTION_ID);
  assert.deepEqual(ids, Array.from({ length: 2555 }, (_, id) => id));
});

testWriting(
  "the files role keeps payments of text ids as the sink has them",
  async () => {
    await using folder = temporaryFolder();
    const parameters = { ...parametersOf(1), definition: TEXT_DEFINITION };
    await using open = await openMemory(parameters);
    const { log } = open;
    const payments = Array.from(
      { length: 100 },
      (_, n) => paymentAt(3600 * n, { transactionId: 7919 * n % 1000 }),
    );
    await appendPayments(log, 0, payments, textRecord);
    for (const stage of [StageDriver.customers, StageDriver.terminals]) {
      await (await stage(log, parameters)).drain([0]);
    }
    await keepDays(open, folder.path);
    const rows = await valuesOfTopic(log, SINK_TOPIC);
    assert.equal(rows.length, 100);
    const found = [...daysOf(folder.path)].flatMap(([, lines]) => lines);
    assert.deepEqual(found.toSorted(), rows.toSorted());
  },
);
