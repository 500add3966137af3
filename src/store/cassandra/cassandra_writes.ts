/**
 * The requests for a block of rows: one for each payment and its features, and
 * for the query tables one for each partition that the block touches. Rows of
 * one partition go together, as one mutation; rows of several partitions never.
 */
import { CELL } from "../../payment/payment_cells.ts";
import {
  HANDBOOK_SHAPE,
  type IdKind,
  type PaymentShape,
} from "../../payment/payment_shape.ts";
import { dayOf } from "../cell_rows.ts";
import type { StoreRows } from "../store.ts";
import type { PaymentTable, Table, TableRows } from "../tables.ts";
import { RowEncoder } from "./cassandra_row.ts";
import { insertCql, type PaymentTables } from "./cassandra_schema.ts";

/** Rows that are written together, some 3 KB: Cassandra warns from 5 KiB on. */
const BATCH_ROWS = 32;

/** One request: rows of one partition of a table. */
export interface Write {
  /** The statement for each row. */
  readonly cql: string;
  /** The values of each row, encoded or for the driver to encode. */
  readonly rows: readonly { readonly values: unknown[] }[];
  /** Returns the rows to the pool once they are stored and no longer read. */
  release(): void;
}

/** The tables that are written: the payments', and as many of the others as are given. */
export type WrittenTables =
  & Pick<PaymentTables, "transactions">
  & Partial<PaymentTables>;

/** Values that the driver encodes. */
export type DriverValue = number | bigint | string | null;

/** A row's values, in the order of a table's columns, as the driver wants them. */
export function driverValues(
  { columns }: Pick<Table, "columns">,
  row: readonly (number | string | null)[],
): DriverValue[] {
  return row.map((value, i) =>
    typeof value === "number" && columns[i].type === "bigint"
      ? BigInt(value)
      : value
  );
}

/**
 * Requests of one row each, for tables that are written rarely: all columns of
 * a table, in their order.
 */
export function* rowWrites(
  keyspace: string,
  table: Table,
  rows: Iterable<readonly (number | string | null)[]>,
): Generator<Write> {
  const cql = insertCql(keyspace, table);
  for (const row of rows) {
    yield { cql, rows: [{ values: driverValues(table, row) }], release };
  }
}

/**
 * How many columns of predictions these rows need: those of shadow scores and
 * decisions, which come last, have no value in most streams, and each null
 * would be a tombstone.
 */
export function usedColumns(
  { columns }: Pick<Table, "columns">,
  { decisions = [], shadowScores = [], count }: TableRows,
): number {
  const isGiven = (one: unknown) => one !== null;
  if (decisions.slice(0, count).some(isGiven)) return columns.length;
  const last = shadowScores.slice(0, count).some(isGiven)
    ? "shadowScores"
    : "offsets";
  return columns.findIndex(({ source }) => source === last) + 1;
}

/** Of rows that are in no pool. */
function release(): void {}

/** Plans the requests of one keyspace. */
export class WritePlanner {
  readonly #width: number;
  readonly #shape: PaymentShape;
  readonly #transactions: TableWriter;
  readonly #byCustomer: TableWriter | undefined;
  readonly #byTerminal: TableWriter | undefined;
  readonly #fraudsByDay: TableWriter | undefined;

  /** Plans for these tables. */
  constructor(keyspace: string, tables: WrittenTables) {
    this.#width = tables.transactions.width;
    this.#shape = tables.transactions.shape;
    const writer = (table: PaymentTable | undefined) =>
      table && new TableWriter(keyspace, table);
    this.#transactions = new TableWriter(keyspace, tables.transactions);
    this.#byCustomer = writer(tables.byCustomer);
    this.#byTerminal = writer(tables.byTerminal);
    this.#fraudsByDay = writer(tables.fraudsByDay);
  }

  /** The requests, encoded as they are taken; throws StoreError for a number that its column cannot hold. */
  *writes(rows: StoreRows): Generator<Write> {
    const { cells, count } = rows;
    const places = Array.from({ length: count }, (_, row) => row * this.#width);
    for (const at of places) yield this.#transactions.write(rows, [at]);
    const day = (at: number) => dayOf("days", cells[at + CELL.time]);
    const period = (at: number) => dayOf("period", cells[at + CELL.time]);
    const periods = 1 + places.reduce((max, at) => {
      return Math.max(max, period(at));
    }, 0);
    const { customerId, terminalId } = this.#shape;
    const within = (cell: number, kind: IdKind) => {
      const idOf = this.#shape === HANDBOOK_SHAPE
        ? (at: number) => cells[at + cell]
        : slots(rows, cell, kind);
      return (at: number) => idOf(at) * periods + period(at);
    };
    const frauds = places.filter((at) => cells[at + CELL.fraud] === 1);
    const customer = within(CELL.customer, customerId);
    const terminal = within(CELL.terminal, terminalId);
    yield* this.#byCustomer?.writes(rows, places, customer) ?? [];
    yield* this.#byTerminal?.writes(rows, places, terminal) ?? [];
    yield* this.#fraudsByDay?.writes(rows, frauds, day) ?? [];
  }
}

/** Numbers the ids of a block, which may be texts, or numbers too large to be multiplied: equal ones have the same number. */
function slots(
  { cells, texts }: StoreRows,
  cell: number,
  kind: IdKind,
): (at: number) => number {
  const known = new Map<number | string, number>();
  return (at) => {
    const value = cells[at + cell];
    const id = kind === "text" ? texts?.text(value) ?? "" : value;
    const slot = known.get(id) ?? known.size;
    known.set(id, slot);
    return slot;
  };
}

/** Makes the requests for one table. */
class TableWriter {
  readonly #cql: string;
  readonly #encoder: RowEncoder;

  constructor(keyspace: string, table: PaymentTable) {
    const columns = table.columns.filter(({ isDerived }) => !isDerived);
    this.#cql = insertCql(keyspace, { ...table, columns });
    this.#encoder = new RowEncoder(`${keyspace}.${table.name}`, columns);
  }

  /** One request for the rows in these places of the cells. */
  write({ cells, texts }: StoreRows, places: readonly number[]): Write {
    const rows = places.map((at) => this.#encoder.encode(cells, at, texts));
    return {
      cql: this.#cql,
      rows,
      release: () => this.#encoder.release(rows),
    };
  }

  /** One request per partition, or more if it has many rows. */
  *writes(
    rows: StoreRows,
    places: readonly number[],
    partitionOf: (at: number) => number,
  ): Generator<Write> {
    const keyed = places.map((at) => ({ at, key: partitionOf(at) }))
      .sort((a, b) => a.key - b.key);
    for (let from = 0; from < keyed.length;) {
      const { key } = keyed[from];
      const end = Math.min(keyed.length, from + BATCH_ROWS);
      let to = from + 1;
      while (to < end && keyed[to].key === key) to++;
      yield this.write(rows, keyed.slice(from, to).map(({ at }) => at));
      from = to;
    }
  }
}
