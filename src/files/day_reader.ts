/**
 * Payments from files, one day at a time and checked: what batch commands
 * read. Memory is bounded by the largest day. A bad row is an error that names
 * its place, unless bad rows are to be skipped; then it is counted.
 */
import { DataError } from "../error/error.ts";
import { formatDate } from "../transaction/calendar.ts";
import {
  DAY_SECONDS,
  emptyTransaction,
  type Transaction,
  TRANSACTION_FIELDS,
} from "../transaction/transaction.ts";
import { fillTransaction } from "../transaction/validation.ts";
import { type DaySource, findDaySources, readRows } from "./day_source.ts";
import { MEND_ROW, type RowBatch } from "./row_batch.ts";
import type { TableFormat } from "./table_encoder.ts";
import { TransactionDay } from "./transaction_day.ts";

/** How payments are read. */
export interface DayReaderOptions {
  /** Midnight of the stream's first day, seconds since 1970; if undefined, the first good row's TX_DATETIME minus its TX_TIME_SECONDS. */
  readonly startSeconds: number | undefined;
  /** Whether bad rows are left out and counted instead of being an error. */
  readonly skipBadRows: boolean;
  /** Format of the input where its name doesn't tell, or must not. */
  readonly inputFormat: TableFormat | undefined;
  /** Ends the reading, also while it waits for stdin, by throwing its reason. */
  readonly signal: AbortSignal;
}

/** Reads payments day by day, for one pass. */
export class DayReader {
  /** The inputs, in the order they are read. */
  readonly sources: readonly DaySource[];
  /** Rows left out so far, by reason. */
  readonly skippedRows: ReadonlyMap<string, number>;
  /** Oddities overlooked so far, such as "CR LF line ends", with the number of files. */
  readonly oddities: ReadonlyMap<string, number>;
  readonly #options: DayReaderOptions;
  readonly #skippedRows = new Map<string, number>();
  readonly #oddities = new Map<string, number>();
  #startSeconds: number | undefined;
  #sourcesRead = 0;

  private constructor(sources: DaySource[], options: DayReaderOptions) {
    this.sources = sources;
    this.skippedRows = this.#skippedRows;
    this.oddities = this.#oddities;
    this.#options = options;
    this.#startSeconds = options.startSeconds;
  }

  /** Finds the inputs behind a folder, a file or "-" (stdin). Throws DataError. */
  static async open(
    path: string,
    options: DayReaderOptions,
  ): Promise<DayReader> {
    return new DayReader(
      await findDaySources(path, options.inputFormat),
      options,
    );
  }

  /** Midnight of the stream's first day, seconds since 1970; undefined before the first row if it wasn't given. */
  get startSeconds(): number | undefined {
    return this.#startSeconds;
  }

  /** Number of inputs read to their end. */
  get sourcesRead(): number {
    return this.#sourcesRead;
  }

  /**
   * The days that have payments, ascending, each in order of TRANSACTION_ID.
   * Throws DataError with file:line:column for what can't be read.
   */
  async *days(): AsyncGenerator<TransactionDay> {
    const row = emptyTransaction();
    const values: unknown[] = [];
    let current: TransactionDay | undefined;
    for (let file = 0; file < this.sources.length; file++) {
      for await (const batch of this.#batches(this.sources[file])) {
        for (let index = 0; index < batch.length; index++) {
          if (!this.#fill(batch, index, file, values, row)) continue;
          const day = Math.floor(row.timeSeconds / DAY_SECONDS);
          if (current !== undefined && day < current.day) {
            this.#refuse(batch, index, file, {
              reason: "out of order",
              message:
                `TX_DATETIME is of ${formatDate(row.datetimeSeconds)}, ` +
                "a day before that of the rows above",
              advice: "sort the rows by day, or leave such rows out with " +
                "--skip-bad-rows",
            });
            continue;
          }
          if (current === undefined || day > current.day) {
            if (current !== undefined) yield this.#complete(current);
            current = new TransactionDay(day, current?.length);
          }
          current.append(row, file, batch.firstLine + index);
        }
      }
      this.#sourcesRead++;
    }
    if (current !== undefined) yield this.#complete(current);
  }

  #batches(source: DaySource): AsyncGenerator<RowBatch> {
    const overlook = this.#options.skipBadRows
      ? (oddity: string) => count(this.#oddities, oddity)
      : undefined;
    const { signal } = this.#options;
    return readRows(source, { name: source.name, overlook, signal });
  }

  /** Fills `row`, or refuses it and returns false. */
  #fill(
    batch: RowBatch,
    index: number,
    file: number,
    values: unknown[],
    row: Transaction,
  ): boolean {
    const given = this.#options.startSeconds !== undefined;
    const defect = batch.read(index, values) ??
      fillTransaction(values, this.#startSeconds, row);
    if (defect === undefined) {
      this.#startSeconds ??= row.datetimeSeconds - row.timeSeconds;
      return true;
    }
    const startDoubtful = defect.reason === "time mismatch" && !given &&
      this.#startSeconds !== undefined;
    this.#refuse(batch, index, file, {
      ...defect,
      advice: startDoubtful
        ? `${MEND_ROW}; if the start, taken from the first row, is wrong, ` +
          "give it with --start"
        : MEND_ROW,
    });
    return false;
  }

  /** Counts a refused row where rows are skipped, else throws. */
  #refuse(
    batch: RowBatch,
    index: number,
    file: number,
    refusal: Refusal,
  ): void {
    if (this.#options.skipBadRows) {
      count(this.#skippedRows, refusal.reason);
      return;
    }
    const { name, format } = this.sources[file];
    const line = batch.firstLine + index;
    const place = format === "parquet"
      ? `${name}:row ${line}`
      : `${name}:${line}:${batch.column(index, fieldOf(refusal.message))}`;
    throw new DataError(`${place}: ${refusal.message}; ${refusal.advice}`);
  }

  /** Sorts a day by TRANSACTION_ID and refuses repeated ones. */
  #complete(day: TransactionDay): TransactionDay {
    day.sortById();
    const ids = day.transactionId;
    const kept: number[] = [];
    for (let row = 0; row < ids.length; row++) {
      if (row === 0 || ids[row] !== ids[row - 1]) {
        kept.push(row);
        continue;
      }
      if (!this.#options.skipBadRows) throw this.#duplicate(day, row);
      count(this.#skippedRows, "duplicate TRANSACTION_ID");
    }
    if (kept.length < ids.length) day.select(kept);
    return day;
  }

  #duplicate(day: TransactionDay, row: number): DataError {
    const place = (at: number) => {
      return `${this.sources[day.fileOf(at)].name}:${day.lineOf(at)}`;
    };
    return new DataError(
      `${place(row)}:1: TRANSACTION_ID ${day.transactionId[row]} has come ` +
        `already in ${place(row - 1)}; remove one of the rows, or keep the ` +
        "first of such rows with --skip-bad-rows",
    );
  }
}

interface Refusal {
  readonly reason: string;
  readonly message: string;
  readonly advice: string;
}

/** The field that a defect's message begins with, or "". */
function fieldOf(message: string): string {
  const [word] = message.split(" ", 1);
  return TRANSACTION_FIELDS.find((field) => field === word) ?? "";
}

function count(counts: Map<string, number>, reason: string): void {
  counts.set(reason, (counts.get(reason) ?? 0) + 1);
}
