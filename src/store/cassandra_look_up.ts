/**
 * Looks things up in the tables of Cassandra. A card's and a terminal's
 * payments come from the partitions of the periods that a range touches,
 * newest first. Nothing here knows the driver.
 */
import {
  featureNames,
  type FeatureParameters,
} from "../features/parameters.ts";
import { DAY_SECONDS } from "../transaction/transaction.ts";
import { PERIOD_DAYS, verdictTableCql } from "./cassandra_schema.ts";
import { paymentOf, verdictOf } from "./embedded_look_up.ts";
import {
  type LookUp,
  type StoredCase,
  type StoredPayment,
  type TimeRange,
  type Verdict,
  VERDICT_TABLE,
} from "./look_up.ts";

/** Runs a prepared statement; gives the rows of its first page. */
export type Query = (
  cql: string,
  values: readonly (number | string | bigint)[],
) => Promise<readonly Readonly<Record<string, unknown>>[]>;

/** Looks things up in one keyspace. */
export class CassandraLookUp implements LookUp {
  readonly #query: Query;
  readonly #keyspace: string;
  readonly #features: readonly string[];
  readonly #idType: "int" | "bigint";
  #made = false;

  /** Looks into a keyspace that has its tables, with ids of that type. */
  constructor(query: Query, { keyspace, features, idType }: {
    readonly keyspace: string;
    readonly features: FeatureParameters;
    readonly idType: "int" | "bigint";
  }) {
    this.#query = query;
    this.#keyspace = keyspace;
    this.#features = featureNames(features).map((name) => name.toLowerCase());
    this.#idType = idType;
  }

  /** See LookUp. */
  async payment(transactionId: number): Promise<StoredCase | undefined> {
    const [row] = await this.#query(
      `SELECT * FROM ${this.#keyspace}.transactions WHERE transaction_id = ?`,
      [this.#id(transactionId)],
    );
    return row && {
      payment: paymentOf(row),
      features: this.#features.map((name) => Number(row[name])),
    };
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
    const cql = `SELECT * FROM ${this.#keyspace}.transactions_by_${kind} ` +
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
        found.push(paymentOf(row));
      }
    }
    return found;
  }

  /** See LookUp. */
  async addVerdict(verdict: Verdict): Promise<void> {
    await this.#make();
    const { transactionId, decidedAt, label, analyst, note } = verdict;
    await this.#query(
      `INSERT INTO ${this.#keyspace}.${VERDICT_TABLE} ` +
        "(transaction_id, decided_at, label, analyst, note) " +
        "VALUES (?, ?, ?, ?, ?)",
      [this.#id(transactionId), decidedAt, label, analyst, note],
    );
  }

  /** See LookUp. */
  async verdicts(transactionId: number): Promise<Verdict[]> {
    await this.#make();
    const rows = await this.#query(
      `SELECT * FROM ${this.#keyspace}.${VERDICT_TABLE} ` +
        "WHERE transaction_id = ?",
      [this.#id(transactionId)],
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
      await this.#query(verdictTableCql(this.#keyspace, this.#idType), []);
    }
    this.#made = true;
  }

  #id(transactionId: number): number | bigint {
    return this.#idType === "bigint" ? BigInt(transactionId) : transactionId;
  }
}

function periodOf(seconds: number): number {
  return Math.floor(seconds / DAY_SECONDS / PERIOD_DAYS);
}
