import type { NewLabel } from "../../../src/dashboard/index/alert_index.ts";
import type { TransactionId } from "../../../src/payment/payment.ts";
import { UNLABELLED_SHAPE } from "../../../src/payment/payment_shape.ts";
import { TextHeap } from "../../../src/payment/text_heap.ts";
import { chance, forEachSeed } from "../../long.ts";
import assert from "node:assert/strict";
import {
  LiveState,
  NewestById,
} from "../../../src/dashboard/views/live_state.ts";
import {
  firstFrom,
  placesOf,
  RecordDecoder,
} from "../../../src/dashboard/views/records.ts";
import { HANDBOOK_FEATURES } from "../../../src/features/parameters.ts";
import { EmbeddedLog } from "../../../src/log/embedded/embedded_log.ts";
import { READ_LIMIT } from "../../../src/log/log.ts";
import {
  type RecordBatch,
  RecordBatchBuilder,
} from "../../../src/log/record_batch.ts";
import { readLabel } from "../../../src/payment/label_json.ts";
import {
  emptyPredictions,
  PREDICTION_CELLS,
} from "../../../src/payment/prediction.ts";

const DAY = 86_400;
const DELAY = 7 * DAY;
/** Place of a terminal's risk behind the payment's cells. */
const RISK = 8;

/** Payments as rows: id, and what is not the same for all. */
interface Row {
  readonly id: number;
  readonly time?: number;
  readonly terminal?: number;
  readonly fraud?: number;
  readonly scenario?: number;
  readonly risk?: number;
}

function payments(...list: readonly Row[]) {
  const cells = list.flatMap((
    {
      id,
      time = id * 60,
      terminal = id % 7,
      fraud = 0,
      scenario = 0,
      risk = 0,
    },
  ) => [id, time, id % 10, terminal, 10, time, fraud, scenario, risk]);
  return {
    cells: Float64Array.from(cells),
    width: RISK + 1,
    count: list.length,
    offsets: Float64Array.from(list, (_, i) => i),
    texts: new TextHeap(),
  };
}

/** Alerts about payments. */
function alerts(...ids: readonly number[]) {
  const rows = emptyPredictions(ids.length);
  for (const [i, id] of ids.entries()) {
    const cells = [id, 0, id % 10, id % 7, 10, id * 60, 0.9, 1];
    rows.cells.set(cells, i * PREDICTION_CELLS);
    rows.versions[i] = "m";
    rows.count++;
  }
  return rows;
}

Deno.test("memory is bounded: payments and seconds are forgotten", () => {
  const state = new LiveState(DELAY);
  const each = 10_000;
  for (let id = 0; id < 300_000; id += each) {
    const ids = Array.from({ length: each }, (_, i) => id + i);
    const rows = ids.map((id) => ({ id, time: id * 200, fraud: id % 2 }));
    state.addPayments(payments(...rows), 0, RISK, id / 100);
    state.addPredictions(alerts(...ids), 0, id / 100);
  }
  assert.equal(state.payment(0), undefined);
  assert.ok(state.payment(299_999));
  assert.equal(state.recent().length, 40);
  assert.equal(state.recent()[0].id, 299_999);
  const { payments: counted, alerts: raised, from } = state.seconds(2901);
  assert.deepEqual([counted.length, from], [120, 2781]);
  assert.deepEqual([counted.at(-1), raised.at(-1)], [each, each]);
});

Deno.test("what is read back counts for no second of the clock", () => {
  const state = new LiveState(DELAY);
  state.addPayments(payments({ id: 1 }), 0, RISK, undefined);
  state.addPredictions(alerts(1), 0, undefined);
  state.addPayments(payments({ id: 2 }, { id: 3 }), 1, RISK, 100);
  const { payments: counted, alerts: raised } = state.seconds(101);
  assert.deepEqual([counted.at(-1), raised.at(-1)], [1, 0]);
  assert.equal(state.payment(2), undefined);
});

Deno.test("a prediction that comes before its payment meets it all the same", () => {
  const state = new LiveState(DELAY);
  state.addPredictions(alerts(1), 0, 0);
  state.addPayments(payments({ id: 1, fraud: 1, scenario: 3 }), 0, RISK, 0);
  assert.equal(state.payment(1)?.score, 0.9);
  assert.equal(state.scores.days()[0].hits, 1);
});

Deno.test("frauds of a place count once their labels are known, each once", () => {
  const state = new LiveState(DELAY);
  const fraudsOf = () => {
    state.learnLabels();
    return state.terminals.get(5)?.frauds;
  };
  const fraud = { id: 1, terminal: 5, fraud: 1, scenario: 1, time: DAY };
  state.addPayments(payments(fraud), 0, RISK, 0);
  assert.equal(fraudsOf(), 0);
  state.addPayments(payments({ id: 2, time: 8 * DAY - 1 }), 0, RISK, 0);
  assert.equal(fraudsOf(), 0);
  state.addPayments(payments({ id: 3, time: 8 * DAY }), 0, RISK, 0);
  assert.equal(fraudsOf(), 1);
  assert.equal(fraudsOf(), 1);
});

