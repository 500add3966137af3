/**
 * Every stage, interrupted at will: dropped and restored, its commits lost or
 * set by others, its program ended in a step, its input handed out in pieces of
 * any size. What it makes, and what it commits, must be that of a run without
 * interruptions, over the same records: good, broken, late, implausible,
 * repeated, in conflict, and in the wrong place.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { HANDBOOK_FEATURES } from "../../src/features/parameters.ts";
import type { EmbeddedLog } from "../../src/log/embedded/embedded_log.ts";
import { readRange } from "../../src/log/log.ts";
import { partitionOf } from "../../src/log/partitioner.ts";
import {
  RecordBatchBuilder,
  recordKey,
  recordValue,
} from "../../src/log/record_batch.ts";

import {
  DAY_SECONDS,
  emptyPayment,
  type Payment,
} from "../../src/payment/payment.ts";
import { predictionStage } from "../../src/roles/prediction_writer.ts";
import { scorerStage } from "../../src/roles/scorer.ts";
import { terminalStage } from "../../src/roles/terminal_stage.ts";
import { writerStage } from "../../src/roles/writer.ts";
import { parseCommit } from "../../src/stream/commit.ts";
import type { StreamParameters } from "../../src/stream/control.ts";
import {
  type DeadLetter,
  readDeadLetters,
} from "../../src/stream/dead_letters.ts";
import { textCells } from "../../src/payment/payment_shape.ts";
import { TextHeap } from "../../src/payment/text_heap.ts";
import {
  keptPlace,
  packSource,
  packTexts,
  packWidth,
  readPack,
} from "../../src/stream/pack.ts";
import { shapeOfStream } from "../../src/stream/stream_definition.ts";
import {
  CUSTOMER_GROUP,
  PREDICTION_GROUP,
  PREDICTION_TOPIC,
  REPARTITION_TOPIC,
  SCORER_GROUP,
  SINK_TOPIC,
  TERMINAL_GROUP,
  TRANSACTION_TOPIC,
  WRITER_GROUP,
} from "../../src/stream/topics.ts";
import { chance, forEachSeed } from "../long.ts";
import { testWriting } from "../permission.ts";
import { linearModel, writeModel } from "../roles/models.ts";
import { type OpenFolder, openMemory } from "../roles/pipeline.ts";
import {
  appendPayments,
  customers,
  type Entry,
  hideDeleted,
  type MakeStage,
  partitionsOf,
  paymentAt,
  type RecordText,
  StageDriver,
  START_SECONDS,
} from "../roles/stages.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { TEXT_DEFINITION, textRecord } from "./text_stream.ts";

/** A stage under test. */
interface Subject {
  readonly name: string;
  readonly group: string;
  readonly input: string;
  /** Makes it on a folder; `model` is the file of a model. */
  readonly make: (folder: OpenFolder, model: string) => MakeStage;
  /** What it has made, besides dead letters and commits. */
  readonly made: (folder: OpenFolder) => Promise<unknown>;
}

const SUBJECTS: readonly Subject[] = [
  {
    name: "the customer windows",
    group: CUSTOMER_GROUP,
    input: TRANSACTION_TOPIC,
    make: () => customers,
    made: packedRows,
  },
  {
    name: "the terminal windows",
    group: TERMINAL_GROUP,
    input: REPARTITION_TOPIC,
    make: () => terminalStage,
    made: ({ log }) => recordsIn(log, SINK_TOPIC),
  },
  {
    name: "the writer",
    group: WRITER_GROUP,
    input: SINK_TOPIC,
    make: ({ store }) => (context) =>
      writerStage(context, { store, startSeconds: START_SECONDS }),
    made: async ({ store }) => {
      const rows: number[][] = [];
      for await (const { cells } of store.rows()) rows.push([...cells]);
      return rows.flat();
    },
  },
  {
    name: "the scorer",
    group: SCORER_GROUP,
    input: SINK_TOPIC,
    make: (_, path) => (context) =>
      scorerStage(context, {
        scoring: {
          model: { kind: "file", path },
          policy: { kind: "cards", perDay: 6 },
          explain: "alerts",
        },
        startSeconds: START_SECONDS,
      }),
    made: ({ log }) => recordsIn(log, PREDICTION_TOPIC),
  },
  {
    name: "the writer of predictions",
    group: PREDICTION_GROUP,
    input: PREDICTION_TOPIC,
    make: ({ store }) => (context) =>
      predictionStage(context, {
        store: store.predictions(),
        startSeconds: START_SECONDS,
      }),
    made: async ({ store }) => {
      const rows: unknown[] = [];
      for await (
        const { cells, versions, contributions, count } of store.predictions()
          .rows()
      ) {
        const width = cells.length / versions.length;
        rows.push(...cells.slice(0, count * width));
        rows.push(
          ...versions.slice(0, count),
          ...contributions.slice(0, count),
        );
      }
      return rows;
    },
  },
];

