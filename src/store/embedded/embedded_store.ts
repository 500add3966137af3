/**
 * The store in a folder: one SQLite file with the table `transactions`, whose
 * columns are those of the Cassandra table and the features, in lower case,
 * and a checksum of the row.
 */
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { ConfigError, StoreError } from "../../base/error.ts";
import { PAYMENT_CELLS } from "../../payment/payment_cells.ts";
import {
  featureNames,
  type FeatureParameters,
  wholeFeatures,
} from "../../features/parameters.ts";
import { Sqlite } from "../../base/sqlite/sqlite.ts";
import { PAGE_ROWS, pagesById } from "./embedded_rows.ts";
import { DatetimeFormatter } from "../../payment/calendar.ts";
import { DAY_SECONDS, TRANSACTION_ID_MAX } from "../../payment/payment.ts";
import { ascendingPieces } from "../cell_rows.ts";
import { EmbeddedLookUp } from "./embedded_look_up.ts";
import { EmbeddedPositions, POSITION_SCHEMA } from "./embedded_positions.ts";
import { type LookUp, VERDICT_TABLE } from "../look_up.ts";
import { EmbeddedPredictions } from "./embedded_predictions.ts";
import type { StreamPosition } from "../positions.ts";
import {
  METRIC_TABLE,
  PREDICTION_TABLE,
  type PredictionStore,
} from "../predictions.ts";
import { CellCheck, CHECK_COLUMN } from "../row_check.ts";
import type { Store, StoreRows, StoreStatus } from "../store.ts";
import type { OutageReport } from "../../base/outage.ts";
import {
  type BadRowHandler,
  refuseBadRow,
  StoredRowReader,
} from "../stored_row.ts";

/** What to do about a damaged store; ends messages. */
const REFILL = "'fraudstream rebuild' fills it again from the log";

const ROWS_AT_ONCE = 16;

/** How an embedded store is opened. */
export interface EmbeddedStoreOptions {
  /** The SQLite file. */
  readonly path: string;
  /** The features, which make the columns. */
  readonly features: FeatureParameters;
  /** Whether every commit waits for the disk. */
  readonly durable: boolean;
  /** Ends the waiting for a lock, with the signal's reason as the error. */
  readonly signal?: AbortSignal | undefined;
  /** Told of a lock that is waited for long. */
  readonly report?: OutageReport | undefined;
}

/** The store of one data folder. */
export class EmbeddedStore implements Store {
  /** See Store. */
  readonly idMax: number = TRANSACTION_ID_MAX;
  readonly #path: string;
  readonly #sqlite: Sqlite;
  readonly #positions: EmbeddedPositions;
  readonly #check: CellCheck;
  readonly #features: FeatureParameters;
  readonly #width: number;
  readonly #datetime = new DatetimeFormatter();
  readonly #columns: readonly string[];
  readonly #writeMany: StatementSync;
  readonly #writeOne: StatementSync;

