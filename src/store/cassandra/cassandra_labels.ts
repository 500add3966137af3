/**
 * Labels in Cassandra: plain idempotent upserts, like the payments'. What
 * follows from them in the tables of payments is written afterwards, from all
 * labels of a payment, and they are read again behind it: the last of several
 * writers has seen the newest label, so those of labels and of payments may
 * overtake each other. Nothing here knows the driver.
 */
import { INT_MAX, type TransactionId } from "../../payment/payment.ts";
import { CELL, PAYMENT_CELLS } from "../../payment/payment_cells.ts";
import { TextHeap } from "../../payment/text_heap.ts";
import { dayOf, idsOf } from "../cell_rows.ts";
import {
  fraudOf,
  inOrder,
  type LabelStatus,
  type LabelStore,
  laterLabel,
  type StoredLabel,
} from "../labels.ts";
import type { StreamPosition } from "../positions.ts";
import type { StoreRows } from "../store.ts";
import {
  type BadRow,
  objectOf,
  objectValues,
  soundObjects,
  type StoredRow,
  StoredRowReader,
} from "../stored_row.ts";
import {
  byCustomerTable,
  ID_COLUMN,
  type ObjectTable,
  type PaymentTable,
  type Table,
} from "../tables.ts";
import { idMaxOf, type OtherTables } from "./cassandra_schema.ts";
import type { CassandraSession } from "./cassandra_session.ts";
import { CassandraTable } from "./cassandra_table.ts";
import {
  driverValues,
  rowWrites,
  type Write,
  WritePlanner,
  type WrittenTables,
} from "./cassandra_writes.ts";

/** Payments that one request reads, and requests that are made concurrently. */
const IDS_AT_ONCE = 32;
const READS = 16;

/** The labels of payments, by TRANSACTION_ID. */
type Labels = ReadonlyMap<TransactionId, readonly StoredLabel[]>;

/** The labels of one keyspace. */
export class CassandraLabels extends CassandraTable implements LabelStore {
  /** See StoredTable. */
  readonly idMax: number;
  readonly #session: CassandraSession;
  readonly #table: ObjectTable<StoredLabel>;
  readonly #payments: WrittenTables;
  readonly #place: string;
  /** A payment without its features. */
  readonly #payment: PaymentTable;
  readonly #reader: StoredRowReader;
  readonly #hasLabels: boolean;
  readonly #planner: WritePlanner;

