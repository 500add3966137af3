import { TextHeap } from "../../../src/payment/text_heap.ts";
import assert from "node:assert/strict";
import { LiveState } from "../../../src/dashboard/views/live_state.ts";
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
