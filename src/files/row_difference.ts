/**
 * What differs between two tables of payments that are in the same order: one
 * pass over both, a row of each at a time, in bounded memory. The order is that
 * of TRANSACTION_ID, or that of TX_DATETIME, where rows of one time are paired by
 * TRANSACTION_ID. Which one it is follows from the rows: an order is possible
 * until a row breaks it, and where possible orders disagree about which row comes
 * first, both rows wait for their partners. If no order is left, that is an error.
 *
 * Values are compared by what they say, since formats write them differently:
 * 1, "1.0" and true are the same, so are a date and its text, and null and the
 * empty text.
 */
import { ConfigError, DataError } from "../base/error.ts";
import { isMissing, type RawValue } from "../definition/rejection.ts";
import { compareIds } from "../payment/text_heap.ts";

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

/** What a column of a table of payments is about. */
export type ColumnPart =
  | "payments"
  | "labels"
  | "features"
  | "scores"
  | "decisions"
  | "reasons"
  | "versions";

/** All of them, in the order of reports. */
export const COLUMN_PARTS: readonly ColumnPart[] = [
  "payments",
  "labels",
  "features",
  "scores",
  "decisions",
  "reasons",
  "versions",
];

/** How one column differs. */
export interface ColumnDifference {
  /** Its name. */
  readonly column: string;
  /** What it is about. */
  readonly part: ColumnPart;
  /** Rows whose values differ. */
  readonly rows: number;
  /** Those of them where only one side has a value. */
  readonly missing: number;
  /** Greatest absolute difference; undefined where no two numbers differ. */
  readonly greatest: number | undefined;
  /** The first such row, with both values as they are read. */
  readonly first: {
    readonly transactionId: string;
    readonly a: string | null;
    readonly b: string | null;
  };
}

/** Rows of one side that the other does not have; the first is that found first. */
export interface LoneRows {
  /** How many. */
  readonly rows: number;
  /** TRANSACTION_ID of the first; undefined if there are none. */
  readonly first: string | undefined;
}

/** What differs between two tables. */
export interface RowDifference {
  /** Rows of each side, and those that both have. */
  readonly rows: {
    readonly a: number;
    readonly b: number;
    readonly both: number;
  };
  /** Rows that only one side has. */
  readonly onlyA: LoneRows;
  /** The same of the other side. */
  readonly onlyB: LoneRows;
  /** Columns that only one side has, which are not compared; none where the columns were chosen. */
  readonly columnsOnlyA: readonly string[];
  /** The same of the other side. */
  readonly columnsOnlyB: readonly string[];
  /** Number of columns that were compared. */
  readonly compared: number;
  /** The columns that differ. */
  readonly columns: readonly ColumnDifference[];
  /** Of each part, the rows in which some column of it differs. */
  readonly parts: Readonly<Record<ColumnPart, number>>;
  /** What both are in the order of. */
  readonly order: "TRANSACTION_ID" | "TX_DATETIME";
}

/** How tables are compared. */
export interface DifferenceOptions {
  /** Numbers that are no further apart than this are the same. */
  readonly tolerance: number;
  /** The columns that are compared; all that both have by default. */
  readonly columns?: readonly string[] | undefined;
  /** Called now and then with the number of rows of the first table that were read. */
  readonly onRows?: (rows: number) => void;
}

const ID = "TRANSACTION_ID";
const TIME = "TX_DATETIME";

/** Rows that wait for their partners before one order is taken for granted. */
const HELD_ROWS_MAX = 100_000;

/** Most rows of one time that are paired. */
const GROUP_ROWS_MAX = 1_000_000;

const PARTS: Readonly<Record<string, ColumnPart>> = {
  TX_DATETIME: "payments",
  CUSTOMER_ID: "payments",
  TERMINAL_ID: "payments",
  TX_AMOUNT: "payments",
  TX_TIME_SECONDS: "payments",
  TX_TIME_DAYS: "payments",
  TX_FRAUD: "labels",
  TX_FRAUD_SCENARIO: "labels",
  SCORE: "scores",
  SHADOW_SCORES: "scores",
  ALERT: "decisions",
  DECISION: "decisions",
  CONTRIBUTIONS: "reasons",
  RULES: "reasons",
  SHADOW_RULES: "reasons",
  REASONS: "reasons",
  MODEL_VERSION: "versions",
  RULES_VERSION: "versions",
  LISTS_VERSION: "versions",
  THRESHOLD: "versions",
};

