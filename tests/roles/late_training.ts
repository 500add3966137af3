/**
 * Streams whose labels arrive late, wrong at first, twice or never, for tests
 * of what is learned from them; and what may have been learned by the plain
 * rule, read from the topics alone.
 */
import { createHash } from "node:crypto";
import { readDefinition } from "../../src/definition/read_definition.ts";
import {
  featureNames,
  HANDBOOK_FEATURES,
} from "../../src/features/parameters.ts";
import type { EmbeddedLog } from "../../src/log/embedded/embedded_log.ts";
import type { Append } from "../../src/log/log.ts";
import { IdPartitioner } from "../../src/log/partitioner.ts";
import { RecordBatchBuilder } from "../../src/log/record_batch.ts";
import { formatDatetime, parseDatetime } from "../../src/payment/calendar.ts";
import {
  DAY_SECONDS,
  emptyPayment,
  readTableRow,
} from "../../src/payment/payment.ts";
import { simulateHandbook } from "../../src/simulator/handbook.ts";
import { HANDBOOK_PARAMETERS } from "../../src/simulator/parameters.ts";
import {
  controlRecords,
  labelDays,
  type StreamParameters,
} from "../../src/stream/control.ts";
import {
  recordedDefinition,
  shapeOfStream,
} from "../../src/stream/stream_definition.ts";
import {
  TRANSACTION_LABEL_TOPIC,
  TRANSACTION_TOPIC,
} from "../../src/stream/topics.ts";
import { labelAt, type OracleLabel } from "../learning/data/label_oracle.ts";
import { chance } from "../long.ts";
import { parametersOf } from "./pipeline.ts";
import { sinkRows, START_SECONDS, valuesOfTopic } from "./stages.ts";

const FEATURES = {
  ...HANDBOOK_FEATURES,
  windowDays: [1, 3, 7],
  delayDays: 3,
  graceSeconds: DAY_SECONDS,
};

/** The handbook's payments, whose labels arrive later. */
export function numberStream(partitions: number): StreamParameters {
  return { ...parametersOf(partitions), features: FEATURES, matureDays: 4 };
}

const DEFINITION = `version: 1
payment:
  TRANSACTION_ID: { from: id, type: text }
  TX_DATETIME: time
  CUSTOMER_ID: { from: card, type: text }
  TERMINAL_ID: { from: shop, type: text }
  TX_AMOUNT: { from: amount, decimals: 3, refunds: true }
  keep: { channel: text, distance: number }
labels: { from: stream, delay: 3d, grace: 1d, mature: 4d }
`;

/** Payments of an own definition: texts as ids, kept fields, refunds. */
export function textStream(partitions: number): StreamParameters {
  const definition = readDefinition(DEFINITION, "tests");
  return {
    ...parametersOf(partitions),
    features: { ...FEATURES, decimals: 3, refunds: true },
    matureDays: 4,
    definition: recordedDefinition(definition),
  };
}

/** A record of the source: a payment, or a label that comes at a time. */
interface SourceRecord {
  readonly comes: number;
  readonly card: number | string;
  readonly json: Readonly<Record<string, unknown>>;
}

/** Which stream is made. */
export interface LateStream {
  readonly parameters: StreamParameters;
  readonly seed: number;
  /** Labels that come more than a day later than this are others: wrong, or missing; TX_TIME_SECONDS. */
  readonly changedAfter?: number;
}

/** Days of the payments. */
const DAYS = 36;

/** Publishes payments and labels, `rows` at a time, and that they end. */
export async function publish(
  log: EmbeddedLog,
  stream: LateStream,
  rows: number,
  between: () => Promise<void>,
): Promise<void> {
  const { partitions } = stream.parameters;
  const control = controlRecords();
  control.put("origin", { startSeconds: START_SECONDS, fingerprint: "tests" });
  const producer = await log.producer("tests");
  await producer.append(control.appends());
  const all = sourceRecords(stream).sort((a, b) => a.comes - b.comes);
  for (let from = 0; from < all.length; from += rows) {
    await producer.append(
      appendsOf(all.slice(from, from + rows), partitions),
    );
    await between();
  }
  const end = controlRecords();
  end.putEnd(TRANSACTION_TOPIC, { rows: all.length });
  await producer.append(end.appends());
}