  /** Uses the tables of a keyspace as they are, or will be. */
  constructor(
    session: CassandraSession,
    { labels, positions, payments }:
      & Pick<OtherTables, "labels" | "positions">
      & { readonly payments: WrittenTables },
  ) {
    const { transactions, byCustomer, byTerminal } = payments;
    const { shape } = transactions;
    super(session, { positions }, shape, shape.hasLabels ? [labels] : []);
    this.#session = session;
    this.#table = labels;
    this.#payments = payments;
    this.#place = `${session.keyspace}.${labels.name}`;
    this.idMax = idMaxOf([labels]);
    this.#hasLabels = shape.hasLabels;
    this.#payment = byCustomerTable(shape);
    const place = `${session.keyspace}.${transactions.name}`;
    this.#reader = new StoredRowReader(place, this.#payment);
    this.#planner = new WritePlanner(session.keyspace, {
      ...payments,
      transactions: withLabel({
        ...transactions,
        columns: transactions.columns.filter(({ name, isDerived }) =>
          name === ID_COLUMN || isDerived
        ),
        width: PAYMENT_CELLS,
      }),
      ...byCustomer && { byCustomer: withLabel(byCustomer) },
      ...byTerminal && { byTerminal: withLabel(byTerminal) },
    });
  }

  /** See LabelStore. */
  async write(
    labels: readonly StoredLabel[],
    signal?: AbortSignal,
    positions: readonly StreamPosition[] = [],
  ): Promise<void> {
    const table = this.#table;
    if (labels.length > 0) {
      const rows = labels.map((label) => objectValues(table.columns, label));
      const writes = rowWrites(this.#session.keyspace, table, rows);
      await this.#session.send(writes, signal);
      const ids = new Set(labels.map(({ transactionId }) => transactionId));
      await this.#follow([...ids], signal);
    }
    await this.savePositions(positions, signal);
  }

  /** Gives payments that have just been written the labels that were stored before them. */
  async label(rows: StoreRows, signal: AbortSignal | undefined): Promise<void> {
    const ids = idsOf(rows, this.#payments.transactions);
    const labels = await this.#labelsOf(ids, signal);
    await this.#follow([...labels.keys()], signal);
  }

  /** Makes TX_FRAUD of payments what their labels say, in all tables. A payment that is not stored yet gets its label when it is. */
  async #follow(
    ids: readonly TransactionId[],
    signal: AbortSignal | undefined,
  ): Promise<void> {
    for (let left = ids; left.length > 0;) {
      const [labels, rows] = await Promise.all([
        this.#labelsOf(left, signal),
        this.#paymentsOf(left, signal),
      ]);
      const stored = idsOf(rows, this.#payment);
      await this.#session.send(this.#changes(rows, stored, labels), signal);
      const now = await this.#labelsOf(stored, signal);
      left = stored.filter((id) => fraudAt(now, id) !== fraudAt(labels, id));
    }
  }

  /** The requests that make rows of payments what their labels say. */
  *#changes(
    rows: StoreRows,
    ids: readonly TransactionId[],
    labels: Labels,
  ): Generator<Write> {
    const { cells } = rows;
    for (const [row, id] of ids.entries()) {
      const at = row * PAYMENT_CELLS;
      const before = cells[at + CELL.fraud];
      const after = cells[at + CELL.fraud] = fraudAt(labels, id);
      // Not wherever it is genuine: later reads of the day would pass a mark for each.
      const mayBeThere = before === 1 ||
        labels.get(id)?.some(({ fraud }) => fraud === 1);
      if (mayBeThere && after !== 1) {
        yield* this.#noFraud(id, cells[at + CELL.time]);
      }
    }
    yield* this.#planner.writes(rows);
  }

  /** Removes a payment from the frauds of its day. */
  *#noFraud(id: TransactionId, timeSeconds: number): Generator<Write> {
    const table = this.#payments.fraudsByDay;
    if (!table) return;
    const names = [...table.partition, ...table.clustering];
    const values: Readonly<Record<string, TransactionId>> = {
      "tx_time_days": dayOf("days", timeSeconds),
      "tx_time_seconds": timeSeconds,
      [ID_COLUMN]: id,
    };
    const cql = `DELETE FROM ${this.#session.keyspace}.${table.name} WHERE ${
      names.map((name) => `${name} = ?`).join(" AND ")
    }`;
    const columns = names.flatMap((name) =>
      table.columns.filter((column) => column.name === name)
    );
    const row = driverValues(
      { columns },
      names.map((name) => values[name]),
    );
    yield { cql, rows: [{ values: row }], release() {} };
  }

  /** See LabelStore. */
  async newest(
    ids: readonly TransactionId[],
    asOf?: string,
  ): Promise<ReadonlyMap<TransactionId, StoredLabel>> {
    if (!this.#hasLabels) return new Map();
    const found = new Map<TransactionId, StoredLabel>();
    for (const [id, labels] of await this.#labelsOf(ids)) {
      const label = newestOf(labels, asOf);
      if (label) found.set(id, label);
    }
    return found;
  }

  /** See LabelStore. */
  async ofPayment(id: TransactionId): Promise<readonly StoredLabel[]> {
    if (!this.#hasLabels) return [];
    return inOrder((await this.#labelsOf([id])).get(id) ?? []);
  }

  /** See LabelStore. */
  async *labels(
    signal: AbortSignal | undefined,
    onBadRow: (bad: BadRow, row: StoredRow) => void,
  ): AsyncGenerator<readonly StoredLabel[]> {
    if (!this.#hasLabels) return;
    for await (const page of this.#session.pages(this.#table, signal)) {
      yield soundObjects(this.#table, page, onBadRow);
    }
  }

  /** See LabelStore. */
  async status(): Promise<LabelStatus | undefined> {
    if (!this.#hasLabels) return undefined;
    const { rows } = await this.#session.count(this.#table, "tx_fraud");
    return { rows };
  }

  /** See StoredTable. */
  async holds(transactionId: TransactionId): Promise<boolean> {
    return (await this.#labelsOf([transactionId])).size > 0;
  }

  /** See StoredTable. */
  async isEmpty(): Promise<boolean> {
    const cql = `SELECT ${ID_COLUMN} FROM ${this.#place} LIMIT 1`;
    return (await this.#session.all(cql)).length === 0;
  }

  /** See StoredTable. */
  override async clear(topic: string): Promise<void> {
    await super.clear(topic);
    if (!this.#hasLabels) return;
    const { transactions } = this.#payments;
    for await (const page of this.#session.pages(transactions, undefined)) {
      const labelled = page.filter((row) => row.tx_fraud !== null);
      await this.#follow(labelled.map(idIn), undefined);
    }
  }

  async #labelsOf(
    ids: readonly TransactionId[],
    signal?: AbortSignal,
  ): Promise<Labels> {
    const found = new Map<TransactionId, StoredLabel[]>();
    for (const row of await this.#select(this.#table, "*", ids, signal)) {
      const label = objectOf(this.#table, row);
      const labels = found.get(label.transactionId) ?? [];
      labels.push(label);
      found.set(label.transactionId, labels);
    }
    return found;
  }

  /** The payments that are stored, without their features. */
  async #paymentsOf(
    ids: readonly TransactionId[],
    signal: AbortSignal | undefined,
  ): Promise<StoreRows> {
    const { transactions } = this.#payments;
    const names = this.#payment.columns.flatMap(({ name, source }) =>
      source === "period" ? [] : [name]
    );
    const found = await this.#select(
      transactions,
      names.join(", "),
      ids,
      signal,
    );
    const cells = new Float64Array(found.length * PAYMENT_CELLS);
    const rows = { cells, texts: new TextHeap(), count: 0 };
    for (const row of found) {
      // One that another program has damaged is named by those who read it.
      if (!this.#reader.read(row, rows, rows.count)) rows.count++;
    }
    return rows;
  }

  /** Rows of a table whose partitions are payments. */
  async #select(
    table: Table,
    what: string,
    ids: readonly TransactionId[],
    signal?: AbortSignal,
  ): Promise<StoredRow[]> {
    const cql = `SELECT ${what} FROM ${this.#session.keyspace}.${table.name} ` +
      `WHERE ${ID_COLUMN} IN ?`;
    const isInt = idMaxOf([table]) === INT_MAX;
    const keys = ids.map((id) =>
      typeof id === "string" || isInt ? id : BigInt(id)
    );
    const found: StoredRow[] = [];
    let from = 0;
    const lane = async () => {
      while (from < keys.length) {
        const some = keys.slice(from, from += IDS_AT_ONCE);
        found.push(...await this.#session.all(cql, [some], signal));
      }
    };
    await Promise.all(Array.from({ length: READS }, lane));
    return found;
  }
}

/** A table whose rows are written with TX_FRAUD. */
function withLabel(table: PaymentTable): PaymentTable {
  const columns = table.columns.map(({ isDerived: _, ...column }) => column);
  return { ...table, columns };
}

/** The label that counts, of those that can be learned from at `asOf`. */
function newestOf(
  labels: readonly StoredLabel[] | undefined,
  asOf?: string,
): StoredLabel | undefined {
  return labels
    ?.filter(({ knownTime }) => asOf === undefined || knownTime <= asOf)
    .reduce(laterLabel, undefined);
}

function fraudAt(labels: Labels, id: TransactionId): number {
  return fraudOf(newestOf(labels.get(id)));
}

/** TRANSACTION_ID of a row. */
function idIn({ transaction_id: id }: StoredRow): TransactionId {
  return typeof id === "string" ? id : Number(id);
}
