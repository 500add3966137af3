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
import { HANDBOOK_FEATURES } from "../../../src/features/parameters.ts";
import { type Log, readRange } from "../../../src/log/log.ts";
import { recordValue } from "../../../src/log/record_batch.ts";
import { CASE_KINDS, type CaseEvent } from "../../../src/payment/case_json.ts";
import { formatDatetime } from "../../../src/payment/calendar.ts";
import type { TransactionId } from "../../../src/payment/payment.ts";
import type { PaymentShape } from "../../../src/payment/payment_shape.ts";
import { compareIds } from "../../../src/payment/text_heap.ts";
import { shapeOfStream } from "../../../src/stream/stream_definition.ts";
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
  TRANSACTION_LABEL_TOPIC,
} from "../../../src/stream/topics.ts";
import { chance, forEachSeed } from "../../long.ts";
import { temporaryFolder } from "../../temporary_folder.ts";
import {
  type OpenFolder,
  openMemory,
  parametersOf,
} from "../../roles/pipeline.ts";
import {
  appendJson,
  HANDBOOK_WORLD,
  type Json,
  PARTITIONS,
  predictionOf,
  publishPayment,
  type World,
  WORLDS,
} from "../worlds.ts";

const DAY = 86_400;
const DELAY = 7 * DAY;
/** Ids come again, so that one payment's prediction replaces another's. */
const IDS = 60;
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
  const shape = shapeOfStream(context.parameters);
  const index = new AlertIndex({
    file: IndexFile.take(folder),
    stream: context.control.identity?.id ?? "",
    delaySeconds: DELAY,
    shape,
    replaced,
  });
  const reader = new LiveReader({
    log,
    control: context.control,
    features: HANDBOOK_FEATURES,
    shape,
    startSeconds: undefined,
    state: new LiveState(DELAY, shape),
    index,
    store: () => store,
    warn: () => {},
  });
  return { index, reader, [Symbol.dispose]: () => index[Symbol.dispose]() };
}

/** All values of a topic, partition by partition. */
async function valuesOf(log: Log, topic: string) {
  const values: Json[] = [];
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
async function recomputed(log: Log, { parameters, scale }: World) {
  const { hasLabels } = shapeOfStream(parameters);
  const payments = await valuesOf(log, SINK_TOPIC);
  const newest = new Map<TransactionId, Json>();
  const predictions = await valuesOf(log, PREDICTION_TOPIC);
  for (const record of predictions) newest.set(record.TRANSACTION_ID, record);
  const byId = new Map<TransactionId, Json>();
  for (const record of payments) byId.set(record.TRANSACTION_ID, record);
  const labels = new Map<TransactionId, Json>();
  const arrived = hasLabels ? await valuesOf(log, TRANSACTION_LABEL_TOPIC) : [];
  for (const record of arrived) {
    const before = labels.get(record.TRANSACTION_ID);
    // Texts of this form compare as times do.
    if (before && before.KNOWN_AT > record.KNOWN_AT) continue;
    labels.set(record.TRANSACTION_ID, record);
  }
  const events = new Map<TransactionId, CaseEvent[]>();
  for (const event of [...await caseRecords(log), ...await legacyOf(log)]) {
    const { transactionId: id } = event;
    events.set(id, [...events.get(id) ?? [], event]);
  }
  const time = Math.max(0, ...payments.map((p) => p.TX_TIME_SECONDS));
  const cents = (record: Json) => Math.round(record.TX_AMOUNT * scale);
  const sum = (list: readonly Json[]) =>
    list.reduce((total, record) => total + cents(record), 0);
  const alerts = [...newest.values()].filter(({ ALERT }) => ALERT === 1);
  const isKnown = ({ TX_FRAUD, TX_TIME_SECONDS }: Json) =>
    TX_FRAUD === 1 && TX_TIME_SECONDS + DELAY <= time;
  const frauds = hasLabels
    ? [...labels.values()].filter(({ TX_FRAUD }) => TX_FRAUD === 1)
    : payments.filter(isKnown);
  const ids = new Set(frauds.map(({ TRANSACTION_ID }) => TRANSACTION_ID));
  const standing = (id: TransactionId) => standingOf(events.get(id) ?? []);
  const stopped = alerts.filter(({ TRANSACTION_ID: id }) => {
    const { verdict } = standing(id);
    if (verdict) return verdict.label === 1;
    return hasLabels ? ids.has(id) : isKnown(byId.get(id) ?? {});
  });
  return {
    known: {
      payments: payments.length,
      scored: predictions.length,
      alerts: alerts.length,
      cents: sum(payments),
      frauds: frauds.length,
      fraudCents: sum(frauds),
      stoppedCents: sum(stopped),
      ...hasLabels && { pending: pendingOf(payments, labels, time) },
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
        fraud: hasLabels
          ? labels.get(id)?.TX_FRAUD ?? undefined
          : stored?.TX_FRAUD,
        scenario: hasLabels && stored ? 0 : stored?.TX_FRAUD_SCENARIO,
      };
    }).sort((a, b) => compareIds(a.id, b.id)),
  };
}

