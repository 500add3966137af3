/**
 * The tables in Cassandra: their columns, where each value comes from in a row
 * of cells, and the CQL made from that. One table holds the payments with
 * their features; three more answer what people look up, each from one
 * partition whose size is bounded. Nothing here knows the driver.
 */
import { ConfigError } from "../../base/error.ts";
import { PAYMENT_CELLS } from "../../payment/payment_cells.ts";
import {
  featureNames,
  type FeatureParameters,
  wholeFeatures,
} from "../../features/parameters.ts";
import {
  checkSchemaSettings,
  type SchemaSettings,
} from "./cassandra_settings.ts";
import { VERDICT_TABLE } from "../look_up.ts";
import { POSITION_COLUMNS, POSITION_TABLE } from "../positions.ts";
import { METRIC_TABLE, PREDICTION_TABLE } from "../predictions.ts";
import { INT_MAX, TRANSACTION_ID_MAX } from "../../payment/payment.ts";

/** The types that columns have. */
export type CqlType = "int" | "bigint" | "double" | "text";

/** Where a column's value comes from: a cell, or what is computed from one. */
export type ValueSource =
  | number
  /** TX_DATETIME as text. */
  | "datetime"
  /** The event day, TX_TIME_DAYS. */
  | "days"
  /** The period of PERIOD_DAYS event days. */
  | "period";

/** A column, wherever its values come from. */
export interface PlainColumn {
  /** Its name. */
  readonly name: string;
  /** Its type. */
  readonly type: CqlType;
}

/** A column of payments. */
export interface Column extends PlainColumn {
  /** Where its values come from. */
  readonly source: ValueSource;
}

/** A table of payments. */
export interface Table extends PlainTable {
  /** Its columns; those of the primary key are among them. */
  readonly columns: readonly Column[];
}

/** A table. */
export interface PlainTable {
  /** Its name, without the keyspace. */
  readonly name: string;
  /** Its columns; those of the primary key are among them. */
  readonly columns: readonly PlainColumn[];
  /** Names of the columns that make the partition. */
  readonly partition: readonly string[];
  /** Names of the columns that order its rows. */
  readonly clustering: readonly string[];
  /** Whether the newest rows come first. */
  readonly newestFirst: boolean;
  /** What it is for. */
  readonly comment: string;
}

/** Days that share a partition of a card's or a terminal's payments. */
export const PERIOD_DAYS = 30;
const PERIOD_COMMENT =
  `tx_period = tx_time_days / ${PERIOD_DAYS}, rounded down`;

/** The tables of a schema. */
export interface Tables {
  /** The payments with their features, by transaction_id. */
  readonly transactions: Table;
  /** A card's payments, newest first. A card with 1,000 payments a day fills a partition with 30,000 rows of about 80 bytes, 2.4 MB. */
  readonly byCustomer: Table;
  /** A terminal's payments, newest first. With 5,000 payments a day: 150,000 rows, 12 MB. */
  readonly byTerminal: Table;
  /** The frauds of an event day. At 1,000 payments a second, 1 % of them frauds: 864,000 rows, 70 MB. */
  readonly fraudsByDay: Table;
}

/** The column whose type an existing table decides: an int takes ids up to INT_MAX. */
const ID_COLUMN = "transaction_id";

const COLUMN = {
  id: { name: ID_COLUMN, type: "bigint", source: 0 },
  datetime: { name: "tx_datetime", type: "text", source: "datetime" },
  customer: { name: "customer_id", type: "int", source: 2 },
  terminal: { name: "terminal_id", type: "int", source: 3 },
  amount: { name: "tx_amount", type: "double", source: 4 },
  seconds: { name: "tx_time_seconds", type: "int", source: 5 },
  days: { name: "tx_time_days", type: "int", source: "days" },
  fraud: { name: "tx_fraud", type: "int", source: 6 },
  scenario: { name: "tx_fraud_scenario", type: "int", source: 7 },
  period: { name: "tx_period", type: "int", source: "period" },
} as const satisfies Record<string, Column>;

