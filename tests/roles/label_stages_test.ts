/**
 * Labels in both stages, in any order of steps, with partitions that are
 * dropped, restored, and lose their commits: what comes out is compared with
 * the rule of label_windows.ts in its plainest form.
 */
import assert from "node:assert/strict";
import {
  featureNames,
  HANDBOOK_FEATURES,
} from "../../src/features/parameters.ts";
import type { EmbeddedLog } from "../../src/log/embedded/embedded_log.ts";
import { readRange } from "../../src/log/log.ts";
import { recordValue } from "../../src/log/record_batch.ts";
import { ByteWriter } from "../../src/base/byte_writer.ts";
import { DAY_SECONDS, type Payment } from "../../src/payment/payment.ts";
import {
  CELL,
  FRAUD_UNKNOWN,
  toCells,
} from "../../src/payment/payment_cells.ts";
import {
  LabelJsonWriter,
  ShapedJsonWriter,
} from "../../src/payment/payment_json.ts";
import {
  labelCells,
  UNLABELLED_SHAPE,
} from "../../src/payment/payment_shape.ts";
import type { StreamParameters } from "../../src/stream/control.ts";
import { readDeadLetters } from "../../src/stream/dead_letters.ts";
import { packedLabel, packWidth, readPack } from "../../src/stream/pack.ts";
import {
  REPARTITION_TOPIC,
  TRANSACTION_LABEL_TOPIC,
} from "../../src/stream/topics.ts";
import { chance, forEachSeed } from "../long.ts";
import { testWriting } from "../permission.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { readStatus } from "../../src/stream/status.ts";
import { requeue } from "../../src/stream/requeue.ts";
import { openMemory } from "./pipeline.ts";
import {
  appendPayments,
  hideDeleted,
  partitionsOf,
  paymentAt,
  sinkRows,
  StageDriver,
  START_SECONDS,
  valuesOfTopic,
} from "./stages.ts";

const GRACE = DAY_SECONDS;
const PARAMETERS: StreamParameters = {
  partitions: 3,
  features: {
    ...HANDBOOK_FEATURES,
    windowDays: [1, 4],
    delayDays: 3,
    graceSeconds: GRACE,
  },
  latenessSeconds: 3600,
  maxGapSeconds: 60 * DAY_SECONDS,
};

/** What stands in a partition of the source: a payment, or a label of one. */
interface Entry {
  readonly payment: Payment;
  /** KNOWN_AT of a label. */
  readonly known?: number;
}

/** The JSON of an entry, as sources write it. */
function jsonOf({ payment, known }: Entry): string {
  const writer = new ByteWriter();
  const { knownAt, width } = labelCells(UNLABELLED_SHAPE);
  const cells = new Float64Array(width);
  toCells(payment, cells, 0);
  const isPayment = known === undefined;
  if (!isPayment) cells[knownAt] = START_SECONDS + known;
  const json = isPayment
    ? new ShapedJsonWriter(UNLABELLED_SHAPE)
    : new LabelJsonWriter(UNLABELLED_SHAPE, { isAccepted: false });
  json.write(writer, cells, 0);
  return new TextDecoder().decode(writer.view());
}

/** Payments of some partitions in order of time to within the lateness, and among them labels: on time, late, repeated, corrected, withdrawn, implausible. */
function randomSources(seed: number, length: number): Entry[][] {
  const random = chance(seed);
  const upTo = (max: number) => Math.floor(random() * (max + 1));
  const sources: Entry[][] = partitionsOf(PARAMETERS).map(() => []);
  const step = [2_000, 20_000][upTo(1)];
  let waiting: { due: number; partition: number; entry: Entry }[] = [];
  let now = 0;
  for (let transactionId = 0; transactionId < length; transactionId++) {
    now += upTo(step);
    for (const { due, partition, entry } of waiting) {
      if (due > now) continue;
      sources[partition].push(entry);
      if (random() < 0.2) sources[partition].push(entry);
    }
    waiting = waiting.filter(({ due }) => due > now);
    const partition = random() < 0.5 ? 0 : upTo(2);
    const time = Math.max(0, now - (random() < 0.3 ? upTo(3600) : 0));
    const payment = paymentAt(time, {
      transactionId,
      customerId: partition,
      terminalId: upTo(2),
      amount: 1,
    });
    sources[partition].push({ payment });
    const labels = random() < 0.7 ? 1 + upTo(2) : 0;
    for (let n = 0; n < labels; n++) {
      const fraud = [1, 1, 0, FRAUD_UNKNOWN][upTo(3)];
      const known = time + upTo(9) * DAY_SECONDS / 2 + upTo(100);
      const entry = { payment: { ...payment, fraud }, known };
      // Some come long after they were known.
      const late = random() < 0.2 ? upTo(8 * DAY_SECONDS) : 0;
      waiting.push({ due: known + late, partition, entry });
      if (random() > 0.05) continue;
      sources[partition].push(
        random() < 0.5 ? { ...entry, known: now + 61 * DAY_SECONDS } : {
          payment: paymentAt(now + 1, {
            ...entry.payment,
            timeSeconds: now + 1,
            datetimeSeconds: START_SECONDS + now + 1,
          }),
          known,
        },
      );
    }
  }
  return sources;
}

