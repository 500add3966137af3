/** The tables of a store in SQLite's SQL, and the upgrade of a file of the previous version. */
import type { DatabaseSync } from "node:sqlite";
import type { FeatureParameters } from "../../features/parameters.ts";
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
  type ColumnType,
  ID_COLUMN,
  LABEL_TABLE,
  labelTable,
  METRICS,
  nameInStatement,
  PAYMENT_TABLE,
  paymentTable,
  positionTable,
  predictionTable,
  type Table,
  verdictTable,
  writtenColumns,
} from "../tables.ts";

const TYPES: Readonly<Record<ColumnType, string>> = {
  int: "INTEGER",
  bigint: "INTEGER",
  double: "REAL",
  text: "TEXT",
};

/** Creates a table unless it exists: all its columns and the rows' checksum. */
export function createTableSql(table: Table): string {
  const columns = checkedColumns(table);
  const isKey = ({ name }: Column) =>
    table.partition.includes(name) || table.clustering.includes(name);
  const key = columns.filter(isKey).map(({ name }) => name);
  const lines = columns.map((column) => {
    const isWholeKey = key.length === 1 && isKey(column);
    return `${typedColumn(column)}${
      isWholeKey ? " PRIMARY KEY" : column.nullable ? "" : " NOT NULL"
    }`;
  });
  if (key.length > 1) lines.push(`PRIMARY KEY (${key.join(", ")})`);
  const isSmall = key.length > 1 && !table.longTexts;
  return `CREATE TABLE IF NOT EXISTS ${table.name} (\n  ${
    lines.join(",\n  ")
  }\n) STRICT${isSmall ? ", WITHOUT ROWID" : ""};`;
}

function typedColumn(column: Column): string {
  return `${nameInStatement(column)} ${TYPES[column.type]}`;
}

/** Indexes of the payments; they replace Cassandra's query tables. */
export const INDEX_SQL: string = [byCustomerTable(), byTerminalTable()]
  .map(indexSql).join("\n");

function indexSql(
  { name, columns, partition, clustering }: CellTable,
): string {
  // After these SQLite keeps the id, by which it finds the row.
  const key = [...partition, ...clustering].filter((name) =>
    columns.some((column) =>
      column.name === name && name !== ID_COLUMN && column.source !== "period"
    )
  );
  return `CREATE INDEX IF NOT EXISTS ${name}\n  ON ${PAYMENT_TABLE} (${
    key.join(", ")
  });`;
}

/** Writes `count` rows of a table, all columns and the checksum, replacing those with the same key; a TX_FRAUD that is derived comes from the labels. */
export function insertSql(table: Table, count = 1): string {
  const written = writtenColumns(table);
  const names = written.map(nameInStatement);
  const row = `(${names.map(() => "?").join(", ")})`;
  const values = `VALUES ${Array(count).fill(row).join(", ")}`;
  const into = `INSERT OR REPLACE INTO ${table.name}`;
  if (!table.columns.some(({ isDerived }) => isDerived)) {
    return `${into} (${names.join(", ")}) ${values}`;
  }
  const given = written.map((_, at) => `column${at + 1}`);
  const id = given[written.findIndex(({ name }) => name === ID_COLUMN)];
  return `${into} (${names.join(", ")}, tx_fraud) ` +
    `SELECT ${given.join(", ")}, ${labelSql(id)} FROM (${values})`;
}

/** TX_FRAUD of the label that counts of the payment with this id. */
function labelSql(id: string): string {
  return `(SELECT tx_fraud FROM ${LABEL_TABLE} WHERE transaction_id = ${id} ` +
    "ORDER BY known_at DESC, topic_offset DESC LIMIT 1)";
}

/** Makes TX_FRAUD of a payment what its labels say. */
export const UPDATE_LABEL_SQL: string = `UPDATE ${PAYMENT_TABLE} ` +
  `SET tx_fraud = ${labelSql(`${PAYMENT_TABLE}.${ID_COLUMN}`)} ` +
  `WHERE ${ID_COLUMN} = ?`;

/** Makes TX_FRAUD of all payments unknown. */
export const FORGET_LABELS_SQL: string =
  `UPDATE ${PAYMENT_TABLE} SET tx_fraud = NULL WHERE tx_fraud IS NOT NULL`;

/** The tables that every file has. */
export function firstTables(
  features: FeatureParameters,
  shape: PaymentShape = HANDBOOK_SHAPE,
): readonly Table[] {
  return [
    paymentTable(features, shape),
    positionTable(shape),
    ...shape.hasLabels ? [labelTable(shape)] : [],
  ];
}

/** Adds the tables and columns that a file of an older version lacks. */
export function addMissing(
  db: DatabaseSync,
  features: FeatureParameters,
  shape: PaymentShape = HANDBOOK_SHAPE,
): void {
  const first = firstTables(features, shape);
  const others = [predictionTable(shape), METRICS, verdictTable(shape)];
  for (const table of [...first, ...others]) {
    const found = columnsOf(db, table);
    if (found.length === 0) {
      if (first.includes(table)) db.exec(createTableSql(table));
      continue;
    }
    for (const column of checkedColumns(table)) {
      // A missing feature means another set: see the store.
      if (!column.nullable || found.includes(column.name)) continue;
      db.exec(`ALTER TABLE ${table.name} ADD COLUMN ${typedColumn(column)}`);
    }
    if (requiresMore(db, table)) makeAgain(db, table);
  }
}

/** Whether a file of an older version refuses rows without a value that may be missing now. */
function requiresMore(db: DatabaseSync, table: Table): boolean {
  const required = new Set(
    db.prepare(`PRAGMA table_info(${table.name})`).all()
      .filter(({ notnull }) => notnull === 1).map(({ name }) => String(name)),
  );
  return table.columns.some(({ name, nullable }) =>
    nullable && required.has(name)
  );
}

/** Makes a table as it is now, with its rows: SQLite cannot take a constraint away. */
function makeAgain(db: DatabaseSync, table: Table): void {
  const names = checkedColumns(table).map(nameInStatement).join(", ");
  db.exec(
    `ALTER TABLE ${table.name} RENAME TO ${table.name}_before;\n` +
      `${createTableSql(table)}\n` +
      `INSERT INTO ${table.name} (${names}) SELECT ${names} FROM ` +
      `${table.name}_before;\nDROP TABLE ${table.name}_before`,
  );
}

/** The names of a table's columns; none if there is no table. */
export function columnsOf(db: DatabaseSync, { name }: Table): string[] {
  return db.prepare(`PRAGMA table_info(${name})`).all()
    .map(({ name }) => String(name));
}
