/** A page server over a log and a store in memory, with a stream in them. */
import { KEY_HEADER } from "../../src/dashboard/server/guard.ts";
import { parseTokens } from "../../src/dashboard/server/exposure.ts";
import { LiveReader } from "../../src/dashboard/server/live_reader.ts";
import { AlertIndex } from "../../src/dashboard/index/alert_index.ts";
import { IndexFile } from "../../src/dashboard/index/index_file.ts";
import { CaseWriter } from "../../src/dashboard/views/case_writer.ts";
import { LiveState } from "../../src/dashboard/views/live_state.ts";
import {
  type PageServer,
  pageServer,
} from "../../src/dashboard/server/page_server.ts";
import { RecordBatchBuilder } from "../../src/log/record_batch.ts";
import {
  CASE_TOPIC,
  LABEL_TOPIC,
  PREDICTION_TOPIC,
  SINK_TOPIC,
} from "../../src/stream/topics.ts";
import type { StreamParameters } from "../../src/stream/control.ts";
import { shapeOfStream } from "../../src/stream/stream_definition.ts";
import { HANDBOOK_FEATURES } from "../../src/features/parameters.ts";
import { cellsOf, oneRow } from "../store/store_contract.ts";
import {
  type OpenFolder,
  openMemory,
  parametersOf,
} from "../roles/pipeline.ts";
import { FeatureJsonWriter } from "../../src/features/feature_row.ts";
import type { Payment } from "../../src/payment/payment.ts";

/** 2018-04-01 00:00:00. */
const START_SECONDS = 1_522_540_800;
const DAY_SECONDS = 86_400;

/** A page and what is behind it. */
export interface PageFixture extends AsyncDisposable {
  /** The server. */
  readonly server: PageServer;
  /** Log, store and control. */
  readonly folder: OpenFolder;
  /** The newest part of the stream, as the page has read it. */
  readonly state: LiveState;
  /** What the page has read. */
  readonly index: AlertIndex;
  /** What reads it. */
  readonly reader: LiveReader;
  /** Publishes payments with all features, and stores them. */
  publish(payments: readonly Partial<Payment>[]): Promise<void>;
  /** Publishes predictions. */
  predict(records: readonly Record<string, unknown>[]): Promise<void>;
  /** Waits until a condition on the state holds. */
  until(condition: () => boolean): Promise<void>;
  /** Asks the server as a browser on this machine does, or from elsewhere. */
  ask(path: string, init?: RequestInit, address?: string): Promise<Response>;
  /** What the page sends with a write: its origin, cookie and key; `more` as the session is asked for. */
  fromPage(more?: Record<string, string>): Promise<Record<string, string>>;
}

/** A payment of that id, at noon of day 40. */
export function payment(over: Partial<Payment> = {}): Payment {
  const timeSeconds = over.timeSeconds ?? 40 * DAY_SECONDS + 43_200;
  return {
    transactionId: 7,
    customerId: 3,
    terminalId: 5,
    amount: 12.5,
    fraud: 0,
    scenario: 0,
    ...over,
    timeSeconds,
    datetimeSeconds: START_SECONDS + timeSeconds,
  };
}

/** A prediction's record about a payment. */
export function prediction(
  { transactionId, customerId, terminalId, amount, timeSeconds }: Payment,
  score: number,
): Record<string, unknown> {
  const time = new Date((START_SECONDS + timeSeconds) * 1000).toISOString();
  return {
    TRANSACTION_ID: transactionId,
    TX_DATETIME: time.slice(0, 19).replace("T", " "),
    CUSTOMER_ID: customerId,
    TERMINAL_ID: terminalId,
    TX_AMOUNT: amount,
    TX_TIME_SECONDS: timeSeconds,
    SCORE: score,
    ALERT: score >= 0.5 ? 1 : 0,
    MODEL_VERSION: "0123456789ab",
    CONTRIBUTIONS: { TX_AMOUNT: 1.5, TERMINAL_ID_RISK_7DAY_WINDOW: -0.25 },
  };
}

/** What a browser adds to a write from the page itself. */
export const FROM_PAGE = {
  "content-type": "application/json",
  origin: "http://127.0.0.1:8080",
  "sec-fetch-site": "same-origin",
};

/** What a page can have. */
export interface PageExtras {
  /** Whether changes need a second person. */
  readonly requireApproval?: boolean;
  /** The registry's folder. */
  readonly models?: string;
}

