/** Memory of the stages' state: what is predicted from some days of payments, against what it holds after months. */
import assert from "node:assert/strict";
import { featuresOfDefinition } from "../../src/cli/flags/stream_flags.ts";
import { readDefinition } from "../../src/definition/read_definition.ts";
import {
  CustomerOperator,
  TerminalOperator,
} from "../../src/features/feature_operator.ts";
import { IdDigests } from "../../src/features/id_digest.ts";
import {
  featureCount,
  type FeatureParameters,
  HANDBOOK_FEATURES,
} from "../../src/features/parameters.ts";
import {
  DAY_SECONDS,
  emptyPayment,
  type Payment,
  readTableRow,
} from "../../src/payment/payment.ts";
import {
  CELL,
  PAYMENT_CELLS,
  toCells,
} from "../../src/payment/payment_cells.ts";
import { HANDBOOK_SHAPE } from "../../src/payment/payment_shape.ts";
import { NO_TEXTS, TextHeap } from "../../src/payment/text_heap.ts";
import { declaredSample, predictMemory } from "../../src/roles/stage_memory.ts";
import { terminalSlackSeconds } from "../../src/roles/terminal_stage.ts";
import {
  rememberedSeconds,
  type StreamParameters,
} from "../../src/stream/control.ts";
import { simulateHandbook } from "../../src/simulator/handbook.ts";
import { HANDBOOK_PARAMETERS } from "../../src/simulator/parameters.ts";
import { Ledger } from "../../src/stream/ledger.ts";
import {
  recordedDefinition,
  shapeOfStream,
} from "../../src/stream/stream_definition.ts";
import { chance, forEachSeed } from "../long.ts";
import { SIXTY_FEATURES } from "../definition/sixty_features.ts";
import { TEXT_DEFINITION } from "../stream/text_stream.ts";
import { paymentAt } from "./stages.ts";

const DAYS = 60;
const PER_DAY = 3000;
const SAMPLE_DAYS = 12;

/** Payments of months; some cards and terminals have many, and many have few. */
function payments(
  random: () => number,
  [cards, terminals]: readonly [number, number],
  [days, perDay] = [DAYS, PER_DAY],
): Payment[] {
  const skewed = (count: number) => Math.floor(count * random() ** 2);
  return Array.from(
    { length: perDay * days },
    (_, n) =>
      paymentAt(Math.floor(n * DAY_SECONDS / perDay), {
        transactionId: n,
        customerId: skewed(cards),
        terminalId: skewed(terminals),
        amount: Math.floor(random() * 30_000) / 100,
        fraud: random() < 0.01 ? 1 : 0,
      }),
  );
}

function counts(
  rows: readonly Payment[],
  key: "customerId" | "terminalId",
): Iterable<number> {
  const found = new Map<number, number>();
  for (const { [key]: id } of rows) found.set(id, (found.get(id) ?? 0) + 1);
  return found.values();
}

/** How long after its payment a label is known in these tests. */
const KNOWN_SECONDS = 6 * DAY_SECONDS;

function knownOf({ timeSeconds }: Payment): number {
  return timeSeconds + KNOWN_SECONDS;
}

