/** Text ids and kept fields through both stages: what numbers give, under other names. */
import assert from "node:assert/strict";
import {
  featureNames,
  HANDBOOK_FEATURES,
} from "../../src/features/parameters.ts";
import { formatDatetime } from "../../src/payment/calendar.ts";
import { DAY_SECONDS, type Payment } from "../../src/payment/payment.ts";
import { partitionOf } from "../../src/log/partitioner.ts";
import { Control, type StreamParameters } from "../../src/stream/control.ts";
import { readDeadLetters } from "../../src/stream/dead_letters.ts";
import { requeue } from "../../src/stream/requeue.ts";
import { chance, forEachSeed } from "../long.ts";
import { testWriting } from "../permission.ts";
import { openMemory, parametersOf } from "../roles/pipeline.ts";
import {
  appendPayments,
  handbookRecord,
  paymentAt,
  type RecordText,
  sinkRows,
  StageDriver,
  START_SECONDS,
} from "../roles/stages.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import {
  cardText,
  idText,
  keptOf,
  terminalText,
  TEXT_DEFINITION,
  TEXT_LABEL_DEFINITION,
  textRecord,
} from "./text_stream.ts";

/** Payments of months, so that most cards are forgotten on the way, and come again. */
function payments(seed: number): Payment[] {
  const random = chance(seed);
  const below = (n: number) => Math.floor(random() * n);
  let time = 0;
  return Array.from({ length: 1500 }, (_, n) => {
    time += below(12_000);
    const era = Math.floor(time / (20 * DAY_SECONDS));
    return paymentAt(Math.max(0, time - below(2) * below(3000)), {
      transactionId: n,
      customerId: below(4) === 0 ? below(20) : 100 * era + below(100),
      terminalId: below(4) === 0 ? below(20) : 100 * era + below(60),
      amount: below(30_000) / 100,
      fraud: below(5) === 0 ? 1 : 0,
    });
  });
}

/** The sink of a stream of these payments; its stages save their state and load it on the way. */
async function sinkOf(
  parameters: StreamParameters,
  rows: readonly Payment[],
  seed: number,
  recordOf?: RecordText,
): Promise<Record<string, unknown>[]> {
  await using folder = await openMemory(parameters);
  await using files = temporaryFolder();
  await appendPayments(folder.log, 0, rows, recordOf);
  const random = chance(seed);
  const { customers, terminals } = StageDriver;
  // The second stage reads packs.
  for (const [open, most] of [[customers, 100], [terminals, 1]] as const) {
    const driver = await open(folder.log, parameters, files.path);
    while (!await driver.done()) {
      await driver.step(0, 1 + Math.floor(random() * most));
      if (random() > 0.3) continue;
      if (random() < 0.7) driver.close(0);
      await driver.reopen(0);
    }
    assert.ok(driver.snapshots.includes("used"), driver.snapshots.join());
    assert.deepEqual(driver.warnings, []);
  }
  return await sinkRows(folder.log);
}

testWriting(
  "a stream of text ids has the features of the stream of numbers that they stand for, in both sets, through snapshots",
  async () => {
    await forEachSeed(2, 20, async (seed) => {
      const set = seed % 2 === 0 ? "extended" : "handbook";
      const parameters: StreamParameters = {
        partitions: 1,
        features: { ...HANDBOOK_FEATURES, set },
        latenessSeconds: 3600,
        maxGapSeconds: 30 * DAY_SECONDS,
        partitioner: "murmur2",
      };
      const rows = payments(seed);
      const numbers = await sinkOf(parameters, rows, seed);
      const texts = await sinkOf(
        { ...parameters, definition: TEXT_DEFINITION },
        rows,
        seed + 1,
        textRecord,
      );
      const byId = new Map(rows.map((row) => [row.transactionId, row]));
      const expected = numbers.map((row) => {
        const payment = byId.get(Number(row.TRANSACTION_ID));
        assert.ok(payment);
        return {
          ...row,
          TRANSACTION_ID: idText(payment.transactionId),
          CUSTOMER_ID: cardText(payment.customerId),
          TERMINAL_ID: terminalText(payment.terminalId),
          ...keptOf(payment),
        };
      });
      assert.ok(texts.length > 1200);
      assert.deepEqual(texts, expected);
    });
  },
);

testWriting(
  "a stream without features passes payments and their kept fields through, and judges labels, through snapshots",
  async () => {
    await forEachSeed(2, 20, async (seed) => {
      const hasLabels = seed % 2 === 0;
      const parameters: StreamParameters = {
        partitions: 1,
        features: {
          ...HANDBOOK_FEATURES,
          set: "none",
          windowDays: [],
          ...hasLabels ? { graceSeconds: 1800 } : {},
        },
        latenessSeconds: 3600,
        maxGapSeconds: 30 * DAY_SECONDS,
        dedupeSeconds: 2 * DAY_SECONDS,
        partitioner: "murmur2",
        definition: hasLabels ? TEXT_LABEL_DEFINITION : TEXT_DEFINITION,
      };
      const rows = payments(seed);
      const entries = hasLabels ? withLabels(rows, seed) : rows;
      const found = await sinkOf(
        parameters,
        entries,
        seed,
        labelled(textRecord),
      );
      const expected = rows.map((row) => {
        const { entry: _entry, ...payment } = JSON.parse(textRecord(row)[1]);
        if (!hasLabels) return payment;
        const { TX_FRAUD: _0, TX_FRAUD_SCENARIO: _1, ...unlabelled } = payment;
        return unlabelled;
      });
      assert.deepEqual(found, expected);
    });
  },
);