/** The tables for these features, as they are made. */
export function tablesOf(features: FeatureParameters): Tables {
  const { id, datetime, customer, terminal, amount } = COLUMN;
  const { seconds, days, fraud, scenario, period } = COLUMN;
  const order = [seconds.name, id.name];
  return {
    transactions: {
      name: "transactions",
      columns: [
        ...[id, datetime, customer, terminal, amount, seconds, days],
        ...[fraud, scenario, ...featureColumns(features)],
      ],
      partition: [id.name],
      clustering: [],
      newestFirst: false,
      comment: "payments with their features",
    },
    byCustomer: {
      name: "transactions_by_customer",
      columns: [
        ...[customer, period, seconds, id],
        ...[datetime, terminal, amount, fraud, scenario],
      ],
      partition: [customer.name, period.name],
      clustering: order,
      newestFirst: true,
      comment: `a card's payments; ${PERIOD_COMMENT}`,
    },
    byTerminal: {
      name: "transactions_by_terminal",
      columns: [
        ...[terminal, period, seconds, id],
        ...[datetime, customer, amount, fraud, scenario],
      ],
      partition: [terminal.name, period.name],
      clustering: order,
      newestFirst: true,
      comment: `a terminal's payments; ${PERIOD_COMMENT}`,
    },
    fraudsByDay: {
      name: "frauds_by_day",
      columns: [
        ...[days, seconds, id],
        ...[datetime, customer, terminal, amount, scenario],
      ],
      partition: [days.name],
      clustering: order,
      newestFirst: false,
      comment: "the frauds of an event day",
    },
  };
}

function featureColumns(features: FeatureParameters): Column[] {
  const whole = wholeFeatures(features);
  return featureNames(features).map((feature, index) => ({
    name: feature.toLowerCase(),
    type: whole[index] ? "int" : "double",
    source: PAYMENT_CELLS + index,
  }));
}

/** The tables of predictions and of the models' metrics. */
export interface ScoringTables {
  /** The predictions, by transaction_id. */
  readonly predictions: PlainTable;
  /** The metrics of a model, by day: some 40 a day, small rows. */
  readonly metrics: PlainTable;
}

/** The tables that a stream which is scored has besides, as they are made. */
export function scoringTables(): ScoringTables {
  const { id, datetime, customer, terminal, amount, seconds } = COLUMN;
  const plain = ({ name, type }: PlainColumn): PlainColumn => ({ name, type });
  const version: PlainColumn = { name: "model_version", type: "text" };
  return {
    predictions: {
      name: PREDICTION_TABLE,
      columns: [
        ...[id, datetime, customer, terminal, amount, seconds].map(plain),
        { name: "score", type: "double" },
        { name: "alert", type: "int" },
        version,
        { name: "contributions", type: "text" },
      ],
      partition: [id.name],
      clustering: [],
      newestFirst: false,
      comment: "scores of payments",
    },
    metrics: {
      name: METRIC_TABLE,
      columns: [
        version,
        { name: "day", type: "int" },
        { name: "metric", type: "text" },
        { name: "value", type: "double" },
      ],
      partition: [version.name],
      clustering: ["day", "metric"],
      newestFirst: false,
      comment: "how models do, by event day, as labels become known",
    },
  };
}

/** Columns of positions that hold text; the others are whole numbers up to 2^53 - 1. */
const POSITION_TEXT: readonly string[] = ["stream", "topic", "metadata"];

/** The table of positions: one partition a stream, a row for each partition of its topics. */
export const POSITIONS: PlainTable = {
  name: POSITION_TABLE,
  columns: POSITION_COLUMNS.map((name) => ({
    name,
    type: POSITION_TEXT.includes(name) ? "text" : "bigint",
  })),
  partition: ["stream"],
  clustering: ["topic", "topic_partition"],
  newestFirst: false,
  comment: "up to where each topic of a stream is stored",
};

/** Makes the keyspace, replicated in the local data centre only. */
export function createKeyspaceCql(settings: SchemaSettings): string {
  const { keyspace, localDataCenter, replication } = settings;
  return `CREATE KEYSPACE IF NOT EXISTS ${keyspace} WITH replication = ` +
    `{'class': 'NetworkTopologyStrategy', '${localDataCenter}': ${replication}}`;
}

/** Makes a table. */
export function createTableCql(keyspace: string, table: PlainTable): string {
  const { name, columns, partition, clustering, comment } = table;
  const partitionKey = partition.length === 1
    ? partition[0]
    : `(${partition.join(", ")})`;
  const lines = [
    ...columns.map(({ name, type }) => `${name} ${type}`),
    `PRIMARY KEY (${[partitionKey, ...clustering].join(", ")})`,
  ];
  const order = table.newestFirst
    ? `CLUSTERING ORDER BY (${
      clustering.map((column) => `${column} DESC`).join(", ")
    })\n  AND `
    : "";
  return `CREATE TABLE IF NOT EXISTS ${keyspace}.${name} (\n  ${
    lines.join(",\n  ")
  }\n) WITH ${order}comment = '${comment.replaceAll("'", "''")}'`;
}