/** Bytes of the ledger and of both stages' windows after all payments. */
function measured(
  parameters: StreamParameters,
  rows: readonly Payment[],
): Record<string, number> {
  const { features, latenessSeconds } = parameters;
  const shape = shapeOfStream(parameters);
  const isText = shape !== HANDBOOK_SHAPE;
  const digests = isText ? new IdDigests(shape) : undefined;
  const texts = new TextHeap();
  const ledger = new Ledger(rememberedSeconds(parameters), digests);
  const slack = terminalSlackSeconds(features);
  const customers = new CustomerOperator(features, latenessSeconds, digests);
  const terminals = new TerminalOperator(features, slack, digests);
  const totals = new Float64Array(featureCount(features));
  const take = (payment: Payment) => {
    const row = { ...payment };
    if (digests) {
      texts.clear();
      row.transactionId = texts.addText(`payment ${row.transactionId}`);
      row.customerId = texts.addText(`card ${row.customerId}`);
      row.terminalId = texts.addText(`shop ${row.terminalId}`);
      digests.takeId(row.transactionId, texts);
      digests.takeCustomer(row.customerId, texts);
      digests.takeTerminal(row.terminalId, texts);
    }
    return row;
  };
  let due = 0;
  rows.forEach((payment, offset) => {
    const { timeSeconds } = payment;
    const isLater = features.graceSeconds !== undefined;
    for (; isLater && knownOf(rows[due]) <= timeSeconds; due++) {
      const label = { timeSeconds: rows[due].timeSeconds, fraud: 0 } as const;
      const knownSeconds = knownOf(take(rows[due]));
      terminals.takeLabel({ ...label, knownSeconds }, timeSeconds);
    }
    const row = take(payment);
    ledger.compare(row, row.timeSeconds);
    ledger.add(row, row.timeSeconds, offset);
    customers.process(row, row.timeSeconds, totals);
    terminals.process(row, row.timeSeconds, totals);
  });
  return {
    ledger: ledger.bytes,
    "card windows": customers.bytes,
    "terminal windows": terminals.bytes,
  };
}

function parametersOf(
  features: Partial<FeatureParameters>,
  isText: boolean,
): StreamParameters {
  return {
    partitions: 1,
    features: { ...HANDBOOK_FEATURES, ...features },
    latenessSeconds: 3600,
    maxGapSeconds: 400 * DAY_SECONDS,
    dedupeSeconds: 2 * DAY_SECONDS,
    ...isText ? { definition: TEXT_DEFINITION } : {},
  };
}

Deno.test("the memory of each state is predicted from some days of payments, within a fifth", async () => {
  await forEachSeed(1, 10, (seed) => {
    const random = chance(seed);
    const cases = [
      [{}, true, [3000, 2000]],
      [{ set: "extended" }, true, [20_000, 50]],
      [{ windowDays: [1, 3], delayDays: 14 }, false, [1000, 8000]],
      [{ graceSeconds: DAY_SECONDS }, true, [3000, 2000]],
    ] as const;
    for (const [features, isText, keys] of cases) {
      const rows = payments(random, keys);
      const parameters = parametersOf(features, isText);
      const bytes = measured(parameters, rows);
      const sample = rows.slice(0, PER_DAY * SAMPLE_DAYS);
      const predicted = predictMemory(parameters, {
        seconds: SAMPLE_DAYS * DAY_SECONDS,
        ofCards: counts(sample, "customerId"),
        ofTerminals: counts(sample, "terminalId"),
        labels: { labelled: 1, frauds: 0 },
      });
      for (const { state, bytes: expected } of predicted) {
        const ratio = expected / bytes[state];
        assert.ok(
          ratio > 1 / 1.2 && ratio < 1.2,
          `${state} of ${JSON.stringify([features, isText, keys])}: ` +
            `${expected} predicted, ${bytes[state]} held`,
        );
      }
      const [ledger] = predicted;
      assert.ok(ledger.bytes / ledger.payments <= 48);
    }
  });
});

Deno.test("a stream without features has no windows", () => {
  const parameters = parametersOf({ set: "none", windowDays: [] }, true);
  const sample = { seconds: DAY_SECONDS, ofCards: [500, 500], ofTerminals: [] };
  assert.deepEqual(
    predictMemory(parameters, sample).map(({ state, payments }) => [
      state,
      payments,
    ]),
    [["ledger", 2000]],
  );
});