Deno.test("a terminal is compromised for 28 days after its last such payment", () => {
  const state = new LiveState(DELAY);
  const add = (row: Row) => state.addPayments(payments(row), 0, RISK, 0);
  add({ id: 1, terminal: 5, fraud: 1, scenario: 2, time: DAY, risk: 0.5 });
  const [terminal] = [...state.terminals.values()];
  assert.ok(state.isCompromised(terminal));
  add({ id: 2, terminal: 6, time: 28 * DAY });
  assert.ok(state.isCompromised(terminal));
  add({ id: 3, terminal: 6, time: 29 * DAY });
  assert.ok(!state.isCompromised(terminal));
  assert.equal(terminal.risk, 0.5);
});

Deno.test("labels that come later count for places and scores, in whatever order everything is read", async () => {
  await forEachSeed(20, 2000, (seed) => {
    const random = chance(seed);
    const below = (n: number) => Math.floor(random() * n);
    const rows = Array.from({ length: 30 }, (_, id) => {
      return { id, terminal: id % 7, fraud: -1, time: id * 60 };
    });
    const labels = Array.from({ length: 40 }, (): NewLabel => {
      const { id, time } = rows[below(rows.length)];
      const knownAt = below(20);
      const fraud = ([0, 1, 1, null] as const)[below(4)];
      return { id, time, amount: 10, fraud, knownAt, knownTime: knownAt };
    });
    const state = new LiveState(DELAY, UNLABELLED_SHAPE);
    const steps = [
      ...rows.map((row) => () => state.addPayments(payments(row), 0, RISK, 0)),
      ...rows.map(({ id }) => () => state.addPredictions(alerts(id), 0, 0)),
    ].sort(() => random() - 0.5);
    // Those of a payment stay in their order, as in a partition.
    const holds = new Map<TransactionId, NewLabel>();
    for (const label of labels) {
      const at = below(steps.length + 1);
      steps.splice(at, 0, () => {
        const before = holds.get(label.id);
        if (!before || before.knownAt <= label.knownAt) {
          holds.set(label.id, label);
        }
        state.addLabels([label], 0);
      });
    }
    for (const step of steps) step();
    const frauds = [...holds.values()].filter(({ fraud }) => fraud === 1);
    const at = (terminal: number) =>
      frauds.filter(({ id }) => Number(id) % 7 === terminal).length;
    for (let terminal = 0; terminal < 7; terminal++) {
      assert.equal(state.terminals.get(terminal)?.frauds, at(terminal));
    }
    const [day] = state.scores.days();
    const sum = (counts: Float64Array) => counts.reduce((a, b) => a + b, 0);
    assert.equal(sum(day.payments), rows.length);
    assert.equal(sum(day.frauds), frauds.length);
    assert.equal(sum(day.fraudAmount), 10 * frauds.length);
    assert.equal(day.hits, frauds.length);
    assert.equal(day.missed, 0);
    for (const { id } of rows) {
      const fraud = holds.get(id)?.fraud ?? -1;
      assert.equal(state.payment(id)?.fraud, fraud);
    }
  });
});

Deno.test("a fraud that becomes known when its payment is forgotten makes its day unjudged", () => {
  const state = new LiveState(DELAY, UNLABELLED_SHAPE);
  const each = 10_000;
  for (let id = 0; id < 270_000; id += each) {
    const ids = Array.from({ length: each }, (_, i) => id + i);
    const rows = ids.map((id) => ({ id, time: id, fraud: -1 }));
    state.addPayments(payments(...rows), 0, RISK, 0);
    state.addPredictions(alerts(...ids), 0, 0);
  }
  const label = { amount: 10, knownAt: 1, knownTime: 1 };
  state.addLabels([
    { ...label, id: 0, time: 0, fraud: 1 },
    { ...label, id: 1, time: 1, fraud: 0 },
    { ...label, id: 269_999, time: 269_999, fraud: 1 },
  ], 0);
  assert.deepEqual(
    state.scores.days().map(({ missed, hits }) => [missed, hits]).slice(0, 4),
    [[1, 0], [0, 0], [0, 0], [0, 1]],
  );
});

/** Values as records of one batch, as a log gives them back. */
async function batchOf(values: readonly unknown[]): Promise<RecordBatch> {
  await using log = new EmbeddedLog({ path: ":memory:", durable: false });
  await log.createTopics([{ name: "t", partitions: 1, compacted: false }]);
  const records = new RecordBatchBuilder();
  for (const value of values) {
    const text = typeof value === "string" ? value : JSON.stringify(value);
    const bytes = new TextEncoder().encode(text);
    records.add(new Uint8Array(0), bytes, 0);
  }
  const producer = await log.producer("p");
  await producer.append([{ topic: "t", partition: 0, records }]);
  return await log.read("t", 0, 0, READ_LIMIT);
}