/**
 * Compares two tables. Throws DataError where they cannot be paired: without
 * TRANSACTION_ID, in different or no order, or with an id twice; ConfigError
 * for a wanted column that one of them lacks.
 */
export async function compareRows(
  a: ComparedTable,
  b: ComparedTable,
  options: DifferenceOptions,
): Promise<RowDifference> {
  const columns = comparedColumns(a, b, options.columns);
  const compared = columns.map((column) =>
    column !== ID && (options.columns?.includes(column) ?? true)
  );
  const tally = new Tally(columns, compared, options.tolerance);
  const one = new Cursor(a, columns);
  const other = new Cursor(b, columns);
  try {
    await Promise.all([one.load(), other.load()]);
    const orders = new Orders(one, other);
    for (let steps = 0; one.isOpen || other.isOpen; steps++) {
      if (steps % 8192 === 0) options.onRows?.(one.rows);
      const first = orders.first(one, other);
      if (first === undefined) {
        tally.hold("a", one.id, one.row);
        tally.hold("b", other.id, other.row);
        if (tally.held > HELD_ROWS_MAX) orders.settle();
        if (!one.step()) await one.load();
        if (!other.step()) await other.load();
      } else if (first < 0) {
        tally.alone("a", one.id, one.row);
        if (!one.step()) await one.load();
      } else if (first > 0) {
        tally.alone("b", other.id, other.row);
        if (!other.step()) await other.load();
      } else if (orders.best === BY_TIME) await pairGroup(one, other, tally);
      else {
        tally.pair(one.id, one.row, other.row);
        if (!one.step()) await one.load();
        if (!other.step()) await other.load();
      }
    }
    return {
      ...tally.result(),
      rows: { a: one.rows, b: other.rows, both: tally.both },
      ...options.columns ? { columnsOnlyA: [], columnsOnlyB: [] } : {
        columnsOnlyA: without(a.columns, b.columns),
        columnsOnlyB: without(b.columns, a.columns),
      },
      order: orders.best.column,
    };
  } finally {
    await Promise.all([a.pages.return?.(), b.pages.return?.()]);
  }
}

/** Whether anything was found. */
export function differs(difference: RowDifference): boolean {
  const { onlyA, onlyB, columns, columnsOnlyA, columnsOnlyB } = difference;
  return onlyA.rows + onlyB.rows + columns.length + columnsOnlyA.length +
      columnsOnlyB.length > 0;
}

function without(
  columns: readonly string[],
  others: readonly string[],
): string[] {
  return columns.filter((column) => !others.includes(column));
}

/** The columns that are read of both, the id first. */
function comparedColumns(
  a: ComparedTable,
  b: ComparedTable,
  wanted: readonly string[] | undefined,
): string[] {
  for (const { columns, name } of [a, b]) {
    if (!columns.includes(ID)) {
      throw new DataError(
        `${name} has no column ${ID}, by which rows are paired; it has ` +
          columns.join(", "),
      );
    }
    const lacking = wanted?.find((column) => !columns.includes(column));
    if (lacking === undefined) continue;
    throw new ConfigError(
      `${name} has no column ${lacking}; it has ${columns.join(", ")}`,
    );
  }
  const both = a.columns.filter((column) => b.columns.includes(column));
  const chosen = wanted ?? both;
  return [
    ID,
    ...both.filter((column) =>
      column !== ID && (column === TIME || chosen.includes(column))
    ),
  ];
}

/** An order of rows: by numbers, by texts, or by times. */
interface RowOrder {
  readonly column: typeof ID | typeof TIME;
  /** What a row is sorted by; undefined if its value does not fit. */
  readonly key: (value: RawValue) => number | string | undefined;
}

