/**
 * Looks things up in the store of a data folder. The first look-up creates what
 * only look-ups need, the indexes and the table of verdicts. A run without
 * look-ups stores faster without them.
 */
import {
  caseOf,
  type LookUp,
  type StoredCase,
  type StoredPayment,
  type TimeRange,
} from "../look_up.ts";
import {
  checkedObjectOf,
  type StoredRow,
  StoredRowReader,
} from "../stored_row.ts";
import {
  type ObjectTable,
  PAYMENT_TABLE,
  type PaymentTable,
  verdictTable,
} from "../tables.ts";
import { type Verdict } from "../../payment/label_json.ts";
import type { TransactionId } from "../../payment/payment.ts";
import type { PredictionRows } from "../../payment/prediction.ts";
import { EmbeddedPredictions } from "./embedded_predictions.ts";
import { createTableSql, INDEX_SQL } from "./embedded_schema.ts";
import { ObjectWriter, select, type StoreFile } from "./embedded_table.ts";

/** Looks things up in one SQLite file. */
export class EmbeddedLookUp implements LookUp {
  readonly #file: StoreFile;
  readonly #rows: StoredRowReader;
  readonly #predictions: EmbeddedPredictions;
  readonly #verdicts: ObjectTable<Verdict>;
  readonly #verdictSql: string;
  readonly #made = new Set<string>();

  /** Uses an open store with this table of payments. */
  constructor(file: StoreFile, table: PaymentTable) {
    this.#file = file;
    this.#predictions = new EmbeddedPredictions(file, table.shape);
    this.#verdicts = verdictTable(table.shape);
    this.#verdictSql = createTableSql(this.#verdicts);
    const place = `${file.path}, table ${table.name}`;
    this.#rows = new StoredRowReader(place, table);
  }

  /** See LookUp. */
  prediction(
    transactionId: TransactionId,
  ): Promise<PredictionRows | undefined> {
    return this.#predictions.find(transactionId);
  }

  /** See LookUp. */
  async payment(transactionId: TransactionId): Promise<StoredCase | undefined> {
    const [row] = await this.#select(
      `SELECT * FROM ${PAYMENT_TABLE} WHERE transaction_id = ?`,
      transactionId,
    );
    return row && caseOf(this.#rows, row);
  }

  /** See LookUp. */
  ofCustomer(
    customerId: number | string,
    range: TimeRange,
  ): Promise<StoredPayment[]> {
    return this.#inRange("customer_id", customerId, range);
  }

  /** See LookUp. */
  ofTerminal(
    terminalId: number | string,
    range: TimeRange,
  ): Promise<StoredPayment[]> {
    return this.#inRange("terminal_id", terminalId, range);
  }

  async #inRange(
    column: string,
    id: number | string,
    { fromSeconds, toSeconds, limit }: TimeRange,
  ): Promise<StoredPayment[]> {
    await this.#make(INDEX_SQL);
    const rows = await this.#select(
      `SELECT * FROM ${PAYMENT_TABLE} WHERE ${column} = ? ` +
        "AND tx_time_seconds BETWEEN ? AND ? " +
        "ORDER BY tx_time_seconds DESC, transaction_id DESC LIMIT ?",
      id,
      fromSeconds,
      toSeconds,
      limit,
    );
    // With the features, since checksums cover them.
    return rows.map((row) => caseOf(this.#rows, row).payment);
  }

  /** See LookUp. */
  async addVerdict(verdict: Verdict): Promise<void> {
    await this.#make(this.#verdictSql);
    const { sqlite } = this.#file;
    const writer = new ObjectWriter(sqlite, this.#verdicts);
    await sqlite.transaction(() => writer.put([verdict]));
  }

  /** See LookUp. */
  async removeVerdict(
    { transactionId, decidedAt }: Pick<Verdict, "transactionId" | "decidedAt">,
  ): Promise<void> {
    await this.#make(this.#verdictSql);
    const { sqlite } = this.#file;
    const remove = sqlite.prepare(
      `DELETE FROM ${this.#verdicts.name} WHERE transaction_id = ? AND decided_at = ?`,
    );
    await sqlite.transaction(() => remove.run(transactionId, decidedAt));
  }

  /** See LookUp. */
  async verdicts(transactionId: TransactionId): Promise<Verdict[]> {
    await this.#make(this.#verdictSql);
    const rows = await this.#select(
      `SELECT * FROM ${this.#verdicts.name} WHERE transaction_id = ? ` +
        "ORDER BY decided_at DESC",
      transactionId,
    );
    return rows.map((row) => checkedObjectOf(this.#verdicts, row));
  }

  async #make(schema: string): Promise<void> {
    if (this.#made.has(schema)) return;
    const { sqlite } = this.#file;
    await sqlite.transaction(() => sqlite.db.exec(schema));
    this.#made.add(schema);
  }

  #select(sql: string, ...values: (number | string)[]): Promise<StoredRow[]> {
    return select(this.#file.sqlite, sql, ...values);
  }
}
