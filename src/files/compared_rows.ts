/**
 * Tables of payments that are compared, a row of each at a time, and the order
 * that their rows have: that of TRANSACTION_ID, or that of TX_DATETIME. Which
 * one it is follows from the rows: an order is possible until a row breaks it. If
 * no order is left, that is an error, except where the first rows have none in
 * common.
 */
import { DataError } from "../base/error.ts";
import { isMissing, type RawValue } from "../definition/rejection.ts";
import { compareIds } from "../payment/text_heap.ts";
import { momentText, shown, wholeNumber } from "./value_difference.ts";

/** Consecutive rows of a table. */
export interface ComparedPage {
  /** Number of rows. */
  readonly length: number;
  /** Puts the values of a row into `into`, in the order of the table's columns. */
  read(index: number, into: RawValue[]): void;
  /** Where a row stands, for messages: "line 7 of a.csv". */
  place(index: number): string;
}

/** A table that is compared. */
export interface ComparedTable {
  /** Its name in messages. */
  readonly name: string;
  /** Names of its columns. */
  readonly columns: readonly string[];
  /** Its rows. */
  readonly pages: AsyncIterator<ComparedPage>;
}

/** The column by which rows are paired. */
export const ID = "TRANSACTION_ID";
/** The other column that rows may be in the order of. */
export const TIME = "TX_DATETIME";

/** Most rows of one time that are paired. */
const GROUP_ROWS_MAX = 1_000_000;

/** An order of rows: by numbers, by texts, or by times. */
export interface RowOrder {
  /** What rows are sorted by. */
  readonly column: typeof ID | typeof TIME;
  /** What a row is sorted by; undefined if its value does not fit. */
  readonly key: (value: RawValue) => number | string | undefined;
}

const BY_NUMBER: RowOrder = { column: ID, key: wholeNumber };
const BY_TEXT: RowOrder = {
  column: ID,
  key: (value) => isMissing(value) ? undefined : String(value),
};
/** The order of TX_DATETIME. */
export const BY_TIME: RowOrder = { column: TIME, key: momentText };

const ALL_ORDERS = [BY_NUMBER, BY_TEXT, BY_TIME];

/** The orders that the rows of both sides may have. */
export class Orders {
  #possible: readonly RowOrder[];

  private constructor(possible: readonly RowOrder[]) {
    this.#possible = possible;
  }

  /** Those that the first rows of both sides have; undefined if there is none. */
  static of(one: Cursor, other: Cursor): Orders | undefined {
    const sides = [one, other];
    const possible = ALL_ORDERS.filter((order) =>
      sides.every((cursor) => cursor.isSorted(order))
    );
    if (possible.length === 0) return undefined;
    const orders = new Orders(possible);
    for (const cursor of sides) cursor.keepTo(orders);
    return orders;
  }

  /** Those that no row has broken. */
  get possible(): readonly RowOrder[] {
    return this.#possible;
  }

  /** The one that counts. */
  get best(): RowOrder {
    return this.#possible[0];
  }

  /** Leaves an order out that a row breaks; throws `error` if it is the last. */
  drop(order: RowOrder, error: DataError): void {
    const left = this.#possible.filter((other) => other !== order);
    if (left.length === 0) throw error;
    this.#possible = left;
  }

  /** Takes the best one for granted. */
  settle(): void {
    this.#possible = [this.best];
  }

  /** Which side has the row that comes first: negative for the first, positive for the second, 0 for both; undefined where the orders disagree. */
  first(one: Cursor, other: Cursor): number | undefined {
    if (!one.isOpen) return 1;
    if (!other.isOpen) return -1;
    const found = this.#compare(this.best, one, other);
    // Rows with one id are partners in any order.
    if (this.#possible.length === 1 || one.id === other.id) return found;
    const agree = this.#possible.every((order) =>
      Math.sign(this.#compare(order, one, other)) === Math.sign(found)
    );
    return agree ? found : undefined;
  }

  #compare(order: RowOrder, one: Cursor, other: Cursor): number {
    return compareIds(one.key(order), other.key(order));
  }
}