/** What the first stage makes of a partition. */
function judged(entries: readonly Entry[]) {
  const labels: string[] = [];
  const onTime: { name: string; isOnTime: boolean }[] = [];
  const letters: number[] = [];
  let payments = 0;
  let progress = 0;
  for (const [offset, { payment, known }] of entries.entries()) {
    if (known === undefined) {
      payments++;
      progress = Math.max(progress, payment.timeSeconds);
    } else if (
      payment.timeSeconds > progress ||
      known > progress + PARAMETERS.maxGapSeconds
    ) letters.push(offset);
    else {
      const from = Math.max(known, progress);
      onTime.push({
        name: `${payment.transactionId} ${known}`,
        isOnTime: progress <= known + PARAMETERS.latenessSeconds,
      });
      labels.push(`${payment.transactionId} ${payment.fraud} ${known} ${from}`);
    }
  }
  return { labels, onTime, letters, payments };
}

/** A row of a pack. */
interface Packed {
  id: number;
  terminal: number;
  time: number;
  fraud: number;
  /** -1 for a payment. */
  known: number;
}

/** The rows that a partition of the second stage takes, in order. */
async function packedRows(log: EmbeddedLog, partition: number) {
  const { features } = PARAMETERS;
  const width = packWidth(features, UNLABELLED_SHAPE);
  const rows: Packed[] = [];
  const end = (await log.endOffsets(REPARTITION_TOPIC) ?? [])[partition];
  const batches = readRange(log, REPARTITION_TOPIC, partition, 0, end);
  for await (const batch of batches) {
    for (let i = 0; i < batch.count; i++) {
      const pack = readPack(recordValue(batch, i), features, UNLABELLED_SHAPE);
      if (typeof pack === "string") throw new Error(pack);
      for (let at = 0; at < pack.length; at += width) {
        rows.push({
          id: pack[at + CELL.id],
          terminal: pack[at + CELL.terminal],
          time: pack[at + CELL.time],
          fraud: pack[at + CELL.fraud],
          known: packedLabel(pack, at, width),
        });
      }
    }
  }
  return rows;
}

/** Of each payment of a partition of the second stage, number and frauds of each window, by the rule; and when each label counts. */
function ruled(rows: readonly Packed[]) {
  const { windowDays, delayDays } = PARAMETERS.features;
  const windows = new Map<number, number[]>();
  const froms: { id: number; known: number; from: number }[] = [];
  const payments: Packed[] = [];
  const labels: (Packed & { from: number })[] = [];
  let progress = 0;
  for (const row of rows) {
    if (row.known >= 0) {
      const from = Math.max(row.known + GRACE, progress + 1);
      labels.push({ ...row, from });
      froms.push({ id: row.id, known: row.known, from });
      continue;
    }
    payments.push(row);
    progress = Math.max(progress, row.time);
    const end = row.time - delayDays * DAY_SECONDS;
    windows.set(
      row.id,
      windowDays.flatMap((days) => {
        const inside = payments.filter(({ terminal, time }) =>
          terminal === row.terminal && time <= end &&
          time > end - days * DAY_SECONDS
        );
        const frauds = inside.filter(({ id }) => {
          let holds: Packed | undefined;
          for (const label of labels) {
            if (label.id !== id || label.from > row.time) continue;
            if (label.known >= (holds?.known ?? 0)) holds = label;
          }
          return holds?.fraud === 1;
        });
        const { length } = inside;
        return [length, length === 0 ? 0 : frauds.length / length];
      }),
    );
  }
  return { windows, froms };
}

