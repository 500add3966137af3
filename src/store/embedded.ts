/**
 * The store in a folder: one SQLite file with the table `transactions`, whose
 * columns are those of the Cassandra table and the features, in lower case.
 */
import type { StatementSync } from "node:sqlite";
import { ConfigError, StoreError } from "../error/error.ts";
import { TRANSACTION_CELLS } from "../features/feature_row.ts";
import {
  featureNames,
  type FeatureParameters,
  wholeFeatures,
} from "../features/parameters.ts";
import { Sqlite } from "../sqlite/sqlite.ts";
import { PAGE_ROWS, pagesById } from "./embedded_rows.ts";
import { DatetimeFormatter } from "../transaction/calendar.ts";
import { DAY_SECONDS, TRANSACTION_ID_MAX } from "../transaction/transaction.ts";
import { ascendingPieces } from "./cell_rows.ts";
import { EmbeddedLookUp } from "./embedded_look_up.ts";
import type { LookUp } from "./look_up.ts";
import { EmbeddedPredictions } from "./embedded_predictions.ts";
import type { PredictionStore } from "./predictions.ts";
import type { Store, StoreRows, StoreStatus } from "./store.ts";
import {
  type BadRowHandler,
  refuseBadRow,
  StoredRowReader,
} from "./stored_row.ts";

const ROWS_AT_ONCE = 16;

/** How an embedded store is opened. */
export interface EmbeddedStoreOptions {
  /** The SQLite file. */
  readonly path: string;
  /** The features, which make the columns. */
  readonly features: FeatureParameters;
  /** Whether every commit waits for the disk. */
  readonly durable: boolean;
}

/** The store of one data folder. */
export class EmbeddedStore implements Store {
  /** See Store. */
  readonly idMax: number = TRANSACTION_ID_MAX;
  readonly #sqlite: Sqlite;
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
    this.#columns = [...TRANSACTION_COLUMNS.map(([name]) => name), ...names];
    this.#width = TRANSACTION_CELLS + names.length;
    this.#sqlite = new Sqlite({
      path: options.path,
      what: "store",
      version: 1,
      schema: schemaOf(names, wholeFeatures(options.features)),
      durable: options.durable,
      error: (message, cause) => new StoreError(message, cause),
    });
    this.#requireColumns(options.path);
    const one = `(${this.#columns.map(() => "?").join(", ")})`;
    const insert = `INSERT OR REPLACE INTO transactions (${
      this.#columns.join(", ")
    }) VALUES `;
    const { db } = this.#sqlite;
    this.#writeOne = db.prepare(insert + one);
    this.#writeMany = db.prepare(
      insert + Array(ROWS_AT_ONCE).fill(one).join(", "),
    );
  }

  #requireColumns(path: string): void {
    const found = this.#sqlite.db.prepare("PRAGMA table_info(transactions)")
      .all().map(({ name }) => String(name));
    if (found.join() === this.#columns.join()) return;
    this.#sqlite.close();
    throw new ConfigError(
      `${path} holds the features of other windows or of another set; give ` +
        `the same --windows and --feature-set, or choose another --data folder`,
    );
  }

  /** See Store. */
  async write(rows: StoreRows): Promise<void> {
    const pieces = ascendingPieces(rows, this.#width, ROWS_AT_ONCE);
    await this.#sqlite.transaction(() => {
      for (const piece of pieces) this.#run(rows.cells, piece);
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
      for (let j = TRANSACTION_CELLS; j < this.#width; j++) {
        values.push(cells[at + j]);
      }
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
    const reader = new StoredRowReader("transactions", this.#features);
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
    return new EmbeddedLookUp(this.#sqlite, this.#features);
  }

  /** See Store. */
  predictions(): PredictionStore {
    return new EmbeddedPredictions(this.#sqlite);
  }

  /** Closes the store. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#sqlite.close();
    return Promise.resolve();
  }
}

const TRANSACTION_COLUMNS = [
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
    ...TRANSACTION_COLUMNS.map(([name, type]) => `${name} ${type}`),
    ...features.map((name, at) =>
      `${name} ${whole[at] ? "INTEGER" : "REAL"} NOT NULL`
    ),
  ];
  return `CREATE TABLE transactions (\n  ${columns.join(",\n  ")}\n) STRICT;`;
}
