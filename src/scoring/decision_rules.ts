/**
 * Decides about payments by rules: the one decision function, for the running
 * stream and for backtests. Of the live rules that fire, those of the greatest
 * priority decide, of these the strictest; where none fires, an alert of the
 * model is reviewed and everything else approved. Shadow rules are evaluated,
 * and change nothing.
 */
import { definitionError } from "../definition/definition_node.ts";
import {
  compileExpression,
  ExpressionError,
  type ExpressionLists,
  type NamedValue,
  type Read,
} from "../definition/expression.ts";
import { paymentValues } from "../features/declared_features.ts";
import { featureFields, featureRowCells } from "../features/feature_row.ts";
import {
  featureCount,
  type FeatureParameters,
} from "../features/parameters.ts";
import { PAYMENT_CELLS } from "../payment/payment_cells.ts";
import type { PaymentShape } from "../payment/payment_shape.ts";
import type { TextHeap } from "../payment/text_heap.ts";
import { listTest, type ValueList } from "./list_file.ts";
import {
  type Decision,
  DECISIONS,
  listsVersion,
  type Rule,
  type RuleFile,
} from "./rule_file.ts";

/** The rows that rules are evaluated on: a payment with its features and kept fields, then its score. */
export interface RuleRows {
  /** What rules may name. */
  readonly names: ReadonlyMap<string, NamedValue>;
  /** The cell of the score; NaN in it is none. */
  readonly scoreCell: number;
  /** Cells of a row. */
  readonly width: number;
}

/** The rows of a stream with these features and payments. */
export function ruleRows(
  features: FeatureParameters,
  shape: PaymentShape,
): RuleRows {
  const scoreCell = featureRowCells(features, shape);
  const keptFrom = PAYMENT_CELLS + featureCount(features);
  const number = { type: "number", nullable: true } as const;
  const names = new Map<string, NamedValue>([
    ...paymentValues(shape, keptFrom),
    ...featureFields(features).map(({ name, cell }) =>
      [name, { ...number, cell }] as const
    ),
    ["SCORE", { ...number, cell: scoreCell }],
  ]);
  return { names, scoreCell, width: scoreCell + 1 };
}

/** Orders rules: the greatest priority decides first, of equal ones the strictest. */
function byWeight(a: Rule, b: Rule): number {
  return b.priority - a.priority ||
    DECISIONS.indexOf(b.then) - DECISIONS.indexOf(a.then);
}

/** What is decided where these live rules fire, in any order; `alert` says whether the payment is an alert of the model. */
export function decisionBy(fired: readonly Rule[], alert: boolean): Decision {
  const [decisive] = [...fired].sort(byWeight);
  return decisive?.then ?? (alert ? "review" : "approve");
}

/** What rules decide about a payment. Equal ones are the same object. */
export interface Outcome {
  /** The decision. */
  readonly decision: Decision;
  /** The live rules that fired, the one that decided first. */
  readonly fired: readonly Rule[];
  /** The shadow rules that fired. */
  readonly shadow: readonly Rule[];
  /** Members of a prediction's JSON record, each behind a comma, in UTF-8. */
  readonly json: Uint8Array;
}

/** What rules are made of. */
export interface DecisionSetting {
  /** The rules. */
  readonly rules: RuleFile;
  /** Their lists, by name. */
  readonly lists: ReadonlyMap<string, ValueList>;
  /** The score from which on a payment is an alert; null where alerts have a quota, or there is no model. */
  readonly threshold: number | null;
}

/** Most outcomes that are kept ready. */
const OUTCOMES_MAX = 4096;

const ENCODER = new TextEncoder();

interface CompiledRule {
  readonly rule: Rule;
  readonly place: number;
  readonly fires: Read<boolean>;
}