async function compare(
  log: EmbeddedLog,
  sources: readonly (readonly Entry[])[],
  customers: StageDriver,
  terminals: StageDriver,
): Promise<void> {
  const expected = sources.map(judged);
  const packed = await Promise.all(
    partitionsOf(PARAMETERS).map((partition) => packedRows(log, partition)),
  );
  const windows = new Map<number, number[]>();
  const froms: { id: number; known: number; from: number }[] = [];
  for (const rows of packed) {
    const { windows: some, froms: more } = ruled(rows);
    for (const [id, values] of some) windows.set(id, values);
    froms.push(...more);
  }
  // What comes on time counts when it should, however the partitions ran.
  let punctual = 0;
  for (const { name, isOnTime } of expected.flatMap(({ onTime }) => onTime)) {
    const at = froms.findIndex(({ id, known }) => name === `${id} ${known}`);
    const [{ known, from }] = froms.splice(at, 1);
    if (!isOnTime) continue;
    assert.equal(from, known + GRACE, name);
    punctual++;
  }
  assert.ok(punctual > 0);
  const names = featureNames(PARAMETERS.features)
    .filter((name) => name.startsWith("TERMINAL_ID_"));
  const rows = await sinkRows(log);
  const payments = expected.reduce((sum, { payments }) => sum + payments, 0);
  assert.equal(rows.length, payments);
  assert.equal(windows.size, payments);
  for (const row of rows) {
    assert.ok(!("TX_FRAUD" in row) && !("TX_FRAUD_SCENARIO" in row));
    const id = Number(row.TRANSACTION_ID);
    assert.deepEqual(names.map((name) => row[name]), windows.get(id), `${id}`);
  }
  const labels = expected.flatMap(({ labels }) => labels);
  const found = (await valuesOfTopic(log, TRANSACTION_LABEL_TOPIC)).map(
    (text) => {
      const { TRANSACTION_ID: id, TX_FRAUD: fraud, ...more } = JSON.parse(text);
      const start = Date.parse(`${more.TX_DATETIME}Z`) / 1000 -
        more.TX_TIME_SECONDS;
      const seconds = (at: string) => Date.parse(`${at}Z`) / 1000 - start;
      return `${id} ${fraud ?? FRAUD_UNKNOWN} ${seconds(more.KNOWN_AT)} ` +
        `${seconds(more.KNOWN_TIME)}`;
    },
  );
  assert.deepEqual(found, labels);
  const letters: string[] = [];
  for await (const { partition, offset, reason } of readDeadLetters(log)) {
    assert.equal(reason, "implausible");
    letters.push(`${partition}/${offset}`);
  }
  assert.deepEqual(
    letters.sort(),
    expected.flatMap(({ letters }, partition) =>
      letters.map((offset) => `${partition}/${offset}`)
    ).sort(),
  );
  const counters = {
    emitted: payments,
    duplicates: 0,
    frauds: 0,
    ...labels.length > 0 ? { labels: labels.length } : {},
  };
  assert.deepEqual(await customers.counters(), {
    ...counters,
    read: sources.flat().length,
    deadLettered: letters.length,
  });
  assert.deepEqual(await terminals.counters(), {
    ...counters,
    read: payments + labels.length,
    deadLettered: 0,
  });
}

/** Runs both stages over the sources in a random order, with accidents. */
async function runSteps(seed: number, accidents: number): Promise<void> {
  const random = chance(seed + 1);
  const below = (n: number) => Math.floor(random() * n);
  await using folder = await openMemory(PARAMETERS);
  await using disk = temporaryFolder();
  const { log } = folder;
  hideDeleted(log);
  const sources = randomSources(seed, 150);
  for (const [partition, entries] of sources.entries()) {
    const texts = entries.map(jsonOf).reverse();
    await appendPayments(
      log,
      partition,
      entries.map(({ payment }) => payment),
      ({ customerId }) => [String(customerId), texts.pop() ?? ""],
    );
  }
  const path = random() < 0.5 ? disk.path : undefined;
  const customers = await StageDriver.customers(log, PARAMETERS, path);
  const terminals = await StageDriver.terminals(log, PARAMETERS, path);
  while (!await customers.done() || !await terminals.done()) {
    const stage = random() < 0.6 ? customers : terminals;
    const partition = below(PARAMETERS.partitions);
    if (random() < accidents) {
      if (random() < 0.4) await stage.lose(partition);
      else if (random() < 0.5) await stage.crash(partition, 1 + below(9), true);
      else stage.close(partition);
      await stage.reopen(partition);
    }
    await stage.step(partition, 1 + below(40));
  }
  await compare(log, sources, customers, terminals);
}

testWriting(
  "labels go through both stages once, whatever is dropped, restored or lost, and the windows see what the rule says",
  async () => {
    await forEachSeed(12, 600, (seed) => runSteps(seed, 0.2));
  },
);

Deno.test("a label before its payment is a dead letter that can be requeued once the payment is there", async () => {
  const parameters = { ...PARAMETERS, partitions: 1 };
  await using folder = await openMemory(parameters);
  const { log, context: { control } } = folder;
  const payment = paymentAt(5 * DAY_SECONDS, { customerId: 1 });
  const label = { payment: { ...payment, fraud: 1 }, known: 6 * DAY_SECONDS };
  const append = (entry: Entry) =>
    appendPayments(log, 0, [entry.payment], () => ["1", jsonOf(entry)]);
  await append(label);
  await append({ payment });
  const customers = await StageDriver.customers(log, parameters);
  const terminals = await StageDriver.terminals(log, parameters);
  await customers.drain([0]);
  const letters = [];
  for await (const letter of readDeadLetters(log)) letters.push(letter);
  assert.equal(letters.length, 1);
  const options = { log, control, parameters, letter: letters[0] };
  const far = { ...label, known: 99 * DAY_SECONDS };
  await assert.rejects(
    requeue({ ...options, json: jsonOf(far), again: "refuse" }),
    /KNOWN_AT more than 60 days/,
  );
  await requeue({ ...options, json: jsonOf(label), again: "refuse" });
  const later = paymentAt(9 * DAY_SECONDS, { customerId: 1, transactionId: 1 });
  await append({ payment: later });
  await customers.drain([0]);
  await terminals.drain([0]);
  const rows = await sinkRows(log);
  assert.equal(rows[1].TERMINAL_ID_RISK_4DAY_WINDOW, 1);
  assert.equal((await customers.counters()).labels, 1);
  assert.equal((await readStatus(log, control)).startSeconds, START_SECONDS);
});
