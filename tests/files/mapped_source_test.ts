/** Raw files with a definition as a source of payments, against the same payments with numbers as ids, and against what the rows themselves say. */
import assert from "node:assert/strict";
import { readDefinition } from "../../src/definition/read_definition.ts";
import { HANDBOOK_FEATURES } from "../../src/features/parameters.ts";
import { writeDay } from "../../src/files/data_set.ts";
import {
  type GatheredPayments,
  gatherPayments,
} from "../../src/files/labelled_payments.ts";
import {
  openRawFiles,
  type RawFileChoice,
} from "../../src/files/mapped_source.ts";
import {
  openPayments,
  type PaymentSource,
} from "../../src/files/payment_source.ts";
import { transactionIds } from "../../src/learning/data/payments.ts";
import { cardPrecisionDays } from "../../src/learning/judge/card_precision.ts";
import { formatDate, formatDatetime } from "../../src/payment/calendar.ts";
import {
  DAY_SECONDS,
  emptyPayment,
  type Payment,
  readTableRow,
} from "../../src/payment/payment.ts";
import { PAYMENT_CELLS } from "../../src/payment/payment_cells.ts";
import { openSimulation } from "../../src/simulator/simulation.ts";
import { chance, forEachSeed } from "../long.ts";
import { testWriting } from "../permission.ts";
import { temporaryFolder } from "../temporary_folder.ts";

const NEVER = new AbortController().signal;

const DEFINITION = `version: 1
payment:
  TRANSACTION_ID: id
  TX_DATETIME: time
  CUSTOMER_ID: card
  TERMINAL_ID: shop
  TX_AMOUNT: { from: amount, currency: USD }
  TX_FRAUD: fraud
  keep: { kind: text, weight: number }
`;

const START = 1_522_540_800;
const DAYS = 25;

/** A simulated set, with many payments of the same second. */
function simulated(seed: number): Payment[] {
  const simulation = openSimulation({
    parameters: {
      customers: 30,
      terminals: 20,
      days: DAYS,
      startSeconds: START,
      radius: 20,
    },
    rng: "seedrandom",
    seed: `mapped ${seed}`,
  });
  const payments: Payment[] = [];
  for (let day = 0; day < DAYS; day++) {
    const table = simulation.day(day, payments.length);
    for (let row = 0; row < table.length; row++) {
      const payment = emptyPayment();
      readTableRow(table, row, START, payment);
      payment.timeSeconds -= payment.timeSeconds % 600;
      payment.datetimeSeconds = START + payment.timeSeconds;
      payment.amount = Number(payment.amount.toFixed(2));
      payments.push(payment);
    }
  }
  return payments;
}

/** Texts in the order of the numbers. */
const textOf = (name: string, id: number) =>
  `${name} "${String(id).padStart(7, "0")}" é`;

const quoted = (text: string) => `"${text.replaceAll('"', '""')}"`;

/** A row of raw data. */
function rawRow(payment: Payment): string {
  const { transactionId: id, customerId, terminalId } = payment;
  return [
    quoted(textOf("payment", id)),
    formatDatetime(payment.datetimeSeconds),
    quoted(textOf("card", customerId)),
    quoted(textOf("shop", terminalId)),
    payment.amount.toFixed(2),
    payment.fraud,
    id % 3 === 0 ? "" : quoted(`kind ${id % 5}`),
    id % 4 === 0 ? "" : id / 8,
  ].join();
}

const HEADER = "id,time,card,shop,amount,fraud,kind,weight";

/** Opens lines of raw data, sorted in little memory. */
async function opened(
  folder: string,
  lines: readonly string[],
  definition = DEFINITION,
  change: Partial<RawFileChoice> = {},
): Promise<PaymentSource> {
  const path = `${folder}/raw.csv`;
  await Deno.writeTextFile(path, lines.join("\n") + "\n");
  return await openRawFiles({
    path,
    inputFormat: undefined,
    definition: readDefinition(definition, "test"),
    hmacKey: undefined,
    startSeconds: undefined,
    memoryBytes: 20_000,
    ...change,
  });
}

function gathered(source: PaymentSource): Promise<GatheredPayments> {
  return gatherPayments(source, {
    features: HANDBOOK_FEATURES,
    days: { endDay: Infinity, spanDays: Infinity },
    signal: NEVER,
    gathered: () => {},
  });
}