/** Opens a page whose tokens, if it has any, are these lines. */
export async function openPage(
  tokens?: string,
  behindProxy = false,
  stream: StreamParameters = parametersOf(2),
  extras: PageExtras = {},
): Promise<PageFixture> {
  const parameters = { ...stream, startSeconds: START_SECONDS };
  const folder = await openMemory(parameters);
  const topics = [CASE_TOPIC, LABEL_TOPIC, PREDICTION_TOPIC].map((name) => {
    return { name, partitions: 2, compacted: false };
  });
  await folder.log.createTopics(topics);
  if (extras.requireApproval) {
    await folder.context.control.requireApproval(true);
  }
  const page = servePage(folder, tokens, behindProxy, extras);
  return {
    ...page,
    async [Symbol.asyncDispose]() {
      await page[Symbol.asyncDispose]();
      await folder[Symbol.asyncDispose]();
    },
  };
}

/** Opens another page on the stream of one that is open. */
export function openSecondPage({ folder }: PageFixture): PageFixture {
  return servePage(folder, undefined, false);
}

/** Serves a page of an open folder, which stays open. */
function servePage(
  folder: OpenFolder,
  tokens: string | undefined,
  behindProxy: boolean,
  { models }: PageExtras = {},
): PageFixture {
  const end = new AbortController();
  const { log, store, context } = folder;
  const { parameters } = context;
  const delaySeconds = parameters.features.delayDays * DAY_SECONDS;
  const shape = shapeOfStream(parameters);
  const state = new LiveState(delaySeconds, shape);
  const index = new AlertIndex({
    file: IndexFile.take(undefined),
    stream: context.control.identity?.id ?? "",
    delaySeconds,
    shape,
    replaced: () => {},
  });
  const reader = new LiveReader({
    log,
    control: context.control,
    features: parameters.features,
    shape,
    startSeconds: START_SECONDS,
    state,
    index,
    store: () => store,
    warn: () => {},
  });
  const server = pageServer({
    log,
    control: context.control,
    parameters,
    currency: shape.currency ?? "EUR",
    reader,
    state,
    index,
    cases: new CaseWriter({
      log,
      read: (eventIds) => reader.readCases(eventIds),
      eventsOf: (id) => index.queries.events(id),
    }),
    usualOf: () => undefined,
    lookUp: () => store.lookUp(),
    latency: () => undefined,
    metrics: () => store.predictions().metrics(),
    models,
    tokens: parseTokens(tokens ?? ""),
    behindProxy,
    process: { threads: ["producer"], log: "memory", store: "memory" },
  });
  const reading = reader.run(end.signal);
  const ask = async (
    path: string,
    { headers, ...init }: RequestInit = {},
    address = "127.0.0.1",
  ) =>
    await server.fetch(
      new Request(`http://127.0.0.1:8080${path}`, {
        ...init,
        headers: {
          host: "127.0.0.1:8080",
          ...typeof init.body === "string" && {
            "content-length": String(init.body.length),
          },
          ...headers as Record<string, string>,
        },
      }),
      address,
    );
  return {
    server,
    folder,
    state,
    reader,
    index,
    async publish(payments) {
      const writer = new FeatureJsonWriter(HANDBOOK_FEATURES);
      const { values } = oneRow(HANDBOOK_FEATURES);
      const records = new RecordBatchBuilder();
      const rows = payments.map(payment);
      for (const row of rows) {
        records.writer.whole(row.terminalId);
        records.endKey();
        writer.write(records.writer, row, Float64Array.from(values));
        records.endRecord(row.datetimeSeconds * 1000);
      }
      const producer = await log.producer("test");
      await producer.append([{ topic: SINK_TOPIC, partition: 0, records }]);
      await store.write(cellsOf(rows.map((row) => ({ row, values }))));
    },
    async predict(list) {
      const records = new RecordBatchBuilder();
      for (const record of list) {
        const key = new TextEncoder().encode(String(record.TRANSACTION_ID));
        const value = new TextEncoder().encode(JSON.stringify(record));
        records.add(key, value, 0);
      }
      const producer = await log.producer("test");
      await producer.append([
        { topic: PREDICTION_TOPIC, partition: 1, records },
      ]);
    },
    async until(condition) {
      while (!condition()) await log.changed(5, end.signal);
    },
    ask,
    async fromPage(more = {}) {
      const answer = await ask("/api/session", {
        headers: { "sec-fetch-site": "same-origin", ...more },
      });
      const { key } = await answer.json();
      const cookie = answer.headers.get("set-cookie")?.split(";")[0];
      return {
        ...FROM_PAGE,
        ...more,
        [KEY_HEADER]: String(key),
        ...cookie && { cookie },
      };
    },
    async [Symbol.asyncDispose]() {
      end.abort();
      server.close();
      await reading;
      index[Symbol.dispose]();
    },
  };
}
