/**
 * The checker of histories (tests/oracle/check_history.py) accepts a right
 * history and finds every injected fault.
 */
import assert from "node:assert/strict";
import {
  assertHistory,
  checkerProblem,
  checkHistory,
  type HistoryFile,
  writeHistoryFile,
} from "../oracle/history.ts";
import { temporaryFolder } from "../temporary_folder.ts";

const PAYMENTS = 40;
const CARDS = 3;
const SECOND = 1000;
/** The payment that is sent twice, since its first answer got lost. */
const REPEATED = 7;
/** The payment that is in the log twice, since the program was killed in between. */
const DOUBLED = 9;
/** The payment that is refused. */
const LATE = 11;
/** Another payment under the id of the first. */
const CONFLICT = 0;

type Row = Readonly<Record<string, unknown>>;

/** A request of the history. */
interface Request {
  SENT: number;
  ENDED: number;
  PAYMENT: Row;
  STATUS: number | null;
  BODY: Row | null;
}

/** A record of a topic. */
interface LogRecord {
  PARTITION: number;
  OFFSET: number;
  VALUE: Row;
}

/** What the checker reads. */
interface World {
  history: Request[];
  payments: LogRecord[];
  predictions: LogRecord[];
  letters: LogRecord[];
  stored: Row[];
  scored: Row[];
}

function paymentOf(id: number): Row {
  return {
    TRANSACTION_ID: id,
    TX_DATETIME: `2026-11-30 ${timeOf(id)}`,
    CUSTOMER_ID: id % CARDS,
    TERMINAL_ID: id % 5,
    TX_AMOUNT: 10 + id / 100,
  };
}

function timeOf(id: number): string {
  return `08:00:${String(id).padStart(2, "0")}`;
}

/** A right history of one client, with everything that may happen to a payment. */
function rightWorld(): World {
  const world: World = {
    history: [],
    payments: [],
    predictions: [],
    letters: [],
    stored: [],
    scored: [],
  };
  for (let id = 0; id < PAYMENTS; id++) addPayment(world, id);
  const conflicting = { ...paymentOf(CONFLICT), TX_AMOUNT: 99 };
  world.history.push({
    SENT: PAYMENTS * SECOND,
    ENDED: PAYMENTS * SECOND + 5,
    PAYMENT: conflicting,
    STATUS: 409,
    BODY: { status: 409 },
  });
  return world;
}

function addPayment(world: World, id: number): void {
  const payment = paymentOf(id);
  const place = () => ({ PARTITION: 0, OFFSET: world.payments.length });
  const request = (STATUS: number | null, BODY: Row | null, after: number) =>
    world.history.push({
      SENT: id * SECOND + after,
      ENDED: id * SECOND + after + 5,
      PAYMENT: payment,
      STATUS,
      BODY,
    });
  const inLog = { ...payment, TX_TIME_SECONDS: 28_800 + id, TX_TIME_DAYS: 0 };
  if (id === LATE) {
    const { PARTITION: partition, OFFSET: offset } = place();
    const VALUE = { topic: "transaction_topic", partition, offset };
    world.letters.push({ PARTITION: 0, OFFSET: 0, VALUE });
    world.payments.push({ ...place(), VALUE: inLog });
    request(422, { REASON: "late" }, 0);
    return;
  }
  world.payments.push({ ...place(), VALUE: inLog });
  if (id === DOUBLED) world.payments.push({ ...place(), VALUE: inLog });
  const judged = { SCORE: id / PAYMENTS, ALERT: id % 2, MODEL_VERSION: "m1" };
  const record = { PARTITION: 0, OFFSET: world.predictions.length };
  const prediction = { ...inLog, ...judged };
  world.predictions.push({ ...record, VALUE: prediction });
  const features = featuresOf(id);
  const written = { TX_DATETIME: `2026-11-30T${timeOf(id)}Z` };
  world.stored.push({ ...inLog, ...features, ...judged, ...written });
  world.scored.push({ ...prediction, ...written });
  const body = {
    TRANSACTION_ID: id,
    DECISION: id % 2 === 1 ? "review" : "approve",
    ...judged,
    ...{ REASONS: [], RULES: [], SHADOW_RULES: [] },
    ...{ CONTRIBUTIONS: null, SHADOW_SCORES: null, RULES_VERSION: null },
    ...{ LISTS_VERSION: null, THRESHOLD: null, RECORD: record },
  };
  if (id === REPEATED || id === DOUBLED) request(null, null, 0);
  request(200, { ...body, FEATURES: features }, 10);
  if (id === REPEATED) request(200, body, 20);
}

