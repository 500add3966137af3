/**
 * Other people's payments to a folder of day files: rows are mapped by a
 * definition, sorted by time in bounded memory and written with the handbook's
 * names, then the kept fields, then those that the definition does not name.
 * Payments of the same second keep the order of the input. Rows that are no
 * payments go to a separate file, each with the reason.
 */
import { join } from "node:path";
import { DataError } from "../base/error.ts";
import { digitsOf, parseExactly } from "../base/exact_json.ts";
import { nextTurn } from "../base/unless_stopped.ts";
import type { KeptValue } from "../definition/payment_mapper.ts";
import type { RawValue } from "../definition/rejection.ts";
import type {
  IdMapping,
  KeptType,
  RowNumber,
  StreamDefinition,
} from "../definition/stream_definition.ts";
import { DatetimeFormatter, formatDate } from "../payment/calendar.ts";
import { DAY_SECONDS } from "../payment/payment.ts";
import { IMPORT_FILES } from "./data_set.ts";
import type { DaySource } from "./day_source.ts";
import {
  type RejectedRow,
  SORTED,
  SortedPayments,
  type SortedRow,
} from "./sorted_payments.ts";
import type { ColumnKind, TableColumn, TableFormat } from "./table_encoder.ts";
import { TableWriter } from "./table_writer.ts";

/** What is imported, and where to. */
export interface ImportChoice {
  /** The inputs, in their order. */
  readonly sources: readonly DaySource[];
  /** How rows become payments. */
  readonly definition: StreamDefinition;
  /** Key of the pseudonyms, where the definition has any. */
  readonly hmacKey: Uint8Array | undefined;
  /** Folder of the day files; it must exist. */
  readonly folder: string;
  /** Form of the day files. */
  readonly format: TableFormat;
  /** Midnight of the first day, seconds since 1970; that of the first payment if undefined. */
  readonly startSeconds: number | undefined;
  /** Bytes of payments that are sorted in memory. */
  readonly memoryBytes?: number;
  /** Ends the import by throwing its reason. */
  readonly signal: AbortSignal;
  /** Called from time to time with the rows read, then with the payments written. */
  readonly onProgress?: (step: "reading" | "writing", rows: number) => void;
}

/** What came of an import. */
export interface ImportOutcome {
  /** Rows read. */
  readonly rows: number;
  /** Payments written. */
  readonly payments: number;
  /** Frauds among them. */
  readonly frauds: number;
  /** Rows rejected, by reason. */
  readonly rejected: ReadonlyMap<string, number>;
  /** Midnight of the first day, seconds since 1970. */
  readonly startSeconds: number;
  /** The columns of the day files. */
  readonly columns: readonly string[];
  /** The day files, with the number of their payments. */
  readonly files: readonly {
    readonly name: string;
    readonly payments: number;
  }[];
}

/** Rows written at once. */
const WRITTEN_ROWS = 4096;

/** Rejected rows that are written at once. */
const REJECTS_ROWS = 256;

/**
 * Imports payments. Throws DataError where the input cannot be read, no row is
 * a payment, or the payments span more than 68 years.
 */
export async function importPayments(
  choice: ImportChoice,
): Promise<ImportOutcome> {
  const { folder, sources, signal, onProgress } = choice;
  const rejectsPath = join(folder, IMPORT_FILES.rejects);
  await using rejects = await Rejects.open(rejectsPath, choice.definition);
  using payments = new SortedPayments({
    ...choice,
    hasRest: true,
    rejected: (row) => rejects.add(row),
  });
  for await (const rows of payments.read(signal)) {
    await rejects.flush();
    onProgress?.("reading", rows);
  }
  await rejects.close();
  const startSeconds = payments.start();
  if (startSeconds === undefined) {
    throw new DataError(
      `${sources[0].name}: no row is a payment; ${rejectsPath} says why for ` +
        "each",
    );
  }
  const days = new DayFiles(choice, startSeconds, [...payments.rest]);
  for (const rows of payments.sorted()) {
    await days.write(rows);
    await nextTurn(signal);
  }
  await days.close();
  const { rows, frauds } = payments;
  return {
    rows,
    payments: days.payments,
    frauds,
    rejected: rejects.byReason,
    startSeconds,
    columns: days.columns.map(({ name }) => name),
    files: days.files,
  };
}

