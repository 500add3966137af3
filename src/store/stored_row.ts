/**
 * Checks rows that are read from a store, since other programs may have changed
 * them. In Cassandra, an UPDATE of a missing payment creates a row with one
 * value; a table edited by hand may hold nulls and other texts. Such a row is
 * named by table, TRANSACTION_ID and column.
 */
import { StoreError } from "../base/error.ts";
import {
  DAY_SECONDS,
  emptyPayment,
  PAYMENT_FIELDS,
} from "../payment/payment.ts";
import { CELL, PAYMENT_CELLS, toCells } from "../payment/payment_cells.ts";
import { fillRow } from "../payment/payment_json.ts";
import {
  absentCells,
  HANDBOOK_SHAPE,
  keptFields,
  paymentFields,
  type PaymentShape,
} from "../payment/payment_shape.ts";
import {
  type PredictedDecision,
  UNKNOWN_PLACE,
} from "../payment/prediction.ts";
import type { Field } from "../payment/record_field.ts";
import { TextHeap } from "../payment/text_heap.ts";
import { fillPayment } from "../payment/validation.ts";
import { keptColumnsOf, type OwnColumn } from "./cell_rows.ts";
import { CHECK_PROBLEM, isDamaged, RowCheck, textCheck } from "./row_check.ts";
import {
  type CellTable,
  type Column,
  isPlace,
  isSideSource,
  isSideText,
  type ObjectTable,
  shown,
  type SideSource,
  type TableRows,
} from "./tables.ts";

/** A row from a driver, by column. */
export type StoredRow = Readonly<Record<string, unknown>>;

/** A row that is not as fraudstream wrote it. */
export interface BadRow {
  /** The table, in Cassandra with its keyspace. */
  readonly table: string;
  /** Its transaction_id, as text. */
  readonly transactionId: string;
  /** What is wrong, naming the column. */
  readonly problem: string;
}

/** Handles an unusable row: returns to leave it out, or throws. */
export type BadRowHandler = (row: BadRow) => void;

/** Names a row that cannot be used, in one line. */
export function badRowText({ table, transactionId, problem }: BadRow): string {
  return `${table}, transaction_id ${transactionId}: ${problem}`;
}

/** The handler for callers that need every row: throws StoreError. */
export function refuseBadRow(row: BadRow): never {
  throw new StoreError(
    `${badRowText(row)}; it was damaged, or another program has written ` +
      `or changed it: './fraudstream rebuild' fills the store again from the log`,
  );
}

/** A row of a table that cannot be used. */
function badRow(table: string, row: StoredRow, problem: string): BadRow {
  return { table, transactionId: String(row.transaction_id), problem };
}

const PAYMENT_COLUMNS = PAYMENT_FIELDS.map((field) => field.toLowerCase());

/** Reads rows of a table into cells. */
export class StoredRowReader {
  readonly #place: string;
  /** Columns of a payment that the table lacks. */
  readonly #lacks: ReadonlySet<string>;
  /** The payment's cells that the table has. */
  readonly #cells: readonly number[];
  /** Its other columns. */
  readonly #others: readonly Column<number | SideSource>[];
  readonly #check: RowCheck;
  readonly #values: unknown[] = [];
  readonly #payment = emptyPayment();
  readonly #row: Float64Array;
  /** The form of its payments. */
  readonly shape: PaymentShape;
  /** The columns of kept fields. */
  readonly keptColumns: readonly OwnColumn[];
  /** Of a shape with a definition: the columns of its fields. */
  readonly #fields: readonly OwnField[];
  /** For rows that are read without a heap. */
  readonly #texts = new TextHeap();
  /** Cells of a row. */
  readonly width: number;

  /** Reads rows of a table in the `place` that messages name. */
  constructor(place: string, table: CellTable) {
    this.#place = place;
    this.width = table.width;
    this.#check = new RowCheck(table);
    this.#row = new Float64Array(Math.max(PAYMENT_CELLS, table.width));
    this.shape = table.shape;
    this.keptColumns = keptColumnsOf(table);
    this.#fields = ownFields(table);
    const names = new Set(table.columns.map(({ name }) => name));
    this.#lacks = new Set(PAYMENT_COLUMNS.filter((name) => !names.has(name)));
    const cells = [CELL.datetime as number];
    const others: Column<number | SideSource>[] = [];
    for (const column of table.columns) {
      const { source } = column;
      const isCell = typeof source === "number";
      if (column.isKept) continue;
      if (PAYMENT_COLUMNS.includes(column.name)) {
        if (isCell) cells.push(source);
      } else if (isCell || isSideSource(source)) {
        others.push({ ...column, source });
      }
    }
    this.#cells = table.shape === HANDBOOK_SHAPE
      ? cells
      : [...cells, ...cellsBeside(table)];
    this.#others = others;
  }

