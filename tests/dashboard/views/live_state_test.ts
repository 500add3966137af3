import { readVerdict } from "../../../src/payment/label_json.ts";
import assert from "node:assert/strict";
import { LiveState } from "../../../src/dashboard/views/live_state.ts";
import {
  parsePlace,
  PredictionReader,
} from "../../../src/dashboard/views/records.ts";

const DAY = 86_400;

function payment(id: number, over: Record<string, number> = {}) {
  return {
    id,
    datetime: "2018-04-01 00:00:00",
    customer: id % 10,
    terminal: id % 7,
    amount: 10,
    time: id * 60,
    fraud: 0,
    scenario: 0,
    ...over,
  };
}

function prediction(id: number, alert: 0 | 1) {
  return {
    ...payment(id),
    score: 0.9,
    alert,
    model: "m",
    contributions: {},
  };
}

Deno.test("memory is bounded: payments, alerts, seconds and days are forgotten, sums stay", () => {
  const state = new LiveState();
  for (let id = 0; id < 300_000; id++) {
    state.addPayment(payment(id, { time: id * 200 }), 0, id / 10);
    state.addPrediction(prediction(id, 1), id / 10);
  }
  assert.equal(state.totals.payments, 300_000);
  assert.equal(state.totals.alerts, 300_000);
  assert.equal(state.alerts.size, 5000);
  assert.equal(state.payment(0), undefined);
  assert.ok(state.payment(299_999));
  assert.equal(state.days().length, 60);
  assert.equal(state.recent().length, 40);
  assert.equal(state.recent()[0].id, 299_999);
  const { payments, from } = state.seconds(30_000);
  assert.deepEqual([payments.length, from, payments.at(-1)], [120, 29_880, 10]);
});

Deno.test("money that was stopped is that of frauds with an alert, once each", () => {
  const state = new LiveState();
  state.addPayment(payment(1, { fraud: 1, scenario: 1, amount: 70 }), 0, 0);
  state.addPayment(payment(2, { fraud: 1, scenario: 2, amount: 30 }), 0, 0);
  state.addPayment(payment(3, { amount: 500 }), 0, 0);
  state.addPrediction({ ...prediction(1, 1), amount: 70 }, 0);
  state.addPrediction({ ...prediction(1, 1), amount: 70 }, 0);
  state.addPrediction({ ...prediction(2, 0), amount: 30 }, 0);
  state.addPrediction({ ...prediction(3, 1), amount: 500 }, 0);
  const { alerts, fraudAmount, stoppedAmount } = state.totals;
  assert.deepEqual([alerts, fraudAmount, stoppedAmount], [2, 100, 70]);
  assert.deepEqual(state.open(), { alerts: 2, amount: 570 });
  assert.equal(state.alerts.get(1)?.scenario, 1);
});

Deno.test("a prediction that comes before its payment meets it all the same", () => {
  const state = new LiveState();
  state.addPrediction(prediction(1, 1), 0);
  state.addPayment(payment(1, { fraud: 1, scenario: 3 }), 0, 0);
  assert.equal(state.alerts.get(1)?.scenario, 3);
  assert.equal(state.payment(1)?.score, 0.9);
  assert.equal(state.totals.stoppedAmount, 10);
  assert.equal(state.scores.days()[0].hits, 1);
});

Deno.test("a terminal is compromised for 28 days after its last such payment", () => {
  const state = new LiveState();
  state.addPayment(
    payment(1, { terminal: 5, fraud: 1, scenario: 2, time: DAY }),
    0.5,
    0,
  );
  const [terminal] = [...state.terminals.values()];
  assert.ok(state.isCompromised(terminal));
  state.addPayment(payment(2, { terminal: 6, time: 28 * DAY }), 0, 0);
  assert.ok(state.isCompromised(terminal));
  state.addPayment(payment(3, { terminal: 6, time: 29 * DAY }), 0, 0);
  assert.ok(!state.isCompromised(terminal));
  assert.equal(terminal.risk, 0.5);
});

Deno.test("what is no prediction or label is skipped, whoever wrote it", () => {
  const bytes = (value: unknown) =>
    new TextEncoder().encode(
      typeof value === "string" ? value : JSON.stringify(value),
    );
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
  const reader = new PredictionReader();
  const parsePrediction = (value: Uint8Array) =>
    reader.read(value, 0, value.length);
  const parseLabel = (value: Uint8Array) => readVerdict(value, 0, value.length);
  const placeOf = (value: Uint8Array) =>
    parsePlace("CUSTOMER", value, 0, value.length);
  assert.deepEqual(parsePrediction(bytes(good)), {
    id: 1,
    datetime: "2018-04-01 00:00:01",
    customer: 1,
    terminal: 1,
    amount: 1,
    time: 1,
    score: 0.5,
    alert: 1,
    model: "a",
    contributions: { TX_AMOUNT: 0.25 },
  });
  const places = { CUSTOMER_ID: 1, X_CUSTOMER_ID: 5, Y_CUSTOMER_ID: 6 };
  assert.deepEqual(placeOf(bytes(places)), {
    id: 1,
    x: 5,
    y: 6,
  });
  for (
    const change of [
      { SCORE: 5 },
      { SCORE: -1 },
      { TX_TIME_SECONDS: -1 },
      { TX_TIME_SECONDS: 1e15 },
      { CUSTOMER_ID: -1 },
      { TRANSACTION_ID: 0.5 },
      { TX_DATETIME: "x" },
      { MODEL_VERSION: undefined },
    ]
  ) {
    const value = bytes({ ...good, ...change });
    assert.equal(parsePrediction(value), undefined);
  }
  for (
    const change of [
      { CUSTOMER_ID: -1 },
      { CUSTOMER_ID: 1.5 },
      { X_CUSTOMER_ID: "5" },
      { Y_CUSTOMER_ID: null },
    ]
  ) {
    const value = bytes({ ...places, ...change });
    assert.equal(placeOf(value), undefined);
  }
  const infinite = '{"CUSTOMER_ID":1,"X_CUSTOMER_ID":1e999,"Y_CUSTOMER_ID":1}';
  assert.equal(placeOf(bytes(infinite)), undefined);
  for (const value of wrong) {
    assert.equal(parsePrediction(bytes(value)), undefined);
    assert.equal(parseLabel(bytes(value)), undefined);
    assert.equal(placeOf(bytes(value)), undefined);
  }
  assert.equal(parseLabel(bytes({ TRANSACTION_ID: 1, LABEL: 2 })), undefined);
  assert.equal(parseLabel(bytes({ TRANSACTION_ID: 1, LABEL: 1 }))?.label, 1);
});
