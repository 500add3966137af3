/**
 * The tables of a store in Cassandra's CQL. One table holds the payments with
 * their features; three more answer look-ups, each from one partition of
 * bounded size. Nothing here knows the driver.
 */
import { ConfigError } from "../../base/error.ts";
import type { FeatureParameters } from "../../features/parameters.ts";
import { INT_MAX, TRANSACTION_ID_MAX } from "../../payment/payment.ts";
import {
  HANDBOOK_SHAPE,
  type PaymentShape,
} from "../../payment/payment_shape.ts";
import {
  byCustomerTable,
  byTerminalTable,
  type CellTable,
  checkedColumns,
  type Column,
  fraudsByDayTable,
  ID_COLUMN,
  labelTable,
  METRICS,
  type ModelMetric,
  nameInStatement,
  type ObjectTable,
  type PaymentTable,
  paymentTable,
  type PositionRow,
  positionTable,
  predictionTable,
  type Table,
  verdictTable,
} from "../tables.ts";
import type { StoredLabel } from "../labels.ts";
import { type Verdict } from "../../payment/label_json.ts";
import {
  checkSchemaSettings,
  type SchemaSettings,
} from "./cassandra_settings.ts";

/** The tables of payments. */
export interface PaymentTables {
  /** The payments with their features. */
  readonly transactions: PaymentTable;
  /** A card's payments. */
  readonly byCustomer: PaymentTable;
  /** A terminal's payments. */
  readonly byTerminal: PaymentTable;
  /** The frauds of an event day. */
  readonly fraudsByDay: PaymentTable;
}

/** The other tables. All but the positions, and the labels where they arrive later, are created on first use. */
export interface OtherTables {
  /** The predictions. */
  readonly predictions: CellTable;
  /** The models' metrics. */
  readonly metrics: ObjectTable<ModelMetric>;
  /** The analysts' verdicts. */
  readonly verdicts: ObjectTable<Verdict>;
  /** The labels that have arrived later. */
  readonly labels: ObjectTable<StoredLabel>;
  /** The positions, with their checksums. */
  readonly positions: Table<keyof PositionRow | "check">;
}

/** The tables of payments with these features, as they are created. */
export function tablesOf(
  features: FeatureParameters,
  shape: PaymentShape = HANDBOOK_SHAPE,
): PaymentTables {
  return {
    transactions: keyFirst(paymentTable(features, shape)),
    byCustomer: keyFirst(byCustomerTable(shape)),
    byTerminal: keyFirst(byTerminalTable(shape)),
    fraudsByDay: keyFirst(fraudsByDayTable(shape)),
  };
}

/** The other tables, as they are created. Cassandra keeps checksums itself; positions have one in every store. */
export function otherTables(
  shape: PaymentShape = HANDBOOK_SHAPE,
): OtherTables {
  const positions = positionTable(shape);
  return {
    predictions: keyFirst(predictionTable(shape)),
    metrics: keyFirst(METRICS),
    verdicts: keyFirst(verdictTable(shape)),
    labels: keyFirst(labelTable(shape)),
    positions: keyFirst({ ...positions, columns: checkedColumns(positions) }),
  };
}

/** A table whose columns begin with those of its key, as Cassandra shows them. */
function keyFirst<T extends Table>(table: T): T {
  const key = [...table.partition, ...table.clustering];
  const place = ({ name }: Column) =>
    key.includes(name) ? key.indexOf(name) : key.length;
  const columns = table.columns.toSorted((a, b) => place(a) - place(b));
  return { ...table, columns };
}

/** Makes the keyspace, replicated in the local data centre only. */
export function createKeyspaceCql(settings: SchemaSettings): string {
  const { keyspace, localDataCenter, replication } = settings;
  return `CREATE KEYSPACE IF NOT EXISTS ${keyspace} WITH replication = ` +
    `{'class': 'NetworkTopologyStrategy', '${localDataCenter}': ${replication}}`;
}

/** Makes a table. */
export function createTableCql(keyspace: string, table: Table): string {
  const { name, columns, partition, clustering, comment } = table;
  const partitionKey = partition.length === 1
    ? partition[0]
    : `(${partition.join(", ")})`;
  const lines = [
    ...columns.map(typedColumn),
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

function typedColumn(column: Column): string {
  return `${nameInStatement(column)} ${column.type}`;
}

/** Adds columns to a table. */
export function addColumnsCql(
  keyspace: string,
  table: Table,
  columns: readonly Column[],
): string {
  const added = columns.map(typedColumn);
  return `ALTER TABLE ${keyspace}.${table.name} ADD (${added.join(", ")})`;
}

/** Writes a row of a table, all its columns in their order. */
export function insertCql(
  keyspace: string,
  { name, columns }: Table,
): string {
  const names = columns.map(nameInStatement);
  return `INSERT INTO ${keyspace}.${name} (${names.join(", ")}) VALUES (${
    names.map(() => "?").join(", ")
  })`;
}

/** Reads `what` of the payments whose tokens lie in a range (from, to]. */
export function selectRangeCql(
  keyspace: string,
  { name, partition }: Table,
  what: string,
): string {
  const token = `token(${partition.join(", ")})`;
  return `SELECT ${what} FROM ${keyspace}.${name} ` +
    `WHERE ${token} > ? AND ${token} <= ?`;
}

/** Reads all columns of a table, but no row: an error if the node does not know them. */
export function probeCql(
  keyspace: string,
  { name, columns, partition }: Table,
): string {
  const names = columns.map(nameInStatement).join(", ");
  return `SELECT ${names} FROM ${keyspace}.${name} ` +
    `WHERE token(${partition.join(", ")}) > ${TOKEN_MAX}`;
}

/** The greatest token, behind which there is nothing. */
const TOKEN_MAX = 2n ** 63n - 1n;

/** A column as system_schema.columns describes it. */
export interface FoundColumn {
  /** Its name. */
  readonly name: string;
  /** Its type. */
  readonly type: string;
  /** partition_key, clustering, regular or static. */
  readonly kind: string;
}

/** A table with the type of transaction_id that it already has: a table made by an older version, or by another program, may have int. */
export function withFoundIds<T extends Table>(
  table: T,
  found: readonly FoundColumn[] | undefined,
): T {
  const type = found?.find(({ name }) => name === ID_COLUMN)?.type;
  if (type !== "int") return table;
  const columns = table.columns.map((column) =>
    column.name === ID_COLUMN && column.type === "bigint"
      ? { ...column, type }
      : column
  );
  return { ...table, columns };
}

/** The greatest TRANSACTION_ID that all of these tables take. */
export function idMaxOf(tables: readonly Table[]): number {
  const isInt = ({ name, type }: Column) =>
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
  table: Table,
  found: readonly FoundColumn[],
): Column[] {
  const where = `${keyspace}.${table.name}`;
  const advice = "give another --keyspace, or copy the data into a table of " +
    "the form that './fraudstream schema' prints";
  const missing: Column[] = [];
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
  shape: PaymentShape = HANDBOOK_SHAPE,
): string {
  checkSchemaSettings(settings);
  const { labels, ...others } = otherTables(shape);
  const tables: Table[] = [
    ...Object.values(tablesOf(features, shape)),
    ...Object.values(others),
    ...shape.hasLabels ? [labels] : [],
  ];
  const statements = [
    createKeyspaceCql(settings),
    ...tables.map((table) => createTableCql(settings.keyspace, table)),
  ];
  return statements.map((statement) => `${statement};\n`).join("\n");
}
