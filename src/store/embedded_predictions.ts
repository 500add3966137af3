/**
 * Predictions and metrics in the SQLite file of a data folder. The tables are
 * made when somebody first writes: a stream that is not scored has none.
 */
import type { StatementSync } from "node:sqlite";
import type { Sqlite } from "../sqlite/sqlite.ts";
import { DatetimeFormatter } from "../transaction/calendar.ts";
import { TRANSACTION_ID_MAX } from "../transaction/transaction.ts";
import { ascendingPieces } from "./cell_rows.ts";
import { PAGE_ROWS, pagesById } from "./embedded_rows.ts";
import { StoredPredictionReader } from "./stored_prediction.ts";
import { type BadRowHandler, refuseBadRow } from "./stored_row.ts";
import {
  emptyPredictions,
  METRIC_TABLE,
  type ModelMetric,
  PREDICTION_CELLS,
  PREDICTION_TABLE,
  type PredictionRows,
  type PredictionStatus,
  type PredictionStore,
} from "./predictions.ts";

const ROWS_AT_ONCE = 32;
const COLUMNS = 10;

const SCHEMA = `
CREATE TABLE IF NOT EXISTS ${PREDICTION_TABLE} (
  transaction_id INTEGER PRIMARY KEY,
  tx_datetime TEXT NOT NULL,
  customer_id INTEGER NOT NULL,
  terminal_id INTEGER NOT NULL,
  tx_amount REAL NOT NULL,
  tx_time_seconds INTEGER NOT NULL,
  score REAL NOT NULL,
  alert INTEGER NOT NULL,
  model_version TEXT NOT NULL,
  contributions TEXT
) STRICT;
CREATE TABLE IF NOT EXISTS ${METRIC_TABLE} (
  day INTEGER NOT NULL,
  model_version TEXT NOT NULL,
  metric TEXT NOT NULL,
  value REAL NOT NULL,
  PRIMARY KEY (day, model_version, metric)
) STRICT, WITHOUT ROWID;`;

interface Statements {
  readonly one: StatementSync;
  readonly many: StatementSync;
}

/** The predictions of one SQLite file. */
export class EmbeddedPredictions implements PredictionStore {
  /** See PredictionStore. */
  readonly idMax: number = TRANSACTION_ID_MAX;
  readonly #sqlite: Sqlite;
  readonly #datetime = new DatetimeFormatter();
  readonly #values: (number | string | null)[] = [];
  #statements: Statements | undefined;

  /** Uses an open store's file. */
  constructor(sqlite: Sqlite) {
    this.#sqlite = sqlite;
  }

  /** See PredictionStore. */
  async write(rows: PredictionRows): Promise<void> {
    if (rows.count === 0) return;
    const { one, many } = this.#statements ?? await this.#make();
    const pieces = ascendingPieces(rows, PREDICTION_CELLS, ROWS_AT_ONCE);
    await this.#sqlite.transaction(() => {
      for (const piece of pieces) {
        this.#run(piece.length === 1 ? one : many, rows, piece);
      }
    });
  }

  async #make(): Promise<Statements> {
    const { db } = this.#sqlite;
    await this.#sqlite.transaction(() => db.exec(SCHEMA));
    const insert = `INSERT OR REPLACE INTO ${PREDICTION_TABLE} VALUES `;
    const row = `(${Array(COLUMNS).fill("?").join(", ")})`;
    this.#statements = {
      one: db.prepare(insert + row),
      many: db.prepare(insert + Array(ROWS_AT_ONCE).fill(row).join(", ")),
    };
    return this.#statements;
  }

  #run(
    statement: StatementSync,
    { cells, versions, contributions }: PredictionRows,
    piece: readonly number[],
  ): void {
    const values = this.#values;
    values.length = 0;
    for (const row of piece) {
      const at = row * PREDICTION_CELLS;
      values.push(
        cells[at],
        this.#datetime.format(cells[at + 1]),
        cells[at + 2],
        cells[at + 3],
        cells[at + 4],
        cells[at + 5],
        cells[at + 6],
        cells[at + 7],
        versions[row],
        contributions[row],
      );
    }
    statement.run(...values);
  }

  /** See PredictionStore. */
  async *rows(
    signal?: AbortSignal,
    onBadRow: BadRowHandler = refuseBadRow,
  ): AsyncGenerator<PredictionRows> {
    if (!await this.#isThere()) return;
    const found = emptyPredictions(PAGE_ROWS);
    const reader = new StoredPredictionReader(PREDICTION_TABLE);
    for await (const rows of pagesById(this.#sqlite, PREDICTION_TABLE)) {
      signal?.throwIfAborted();
      found.count = 0;
      for (const row of rows) {
        const bad = reader.read(row, found, found.count);
        if (bad) onBadRow(bad);
        else found.count++;
      }
      yield found;
    }
  }

  /** See PredictionStore. */
  async status(): Promise<PredictionStatus> {
    if (!await this.#isThere()) return { rows: 0, alerts: 0 };
    const row = await this.#sqlite.retry(() =>
      this.#sqlite.db.prepare(
        "SELECT count(*) AS n, coalesce(sum(alert), 0) AS alerts " +
          `FROM ${PREDICTION_TABLE}`,
      ).get()
    );
    return { rows: Number(row?.n), alerts: Number(row?.alerts) };
  }

  /** See PredictionStore. */
  async writeMetrics(metrics: readonly ModelMetric[]): Promise<void> {
    if (!this.#statements) await this.#make();
    const insert = this.#sqlite.db.prepare(
      `INSERT OR REPLACE INTO ${METRIC_TABLE} VALUES (?, ?, ?, ?)`,
    );
    await this.#sqlite.transaction(() => {
      for (const { day, version, metric, value } of metrics) {
        insert.run(day, version, metric, value);
      }
    });
  }

  /** See PredictionStore. */
  async metrics(): Promise<ModelMetric[]> {
    if (!await this.#isThere()) return [];
    const rows = await this.#sqlite.retry(() =>
      this.#sqlite.db.prepare(
        `SELECT * FROM ${METRIC_TABLE} ORDER BY day, model_version, metric`,
      ).all()
    );
    return rows.map((row) => ({
      day: Number(row.day),
      version: String(row.model_version),
      metric: String(row.metric),
      value: Number(row.value),
    }));
  }

  async #isThere(): Promise<boolean> {
    const row = await this.#sqlite.retry(() =>
      this.#sqlite.db.prepare("SELECT 1 FROM sqlite_schema WHERE name = ?")
        .get(PREDICTION_TABLE)
    );
    return row !== undefined;
  }
}