const BY_NUMBER: RowOrder = { column: ID, key: wholeNumber };
const BY_TEXT: RowOrder = {
  column: ID,
  key: (value) => isMissing(value) ? undefined : String(value),
};
const BY_TIME: RowOrder = { column: TIME, key: momentText };

const ALL_ORDERS = [BY_NUMBER, BY_TEXT, BY_TIME];

/** The orders that the rows of both sides may have. */
class Orders {
  #possible: readonly RowOrder[];

  /** Those that the first rows have. Throws DataError if there is none. */
  constructor(one: Cursor, other: Cursor) {
    const sides = [one, other];
    this.#possible = ALL_ORDERS.filter((order) =>
      sides.every((cursor) => cursor.isSorted(order))
    );
    if (this.#possible.length === 0) {
      const unsorted = sides.find((cursor) =>
        !ALL_ORDERS.some((order) => cursor.isSorted(order))
      );
      throw new DataError(
        (unsorted === undefined
          ? `${one.name} and ${other.name} are in different orders`
          : `${unsorted.name} is in order of neither ${ID} nor ${TIME}`) +
          "; sort both by TRANSACTION_ID, or write both by the same command, " +
          "features with --with=payment",
      );
    }
    for (const cursor of sides) cursor.keepTo(this);
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

/** Pairs the rows of one time by their ids. */
async function pairGroup(
  one: Cursor,
  other: Cursor,
  tally: Tally,
): Promise<void> {
  const key = one.key(BY_TIME);
  const rows = await group(one, key);
  const others = await group(other, key);
  for (const [id, row] of rows) {
    const partner = others.get(id);
    if (partner === undefined) tally.alone("a", id, row);
    else tally.pair(id, row, partner);
    others.delete(id);
  }
  for (const [id, row] of others) tally.alone("b", id, row);
}

/** The rows of one time, by their ids. */
async function group(
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

/** The rows of a table, one at a time. */
class Cursor {
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

/** Rows that only one side has. */
class Lone {
  rows = 0;
  first: string | undefined;

  add(id: string): void {
    this.rows++;
    this.first ??= id;
  }
}

/** Counts differences. */
class Tally {
  readonly #alone = { a: new Lone(), b: new Lone() };
  readonly #held = {
    a: new Map<string, readonly RawValue[]>(),
    b: new Map<string, readonly RawValue[]>(),
  };
  both = 0;
  readonly #columns: readonly string[];
  readonly #parts: readonly ColumnPart[];
  readonly #tolerance: number;
  /** Places of the columns that are compared. */
  readonly #places: readonly number[];
  readonly #found: (Mutable<ColumnDifference> | undefined)[] = [];
  readonly #rows: Record<ColumnPart, number>;

  constructor(
    columns: readonly string[],
    isCompared: readonly boolean[],
    tolerance: number,
  ) {
    this.#columns = columns;
    this.#places = [...columns.keys()].filter((at) => isCompared[at]);
    this.#parts = columns.map((column) => PARTS[column] ?? "features");
    this.#tolerance = tolerance;
    this.#rows = Object.fromEntries(
      COLUMN_PARTS.map((part) => [part, 0]),
    ) as Record<ColumnPart, number>;
  }

  /** Rows that wait for their partners. */
  get held(): number {
    return this.#held.a.size + this.#held.b.size;
  }

  /** Lets a row of one side wait for its partner, unless that waits already. */
  hold(side: "a" | "b", id: string, row: readonly RawValue[]): void {
    if (!this.#meet(side, id, row)) this.#held[side].set(id, [...row]);
  }

  /** Takes a row that only its side has, unless its partner waits. */
  alone(side: "a" | "b", id: string, row: readonly RawValue[]): void {
    if (!this.#meet(side, id, row)) this.#alone[side].add(id);
  }

  #meet(side: "a" | "b", id: string, row: readonly RawValue[]): boolean {
    if (this.held === 0) return false;
    const others = this.#held[side === "a" ? "b" : "a"];
    const partner = others.get(id);
    if (partner === undefined) return false;
    others.delete(id);
    if (side === "a") this.pair(id, row, partner);
    else this.pair(id, partner, row);
    return true;
  }

  /** Compares two rows of one payment. */
  pair(id: string, a: readonly RawValue[], b: readonly RawValue[]): void {
    this.both++;
    let differing: Set<ColumnPart> | undefined;
    for (const at of this.#places) {
      if (a[at] === b[at]) continue;
      const apart = distance(a[at], b[at]);
      if (apart <= this.#tolerance) continue;
      this.#add(at, id, apart, a[at], b[at]);
      differing ??= new Set();
      differing.add(this.#parts[at]);
    }
    if (differing) { for (const part of differing) this.#rows[part]++; }
  }

  #add(
    at: number,
    transactionId: string,
    apart: number,
    a: RawValue,
    b: RawValue,
  ): void {
    const found = this.#found[at] ??= {
      column: this.#columns[at],
      part: this.#parts[at],
      rows: 0,
      missing: 0,
      greatest: undefined,
      first: { transactionId, a: shown(a), b: shown(b) },
    };
    found.rows++;
    if (isMissing(a) || isMissing(b)) found.missing++;
    if (apart < Infinity) {
      found.greatest = Math.max(found.greatest ?? 0, apart);
    }
  }

  result(): Pick<
    RowDifference,
    "onlyA" | "onlyB" | "compared" | "columns" | "parts"
  > {
    for (const side of ["a", "b"] as const) {
      for (const id of this.#held[side].keys()) this.#alone[side].add(id);
      this.#held[side].clear();
    }
    const { a, b } = this.#alone;
    return {
      onlyA: { rows: a.rows, first: a.first },
      onlyB: { rows: b.rows, first: b.first },
      compared: this.#places.length,
      columns: this.#found.filter((found) => found !== undefined),
      parts: this.#rows,
    };
  }
}

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** How far values are apart: 0 if they say the same, Infinity if they are no numbers that differ. */
function distance(a: RawValue, b: RawValue): number {
  if (isMissing(a) || isMissing(b)) {
    return isMissing(a) && isMissing(b) ? 0 : Infinity;
  }
  const one = numberOf(a);
  const other = numberOf(b);
  if (!Number.isNaN(one) && !Number.isNaN(other)) {
    const apart = Math.abs(one - other);
    // Digits beyond those of a double: two whole numbers that round to one.
    return apart === 0 && hasManyDigits(a) && hasManyDigits(b) &&
        String(a) !== String(b)
      ? Infinity
      : apart;
  }
  return textOf(a) === textOf(b) ? 0 : Infinity;
}

const NUMBER = /^-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;

/** The number that a value is; NaN if it is none. */
function numberOf(value: RawValue): number {
  switch (typeof value) {
    case "number":
      return value;
    case "bigint":
    case "boolean":
      return Number(value);
    case "string":
      return NUMBER.test(value) ? Number(value) : NaN;
    default:
      return NaN;
  }
}

function hasManyDigits(value: RawValue): boolean {
  return typeof value === "bigint" ||
    typeof value === "string" && /^-?\d{16,}$/.test(value);
}

/** A whole number up to 2^53 − 1; undefined for anything else. */
function wholeNumber(value: RawValue): number | undefined {
  const number = numberOf(value);
  return Number.isSafeInteger(number) ? number : undefined;
}

/** A time in one form; undefined for what is none. */
function momentText(value: RawValue): string | undefined {
  if (value instanceof Date) {
    return withoutZeros(value.toISOString().slice(0, -1));
  }
  if (typeof value !== "string") return undefined;
  const [, day, time] =
    /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d(?:\.\d+)?)Z?$/.exec(value) ?? [];
  return day && `${day}T${withoutZeros(time)}`;
}

/** A time without the last zeros of its fraction. */
function withoutZeros(time: string): string {
  return time.includes(".") ? time.replace(/\.?0+$/, "") : time;
}

/** What a value that is no number says. */
function textOf(value: RawValue): string {
  if (value instanceof Date) return momentText(value) ?? "";
  if (typeof value === "object") return JSON.stringify(value);
  return momentText(value) ?? String(value);
}

/** A value for people; null where there is none. */
function shown(value: RawValue): string | null {
  if (isMissing(value)) return null;
  if (value instanceof Date) return value.toISOString();
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
