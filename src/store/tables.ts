/**
 * The tables of a store, as data: their columns, the types, where each value
 * comes from and what it must be, and the keys. Both stores derive from here
 * the statements that create, complete, write and read a table, and the
 * checksums of its rows. Each store decides how a type or a key is spelled.
 */
import type { StoredLabel } from "./labels.ts";
import { featureFields, isFeature } from "../features/feature_row.ts";
import {
  type FeatureParameters,
  includedCount,
  wholeFeatures,
} from "../features/parameters.ts";
import type { Verdict } from "../payment/label_json.ts";
import { INT_MAX, type TransactionId } from "../payment/payment.ts";
import { CELL, PAYMENT_CELLS } from "../payment/payment_cells.ts";
import {
  HANDBOOK_SHAPE,
  type IdKind,
  keptFields,
  paymentFields,
  type PaymentShape,
} from "../payment/payment_shape.ts";
import {
  type PredictedDecision,
  PREDICTION_CELLS,
  UNKNOWN_PLACE,
} from "../payment/prediction.ts";
import {
  type Field,
  PAYMENT_RECORD,
  predictionFields,
} from "../payment/record_field.ts";
import type { TextHeap } from "../payment/text_heap.ts";

/** Version of the tables, which an embedded store's file says; raise it with a column that older files lack. */
export const TABLES_VERSION = 4;

/** The types that columns have. */
export type ColumnType = "int" | "bigint" | "double" | "text";

/**
 * What a cell holds that is not simply the column's number: the place of a text
 * in the rows' heap, a time, a number that may be missing, or a label that may
 * not be known. Only streams with a definition have such cells.
 */
export type CellKind = "text" | "time" | "number" | "label";

/** A column. */
export interface Column<Source = unknown> {
  /** Its name. */
  readonly name: string;
  /** Whether it is a kept field, whose name is the definition's, and so is quoted in statements. */
  readonly isKept?: true;
  /** Whether it is a declared feature, whose name is the definition's too. */
  readonly isDeclared?: true;
  /** Of a cell: what it holds. */
  readonly cellKind?: CellKind;
  /** Its type. */
  readonly type: ColumnType;
  /** Where its values come from. */
  readonly source: Source;
  /** Whether a row may lack a value; a column that older tables lack must be so. */
  readonly nullable?: true;
  /** Whether rows are written without it, because its value follows from another table. */
  readonly isDerived?: true;
  /** The problem of a value that was read in a row, as a phrase after the column's name. */
  readonly problem?: (
    value: unknown,
    row: Readonly<Record<string, unknown>>,
  ) => string | undefined;
}

/** A table. */
export interface Table<Source = unknown> {
  /** Its name, without keyspace or file. */
  readonly name: string;
  /** Its columns; those of the key are among them. */
  readonly columns: readonly Column<Source>[];
  /** Names of the key's columns that form the partition. */
  readonly partition: readonly string[];
  /** Names of the key's other columns, which order a partition's rows. */
  readonly clustering: readonly string[];
  /** Whether the newest of them come first. */
  readonly newestFirst?: true;
  /** Whether its rows may hold long texts, better kept apart from the key. */
  readonly longTexts?: true;
  /** Whether its rows have a checksum even in a store that keeps its own. */
  readonly alwaysChecked?: true;
  /** What it is for. */
  readonly comment: string;
}

/** Where a payment's value comes from: a cell, or what follows from one. */
export type PaymentSource =
  | number
  /** TX_DATETIME as text. */
  | "datetime"
  /** The event day, TX_TIME_DAYS. */
  | "days"
  /** The period of PERIOD_DAYS event days. */
  | "period";

/** A list of texts beside the cells; see PredictionRows. */
export type SideText = "versions" | "contributions" | "shadowScores";

/** The place of a prediction's record, as lists of numbers beside the cells; see PredictionRows. */
export type PlaceSource = "partitions" | "offsets";

/** Where a value beside the cells comes from: a list of texts or of numbers, or a part of what rules decided. */
export type SideSource = SideText | PlaceSource | keyof PredictedDecision;

/** Where a value of a row of cells comes from: as a payment's, from beside the cells, or from all of them. */
export type CellSource = PaymentSource | SideSource | "check";

/** A table whose rows are cells. */
export interface CellTable<Source extends CellSource = CellSource>
  extends Table<Source> {
  /** Cells of a row. */
  readonly width: number;
  /** The form of its payments. */
  readonly shape: PaymentShape;
}

/** A table of payments. */
export type PaymentTable = CellTable<PaymentSource>;

