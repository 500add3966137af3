/**
 * The declared features that one place computes. In a stream the customers'
 * stage has the aggregates whose key contains CUSTOMER_ID, the stage behind it
 * all others and, since nothing comes after it, the expressions; files have
 * everything at once. Values stand in the row of totals, behind the features of
 * the set.
 */
import type { StateSink, StateSource } from "../base/state_stream.ts";
import {
  compileExpression,
  type NamedValue,
  type Read,
} from "../definition/expression.ts";
import { PAYMENT_CELLS } from "../payment/payment_cells.ts";
import type { PaymentShape } from "../payment/payment_shape.ts";
import type { TextHeap } from "../payment/text_heap.ts";
import {
  type DeclaredFeatures,
  isOfCustomer,
  paymentValues,
} from "./declared_features.ts";
import {
  DeclaredOperator,
  type DeclaredRows,
  type KeyMemory,
} from "./declared_operator.ts";
import type { ArrivedLabel, LabelSample } from "./label_windows.ts";
import {
  featureCount,
  featureNames,
  type FeatureParameters,
  includedCount,
  nullableFeatures,
  type TotalsLayout,
  totalsLayout,
  totalsToValues,
} from "./parameters.ts";

/** Which of the declared features, and over which rows. */
export interface DeclaredPartOptions {
  /** The customers' aggregates, or all others and the expressions, or everything. */
  readonly part: "customer" | "later" | "all";
  /** The payments. */
  readonly shape: PaymentShape;
  /** The cell of the first kept field in a row. */
  readonly keptFrom: number;
  /** How far behind the greatest time a payment may still come, in seconds. */
  readonly slackSeconds: number;
}

/** A part of the declared features without state; undefined where nothing is declared. */
export function declaredPart(
  parameters: FeatureParameters,
  options: DeclaredPartOptions,
): DeclaredPart | undefined {
  const { declared } = parameters;
  return declared && new DeclaredPart(parameters, declared, options);
}

/** Computes a part of the declared features. */
export class DeclaredPart {
  /** How long an aggregate looks back, late payments included, in seconds. */
  readonly keepSeconds: number;
  readonly #operator: DeclaredOperator;
  readonly #expressions: RowExpressions | undefined;
  readonly #from: number;
  readonly #width: number;

  /** Makes one without state; see declaredPart(). */
  constructor(
    parameters: FeatureParameters,
    declared: DeclaredFeatures,
    { part, shape, keptFrom, slackSeconds }: DeclaredPartOptions,
  ) {
    const aggregates = declared.aggregates.filter((one) =>
      part === "all" || isOfCustomer(one) === (part === "customer")
    );
    const { graceSeconds } = parameters;
    const layout = { shape, keptFrom, slackSeconds, graceSeconds };
    this.#operator = new DeclaredOperator(aggregates, layout);
    this.#expressions = part === "customer" || declared.expressions.length === 0
      ? undefined
      : new RowExpressions(parameters, declared, { shape, keptFrom });
    this.#from = includedCount(parameters);
    this.#width = featureCount(parameters);
    this.keepSeconds = slackSeconds + Math.max(
      0,
      ...aggregates.map(({ overSeconds, delaySeconds }) =>
        overSeconds + delaySeconds
      ),
    );
  }

  /** Bytes held in typed arrays. */
  get bytes(): number {
    return this.#operator.bytes;
  }

  /**
   * Adds the payment in the row that begins at `at`, and writes the features
   * of this part into the row of totals that begins at `totalsAt` and has all
   * others already. `progress` is the greatest TX_TIME_SECONDS so far.
   */
  process(
    cells: Float64Array,
    at: number,
    texts: TextHeap,
    progress: number,
    totals: Float64Array,
    totalsAt = 0,
  ): void {
    const outAt = totalsAt + this.#from;
    this.#operator.process(cells, at, texts, progress, totals, outAt);
    this.#expressions?.write(cells, at, texts, totals, totalsAt);
  }