  /** Opens the store, making an empty one if there is none; throws ConfigError if it holds other features. */
  constructor(options: EmbeddedStoreOptions) {
    this.#features = options.features;
    const names = featureNames(options.features).map((n) => n.toLowerCase());
    this.#columns = [...PAYMENT_COLUMNS.map(([name]) => name), ...names];
    this.#width = PAYMENT_CELLS + names.length;
    this.#check = new CellCheck(this.#width);
    this.#path = options.path;
    this.#sqlite = new Sqlite({
      path: options.path,
      what: "store",
      version: 2,
      upgrade: upgradeFromFirst,
      schema: schemaOf(names, wholeFeatures(options.features)),
      restore: REFILL,
      durable: options.durable,
      error: (message, cause) => new StoreError(message, cause),
      signal: options.signal,
      waiting: (message) => options.report?.("warning", message, {}),
    });
    this.#requireColumns(options.path);
    const columns = [...this.#columns, CHECK_COLUMN];
    const one = `(${columns.map(() => "?").join(", ")})`;
    const insert = `INSERT OR REPLACE INTO transactions (${
      columns.join(", ")
    }) VALUES `;
    const many = Array(ROWS_AT_ONCE).fill(one).join(", ");
    try {
      this.#writeOne = this.#sqlite.prepare(insert + one);
      this.#writeMany = this.#sqlite.prepare(insert + many);
      this.#positions = new EmbeddedPositions(this.#sqlite, options.path);
    } catch (error) {
      this.#sqlite.close();
      throw error;
    }
  }

  #requireColumns(path: string): void {
    const found = this.#sqlite.db.prepare("PRAGMA table_info(transactions)")
      .all().map(({ name }) => String(name));
    if (found.join() === [...this.#columns, CHECK_COLUMN].join()) return;
    this.#sqlite.close();
    if (found.length === 0) {
      throw new StoreError(
        `${path} is a database without the tables of a store; ${REFILL}`,
      );
    }
    throw new ConfigError(
      `${path} holds the features of other windows or of another set; give ` +
        `the same --windows and --feature-set, or choose another --data folder`,
    );
  }

  /** See Store. */
  async write(
    rows: StoreRows,
    _signal?: AbortSignal,
    positions: readonly StreamPosition[] = [],
  ): Promise<void> {
    const pieces = ascendingPieces(rows, this.#width, ROWS_AT_ONCE);
    await this.#sqlite.transaction(() => {
      for (const piece of pieces) this.#run(rows.cells, piece);
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
    const found = await this.#sqlite.retry(() =>
      this.#sqlite.db.prepare(
        "SELECT 1 FROM transactions WHERE transaction_id = ?",
      ).get(transactionId)
    );
    return found !== undefined;
  }

  /** See StoredTable. */
  async isEmpty(): Promise<boolean> {
    const found = await this.#sqlite.retry(() =>
      this.#sqlite.db.prepare("SELECT 1 FROM transactions LIMIT 1").get()
    );
    return found === undefined;
  }

  /** See StoredTable. */
  async clear(topic: string): Promise<void> {
    await this.#sqlite.transaction(() => {
      this.#sqlite.db.exec("DELETE FROM transactions");
      this.#positions.remove(topic);
    });
  }

  /** Writes one row, or ROWS_AT_ONCE. */
  #run(cells: Float64Array, piece: readonly number[]): void {
    const values: (number | string)[] = [];
    for (const row of piece) {
      const at = row * this.#width;
      const seconds = cells[at + 5];
      values.push(
        cells[at],
        this.#datetime.format(cells[at + 1]),
        cells[at + 2],
        cells[at + 3],
        cells[at + 4],
        seconds,
        Math.floor(seconds / DAY_SECONDS),
        cells[at + 6],
        cells[at + 7],
      );
      for (let j = PAYMENT_CELLS; j < this.#width; j++) {
        values.push(cells[at + j]);
      }
      values.push(this.#check.of(cells, at));
    }
    const statement = piece.length === 1 ? this.#writeOne : this.#writeMany;
    statement.run(...values);
  }

  /** See Store. */
  async *rows(
    signal?: AbortSignal,
    onBadRow: BadRowHandler = refuseBadRow,
  ): AsyncGenerator<StoreRows> {
    const cells = new Float64Array(PAGE_ROWS * this.#width);
    const table = `${this.#path}, table transactions`;
    const reader = new StoredRowReader(table, this.#features);
    await this.#requireSound("quick_check");
    for await (const rows of pagesById(this.#sqlite, "transactions")) {
      signal?.throwIfAborted();
      let count = 0;
      for (const row of rows) {
        const bad = reader.read(row, cells, count * this.#width);
        if (bad) onBadRow(bad);
        else count++;
      }
      yield { cells, count };
    }
  }

  /**
   * Throws StoreError unless the file's structure is sound: a damaged page can
   * hide rows that SQLite then leaves out without a word.
   */
  async #requireSound(check: "quick_check" | "integrity_check"): Promise<void> {
    const found = await this.#sqlite.retry(() =>
      this.#sqlite.db.prepare(`PRAGMA ${check}(1)`).get()
    );
    const result = String(found?.[check]);
    if (result === "ok") return;
    throw new StoreError(
      `the store ${this.#path} is damaged (${result.replaceAll("\n", " ")}); ` +
        REFILL,
    );
  }

  /** See Store. */
  verify(): Promise<void> {
    return this.#requireSound("integrity_check");
  }

  /** See Store. */
  async status(): Promise<StoreStatus> {
    const row = await this.#sqlite.retry(() =>
      this.#sqlite.db.prepare(
        "SELECT count(*) AS n, coalesce(sum(tx_fraud), 0) AS frauds " +
          "FROM transactions",
      ).get()
    );
    return { rows: Number(row?.n), frauds: Number(row?.frauds) };
  }

  /** See Store. */
  lookUp(): LookUp {
    return new EmbeddedLookUp(this.#sqlite, this.#path, this.#features);
  }

  /** See Store. */
  predictions(): PredictionStore {
    return new EmbeddedPredictions(this.#sqlite, this.#path, this.#positions);
  }

  /** Closes the store. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#sqlite.close();
    return Promise.resolve();
  }
}

const PAYMENT_COLUMNS = [
  ["transaction_id", "INTEGER PRIMARY KEY"],
  ["tx_datetime", "TEXT NOT NULL"],
  ["customer_id", "INTEGER NOT NULL"],
  ["terminal_id", "INTEGER NOT NULL"],
  ["tx_amount", "REAL NOT NULL"],
  ["tx_time_seconds", "INTEGER NOT NULL"],
  ["tx_time_days", "INTEGER NOT NULL"],
  ["tx_fraud", "INTEGER NOT NULL"],
  ["tx_fraud_scenario", "INTEGER NOT NULL"],
] as const;

function schemaOf(
  features: readonly string[],
  whole: readonly boolean[],
): string {
  const columns = [
    ...PAYMENT_COLUMNS.map(([name, type]) => `${name} ${type}`),
    ...features.map((name, at) =>
      `${name} ${whole[at] ? "INTEGER" : "REAL"} NOT NULL`
    ),
    `${CHECK_COLUMN} INTEGER`,
  ];
  return `CREATE TABLE transactions (\n  ${columns.join(",\n  ")}\n) STRICT;` +
    POSITION_SCHEMA;
}

/** A file of version 1 has no positions, and its rows have no checksums. */
function upgradeFromFirst(db: DatabaseSync): void {
  db.exec(POSITION_SCHEMA);
  const isThere = db.prepare("SELECT 1 FROM sqlite_schema WHERE name = ?");
  const tables = [
    "transactions",
    PREDICTION_TABLE,
    METRIC_TABLE,
    VERDICT_TABLE,
  ];
  for (const table of tables) {
    if (!isThere.get(table)) continue;
    db.exec(`ALTER TABLE ${table} ADD COLUMN ${CHECK_COLUMN} INTEGER`);
  }
}
