/** The labels of a store: each that was accepted is there once, whatever happens to the writer, and what was known at any time can be read. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { readRange } from "../../src/log/log.ts";
import { recordValue } from "../../src/log/record_batch.ts";
import { DAY_SECONDS } from "../../src/payment/payment.ts";
import { labelStage, runLabelWriter } from "../../src/roles/label_writer.ts";
import { runProcessor } from "../../src/roles/processor.ts";
import type { LabelStore, StoredLabel } from "../../src/store/labels.ts";
import { FRAUD_UNKNOWN } from "../../src/payment/payment_cells.ts";
import { textCellsOf } from "../../src/store/cell_rows.ts";
import { paymentTable } from "../../src/store/tables.ts";
import { runWriter, writerStage } from "../../src/roles/writer.ts";
import type { StoreRows } from "../../src/store/store.ts";
import { sinkRows } from "../../src/stream/topic_rows.ts";
import { shapeOfStream } from "../../src/stream/stream_definition.ts";
import { verifyStore } from "../../src/stream/verify_store.ts";
import type { StreamParameters } from "../../src/stream/control.ts";
import { readDeadLetters } from "../../src/stream/dead_letters.ts";
import { TRANSACTION_LABEL_TOPIC } from "../../src/stream/topics.ts";
import { makeBackup } from "../../src/stream/backup.ts";
import { inDatabase } from "../base/sqlite/in_database.ts";
import { testWriting } from "../permission.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { chance, forEachSeed } from "../long.ts";
import { TEXT_LABEL_DEFINITION, textRecord } from "../stream/text_stream.ts";
import {
  type OpenFolder,
  openFolder,
  openMemory,
  parametersOf,
  produce,
  SET_A,
} from "./pipeline.ts";
import {
  appendPayments,
  handbookRecord,
  hideDeleted,
  partitionsOf,
  paymentAt,
  StageDriver,
  START_SECONDS,
} from "./stages.ts";
import { NOTHING_WRONG } from "../stream/verified.ts";

/** A stream whose labels count a day after they are known. */
function labelParameters(partitions: number): StreamParameters {
  const parameters = parametersOf(partitions);
  const features = { ...parameters.features, graceSeconds: DAY_SECONDS };
  return { ...parameters, features };
}

/** The labels in the topic of accepted ones, by partition in the order of the log. */
async function acceptedLabels({ log }: OpenFolder): Promise<StoredLabel[]> {
  const decoder = new TextDecoder();
  const labels: StoredLabel[] = [];
  const ends = await log.endOffsets(TRANSACTION_LABEL_TOPIC) ?? [];
  for (const [partition, end] of ends.entries()) {
    const topic = TRANSACTION_LABEL_TOPIC;
    for await (const batch of readRange(log, topic, partition, 0, end)) {
      for (let i = 0; i < batch.count; i++) {
        const json = JSON.parse(decoder.decode(recordValue(batch, i)));
        labels.push({
          transactionId: json.TRANSACTION_ID,
          knownAt: json.KNOWN_AT,
          knownTime: json.KNOWN_TIME,
          fraud: json.TX_FRAUD ?? undefined,
          scenario: json.TX_FRAUD_SCENARIO,
          partition,
          offset: batch.offsets[i],
        });
      }
    }
  }
  return labels;
}

/** The newest label of each payment that was known at a time, in the plainest form. */
function newestOf(labels: readonly StoredLabel[], asOf = "9999") {
  const newest = new Map<StoredLabel["transactionId"], StoredLabel>();
  for (const label of labels) {
    if (label.knownTime > asOf) continue;
    const other = newest.get(label.transactionId);
    if (other && other.knownAt > label.knownAt) continue;
    newest.set(label.transactionId, label);
  }
  return newest;
}

/** Compares what a store says with the log, at some times. */
async function compare(
  store: LabelStore,
  labels: readonly StoredLabel[],
  ids: readonly StoredLabel["transactionId"][],
): Promise<void> {
  const times = labels.map(({ knownTime }) => knownTime).sort();
  const middle = times[Math.floor(times.length / 2)];
  for (const asOf of [undefined, times[0], middle, "2000-01-01 00:00:00"]) {
    assert.deepEqual(
      new Map([...await store.newest(ids, asOf)].sort(byId)),
      new Map([...newestOf(labels, asOf)].sort(byId)),
      `${asOf}`,
    );
  }
}