  /** The same for payments one after another, whose totals lie side by side from 0 on; `progress` is the greatest TX_TIME_SECONDS before them. */
  processBlock(
    rows: DeclaredRows,
    progress: number,
    totals: Float64Array,
  ): void {
    const from = this.#from;
    const totalsWidth = this.#width;
    this.#operator.processBlock(rows, progress, totals, from, totalsWidth);
    const { cells, width, count, texts } = rows;
    const expressions = this.#expressions;
    if (!expressions) return;
    for (let row = 0; row < count; row++) {
      expressions.write(cells, row * width, texts, totals, row * totalsWidth);
    }
  }

  /** Takes the label of the payment in a row, whose TRANSACTION_ID has the digest `id`, where labels arrive on their own; see label_windows.ts. */
  takeLabel(
    cells: Float64Array,
    at: number,
    texts: TextHeap,
    id: Int32Array,
    label: ArrivedLabel,
    progress: number,
  ): void {
    this.#operator.takeLabel(cells, at, texts, id, label, progress);
  }

  /** Counts the payment in a row for memory(), and adds it nowhere. */
  count(cells: Float64Array, at: number, texts: TextHeap): void {
    this.#operator.count(cells, at, texts);
  }

  /** About how many bytes each key holds of payments that come as those that were counted; see DeclaredOperator. */
  memory(sample: LabelSample): KeyMemory[] {
    return this.#operator.memory(sample);
  }

  /** Writes the state. */
  save(sink: StateSink): void {
    this.#operator.save(sink);
  }

  /** Loads what save() wrote, from the same part of the same features. Throws an Error for anything else; the part is then unusable. */
  load(source: StateSource): void {
    this.#operator.load(source);
  }
}

/** The expressions, over rows of a payment, its features and its kept fields. */
class RowExpressions {
  readonly #row: Float64Array;
  readonly #values: Float64Array;
  readonly #layout: TotalsLayout;
  readonly #from: number;
  readonly #keptFrom: number;
  readonly #kept: number;
  readonly #reads: readonly {
    readonly place: number;
    readonly read: Read<number | boolean>;
  }[];

  constructor(
    parameters: FeatureParameters,
    { expressions }: DeclaredFeatures,
    { shape, keptFrom }: Pick<DeclaredPartOptions, "shape" | "keptFrom">,
  ) {
    const count = featureCount(parameters);
    this.#kept = shape.kept.length;
    this.#keptFrom = keptFrom;
    this.#from = includedCount(parameters);
    this.#row = new Float64Array(PAYMENT_CELLS + count + this.#kept);
    this.#values = this.#row.subarray(PAYMENT_CELLS, PAYMENT_CELLS + count);
    this.#layout = totalsLayout(parameters);
    const nullable = nullableFeatures(parameters);
    const names = new Map<string, NamedValue>([
      ...paymentValues(shape, PAYMENT_CELLS + count),
      ...featureNames(parameters).map((name, i) => {
        const cell = PAYMENT_CELLS + i;
        return [name, { type: "number", cell, nullable: nullable[i] }] as const;
      }),
    ]);
    this.#reads = expressions.map(({ column, text }) => {
      const { type, read } = compileExpression(text, names);
      if (type === "text") throw new Error(`a text as a feature: ${text}`);
      return { place: this.#from + column, read };
    });
  }

  /** Writes the expressions of a payment into its row of totals. */
  write(
    cells: Float64Array,
    at: number,
    texts: TextHeap,
    totals: Float64Array,
    totalsAt: number,
  ): void {
    const row = this.#row;
    const values = this.#values;
    for (let i = 0; i < PAYMENT_CELLS; i++) row[i] = cells[at + i];
    const keptAt = row.length - this.#kept;
    for (let i = 0; i < this.#kept; i++) {
      row[keptAt + i] = cells[at + this.#keptFrom + i];
    }
    totalsToValues(totals, this.#layout, values, totalsAt);
    for (let i = 0; i < this.#reads.length; i++) {
      const { place, read } = this.#reads[i];
      // A condition is 1 or 0, and -0 is 0.
      const value = Number(read(row, 0, texts)) + 0;
      values[place] = value;
      totals[totalsAt + place] = value;
    }
  }
}
