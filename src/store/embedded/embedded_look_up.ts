/**
 * Looks things up in the store of a data folder. The first look-up creates what
 * only look-ups need, the indexes and the table of verdicts. A run without
 * look-ups stores faster without them.
 */
import type { FeatureParameters } from "../../features/parameters.ts";
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
import { PAYMENT_TABLE, paymentTable, VERDICTS } from "../tables.ts";
import { type Verdict } from "../../payment/label_json.ts";
import { createTableSql, INDEX_SQL } from "./embedded_schema.ts";
import { ObjectWriter, select, type StoreFile } from "./embedded_table.ts";

const VERDICT_SQL = createTableSql(VERDICTS);

/** Looks things up in one SQLite file. */
export class EmbeddedLookUp implements LookUp {
  readonly #file: StoreFile;
  readonly #rows: StoredRowReader;
  readonly #made = new Set<string>();

  /** Uses an open store with these features. */
  constructor(file: StoreFile, features: FeatureParameters) {
    const table = paymentTable(features);
    this.#file = file;
    const place = `${file.path}, table ${table.name}`;
    this.#rows = new StoredRowReader(place, table);
  }

  /** See LookUp. */
  async payment(transactionId: number): Promise<StoredCase | undefined> {
    const [row] = await this.#select(
      `SELECT * FROM ${PAYMENT_TABLE} WHERE transaction_id = ?`,
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
    await this.#make(VERDICT_SQL);
    const { sqlite } = this.#file;
    const writer = new ObjectWriter(sqlite, VERDICTS);
    await sqlite.transaction(() => writer.put([verdict]));
  }

  /** See LookUp. */
  async removeVerdict(
    { transactionId, decidedAt }: Pick<Verdict, "transactionId" | "decidedAt">,
  ): Promise<void> {
    await this.#make(VERDICT_SQL);
    const { sqlite } = this.#file;
    const remove = sqlite.prepare(
      `DELETE FROM ${VERDICTS.name} WHERE transaction_id = ? AND decided_at = ?`,
    );
    await sqlite.transaction(() => remove.run(transactionId, decidedAt));
  }

  /** See LookUp. */
  async verdicts(transactionId: number): Promise<Verdict[]> {
    await this.#make(VERDICT_SQL);
    const rows = await this.#select(
      `SELECT * FROM ${VERDICTS.name} WHERE transaction_id = ? ` +
        "ORDER BY decided_at DESC",
      transactionId,
    );
    return rows.map((row) => checkedObjectOf(VERDICTS, row));
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
