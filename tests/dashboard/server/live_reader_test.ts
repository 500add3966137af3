/** When the page says that its numbers are not those of this moment. */
import assert from "node:assert/strict";
import { AlertIndex } from "../../../src/dashboard/index/alert_index.ts";
import { IndexFile } from "../../../src/dashboard/index/index_file.ts";
import {
  LiveReader,
  type LiveReaderOptions,
} from "../../../src/dashboard/server/live_reader.ts";
import { LiveState } from "../../../src/dashboard/views/live_state.ts";
import { HANDBOOK_FEATURES } from "../../../src/features/parameters.ts";
import type { Log } from "../../../src/log/log.ts";
import { RecordBatchBuilder } from "../../../src/log/record_batch.ts";
import type { Store } from "../../../src/store/store.ts";
import { appendCaseSteps } from "../../../src/stream/case_events.ts";
import { SCORER_GROUP, SINK_TOPIC } from "../../../src/stream/topics.ts";
import { openMemory, parametersOf } from "../../roles/pipeline.ts";
import { FeatureJsonWriter } from "../../../src/features/feature_row.ts";
import { oneRow } from "../../store/store_contract.ts";
import { openPage, payment, prediction } from "../page_fixture.ts";

const NEVER = new AbortController().signal;
const RECORDS = 10_000;