/** Records of the source in the partitions of their cards. */
function appendsOf(
  rows: readonly SourceRecord[],
  partitions: number,
): Append[] {
  const partitioner = new IdPartitioner(partitions);
  const encoder = new TextEncoder();
  const appends = Array.from({ length: partitions }, (_, partition) => {
    const records = new RecordBatchBuilder();
    return { topic: TRANSACTION_TOPIC, partition, records };
  });
  for (const { comes, card, json } of rows) {
    const key = encoder.encode(String(card));
    const partition = typeof card === "number"
      ? partitioner.partition(card)
      : partitioner.partitionOfText(key);
    appends[partition].records.add(
      key,
      encoder.encode(JSON.stringify(json)),
      (START_SECONDS + comes) * 1000,
    );
  }
  return appends.filter(({ records }) => records.count > 0);
}

function sourceRecords(
  { parameters, seed, changedAfter = Infinity }: LateStream,
): SourceRecord[] {
  const isText = parameters.definition !== undefined;
  const { table, startSeconds } = simulateHandbook({
    ...HANDBOOK_PARAMETERS,
    customers: 40,
    terminals: 60,
    radius: 20,
    days: DAYS,
  });
  const random = chance(seed);
  // Drawn apart, so that all else stays as it is.
  const other = chance(seed + 1);
  const row = emptyPayment();
  const found: SourceRecord[] = [];
  for (let index = 0; index < table.length; index++) {
    readTableRow(table, index, startSeconds, row);
    const { timeSeconds, fraud } = row;
    const card = isText ? `card ${row.customerId} é` : row.customerId;
    const isRefund = isText && random() < 0.05;
    const payment = {
      TRANSACTION_ID: isText ? `t${index % 10}-${index}` : row.transactionId,
      TX_DATETIME: formatDatetime(START_SECONDS + timeSeconds),
      CUSTOMER_ID: card,
      TERMINAL_ID: isText ? `shop ${row.terminalId}` : row.terminalId,
      TX_AMOUNT: isRefund ? -row.amount : row.amount,
      TX_TIME_SECONDS: timeSeconds,
      TX_TIME_DAYS: Math.floor(timeSeconds / DAY_SECONDS),
      ...isText && { channel: index % 3 ? "web" : null, distance: index / 7 },
    };
    found.push({ comes: timeSeconds, card, json: payment });
    for (const label of labelsOf(random, fraud)) {
      const comes = timeSeconds + label.after;
      const isRepeated = random() < 0.1;
      // The first stage counts by payments, which come several times a day.
      const isOther = comes > changedAfter + DAY_SECONDS;
      if (isOther && other() < 0.2) continue;
      const json = {
        ...payment,
        TX_FRAUD: isOther && other() < 0.5 ? 1 : label.fraud,
        KNOWN_AT: formatDatetime(
          START_SECONDS + Math.max(0, comes - label.before),
        ),
      };
      found.push({ comes, card, json });
      if (isRepeated) found.push({ comes: comes + 7200, card, json });
    }
  }
  return found;
}

/** What becomes known of a payment, and how long after it. */
function labelsOf(random: () => number, fraud: number) {
  const after = () => 1 + Math.floor(random() ** 2 * 18 * DAY_SECONDS);
  const before = () =>
    Math.floor((random() < 0.3 ? random() - 0.3 : 0) * 3 * DAY_SECONDS);
  const label = (fraud: number | null) => {
    return { after: after(), before: before(), fraud };
  };
  if (random() < (fraud === 1 ? 0.05 : 0.8)) return [];
  const labels = [label(fraud)];
  if (random() < 0.2) labels.push(label(1 - fraud), label(fraud));
  if (random() < 0.1) labels.push(label(null));
  return labels;
}

