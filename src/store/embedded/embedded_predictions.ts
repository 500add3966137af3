/**
 * Predictions and metrics in the SQLite file of a data folder. The tables are
 * made when somebody first writes: a stream that is not scored has none.
 */
import type { StatementSync } from "node:sqlite";
import { StoreError } from "../../base/error.ts";
import type { Sqlite } from "../../base/sqlite/sqlite.ts";
import { DatetimeFormatter } from "../../payment/calendar.ts";
import { TRANSACTION_ID_MAX } from "../../payment/payment.ts";
import { ascendingPieces } from "../cell_rows.ts";
import type { EmbeddedPositions } from "./embedded_positions.ts";
import { PAGE_ROWS, pagesById } from "./embedded_rows.ts";
import type { StreamPosition } from "../positions.ts";
import {
  CHECK_COLUMN,
  CHECK_PROBLEM,
  isDamaged,
  textCheck,
} from "../row_check.ts";
import {
  predictionCheck,
  StoredPredictionReader,
} from "../stored_prediction.ts";
import { type BadRowHandler, refuseBadRow } from "../stored_row.ts";
import {
  METRIC_TABLE,
  type ModelMetric,
  PREDICTION_TABLE,
  type PredictionStatus,
  type PredictionStore,
} from "../predictions.ts";
import {
  emptyPredictions,
  PREDICTION_CELLS,
  type PredictionRows,
} from "../../payment/prediction.ts";

const ROWS_AT_ONCE = 32;
const COLUMNS = 11;

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
  contributions TEXT,
  ${CHECK_COLUMN} INTEGER
) STRICT;
CREATE TABLE IF NOT EXISTS ${METRIC_TABLE} (
  day INTEGER NOT NULL,
  model_version TEXT NOT NULL,
  metric TEXT NOT NULL,
  value REAL NOT NULL,
  ${CHECK_COLUMN} INTEGER,
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
  readonly #path: string;
  readonly #positions: EmbeddedPositions;
  readonly #datetime = new DatetimeFormatter();
  readonly #values: (number | string | null)[] = [];
  #statements: Statements | undefined;

  /** Uses an open store's file, its path for messages, and its table of positions. */
  constructor(sqlite: Sqlite, path: string, positions: EmbeddedPositions) {
    this.#sqlite = sqlite;
    this.#path = path;
    this.#positions = positions;
  }

  /** See PredictionStore. */
  async write(
    rows: PredictionRows,
    _signal?: AbortSignal,
    positions: readonly StreamPosition[] = [],
  ): Promise<void> {
    if (rows.count === 0) return await this.#positions.save(positions);
    const { one, many } = this.#statements ?? await this.#make();
    const pieces = ascendingPieces(rows, PREDICTION_CELLS, ROWS_AT_ONCE);
    await this.#sqlite.transaction(() => {
      for (const piece of pieces) {
        this.#run(piece.length === 1 ? one : many, rows, piece);
      }
      this.#positions.put(positions);
    });
  }

  /** See StoredTable. */
  positions(): Promise<StreamPosition[]> {
    return this.#positions.all();
  }

  /** See StoredTable. */
  savePositions(positions: readonly StreamPosition[]): Promise<void> {
    return this.#positions.save(positions);
  }

  /** See StoredTable. */
  async holds(transactionId: number): Promise<boolean> {
    if (!await this.#isThere()) return false;
    const found = await this.#sqlite.retry(() =>
      this.#sqlite.db.prepare(
        `SELECT 1 FROM ${PREDICTION_TABLE} WHERE transaction_id = ?`,
      ).get(transactionId)
    );
    return found !== undefined;
  }

  /** See StoredTable. */
  async isEmpty(): Promise<boolean> {
    if (!await this.#isThere()) return true;
    const found = await this.#sqlite.retry(() =>
      this.#sqlite.db.prepare(`SELECT 1 FROM ${PREDICTION_TABLE} LIMIT 1`).get()
    );
    return found === undefined;
  }

  /** See StoredTable. */
  async clear(topic: string): Promise<void> {
    const isThere = await this.#isThere();
    await this.#sqlite.transaction(() => {
      if (isThere) this.#sqlite.db.exec(`DELETE FROM ${PREDICTION_TABLE}`);
      this.#positions.remove(topic);
    });
  }

  async #make(): Promise<Statements> {
    const { db } = this.#sqlite;
    await this.#sqlite.transaction(() => db.exec(SCHEMA));
    const insert = `INSERT OR REPLACE INTO ${PREDICTION_TABLE} VALUES `;
    const row = `(${Array(COLUMNS).fill("?").join(", ")})`;
    this.#statements = {
      one: this.#sqlite.prepare(insert + row),
      many: this.#sqlite.prepare(
        insert + Array(ROWS_AT_ONCE).fill(row).join(", "),
      ),
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
        predictionCheck(cells, at, {
          model_version: versions[row],
          contributions: contributions[row],
        }),
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
    const reader = new StoredPredictionReader(
      `${this.#path}, table ${PREDICTION_TABLE}`,
    );
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
    const insert = this.#sqlite.prepare(
      `INSERT OR REPLACE INTO ${METRIC_TABLE} VALUES (?, ?, ?, ?, ?)`,
    );
    await this.#sqlite.transaction(() => {
      for (const metric of metrics) {
        const values = metricValues(metric);
        insert.run(...values, textCheck(values));
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
    return rows.map((row) => {
      const metric = {
        day: Number(row.day),
        version: String(row.model_version),
        metric: String(row.metric),
        value: Number(row.value),
      };
      if (!isDamaged(row, textCheck(metricValues(metric)))) return metric;
      throw new StoreError(
        `${this.#path}, table ${METRIC_TABLE}, day ${metric.day}, metric ` +
          `${metric.metric} of model ${metric.version}: ${CHECK_PROBLEM}; ` +
          `delete the row, or restore the data folder from a ` +
          `copy made by 'fraudstream backup'`,
      );
    });
  }

  async #isThere(): Promise<boolean> {
    const row = await this.#sqlite.retry(() =>
      this.#sqlite.db.prepare("SELECT 1 FROM sqlite_schema WHERE name = ?")
        .get(PREDICTION_TABLE)
    );
    return row !== undefined;
  }
}

function metricValues(
  { day, version, metric, value }: ModelMetric,
): (string | number)[] {
  return [day, version, metric, value];
}