/** The file of the rejected rows. Close it when complete, else dispose it. */
class Rejects {
  readonly byReason = new Map<string, number>();
  readonly #writer: TableWriter;
  /** Whether rows may be written although they hold ids that have pseudonyms. */
  readonly #showsRows: boolean;
  readonly #rows: (readonly (string | number)[])[] = [];

  private constructor(writer: TableWriter, showsRows: boolean) {
    this.#writer = writer;
    this.#showsRows = showsRows;
  }

  static async open(
    path: string,
    { payment }: StreamDefinition,
  ): Promise<Rejects> {
    const text = (name: string) => ({ name, kind: "text" as const });
    const writer = await TableWriter.open(path, "csv", [
      text("file"),
      { name: "line", kind: "int64" },
      text("reason"),
      text("message"),
      text("row"),
    ]);
    const ids = [payment.transactionId, payment.customerId, payment.terminalId];
    const showsRows = ids.every((id) => id.from === "row" || !hmacOf(id));
    return new Rejects(writer, showsRows);
  }

  add({ source, batch, index, defect }: RejectedRow): void {
    const { reason, message } = defect;
    this.byReason.set(reason, (this.byReason.get(reason) ?? 0) + 1);
    const row = this.#showsRows ? batch.text(index) : "";
    this.#rows.push([source.name, batch.line(index), reason, message, row]);
  }

  /** Writes what has been added. */
  async flush(): Promise<void> {
    for (let from = 0; from < this.#rows.length; from += REJECTS_ROWS) {
      const rows = this.#rows.slice(from, from + REJECTS_ROWS);
      const columns = rows[0].map((_, at) => rows.map((row) => row[at]));
      await this.#writer.write(
        columns as (string[] | number[])[],
        rows.length,
      );
    }
    this.#rows.length = 0;
  }

  async close(): Promise<void> {
    await this.flush();
    await this.#writer.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#writer.abort();
  }
}

function hmacOf(id: IdMapping | RowNumber): boolean {
  return "hmac" in id && id.hmac;
}

type Cells = (string | number | null)[];

/** Writes sorted payments to one file per day. */
class DayFiles {
  readonly columns: readonly TableColumn[];
  readonly files: { name: string; payments: number }[] = [];
  readonly #choice: ImportChoice;
  readonly #startSeconds: number;
  readonly #scale: number;
  readonly #keptCount: number;
  readonly #rest: readonly string[];
  readonly #datetime = new DatetimeFormatter();
  readonly #values: Cells[];
  #length = 0;
  #day = -1;
  #writer: TableWriter | undefined;
  payments = 0;

  constructor(
    choice: ImportChoice,
    startSeconds: number,
    rest: readonly string[],
  ) {
    const { definition, format } = choice;
    const { amount, keep } = definition.payment;
    this.columns = dayColumns(definition, rest, format);
    this.#choice = choice;
    this.#startSeconds = startSeconds;
    this.#scale = 10 ** amount.decimals;
    this.#keptCount = keep.length;
    this.#rest = rest;
    this.#values = this.columns.map(() => []);
  }