function byId(
  [a]: readonly [unknown, unknown],
  [b]: readonly [unknown, unknown],
) {
  return String(a) < String(b) ? -1 : 1;
}

Deno.test("the labels of a stream are stored when its payments are complete", async () => {
  await using folder = await openMemory(labelParameters(3));
  await produce(folder, SET_A);
  await runProcessor(folder.context, undefined);
  const store = folder.store.labels();
  assert.equal((await store.newest([1, 2])).size, 0);
  const options = { store, startSeconds: undefined };
  await runLabelWriter(folder.context, options);
  const labels = await acceptedLabels(folder);
  assert.ok(labels.length > 1000);
  const ids = labels.map(({ transactionId }) => Number(transactionId))
    .sort((a, b) => a - b);
  await compare(store, labels, ids);
  // Nothing more to do.
  await runLabelWriter(folder.context, options);
  assert.deepEqual(await Array.fromAsync(readDeadLetters(folder.log)), []);
});

testWriting(
  "a backup has the labels of log and store, and names a damaged one",
  async () => {
    await using place = temporaryFolder();
    const from = join(place.path, "data");
    Deno.mkdirSync(from);
    const parameters = labelParameters(2);
    const whole: unknown[] = [];
    const held = async ({ log, store }: OpenFolder) => [
      await store.labels().status(),
      await store.status(),
      await log.endOffsets(TRANSACTION_LABEL_TOPIC),
      await store.positions(),
    ];
    {
      await using folder = await openFolder(from, parameters);
      await produce(folder, SET_A);
      await runProcessor(folder.context, undefined);
      const { store, context } = folder;
      const options = { startSeconds: undefined };
      await runWriter(context, { ...options, store });
      await runLabelWriter(context, { ...options, store: store.labels() });
      whole.push(...await held(folder));
    }
    const copyTo = (name: string) => {
      const plan = { from, to: join(place.path, name), withStore: true };
      return makeBackup(plan, () => {});
    };
    await copyTo("copy");
    {
      await using copy = await openFolder(join(place.path, "copy"), parameters);
      assert.deepEqual(await held(copy), whole);
      await requireVerified(copy, parameters);
    }
    inDatabase(join(from, "store.db"), (database) => {
      database.exec(
        "UPDATE transaction_label SET tx_fraud = 1 - tx_fraud " +
          "WHERE transaction_id = 9",
      );
    });
    await assert.rejects(copyTo("damaged"), {
      code: "STORE",
      message: /^transaction_label, transaction_id 9: the row does not match/,
    });
  },
);

/** Payments, each with some labels behind it, corrected and withdrawn. */
function labelledRecords(seed: number, firstId: number, isText: boolean) {
  const random = chance(seed);
  const below = (n: number) => Math.floor(random() * n);
  const record = isText ? textRecord : handbookRecord;
  let time = 0;
  return Array.from({ length: 120 }, (_, n) => {
    const transactionId = firstId + n;
    time += below(3) * 20_000;
    const payment = paymentAt(time, { transactionId, amount: 1 });
    const [key, value] = record(payment);
    const labels = Array.from({ length: below(4) }, () => {
      const known = START_SECONDS + time + below(3) * DAY_SECONDS;
      return JSON.stringify({
        ...JSON.parse(value),
        TX_FRAUD: [0, 1, null][below(3)],
        KNOWN_AT: new Date(1000 * known).toISOString(),
      });
    });
    return { payment, records: [value, ...labels].map((v) => [key, v]) };
  });
}

