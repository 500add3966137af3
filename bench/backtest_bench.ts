/**
 * How long a backtest of 30 rules takes over the payments of a store: the
 * default data set, with the built-in model's scores. The store is made in a
 * temporary folder first, which takes longer than the backtest.
 *
 *   deno run -A bench/backtest_bench.ts [--days=183] [--repeats=3]
 */
import process from "node:process";
import { FeatureOperator } from "../src/features/feature_operator.ts";
import {
  HANDBOOK_FEATURES,
  totalsLayout,
  totalsToValues,
} from "../src/features/parameters.ts";
import { emptyPayment, readTableRow } from "../src/payment/payment.ts";
import { PAYMENT_CELLS, toCells } from "../src/payment/payment_cells.ts";
import { HANDBOOK_SHAPE } from "../src/payment/payment_shape.ts";
import {
  emptyPredictions,
  PREDICTION_CELL,
  PREDICTION_CELLS,
} from "../src/payment/prediction.ts";
import { backtestStore } from "../src/scoring/backtest_store.ts";
import { CellScorer } from "../src/scoring/cell_scorer.ts";
import { DecisionRules, ruleRows } from "../src/scoring/decision_rules.ts";
import {
  BUILT_IN_MODEL,
  modelInUse,
  openModel,
} from "../src/scoring/open_model.ts";
import { readRules } from "../src/scoring/rule_file.ts";
import { simulateHandbook } from "../src/simulator/handbook.ts";
import { HANDBOOK_PARAMETERS } from "../src/simulator/parameters.ts";
import { EmbeddedStore } from "../src/store/embedded/embedded_store.ts";
import { refuseBadRow } from "../src/store/stored_row.ts";
import { readFlags } from "./bench_flags.ts";
import { print, tell } from "./figures.ts";

const ROWS = 4096;
const WIDTH = PAYMENT_CELLS + 14;
const signal = new AbortController().signal;

/** Thirty rules of different kinds; a few fire often, most of them seldom. */
function thirtyRules(): string {
  const conditions = [
    (i: number) => `TX_AMOUNT > ${100 + 20 * i}`,
    (i: number) => `SCORE >= ${0.3 + 0.06 * i} && TX_AMOUNT > ${10 * i}`,
    (i: number) => `TERMINAL_ID_RISK_7DAY_WINDOW > ${0.1 * i}`,
    (i: number) =>
      `TX_AMOUNT > ${2 + i} * CUSTOMER_ID_AVG_AMOUNT_30DAY_WINDOW && ` +
      "CUSTOMER_ID_NB_TX_30DAY_WINDOW >= 10",
    (i: number) =>
      `TX_DURING_NIGHT == 1 && CUSTOMER_ID_NB_TX_1DAY_WINDOW > ${3 + i}`,
    (i: number) =>
      `TERMINAL_ID in [${17 * i}, ${31 * i}, 777] || CUSTOMER_ID == ${99 * i}`,
  ];
  const rules = Array.from({ length: 30 }, (_, at) => {
    const when = conditions[at % 6](Math.floor(at / 6));
    const then = at % 3 === 0 ? "decline" : "review";
    return `  - { id: r${at}, priority: ${at % 4}, when: "${when}", ` +
      `then: ${then}, reason: why }`;
  });
  return `version: 1\nrules:\n${rules.join("\n")}\n`;
}

async function fill(store: EmbeddedStore, days: number): Promise<number> {
  const { table, startSeconds } = simulateHandbook({
    ...HANDBOOK_PARAMETERS,
    days,
  });
  const operator = new FeatureOperator(HANDBOOK_FEATURES);
  const layout = totalsLayout(HANDBOOK_FEATURES);
  const totals = new Float64Array(14);
  const cells = new Float64Array(ROWS * WIDTH);
  const model = await modelInUse(openModel(BUILT_IN_MODEL), HANDBOOK_FEATURES);
  const scorer = new CellScorer(WIDTH);
  const payment = emptyPayment();
  const predictions = emptyPredictions(ROWS);
  for (let from = 0; from < table.length; from += ROWS) {
    const count = Math.min(ROWS, table.length - from);
    for (let row = 0; row < count; row++) {
      const at = row * WIDTH;
      readTableRow(table, from + row, startSeconds, payment);
      operator.process(payment, totals);
      toCells(payment, cells, at);
      const values = cells.subarray(at + PAYMENT_CELLS, at + WIDTH);
      totalsToValues(totals, layout, values);
    }
    await store.write({ cells, count }, signal);
    const scores = await scorer.score(model, cells, count);
    for (let row = 0; row < count; row++) {
      const at = row * PREDICTION_CELLS;
      const payment = row * WIDTH;
      for (let i = 0; i < PREDICTION_CELL.score; i++) {
        predictions.cells[at + i] = cells[payment + i];
      }
      predictions.cells[at + PREDICTION_CELL.score] = scores[row];
      predictions.cells[at + PREDICTION_CELL.alert] = scores[row] >= 0.5
        ? 1
        : 0;
      predictions.versions[row] = model.version;
    }
    predictions.count = count;
    await store.predictions().write(predictions, signal);
  }
  return table.length;
}

async function main(): Promise<void> {
  const { days, repeats } = readFlags({ days: 183, repeats: 3 });
  const folder = await Deno.makeTempDir();
  try {
    await using store = new EmbeddedStore({
      path: `${folder}/store.db`,
      features: HANDBOOK_FEATURES,
      durable: false,
    });
    tell("making the store");
    const payments = await fill(store, days);
    const rows = ruleRows(HANDBOOK_FEATURES, HANDBOOK_SHAPE);
    const rules = new DecisionRules({
      rules: readRules(thirtyRules(), "rules.yaml"),
      lists: new Map(),
      threshold: null,
    }, rows);
    for (let i = 0; i < repeats; i++) {
      const began = performance.now();
      const cpu = process.cpuUsage();
      const { total } = await backtestStore({
        store,
        shape: HANDBOOK_SHAPE,
        rows,
        rulesFor: () => rules,
        model: undefined,
        threshold: undefined,
        fromSeconds: -Infinity,
        untilSeconds: Infinity,
        onBadRow: refuseBadRow,
        signal,
      });
      const { user, system } = process.cpuUsage(cpu);
      const seconds = (performance.now() - began) / 1000;
      print(
        `${payments} payments, 30 rules: ${seconds.toFixed(1)} s, ` +
          `${((user + system) / 1e6).toFixed(1)} s of CPU, ` +
          `${total.changed} decisions differ`,
      );
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

await main();
