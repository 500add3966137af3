/**
 * Tables with a row for each payment, as `features`, `export` and `score`
 * write them: TRANSACTION_ID, and as asked for the payment's own fields, its
 * label, its features and its prediction.
 */
import {
  featureCount,
  featureNames,
  type FeatureParameters,
  nullableFeatures,
  totalsLayout,
  totalsToCanonical,
  totalsToValues,
  wholeFeatures,
} from "../../features/parameters.ts";
import { columnKind } from "../../files/data_set.ts";
import type {
  ColumnValues,
  TableColumn,
  TableFormat,
} from "../../files/table_encoder.ts";
import { TableWriter } from "../../files/table_writer.ts";
import { DAY_SECONDS } from "../../payment/payment.ts";
import {
  CELL,
  FRAUD_UNKNOWN,
  PAYMENT_CELLS,
} from "../../payment/payment_cells.ts";
import {
  PREDICTION_CELL,
  PREDICTION_CELLS,
  type PredictionRows,
} from "../../payment/prediction.ts";
import {
  HANDBOOK_SHAPE,
  keptFields,
  paymentFields,
  type PaymentShape,
} from "../../payment/payment_shape.ts";
import type { Field } from "../../payment/record_field.ts";
import { NO_TEXT, NO_TEXTS, type TextHeap } from "../../payment/text_heap.ts";

import { type SideSource, sideValue } from "../../store/tables.ts";

/** What a table may have beside TRANSACTION_ID; a payment's own fields are those that predictions repeat, the kept ones apart. */
export type TablePart =
  | "payment"
  | "kept"
  | "day"
  | "label"
  | "features"
  | "prediction"
  | "shadows"
  | "decision";

/** The parts that a word of --with adds. */
export function partsOf(word: "payment" | "label" | "prediction"): TablePart[] {
  return word === "payment" ? ["payment", "day", "kept"] : [word];
}

/** Takes the rows of a table. */
export interface TableSink {
  /** Takes the first `length` values of each column, which are valid until it resolves. */
  write(columns: readonly ColumnValues[], length: number): Promise<void>;
}

/** What a table is made of. */
export interface TableOptions {
  /** The columns that it has, whatever their order here. */
  readonly parts: readonly TablePart[];
  /** The features of the payments. */
  readonly features: FeatureParameters;
  /** CSV gets features in the canonical rounding, the other formats the full doubles. */
  readonly format: TableFormat;
  /** Whether a payment may lack a prediction. */
  readonly partlyPredicted?: true;
  /** The form of the payments; the handbook's where it is left out. */
  readonly shape?: PaymentShape | undefined;
}

/** Which part each field of a payment belongs to; TRANSACTION_ID is always there. */
const PARTS: Readonly<Record<string, TablePart>> = {
  TX_TIME_DAYS: "day",
  TX_FRAUD: "label",
  TX_FRAUD_SCENARIO: "label",
};

/** A field of payments as a table has it. */
interface TableField extends Field {
  readonly nullable?: true;
}

/** TX_FRAUD where payments come without it: null until it is known. */
const LATE_LABEL: TableField = {
  name: "TX_FRAUD",
  kind: "flag",
  max: 1,
  cell: CELL.fraud,
  nullable: true,
};

/** The fields of payments that a table has. */
function fieldsOf(
  parts: readonly TablePart[],
  shape: PaymentShape,
  keptFrom: number,
): TableField[] {
  const own = paymentFields(shape);
  const payment = [...own, ...shape.hasFraud ? [] : [LATE_LABEL]]
    .filter(({ name }) =>
      name === "TRANSACTION_ID" || parts.includes(PARTS[name] ?? "payment")
    );
  if (!parts.includes("kept")) return payment;
  const kept = keptFields(shape, keptFrom);
  return [
    ...payment,
    ...kept.map((field) => ({ ...field, nullable: true as const })),
  ];
}

/** Values of a column: of numbers alone, or with texts or null. */
type TableValues = Float64Array | (number | string | null)[];

/** Empty values of a field. */
function valuesFor({ kind, nullable }: TableField): TableValues {
  return kind === "text" || nullable ? [] : new Float64Array();
}

/** The value of a field that only streams with a definition have; null where there is none. */
function ownValue(
  { kind }: TableField,
  cell: number,
  texts: TextHeap,
): number | string | null {
  if (kind === "text" || kind === "keptText") {
    return cell === NO_TEXT ? null : texts.text(cell);
  }
  if (kind === "flag") return cell === FRAUD_UNKNOWN ? null : cell;
  return Number.isNaN(cell) ? null : cell;
}