  /** Fills row `index`, or says what is wrong with it. */
  read(row: StoredRow, into: TableRows, index: number): BadRow | undefined {
    const problem =
      (this.shape === HANDBOOK_SHAPE
        ? this.#readPayment(row, into, index)
        : this.#readOwn(row, into, index)) ??
        this.#readOthers(row, into, index);
    return problem === undefined
      ? undefined
      : badRow(this.#place, row, problem);
  }

  #readPayment(
    row: StoredRow,
    { cells }: TableRows,
    index: number,
  ): string | undefined {
    const values = this.#values;
    values.length = 0;
    for (const name of PAYMENT_COLUMNS) {
      const value = this.#lacks.has(name) ? lacking(name, row) : row[name];
      if (value === null || value === undefined) return `${name} has no value`;
      values.push(typeof value === "bigint" ? Number(value) : value);
    }
    const defect = fillPayment(values, undefined, this.#payment);
    if (defect) return lowerCaseFields(defect.message);
    toCells(this.#payment, this.#row, 0);
    const at = index * this.width;
    for (const cell of this.#cells) cells[at + cell] = this.#row[cell];
    return undefined;
  }

  /** Reads a payment of a shape with a definition, its kept fields included. */
  #readOwn(
    row: StoredRow,
    into: TableRows,
    index: number,
  ): string | undefined {
    const object: Record<string, unknown> = {};
    for (const { field, column, isKept } of this.#fields) {
      const value = this.#lacks.has(column)
        ? lacking(column, row)
        : row[column];
      const isMissing = value === null || value === undefined;
      if (isMissing && !isKept) return `${column} has no value`;
      object[field.name] = typeof value === "bigint" ? Number(value) : value;
    }
    const own = this.#row;
    const texts = into.texts ?? this.#texts;
    if (!into.texts) texts.clear();
    absentCells(this.shape, own, 0);
    const fields = this.#fields.map(({ field }) => field);
    const defect = fillRow(object, fields, own, 0, texts);
    if (defect) return lowerCaseFields(defect.message);
    const label = this.shape.hasFraud ? undefined : row.tx_fraud ?? undefined;
    if (label !== undefined) {
      if (label !== 0 && label !== 1) {
        return `tx_fraud ${shown(label)} is not 0 or 1`;
      }
      own[CELL.fraud] = label;
    }
    const at = index * this.width;
    for (const cell of this.#cells) into.cells[at + cell] = own[cell];
    return undefined;
  }

  #readOthers(
    row: StoredRow,
    into: TableRows,
    index: number,
  ): string | undefined {
    const { cells } = into;
    const at = index * this.width;
    for (const { name, source, problem } of this.#others) {
      const value = row[name];
      const wrong = problem?.(value, row);
      if (wrong !== undefined) return `${name} ${wrong}`;
      if (typeof source === "number") cells[at + source] = Number(value ?? NaN);
      else if (isSideText(source)) {
        if (!into[source]) continue;
        into[source][index] = typeof value === "string" ? value : null;
      } else if (isPlace(source)) {
        if (!into[source]) continue;
        into[source][index] = Number(value ?? UNKNOWN_PLACE);
      }
    }
    if (into.decisions) into.decisions[index] = decisionIn(row);
    const isGood = !isDamaged(row, this.#check.of(into, index));
    return isGood ? undefined : CHECK_PROBLEM;
  }
}

/** What rules decided, as a row of predictions has it; null where none did. */
function decisionIn(row: StoredRow): PredictedDecision | null {
  const text = (name: string) => {
    const value = row[name];
    return typeof value === "string" ? value : null;
  };
  const decision = text("decision");
  if (decision === null) return null;
  const { threshold } = row;
  return {
    decision,
    rules: text("rules"),
    shadowRules: text("shadow_rules"),
    reasons: text("reasons"),
    rulesVersion: text("rules_version") ?? "",
    listsVersion: text("lists_version"),
    threshold: typeof threshold === "number" ? threshold : null,
  };
}

/** A field and the column that holds it. */
interface OwnField {
  readonly field: Field;
  readonly column: string;
  readonly isKept: boolean;
}

/** The fields of a table's payments, the kept ones where it has them. */
function ownFields({ shape, columns, width }: CellTable): OwnField[] {
  const kept = columns.some(({ isKept }) => isKept)
    ? keptFields(shape, width - shape.kept.length)
    : [];
  return [...paymentFields(shape), ...kept].map((field) => ({
    field,
    column: field.name.toLowerCase(),
    isKept: kept.includes(field),
  }));
}

/** The cells of kept fields, and those of a payment for which there is no column. */
function cellsBeside({ columns }: CellTable): number[] {
  const taken = columns.map(({ source }) => source);
  const free = Object.values(CELL).filter((cell) => !taken.includes(cell));
  const kept = columns.flatMap(({ isKept, source }) =>
    isKept && typeof source === "number" ? [source] : []
  );
  return [...free, ...kept];
}

/** The value of a column that a table lacks. */
function lacking(name: string, row: StoredRow): number {
  return name === "tx_time_days"
    ? Math.floor(Number(row.tx_time_seconds) / DAY_SECONDS)
    : 0;
}

const FIELD = new RegExp(`\\b(${PAYMENT_FIELDS.join("|")})\\b`, "g");

/** The fields in a message as columns are named. */
function lowerCaseFields(message: string): string {
  return message.replaceAll(FIELD, (field) => field.toLowerCase());
}

/** An object as the values of columns, in their order. */
export function objectValues<T>(
  columns: readonly Column<keyof T | "check">[],
  object: T,
  check: number | null = null,
): (number | string | null)[] {
  return columns.map(({ source }) =>
    source === "check" ? check : scalar(object[source as keyof T])
  );
}

/** A value of an object in the form that a store takes. */
function scalar(value: unknown): number | string | null {
  return typeof value === "number" || typeof value === "string" ? value : null;
}

/** The checksum of an object's row. A column that was added at the end, and is empty in older rows, does not change their checksums. */
export function objectCheck<T>(table: ObjectTable<T>, object: T): number {
  const values = objectValues(table.columns, object);
  while (values.at(-1) === null) values.pop();
  return textCheck(values);
}

/** The object in a row of a table, or what is wrong with the row. */
type ReadObject<T> =
  | { readonly object: T; readonly bad?: undefined }
  | { readonly bad: BadRow };

function readObject<T>(table: ObjectTable<T>, row: StoredRow): ReadObject<T> {
  const object: Record<PropertyKey, unknown> = {};
  for (const { name, type, source, nullable, problem } of table.columns) {
    const value = row[name] ?? undefined;
    const wrong = problem?.(row[name], row);
    if (wrong !== undefined) {
      return { bad: badRow(table.name, row, `${name} ${wrong}`) };
    }
    if (nullable && value === undefined) object[source] = undefined;
    else object[source] = type === "text" ? String(value ?? "") : Number(value);
  }
  return { object: object as T };
}

/** The object in a row of a table. Throws StoreError if another program has made it unusable. */
export function objectOf<T>(table: ObjectTable<T>, row: StoredRow): T {
  const read = readObject(table, row);
  return read.bad ? refuseBadRow(read.bad) : read.object;
}

/** The object in a row whose checksum, if it has one, is right; otherwise throws what `damaged` throws. */
export function checkedObjectOf<T>(
  table: ObjectTable<T>,
  row: StoredRow,
  damaged: (object: T) => never = () =>
    refuseBadRow(badRow(table.name, row, CHECK_PROBLEM)),
): T {
  const object = objectOf(table, row);
  return isDamaged(row, objectCheck(table, object)) ? damaged(object) : object;
}

/** The objects in rows of a table; those that are not as they were written go to `onBadRow`. */
export function soundObjects<T>(
  table: ObjectTable<T>,
  rows: readonly StoredRow[],
  onBadRow: (bad: BadRow, row: StoredRow) => void,
): T[] {
  return rows.flatMap((row) => {
    const read = readObject(table, row);
    if (read.bad) onBadRow(read.bad, row);
    else if (!isDamaged(row, objectCheck(table, read.object))) {
      return [read.object];
    } else onBadRow(badRow(table.name, row, CHECK_PROBLEM), row);
    return [];
  });
}
