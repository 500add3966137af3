/**
 * What label records among the payments lead to, in the plainest form: the
 * checks of the first stage, and the rule of label_windows.ts over what the
 * second one has taken.
 */
import assert from "node:assert/strict";
import { featureNames } from "../../src/features/parameters.ts";
import type { EmbeddedLog } from "../../src/log/embedded/embedded_log.ts";
import { readRange } from "../../src/log/log.ts";
import { recordValue } from "../../src/log/record_batch.ts";
import {
  DAY_SECONDS,
  type Payment,
  type TransactionId,
} from "../../src/payment/payment.ts";
import { CELL, FRAUD_UNKNOWN } from "../../src/payment/payment_cells.ts";
import { hasText } from "../../src/payment/payment_shape.ts";
import { TextHeap } from "../../src/payment/text_heap.ts";
import type { StreamParameters } from "../../src/stream/control.ts";
import { readDeadLetters } from "../../src/stream/dead_letters.ts";
import {
  packedLabel,
  packTexts,
  packWidth,
  readPack,
} from "../../src/stream/pack.ts";
import { shapeOfStream } from "../../src/stream/stream_definition.ts";
import {
  REPARTITION_TOPIC,
  TRANSACTION_LABEL_TOPIC,
  TRANSACTION_TOPIC,
} from "../../src/stream/topics.ts";
import {
  partitionsOf,
  sinkRows,
  type StageDriver,
  valuesOfTopic,
} from "./stages.ts";

/** What stands in a partition of the source: a payment, or a label of one. */
export interface SourceEntry {
  /** The payment. */
  readonly payment: Pick<Payment, "timeSeconds" | "fraud"> & {
    readonly transactionId: TransactionId;
  };
  /** KNOWN_AT of a label. */
  readonly known?: number;
  /** Greatest time of the payments that any partition had when the label was appended; undefined where all partitions were there from the start, and none is idle. */
  readonly newest?: number;
}

/** What the first stage makes of a partition. */
function judged(
  entries: readonly SourceEntry[],
  { maxGapSeconds, latenessSeconds, features }: StreamParameters,
) {
  const { graceSeconds = 0 } = features;
  const labels: string[] = [];
  const onTime: { name: string; isOnTime: boolean }[] = [];
  const letters: number[] = [];
  let payments = 0;
  let progress = 0;
  for (const [offset, { payment, known, newest }] of entries.entries()) {
    if (known === undefined) {
      payments++;
      progress = Math.max(progress, payment.timeSeconds);
    } else if (
      payment.timeSeconds > progress ||
      known > progress + maxGapSeconds
    ) letters.push(offset);
    else {
      const from = Math.max(known, progress);
      onTime.push({
        name: `${payment.transactionId} ${known}`,
        // A partition that is idle does not hold the others back.
        isOnTime: progress <= known + latenessSeconds &&
          (newest ?? -Infinity) < known + graceSeconds,
      });
      labels.push(`${payment.transactionId} ${payment.fraud} ${known} ${from}`);
    }
  }
  return { labels, onTime, letters, payments };
}

/** A row of a pack. */
interface Packed {
  id: TransactionId;
  terminal: number | string | null;
  time: number;
  fraud: number;
  /** -1 for a payment. */
  known: number;
}

/** The rows that a partition of the second stage takes, in order. */
async function packedRows(
  log: EmbeddedLog,
  parameters: StreamParameters,
  partition: number,
) {
  const { features } = parameters;
  const shape = shapeOfStream(parameters);
  const texts = new TextHeap();
  const width = packWidth(features, shape);
  const rows: Packed[] = [];
  const end = (await log.endOffsets(REPARTITION_TOPIC) ?? [])[partition];
  const batches = readRange(log, REPARTITION_TOPIC, partition, 0, end);
  for await (const batch of batches) {
    for (let i = 0; i < batch.count; i++) {
      const bytes = recordValue(batch, i);
      const pack = readPack(bytes, features, shape);
      if (typeof pack === "string") throw new Error(pack);
      if (hasText(shape)) texts.wrap(packTexts(bytes));
      for (let at = 0; at < pack.length; at += width) {
        rows.push({
          id: shape.transactionId === "text"
            ? texts.text(pack[at + CELL.id]) ?? ""
            : pack[at + CELL.id],
          terminal: shape.terminalId === "text"
            ? texts.text(pack[at + CELL.terminal])
            : pack[at + CELL.terminal],
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
function ruled(
  rows: readonly Packed[],
  { features }: StreamParameters,
) {
  const { windowDays, delayDays, graceSeconds = 0 } = features;
  const windows = new Map<TransactionId, number[]>();
  const froms: { id: TransactionId; known: number; from: number }[] = [];
  const payments: Packed[] = [];
  const labels: (Packed & { from: number })[] = [];
  let progress = 0;
  for (const row of rows) {
    if (row.known >= 0) {
      const from = Math.max(row.known + graceSeconds, progress + 1);
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

/** What has gone through both stages. */
export interface LabelOutcome {
  /** Label records that came early enough to count when they should. */
  readonly punctual: number;
  /** Label records that the first stage has accepted. */
  readonly accepted: number;
}

/** Compares what both stages have made of the entries of transaction_topic with the rule. */
export async function compareLabels(
  log: EmbeddedLog,
  parameters: StreamParameters,
  sources: readonly (readonly SourceEntry[])[],
  { customers, terminals }: {
    readonly customers: StageDriver;
    readonly terminals: StageDriver;
  },
): Promise<LabelOutcome> {
  const { graceSeconds = 0 } = parameters.features;
  const expected = sources.map((entries) => judged(entries, parameters));
  const packed = await Promise.all(
    partitionsOf(parameters).map((partition) =>
      packedRows(log, parameters, partition)
    ),
  );
  const windows = new Map<TransactionId, number[]>();
  const froms: { id: TransactionId; known: number; from: number }[] = [];
  for (const rows of packed) {
    const { windows: some, froms: more } = ruled(rows, parameters);
    for (const [id, values] of some) windows.set(id, values);
    froms.push(...more);
  }
  // What comes on time counts when it should, however the partitions ran.
  let punctual = 0;
  for (const { name, isOnTime } of expected.flatMap(({ onTime }) => onTime)) {
    const at = froms.findIndex(({ id, known }) => name === `${id} ${known}`);
    const [{ known, from }] = froms.splice(at, 1);
    if (!isOnTime) continue;
    assert.equal(from, known + graceSeconds, name);
    punctual++;
  }
  const names = featureNames(parameters.features)
    .filter((name) => name.startsWith("TERMINAL_ID_"));
  const rows = await sinkRows(log);
  const payments = expected.reduce((sum, { payments }) => sum + payments, 0);
  assert.equal(rows.length, payments);
  assert.equal(windows.size, payments);
  for (const row of rows) {
    assert.ok(!("TX_FRAUD" in row) && !("TX_FRAUD_SCENARIO" in row));
    const id = row.TRANSACTION_ID;
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
  for await (const { topic, ...letter } of readDeadLetters(log)) {
    if (topic !== TRANSACTION_TOPIC) continue;
    const { partition, offset, reason } = letter;
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
  return { punctual, accepted: labels.length };
}
