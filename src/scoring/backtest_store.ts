/**
 * Evaluates rules on the payments that a store holds, beside the predictions
 * that it holds about them: the same rows, scores and decision function as in
 * the running stream.
 */
import { DataError } from "../base/error.ts";
import { formatDatetime } from "../payment/calendar.ts";
import { DAY_SECONDS } from "../payment/payment.ts";
import { CELL, FRAUD_UNKNOWN } from "../payment/payment_cells.ts";
import { idOf, type PaymentShape } from "../payment/payment_shape.ts";
import {
  PREDICTION_CELL,
  PREDICTION_CELLS,
  type PredictionRows,
} from "../payment/prediction.ts";
import { NO_TEXTS } from "../payment/text_heap.ts";
import type { Control } from "../stream/control.ts";
import { IdCursor } from "../store/id_cursor.ts";
import type { Store, StoreRows } from "../store/store.ts";
import type { BadRowHandler } from "../store/stored_row.ts";
import { ASSUMED_THRESHOLD, Backtest } from "./backtest.ts";
import { CellScorer } from "./cell_scorer.ts";
import {
  DecisionRules,
  type Outcome,
  type RuleRows,
} from "./decision_rules.ts";
import { decisionSetting } from "./decision_source.ts";
import type { ModelInUse } from "./open_model.ts";
import { type Decision, listsVersion, readRules } from "./rule_file.ts";

/** A payment whose decision changed. */
export interface BacktestExample {
  /** TRANSACTION_ID. */
  readonly id: number | string;
  /** TX_DATETIME. */
  readonly datetime: string;
  /** CUSTOMER_ID. */
  readonly customer: number | string;
  /** TERMINAL_ID. */
  readonly terminal: number | string;
  /** TX_AMOUNT. */
  readonly amount: number;
  /** The score; null where there is none. */
  readonly score: number | null;
  /** TX_FRAUD; null where it is not known. */
  readonly fraud: number | null;
  /** What was decided then. */
  readonly before: Decision;
  /** What the rules decide. */
  readonly after: Decision;
  /** The live rules that fire. */
  readonly rules: readonly string[];
}

/** What was recorded about a payment. */
export interface RecordedPrediction {
  /** The score; NaN where there is none. */
  readonly score: number;
  /** Whether it was an alert of the model. */
  readonly alert: boolean;
  /** What was decided. */
  readonly decision: Decision;
  /** Versions of the rules and of their lists, and the threshold, that decided; null where none did. */
  readonly versions: {
    readonly rules: string;
    readonly lists: string | null;
    readonly threshold: number | null;
  } | null;
  /** Scores of the shadow models by their versions, as JSON; null where there are none. */
  readonly shadows: string | null;
}

/** How rules are evaluated. */
export interface BacktestOptions {
  /** The store. */
  readonly store: Store;
  /** The form of its payments. */
  readonly shape: PaymentShape;
  /** The rows that rules are evaluated on. */
  readonly rows: RuleRows;
  /** The rules for a payment that was recorded so. */
  readonly rulesFor: (recorded: RecordedPrediction) => DecisionRules;
  /** The model that scores again; undefined where the recorded scores count. */
  readonly model: ModelInUse | undefined;
  /** The score from which on a payment is an alert; undefined where what was recorded counts, or with a model the recorded threshold, else 0.5. */
  readonly threshold: number | undefined;
  /** Seconds since 1970 from which on payments count. */
  readonly fromSeconds: number;
  /** Seconds since 1970 before which payments count. */
  readonly untilSeconds: number;
  /** Seconds since 1970 before which a payment without a label is genuine; undefined where labels stand in the payments. */
  readonly matureSeconds?: number | undefined;
  /** Handles rows that cannot be read. */
  readonly onBadRow: BadRowHandler;
  /** Ends the reading by throwing its reason. */
  readonly signal: AbortSignal;
  /** Called after each page with the number of payments read. */
  readonly read?: (payments: number) => void;
}

/** The rules of a backtest. */
export interface ChosenRules {
  /** See BacktestOptions. */
  readonly rulesFor: (recorded: RecordedPrediction) => DecisionRules;
  /** The rules whose numbers are shown; undefined where several versions decided. */
  readonly shown: DecisionRules | undefined;
}

/** Without a prediction, nobody was asked: the payment passed. */
const UNPREDICTED: RecordedPrediction = {
  score: NaN,
  alert: false,
  decision: "approve",
  versions: null,
  shadows: null,
};

/** Evaluates rules on the payments of a store. */
export async function backtestStore(
  options: BacktestOptions,
): Promise<Backtest<BacktestExample>> {
  const { store, shape, rows: { width }, signal, onBadRow } = options;
  const backtest = new Backtest<BacktestExample>();
  const predictions = new IdCursor(
    store.predictions().rows(signal, onBadRow),
    PREDICTION_CELLS,
    shape,
  );
  const scorer = new CellScorer(width - 1);
  const row = new Float64Array(width);
  let read = 0;
  for await (const page of store.rows(signal, onBadRow)) {
    signal.throwIfAborted();
    const scores = options.model &&
      await scorer.score(options.model, page.cells, page.count);
    for (let index = 0; index < page.count; index++) {
      const id = page.cells[index * (width - 1) + CELL.id];
      while (!predictions.reaches(id, page.texts)) await predictions.nextPage();
      const found = recordedAt(predictions);
      evaluate(options, backtest, { page, index, row, found, scores });
    }
    read += page.count;
    options.read?.(read);
  }
  return backtest;
}

