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

/** What a file's column of a field holds. */
export function columnKind({ kind, max }: Field): ColumnKind {
  if (kind === "datetime" || kind === "keptTime") return "timestamp";
  if (kind === "text" || kind === "keptText") return "text";
  if (kind === "amount" || kind === "number" || kind === "signed") {
    return "double";
  }
  if (kind === "keptNumber" && max > 1) return "double";
  return max > INT_MAX ? "int64" : "int32";
}

/** File that stands in a folder until its data set is complete. */
export const UNFINISHED_MARK = "generate.unfinished";

/**
 * Folder in that of a Parquet data set with customers.parquet and
 * terminals.parquet. Programs that read a folder of Parquet files as one table
 * pass by names that begin with "_", and patterns such as *.parquet do not look
 * into folders: both find payments and nothing else.
 */
export const PROFILES_FOLDER = "_profiles";

/** The files that an import writes beside the day files. */
export const IMPORT_FILES = {
  /** What the folder holds. */
  manifest: "import.json",
  /** The definition that the payments were mapped by. */
  definition: "definition.yaml",
  /** The rows that are no payments. */
  rejects: "rejects.csv",
} as const;

/** Names of a data set's own files, complete or partial; what --force may remove. */
const DATA_SET_FILE =
  /^(customers|terminals|\d{4}-\d{2}-\d{2})\.(csv|jsonl|parquet)(\.partial)?$/;

const IMPORT_NAMES: readonly string[] = Object.values(IMPORT_FILES);

/** Removes an earlier data set's files from a folder, and no others. Throws DataError. */
export async function removeDataSet(folder: string): Promise<void> {
  const names = await listFolder(folder);
  for (const name of names) {
    const isOurs = DATA_SET_FILE.test(name) ||
      IMPORT_NAMES.includes(name.replace(/\.partial$/, ""));
    if (isOurs) await remove(join(folder, name));
  }
  if (!names.includes(PROFILES_FOLDER)) return;
  const profiles = join(folder, PROFILES_FOLDER);
  await removeDataSet(profiles);
  if ((await listFolder(profiles)).length === 0) await remove(profiles);
}

async function remove(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    throw fileError(error, "remove", path);
  }
}

/** Names in a folder; none if it does not exist. Throws DataError. */
export async function listFolder(folder: string): Promise<string[]> {
  try {
    const entries = await Array.fromAsync(Deno.readDir(folder));
    return entries.map((entry) => entry.name);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    throw fileError(error, "list", folder);
  }
}

/** Makes a folder where it is missing. Throws DataError. */
export async function makeFolder(folder: string): Promise<void> {
  try {
    await Deno.mkdir(folder, { recursive: true });
  } catch (error) {
    throw fileError(error, "make", folder);
  }
}

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
  await remove(join(folder, UNFINISHED_MARK));
}

/** Writes customers.* into a folder; Parquet into PROFILES_FOLDER. Throws DataError. */
export async function writeCustomers(
  folder: string,
  format: TableFormat,
  customers: readonly Customer[],
): Promise<void> {
  await writeProfiles(folder, "customers", format, customers, CUSTOMER_RECORD);
}

/** Writes terminals.* into a folder; Parquet into PROFILES_FOLDER. Throws DataError. */
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
  const place = format === "parquet" ? join(folder, PROFILES_FOLDER) : folder;
  if (place !== folder) await makeFolder(place);
  await writeWhole(place, name, format, columns, values, profiles.length);
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
  // JSON lines are the records of the stream.
  const columns = format === "jsonl" ? RECORD_COLUMNS : PAYMENT_COLUMNS;
  const times = Float64Array.from(
    table.timeSeconds,
    (seconds) => startSeconds + seconds,
  );
  const values = transactionValues(
    table,
    format === "jsonl" ? Array.from(times, formatDatetime) : times,
  );
  await writeWhole(folder, name, format, columns, values, table.length);
}

/** The columns of JSON lines, which are the records of the stream: TX_DATETIME as text. */
const RECORD_COLUMNS = PAYMENT_COLUMNS.map((column) =>
  column.kind === "timestamp" ? { ...column, kind: "text" as const } : column
);

/** The columns of a file of payments, from a table and its TX_DATETIMEs. */
function transactionValues(
  table: PaymentTable,
  datetimes: ColumnValues,
): ColumnValues[] {
  const { length, firstId, timeSeconds, scenario } = table;
  return [
    Float64Array.from({ length }, (_, row) => firstId + row),
    datetimes,
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