  /** Takes the next payments. */
  async write(rows: readonly SortedRow[]): Promise<void> {
    for (const row of rows) {
      const seconds = Number(row[SORTED.time]) - this.#startSeconds;
      const day = Math.floor(seconds / DAY_SECONDS);
      if (day !== this.#day) {
        await this.#endDay();
        await this.#beginDay(day);
      } else if (this.#length === WRITTEN_ROWS) await this.#flush();
      this.#put(row, seconds, day);
    }
  }

  /** Completes the last file. */
  async close(): Promise<void> {
    await this.#endDay();
  }

  #put(row: SortedRow, seconds: number, day: number): void {
    const { definition: { payment }, format } = this.#choice;
    const values = this.#values;
    const at = this.#length++;
    let column = 0;
    const put = (value: string | number | null) => {
      values[column++][at] = value;
    };
    const time = Number(row[SORTED.time]);
    put(row[SORTED.id] as string | number);
    put(format === "jsonl" ? this.#datetime.format(time) : time);
    put(row[SORTED.customer] as string | number);
    put(row[SORTED.terminal] as string | number);
    put(Number(row[SORTED.units]) / this.#scale);
    put(seconds);
    put(day);
    if (payment.fraud !== null) {
      const fraud = Number(row[SORTED.fraud]);
      put(fraud < 0 ? null : fraud);
    }
    if (payment.scenario !== null) put(Number(row[SORTED.scenario]));
    const restAt = SORTED.kept + this.#keptCount;
    for (let kept: number = SORTED.kept; kept < restAt; kept++) {
      put(row[kept] as KeptValue);
    }
    const rest = restOf(row[restAt]);
    for (const field of this.#rest) put(restCell(rest?.[field], format));
  }

  async #flush(): Promise<void> {
    if (this.#length === 0) return;
    await this.#writer?.write(
      this.#values as (string[] | number[])[],
      this.#length,
    );
    const { onProgress } = this.#choice;
    this.payments += this.#length;
    this.files[this.files.length - 1].payments += this.#length;
    this.#length = 0;
    onProgress?.("writing", this.payments);
  }

  async #beginDay(day: number): Promise<void> {
    const { folder, format } = this.#choice;
    const date = formatDate(this.#startSeconds + day * DAY_SECONDS);
    const name = `${date}.${format}`;
    this.#writer = await TableWriter.open(
      join(folder, name),
      format,
      this.columns,
    );
    this.#day = day;
    this.files.push({ name, payments: 0 });
  }

  async #endDay(): Promise<void> {
    await this.#flush();
    await this.#writer?.close();
    this.#writer = undefined;
  }
}

/** The fields that the definition does not name, of a payment that has any. */
function restOf(
  value: SortedRow[number] | undefined,
): Readonly<Record<string, RawValue>> | undefined {
  if (typeof value === "string") {
    return parseExactly(value) as Record<string, RawValue>;
  }
  return typeof value === "object" && value !== null ? value : undefined;
}

/** Such a field in a file: JSON in JSON lines, else text. */
function restCell(value: RawValue, format: TableFormat): string | null {
  if (value === undefined || value === null) return null;
  if (format === "jsonl") return JSON.stringify(value);
  if (typeof value !== "object") return String(value);
  return digitsOf(value) ?? JSON.stringify(value);
}

const KEPT_KINDS: Readonly<Record<KeptType, ColumnKind>> = {
  text: "text",
  number: "double",
  flag: "int32",
  time: "timestamp",
};

/** The columns of the day files. */
function dayColumns(
  { payment, labels }: StreamDefinition,
  rest: readonly string[],
  format: TableFormat,
): TableColumn[] {
  const column = (name: string, kind: ColumnKind) => ({ name, kind });
  const nullable = (name: string, kind: ColumnKind) => {
    return { name, kind, nullable: true as const };
  };
  const id = (name: string, mapping: IdMapping | RowNumber) =>
    column(
      name,
      "type" in mapping && mapping.type === "text" ? "text" : "int64",
    );
  const isLines = format === "jsonl";
  return [
    id("TRANSACTION_ID", payment.transactionId),
    column("TX_DATETIME", isLines ? "text" : "timestamp"),
    id("CUSTOMER_ID", payment.customerId),
    id("TERMINAL_ID", payment.terminalId),
    column("TX_AMOUNT", "double"),
    column("TX_TIME_SECONDS", "int32"),
    column("TX_TIME_DAYS", "int32"),
    ...payment.fraud === null
      ? []
      : labels.from === "payment"
      ? [column("TX_FRAUD", "int32")]
      : [nullable("TX_FRAUD", "int32")],
    ...payment.scenario === null ? [] : [column("TX_FRAUD_SCENARIO", "int32")],
    ...payment.keep.map(({ name, type }) => nullable(name, KEPT_KINDS[type])),
    ...rest.map((name) => nullable(name, isLines ? "json" : "text")),
  ];
}