/** A label, or 0 where there is none and the payment, at a time in seconds since 1970, is older than `matureSeconds`. */
export function fraudBy(
  fraud: number,
  datetime: number,
  matureSeconds = -Infinity,
): number {
  return fraud === FRAUD_UNKNOWN && datetime < matureSeconds ? 0 : fraud;
}

/** Evaluates the rules on one payment. */
function evaluate(
  options: BacktestOptions,
  backtest: Backtest<BacktestExample>,
  { page, index, row, found, scores }: {
    readonly page: StoreRows;
    readonly index: number;
    readonly row: Float64Array;
    readonly found: RecordedPrediction;
    readonly scores: Float64Array | undefined;
  },
): void {
  const { shape, rows: { width, scoreCell } } = options;
  const { cells, texts = NO_TEXTS } = page;
  const at = index * (width - 1);
  const datetime = cells[at + CELL.datetime];
  if (datetime < options.fromSeconds || datetime >= options.untilSeconds) {
    return;
  }
  for (let i = 0; i < scoreCell; i++) row[i] = cells[at + i];
  row[CELL.fraud] = fraudBy(row[CELL.fraud], datetime, options.matureSeconds);
  const score = scores ? scores[index] : found.score;
  row[scoreCell] = score;
  const alert = isAlert(options, found, score);
  const { model, threshold } = options;
  const isAssumed = model && threshold === undefined &&
    (found.versions?.threshold ?? null) === null;
  if (isAssumed) backtest.assumed++;
  const outcome = options.rulesFor(found).decide(row, 0, texts, alert);
  const scale = 10 ** shape.decimals;
  backtest.add(
    {
      fraud: row[CELL.fraud],
      scenario: row[CELL.scenario],
      units: Math.round(row[CELL.amount] * scale),
      day: Math.floor(datetime / DAY_SECONDS),
      before: found.decision,
    },
    outcome,
    () => exampleOf(page, row, shape, { found, outcome }),
  );
}

function isAlert(
  { model, threshold }: BacktestOptions,
  { alert, versions }: RecordedPrediction,
  score: number,
): boolean {
  if (!model && threshold === undefined) return alert;
  return score >= (threshold ?? versions?.threshold ?? ASSUMED_THRESHOLD);
}

function exampleOf(
  { texts = NO_TEXTS }: StoreRows,
  row: Float64Array,
  shape: PaymentShape,
  { found, outcome }: { found: RecordedPrediction; outcome: Outcome },
): BacktestExample {
  const score = row.at(-1) ?? NaN;
  const fraud = row[CELL.fraud];
  return {
    id: idOf(shape.transactionId, row[CELL.id], texts),
    datetime: formatDatetime(row[CELL.datetime]),
    customer: idOf(shape.customerId, row[CELL.customer], texts),
    terminal: idOf(shape.terminalId, row[CELL.terminal], texts),
    amount: row[CELL.amount],
    score: Number.isNaN(score) ? null : score,
    fraud: fraud < 0 ? null : fraud,
    before: found.decision,
    after: outcome.decision,
    rules: outcome.fired.map(({ id }) => id),
  };
}

/** The rules that decided then: evaluated again, they change nothing. Throws LogError where the log lacks them. */
export async function recordedRules(
  control: Control,
  rows: RuleRows,
): Promise<ChosenRules> {
  const none = new DecisionRules({
    rules: readRules("version: 1\nrules: []\n", "no rules"),
    lists: new Map(),
    threshold: null,
  }, rows);
  const byVersion = new Map<string, DecisionRules>();
  let shown: DecisionRules | undefined;
  for (const { state } of control.decisionChanges) {
    if (state.rules === null) continue;
    const key = `${state.rules} ${listsVersion(state.lists)}`;
    if (byVersion.has(key)) continue;
    const setting = await decisionSetting(control, state);
    shown = new DecisionRules(setting, rows);
    byVersion.set(key, shown);
  }
  const rulesFor = ({ versions }: RecordedPrediction) => {
    if (!versions) return none;
    const rules = byVersion.get(`${versions.rules} ${versions.lists}`);
    if (rules) return rules;
    throw new DataError(
      `the control topic does not name the rules ${versions.rules} with the ` +
        `lists ${versions.lists} by which a stored payment was decided; the ` +
        "store belongs to another stream",
    );
  };
  return { rulesFor, shown: byVersion.size === 1 ? shown : undefined };
}

/** What was recorded about the payment that a cursor of predictions has looked for last. */
export function recordedAt(
  { page, row }: IdCursor<PredictionRows>,
): RecordedPrediction {
  return page ? recordedIn(page, row) : UNPREDICTED;
}

function recordedIn(
  { cells, decisions, shadowScores }: PredictionRows,
  row: number,
): RecordedPrediction {
  const at = row * PREDICTION_CELLS;
  const alert = cells[at + PREDICTION_CELL.alert] === 1;
  const score = cells[at + PREDICTION_CELL.score];
  const decided = decisions[row];
  const shadows = shadowScores[row];
  if (!decided) {
    const decision = alert ? "review" : "approve";
    return { score, alert, decision, versions: null, shadows };
  }
  const { decision, rulesVersion, listsVersion, threshold } = decided;
  return {
    score,
    alert,
    decision: decision as Decision,
    versions: { rules: rulesVersion, lists: listsVersion, threshold },
    shadows,
  };
}