/** The records of a topic by partition, as text of one byte a character. */
async function recordsIn(log: EmbeddedLog, topic: string): Promise<string[][]> {
  const text = (bytes: Uint8Array) => String.fromCharCode(...bytes);
  const partitions: string[][] = [];
  const ends = await log.endOffsets(topic) ?? [];
  for (const [partition, end] of ends.entries()) {
    const records: string[] = partitions[partition] = [];
    for await (const batch of readRange(log, topic, partition, 0, end)) {
      for (let i = 0; i < batch.count; i++) {
        const [key, value] = [recordKey(batch, i), recordValue(batch, i)];
        records.push(`${batch.timestamps[i]} ${text(key)} ${text(value)}`);
      }
    }
  }
  return partitions;
}

/** The rows in the packs by partition and source: where a step ends, and whose comes first, is free. */
async function packedRows(
  { log, context: { parameters } }: OpenFolder,
): Promise<unknown> {
  const shape = shapeOfStream(parameters);
  const width = packWidth(parameters.features, shape);
  const cells = textCells(shape, keptPlace(parameters.features));
  const texts = new TextHeap();
  const rows = new Map<string, (number | string | null)[]>();
  const ends = await log.endOffsets(REPARTITION_TOPIC) ?? [];
  for (const [partition, end] of ends.entries()) {
    const batches = readRange(log, REPARTITION_TOPIC, partition, 0, end);
    for await (const batch of batches) {
      for (let i = 0; i < batch.count; i++) {
        const bytes = recordValue(batch, i);
        const pack = readPack(bytes, parameters.features, shape);
        if (typeof pack === "string") continue;
        const place = `${packSource(bytes)} to ${partition}`;
        texts.wrap(packTexts(bytes));
        const values = [...pack].map((value, at) =>
          cells.includes(at % width) ? texts.text(value) : value
        );
        rows.set(place, [...rows.get(place) ?? [], ...values]);
      }
    }
  }
  return Object.fromEntries([...rows].sort());
}

/** What a stage has committed, without what may depend on where its steps end. */
async function committedBy(
  { log }: OpenFolder,
  { group, input }: Subject,
): Promise<unknown[]> {
  const commits = await log.committed(group, input);
  return commits.map((commit) => {
    const { judged, ...read } = parseCommit(commit);
    return { ...read, judged: judged?.map(([day, cut]) => [day, cut]) };
  });
}

async function outcomeOf(
  folder: OpenFolder,
  subject: Subject,
): Promise<unknown> {
  const letters: DeadLetter[] = [];
  for await (const letter of readDeadLetters(folder.log)) letters.push(letter);
  const key = (letter: DeadLetter) => 1e9 * letter.partition + letter.offset;
  letters.sort((a, b) => key(a) - key(b));
  return {
    made: await subject.made(folder),
    letters,
    commits: await committedBy(folder, subject),
  };
}

type Random = (below: number) => number;

function randomOf(seed: number): Random {
  const next = chance(seed);
  return (below) => Math.floor(next() * below);
}

/** What a stream's payments look like. */
interface Form {
  readonly name: string;
  /** How many of the subjects know it. */
  readonly subjects: number;
  readonly definition?: StreamParameters["definition"];
  readonly recordOf?: RecordText;
}

const FORMS: readonly Form[] = [
  { name: "the handbook's payments", subjects: SUBJECTS.length },
  {
    name: "payments with text ids and kept fields",
    subjects: 2,
    definition: TEXT_DEFINITION,
    recordOf: textRecord,
  },
];

function randomParameters(
  random: Random,
  { definition }: Form,
): StreamParameters {
  return {
    ...definition ? { definition } : {},
    partitions: 1 + random(3),
    features: HANDBOOK_FEATURES,
    latenessSeconds: 3600,
    maxGapSeconds: 30 * DAY_SECONDS,
    ...random(2) === 0 ? { partitioner: "murmur2" as const } : {},
  };
}

function timesAt(timeSeconds: number) {
  return { timeSeconds, datetimeSeconds: START_SECONDS + timeSeconds };
}

/** Payments of some weeks, and what spoils them, for each partition. */
function randomPayments(
  random: Random,
  { partitions, maxGapSeconds, latenessSeconds }: StreamParameters,
  keyOf: (payment: Payment) => string,
): Entry[][] {
  const all: Entry[][] = Array.from({ length: partitions }, () => []);
  const seen: Payment[][] = all.map(() => []);
  let time = 0;
  for (let n = 0; n < 500; n++) {
    time += random(2 * 6000);
    const customerId = random(20);
    const key = keyOf({ ...emptyPayment(), customerId });
    const home = partitionOf(new TextEncoder().encode(key), partitions);
    const partition = random(40) === 0 ? random(partitions) : home;
    const known = seen[partition];
    const payment = paymentAt(time - random(2) * random(3000), {
      transactionId: 1000 * n + partition,
      customerId,
      terminalId: random(15),
      amount: random(30_000) / 100,
      fraud: random(4) === 0 ? 1 : 0,
    });
    if (payment.timeSeconds < 0) continue;
    const old = known[known.length - 1 - random(30)];
    const early = Math.max(0, time - latenessSeconds - 20_000);
    const entry = [
      () => `no payment ${n}`,
      () => old ?? payment,
      () => ({ ...(old ?? payment), amount: 1 + random(9) }),
      () => ({ ...payment, ...timesAt(time + maxGapSeconds + 5) }),
      () => ({ ...payment, ...timesAt(early) }),
    ][random(60)]?.() ?? payment;
    all[partition].push(entry);
    if (typeof entry !== "string") known.push(entry);
  }
  return all;
}