/** The rows of a table, one at a time. */
export class Cursor {
  /** The table's name in messages. */
  readonly name: string;
  /** Values of the present row, in the order of the compared columns. */
  readonly row: RawValue[] = [];
  /** TRANSACTION_ID of the present row. */
  id = "";
  /** Whether there is a present row. */
  isOpen = true;
  /** Rows read so far. */
  rows = 0;
  readonly #pages: AsyncIterator<ComparedPage>;
  readonly #columns: readonly string[];
  readonly #places: readonly number[];
  readonly #values: RawValue[] = [];
  #page: ComparedPage | undefined;
  #index = -1;
  #orders: Orders | undefined;
  /** What the present row is sorted by, in each order that may count. */
  readonly #keys = new Map<RowOrder, number | string>();

  /** Reads the compared columns of a table; load() goes to its first row. */
  constructor(
    { name, columns, pages }: ComparedTable,
    compared: readonly string[],
  ) {
    this.name = name;
    this.#pages = pages;
    this.#columns = compared;
    this.#places = compared.map((column) => columns.indexOf(column));
  }

  /** Goes to the first row of the next page that has any. */
  async load(): Promise<void> {
    do {
      const { value, done } = await this.#pages.next();
      if (done) {
        this.isOpen = false;
        return;
      }
      this.#page = value;
      this.#index = -1;
    } while (!this.step());
  }

  /** Goes to the next row of the page; false at its end. */
  step(): boolean {
    const page = this.#page;
    if (page === undefined || ++this.#index >= page.length) return false;
    this.#read(page, this.#index);
    this.rows++;
    if (this.#orders) this.#check(this.#orders);
    return true;
  }

  #read(page: ComparedPage, index: number): void {
    page.read(index, this.#values);
    const { row } = this;
    for (let at = 0; at < this.#places.length; at++) {
      row[at] = this.#values[this.#places[at]];
    }
    const id = row[0];
    if (isMissing(id)) {
      throw this.error(`there is no ${ID}`);
    }
    this.id = String(id);
  }

  /** Whether the rows of the present page are in that order. */
  isSorted({ column, key }: RowOrder): boolean {
    const page = this.#page;
    const place = this.#columns.indexOf(column);
    if (!this.isOpen || page === undefined) return true;
    if (place < 0) return false;
    let before: number | string | undefined;
    const values: RawValue[] = [];
    for (let index = 0; index < page.length; index++) {
      page.read(index, values);
      const own = key(values[this.#places[place]]);
      if (own === undefined) return false;
      const order = before === undefined ? 1 : compareIds(own, before);
      if (order < 0 || order === 0 && column === ID) return false;
      before = own;
    }
    return true;
  }

  /** Holds the rows to some orders from the present one on. */
  keepTo(orders: Orders): void {
    this.#orders = orders;
    if (this.isOpen) this.#check(orders);
  }

  /** What the present row is sorted by. */
  key(order: RowOrder): number | string {
    return this.#keys.get(order) ?? "";
  }

  #check(orders: Orders): void {
    for (const order of orders.possible) {
      const { column } = order;
      const value = this.row[this.#columns.indexOf(column)];
      const key = order.key(value);
      const before = this.#keys.get(order);
      if (key === undefined) {
        const found = shown(value) ?? "missing";
        orders.drop(
          order,
          this.error(`${column} is ${found}, unlike in the rows before`),
        );
        continue;
      }
      this.#keys.set(order, key);
      const ahead = before === undefined ? 1 : compareIds(key, before);
      if (ahead > 0 || ahead === 0 && column === TIME) continue;
      orders.drop(
        order,
        this.error(
          ahead === 0
            ? `${ID} ${this.id} comes twice`
            : `${column} ${key} comes after ${before}, so the rows are not in ` +
              "its order; sort both by it",
        ),
      );
    }
  }

  /** An error about the present row. */
  error(message: string): DataError {
    const place = this.#page?.place(this.#index);
    return new DataError(`${place}: ${message}`);
  }
}

/** The rows of one time, by their ids. */
export async function rowsOfTime(
  cursor: Cursor,
  key: number | string,
): Promise<Map<string, readonly RawValue[]>> {
  const rows = new Map<string, readonly RawValue[]>();
  while (cursor.isOpen && cursor.key(BY_TIME) === key) {
    const { id } = cursor;
    if (rows.has(id)) throw cursor.error(`${ID} ${id} comes twice`);
    if (rows.size === GROUP_ROWS_MAX) {
      throw cursor.error(
        `more than ${GROUP_ROWS_MAX} rows have the same ${TIME}; sort both by ` +
          ID,
      );
    }
    rows.set(id, [...cursor.row]);
    if (!cursor.step()) await cursor.load();
  }
  return rows;
}