/** A table whose rows are objects of numbers and texts; undefined is no value. */
export type ObjectTable<T> = Table<keyof T>;

/** A block of rows: cells side by side, and the texts of predictions. */
export interface TableRows {
  /** The cells, `width` per row. */
  readonly cells: Float64Array;
  /** Number of rows. */
  readonly count: number;
  /** What the cells of texts refer to. */
  readonly texts?: TextHeap;
  /** See PredictionRows. */
  readonly versions?: (string | null)[];
  /** See PredictionRows. */
  readonly contributions?: (string | null)[];
  /** See PredictionRows. */
  readonly shadowScores?: (string | null)[];
  /** See PredictionRows. */
  readonly partitions?: Int32Array;
  /** See PredictionRows. */
  readonly offsets?: Float64Array;
  /** See PredictionRows. */
  readonly decisions?: (PredictedDecision | null)[];
}

/** Whether a value comes from beside the cells. */
export function isSideSource(source: unknown): source is SideSource {
  return isSideText(source) || isPlace(source) ||
    DECISION_COLUMNS.some((column) => column.source === source);
}

/** Whether a value comes from a list of texts beside the cells. */
export function isSideText(source: unknown): source is SideText {
  return source === "versions" || source === "contributions" ||
    source === "shadowScores";
}

/** Whether a value is of the place of a prediction's record. */
export function isPlace(source: unknown): source is PlaceSource {
  return source === "partitions" || source === "offsets";
}

/** The value from beside the cells of row `index`; null for none. */
export function sideValue(
  rows: TableRows,
  source: SideSource,
  index: number,
): string | number | null {
  if (isPlace(source)) {
    const value = rows[source]?.[index] ?? UNKNOWN_PLACE;
    return value === UNKNOWN_PLACE ? null : value;
  }
  return isSideText(source)
    ? rows[source]?.[index] ?? null
    : rows.decisions?.[index]?.[source] ?? null;
}

/** The column that holds a row's checksum; see row_check.ts. */
export const CHECK_COLUMN = "row_check";

/** The column whose type an existing table decides: an int takes ids up to INT_MAX. */
export const ID_COLUMN = "transaction_id";

/** The table of payments. */
export const PAYMENT_TABLE = "transactions";

/** The table of labels. */
export const LABEL_TABLE = "transaction_label";

/** Days that share a partition of a card's or a terminal's payments. */
export const PERIOD_DAYS = 30;

const PERIOD_COMMENT =
  `tx_period = tx_time_days / ${PERIOD_DAYS}, rounded down`;

type PaymentColumn = Column<PaymentSource>;

/** The column of a record's field. */
function columnOf({ name, kind, max, cell }: Field): PaymentColumn {
  const isNullable = kind === "keptNumber";
  const isDouble = kind === "amount" || kind === "number" ||
    kind === "signed" || isNullable;
  return {
    name: name.toLowerCase(),
    type: kind === "datetime" || kind === "text"
      ? "text"
      : isDouble
      ? "double"
      : max > INT_MAX
      ? "bigint"
      : "int",
    source: kind === "datetime" ? "datetime" : kind === "day" ? "days" : cell,
    ...kind === "text" && { cellKind: kind },
    ...isNullable && { nullable: true, cellKind: "number" },
  };
}

/** The column of a kept field, which payments may lack. */
function keptColumn({ name, kind, max, cell }: Field): PaymentColumn {
  const isNumber = kind === "keptNumber";
  return {
    name: name.toLowerCase(),
    isKept: true,
    type: !isNumber ? "text" : max === 1 ? "int" : "double",
    source: cell,
    nullable: true,
    cellKind: isNumber ? "number" : kind === "keptTime" ? "time" : "text",
  };
}

/** TX_FRAUD where payments come without it: what the label that counts says, where labels arrive later. */
function lateLabel({ hasLabels }: PaymentShape): PaymentColumn {
  return {
    name: "tx_fraud",
    type: "int",
    source: CELL.fraud,
    nullable: true,
    cellKind: "label",
    ...hasLabels && { isDerived: true },
  };
}

/** The columns of payments of a shape, without the kept fields. */
function paymentColumns(shape: PaymentShape): readonly PaymentColumn[] {
  const columns = paymentFields(shape).map(columnOf);
  return shape.hasFraud ? columns : [...columns, lateLabel(shape)];
}

const [ID, , CUSTOMER, TERMINAL, , SECONDS, DAYS, FRAUD] = PAYMENT_RECORD.map(
  columnOf,
);
const PERIOD: PaymentColumn = {
  name: "tx_period",
  type: "int",
  source: "period",
};