/** In another order, in which payments of the same second keep theirs. */
function shuffled(payments: readonly Payment[], seed: number): Payment[] {
  const random = chance(seed);
  const places = new Map<number, number>();
  return payments.map((payment) => {
    const place = places.get(payment.timeSeconds) ?? random();
    places.set(payment.timeSeconds, place);
    return { payment, place };
  }).sort((a, b) => a.place - b.place).map(({ payment }) => payment);
}

testWriting(
  "raw files of text ids in any order give what day files of numbers give",
  () =>
    forEachSeed(2, 100, async (seed) => {
      await using folder = temporaryFolder();
      const payments = simulated(seed);
      const raw = await opened(
        folder.path,
        [HEADER, ...shuffled(payments, seed).map(rawRow)],
      );
      const found = (await gathered(raw)).payments;
      const numbers = await gathered(await dayFiles(folder.path, payments));
      const expected = numbers.payments;
      assert.equal(raw.startSeconds, START);
      assert.equal(found.rows, payments.length);
      assert.deepEqual(found.inputs, expected.inputs);
      assert.deepEqual(found.columns, expected.columns);
      assert.deepEqual(found.labels, expected.labels);
      assert.deepEqual(found.timeSeconds, expected.timeSeconds);
      const idOf = transactionIds(found);
      expected.transactionId.forEach((id, row) =>
        assert.equal(idOf(row), textOf("payment", id))
      );
      // Equal scores everywhere: the order of the cards decides.
      const precision = ({ card, labels, rows, timeSeconds }: typeof found) =>
        cardPrecisionDays({
          day: timeSeconds.map((time) => Math.floor(time / DAY_SECONDS)),
          card,
          labels,
          scores: new Float64Array(rows),
        }, 3);
      assert.deepEqual(precision(found), precision(expected));
    }),
);

/** The payments as the handbook's day files. */
async function dayFiles(
  folder: string,
  payments: readonly Payment[],
): Promise<PaymentSource> {
  const path = `${folder}/days`;
  await Deno.mkdir(path);
  for (let day = 0; day < DAYS; day++) {
    const rows = payments.filter(({ timeSeconds }) =>
      Math.floor(timeSeconds / DAY_SECONDS) === day
    );
    if (rows.length === 0) continue;
    const name = formatDate(START + day * DAY_SECONDS);
    await writeDay(path, name, "csv", {
      firstId: rows[0].transactionId,
      length: rows.length,
      customerId: Int32Array.from(rows, (row) => row.customerId),
      terminalId: Int32Array.from(rows, (row) => row.terminalId),
      amount: Float64Array.from(rows, (row) => row.amount),
      timeSeconds: Int32Array.from(rows, (row) => row.timeSeconds),
      scenario: Uint8Array.from(rows, (row) => row.scenario),
    }, START);
  }
  const files = {
    path,
    startSeconds: undefined,
    skipBadRows: false,
    inputFormat: undefined,
  };
  return await openPayments({ kind: "files", files });
}

testWriting(
  "kept fields and texts stay with their payments, day by day",
  async () => {
    await using folder = temporaryFolder();
    const payments = simulated(1);
    const source = await opened(
      folder.path,
      [HEADER, ...shuffled(payments, 1).map(rawRow)],
    );
    const row = emptyPayment();
    const kept = new Float64Array(PAYMENT_CELLS + 2);
    let at = 0;
    for await (const batch of source.batches(NEVER)) {
      for (let index = 0; index < batch.length; index++) {
        const { transactionId: id, terminalId, timeSeconds } = payments[at++];
        batch.read(index, row);
        batch.readKept(index, kept, PAYMENT_CELLS);
        const [kind, weight] = kept.subarray(PAYMENT_CELLS);
        assert.equal(batch.day, Math.floor(timeSeconds / DAY_SECONDS));
        assert.equal(batch.timeSeconds[index], timeSeconds);
        assert.deepEqual(
          [
            batch.texts.text(row.transactionId),
            batch.texts.text(row.terminalId),
            batch.texts.text(kind),
            weight,
          ],
          [
            textOf("payment", id),
            textOf("shop", terminalId),
            id % 3 === 0 ? null : `kind ${id % 5}`,
            id % 4 === 0 ? NaN : id / 8,
          ],
        );
      }
    }
    assert.equal(at, payments.length);
  },
);

