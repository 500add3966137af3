import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { HANDBOOK_FEATURES } from "../../../src/features/parameters.ts";
import {
  addMissing,
  columnsOf,
  createTableSql,
  INDEX_SQL,
} from "../../../src/store/embedded/embedded_schema.ts";
import {
  checkedColumns,
  METRICS,
  paymentTable,
  POSITIONS,
  PREDICTIONS,
  type Table,
  VERDICTS,
} from "../../../src/store/tables.ts";

const PAYMENTS = paymentTable(HANDBOOK_FEATURES);

/** The statements as version 4 of the tables has them, spaces joined. Change them only with TABLES_VERSION. */
const VERSION_4: readonly (readonly [Table, string])[] = [
  [
    PREDICTIONS,
    "CREATE TABLE IF NOT EXISTS transaction_prediction ( " +
    "transaction_id INTEGER PRIMARY KEY, tx_datetime TEXT NOT NULL, " +
    "customer_id INTEGER NOT NULL, terminal_id INTEGER NOT NULL, " +
    "tx_amount REAL NOT NULL, tx_time_seconds INTEGER NOT NULL, " +
    "score REAL, alert INTEGER NOT NULL, " +
    "model_version TEXT NOT NULL, contributions TEXT, " +
    "record_partition INTEGER, record_offset INTEGER, " +
    "shadow_scores TEXT, decision TEXT, rules TEXT, shadow_rules TEXT, reasons TEXT, " +
    "rules_version TEXT, lists_version TEXT, threshold REAL, " +
    "row_check INTEGER ) STRICT;",
  ],
  [
    METRICS,
    "CREATE TABLE IF NOT EXISTS model_metrics ( day INTEGER NOT NULL, " +
    "model_version TEXT NOT NULL, metric TEXT NOT NULL, value REAL NOT NULL, " +
    "row_check INTEGER, PRIMARY KEY (day, model_version, metric) ) " +
    "STRICT, WITHOUT ROWID;",
  ],
  [
    VERDICTS,
    "CREATE TABLE IF NOT EXISTS transaction_verdict ( " +
    "transaction_id INTEGER NOT NULL, decided_at TEXT NOT NULL, " +
    "label INTEGER NOT NULL, analyst TEXT NOT NULL, note TEXT NOT NULL, " +
    "row_check INTEGER, PRIMARY KEY (transaction_id, decided_at) ) STRICT;",
  ],
  [
    POSITIONS,
    "CREATE TABLE IF NOT EXISTS stream_position ( stream TEXT NOT NULL, " +
    "topic TEXT NOT NULL, topic_partition INTEGER NOT NULL, " +
    "next_offset INTEGER NOT NULL, mark_offset INTEGER, mark_check INTEGER, " +
    "last_id INTEGER, metadata TEXT NOT NULL, row_check INTEGER NOT NULL, " +
    "PRIMARY KEY (stream, topic, topic_partition) ) STRICT, WITHOUT ROWID;",
  ],
];

for (const [table, sql] of VERSION_4) {
  Deno.test(`the table ${table.name} is made as before`, () => {
    assert.equal(createTableSql(table).replaceAll(/\s+/g, " "), sql);
  });
}

Deno.test("the table of payments has a column for each feature and its checksum, and is made as before", () => {
  const sql = createTableSql(PAYMENTS).replaceAll(/\s+/g, " ");
  assert.ok(sql.startsWith(
    "CREATE TABLE IF NOT EXISTS transactions ( " +
      "transaction_id INTEGER PRIMARY KEY, tx_datetime TEXT NOT NULL, " +
      "customer_id INTEGER NOT NULL, terminal_id INTEGER NOT NULL, " +
      "tx_amount REAL NOT NULL, tx_time_seconds INTEGER NOT NULL, " +
      "tx_time_days INTEGER NOT NULL, tx_fraud INTEGER NOT NULL, " +
      "tx_fraud_scenario INTEGER NOT NULL, tx_during_weekend INTEGER NOT NULL, ",
  ));
  assert.ok(sql.endsWith(
    "terminal_id_risk_30day_window REAL NOT NULL, row_check INTEGER ) STRICT;",
  ));
});

Deno.test("look-ups have an index by card and by terminal", () => {
  assert.equal(
    INDEX_SQL.replaceAll(/\s+/g, " "),
    "CREATE INDEX IF NOT EXISTS transactions_by_customer " +
      "ON transactions (customer_id, tx_time_seconds); " +
      "CREATE INDEX IF NOT EXISTS transactions_by_terminal " +
      "ON transactions (terminal_id, tx_time_seconds);",
  );
});

Deno.test("addMissing() makes what every file has, and gives older tables the columns that may be null", () => {
  const db = new DatabaseSync(":memory:");
  const older = createTableSql(PREDICTIONS)
    .replace(/,\s*row_check INTEGER/, "")
    .replace(/,\s*contributions TEXT[^)]*/, "\n")
    .replace("score REAL", "score REAL NOT NULL");
  db.exec(older);
  db.exec(createTableSql(PAYMENTS).replace(/,\s*row_check INTEGER/, ""));
  db.exec("INSERT INTO transaction_prediction VALUES (1,'',1,1,1,1,1,1,'a')");
  addMissing(db, HANDBOOK_FEATURES);
  const tables: Table[] = [PREDICTIONS, PAYMENTS, POSITIONS];
  for (const table of tables) {
    assert.deepEqual(
      columnsOf(db, table).toSorted(),
      checkedColumns(table).map(({ name }) => name).toSorted(),
    );
  }
  // What only some streams need is left to those who need it.
  assert.deepEqual(columnsOf(db, METRICS), []);
  const row = db.prepare("SELECT * FROM transaction_prediction").get();
  assert.equal(row?.contributions, null);
  assert.equal(row?.row_check, null);
  assert.equal(row?.score, 1);
  // Rules may decide without a score.
  db.exec(
    "UPDATE transaction_prediction SET score = NULL, decision = 'review'",
  );
  addMissing(db, HANDBOOK_FEATURES); // has nothing left to do
  db.close();
});
