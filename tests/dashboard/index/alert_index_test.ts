/** The index of alerts beside a plain recomputation from the topics and the store, whatever happens in between. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { readAlertQuery } from "../../../src/dashboard/index/alert_filter.ts";
import {
  AlertIndex,
  EMPTY_STEP,
} from "../../../src/dashboard/index/alert_index.ts";
import { SUM } from "../../../src/dashboard/index/day_sums.ts";
import { IndexFile } from "../../../src/dashboard/index/index_file.ts";
import { LiveReader } from "../../../src/dashboard/server/live_reader.ts";
import { LiveState } from "../../../src/dashboard/views/live_state.ts";
import { FeatureJsonWriter } from "../../../src/features/feature_row.ts";
import { HANDBOOK_FEATURES } from "../../../src/features/parameters.ts";
import { type Log, readRange } from "../../../src/log/log.ts";
import { partitionOf } from "../../../src/log/partitioner.ts";
import {
  RecordBatchBuilder,
  recordValue,
} from "../../../src/log/record_batch.ts";
import { CASE_KINDS, type CaseEvent } from "../../../src/payment/case_json.ts";
import type { Payment } from "../../../src/payment/payment.ts";
import {
  emptyPredictions,
  type PredictionRows,
} from "../../../src/payment/prediction.ts";
import { PredictionJsonReader } from "../../../src/payment/prediction_json.ts";
import {
  appendCaseSteps,
  readDecisions,
  standingOf,
} from "../../../src/stream/case_events.ts";
import {
  CASE_TOPIC,
  LABEL_TOPIC,
  PREDICTION_TOPIC,
  SINK_TOPIC,
} from "../../../src/stream/topics.ts";
import { chance, forEachSeed } from "../../long.ts";
import { temporaryFolder } from "../../temporary_folder.ts";
import {
  type OpenFolder,
  openMemory,
  parametersOf,
} from "../../roles/pipeline.ts";
import { cellsOf, oneRow } from "../../store/store_contract.ts";
import { payment, prediction } from "../page_fixture.ts";

const DAY = 86_400;
const DELAY = 7 * DAY;
const PARTITIONS = 2;
/** Ids come again, so that one payment's prediction replaces another's. */
const IDS = 60;
const VALUES = oneRow(HANDBOOK_FEATURES).values;
const NEVER = new AbortController().signal;

/** A page process: its index and what fills it. */
interface PageProcess extends Disposable {
  readonly index: AlertIndex;
  readonly reader: LiveReader;
}

function startPage(
  { log, store, context }: OpenFolder,
  folder: string,
  replaced: (reason: string) => void = () => {},
): PageProcess {
  const index = new AlertIndex({
    file: IndexFile.take(folder),
    stream: context.control.identity?.id ?? "",
    delaySeconds: DELAY,
    replaced,
  });
  const reader = new LiveReader({
    log,
    control: context.control,
    features: HANDBOOK_FEATURES,
    startSeconds: undefined,
    state: new LiveState(DELAY),
    index,
    store: () => store,
    warn: () => {},
  });
  return { index, reader, [Symbol.dispose]: () => index[Symbol.dispose]() };
}

/** Appends a record as its producer does. */
async function append(
  log: Log,
  topic: string,
  key: number,
  write: (records: RecordBatchBuilder) => void,
): Promise<void> {
  const records = new RecordBatchBuilder();
  records.writer.whole(key);
  records.endKey();
  write(records);
  records.endRecord(0);
  const text = new TextEncoder().encode(String(key));
  const partition = partitionOf(text, PARTITIONS);
  const producer = await log.producer("test");
  await producer.append([{ topic, partition, records }]);
}

function appendJson(log: Log, topic: string, key: number, value: unknown) {
  const bytes = new TextEncoder().encode(JSON.stringify(value));
  return append(log, topic, key, ({ writer }) => writer.bytes(bytes));
}