/** The columns of payments without one that a table's key makes unnecessary. */
function without(
  shape: PaymentShape,
  { name: needless }: PaymentColumn,
): PaymentColumn[] {
  return paymentColumns(shape).filter(({ name }) => name !== needless);
}

const BY_TIME = [SECONDS.name, ID.name];

/** The column of a feature, which only declared ones may lack. */
function featureColumn(
  field: Field,
  { isWhole, isDeclared }: {
    readonly isWhole: boolean;
    readonly isDeclared: boolean;
  },
): PaymentColumn {
  const { kind, min = 0 } = field;
  const nullable = kind === "keptNumber";
  return {
    ...columnOf(field),
    type: isWhole ? "int" : "double",
    ...isDeclared && { isDeclared },
    ...nullable && { nullable, cellKind: "number" },
    problem: (value) => {
      if (value === null || value === undefined) {
        return nullable ? undefined : "has no value";
      }
      const isGood = typeof value === "number" &&
        isFeature(min < 0 ? Math.abs(value) : value, isWhole);
      return isGood
        ? undefined
        : `${shown(value)} is not a value of this feature`;
    },
  };
}

/** The payments with their features and kept fields, by transaction_id. */
export function paymentTable(
  features: FeatureParameters,
  shape: PaymentShape = HANDBOOK_SHAPE,
): PaymentTable {
  const whole = wholeFeatures(features);
  const declaredFrom = includedCount(features);
  const columns = featureFields(features).map((field, i) =>
    featureColumn(field, {
      isWhole: whole[i],
      isDeclared: i >= declaredFrom,
    })
  );
  const kept = keptFields(shape, PAYMENT_CELLS + columns.length);
  return {
    name: PAYMENT_TABLE,
    columns: [...paymentColumns(shape), ...columns, ...kept.map(keptColumn)],
    width: PAYMENT_CELLS + columns.length + kept.length,
    shape,
    partition: [ID.name],
    clustering: [],
    comment: "payments with their features",
  };
}

/**
 * A card's payments, newest first. A card with 1,000 payments per day fills a
 * partition with 30,000 rows of about 80 bytes, 2.4 MB.
 */
export function byCustomerTable(
  shape: PaymentShape = HANDBOOK_SHAPE,
): PaymentTable {
  return {
    name: "transactions_by_customer",
    columns: [...without(shape, DAYS), PERIOD],
    width: PAYMENT_CELLS,
    shape,
    partition: [CUSTOMER.name, PERIOD.name],
    clustering: BY_TIME,
    newestFirst: true,
    comment: `a card's payments; ${PERIOD_COMMENT}`,
  };
}

/** A terminal's payments, newest first. With 5,000 payments per day: 150,000 rows, 12 MB. */
export function byTerminalTable(
  shape: PaymentShape = HANDBOOK_SHAPE,
): PaymentTable {
  return {
    ...byCustomerTable(shape),
    name: "transactions_by_terminal",
    partition: [TERMINAL.name, PERIOD.name],
    comment: `a terminal's payments; ${PERIOD_COMMENT}`,
  };
}

/** The frauds of an event day. At 1,000 payments per second, 1 % of them frauds: 864,000 rows, 70 MB. */
export function fraudsByDayTable(
  shape: PaymentShape = HANDBOOK_SHAPE,
): PaymentTable {
  return {
    name: "frauds_by_day",
    columns: without(shape, FRAUD),
    width: PAYMENT_CELLS,
    shape,
    partition: [DAYS.name],
    clustering: BY_TIME,
    comment: "the frauds of an event day",
  };
}

/** The problem of a score or an alert that was read. */
const SCORE_PROBLEMS: Readonly<Record<string, Pick<Column, "problem">>> = {
  SCORE: {
    problem: (value, { decision }) => {
      // Rules may decide without a score.
      const isGood = typeof value === "number" && Number.isFinite(value) ||
        typeof decision === "string" && (value ?? null) === null;
      return isGood ? undefined : `${shown(value)} is not a number`;
    },
  },
  ALERT: { problem: unless(isFlag, "0 or 1") },
};

/** Partition and offset of the record in its topic; empty in rows that an earlier release has stored. */
const PLACE_COLUMNS: readonly Column<PlaceSource>[] = [
  {
    name: "record_partition",
    type: "int",
    source: "partitions",
    nullable: true,
    problem: notPlace("record_offset", INT_MAX),
  },
  {
    name: "record_offset",
    type: "bigint",
    source: "offsets",
    nullable: true,
    problem: notPlace("record_partition", Number.MAX_SAFE_INTEGER),
  },
];

