/**
 * Looks things up in the store of a data folder. What only look-ups need, the
 * indexes and the table of verdicts, is made when somebody first looks: a run
 * that nobody looks at stores faster without them.
 */
import type { FeatureParameters } from "../../features/parameters.ts";
import type { Sqlite } from "../../base/sqlite/sqlite.ts";
import {
  CHECK_COLUMN,
  CHECK_PROBLEM,
  isDamaged,
  textCheck,
} from "../row_check.ts";
import { allRows } from "./embedded_rows.ts";
import {
  caseOf,
  type LookUp,
  type StoredCase,
  type StoredPayment,
  type TimeRange,
  type Verdict,
  VERDICT_TABLE,
  verdictOf,
} from "../look_up.ts";
import {
  badRow,
  refuseBadRow,
  type StoredRow,
  StoredRowReader,
} from "../stored_row.ts";

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

const TABLE = "transactions";

/** Looks things up in one SQLite file. */
export class EmbeddedLookUp implements LookUp {
  readonly #sqlite: Sqlite;
  readonly #rows: StoredRowReader;
  readonly #made = new Set<string>();

  /** Looks into an open store with these features; its path is for messages. */
  constructor(sqlite: Sqlite, path: string, features: FeatureParameters) {
    this.#sqlite = sqlite;
    this.#rows = new StoredRowReader(`${path}, table ${TABLE}`, features);
  }

  /** See LookUp. */
  async payment(transactionId: number): Promise<StoredCase | undefined> {
    const [row] = await this.#all(
      "SELECT * FROM transactions WHERE transaction_id = ?",
      transactionId,
    );
    return row && caseOf(this.#rows, row);
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
      `SELECT * FROM ${TABLE} WHERE ${column} = ? ` +
        "AND tx_time_seconds BETWEEN ? AND ? " +
        "ORDER BY tx_time_seconds DESC, transaction_id DESC LIMIT ?",
      id,
      fromSeconds,
      toSeconds,
      limit,
    );
    // With their features, which their checksums cover.
    return rows.map((row) => caseOf(this.#rows, row).payment);
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
      if (isDamaged(row, textCheck(verdictValues(verdict)))) {
        refuseBadRow(badRow(VERDICT_TABLE, row, CHECK_PROBLEM));
      }
      return verdict;
    });
  }

  async #make(schema: string): Promise<void> {
    if (this.#made.has(schema)) return;
    await this.#sqlite.transaction(() => this.#sqlite.db.exec(schema));
    this.#made.add(schema);
  }

  #all(sql: string, ...values: (number | string)[]): Promise<StoredRow[]> {
    return this.#sqlite.retry(() =>
      allRows(this.#sqlite.db.prepare(sql), values)
    );
  }
}

function verdictValues(verdict: Verdict): (string | number)[] {
  const { transactionId, decidedAt, label, analyst, note } = verdict;
  return [transactionId, decidedAt, label, analyst, note];
}
