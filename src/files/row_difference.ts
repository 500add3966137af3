/**
 * What differs between two tables of payments: one pass over both, a row of each
 * at a time, in bounded memory. Rows of one time are paired by TRANSACTION_ID.
 * Where possible orders disagree about which row comes first, both rows wait for
 * their partners, and where the tables have no common order, every row does.
 */
import { ConfigError, DataError } from "../base/error.ts";
import { isMissing, type RawValue } from "../definition/rejection.ts";
import {
  BY_TIME,
  type ComparedTable,
  Cursor,
  ID,
  Orders,
  rowsOfTime,
  TIME,
} from "./compared_rows.ts";
import { distance, shown } from "./value_difference.ts";

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
  /** What both are in the order of; undefined where they have no common order. */
  readonly order: "TRANSACTION_ID" | "TX_DATETIME" | undefined;
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

/** Rows that wait for their partners before one order is taken for granted. */
const HELD_ROWS_MAX = 100_000;

/** Most rows that wait for their partners where there is no common order. */
const UNORDERED_ROWS_MAX = 1_000_000;

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
 * TRANSACTION_ID, with an id twice, or of too many rows in different orders;
 * ConfigError for a wanted column that one of them lacks.
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
    const orders = Orders.of(one, other);
    if (!orders) await holdAll(one, other, tally, options);
    for (let steps = 0; orders && (one.isOpen || other.isOpen); steps++) {
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
      order: orders?.best.column,
    };
  } finally {
    await Promise.all([a.pages.return?.(), b.pages.return?.()]);
  }
}

/** Pairs rows that are in no common order: each waits until its partner comes. */
async function holdAll(
  one: Cursor,
  other: Cursor,
  tally: Tally,
  { onRows }: DifferenceOptions,
): Promise<void> {
  const sides = [["a", one], ["b", other]] as const;
  for (let steps = 0; one.isOpen || other.isOpen; steps++) {
    if (steps % 8192 === 0) onRows?.(one.rows);
    for (const [side, cursor] of sides) {
      if (!cursor.isOpen) continue;
      const { id } = cursor;
      if (tally.isHeld(side, id)) throw cursor.error(`${ID} ${id} comes twice`);
      tally.hold(side, id, cursor.row);
      if (!cursor.step()) await cursor.load();
    }
    if (tally.held <= UNORDERED_ROWS_MAX) continue;
    throw new DataError(
      `${one.name} and ${other.name} are in different orders and have more ` +
        `rows than can wait for their partners; sort both by ${ID}`,
    );
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

/** Pairs the rows of one time by their ids. */
async function pairGroup(
  one: Cursor,
  other: Cursor,
  tally: Tally,
): Promise<void> {
  const key = one.key(BY_TIME);
  const rows = await rowsOfTime(one, key);
  const others = await rowsOfTime(other, key);
  for (const [id, row] of rows) {
    const partner = others.get(id);
    if (partner === undefined) tally.alone("a", id, row);
    else tally.pair(id, row, partner);
    others.delete(id);
  }
  for (const [id, row] of others) tally.alone("b", id, row);
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

  /** Whether a row of that id waits for its partner. */
  isHeld(side: "a" | "b", id: string): boolean {
    return this.#held[side].has(id);
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