/** What rules decided; empty where a stream has none. */
const DECISION_COLUMNS: readonly Column<keyof PredictedDecision>[] = [
  { name: "decision", type: "text", source: "decision", nullable: true },
  { name: "rules", type: "text", source: "rules", nullable: true },
  { name: "shadow_rules", type: "text", source: "shadowRules", nullable: true },
  { name: "reasons", type: "text", source: "reasons", nullable: true },
  {
    name: "rules_version",
    type: "text",
    source: "rulesVersion",
    nullable: true,
  },
  {
    name: "lists_version",
    type: "text",
    source: "listsVersion",
    nullable: true,
  },
  { name: "threshold", type: "double", source: "threshold", nullable: true },
];

/** The predictions, by transaction_id. */
export function predictionTable(
  shape: PaymentShape = HANDBOOK_SHAPE,
): CellTable {
  return {
    name: "transaction_prediction",
    columns: [
      ...predictionFields(paymentFields(shape)).map((field) => ({
        ...columnOf(field),
        ...SCORE_PROBLEMS[field.name],
      })),
      {
        name: "model_version",
        type: "text",
        source: "versions",
        problem: unless((value) => typeof value === "string", "a text"),
      },
      {
        name: "contributions",
        type: "text",
        source: "contributions",
        nullable: true,
      },
      ...PLACE_COLUMNS,
      {
        name: "shadow_scores",
        type: "text",
        source: "shadowScores",
        nullable: true,
      },
      ...DECISION_COLUMNS,
    ],
    width: PREDICTION_CELLS,
    shape,
    partition: [ID.name],
    clustering: [],
    comment: "scores of payments",
  };
}

/** The predictions of a stream without a definition. */
export const PREDICTIONS: CellTable = predictionTable();

/** A metric of a model on a day. */
export interface ModelMetric {
  /** TX_TIME_DAYS. */
  readonly day: number;
  /** Version of the model. */
  readonly version: string;
  /** Name of the metric. */
  readonly metric: string;
  /** Its value. */
  readonly value: number;
}

/** The metrics of a model, by day: about 40 small rows per day. */
export const METRICS: ObjectTable<ModelMetric> = {
  name: "model_metrics",
  columns: [
    { name: "day", type: "int", source: "day" },
    { name: "model_version", type: "text", source: "version" },
    { name: "metric", type: "text", source: "metric" },
    { name: "value", type: "double", source: "value" },
  ],
  partition: ["model_version"],
  clustering: ["day", "metric"],
  comment: "how models do, by event day, as labels become known",
};

/** The verdicts, the newest of a payment first; a payment has a few of them. */
export function verdictTable(
  { transactionId }: PaymentShape = HANDBOOK_SHAPE,
): ObjectTable<Verdict> {
  return { ...VERDICTS, columns: withTextId(VERDICTS, ID.name, transactionId) };
}

/** The verdicts of a stream without a definition. */
export const VERDICTS: ObjectTable<Verdict> = {
  name: "transaction_verdict",
  columns: [
    { name: ID.name, type: "bigint", source: "transactionId" },
    { name: "decided_at", type: "text", source: "decidedAt" },
    {
      name: "label",
      type: "int",
      source: "label",
      problem: unless(isFlag, "0 or 1"),
    },
    { name: "analyst", type: "text", source: "analyst" },
    { name: "note", type: "text", source: "note" },
  ],
  partition: [ID.name],
  clustering: ["decided_at"],
  newestFirst: true,
  longTexts: true,
  comment: "what analysts have decided; the writer never touches it",
};

/**
 * The labels of payments that arrive later, one row per accepted record, the
 * one that counts first; most payments have one. The place of the record in its
 * topic is part of the key, so a row is a function of the log: it may be written
 * again, and in any order.
 */
export function labelTable(
  { transactionId }: PaymentShape,
): ObjectTable<StoredLabel> {
  return { ...LABELS, columns: withTextId(LABELS, ID.name, transactionId) };
}

const LABELS: ObjectTable<StoredLabel> = {
  name: LABEL_TABLE,
  columns: [
    { name: ID.name, type: "bigint", source: "transactionId" },
    { name: "known_at", type: "text", source: "knownAt", problem: notTime },
    { name: "topic_offset", type: "bigint", source: "offset" },
    { name: "topic_partition", type: "int", source: "partition" },
    { name: "known_time", type: "text", source: "knownTime", problem: notTime },
    {
      name: "tx_fraud",
      type: "int",
      source: "fraud",
      nullable: true,
      problem: unless(
        (value) => value === null || value === undefined || isFlag(value),
        "0, 1 or null",
      ),
    },
    { name: "tx_fraud_scenario", type: "int", source: "scenario" },
  ],
  partition: [ID.name],
  clustering: ["known_at", "topic_offset", "topic_partition"],
  newestFirst: true,
  comment: "what was known about a payment, and from when on",
};