/** The table of analysts' verdicts, the newest of a payment first, as it is made. A payment has a few of them. */
export const VERDICTS: PlainTable = {
  name: VERDICT_TABLE,
  columns: [
    { name: ID_COLUMN, type: "bigint" },
    { name: "decided_at", type: "text" },
    { name: "label", type: "int" },
    { name: "analyst", type: "text" },
    { name: "note", type: "text" },
  ],
  partition: [ID_COLUMN],
  clustering: ["decided_at"],
  newestFirst: true,
  comment: "what analysts have decided; the writer never touches it",
};

/** Adds columns to a table. */
export function addColumnsCql(
  keyspace: string,
  table: PlainTable,
  columns: readonly PlainColumn[],
): string {
  const added = columns.map(({ name, type }) => `${name} ${type}`);
  return `ALTER TABLE ${keyspace}.${table.name} ADD (${added.join(", ")})`;
}

/** Writes a row of a table, all its columns in their order. */
export function insertCql(
  keyspace: string,
  { name, columns }: PlainTable,
): string {
  const names = columns.map(({ name }) => name);
  return `INSERT INTO ${keyspace}.${name} (${names.join(", ")}) VALUES (${
    names.map(() => "?").join(", ")
  })`;
}

/** Reads `what` of the payments whose tokens lie in a range (from, to]. */
export function selectRangeCql(
  keyspace: string,
  { name, partition }: PlainTable,
  what: string,
): string {
  const token = `token(${partition.join(", ")})`;
  return `SELECT ${what} FROM ${keyspace}.${name} ` +
    `WHERE ${token} > ? AND ${token} <= ?`;
}

/** A column as system_schema.columns describes it. */
export interface FoundColumn {
  /** Its name. */
  readonly name: string;
  /** Its type. */
  readonly type: string;
  /** partition_key, clustering, regular or static. */
  readonly kind: string;
}

/** A table with the type of transaction_id that it has already: one made by an older version, or by others, may have int. */
export function withFoundIds<T extends PlainTable>(
  table: T,
  found: readonly FoundColumn[] | undefined,
): T {
  const type = found?.find(({ name }) => name === ID_COLUMN)?.type;
  if (type !== "int") return table;
  const columns = table.columns.map((column) =>
    column.name === ID_COLUMN ? { ...column, type } : column
  );
  return { ...table, columns };
}

/** The greatest TRANSACTION_ID that all of these tables take. */
export function idMaxOf(tables: readonly PlainTable[]): number {
  const isInt = ({ name, type }: PlainColumn) =>
    name === ID_COLUMN && type === "int";
  return tables.some(({ columns }) => columns.some(isInt))
    ? INT_MAX
    : TRANSACTION_ID_MAX;
}

/**
 * The columns that an existing table lacks. Throws ConfigError if a column has
 * another type, or the primary key other columns: nothing existing is altered.
 */
export function missingColumns(
  keyspace: string,
  table: PlainTable,
  found: readonly FoundColumn[],
): PlainColumn[] {
  const where = `${keyspace}.${table.name}`;
  const advice = "give another --keyspace, or copy the data into a table of " +
    "the form that 'fraudstream schema' prints";
  const missing: PlainColumn[] = [];
  for (const column of table.columns) {
    const existing = found.find(({ name }) => name === column.name);
    if (!existing) {
      missing.push(column);
    } else if (existing.type !== column.type) {
      throw new ConfigError(
        `the column ${column.name} of the table ${where} has the type ` +
          `${existing.type}, it should be ${column.type}; ${advice}`,
      );
    }
  }
  for (const kind of ["partition_key", "clustering"] as const) {
    const wanted = kind === "clustering" ? table.clustering : table.partition;
    const names = found.filter((column) => column.kind === kind)
      .map(({ name }) => name);
    if (names.toSorted().join() === wanted.toSorted().join()) continue;
    throw new ConfigError(
      `the table ${where} has the ${kind.replace("_", " ")} columns ` +
        `${names.join(", ") || "none"}, they should be ` +
        `${wanted.join(", ") || "none"}; ${advice}`,
    );
  }
  return missing;
}

/** What `fraudstream schema` prints: the whole schema, ready for cqlsh. Throws ConfigError. */
export function schemaCql(
  settings: SchemaSettings,
  features: FeatureParameters,
): string {
  checkSchemaSettings(settings);
  const tables: PlainTable[] = [
    ...Object.values(tablesOf(features)),
    ...Object.values(scoringTables()),
    VERDICTS,
    POSITIONS,
  ];
  const statements = [
    createKeyspaceCql(settings),
    ...tables.map((table) => createTableCql(settings.keyspace, table)),
  ];
  return statements.map((statement) => `${statement};\n`).join("\n");
}