/** All payments of these tests lie within a minute: every window holds all. */
function featuresOf(id: number): Row {
  const amounts = [...Array(id + 1).keys()]
    .filter((other) => other % CARDS === id % CARDS && other !== LATE)
    .map((other) => 10 + other / 100);
  const mean = amounts.reduce((sum, amount) => sum + amount, 0) /
    amounts.length;
  return Object.fromEntries([1, 7, 30].flatMap((days) => [
    [`CUSTOMER_ID_NB_TX_${days}DAY_WINDOW`, amounts.length],
    [`CUSTOMER_ID_AVG_AMOUNT_${days}DAY_WINDOW`, mean],
  ]));
}

/** What may go wrong, and what the checker has to say about it. */
const FAULTS: readonly [string, (world: World) => void, RegExp][] = [
  ["an acknowledged payment is not stored", ({ stored }) => {
    stored.splice(5, 1);
  }, /payment 5: 0 rows and 1 predictions are stored/],
  ["a prediction is stored twice", ({ scored }) => {
    scored.push(scored[5]);
  }, /payment 5: 1 rows and 2 predictions are stored/],
  ["another score is stored", ({ scored }) => {
    scored[5] = { ...scored[5], SCORE: 0.5 };
  }, /payment 5: answered .*, stored \(0.5,/],
  ["another decision is stored", ({ stored }) => {
    stored[5] = { ...stored[5], DECISION: "decline" };
  }, /payment 5: answered .*'review'\), stored .*'decline'\)/],
  ["another payment is stored", ({ stored }) => {
    stored[5] = { ...stored[5], TX_AMOUNT: 1 };
  }, /payment 5: another payment is stored/],
  ["a payment is stored that nobody sent", ({ stored }) => {
    stored.push({ ...stored[5], TRANSACTION_ID: 77 });
  }, /payment 77: stored, never sent/],
  ["an answer names a record that is not there", ({ history }) => {
    const { BODY } = history[5];
    history[5].BODY = { ...BODY, RECORD: { PARTITION: 0, OFFSET: 999 } };
  }, /payment 5: no record at/],
  ["an answer names the record of another payment", ({ history }) => {
    const { BODY } = history[5];
    history[5].BODY = { ...BODY, RECORD: { PARTITION: 0, OFFSET: 4 } };
  }, /payment 5: answered .* the record says/],
  ["an answer says another score than its record", ({ history }) => {
    history[5].BODY = { ...history[5].BODY, SCORE: 0.5 };
  }, /payment 5: answered .* the record says/],
  ["an answer is about another payment", ({ history }) => {
    history[5].BODY = history[4].BODY;
  }, /payment 5: the answer is about 4/],
  ["a repeated request gets another answer", ({ history }) => {
    for (const request of history.slice(0, REPEATED + 2)) {
      if (request.PAYMENT.TRANSACTION_ID !== REPEATED) continue;
      request.BODY &&= { ...request.BODY, MODEL_VERSION: "m2" };
    }
  }, /payment 7: two answers/],
  ["a payment is decided twice", ({ predictions }) => {
    predictions.push({ ...predictions[5], OFFSET: 998 });
  }, /payment 5: decided 2 times/],
  ["a payment is decided that nobody sent", ({ predictions }) => {
    const VALUE = { ...predictions[5].VALUE, TRANSACTION_ID: 77 };
    predictions.push({ PARTITION: 0, OFFSET: 998, VALUE });
  }, /payment 77: decided, never sent/],
  ["an answered payment is not decided", ({ predictions }) => {
    predictions.splice(5, 1);
  }, /payment 5: answered \[200\], decided 0 times/],
  ["a refused payment is decided", ({ predictions }) => {
    const VALUE = { ...predictions[5].VALUE, TRANSACTION_ID: LATE };
    predictions.push({ PARTITION: 0, OFFSET: 998, VALUE });
  }, /payment 11: answered \[422\], decided 1 times/],
  ["a client gives a payment up", ({ history }) => {
    Object.assign(history[5], { STATUS: null, BODY: null });
  }, /payment 5 .*: ended with \[\]/],
  ["a payment is refused and accepted", ({ history }) => {
    history.push({ ...history[5], STATUS: 422, BODY: {} });
  }, /payment 5 .*: ended with \[200, 422\]/],
  ["two payments are accepted under one id", ({ history }) => {
    Object.assign(history[history.length - 1], history[0], {
      PAYMENT: { ...history[0].PAYMENT, TX_AMOUNT: 99 },
    });
  }, /payment 0: two payments are accepted under one id/],
  ["an id conflicts with nothing", ({ history }) => {
    Object.assign(history[5], { STATUS: 409, BODY: {} });
  }, /payment 5: 409 without an accepted payment/],
  ["a card's payments are counted wrong", ({ stored }) => {
    stored[5] = { ...stored[5], CUSTOMER_ID_NB_TX_7DAY_WINDOW: 9 };
  }, /payment 5: CUSTOMER_ID_NB_TX_7DAY_WINDOW 9, not 2/],
  ["a card's mean amount is wrong", ({ stored }) => {
    stored[5] = { ...stored[5], CUSTOMER_ID_AVG_AMOUNT_1DAY_WINDOW: 10 };
  }, /payment 5: CUSTOMER_ID_AVG_AMOUNT_1DAY_WINDOW 10, not/],
  ["an answer has other features than the store", ({ history }) => {
    const FEATURES = { CUSTOMER_ID_NB_TX_1DAY_WINDOW: 3 };
    history[5].BODY = { ...history[5].BODY, FEATURES };
  }, /payment 5: CUSTOMER_ID_NB_TX_1DAY_WINDOW answered 3, stored 2/],
  ["a payment of the log is lost behind it", (world) => {
    world.stored.splice(5, 1);
    world.history = world.history.filter(({ PAYMENT }) =>
      PAYMENT.TRANSACTION_ID !== 5
    );
  }, /payment 5: in the log, not stored/],
  ["the log turns the order of answers around", ({ payments }) => {
    [payments[2].OFFSET, payments[5].OFFSET] = [5, 2];
  }, /payment 5: sent after the answer to 2, and before it in the log/],
  ["nothing was sent", (world) => {
    for (const rows of Object.values(world)) rows.length = 0;
  }, /no requests/],
];

async function written(world: World, folder: string): Promise<void> {
  for (const [name, rows] of Object.entries(world)) {
    await writeHistoryFile(folder, name as HistoryFile, rows);
  }
}

function test(name: string, check: (folder: string) => Promise<void>): void {
  Deno.test({
    name: checkerProblem === undefined ? name : `${name} (${checkerProblem})`,
    ignore: checkerProblem !== undefined,
    fn: async () => {
      await using temporary = temporaryFolder();
      await check(temporary.path);
    },
  });
}

test("the checker accepts a history with repetitions, a refusal and a conflict", async (folder) => {
  await written(rightWorld(), folder);
  const counts = await assertHistory(folder);
  assert.equal(
    counts,
    "44 requests, 2 unanswered, 39 payments decided, 234 features recomputed, 0 faults",
  );
});

for (const [name, damage, found] of FAULTS) {
  test(`the checker finds that ${name}`, async (folder) => {
    const world = rightWorld();
    damage(world);
    await written(world, folder);
    const { success, output } = await checkHistory(folder);
    assert.match(output, found);
    assert.equal(success, false);
  });
}
