/**
 * The files of a data set: customers, terminals and one file of payments per
 * day, with the columns of the canonical form. What is written here is what
 * DayReader reads.
 */
import { join } from "node:path";
import { formatDatetime } from "../payment/calendar.ts";
import {
  type Customer,
  DAY_SECONDS,
  INT_MAX,
  type PaymentTable,
  type Terminal,
} from "../payment/payment.ts";
import {
  CUSTOMER_RECORD,
  type ProfileField,
  TERMINAL_RECORD,
} from "../payment/profile_json.ts";
import { type Field, PAYMENT_RECORD } from "../payment/record_field.ts";
import { fileError } from "../base/file_error.ts";
import type {
  ColumnKind,
  ColumnValues,
  TableColumn,
  TableFormat,
} from "./table_encoder.ts";
import { TableWriter } from "./table_writer.ts";

/** Columns of a file of payments. */
export const PAYMENT_COLUMNS: readonly TableColumn[] = PAYMENT_RECORD
  .map((field) => ({ name: field.name, kind: columnKind(field) }));

function columnKind({ kind, max }: Field): ColumnKind {
  if (kind === "datetime") return "text";
  if (kind === "amount" || kind === "number") return "double";
  return max > INT_MAX ? "int64" : "int32";
}

/** File that stands in a folder until its data set is complete. */
export const UNFINISHED_MARK = "generate.unfinished";

/** Names of a data set's own files, complete or partial; what --force may remove. */
export const DATA_SET_FILE =
  /^(customers|terminals|\d{4}-\d{2}-\d{2})\.(csv|jsonl|parquet)(\.partial)?$/;

/** Marks a folder as one whose data set is not complete. Throws DataError. */
export async function markUnfinished(folder: string): Promise<void> {
  const path = join(folder, UNFINISHED_MARK);
  try {
    await Deno.writeTextFile(
      path,
      "The data set in this folder is being written, or was left unfinished.\n",
    );
  } catch (error) {
    throw fileError(error, "write", path);
  }
}

/** Takes the mark away: the data set is complete. Throws DataError. */
export async function markFinished(folder: string): Promise<void> {
  const path = join(folder, UNFINISHED_MARK);
  try {
    await Deno.remove(path);
  } catch (error) {
    throw fileError(error, "remove", path);
  }
}

/** Writes customers.* into a folder. Throws DataError. */
export async function writeCustomers(
  folder: string,
  format: TableFormat,
  customers: readonly Customer[],
): Promise<void> {
  await writeProfiles(folder, "customers", format, customers, CUSTOMER_RECORD);
}

/** Writes terminals.* into a folder. Throws DataError. */
export async function writeTerminals(
  folder: string,
  format: TableFormat,
  terminals: readonly Terminal[],
): Promise<void> {
  await writeProfiles(folder, "terminals", format, terminals, TERMINAL_RECORD);
}

/** Writes profiles; the first field is the id. */
async function writeProfiles<Profile>(
  folder: string,
  name: string,
  format: TableFormat,
  profiles: readonly Profile[],
  record: readonly ProfileField<Profile>[],
): Promise<void> {
  const columns = record.map(({ name }, at): TableColumn => ({
    name,
    kind: at === 0 ? "int32" : "double",
  }));
  const values = record.map(({ key }) =>
    profiles.map((profile) => Number(profile[key]))
  );
  await writeWhole(folder, name, format, columns, values, profiles.length);
}

/**
 * Writes one day's payments as `name`.* into a folder; `startSeconds` is the
 * stream's first midnight in seconds since 1970. Throws DataError.
 */
export async function writeDay(
  folder: string,
  name: string,
  format: TableFormat,
  table: PaymentTable,
  startSeconds: number,
): Promise<void> {
  const values = transactionValues(table, startSeconds);
  await writeWhole(
    folder,
    name,
    format,
    PAYMENT_COLUMNS,
    values,
    table.length,
  );
}

/** The columns of a file of payments, from a table whose stream began at `startSeconds`. */
export function transactionValues(
  table: PaymentTable,
  startSeconds: number,
): ColumnValues[] {
  const { length, firstId, timeSeconds, scenario } = table;
  const rows = { length };
  return [
    Float64Array.from(rows, (_, row) => firstId + row),
    Array.from(rows, (_, row) => {
      return formatDatetime(startSeconds + timeSeconds[row]);
    }),
    table.customerId,
    table.terminalId,
    table.amount,
    timeSeconds,
    timeSeconds.map((seconds) => Math.floor(seconds / DAY_SECONDS)),
    scenario.map((number) => number === 0 ? 0 : 1),
    scenario,
  ];
}

async function writeWhole(
  folder: string,
  name: string,
  format: TableFormat,
  columns: readonly TableColumn[],
  values: readonly ColumnValues[],
  length: number,
): Promise<void> {
  const path = join(folder, `${name}.${format}`);
  await using writer = await TableWriter.open(path, format, columns);
  await writer.write(values, length);
  await writer.close();
}