Deno.test("what is no prediction or label is skipped, whoever wrote it", async () => {
  const wrong = ["", "{", "null", "[]", "7", { TRANSACTION_ID: "1" }, {
    TRANSACTION_ID: 1,
    CUSTOMER_ID: 1,
    TERMINAL_ID: 1,
    TX_DATETIME: "x",
    TX_AMOUNT: 1,
    TX_TIME_SECONDS: 1,
    SCORE: "high",
  }];
  const good = {
    TRANSACTION_ID: 1,
    CUSTOMER_ID: 1,
    TERMINAL_ID: 1,
    TX_DATETIME: "2018-04-01 00:00:01",
    TX_AMOUNT: 1,
    TX_TIME_SECONDS: 1,
    SCORE: 0.5,
    ALERT: 1,
    MODEL_VERSION: "a",
    CONTRIBUTIONS: { TX_AMOUNT: 0.25 },
  };
  const changes = [
    { SCORE: 5 },
    { SCORE: -1 },
    { TX_TIME_SECONDS: -1 },
    { TX_TIME_SECONDS: 1e15 },
    { CUSTOMER_ID: -1 },
    { TRANSACTION_ID: 0.5 },
    { TX_DATETIME: "x" },
    { MODEL_VERSION: undefined },
  ].map((change) => ({ ...good, ...change }));
  const decoder = new RecordDecoder(HANDBOOK_FEATURES);
  const batch = await batchOf([...wrong, good, ...changes, good]);
  const rows = decoder.predictions(batch);
  assert.equal(rows.count, 2);
  assert.deepEqual([...rows.cells.subarray(0, PREDICTION_CELLS)].slice(2), [
    ...[1, 1, 1, 1, 0.5, 1],
  ]);
  assert.equal(rows.contributions[0], '{"TX_AMOUNT":0.25}');
  assert.deepEqual(
    [...rows.offsets.subarray(0, 2)],
    [wrong.length, wrong.length + changes.length + 1],
  );
  assert.deepEqual(
    [0, 7, 8, 16, 17].map((offset) => firstFrom(rows, offset)),
    [0, 0, 1, 1, 2],
  );
  assert.equal(decoder.payments(batch, undefined).count, 0);
  const place = { CUSTOMER_ID: 1, X_CUSTOMER_ID: 5, Y_CUSTOMER_ID: 6 };
  const noPlaces = [
    ...wrong,
    { ...place, CUSTOMER_ID: -1 },
    { ...place, CUSTOMER_ID: 1.5 },
    { ...place, X_CUSTOMER_ID: "5" },
    { ...place, Y_CUSTOMER_ID: null },
    '{"CUSTOMER_ID":1,"X_CUSTOMER_ID":1e999,"Y_CUSTOMER_ID":1}',
  ];
  assert.deepEqual(
    placesOf("CUSTOMER", await batchOf([...noPlaces, place])),
    [{ id: 1, x: 5, y: 6 }],
  );
  const labelOf = (value: unknown) => {
    const text = typeof value === "string" ? value : JSON.stringify(value);
    const bytes = new TextEncoder().encode(text);
    return readLabel(bytes, 0, bytes.length);
  };
  for (const value of [...wrong, { TRANSACTION_ID: 1, LABEL: 2 }]) {
    assert.equal(labelOf(value), undefined);
  }
  assert.equal(labelOf({ TRANSACTION_ID: 1, LABEL: 1 })?.label, 1);
  assert.equal(labelOf({ TRANSACTION_ID: 1, LABEL: null })?.label, null);
});

Deno.test("the newest by id are what a list of them holds", async () => {
  await forEachSeed(20, 2000, (seed) => {
    const random = chance(seed);
    const max = 1 + Math.floor(random() * 40);
    const newest = new NewestById<number>(max);
    const list: [id: TransactionId, value: number][] = [];
    const without = (id: TransactionId) => {
      const at = list.findIndex(([known]) => known === id);
      if (at >= 0) list.splice(at, 1);
    };
    for (let value = 0; value < 500; value++) {
      const id = Math.floor(random() * 100);
      without(id);
      if (random() < 0.2) newest.delete(id);
      else {
        list.push([id, value]);
        const forgotten = list.length > max ? list.shift()?.[1] : undefined;
        assert.equal(newest.put(id, value), forgotten);
      }
      assert.equal(newest.size, list.length);
      for (const [known, expected] of list) {
        assert.equal(newest.get(known), expected);
      }
    }
  });
});