/** Payments without a label on days that are not older than the delay, or all where no label holds. */
function pendingOf(
  payments: readonly Json[],
  labels: ReadonlyMap<TransactionId, Json>,
  time: number,
): number {
  const dayOf = ({ TX_TIME_SECONDS }: Json) =>
    Math.floor(TX_TIME_SECONDS / DAY);
  let pending = 0;
  const hasLabels = [...labels.values()].some(({ TX_FRAUD }) =>
    TX_FRAUD !== null
  );
  const from = hasLabels ? Math.floor((time - DELAY) / DAY) : 0;
  for (let day = from; day * DAY <= time; day++) {
    const known = [...labels.values()].filter((label) =>
      dayOf(label) === day && label.TX_FRAUD !== null
    );
    const made = payments.filter((payment) => dayOf(payment) === day);
    pending += Math.max(0, made.length - known.length);
  }
  return pending;
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
      .sort((a, b) => compareIds(a.id, b.id)),
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

/** One random thing that happens to the stream. */
async function happen(
  folder: OpenFolder,
  world: World,
  random: () => number,
  clock: { ms: number },
  done: CaseEvent[],
): Promise<void> {
  const { log } = folder;
  const below = (n: number) => Math.floor(random() * n);
  const n = below(IDS);
  const record = world.paymentOf(n);
  const id = record.TRANSACTION_ID;
  clock.ms += below(3) * 1000;
  const at = new Date(clock.ms).toISOString();
  const what = random();
  if (what < 0.35) {
    await publishPayment(folder, world, n);
    // Mostly the prediction comes too, before or after others.
    if (random() < 0.9) {
      const scored = predictionOf(record, below(1000) / 1000);
      await appendJson(log, PREDICTION_TOPIC, id, scored);
    }
  } else if (what < 0.45) {
    if (!await folder.store.lookUp().payment(id)) return;
    const scored = predictionOf(record, below(1000) / 1000);
    await appendJson(log, PREDICTION_TOPIC, id, scored);
  } else if (what < 0.65 && shapeOfStream(world.parameters).hasLabels) {
    // Any order of KNOWN_AT, with some that are equal, and some withdrawn.
    const progress = 1_530_000_000 + clock.ms / 1000 - Date.UTC(2026) / 1000;
    const knownAt = progress + 3 * (below(60) - 40);
    await appendJson(log, TRANSACTION_LABEL_TOPIC, id, {
      ...record,
      TX_FRAUD: [0, 1, 1, null][below(4)],
      TX_FRAUD_SCENARIO: 0,
      KNOWN_AT: formatDatetime(knownAt),
      KNOWN_TIME: formatDatetime(Math.max(knownAt, progress)),
    });
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
  await forEachSeed(8, 300, async (seed) => {
    const world = WORLDS[seed % WORLDS.length];
    await using memory = await openMemory(world.parameters);
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
      await happen(memory, world, random, clock, done);
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
    const wanted = await recomputed(memory.log, world);
    assert.deepEqual(contentsOf(first), wanted);
    assert.deepEqual(contentsOf(second), wanted);
    assert.equal(
      first.index.sums.total[SUM.alerts],
      wanted.alerts.length,
    );
    const standing = new Map<TransactionId, CaseEvent[]>();
    const { transactionId } = shapeOfStream(world.parameters);
    for (const event of await readDecisions(memory.log, transactionId)) {
      if (event.undone) continue;
      const { transactionId: id } = event;
      standing.set(id, [...standing.get(id) ?? [], event]);
    }
    for (let n = 0; n < IDS; n++) {
      const id = world.paymentOf(n).TRANSACTION_ID;
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
async function publishAll(
  folder: OpenFolder,
  numbers: readonly number[],
  world = HANDBOOK_WORLD,
): Promise<void> {
  for (const n of numbers) {
    const record = world.paymentOf(n);
    await publishPayment(folder, world, n);
    await appendJson(
      folder.log,
      PREDICTION_TOPIC,
      record.TRANSACTION_ID,
      predictionOf(record, n % 10 / 10),
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
  const wanted = await recomputed(folder.log, HANDBOOK_WORLD);
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
  const { log, store, context } = folder;
  const shape = shapeOfStream(context.parameters);
  await store.predictions().write(
    rowsOf(await valuesOf(log, PREDICTION_TOPIC), shape),
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
  for (const world of WORLDS) await beginTrimmed(world);
});

async function beginTrimmed(world: World): Promise<void> {
  await using files = temporaryFolder();
  await using folder = await openMemory(world.parameters);
  const { log, store } = folder;
  const ids = Array.from({ length: 40 }, (_, id) => id);
  await publishAll(folder, ids, world);
  const wanted = await recomputed(log, world);
  await storeAndTrim(folder);
  using page = startPage(folder, files.path);
  await catchUp(page);
  assert.deepEqual(contentsOf(page), wanted);
  const { rows, alerts } = await store.predictions().status();
  const { known } = contentsOf(page);
  assert.deepEqual([known.scored, known.alerts], [rows, alerts]);
  await publishAll(folder, [41, 42, 49], world);
  await catchUp(page);
  assert.equal(page.index.known().payments, 43);
  assert.equal(page.index.known().alerts, alerts + 1);
}

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
  const wanted = await recomputed(log, HANDBOOK_WORLD);
  await storeAndTrim(folder);
  await catchUp(page);
  assert.deepEqual(contentsOf(page), wanted);
});

/** Prediction records as rows of the store. */
function rowsOf(
  records: readonly Json[],
  shape: PaymentShape,
): PredictionRows {
  const rows = emptyPredictions(records.length);
  const reader = new PredictionJsonReader(shape);
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