/** Rows of a table as columns, filled batch after batch in the same memory. */
export class PaymentTable {
  /** The table's columns. */
  readonly columns: readonly TableColumn[];
  /** Whether it has predictions. */
  readonly predicts: boolean;
  /** How many of a payment's cells it reads: all, or the first alone. */
  readonly paymentCells: number;
  readonly #fields: readonly TableField[];
  readonly #finish: (totals: Float64Array, from: number) => void;
  readonly #features: Float64Array;
  /** Of the fields, then the features. */
  #values: TableValues[];
  #score: (number | null)[] = [];
  #alert: (number | null)[] = [];
  #version: (string | null)[] = [];
  #contributions: (string | null)[] = [];
  /** What predictions have in streams with shadow models or rules, by column. */
  readonly #extras: readonly {
    readonly source: ExtraColumn["source"];
    readonly values: (string | number | null)[];
  }[];
  #length = 0;
  #capacity = 0;

  /** Makes one without rows. */
  constructor(options: TableOptions) {
    const { parts, features, format, partlyPredicted } = options;
    const { shape = HANDBOOK_SHAPE } = options;
    const keptFrom = PAYMENT_CELLS + featureCount(features);
    this.#fields = fieldsOf(parts, shape, keptFrom);
    this.paymentCells = this.#fields.length === 1 ? 1 : PAYMENT_CELLS;
    this.predicts = parts.includes("prediction");
    const extras = EXTRA_COLUMNS.filter(({ part }) =>
      this.predicts && parts.includes(part)
    );
    const hasFeatures = parts.includes("features");
    const values = new Float64Array(hasFeatures ? featureCount(features) : 0);
    const layout = totalsLayout(features);
    const finish = format === "csv" ? totalsToCanonical : totalsToValues;
    this.#features = values;
    this.#finish = (totals, from) => {
      if (hasFeatures) finish(totals, layout, values, from);
    };
    this.columns = [
      ...this.#fields.map(({ nullable, ...field }) => ({
        name: field.name,
        kind: columnKind(field),
        ...nullable && { nullable },
      })),
      ...hasFeatures ? featureColumns(features) : [],
      ...this.predicts ? predictionColumns(partlyPredicted) : [],
      ...extras.map(({ column }) => column),
    ];
    this.#extras = extras.map(({ source }) => ({ source, values: [] }));
    this.#values = [
      ...this.#fields.map(valuesFor),
      ...hasFeatures
        ? nullableFeatures(features).map((nullable) =>
          nullable ? [] : new Float64Array()
        )
        : [],
    ];
  }

  /** Opens the table at a path or stdout ('-'). */
  open(out: string, format: TableFormat): Promise<TableWriter> {
    return TableWriter.open(out, format, this.columns);
  }

  /** Writes the rows added since clear(). */
  async write(writer: TableSink): Promise<void> {
    const values = [...this.#values] as ColumnValues[];
    if (this.predicts) {
      values.push(
        this.#score,
        this.#alert,
        this.#version,
        this.#contributions,
        ...this.#extras.map(({ values }) => values as ColumnValues),
      );
    }
    await writer.write(values, this.#length);
  }

  /** Forgets the rows and makes room for `length` of them. */
  clear(length: number): void {
    this.#length = 0;
    if (length <= this.#capacity) return;
    this.#capacity = 2 * length;
    this.#values = this.#values.map((values) =>
      Array.isArray(values) ? values : new Float64Array(this.#capacity)
    );
  }

  /**
   * Adds a payment, whose cells begin at `cells[at]`, with the totals of its
   * features, which begin at `totals[from]`.
   */
  add(
    cells: Float64Array,
    at: number,
    totals: Float64Array,
    from = 0,
    texts: TextHeap = NO_TEXTS,
  ): void {
    const row = this.#length++;
    const fields = this.#fields;
    for (let i = 0; i < fields.length; i++) {
      const { kind, cell } = fields[i];
      const value = cells[at + cell];
      const values = this.#values[i];
      if (Array.isArray(values)) {
        values[row] = ownValue(fields[i], value, texts);
      } else {values[row] = kind === "day"
          ? Math.floor(value / DAY_SECONDS)
          : value;}
    }
    this.#finish(totals, from);
    for (let i = 0; i < this.#features.length; i++) {
      const values = this.#values[fields.length + i];
      const value = this.#features[i];
      if (Array.isArray(values)) {
        values[row] = Number.isNaN(value) ? null : value;
      } else values[row] = value;
    }
  }

  /** Says what prediction the payment added last has: row `index` of `page`, or none. */
  predict(page: PredictionRows | undefined, index: number): void {
    const row = this.#length - 1;
    const at = index * PREDICTION_CELLS;
    const score = page?.cells[at + PREDICTION_CELL.score] ?? NaN;
    this.#score[row] = Number.isNaN(score) ? null : score;
    this.#alert[row] = page?.cells[at + PREDICTION_CELL.alert] ?? null;
    this.#version[row] = page?.versions[index] ?? null;
    this.#contributions[row] = page?.contributions[index] ?? null;
    for (const { source, values } of this.#extras) {
      values[row] = page ? sideValue(page, source, index) : null;
    }
  }
}

/** A column that only streams with shadow models or rules have. */
interface ExtraColumn {
  readonly part: "shadows" | "decision";
  readonly source: SideSource;
  readonly column: TableColumn;
}

const EXTRA_COLUMNS: readonly ExtraColumn[] = [
  ["shadowScores", "SHADOW_SCORES", "json"],
  ["decision", "DECISION", "text"],
  ["rules", "RULES", "json"],
  ["shadowRules", "SHADOW_RULES", "json"],
  ["reasons", "REASONS", "json"],
  ["rulesVersion", "RULES_VERSION", "text"],
  ["listsVersion", "LISTS_VERSION", "text"],
  ["threshold", "THRESHOLD", "double"],
].map(([source, name, kind]) => ({
  part: source === "shadowScores" ? "shadows" : "decision",
  source: source as SideSource,
  column: { name, kind: kind as TableColumn["kind"], nullable: true },
}));

function featureColumns(features: FeatureParameters): TableColumn[] {
  const whole = wholeFeatures(features);
  const nullable = nullableFeatures(features);
  return featureNames(features).map((name, at) => ({
    name,
    kind: whole[at] ? "int32" : "double",
    ...nullable[at] && { nullable: true },
  }));
}

function predictionColumns(isPartly?: true): TableColumn[] {
  const nullable = isPartly && { nullable: true } as const;
  return [
    { name: "SCORE", kind: "double", ...nullable },
    { name: "ALERT", kind: "int32", ...nullable },
    { name: "MODEL_VERSION", kind: "text", ...nullable },
    { name: "CONTRIBUTIONS", kind: "json", nullable: true },
  ];
}
