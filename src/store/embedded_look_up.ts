/**
 * Looks things up in the store of a data folder. What only look-ups need, the
 * indexes and the table of verdicts, is made when somebody first looks: a run
 * that nobody looks at stores faster without them.
 */
import { TRANSACTION_CELLS } from "../features/feature_row.ts";
import type { Sqlite } from "../sqlite/sqlite.ts";
import { CHECK_COLUMN, damagedRow, textCheck } from "./row_check.ts";
import {
  type LookUp,
  type StoredCase,
  type StoredPayment,
  type TimeRange,
  type Verdict,
  VERDICT_TABLE,
} from "./look_up.ts";

const SCHEMA = `
CREATE INDEX IF NOT EXISTS transactions_by_customer
  ON transactions (customer_id, tx_time_seconds);
CREATE INDEX IF NOT EXISTS transactions_by_terminal
  ON transactions (terminal_id, tx_time_seconds);`;

const VERDICT_SCHEMA = `
CREATE TABLE IF NOT EXISTS ${VERDICT_TABLE} (
  transaction_id INTEGER NOT NULL,
  decided_at TEXT NOT NULL,
  label INTEGER NOT NULL,
  analyst TEXT NOT NULL,
  note TEXT NOT NULL,
  ${CHECK_COLUMN} INTEGER,
  PRIMARY KEY (transaction_id, decided_at)
) STRICT;`;

type Row = Record<string, unknown>;

/** Looks things up in one SQLite file. */
export class EmbeddedLookUp implements LookUp {
  readonly #sqlite: Sqlite;
  readonly #path: string;
  readonly #verify: (row: Row) => void;
  readonly #features: readonly string[];
  readonly #made = new Set<string>();

  /**
   * Looks into an open store whose table has these columns, the features'
   * last. `verify` throws StoreError for a row that is not as it was written.
   */
  constructor(sqlite: Sqlite, { path, columns, verify }: {
    readonly path: string;
    readonly columns: readonly string[];
    readonly verify: (row: Record<string, unknown>) => void;
  }) {
    this.#sqlite = sqlite;
    this.#path = path;
    this.#verify = verify;
    // Of the cells of a payment, none holds its day, which is a column.
    this.#features = columns.slice(TRANSACTION_CELLS + 1);
  }

  /** See LookUp. */
  async payment(transactionId: number): Promise<StoredCase | undefined> {
    const [row] = await this.#all(
      "SELECT * FROM transactions WHERE transaction_id = ?",
      transactionId,
    );
    if (!row) return undefined;
    this.#verify(row);
    return {
      payment: paymentOf(row),
      features: this.#features.map((name) => Number(row[name])),
    };
  }

  /** See LookUp. */
  ofCustomer(customerId: number, range: TimeRange): Promise<StoredPayment[]> {
    return this.#inRange("customer_id", customerId, range);
  }

  /** See LookUp. */
  ofTerminal(terminalId: number, range: TimeRange): Promise<StoredPayment[]> {
    return this.#inRange("terminal_id", terminalId, range);
  }

  async #inRange(
    column: string,
    id: number,
    { fromSeconds, toSeconds, limit }: TimeRange,
  ): Promise<StoredPayment[]> {
    await this.#make(SCHEMA);
    const rows = await this.#all(
      `SELECT * FROM transactions WHERE ${column} = ? ` +
        "AND tx_time_seconds BETWEEN ? AND ? " +
        "ORDER BY tx_time_seconds DESC, transaction_id DESC LIMIT ?",
      id,
      fromSeconds,
      toSeconds,
      limit,
    );
    for (const row of rows) this.#verify(row);
    return rows.map(paymentOf);
  }

  /** See LookUp. */
  async addVerdict(verdict: Verdict): Promise<void> {
    await this.#make(VERDICT_SCHEMA);
    const values = verdictValues(verdict);
    await this.#sqlite.transaction(() =>
      this.#sqlite.db.prepare(
        `INSERT OR REPLACE INTO ${VERDICT_TABLE} ` +
          `(transaction_id, decided_at, label, analyst, note, ${CHECK_COLUMN}) ` +
          "VALUES (?, ?, ?, ?, ?, ?)",
      ).run(...values, textCheck(values))
    );
  }

  /** See LookUp. */
  async verdicts(transactionId: number): Promise<Verdict[]> {
    await this.#make(VERDICT_SCHEMA);
    const rows = await this.#all(
      `SELECT * FROM ${VERDICT_TABLE} WHERE transaction_id = ? ` +
        "ORDER BY decided_at DESC",
      transactionId,
    );
    return rows.map((row) => {
      const verdict = verdictOf(row);
      const check = row[CHECK_COLUMN];
      if (check === null || check === textCheck(verdictValues(verdict))) {
        return verdict;
      }
      const key = `transaction_id ${transactionId}`;
      throw damagedRow(this.#path, VERDICT_TABLE, key, "kept");
    });
  }

  async #make(schema: string): Promise<void> {
    if (this.#made.has(schema)) return;
    await this.#sqlite.transaction(() => this.#sqlite.db.exec(schema));
    this.#made.add(schema);
  }

  #all(sql: string, ...values: (number | string)[]): Promise<Row[]> {
    return this.#sqlite.retry(() =>
      this.#sqlite.db.prepare(sql).all(...values)
    );
  }
}

/** A payment from a row of either store's tables. */
export function paymentOf(
  row: Readonly<Record<string, unknown>>,
): StoredPayment {
  return {
    transactionId: Number(row.transaction_id),
    datetime: String(row.tx_datetime),
    customerId: Number(row.customer_id),
    terminalId: Number(row.terminal_id),
    amount: Number(row.tx_amount),
    timeSeconds: Number(row.tx_time_seconds),
    fraud: Number(row.tx_fraud),
    scenario: Number(row.tx_fraud_scenario),
  };
}

function verdictValues(verdict: Verdict): (string | number)[] {
  const { transactionId, decidedAt, label, analyst, note } = verdict;
  return [transactionId, decidedAt, label, analyst, note];
}

/** A verdict from a row of either store's table. */
export function verdictOf(row: Readonly<Record<string, unknown>>): Verdict {
  return {
    transactionId: Number(row.transaction_id),
    decidedAt: String(row.decided_at),
    label: Number(row.label) === 1 ? 1 : 0,
    analyst: String(row.analyst),
    note: String(row.note),
  };
}