/** Looks until a condition holds. */
async function lookUntil(
  reader: LiveReader,
  condition: () => boolean,
): Promise<void> {
  while (!condition()) {
    await reader.look(NEVER);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function newReader(
  log: Log,
  context: Awaited<ReturnType<typeof openMemory>>["context"],
  store: () => Store | undefined,
  more: Partial<LiveReaderOptions> = {},
) {
  const index = new AlertIndex({
    file: IndexFile.take(undefined),
    stream: "",
    delaySeconds: 0,
    replaced: () => {},
  });
  const reader = new LiveReader({
    log,
    control: context.control,
    features: HANDBOOK_FEATURES,
    startSeconds: undefined,
    state: new LiveState(0),
    index,
    store,
    warn: () => {},
    ...more,
  });
  return { reader, index, [Symbol.dispose]: () => index[Symbol.dispose]() };
}

Deno.test("a look takes a part of what is new, so that the page answers in between, and all looks each record once", async () => {
  await using folder = await openMemory(parametersOf(2));
  const { log, store, context } = folder;
  const writer = new FeatureJsonWriter(HANDBOOK_FEATURES);
  const values = Float64Array.from(oneRow(HANDBOOK_FEATURES).values);
  const producer = await log.producer("test");
  for (const partition of [0, 1]) {
    const records = new RecordBatchBuilder();
    for (let i = 0; i < RECORDS / 2; i++) {
      records.endKey();
      const transactionId = 2 * i + partition;
      writer.write(records.writer, payment({ transactionId }), values);
      records.endRecord(0);
    }
    await producer.append([{ topic: SINK_TOPIC, partition, records }]);
  }
  using page = newReader(log, context, () => store);
  const { reader, index } = page;
  const seen: number[] = [];
  while (seen.at(-1) !== RECORDS) {
    await reader.look(NEVER);
    seen.push(index.known().payments);
  }
  assert.ok(seen[0] < RECORDS / 10, `${seen[0]} at once`);
  await lookUntil(reader, () => reader.reading === undefined);
  assert.equal(index.known().payments, RECORDS);
});

Deno.test("while a scorer scores the past, the page says how far it is", async () => {
  await using folder = await openMemory(parametersOf(1));
  const { log, store, context } = folder;
  const records = new RecordBatchBuilder();
  for (let i = 0; i < RECORDS; i++) {
    records.add(new Uint8Array(1), new Uint8Array(1), 0);
  }
  const producer = await log.producer("test");
  await producer.append([{ topic: SINK_TOPIC, partition: 0, records }]);
  await context.control.declareScored();
  let scored = 0;
  const committed: Log["committed"] = async (group, topic) =>
    group === SCORER_GROUP
      ? [{ offset: scored, metadata: "" }]
      : await log.committed(group, topic);
  const scoring = new Proxy(log, {
    get(target, name) {
      if (name === "committed") return committed;
      const value = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  using page = newReader(scoring, context, () => store);
  const { reader } = page;
  assert.deepEqual(reader.reading, { what: "history", share: 0 });
  // A scorer that does not move is not at work: the numbers are what they are.
  await lookUntil(reader, () => reader.reading === undefined);
  scored = RECORDS / 4;
  await lookUntil(reader, () => reader.reading !== undefined);
  assert.deepEqual(reader.reading, { what: "scoring", share: 0.25 });
  scored = RECORDS;
  await lookUntil(reader, () => reader.reading === undefined);
});

Deno.test("history is not read before the payments of its alerts are known", async () => {
  await using page = await openPage();
  await page.publish([payment()]);
  await page.predict([prediction(payment(), 0.9)]);
  const { log, store, context } = page.folder;
  const reached: { store?: Store } = {};
  using second = newReader(log, context, () => reached.store);
  const { reader } = second;
  for (let look = 0; look < 10; look++) await reader.look(NEVER);
  assert.deepEqual(reader.reading, { what: "history", share: 1 });
  reached.store = store;
  await lookUntil(reader, () => reader.reading === undefined);
});

Deno.test("an action counts as done when the log shows it, though that is after it was acknowledged", async () => {
  await using page = await openPage();
  const eventId = "11111111-2222-4333-8444-555555555555";
  const shown = page.reader.readCases([eventId]);
  const at = new Date(0).toISOString();
  await new Promise((resolve) => setTimeout(resolve, 30));
  const event = { eventId, transactionId: 7, who: "anna", at, note: "" };
  const late = appendCaseSteps(page.folder.log, [
    { event: { ...event, kind: "claim" }, timestampMs: 0 },
  ]);
  await shown;
  assert.equal(page.index.queries.event(eventId)?.kind, "claim");
  await late;
});

/** The same object with some members replaced. */
function withMembers<T extends object>(target: T, members: Partial<T>): T {
  return new Proxy(target, {
    get(target, name) {
      if (Object.hasOwn(members, name)) return Reflect.get(members, name);
      const value = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

Deno.test("a store that does not answer does not hold up what the log says", async () => {
  await using page = await openPage();
  const { log, store, context } = page.folder;
  const asked = Promise.withResolvers<undefined>();
  const silent = withMembers<Store>(store, {
    lookUp: () => withMembers(store.lookUp(), { payment: () => asked.promise }),
  });
  using second = newReader(log, context, () => silent);
  const { reader, index } = second;
  for (const transactionId of [7, 8, 9]) {
    const row = payment({ transactionId });
    await page.publish([row]);
    await page.predict([prediction(row, 0.9)]);
    await lookUntil(reader, () => index.known().alerts === transactionId - 6);
  }
  assert.deepEqual(reader.reading, { what: "history", share: 1 });
  asked.resolve(undefined);
  await lookUntil(reader, () => reader.reading === undefined);
});

Deno.test("a store that fails again and again is reported once a minute", async () => {
  await using page = await openPage();
  await page.publish([payment()]);
  await page.predict([prediction(payment(), 0.9)]);
  const { log, store, context } = page.folder;
  const reports: string[] = [];
  let [failures, nowMs] = [0, 0];
  const failing = withMembers<Store>(store, {
    lookUp: () =>
      withMembers(store.lookUp(), {
        payment: () => Promise.reject(new Error(`failure ${++failures}`)),
      }),
  });
  using second = newReader(log, context, () => failing, {
    warn: (message, { error }) => reports.push(`${message}: ${error}`),
    now: () => nowMs += 1000,
  });
  const failed = (times: number) =>
    lookUntil(second.reader, () => failures >= times);
  await failed(5);
  assert.deepEqual(reports, ["the page cannot use the store: failure 1"]);
  nowMs += 60_000;
  await failed(failures + 5);
  assert.equal(reports.length, 2);
});

Deno.test("a log that does not answer is a problem until it answers", async () => {
  await using page = await openPage();
  const { log, store, context } = page.folder;
  let nowMs = 0;
  let gate = Promise.resolve();
  const slow = withMembers<Log>(log, {
    read: (...args) => gate.then(() => log.read(...args)),
  });
  using second = newReader(slow, context, () => store, { now: () => nowMs });
  const { reader } = second;
  await reader.look(NEVER);
  assert.equal(reader.problem, undefined);
  const answer = Promise.withResolvers<void>();
  gate = answer.promise;
  const looking = reader.look(NEVER);
  nowMs = 4000;
  assert.equal(reader.problem, undefined);
  nowMs = 6000;
  assert.equal(reader.problem, "the log does not answer");
  answer.resolve();
  await looking;
  assert.equal(reader.problem, undefined);
});