/** Payments, and among them labels: on time, late, repeated, corrected, withdrawn, of payments that never came. */
function withLabels(rows: readonly Payment[], seed: number): Payment[] {
  const random = chance(seed);
  const below = (n: number) => Math.floor(random() * n);
  const entries: Payment[] = [];
  let waiting: { due: number; label: KnownPayment }[] = [];
  for (const row of rows) {
    const { timeSeconds } = row;
    for (const { due, label } of waiting) {
      if (due <= timeSeconds) entries.push(label);
    }
    waiting = waiting.filter(({ due }) => due > timeSeconds);
    entries.push(row);
    for (let n = below(3); n > 0; n--) {
      const knownAt = row.datetimeSeconds + below(8 * DAY_SECONDS);
      const terminalId = row.terminalId + (below(9) === 0 ? 1 : 0);
      const label = { ...row, terminalId, fraud: [0, 1, 1][below(3)], knownAt };
      const late = below(4) === 0 ? below(5 * DAY_SECONDS) : 0;
      waiting.push({ due: knownAt - START_SECONDS + late, label });
    }
  }
  return entries;
}

/** A payment, of a label with KNOWN_AT, seconds since 1970. */
type KnownPayment = Payment & { readonly knownAt?: number };

/** A record with KNOWN_AT where it is a label. */
function labelled(recordOf: RecordText): RecordText {
  return (payment: KnownPayment) => {
    const [key, value] = recordOf(payment);
    if (payment.knownAt === undefined) return [key, value];
    const KNOWN_AT = formatDatetime(payment.knownAt);
    return [key, JSON.stringify({ ...JSON.parse(value), KNOWN_AT })];
  };
}

testWriting(
  "labels that arrive later count in a stream of text ids as in the stream of numbers that they stand for, through snapshots",
  async () => {
    await forEachSeed(1, 20, async (seed) => {
      const parameters: StreamParameters = {
        partitions: 1,
        features: { ...HANDBOOK_FEATURES, graceSeconds: DAY_SECONDS },
        latenessSeconds: 3600,
        maxGapSeconds: 30 * DAY_SECONDS,
        partitioner: "murmur2",
      };
      const rows = withLabels(payments(seed), seed);
      const numbers = await sinkOf(
        parameters,
        rows,
        seed,
        labelled(handbookRecord),
      );
      const texts = await sinkOf(
        { ...parameters, definition: TEXT_LABEL_DEFINITION },
        rows,
        seed + 1,
        labelled(textRecord),
      );
      const features = (row: Record<string, unknown>) =>
        featureNames(parameters.features).map((name) => row[name]);
      assert.ok(texts.length > 1200);
      assert.deepEqual(
        texts.map((row) => [row.TRANSACTION_ID, ...features(row)]),
        numbers.map((row) => [
          idText(Number(row.TRANSACTION_ID)),
          ...features(row),
        ]),
      );
      const risks = numbers.map((row) => row.TERMINAL_ID_RISK_30DAY_WINDOW);
      assert.ok(new Set(risks).size > 20, `${new Set(risks).size} risks`);
    });
  },
);

testWriting(
  "a rejected payment with text ids is requeued under its card's key, with all digits",
  async () => {
    const parameters: StreamParameters = {
      ...parametersOf(3),
      partitioner: "murmur2",
      definition: TEXT_DEFINITION,
    };
    await using folder = await openMemory(parameters);
    const { log } = folder;
    await appendPayments(log, 1, ["no payment"]);
    const customers = await StageDriver.customers(log, parameters);
    await customers.drain([0, 1, 2]);
    const [letter] = await Array.fromAsync(readDeadLetters(log));
    const [key, value] = textRecord(paymentAt(7, { customerId: 1 }));
    const digits = value.replace(/"TRANSACTION_ID":"(\d+)"/, (_, id) => {
      return `"TRANSACTION_ID":${id}`;
    });
    const { partition } = await requeue({
      log,
      control: new Control(log),
      parameters,
      letter,
      json: digits,
      again: "refuse",
    });
    const bytes = new TextEncoder().encode(key);
    assert.equal(partition, partitionOf(bytes, 3));
    await customers.drain([0, 1, 2]);
    const terminals = await StageDriver.terminals(log, parameters);
    await terminals.drain([0, 1, 2]);
    const [row] = await sinkRows(log);
    assert.equal(row.TRANSACTION_ID, idText(0));
    assert.equal(row.CUSTOMER_ID, cardText(1));
  },
);