/** The columns of a table whose column `name` is that of a TRANSACTION_ID. */
function withTextId<T>(
  { columns }: ObjectTable<T>,
  name: string,
  kind: IdKind,
): readonly Column<keyof T>[] {
  if (kind === "number") return columns;
  return columns.map((column) =>
    column.name === name ? { ...column, type: "text" } : column
  );
}

/** A StreamPosition as its table has it. */
export interface PositionRow {
  /** The stream's id. */
  readonly stream: string;
  /** The topic that the rows come from. */
  readonly topic: string;
  /** Its partition. */
  readonly partition: number;
  /** Offset of the next record to store. */
  readonly next: number;
  /** Offset of the mark, if there is one. */
  readonly markOffset: number | undefined;
  /** Its checksum. */
  readonly markCheck: number | undefined;
  /** TRANSACTION_ID of the last row stored, if there is one. */
  readonly lastId: TransactionId | undefined;
  /** What the writer commits with the offset. */
  readonly metadata: string;
}

/** The positions: one partition per stream, one row per partition of its topics. */
export function positionTable(
  { transactionId }: PaymentShape = HANDBOOK_SHAPE,
): ObjectTable<PositionRow> {
  return {
    ...POSITIONS,
    columns: withTextId(POSITIONS, "last_id", transactionId),
  };
}

/** The positions of a stream without a definition. */
export const POSITIONS: ObjectTable<PositionRow> = {
  name: "stream_position",
  columns: [
    { name: "stream", type: "text", source: "stream" },
    { name: "topic", type: "text", source: "topic" },
    { name: "topic_partition", type: "bigint", source: "partition" },
    { name: "next_offset", type: "bigint", source: "next" },
    {
      name: "mark_offset",
      type: "bigint",
      source: "markOffset",
      nullable: true,
    },
    { name: "mark_check", type: "bigint", source: "markCheck", nullable: true },
    { name: "last_id", type: "bigint", source: "lastId", nullable: true },
    { name: "metadata", type: "text", source: "metadata" },
  ],
  partition: ["stream"],
  clustering: ["topic", "topic_partition"],
  alwaysChecked: true,
  comment: "up to where each topic of a stream is stored",
};

/** A table's columns and that of its checksum, which tables of older versions lack. */
export function checkedColumns<Source>(
  { columns, alwaysChecked }: Table<Source>,
): readonly Column<Source | "check">[] {
  return [...columns, {
    name: CHECK_COLUMN,
    type: "bigint",
    source: "check",
    ...!alwaysChecked && { nullable: true },
  }];
}

/** The columns that a row is written with: all but those that follow from another table. */
export function writtenColumns<Source>(
  table: Table<Source>,
): readonly Column<Source | "check">[] {
  return checkedColumns(table).filter(({ isDerived }) => !isDerived);
}

/** A column's name in a statement. */
export function nameInStatement(
  { name, isKept, isDeclared }: Column,
): string {
  return isKept || isDeclared ? `"${name}"` : name;
}

/** A value from a store, for a message of one line. */
export function shown(value: unknown): string {
  return typeof value === "string"
    ? JSON.stringify(value.slice(0, 60))
    : String(value);
}

function unless(
  good: (value: unknown) => boolean,
  what: string,
): (value: unknown) => string | undefined {
  return (value) => good(value) ? undefined : `${shown(value)} is not ${what}`;
}

/** The problem of one part of a place that was read: both parts are known, or neither. */
function notPlace(
  other: string,
  max: number,
): NonNullable<Column["problem"]> {
  return (value, row) => {
    if ((value ?? null) === null) {
      return (row[other] ?? null) === null ? undefined : "has no value";
    }
    const place = Number(value);
    return Number.isInteger(place) && place >= 0 && place <= max
      ? undefined
      : `${shown(value)} is not in 0…${max}`;
  };
}

const TIME = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/;

function notTime(value: unknown): string | undefined {
  const isTime = typeof value === "string" && TIME.test(value);
  return isTime ? undefined : `${shown(value)} is not a date and time`;
}

function isFlag(value: unknown): boolean {
  return value === 0 || value === 1;
}
