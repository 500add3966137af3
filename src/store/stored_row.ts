/**
 * Rows of a store as they are read back: checked, since others may have
 * touched them. An UPDATE of a payment that is not there makes a row with one
 * value in Cassandra; a table that was edited by hand holds nulls and odd
 * texts. Such a row is named by table, TRANSACTION_ID and column.
 */
import { StoreError } from "../base/error.ts";
import { isFeature } from "../features/feature_row.ts";
import { PAYMENT_CELLS, toCells } from "../payment/payment_cells.ts";
import {
  featureNames,
  type FeatureParameters,
  wholeFeatures,
} from "../features/parameters.ts";
import {
  DAY_SECONDS,
  emptyPayment,
  type Payment,
  PAYMENT_FIELDS,
} from "../payment/payment.ts";
import { CellCheck, CHECK_PROBLEM, isDamaged } from "./row_check.ts";
import { fillPayment } from "../payment/validation.ts";

/** A row as a driver gives it, by column. */
export type StoredRow = Readonly<Record<string, unknown>>;

/** A row that fraudstream has not written as it stands. */
export interface BadRow {
  /** The table, in Cassandra with its keyspace. */
  readonly table: string;
  /** Its transaction_id, as text. */
  readonly transactionId: string;
  /** What is wrong, naming the column. */
  readonly problem: string;
}

/** Told of a row that cannot be used: returns to have it left out, or throws. */
export type BadRowHandler = (row: BadRow) => void;

/** Names a row that cannot be used, in one line. */
export function badRowText({ table, transactionId, problem }: BadRow): string {
  return `${table}, transaction_id ${transactionId}: ${problem}`;
}

/** The handler of those who need every row: throws StoreError. */
export function refuseBadRow(row: BadRow): never {
  throw new StoreError(
    `${badRowText(row)}; it was damaged, or another program has written ` +
      `or changed it: 'fraudstream rebuild' fills the store again from the log`,
  );
}

const PAYMENT_COLUMNS = PAYMENT_FIELDS.map((field) => field.toLowerCase());

/** Reads payments with their features. */
export class StoredRowReader {
  readonly #table: string;
  readonly #payments: StoredPaymentReader;
  readonly #names: readonly string[];
  readonly #whole: readonly boolean[];
  readonly #row = emptyPayment();
  readonly #check: CellCheck;
  /** Cells of a row. */
  readonly width: number;

  /** Reads rows of a table; its name is for messages. */
  constructor(table: string, features: FeatureParameters) {
    this.#table = table;
    this.#payments = new StoredPaymentReader(table);
    this.#names = featureNames(features).map((name) => name.toLowerCase());
    this.#whole = wholeFeatures(features);
    this.width = PAYMENT_CELLS + this.#names.length;
    this.#check = new CellCheck(this.width);
  }

  /** Fills cells `at` …, or says what is wrong with the row. */
  read(row: StoredRow, cells: Float64Array, at: number): BadRow | undefined {
    const bad = this.#payments.read(row, this.#row);
    if (bad) return bad;
    toCells(this.#row, cells, at);
    for (const [i, name] of this.#names.entries()) {
      const value = row[name];
      if (typeof value !== "number" || !isFeature(value, this.#whole[i])) {
        const problem = value === null || value === undefined
          ? `${name} has no value`
          : `${name} ${shown(value)} is not a value of this feature`;
        return badRow(this.#table, row, problem);
      }
      cells[at + PAYMENT_CELLS + i] = value;
    }
    if (isDamaged(row, this.#check.of(cells, at))) {
      return badRow(this.#table, row, CHECK_PROBLEM);
    }
    return undefined;
  }
}

/** Reads payments without features. */
export class StoredPaymentReader {
  readonly #table: string;
  readonly #lacks: ReadonlySet<string>;
  readonly #values: unknown[] = [];

  /** Reads rows of a table, its name for messages, that lacks some columns of a payment: the day, which is derived, or what is 0 then. */
  constructor(table: string, lacks: readonly string[] = []) {
    this.#table = table;
    this.#lacks = new Set(lacks);
  }

  /** Fills `into`, or says what is wrong with the row. */
  read(row: StoredRow, into: Payment): BadRow | undefined {
    const values = this.#values;
    values.length = 0;
    for (const name of PAYMENT_COLUMNS) {
      const value = this.#lacks.has(name) ? lacking(name, row) : row[name];
      if (value === null || value === undefined) {
        return badRow(this.#table, row, `${name} has no value`);
      }
      values.push(typeof value === "bigint" ? Number(value) : value);
    }
    const defect = fillPayment(values, undefined, into);
    if (!defect) return undefined;
    return badRow(this.#table, row, lowerCaseFields(defect.message));
  }
}

/** The value of a column that a table lacks. */
function lacking(name: string, row: StoredRow): number {
  return name === "tx_time_days"
    ? Math.floor(Number(row.tx_time_seconds) / DAY_SECONDS)
    : 0;
}

/** A row of a table that cannot be used. */
export function badRow(table: string, row: StoredRow, problem: string): BadRow {
  return { table, transactionId: String(row.transaction_id), problem };
}

/** A value from a store as one line shows it. */
export function shown(value: unknown): string {
  return typeof value === "string"
    ? JSON.stringify(value.slice(0, 60))
    : String(value);
}

const FIELD = new RegExp(`\\b(${PAYMENT_FIELDS.join("|")})\\b`, "g");

/** The fields in a message as columns are named. */
function lowerCaseFields(message: string): string {
  return message.replaceAll(FIELD, (field) => field.toLowerCase());
}