const DECLARED = readDefinition(
  `version: 1
payment:
  TRANSACTION_ID: { from: id, type: number }
  TX_DATETIME: time
  CUSTOMER_ID: card
  TERMINAL_ID: shop
  TX_AMOUNT: amount
  TX_FRAUD: fraud
  keep: { category: text }
labels: { from: payment, delay: 7d }
features:
  include: none
  A: { count: payments, by: CUSTOMER_ID, over: 30d }
  B: { distinct: TERMINAL_ID, by: CUSTOMER_ID, over: 7d }
  C: { sum: TX_AMOUNT, by: CUSTOMER_ID, over: 7d, where: "category == 'c1'" }
  D: { share: TX_FRAUD, by: TERMINAL_ID, over: 30d }
  E: { max: TX_AMOUNT, by: [TERMINAL_ID, category], over: 2d }
  F: { seconds_since: payments, by: category, over: 30d }
`,
  "memory.yaml",
);

Deno.test("the memory of declared features is predicted from some days of payments, within a fifth", async () => {
  const parameters: StreamParameters = {
    ...parametersOf({}, false),
    features: featuresOfDefinition(DECLARED),
    definition: recordedDefinition(DECLARED),
  };
  await forEachSeed(1, 10, (seed) => {
    const random = chance(seed);
    const rows = payments(random, [3000, 2000]);
    const live = declaredSample(parameters);
    const sample = declaredSample(parameters);
    assert.ok(live && sample);
    const cells = new Float64Array(PAYMENT_CELLS + 1);
    const texts = new TextHeap();
    const totals = new Float64Array(featureCount(parameters.features));
    const seconds = SAMPLE_DAYS * DAY_SECONDS;
    for (const row of rows) {
      texts.clear();
      toCells(row, cells, 0);
      cells[CELL.customer] = texts.addText(`card ${row.customerId}`);
      cells[CELL.terminal] = texts.addText(`shop ${row.terminalId}`);
      const category = `c${Math.floor(random() * 8)}`;
      cells[PAYMENT_CELLS] = texts.addText(category);
      live.process(cells, 0, texts, row.timeSeconds, totals);
      if (row.timeSeconds < seconds) sample.count(cells, 0, texts);
    }
    const before = rows.slice(0, PER_DAY * SAMPLE_DAYS);
    const predicted = predictMemory(parameters, {
      seconds,
      ofCards: counts(before, "customerId"),
      ofTerminals: counts(before, "terminalId"),
      declared: sample,
    }).slice(1);
    assert.deepEqual(predicted.map(({ state }) => state), [
      ...["CUSTOMER_ID", "TERMINAL_ID", "TERMINAL_ID + category", "category"],
    ]);
    const bytes = predicted.reduce((sum, { bytes }) => sum + bytes, 0);
    const ratio = bytes / live.bytes;
    assert.ok(
      ratio > 1 / 1.2 && ratio < 1.2,
      `${bytes} predicted, ${live.bytes} held: ${JSON.stringify(predicted)}`,
    );
  });
});

Deno.test("the memory of 60 declared features is predicted from some days of the simulator's payments, within a fifth", () => {
  const definition = readDefinition(SIXTY_FEATURES, "sixty.yaml");
  const parameters: StreamParameters = {
    ...parametersOf({}, false),
    features: featuresOfDefinition(definition),
    definition: recordedDefinition(definition),
  };
  const scale = { customers: 1000, terminals: 2000, radius: 11, days: DAYS };
  const { table, startSeconds } = simulateHandbook({
    ...HANDBOOK_PARAMETERS,
    ...scale,
  });
  const live = declaredSample(parameters);
  const sample = declaredSample(parameters);
  assert.ok(live && sample);
  const cells = new Float64Array(PAYMENT_CELLS);
  const totals = new Float64Array(featureCount(parameters.features));
  const payment = emptyPayment();
  const seconds = SAMPLE_DAYS * DAY_SECONDS;
  for (let row = 0; row < table.length; row++) {
    readTableRow(table, row, startSeconds, payment);
    toCells(payment, cells, 0);
    live.process(cells, 0, NO_TEXTS, payment.timeSeconds, totals);
    if (payment.timeSeconds < seconds) sample.count(cells, 0, NO_TEXTS);
  }
  const predicted = predictMemory(parameters, {
    seconds,
    ofCards: [],
    ofTerminals: [],
    declared: sample,
  }).slice(1);
  const bytes = predicted.reduce((sum, { bytes }) => sum + bytes, 0);
  const ratio = bytes / live.bytes;
  assert.ok(
    ratio > 1 / 1.2 && ratio < 1.2,
    `${bytes} predicted, ${live.bytes} held: ${JSON.stringify(predicted)}`,
  );
});

