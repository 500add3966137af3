/**
 * Looks things up in the tables of Cassandra. A card's and a terminal's
 * payments come from the partitions of the periods that a range touches,
 * newest first. Nothing here knows the driver.
 */
import { StoreError } from "../../base/error.ts";
import { INT_MAX, type TransactionId } from "../../payment/payment.ts";
import type { PredictionRows } from "../../payment/prediction.ts";
import { dayOf } from "../cell_rows.ts";
import {
  caseOf,
  type LookUp,
  type StoredCase,
  type StoredPayment,
  type TimeRange,
} from "../look_up.ts";
import type { PredictionStore } from "../predictions.ts";
import {
  checkedObjectOf,
  objectValues,
  StoredRowReader,
} from "../stored_row.ts";
import {
  byCustomerTable,
  byTerminalTable,
  type ObjectTable,
  type PaymentTable,
  type Table,
} from "../tables.ts";
import { type Verdict } from "../../payment/label_json.ts";
import { idMaxOf, insertCql } from "./cassandra_schema.ts";
import type { CassandraSession } from "./cassandra_session.ts";
import { driverValues } from "./cassandra_writes.ts";

/** Looks things up in one keyspace. */
export class CassandraLookUp implements LookUp {
  readonly #session: CassandraSession;
  readonly #payments: PaymentTable;
  readonly #verdicts: ObjectTable<Verdict>;
  readonly #predictions: Pick<PredictionStore, "find">;
  #made = false;

  /** Uses a keyspace that has these tables, or will have them. */
  constructor(session: CassandraSession, { payments, verdicts, predictions }: {
    readonly payments: PaymentTable;
    readonly verdicts: ObjectTable<Verdict>;
    readonly predictions: Pick<PredictionStore, "find">;
  }) {
    this.#session = session;
    this.#payments = payments;
    this.#verdicts = verdicts;
    this.#predictions = predictions;
  }

  /** See LookUp. */
  prediction(
    transactionId: TransactionId,
  ): Promise<PredictionRows | undefined> {
    return this.#predictions.find(transactionId);
  }

  /** See LookUp. */
  async payment(
    transactionId: TransactionId,
    signal?: AbortSignal,
  ): Promise<StoredCase | undefined> {
    const id = idOf(this.#payments, transactionId);
    if (id === undefined) return undefined;
    const place = this.#place(this.#payments);
    const cql = `SELECT * FROM ${place} WHERE transaction_id = ?`;
    const [row] = await this.#session.all(cql, [id], signal);
    return row && caseOf(new StoredRowReader(place, this.#payments), row);
  }

  /** See LookUp. */
  ofCustomer(
    customerId: number | string,
    range: TimeRange,
  ): Promise<StoredPayment[]> {
    const table = byCustomerTable(this.#payments.shape);
    return this.#inRange(table, customerId, range);
  }

  /** See LookUp. */
  ofTerminal(
    terminalId: number | string,
    range: TimeRange,
  ): Promise<StoredPayment[]> {
    const table = byTerminalTable(this.#payments.shape);
    return this.#inRange(table, terminalId, range);
  }

  async #inRange(
    table: PaymentTable,
    id: number | string,
    { fromSeconds, toSeconds, limit }: TimeRange,
  ): Promise<StoredPayment[]> {
    const place = this.#place(table);
    const reader = new StoredRowReader(place, table);
    const cql = `SELECT * FROM ${place} ` +
      `WHERE ${table.partition.map((name) => `${name} = ?`).join(" AND ")} ` +
      "AND tx_time_seconds >= ? AND tx_time_seconds <= ? LIMIT ?";
    const [keyColumn] = table.partition;
    const type = table.columns.find(({ name }) => name === keyColumn)?.type;
    // No payment has an id that its column cannot hold.
    if (type === "int" && Number(id) > INT_MAX) return [];
    const key = type === "bigint" ? BigInt(id) : id;
    const found: StoredPayment[] = [];
    const from = Math.max(0, fromSeconds);
    const first = dayOf("period", from);
    for (let period = dayOf("period", toSeconds); period >= first; period--) {
      const left = limit - found.length;
      if (left <= 0) break;
      const values = [key, period, from, toSeconds, left];
      for (const row of await this.#session.all(cql, values)) {
        found.push(caseOf(reader, row).payment);
      }
    }
    return found;
  }

  /** See LookUp. */
  async addVerdict(verdict: Verdict): Promise<void> {
    await this.#make();
    const { transactionId } = verdict;
    const table = this.#verdicts;
    if (idOf(table, transactionId) === undefined) {
      throw new StoreError(
        `transaction ${transactionId}: the verdict cannot be stored, ` +
          `because transaction_id of ${this.#place(table)} is an int ` +
          `(up to ${INT_MAX})`,
      );
    }
    await this.#session.all(
      insertCql(this.#session.keyspace, table),
      driverValues(table, objectValues(table.columns, verdict)),
    );
  }

  /** See LookUp. */
  async removeVerdict(
    { transactionId, decidedAt }: Pick<Verdict, "transactionId" | "decidedAt">,
  ): Promise<void> {
    await this.#make();
    const table = this.#verdicts;
    const id = idOf(table, transactionId);
    if (id === undefined) return;
    const cql = `DELETE FROM ${this.#place(table)} ` +
      "WHERE transaction_id = ? AND decided_at = ?";
    await this.#session.all(cql, [id, decidedAt]);
  }

  /** See LookUp. */
  async verdicts(transactionId: TransactionId): Promise<Verdict[]> {
    await this.#make();
    const table = this.#verdicts;
    const id = idOf(table, transactionId);
    if (id === undefined) return [];
    const cql = `SELECT * FROM ${this.#place(table)} WHERE transaction_id = ?`;
    return (await this.#session.all(cql, [id]))
      .map((row) => checkedObjectOf(table, row));
  }

  /** Creates the table of verdicts on first use; a stream without verdicts has none. */
  async #make(): Promise<void> {
    if (this.#made) return;
    await this.#session.ensure([this.#verdicts]);
    this.#made = true;
  }

  #place({ name }: Table): string {
    return `${this.#session.keyspace}.${name}`;
  }
}

/** An id in the type of a table's column; undefined if it does not fit. */
function idOf(
  table: Table,
  id: TransactionId,
): number | bigint | string | undefined {
  if (typeof id === "string") return id;
  if (idMaxOf([table]) > INT_MAX) return BigInt(id);
  return id <= INT_MAX ? id : undefined;
}