Deno.test("labels are stored once and in their order, whatever is lost, crashes or comes again", async () => {
  await forEachSeed(6, 300, async (seed) => {
    const isText = seed % 2 === 1;
    const parameters = {
      ...labelParameters(2),
      ...isText ? { definition: TEXT_LABEL_DEFINITION } : {},
    };
    await using folder = await openMemory(parameters);
    const { log } = folder;
    hideDeleted(log);
    for (const partition of partitionsOf(parameters)) {
      const entries = labelledRecords(
        2 * seed + partition,
        1000 * partition,
        isText,
      );
      for (const { payment, records } of entries) {
        for (const [key, value] of records) {
          const copy = { ...payment };
          await appendPayments(log, partition, [copy], () => [key, value]);
        }
      }
    }
    for (const open of [StageDriver.customers, StageDriver.terminals]) {
      await (await open(log, parameters)).drain([0, 1, 0]);
    }
    const { store } = folder;
    const labelStore = store.labels();
    const options = { startSeconds: START_SECONDS };
    const drivers = [
      await StageDriver.open(
        log,
        parameters,
        (context) => labelStage(context, { ...options, store: labelStore }),
      ),
      await StageDriver.open(
        log,
        parameters,
        (context) => writerStage(context, { ...options, store }),
      ),
    ];
    const [labelWriter] = drivers;
    const random = chance(seed);
    const below = (n: number) => Math.floor(random() * n);
    while (!await drivers[0].done() || !await drivers[1].done()) {
      const driver = drivers[below(2)];
      const partition = below(2);
      if (random() < 0.2) {
        if (random() < 0.3) await driver.lose(partition);
        else await driver.crash(partition, 1 + below(9), random() < 0.5);
        await driver.reopen(partition);
      }
      await driver.step(partition, 1 + below(20));
    }
    const labels = await acceptedLabels(folder);
    assert.ok(labels.length > 50, `${labels.length} labels`);
    const ids = [...new Set(labels.map(({ transactionId }) => transactionId))]
      .sort((a, b) => byId([a, 0], [b, 0]));
    const sorted = isText ? ids : ids.toSorted((a, b) => Number(a) - Number(b));
    await compare(labelStore, labels, sorted);
    assert.equal((await labelWriter.counters()).emitted, labels.length);
    assert.deepEqual(await labelStore.status(), { rows: labels.length });
    await compareFrauds(folder, labels);
    await requireVerified(folder, parameters);
    await compareTopics(folder);
  });
});

/** What the topics say about payments and their labels is what the store has. */
async function compareTopics({ log, store, context }: OpenFolder) {
  const { parameters } = context;
  const shape = shapeOfStream(parameters);
  const table = paymentTable(parameters.features, shape);
  const { width } = table;
  const texts = textCellsOf(table);
  const rowsOf = async (pages: AsyncIterable<StoreRows>) => {
    const rows: string[] = [];
    for await (const { cells, count, texts: heap } of pages) {
      for (let at = 0; at < count * width; at += width) {
        rows.push(
          [...cells.subarray(at, at + width)].map((value, cell) =>
            texts.includes(cell) ? heap?.text(value) : value
          ).join(),
        );
      }
    }
    return rows;
  };
  const stream = { log, parameters, startSeconds: START_SECONDS };
  assert.deepEqual(
    await rowsOf(sinkRows(stream)),
    await rowsOf(store.rows()),
  );
}

/** Compares TX_FRAUD of each stored payment with its label. */
async function compareFrauds(
  { store }: OpenFolder,
  labels: readonly StoredLabel[],
): Promise<void> {
  const newest = newestOf(labels);
  const lookUp = store.lookUp();
  for (const [id, label] of newest) {
    const found = await lookUp.payment(id);
    assert.equal(found?.payment.fraud, label.fraud ?? FRAUD_UNKNOWN, `${id}`);
  }
  const frauds = [...newest.values()].filter(({ fraud }) => fraud === 1);
  assert.equal((await store.status()).frauds, frauds.length);
}

/** Compares both tables with the log. */
async function requireVerified(
  { log, store, context: { control, signal } }: OpenFolder,
  parameters: StreamParameters,
): Promise<void> {
  await control.refresh();
  const { payments, labels } = await verifyStore({
    log,
    control,
    parameters,
    store,
    signal,
    compared: () => {},
  });
  const { rows } = await store.status();
  assert.deepEqual(payments, { ...NOTHING_WRONG, equal: rows });
  const stored = await store.labels().status();
  assert.deepEqual(labels, { ...NOTHING_WRONG, equal: stored?.rows });
}
