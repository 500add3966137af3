/** What the example rules of docs/RULES.md do on the default data set, payment by payment as in the stream. */
import { FeatureOperator } from "../../src/features/feature_operator.ts";
import {
  HANDBOOK_FEATURES,
  totalsLayout,
  totalsToValues,
} from "../../src/features/parameters.ts";
import {
  DAY_SECONDS,
  emptyPayment,
  readTableRow,
} from "../../src/payment/payment.ts";
import {
  CELL,
  PAYMENT_CELLS,
  toCells,
} from "../../src/payment/payment_cells.ts";
import { HANDBOOK_SHAPE } from "../../src/payment/payment_shape.ts";
import { TextHeap } from "../../src/payment/text_heap.ts";
import { Backtest } from "../../src/scoring/backtest.ts";
import { CellScorer } from "../../src/scoring/cell_scorer.ts";
import { DecisionRules, ruleRows } from "../../src/scoring/decision_rules.ts";
import {
  BUILT_IN_MODEL,
  modelInUse,
  openModel,
} from "../../src/scoring/open_model.ts";
import { openLists, openRules } from "../../src/scoring/rule_file.ts";
import { simulateHandbook } from "../../src/simulator/handbook.ts";
import type { SimulatorParameters } from "../../src/simulator/parameters.ts";

/** Rows that are scored at once. */
const ROWS = 4096;

/** Evaluates a file of rules, with the scores of the built-in model, against alerts from 0.5 on alone. */
export async function rulesOnSet(
  path: string,
  parameters: SimulatorParameters,
): Promise<{ backtest: Backtest<number>; rules: DecisionRules }> {
  const rows = ruleRows(HANDBOOK_FEATURES, HANDBOOK_SHAPE);
  const file = openRules(path);
  const lists = openLists(file);
  const rules = new DecisionRules({ rules: file, lists, threshold: 0.5 }, rows);
  const model = await modelInUse(openModel(BUILT_IN_MODEL), HANDBOOK_FEATURES);
  const scorer = new CellScorer(rows.width);
  const { table, startSeconds } = simulateHandbook(parameters);
  const operator = new FeatureOperator(HANDBOOK_FEATURES);
  const layout = totalsLayout(HANDBOOK_FEATURES);
  const totals = new Float64Array(rows.scoreCell - PAYMENT_CELLS);
  const cells = new Float64Array(ROWS * rows.width);
  const texts = new TextHeap();
  const payment = emptyPayment();
  const backtest = new Backtest<number>();
  for (let from = 0; from < table.length; from += ROWS) {
    const count = Math.min(ROWS, table.length - from);
    for (let row = 0; row < count; row++) {
      const at = row * rows.width;
      readTableRow(table, from + row, startSeconds, payment);
      operator.process(payment, totals);
      toCells(payment, cells, at);
      const values = cells.subarray(at + PAYMENT_CELLS, at + rows.scoreCell);
      totalsToValues(totals, layout, values);
    }
    const scores = await scorer.score(model, cells, count);
    for (let row = 0; row < count; row++) {
      const at = row * rows.width;
      const score = cells[at + rows.scoreCell] = scores[row];
      const alert = score >= 0.5;
      backtest.add(
        {
          fraud: cells[at + CELL.fraud],
          scenario: cells[at + CELL.scenario],
          units: Math.round(cells[at + CELL.amount] * 100),
          day: Math.floor(cells[at + CELL.datetime] / DAY_SECONDS),
          before: alert ? "review" : "approve",
        },
        rules.decide(cells, at, texts, alert),
        () => cells[at + CELL.id],
      );
    }
  }
  return { backtest, rules };
}
