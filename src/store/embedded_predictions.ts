/**
 * Predictions and metrics in the SQLite file of a data folder. The tables are
 * made when somebody first writes: a stream that is not scored has none.
 */
import type { StatementSync } from "node:sqlite";
import { StoreError } from "../error/error.ts";
import type { Sqlite } from "../sqlite/sqlite.ts";
import { DatetimeFormatter, parseDatetime } from "../transaction/calendar.ts";
import { ascendingPieces } from "./cell_rows.ts";
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
const PAGE_ROWS = 4096;
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
  async *rows(signal?: AbortSignal): AsyncGenerator<PredictionRows> {
    if (!await this.#isThere()) return;
    const found = emptyPredictions(PAGE_ROWS);
    const page = this.#sqlite.db.prepare(
      `SELECT * FROM ${PREDICTION_TABLE} WHERE transaction_id > ? ` +
        `ORDER BY transaction_id LIMIT ${PAGE_ROWS}`,
    );
    let last = -1;
    for (;;) {
      signal?.throwIfAborted();
      const rows = await this.#sqlite.retry(() => page.all(last));
      if (rows.length === 0) return;
      for (const [i, row] of rows.entries()) toPrediction(row, found, i);
      found.count = rows.length;
      last = Number(rows[rows.length - 1].transaction_id);
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

/** Puts a row of either store's table into place `index`; throws StoreError if it is none. */
export function toPrediction(
  row: Readonly<Record<string, unknown>>,
  { cells, versions, contributions }: PredictionRows,
  index: number,
): void {
  const at = index * PREDICTION_CELLS;
  const datetime = parseDatetime(String(row.tx_datetime));
  if (datetime === undefined) {
    throw new StoreError(
      `the prediction about transaction ${row.transaction_id} has the ` +
        `tx_datetime ${row.tx_datetime}, which is no date and time`,
    );
  }
  cells[at] = Number(row.transaction_id);
  cells[at + 1] = datetime;
  cells[at + 2] = Number(row.customer_id);
  cells[at + 3] = Number(row.terminal_id);
  cells[at + 4] = Number(row.tx_amount);
  cells[at + 5] = Number(row.tx_time_seconds);
  cells[at + 6] = Number(row.score);
  cells[at + 7] = Number(row.alert);
  versions[index] = String(row.model_version);
  contributions[index] = typeof row.contributions === "string"
    ? row.contributions
    : null;
}
