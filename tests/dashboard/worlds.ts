/** Streams of payments for tests of the page: the handbook's, and one with a definition. */
import assert from "node:assert/strict";
import { readDefinition } from "../../src/definition/read_definition.ts";
import {
  FeatureJsonReader,
  featureRowCells,
} from "../../src/features/feature_row.ts";
import {
  featureNames,
  HANDBOOK_FEATURES,
} from "../../src/features/parameters.ts";
import type { Log } from "../../src/log/log.ts";
import { partitionOf } from "../../src/log/partitioner.ts";
import { RecordBatchBuilder } from "../../src/log/record_batch.ts";
import { formatDatetime } from "../../src/payment/calendar.ts";
import type { Payment } from "../../src/payment/payment.ts";
import { TextHeap } from "../../src/payment/text_heap.ts";
import type { StreamParameters } from "../../src/stream/control.ts";
import {
  recordedDefinition,
  shapeOfStream,
} from "../../src/stream/stream_definition.ts";
import { SINK_TOPIC } from "../../src/stream/topics.ts";
import { chance } from "../long.ts";
import { type OpenFolder, parametersOf } from "../roles/pipeline.ts";
import { oneRow } from "../store/store_contract.ts";
import { payment } from "./page_fixture.ts";

const DAY = 86_400;
const VALUES = oneRow(HANDBOOK_FEATURES).values;
/** Partitions of their topics. */
export const PARTITIONS = 2;

/** Appends a record as its producer does. */
export async function appendJson(
  log: Log,
  topic: string,
  key: number | string,
  value: unknown,
): Promise<void> {
  const records = new RecordBatchBuilder();
  const text = new TextEncoder().encode(String(key));
  records.add(text, new TextEncoder().encode(JSON.stringify(value)), 0);
  const partition = partitionOf(text, PARTITIONS);
  const producer = await log.producer("test");
  await producer.append([{ topic, partition, records }]);
}

/** Publishes the payment of a number, and stores it. */
export async function publishPayment(
  { log, store, context }: OpenFolder,
  { paymentOf }: World,
  n: number,
): Promise<void> {
  const record = paymentOf(n);
  await appendJson(log, SINK_TOPIC, record.TERMINAL_ID, record);
  const shape = shapeOfStream(context.parameters);
  const reader = new FeatureJsonReader(HANDBOOK_FEATURES, shape);
  const cells = new Float64Array(featureRowCells(HANDBOOK_FEATURES, shape));
  const texts = new TextHeap();
  const bytes = new TextEncoder().encode(JSON.stringify(record));
  const bad = reader.read(bytes, 0, bytes.length, undefined, cells, 0, texts);
  assert.equal(bad, undefined);
  await store.write({ cells, count: 1, texts });
}

/** A record of JSON, whose numbers are what most of it is asked for. */
// deno-lint-ignore no-explicit-any
export type Json = Record<string, any>;

/** Payments by small numbers, in the form that they have in a stream. */
export interface World {
  readonly parameters: StreamParameters;
  /** How many minor units are 1. */
  readonly scale: number;
  /** The record of a payment with its features, the same whenever it is published. */
  readonly paymentOf: (n: number) => Json;
}

/** The handbook's payments. */
export const HANDBOOK_WORLD: World = {
  parameters: parametersOf(PARTITIONS),
  scale: 100,
  paymentOf(n) {
    const row = handbookPayment(n);
    return { ...payloadOf(row), ...featuresOf() };
  },
};

/** Ids that are hard for links, tables and order. */
const HARD_IDS = [
  "<script>",
  "a/b",
  "..",
  '"',
  "''",
  " x ",
  "\u05d0\u05d1",
  "%2F",
];

/** Text ids, a kept field, refunds of three decimals, and labels that come later. */
export const TEXT_WORLD: World = {
  parameters: {
    ...parametersOf(PARTITIONS),
    features: { ...HANDBOOK_FEATURES, graceSeconds: DAY, decimals: 3 },
    definition: recordedDefinition(readDefinition(
      `version: 1
payment:
  TRANSACTION_ID: { from: id, type: text }
  TX_DATETIME: { from: at, format: "yyyy-MM-dd HH:mm:ss", zone: UTC }
  CUSTOMER_ID: { from: card, type: text }
  TERMINAL_ID: { from: shop, type: text }
  TX_AMOUNT: { from: amount, decimals: 3, currency: TND, refunds: true }
  keep: { category: text }
labels: { from: stream, delay: 7d, grace: 1d }
`,
      "test",
    )),
  },
  scale: 1000,
  paymentOf(n) {
    const { TX_FRAUD: _, TX_FRAUD_SCENARIO: __, ...record } = payloadOf(
      handbookPayment(n),
    );
    const { TRANSACTION_ID, CUSTOMER_ID, TERMINAL_ID, TX_AMOUNT } = record;
    return {
      ...record,
      TRANSACTION_ID: `${
        HARD_IDS[TRANSACTION_ID % HARD_IDS.length]
      }${TRANSACTION_ID}`,
      CUSTOMER_ID: `4${String(CUSTOMER_ID).padStart(18, "0")}`,
      TERMINAL_ID: HARD_IDS[TERMINAL_ID],
      TX_AMOUNT: (TX_AMOUNT * 100 - 5000) / 1000,
      category: TERMINAL_ID % 2 === 0 ? null : "grocery",
      ...featuresOf(),
    };
  },
};

/** All of them. */
export const WORLDS: readonly World[] = [HANDBOOK_WORLD, TEXT_WORLD];

/** The keys of a payment's record. */
function payloadOf(row: Payment): Json {
  return {
    TRANSACTION_ID: row.transactionId,
    TX_DATETIME: formatDatetime(row.datetimeSeconds),
    CUSTOMER_ID: row.customerId,
    TERMINAL_ID: row.terminalId,
    TX_AMOUNT: row.amount,
    TX_TIME_SECONDS: row.timeSeconds,
    TX_TIME_DAYS: Math.floor(row.timeSeconds / DAY),
    TX_FRAUD: row.fraud,
    TX_FRAUD_SCENARIO: row.scenario,
  };
}

function featuresOf(): Json {
  const names = featureNames(HANDBOOK_FEATURES);
  return Object.fromEntries(names.map((name, i) => [name, VALUES[i]]));
}

/** A prediction's record about a payment's. */
export function predictionOf(payment: Json, score: number): Json {
  const { TRANSACTION_ID, TX_DATETIME, CUSTOMER_ID, TERMINAL_ID } = payment;
  const { TX_AMOUNT, TX_TIME_SECONDS } = payment;
  return {
    ...{ TRANSACTION_ID, TX_DATETIME, CUSTOMER_ID, TERMINAL_ID },
    ...{ TX_AMOUNT, TX_TIME_SECONDS, SCORE: score },
    ALERT: score >= 0.5 ? 1 : 0,
    MODEL_VERSION: "0123456789ab",
    CONTRIBUTIONS: { TX_AMOUNT: 1.5, TERMINAL_ID_RISK_7DAY_WINDOW: -0.25 },
  };
}

/** The handbook's payment of an id, the same whenever it is published. */
function handbookPayment(id: number): Payment {
  const random = chance(id);
  const below = (n: number) => Math.floor(random() * n);
  const fraud = below(2);
  return payment({
    transactionId: id,
    customerId: below(5),
    terminalId: below(4),
    amount: below(10_000) / 100,
    timeSeconds: below(30 * DAY),
    fraud,
    scenario: fraud * (1 + below(3)),
  });
}