async function publish({ log, store }: OpenFolder, row: Payment) {
  const writer = new FeatureJsonWriter(HANDBOOK_FEATURES);
  await append(log, SINK_TOPIC, row.terminalId, (records) => {
    writer.write(records.writer, row, Float64Array.from(VALUES));
  });
  await store.write(cellsOf([{ row, values: VALUES }]));
}

/** All values of a topic, partition by partition. */
async function valuesOf(log: Log, topic: string) {
  const values: Record<string, never>[] = [];
  for (const [p, end] of (await log.endOffsets(topic) ?? []).entries()) {
    for await (const batch of readRange(log, topic, p, 0, end)) {
      for (let i = 0; i < batch.count; i++) {
        const text = new TextDecoder().decode(recordValue(batch, i));
        values.push(JSON.parse(text));
      }
    }
  }
  return values;
}

/** What an index has to hold, plainly from the topics. */
async function recomputed(log: Log) {
  const payments = await valuesOf(log, SINK_TOPIC);
  const newest = new Map<number, Record<string, number>>();
  const predictions = await valuesOf(log, PREDICTION_TOPIC);
  for (const record of predictions) newest.set(record.TRANSACTION_ID, record);
  const byId = new Map<number, Record<string, number>>();
  for (const record of payments) byId.set(record.TRANSACTION_ID, record);
  const events = new Map<number, CaseEvent[]>();
  for (const event of [...await caseRecords(log), ...await legacyOf(log)]) {
    const { transactionId: id } = event;
    events.set(id, [...events.get(id) ?? [], event]);
  }
  const time = Math.max(0, ...payments.map((p) => p.TX_TIME_SECONDS));
  const cents = (record: Record<string, number>) =>
    Math.round(record.TX_AMOUNT * 100);
  const sum = (list: readonly Record<string, number>[]) =>
    list.reduce((total, record) => total + cents(record), 0);
  const alerts = [...newest.values()].filter(({ ALERT }) => ALERT === 1);
  const isKnown = ({ TX_FRAUD, TX_TIME_SECONDS }: Record<string, number>) =>
    TX_FRAUD === 1 && TX_TIME_SECONDS + DELAY <= time;
  const standing = (id: number) => standingOf(events.get(id) ?? []);
  const stopped = alerts.filter(({ TRANSACTION_ID: id }) => {
    const { verdict } = standing(id);
    return verdict ? verdict.label === 1 : isKnown(byId.get(id) ?? {});
  });
  return {
    known: {
      payments: payments.length,
      scored: predictions.length,
      alerts: alerts.length,
      cents: sum(payments),
      frauds: payments.filter(isKnown).length,
      fraudCents: sum(payments.filter(isKnown)),
      stoppedCents: sum(stopped),
    },
    alerts: alerts.map((record) => {
      const id = record.TRANSACTION_ID;
      const { verdict, assignee } = standing(id);
      const stored = byId.get(id);
      return {
        id,
        cents: cents(record),
        score: record.SCORE,
        customer: record.CUSTOMER_ID,
        state: verdict ? verdict.label === 1 ? "confirmed" : "cleared" : "open",
        assignee,
        fraud: stored?.TX_FRAUD,
        scenario: stored?.TX_FRAUD_SCENARIO,
      };
    }).sort((a, b) => a.id - b.id),
  };
}

async function caseRecords(log: Log): Promise<CaseEvent[]> {
  return (await valuesOf(log, CASE_TOPIC)).map((record) => ({
    eventId: record.EVENT_ID,
    transactionId: record.TRANSACTION_ID,
    kind: record.KIND,
    who: record.WHO,
    at: record.AT,
    label: record.LABEL,
    note: record.NOTE ?? "",
    undoes: record.UNDOES,
  }));
}

/** Labels that an older version has written. */
async function legacyOf(log: Log): Promise<CaseEvent[]> {
  return (await valuesOf(log, LABEL_TOPIC)).flatMap((record) =>
    record.EVENT_ID === undefined
      ? [{
        eventId: `label_topic/${record.DECIDED_AT}`,
        transactionId: record.TRANSACTION_ID,
        kind: "verdict" as const,
        who: record.ANALYST,
        at: record.DECIDED_AT,
        label: record.LABEL,
        note: "",
      }]
      : []
  );
}