/** Copies a topic, with records that other programs have put among its own. */
async function copyTopic(
  from: EmbeddedLog,
  to: EmbeddedLog,
  topic: string,
  random: Random,
): Promise<void> {
  const producer = await to.producer("tests");
  const ends = await from.endOffsets(topic) ?? [];
  const foreign: { time: number; value: Uint8Array }[] = [];
  for (const [partition, end] of ends.entries()) {
    const records = new RecordBatchBuilder();
    for await (const batch of readRange(from, topic, partition, 0, end)) {
      for (let i = 0; i < batch.count; i++) {
        const value = recordValue(batch, i);
        const time = batch.timestamps[i];
        if (random(50) === 0) foreign.push({ time, value: spoilt(value) });
        const found = random(30) === 0 ? foreign.pop() : undefined;
        if (found) records.add(new Uint8Array(0), found.value, found.time);
        records.add(recordKey(batch, i), value, time);
      }
    }
    if (records.count > 0) {
      await producer.append([{ topic, partition, records }]);
    }
  }
}

/** A record that is not one of the stream's any more: cut, or of a far time. */
function spoilt(value: Uint8Array): Uint8Array {
  const text = new TextDecoder("latin1").decode(value);
  const far = text.replace(
    /"TX_DATETIME":"2018-(.*?)"TX_TIME_SECONDS":\d+,"TX_TIME_DAYS":\d+/,
    '"TX_DATETIME":"2018-$1"TX_TIME_SECONDS":31536000,"TX_TIME_DAYS":365',
  );
  return far === text
    ? value.slice(0, value.length - 3)
    : new TextEncoder().encode(far);
}

/** Drives a stage to its end, interrupting it at random. */
async function interrupt(
  driver: StageDriver,
  log: EmbeddedLog,
  { input }: Subject,
  random: Random,
): Promise<void> {
  const ends = await log.endOffsets(input) ?? [];
  const size = () => [1, 3, 20, 200][random(4)];
  while (!await driver.done()) {
    const partition = random(ends.length);
    const [what, records] = [random(12), size()];
    if (what > 3) {
      await driver.step(partition, records);
      continue;
    }
    if (what === 0) await driver.crash(partition, records, random(2) === 0);
    if (what === 1) await driver.lose(partition);
    if (what === 2) {
      const metadata = ["", "{}", "damaged"][random(3)];
      await driver.damage(partition, random(1 + ends[partition]), metadata);
    }
    await driver.reopen(partition);
  }
  if (random(3) > 0) return;
  for (const partition of ends.keys()) {
    await driver.lose(partition);
    await driver.reopen(partition);
  }
  // Duplicates behind the last outcome are read once more.
  await driver.drain([...ends.keys()]);
}

const RUNS = FORMS.flatMap((form) =>
  SUBJECTS.slice(0, form.subjects).map((subject, at) => ({ form, subject, at }))
);

for (const { form, subject, at } of RUNS) {
  const { recordOf } = form;
  testWriting(
    `${subject.name}, with ${form.name}: restored, recovered and interrupted like one that never stopped`,
    async () => {
      await using files = temporaryFolder();
      const model = join(files.path, "model.json");
      writeModel(model, linearModel());
      await forEachSeed(4, 60, async (seed) => {
        const random = randomOf(seed);
        const parameters = randomParameters(random, form);
        const keyOf = (payment: Payment) =>
          recordOf?.(payment)[0] ?? String(payment.customerId);
        const order = partitionsOf(parameters);
        await using source = await openMemory(parameters);
        for (
          const [p, entries] of randomPayments(random, parameters, keyOf)
            .entries()
        ) {
          if (entries.length === 0) continue;
          await appendPayments(source.log, p, entries, recordOf);
        }
        for (const before of SUBJECTS.slice(0, at)) {
          const make = before.make(source, model);
          const driver = await StageDriver.open(source.log, parameters, make);
          await driver.drain(order, 100);
        }
        await using right = await openMemory(parameters);
        await using folder = await openMemory(parameters);
        hideDeleted(folder.log);
        const copySeed = random(1e9);
        for (const { log } of [right, folder]) {
          await copyTopic(source.log, log, subject.input, randomOf(copySeed));
        }
        const drive = ({ log }: OpenFolder, of: OpenFolder) =>
          StageDriver.open(log, parameters, subject.make(of, model));
        await (await drive(right, right)).drain(order);
        const expected = await outcomeOf(right, subject);
        const driver = await drive(folder, folder);
        await interrupt(driver, folder.log, subject, random);
        assert.deepEqual(await outcomeOf(folder, subject), expected);
        assert.deepEqual(driver.warnings.filter(isLoss), []);
      });
    },
  );
}

/** Whether a warning says that something of the state could not be restored. */
function isLoss(warning: string): boolean {
  return /not all alerts|rows are gone/.test(warning);
}