testWriting(
  "rows that are no payments are counted by reason, with the first of each",
  async () => {
    await using folder = temporaryFolder();
    const good = "a,2018-04-01 10:00:00,c,s,1.00,0,,";
    const source = await opened(folder.path, [
      HEADER,
      good,
      good,
      "b,2018-04-01,c,s,1.00,0,,",
      "d,2018-04-01 09:00:00,c,s,1.001,0,,",
      "e,2018-04-01 10:00:00,c,s,1.00,1,,",
      good,
    ]);
    const read: number[] = [];
    const ids: (string | null)[] = [];
    const row = emptyPayment();
    for await (const batch of source.batches(NEVER, (n) => read.push(n))) {
      for (let index = 0; index < batch.length; index++) {
        batch.read(index, row);
        ids.push(batch.texts.text(row.transactionId));
      }
    }
    assert.deepEqual(ids, ["a", "e"]);
    assert.equal(read.at(-1), 6);
    assert.deepEqual([...source.skipped.byReason], [
      ["duplicate TRANSACTION_ID", 2],
      ["invalid time", 1],
      ["not whole minor units", 1],
    ]);
    const places = source.skipped.first.map((text) => text.split(" ")[0]);
    assert.deepEqual(
      places,
      [3, 4, 5].map((line) => {
        return `${folder.path}/raw.csv:${line}:`;
      }),
    );
  },
);

testWriting(
  "a file without a payment is an error that names a reason",
  async () => {
    await using folder = temporaryFolder();
    const source = await opened(folder.path, [HEADER, "a,?,c,s,1.00,0,,"]);
    await assert.rejects(
      () => Array.fromAsync(source.batches(NEVER)),
      /raw\.csv: no row is a payment; .*raw\.csv:2: time "\?" is not an ISO/,
    );
  },
);

testWriting(
  "a missing label is genuine once it must be known, and unknown before",
  async () => {
    await using folder = temporaryFolder();
    const row = (day: number, fraud: string) =>
      `${day} ${fraud},2018-04-${String(day).padStart(2, "0")} 12:00:00,c,s,` +
      `1.00,${fraud},,`;
    const rows = [1, 5, 12, 13, 20].flatMap((
      day,
    ) => [row(day, ""), row(day, "1")]);
    const labels = "labels: { from: stream, delay: 7d, grace: 1d }\n";
    const source = await opened(
      folder.path,
      [HEADER, ...rows, row(20, "0")],
      DEFINITION + labels,
    );
    assert.equal(source.shape.hasFraud, false);
    assert.equal(source.isLabelled, true);
    const { payments, unknown } = await gathered(source);
    const idOf = transactionIds(payments);
    const known = [...payments.labels].map((label, at) => [idOf(at), label]);
    assert.deepEqual(known, [
      ["1 ", 0],
      ["1 1", 1],
      ["5 ", 0],
      ["5 1", 1],
      ["12 ", 0],
      ["12 1", 1],
      ["13 ", 0],
      ["13 1", 1],
    ]);
    // Those of day 20: a label that came early says nothing of the others.
    assert.equal(unknown, 3);
    const longer = await opened(
      folder.path,
      [HEADER, ...rows],
      DEFINITION + labels.replace("grace: 1d", "grace: 1d, mature: 14d"),
    );
    // Those of day 12, 13 and 20.
    assert.equal((await gathered(longer)).unknown, 6);
  },
);

testWriting(
  "refunds and amounts without decimals keep their value",
  async () => {
    await using folder = temporaryFolder();
    const definition = DEFINITION.replace(
      "currency: USD",
      "decimals: 0, refunds: true",
    );
    const source = await opened(folder.path, [
      HEADER,
      "a,2018-04-01 10:00:00,c,s,1500,0,,",
      "b,2018-04-01 11:00:00,c,s,-700,0,,",
    ], definition);
    const { payments } = await gatherPayments(source, {
      features: { ...HANDBOOK_FEATURES, decimals: 0, refunds: true },
      days: { endDay: Infinity, spanDays: Infinity },
      signal: NEVER,
      gathered: () => {},
    });
    const average = payments.inputs.indexOf(
      "CUSTOMER_ID_AVG_AMOUNT_1DAY_WINDOW",
    );
    assert.deepEqual([...payments.amount], [1500, -700]);
    assert.deepEqual([...payments.columns[average]], [1500, 400]);
  },
);
