/**
 * Which requests a block of rows makes: one for each payment and its features,
 * and for the query tables one for each partition that the block touches.
 * Rows of one partition go together, as one mutation; rows of several never.
 */
import { DAY_SECONDS } from "../../payment/payment.ts";
import { RowEncoder } from "./cassandra_row.ts";
import {
  insertCql,
  PERIOD_DAYS,
  type Table,
  type Tables,
} from "./cassandra_schema.ts";
import type { StoreRows } from "../store.ts";

/** Rows that are written together, some 3 KB: Cassandra warns from 5 KiB on. */
const BATCH_ROWS = 32;

/** One request: rows of one partition of a table. */
export interface Write {
  /** The statement for each row. */
  readonly cql: string;
  /** The values of each row, encoded or for the driver to encode. */
  readonly rows: readonly { readonly values: unknown[] }[];
  /** Gives the rows back once they are stored and nobody reads them any more. */
  release(): void;
}

/** The tables that are written: the payments', and as many of the others as are given. */
export type WrittenTables = Pick<Tables, "transactions"> & Partial<Tables>;

/** Plans the requests of one keyspace. */
export class WritePlanner {
  readonly #width: number;
  readonly #transactions: TableWriter;
  readonly #byCustomer: TableWriter | undefined;
  readonly #byTerminal: TableWriter | undefined;
  readonly #fraudsByDay: TableWriter | undefined;

  /** Plans for these tables and rows of `width` cells. */
  constructor(keyspace: string, tables: WrittenTables, width: number) {
    this.#width = width;
    const writer = (table: Table | undefined) =>
      table && new TableWriter(keyspace, table);
    this.#transactions = new TableWriter(keyspace, tables.transactions);
    this.#byCustomer = writer(tables.byCustomer);
    this.#byTerminal = writer(tables.byTerminal);
    this.#fraudsByDay = writer(tables.fraudsByDay);
  }

  /** The requests, encoded as they are taken; throws StoreError for a number that its column cannot hold. */
  *writes({ cells, count }: StoreRows): Generator<Write> {
    const places = Array.from({ length: count }, (_, row) => row * this.#width);
    for (const at of places) yield this.#transactions.write(cells, [at]);
    const dayOf = (at: number) => Math.floor(cells[at + 5] / DAY_SECONDS);
    const periodOf = (at: number) => Math.floor(dayOf(at) / PERIOD_DAYS);
    const periods = 1 + places.reduce((max, at) => {
      return Math.max(max, periodOf(at));
    }, 0);
    const ofCustomer = (at: number) => cells[at + 2] * periods + periodOf(at);
    const ofTerminal = (at: number) => cells[at + 3] * periods + periodOf(at);
    const frauds = places.filter((at) => cells[at + 6] === 1);
    yield* this.#byCustomer?.writes(cells, places, ofCustomer) ?? [];
    yield* this.#byTerminal?.writes(cells, places, ofTerminal) ?? [];
    yield* this.#fraudsByDay?.writes(cells, frauds, dayOf) ?? [];
  }
}

/** Makes the requests for one table. */
class TableWriter {
  readonly #cql: string;
  readonly #encoder: RowEncoder;

  constructor(keyspace: string, table: Table) {
    this.#cql = insertCql(keyspace, table);
    this.#encoder = new RowEncoder(`${keyspace}.${table.name}`, table.columns);
  }

  /** One request for the rows in these places of the cells. */
  write(cells: Float64Array, places: readonly number[]): Write {
    const rows = places.map((at) => this.#encoder.encode(cells, at));
    return {
      cql: this.#cql,
      rows,
      release: () => this.#encoder.release(rows),
    };
  }

  /** A request for each partition, more where it has many rows. */
  *writes(
    cells: Float64Array,
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
      yield this.write(cells, keyed.slice(from, to).map(({ at }) => at));
      from = to;
    }
  }
}
