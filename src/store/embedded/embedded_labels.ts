/** Labels in the SQLite file of a data folder. The first write creates the table; a stream whose payments carry their labels has none. */
import type { TransactionId } from "../../payment/payment.ts";
import type { PaymentShape } from "../../payment/payment_shape.ts";
import type { LabelStore, StoredLabel } from "../labels.ts";
import type { StreamPosition } from "../positions.ts";
import { checkedObjectOf } from "../stored_row.ts";
import { labelTable, type ObjectTable } from "../tables.ts";
import { createTableSql } from "./embedded_schema.ts";
import {
  FilledTable,
  ObjectWriter,
  select,
  type StoreFile,
} from "./embedded_table.ts";

/** The labels of one SQLite file. */
export class EmbeddedLabels extends FilledTable implements LabelStore {
  readonly #file: StoreFile;
  readonly #table: ObjectTable<StoredLabel>;
  #writer: ObjectWriter<StoredLabel> | undefined;

  /** Uses the file of an open store of payments of a shape. */
  constructor(file: StoreFile, shape: PaymentShape) {
    const table = labelTable(shape);
    super(file, table);
    this.#file = file;
    this.#table = table;
  }

  /** See LabelStore. */
  async write(
    labels: readonly StoredLabel[],
    _signal?: AbortSignal,
    positions: readonly StreamPosition[] = [],
  ): Promise<void> {
    const { sqlite } = this.#file;
    const writer = this.#writer ?? await this.#make();
    await sqlite.transaction(() => {
      writer.put(labels);
      this.putPositions(positions);
    });
  }

  async #make(): Promise<ObjectWriter<StoredLabel>> {
    const { sqlite } = this.#file;
    const sql = createTableSql(this.#table);
    await sqlite.transaction(() => sqlite.db.exec(sql));
    return this.#writer = new ObjectWriter(sqlite, this.#table);
  }

  /** See LabelStore. */
  async newest(
    ids: readonly TransactionId[],
    asOf?: string,
  ): Promise<ReadonlyMap<TransactionId, StoredLabel>> {
    const found = new Map<TransactionId, StoredLabel>();
    const [first, last] = [ids[0], ids[ids.length - 1]];
    if (first === undefined || !await this.isThere()) return found;
    const until = asOf === undefined ? [] : [asOf];
    const rows = await select(
      this.#file.sqlite,
      `SELECT * FROM ${this.#table.name} ` +
        "WHERE transaction_id BETWEEN ? AND ? " +
        (asOf === undefined ? "" : "AND known_time <= ? ") +
        "ORDER BY transaction_id, known_at, known_time",
      first,
      last,
      ...until,
    );
    for (const row of rows) {
      const label = checkedObjectOf(this.#table, row);
      found.set(label.transactionId, label);
    }
    return found;
  }
}