const LATE = readDefinition(
  `version: 1
payment:
  TRANSACTION_ID: id
  TX_DATETIME: time
  CUSTOMER_ID: card
  TERMINAL_ID: shop
  TX_AMOUNT: amount
labels: { from: stream, delay: 7d, grace: 1d }
features:
  include: none
  A: { share: TX_FRAUD, by: TERMINAL_ID, over: 14d }
  B: { count: payments, by: TERMINAL_ID, over: 1d, delay: 7d }
  C: { share: TX_FRAUD, by: CUSTOMER_ID, over: 14d, delay: 0s }
  D: { mean: TX_AMOUNT, by: CUSTOMER_ID, over: 7d, delay: 1d }
`,
  "late.yaml",
);

Deno.test("the memory of labels that arrive later is predicted from some days of payments, within a fifth", async () => {
  const parameters: StreamParameters = {
    ...parametersOf({}, false),
    features: featuresOfDefinition(LATE),
    definition: recordedDefinition(LATE),
  };
  await forEachSeed(1, 10, (seed) => {
    for (const [labelled, frauds] of [[1, 0.01], [0.05, 0.05]]) {
      const random = chance(seed);
      const rows = payments(random, [12_000, 8000], [24, 7000]);
      const live = declaredSample(parameters);
      const sample = declaredSample(parameters);
      assert.ok(live && sample);
      const digests = new IdDigests(shapeOfStream(parameters));
      const cells = new Float64Array(PAYMENT_CELLS);
      const texts = new TextHeap();
      const totals = new Float64Array(featureCount(parameters.features));
      const seconds = SAMPLE_DAYS * DAY_SECONDS;
      const put = (row: Payment) => {
        texts.clear();
        toCells(row, cells, 0);
        cells[CELL.id] = texts.addText(`payment ${row.transactionId}`);
        cells[CELL.customer] = texts.addText(`card ${row.customerId}`);
        cells[CELL.terminal] = texts.addText(`shop ${row.terminalId}`);
      };
      let due = 0;
      for (const row of rows) {
        const { timeSeconds } = row;
        for (; knownOf(rows[due]) <= timeSeconds; due++) {
          const what = random();
          if (what >= labelled) continue;
          put(rows[due]);
          digests.takeId(cells[CELL.id], texts);
          const label = {
            timeSeconds: rows[due].timeSeconds,
            knownSeconds: knownOf(rows[due]),
            fraud: what < frauds ? 1 : 0,
          } as const;
          live.takeLabel(cells, 0, texts, digests.words, label, timeSeconds);
        }
        put(row);
        live.process(cells, 0, texts, timeSeconds, totals);
        if (timeSeconds < seconds) sample.count(cells, 0, texts);
      }
      const predict = (labels?: { labelled: number; frauds: number }) =>
        predictMemory(parameters, {
          ...{
            seconds,
            ofCards: [],
            ofTerminals: [],
            declared: sample,
            labels,
          },
        }).slice(1).reduce((sum, { bytes }) => sum + bytes, 0);
      const bytes = predict({ labelled, frauds });
      const ratio = bytes / live.bytes;
      assert.ok(
        ratio > 1 / 1.2 && ratio < 1.2,
        `${bytes} predicted, ${live.bytes} held, where ${labelled} of the ` +
          `payments have a label and ${frauds} are frauds; ${predict()} ` +
          "without labels",
      );
    }
  });
});