/** A payment of the sink, with what the models take. */
interface SinkPayment {
  readonly id: number | string;
  readonly time: number;
  readonly values: readonly number[];
}

/** All that was accepted, as the topics hold it. */
export interface Accepted {
  readonly payments: readonly SinkPayment[];
  readonly labels: readonly OracleLabel<number | string>[];
  readonly parameters: StreamParameters;
}

/** Reads what was accepted. */
export async function accepted(
  log: EmbeddedLog,
  parameters: StreamParameters,
): Promise<Accepted> {
  const names = ["TX_AMOUNT", ...featureNames(parameters.features)];
  const payments = (await sinkRows(log)).map((row): SinkPayment => {
    return {
      id: row.TRANSACTION_ID,
      time: Number(row.TX_TIME_SECONDS),
      values: names.map((name) => Number(row[name])),
    };
  });
  const seconds = (text: string) =>
    (parseDatetime(text) ?? NaN) -
    START_SECONDS;
  const labels = (await valuesOfTopic(log, TRANSACTION_LABEL_TOPIC))
    .map((value) => JSON.parse(value))
    .map((label): OracleLabel<number | string> => {
      return {
        id: label.TRANSACTION_ID,
        knownAt: seconds(label.KNOWN_AT),
        knownTime: seconds(label.KNOWN_TIME),
        fraud: label.TX_FRAUD,
      };
    });
  return { payments, labels, parameters };
}

/** The payments of some days with the label that each had at a time, in the order of days and ids. */
export function knownPayments(
  { payments, labels, parameters }: Accepted,
  days: { readonly from: number; readonly to: number },
  asOf: number,
): (SinkPayment & { readonly fraud: number })[] {
  const byId = Map.groupBy(labels, ({ id }) => id);
  const matureSeconds = labelDays(parameters) * DAY_SECONDS;
  const dayOf = ({ time }: SinkPayment) => Math.floor(time / DAY_SECONDS);
  const isText = shapeOfStream(parameters).transactionId === "text";
  return payments
    .filter((payment) =>
      dayOf(payment) >= days.from && dayOf(payment) < days.to
    )
    .sort((a, b) =>
      dayOf(a) - dayOf(b) ||
      // The ids are ASCII.
      (isText ? (a.id < b.id ? -1 : 1) : Number(a.id) - Number(b.id))
    )
    .flatMap((payment) => {
      const own = byId.get(payment.id) ?? [];
      const fraud = labelAt(own, payment, { asOf, matureSeconds });
      return fraud === undefined ? [] : [{ ...payment, fraud }];
    });
}

/** What a model's file says of what it was trained on, by the plain rule. */
export function trainingOf(
  accepted: Accepted,
  days: { readonly from: number; readonly to: number },
  asOf: number,
): {
  readonly rows: number;
  readonly frauds: number;
  readonly fingerprint: string;
} {
  const rows = knownPayments(accepted, days, asOf);
  const names = featureNames(accepted.parameters.features);
  const hash = createHash("sha256");
  hash.update(["TX_AMOUNT", ...names].join(",") + "\n");
  const column = (values: number[]) =>
    hash.update(new Uint8Array(Float64Array.from(values).buffer));
  if (shapeOfStream(accepted.parameters).transactionId === "text") {
    const ids = rows.map(({ id }) => `${id}\n`).join("");
    hash.update(createHash("sha256").update(ids).digest("hex") + "\n");
  } else column(rows.map(({ id }) => Number(id)));
  column(rows.map(({ fraud }) => fraud));
  for (let at = 0; at <= names.length; at++) {
    column(rows.map(({ values }) => values[at]));
  }
  return {
    rows: rows.length,
    frauds: rows.filter(({ fraud }) => fraud === 1).length,
    fingerprint: hash.digest("hex"),
  };
}
