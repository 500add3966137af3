/**
 * Labels in the SQLite file of a data folder. A label and TX_FRAUD of its
 * payment change in one transaction.
 */
import type { TransactionId } from "../../payment/payment.ts";
import type { PaymentShape } from "../../payment/payment_shape.ts";
import { compareIds } from "../../payment/text_heap.ts";
import {
  inOrder,
  type LabelStatus,
  type LabelStore,
  type StoredLabel,
} from "../labels.ts";
import type { StreamPosition } from "../positions.ts";
import {
  type BadRow,
  checkedObjectOf,
  soundObjects,
  type StoredRow,
} from "../stored_row.ts";
import { labelTable, type ObjectTable } from "../tables.ts";
import {
  createTableSql,
  FORGET_LABELS_SQL,
  UPDATE_LABEL_SQL,
} from "./embedded_schema.ts";
import {
  FilledTable,
  type Insert,
  ObjectWriter,
  select,
  type StoreFile,
} from "./embedded_table.ts";

/** Labels that are read at once. */
const PAGE_ROWS = 4096;

/** The labels of one SQLite file. */
export class EmbeddedLabels extends FilledTable implements LabelStore {
  readonly #file: StoreFile;
  readonly #table: ObjectTable<StoredLabel>;
  readonly #hasLabels: boolean;
  #statements:
    | { labels: ObjectWriter<StoredLabel>; update: Insert["statement"] }
    | undefined;

  /** Uses the file of an open store of payments of a shape. */
  constructor(file: StoreFile, shape: PaymentShape) {
    const table = labelTable(shape);
    super(file, table);
    this.#file = file;
    this.#table = table;
    this.#hasLabels = shape.hasLabels;
  }

  /** See LabelStore. */
  async write(
    labels: readonly StoredLabel[],
    _signal?: AbortSignal,
    positions: readonly StreamPosition[] = [],
  ): Promise<void> {
    if (labels.length === 0) return await this.savePositions(positions);
    const { sqlite } = this.#file;
    const statements = this.#statements ??= await this.#make();
    // A tree by id: labels in this order touch each page once.
    const ids = [...new Set(labels.map(({ transactionId }) => transactionId))]
      .sort(compareIds);
    await sqlite.transaction(() => {
      statements.labels.put(labels);
      for (const id of ids) statements.update.run(id);
      this.putPositions(positions);
    });
  }

  async #make() {
    const { sqlite } = this.#file;
    const sql = createTableSql(this.#table);
    await sqlite.transaction(() => sqlite.db.exec(sql));
    return {
      labels: new ObjectWriter(sqlite, this.#table),
      update: sqlite.prepare(UPDATE_LABEL_SQL),
    };
  }

  /** See StoredTable. */
  override async clear(topic: string): Promise<void> {
    await super.clear(topic, this.#hasLabels ? FORGET_LABELS_SQL : "");
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
        "ORDER BY transaction_id, known_at, topic_offset",
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

  /** See LabelStore. */
  async ofPayment(id: TransactionId): Promise<readonly StoredLabel[]> {
    if (!await this.isThere()) return [];
    const rows = await select(
      this.#file.sqlite,
      `SELECT * FROM ${this.#table.name} WHERE transaction_id = ?`,
      id,
    );
    return inOrder(rows.map((row) => checkedObjectOf(this.#table, row)));
  }

  /** See LabelStore. */
  async *labels(
    signal: AbortSignal | undefined,
    onBadRow: (bad: BadRow, row: StoredRow) => void,
  ): AsyncGenerator<readonly StoredLabel[]> {
    if (!await this.isThere()) return;
    const { name, partition, clustering } = this.#table;
    const key = [...partition, ...clustering];
    let last: StoredRow | undefined;
    do {
      signal?.throwIfAborted();
      const after = last && key.map((column) => last?.[column] as number);
      const page = await select(
        this.#file.sqlite,
        `SELECT * FROM ${name} ` +
          (after ? `WHERE (${key}) > (${after.map(() => "?")}) ` : "") +
          `ORDER BY ${key} LIMIT ${PAGE_ROWS}`,
        ...after ?? [],
      );
      yield soundObjects(this.#table, page, onBadRow);
      last = page.at(-1);
    } while (last);
  }

  /** See LabelStore. */
  async status(): Promise<LabelStatus | undefined> {
    if (!this.#hasLabels) return undefined;
    return { rows: (await this.count("tx_fraud")).rows };
  }
}