/** Rules, checked and compiled. */
export class DecisionRules {
  /** Version of the rules. */
  readonly version: string;
  /** Version of all lists together; null for none. */
  readonly listsVersion: string | null;
  /** See DecisionSetting. */
  readonly threshold: number | null;
  /** The rules that are evaluated, the weightiest first. */
  readonly rules: readonly Rule[];
  readonly #compiled: readonly CompiledRule[];
  readonly #outcomes = new Map<string, Outcome>();
  readonly #versions: string;
  readonly #approved: Outcome;
  readonly #alerted: Outcome;
  /** Places of the rules that fired. */
  readonly #fired: number[] = [];

  /** Compiles rules for rows. Throws ConfigError with the place of what does not fit. */
  constructor({ rules, lists, threshold }: DecisionSetting, rows: RuleRows) {
    const compiled = rules.rules.map((rule) => {
      return { rule, fires: compile(rule, lists, rows) };
    }).filter(({ rule }) => rule.state !== "off")
      .sort((a, b) => byWeight(a.rule, b.rule));
    this.#compiled = compiled.map((one, place) => ({ ...one, place }));
    this.rules = compiled.map(({ rule }) => rule);
    this.version = rules.version;
    this.listsVersion = listsVersion(Object.fromEntries(
      [...lists].map(([name, { version }]) => [name, version]),
    ));
    this.threshold = threshold;
    this.#versions = `,"RULES_VERSION":${JSON.stringify(this.version)}` +
      `,"LISTS_VERSION":${JSON.stringify(this.listsVersion)}` +
      `,"THRESHOLD":${JSON.stringify(threshold)}`;
    this.#approved = this.#outcome(false, []);
    this.#alerted = this.#outcome(true, []);
  }

  /** Decides about the payment in the row that begins at `at`; `alert` says whether it is an alert of the model. */
  decide(
    cells: Float64Array,
    at: number,
    texts: TextHeap,
    alert: boolean,
  ): Outcome {
    const compiled = this.#compiled;
    const fired = this.#fired;
    fired.length = 0;
    for (let i = 0; i < compiled.length; i++) {
      if (compiled[i].fires(cells, at, texts)) fired.push(i);
    }
    if (fired.length === 0) return alert ? this.#alerted : this.#approved;
    const key = `${alert ? "a" : ""}${fired.join()}`;
    let outcome = this.#outcomes.get(key);
    if (!outcome) {
      if (this.#outcomes.size === OUTCOMES_MAX) this.#outcomes.clear();
      outcome = this.#outcome(alert, fired);
      this.#outcomes.set(key, outcome);
    }
    return outcome;
  }

  #outcome(alert: boolean, places: readonly number[]): Outcome {
    const rules = places.map((place) => this.#compiled[place].rule);
    const fired = rules.filter(({ state }) => state === "live");
    const shadow = rules.filter(({ state }) => state === "shadow");
    const decision = decisionBy(fired, alert);
    const list = (name: string, values: readonly string[]) =>
      values.length === 0 ? "" : `,"${name}":${JSON.stringify(values)}`;
    const json = `,"DECISION":"${decision}"` +
      list("RULES", fired.map(({ id }) => id)) +
      list("SHADOW_RULES", shadow.map(({ id }) => id)) +
      list("REASONS", fired.map(({ reason }) => reason)) + this.#versions;
    return { decision, fired, shadow, json: ENCODER.encode(json) };
  }
}

function compile(
  { id, when }: Rule,
  lists: ReadonlyMap<string, ValueList>,
  { names }: RuleRows,
): Read<boolean> {
  const asked: ExpressionLists = {
    names: [...lists.keys()],
    test: (name, type) => {
      const list = lists.get(name);
      return list && listTest(list, type);
    },
  };
  try {
    const { type, read } = compileExpression(when.text, names, asked);
    if (type === "flag") return read;
  } catch (error) {
    if (!(error instanceof ExpressionError)) throw error;
    throw definitionError(
      when.placeAt(error.offset),
      `the rule ${id}: ${error.message}`,
    );
  }
  throw definitionError(
    when.placeAt(0),
    `the rule ${id}: 'when' must be a condition, such as "TX_AMOUNT > 100"`,
  );
}