/** The same from an index, all pages of it. */
function contentsOf({ index }: PageProcess) {
  const { filter } = readAlertQuery({ state: "all" });
  const { alerts: total } = index.queries.count(filter);
  const alerts = [];
  for (let page = 1; alerts.length < total; page++) {
    const found = index.queries.page(filter, page);
    assert.ok(found.length > 0);
    alerts.push(...found);
  }
  assert.equal(new Set(alerts.map(({ seq }) => seq)).size, total);
  const open = alerts.filter(({ state }) => state === "open");
  assert.deepEqual(index.queries.count(readAlertQuery({}).filter), {
    alerts: open.length,
    cents: open.reduce((sum, { cents }) => sum + cents, 0),
  });
  return {
    known: index.known(),
    alerts: alerts.map((
      { id, cents, score, customer, state, assignee, fraud, scenario },
    ) => ({ id, cents, score, customer, state, assignee, fraud, scenario }))
      .sort((a, b) => a.id - b.id),
  };
}

/** Lets a page read to the end. */
async function catchUp({ reader, index }: PageProcess): Promise<void> {
  for (;;) {
    const moved = await reader.look(NEVER);
    const waits = reader.reading !== undefined ||
      index.queries.unjoined(0, 1).length > 0 ||
      index.queries.unstored(1).length > 0;
    if (!moved && !waits) return;
    if (!moved) await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** The payment of an id, the same whenever it is published. */
function paymentOf(id: number): Payment {
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

/** One random thing that happens to the stream. */
async function happen(
  folder: OpenFolder,
  random: () => number,
  clock: { ms: number },
  done: CaseEvent[],
): Promise<void> {
  const { log } = folder;
  const below = (n: number) => Math.floor(random() * n);
  const id = below(IDS);
  clock.ms += below(3) * 1000;
  const at = new Date(clock.ms).toISOString();
  const what = random();
  if (what < 0.35) {
    const row = paymentOf(id);
    await publish(folder, row);
    // Mostly the prediction comes too, before or after others.
    if (random() < 0.9) {
      const record = prediction(row, below(1000) / 1000);
      await appendJson(log, PREDICTION_TOPIC, id, record);
    }
  } else if (what < 0.45) {
    const stored = (await folder.store.lookUp().payment(id))?.payment;
    if (!stored) return;
    const row = payment({
      ...stored,
      transactionId: id,
      customerId: Number(stored.customerId),
      terminalId: Number(stored.terminalId),
    });
    const record = prediction(row, below(1000) / 1000);
    await appendJson(log, PREDICTION_TOPIC, id, record);
  } else if (what < 0.5) {
    await appendJson(log, LABEL_TOPIC, id, {
      TRANSACTION_ID: id,
      LABEL: below(2),
      ANALYST: "Old",
      DECIDED_AT: at,
    });
  } else if (what < 0.55) {
    await appendJson(log, CASE_TOPIC, id, "no event");
  } else {
    const undone = new Set(done.map(({ undoes }) => undoes));
    const candidates = done.filter((event) =>
      event.kind !== "undo" && !undone.has(event.eventId)
    );
    const kind = CASE_KINDS[below(CASE_KINDS.length)];
    const target = candidates[below(candidates.length)];
    if (kind === "undo" && !target) return;
    const event: CaseEvent = {
      eventId: crypto.randomUUID(),
      transactionId: kind === "undo" ? target.transactionId : id,
      kind,
      who: ["Ada", "Grace"][below(2)],
      at,
      note: "",
      ...kind === "verdict" && { label: below(2) === 1 ? 1 : 0 },
      ...kind === "snooze" && { until: at },
      ...kind === "undo" && { undoes: target.eventId },
    };
    done.push(event);
    const label = event.label;
    const step = { event, timestampMs: 0 };
    await appendCaseSteps(log, [
      label === undefined ? step : { ...step, label },
    ]);
  }
}

Deno.test("an index is what its topics and store say, after any restart, fault and second page", async () => {
  await forEachSeed(6, 300, async (seed) => {
    await using memory = await openMemory(parametersOf(PARTITIONS));
    await using files = temporaryFolder();
    const random = chance(seed);
    const place = join(files.path, "page");
    // Reading breaks off at any point.
    let faults = 0;
    const read: Log["read"] = async (...where) => {
      if (faults > 0 && random() < 0.2) throw new Error("no answer");
      return await memory.log.read(...where);
    };
    const log = new Proxy(memory.log, {
      get(target, name) {
        if (name === "read") return read;
        const value = Reflect.get(target, name);
        return typeof value === "function" ? value.bind(target) : value;
      },
    });
    const folder = { ...memory, log };
    const clock = { ms: Date.UTC(2026, 0, 1) };
    const done: CaseEvent[] = [];
    let page = startPage(folder, place);
    for (let step = 0; step < 120; step++) {
      await happen(memory, random, clock, done);
      faults = random() < 0.3 ? 1 : 0;
      for (let n = Math.floor(random() * 3); n > 0; n--) {
        await page.reader.look(NEVER).catch(() => {});
      }
      if (random() < 0.06) {
        page[Symbol.dispose]();
        if (random() < 0.2) {
          Deno.writeTextFileSync(`${place}/alerts.sqlite`, "x");
        }
        page = startPage(folder, place);
      }
    }
    faults = 0;
    using first = page;
    using second = startPage(folder, place);
    for (const one of [first, second]) await catchUp(one);
    const wanted = await recomputed(memory.log);
    assert.deepEqual(contentsOf(first), wanted);
    assert.deepEqual(contentsOf(second), wanted);
    assert.equal(
      first.index.sums.total[SUM.alerts],
      wanted.alerts.length,
    );
    const standing = new Map<number, CaseEvent[]>();
    for (const event of await readDecisions(memory.log)) {
      if (event.undone) continue;
      const { transactionId: id } = event;
      standing.set(id, [...standing.get(id) ?? [], event]);
    }
    for (let id = 0; id < IDS; id++) {
      const kept = await memory.store.lookUp().verdicts(id);
      assert.deepEqual(
        kept.map(({ decidedAt, label }) => `${decidedAt} ${label}`).sort(),
        // Two of one moment share a row.
        [...new Map(standing.get(id)?.map(({ at, label }) => [at, label]))]
          .map(([at, label]) => `${at} ${label}`).sort(),
      );
    }
  });
});

/** Publishes payments and predictions of some ids. */
async function publishAll(folder: OpenFolder, ids: readonly number[]) {
  for (const id of ids) {
    const row = paymentOf(id);
    await publish(folder, row);
    await appendJson(
      folder.log,
      PREDICTION_TOPIC,
      id,
      prediction(row, id % 10 / 10),
    );
  }
}

Deno.test("an index of another stream, or of a log that was replaced, is made again", async () => {
  await using files = temporaryFolder();
  await using old = await openMemory(parametersOf(PARTITIONS));
  await using folder = await openMemory(parametersOf(PARTITIONS));
  await publishAll(old, [1, 2, 3, 4, 5, 6, 7, 8, 9]);
  await publishAll(folder, [15, 16, 17]);
  const reasons: string[] = [];
  const open = () =>
    startPage(folder, files.path, (reason) => reasons.push(reason));
  {
    using before = startPage(old, files.path);
    await catchUp(before);
    assert.equal(before.index.known().alerts, 5);
  }
  const wanted = await recomputed(folder.log);
  // As if the log were an older copy, or one that went on otherwise.
  for (const [more, check] of [[100, 0], [0, 1], [0, 0]]) {
    using page = open();
    await catchUp(page);
    assert.deepEqual(contentsOf(page), wanted);
    const positions = page.index.positions().map((position) => ({
      ...position,
      next: position.next + more,
      mark: position.mark &&
        { ...position.mark, check: position.mark.check ^ check },
    }));
    await page.index.commit({ ...EMPTY_STEP, positions });
  }
  assert.match(reasons.join(), /^it is another stream's$/);
});

/** Stores all predictions, and trims the log to its last records. */
async function storeAndTrim(folder: OpenFolder): Promise<void> {
  const { log, store } = folder;
  await store.predictions().write(
    rowsOf(await valuesOf(log, PREDICTION_TOPIC)),
  );
  const stream = folder.context.control.identity?.id ?? "";
  for (const topic of [SINK_TOPIC, PREDICTION_TOPIC]) {
    for (
      const [partition, end] of (await log.endOffsets(topic) ?? []).entries()
    ) {
      await store.savePositions([{
        stream,
        topic,
        partition,
        next: end,
        mark: undefined,
        lastId: undefined,
        metadata: "",
      }]);
      await log.trim(topic, partition, end - 2);
    }
  }
  const [sink] = await log.topics([SINK_TOPIC]);
  assert.ok(sink.startOffsets.some((start) => start > 0));
}

Deno.test("where the log has been trimmed, the index begins with what the store holds", async () => {
  await using files = temporaryFolder();
  await using folder = await openMemory(parametersOf(PARTITIONS));
  const { log, store } = folder;
  const ids = Array.from({ length: 40 }, (_, id) => id);
  await publishAll(folder, ids);
  const wanted = await recomputed(log);
  await storeAndTrim(folder);
  using page = startPage(folder, files.path);
  await catchUp(page);
  assert.deepEqual(contentsOf(page), wanted);
  const { rows, alerts } = await store.predictions().status();
  const { known } = contentsOf(page);
  assert.deepEqual([known.scored, known.alerts], [rows, alerts]);
  await publishAll(folder, [41, 42, 49]);
  await catchUp(page);
  assert.equal(page.index.known().payments, 43);
  assert.equal(page.index.known().alerts, alerts + 1);
});

Deno.test("an index that has slept while the log was trimmed takes what it missed from the store", async () => {
  await using files = temporaryFolder();
  await using folder = await openMemory(parametersOf(PARTITIONS));
  const { log } = folder;
  const ids = Array.from({ length: 40 }, (_, id) => id);
  await publishAll(folder, ids.slice(0, 10));
  using page = startPage(folder, files.path);
  await catchUp(page);
  const step = { kind: "verdict", label: 1, who: "Ada", note: "" } as const;
  const event = {
    ...step,
    ...{ eventId: crypto.randomUUID(), transactionId: 4 },
    at: new Date().toISOString(),
  };
  await appendCaseSteps(log, [{ event, label: 1, timestampMs: 0 }]);
  await publishAll(folder, ids.slice(10));
  const wanted = await recomputed(log);
  await storeAndTrim(folder);
  await catchUp(page);
  assert.deepEqual(contentsOf(page), wanted);
});

/** Prediction records as rows of the store. */
function rowsOf(records: readonly Record<string, never>[]): PredictionRows {
  const rows = emptyPredictions(records.length);
  const reader = new PredictionJsonReader();
  for (const record of records) {
    const bytes = new TextEncoder().encode(JSON.stringify(record));
    assert.equal(
      reader.read(bytes, 0, bytes.length, rows, rows.count),
      undefined,
    );
    rows.count++;
  }
  return rows;
}

Deno.test("a store that was replaced gets the verdicts again", async () => {
  await using files = temporaryFolder();
  await using folder = await openMemory(parametersOf(PARTITIONS));
  const lookUp = folder.store.lookUp();
  await publishAll(folder, [7]);
  const event: CaseEvent = {
    eventId: "one",
    transactionId: 7,
    kind: "verdict",
    who: "Ada",
    at: "2026-03-01T12:00:00.000Z",
    label: 1,
    note: "",
  };
  await appendCaseSteps(folder.log, [{ event, label: 1, timestampMs: 0 }]);
  for (let start = 1; start <= 2; start++) {
    using page = startPage(folder, files.path);
    await catchUp(page);
    assert.equal((await lookUp.verdicts(7)).length, 1);
    await lookUp.removeVerdict({ transactionId: 7, decidedAt: event.at });
  }
});
