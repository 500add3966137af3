/**
 * Looks things up in the tables of Cassandra. A card's and a terminal's
 * payments come from the partitions of the periods that a range touches,
 * newest first. Nothing here knows the driver.
 */
import { StoreError } from "../../base/error.ts";
import type { FeatureParameters } from "../../features/parameters.ts";
import { DAY_SECONDS, INT_MAX } from "../../payment/payment.ts";
import {
  createTableCql,
  idMaxOf,
  PERIOD_DAYS,
  type PlainTable,
} from "./cassandra_schema.ts";
import {
  caseOf,
  type LookUp,
  paymentOf,
  type StoredCase,
  type StoredPayment,
  type TimeRange,
  type Verdict,
  VERDICT_TABLE,
  verdictOf,
} from "../look_up.ts";
import { StoredPaymentReader, StoredRowReader } from "../stored_row.ts";

/** Runs a prepared statement; gives the rows of its first page. */
export type Query = (
  cql: string,
  values: readonly (number | string | bigint)[],
) => Promise<readonly Readonly<Record<string, unknown>>[]>;

/** Looks things up in one keyspace. */
export class CassandraLookUp implements LookUp {
  readonly #query: Query;
  readonly #keyspace: string;
  readonly #rows: StoredRowReader;
  readonly #payments: PlainTable;
  readonly #verdicts: PlainTable;
  #made = false;

  /** Looks into a keyspace that has these tables, or will have them. */
  constructor(query: Query, { keyspace, features, payments, verdicts }: {
    readonly keyspace: string;
    readonly features: FeatureParameters;
    readonly payments: PlainTable;
    readonly verdicts: PlainTable;
  }) {
    this.#query = query;
    this.#keyspace = keyspace;
    this.#rows = new StoredRowReader(`${keyspace}.${payments.name}`, features);
    this.#payments = payments;
    this.#verdicts = verdicts;
  }

  /** See LookUp. */
  async payment(transactionId: number): Promise<StoredCase | undefined> {
    const id = idOf(this.#payments, transactionId);
    if (id === undefined) return undefined;
    const [row] = await this.#query(
      `SELECT * FROM ${this.#keyspace}.transactions WHERE transaction_id = ?`,
      [id],
    );
    return row && caseOf(this.#rows, row);
  }

  /** See LookUp. */
  ofCustomer(customerId: number, range: TimeRange): Promise<StoredPayment[]> {
    return this.#inRange("customer", customerId, range);
  }

  /** See LookUp. */
  ofTerminal(terminalId: number, range: TimeRange): Promise<StoredPayment[]> {
    return this.#inRange("terminal", terminalId, range);
  }

  async #inRange(
    kind: "customer" | "terminal",
    id: number,
    { fromSeconds, toSeconds, limit }: TimeRange,
  ): Promise<StoredPayment[]> {
    const table = `${this.#keyspace}.transactions_by_${kind}`;
    const reader = new StoredPaymentReader(table, ["tx_time_days"]);
    const cql = `SELECT * FROM ${table} ` +
      `WHERE ${kind}_id = ? AND tx_period = ? ` +
      "AND tx_time_seconds >= ? AND tx_time_seconds <= ? LIMIT ?";
    const found: StoredPayment[] = [];
    const from = Math.max(0, fromSeconds);
    const first = periodOf(from);
    for (let period = periodOf(toSeconds); period >= first; period--) {
      const left = limit - found.length;
      if (left <= 0) break;
      const values = [id, period, from, toSeconds, left];
      for (const row of await this.#query(cql, values)) {
        found.push(paymentOf(reader, row));
      }
    }
    return found;
  }

  /** See LookUp. */
  async addVerdict(verdict: Verdict): Promise<void> {
    await this.#make();
    const { transactionId, decidedAt, label, analyst, note } = verdict;
    const id = idOf(this.#verdicts, transactionId);
    if (id === undefined) {
      throw new StoreError(
        `transaction ${transactionId}: no verdict can be kept, for ` +
          `transaction_id of ${this.#keyspace}.${VERDICT_TABLE} is an int, ` +
          `which ends at ${INT_MAX}`,
      );
    }
    await this.#query(
      `INSERT INTO ${this.#keyspace}.${VERDICT_TABLE} ` +
        "(transaction_id, decided_at, label, analyst, note) " +
        "VALUES (?, ?, ?, ?, ?)",
      [id, decidedAt, label, analyst, note],
    );
  }

  /** See LookUp. */
  async verdicts(transactionId: number): Promise<Verdict[]> {
    await this.#make();
    const id = idOf(this.#verdicts, transactionId);
    if (id === undefined) return [];
    const rows = await this.#query(
      `SELECT * FROM ${this.#keyspace}.${VERDICT_TABLE} ` +
        "WHERE transaction_id = ?",
      [id],
    );
    return rows.map(verdictOf);
  }

  /** Makes the verdicts' table: only who looks at cases needs it. */
  async #make(): Promise<void> {
    if (this.#made) return;
    const found = await this.#query(
      "SELECT table_name FROM system_schema.tables " +
        "WHERE keyspace_name = ? AND table_name = ?",
      [this.#keyspace, VERDICT_TABLE],
    );
    // Not IF NOT EXISTS alone, which needs the right to make tables.
    if (found.length === 0) {
      await this.#query(createTableCql(this.#keyspace, this.#verdicts), []);
    }
    this.#made = true;
  }
}

/** An id as a table takes it; undefined if it can't hold it. */
function idOf(table: PlainTable, id: number): number | bigint | undefined {
  if (idMaxOf([table]) > INT_MAX) return BigInt(id);
  return id <= INT_MAX ? id : undefined;
}

function periodOf(seconds: number): number {
  return Math.floor(seconds / DAY_SECONDS / PERIOD_DAYS);
}
