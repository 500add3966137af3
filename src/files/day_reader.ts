/**
 * Payments from files, checked, and ordered by time, then TRANSACTION_ID. The
 * rows of a file may be in any order; each file is sorted in bounded memory
 * (see RowSorter), files are read one after the other. A bad row is an error
 * that names its place; if bad rows are skipped, it is counted.
 */
import { DataError } from "../base/error.ts";
import {
  CELL,
  fromCells,
  PAYMENT_CELLS,
  toCells,
} from "../payment/payment_cells.ts";
import { formatDatetime } from "../payment/calendar.ts";
import {
  DAY_SECONDS,
  emptyPayment,
  INT_MAX,
  type Payment,
  PAYMENT_FIELDS,
} from "../payment/payment.ts";
import { HANDBOOK_SHAPE, type PaymentShape } from "../payment/payment_shape.ts";
import { checkStart } from "../payment/validation.ts";
import { type DaySource, findDaySources, readRows } from "./day_source.ts";
import type { Profiles, SkippedRows } from "./payment_source.ts";
import { readCustomers, readTerminals } from "./profile_reader.ts";
import { IdLedger } from "./id_ledger.ts";
import {
  type FieldPlace,
  MEND_ROW,
  type RowBatch,
  type RowDefect,
} from "./row_batch.ts";
import { RowSorter } from "./row_sorter.ts";
import type { TableFormat } from "./table_encoder.ts";
import { PaymentDay } from "./payment_day.ts";

/** Files of payments, and how they are read. */
export interface FileChoice {
  /** A folder of day files, a file, or "-" for stdin. */
  readonly path: string;
  /** Midnight of the stream's first day, seconds since 1970; if undefined, the first good row's TX_DATETIME minus its TX_TIME_SECONDS, or the first day without such rows. */
  readonly startSeconds: number | undefined;
  /** Whether bad rows are left out and counted instead of being an error. */
  readonly skipBadRows: boolean;
  /** Format of the input, if not that of its name. */
  readonly inputFormat: TableFormat | undefined;
  /** Most rows of a file that are sorted in memory, 72 bytes each; 2^20 if undefined. */
  readonly sortRows?: number | undefined;
  /** Folder of the temporary file that longer files are sorted in; the system's own if undefined. */
  readonly sortFolder?: string | undefined;
}

const SORT_ROWS = 2 ** 20;

/** Most payments returned at once. */
const DAY_ROWS = 65_536;

/** Most ids in memory that are not consecutive along the rows; about 32 bytes each. */
const IDS_MAX = 2 ** 25;

/** Rows left out whose places are kept for the summary. */
const SKIPPED_SHOWN = 3;

const DUPLICATE = "duplicate TRANSACTION_ID";

/** A row being sorted: the payment's cells, then its place. */
const PLACE = PAYMENT_CELLS;
const WIDTH = PAYMENT_CELLS + 1;

/** A place as one number: file · 2^32 + line. */
const FILE_UNIT = 2 ** 32;

/** Reads payments day by day, for one pass: a PaymentSource. */
export class DayReader {
  /** The handbook's. */
  readonly shape: PaymentShape = HANDBOOK_SHAPE;
  /** Every row has its label. */
  readonly isLabelled = true;
  /** No label is unknown. */
  readonly matureSeconds: undefined = undefined;
  /** Rows left out so far. */
  readonly skipped: SkippedRows;
  readonly #sources: readonly DaySource[];
  readonly #choice: FileChoice;
  readonly #skippedRows = new Map<string, number>();
  readonly #firstSkipped: string[] = [];
  readonly #ids = new IdLedger(IDS_MAX);
  /** Files whose rows have no lines. */
  readonly #rowFiles = new Set<number>();
  #startSeconds: number | undefined;
  #sourcesRead = 0;
  #lastTime = -Infinity;
  #lastId = -1;
  #lastPlace = 0;

  private constructor(sources: DaySource[], choice: FileChoice) {
    this.skipped = {
      byReason: this.#skippedRows,
      first: this.#firstSkipped,
      isByDefinition: false,
    };
    this.#sources = sources;
    this.#choice = choice;
    this.#startSeconds = choice.startSeconds;
  }

  /** Finds the inputs. Throws DataError. */
  static async open(choice: FileChoice): Promise<DayReader> {
    const { path, inputFormat } = choice;
    return new DayReader(await findDaySources(path, inputFormat), choice);
  }

  /** Midnight of the stream's first day, seconds since 1970; undefined before the first row if it wasn't given. */
  get startSeconds(): number | undefined {
    return this.#startSeconds;
  }

  /** Inputs read to their end, and all of them where they are several. */
  get progress(): { done: number; total: number } {
    const { length } = this.#sources;
    return { done: this.#sourcesRead, total: length > 1 ? length : 0 };
  }

  /** The profiles beside the day files of a folder. Throws DataError. */
  async profiles(): Promise<Profiles> {
    const { path } = this.#choice;
    const isFolder = this.#sources.every((source) => source.path !== path);
    return {
      customers: isFolder ? await readCustomers(path) : undefined,
      terminals: isFolder ? await readTerminals(path) : undefined,
    };
  }

  /**
   * The payments in order of TX_DATETIME, then TRANSACTION_ID, day after day; a
   * day with very many payments comes in parts. The signal ends the reading,
   * also while it waits for stdin, by throwing its reason. Throws DataError
   * with file:line:column for what can't be read.
   */
  async *batches(signal: AbortSignal): AsyncGenerator<PaymentDay> {
    using sorter = new RowSorter({
      width: WIDTH,
      keys: [CELL.datetime, CELL.id],
      memoryRows: this.#choice.sortRows ?? SORT_ROWS,
      folder: this.#choice.sortFolder,
    });
    for (let file = 0; file < this.#sources.length; file++) {
      await this.#gather(file, sorter, signal);
      yield* this.#inOrder(sorter, signal);
      sorter.clear();
      this.#sourcesRead++;
    }
  }

  /** Puts the good rows of a file into the sorter. */
  async #gather(
    file: number,
    sorter: RowSorter,
    signal: AbortSignal,
  ): Promise<void> {
    const row = emptyPayment();
    const cells = new Float64Array(WIDTH);
    const source = this.#sources[file];
    for await (const batch of readRows(source, { name: source.name, signal })) {
      if (batch.length > 0 && batch.place(0, "").column === undefined) {
        this.#rowFiles.add(file);
      }
      for (let index = 0; index < batch.length; index++) {
        const place = file * FILE_UNIT + batch.line(index);
        const defect = batch.read(index, row) ?? this.#checkStart(row) ??
          this.#checkId(row.transactionId, place);
        if (defect !== undefined) {
          this.#refuseRow(batch, index, file, defect);
          continue;
        }
        toCells(row, cells, 0);
        cells[PLACE] = place;
        sorter.add(cells);
      }
    }
  }

  /** Checks the time since the start in rows that have it, and takes the start from the first such row. */
  #checkStart(row: Payment): RowDefect | undefined {
    const { timeSeconds, datetimeSeconds } = row;
    if (timeSeconds < 0) return undefined;
    const defect = checkStart(timeSeconds, datetimeSeconds, this.#startSeconds);
    if (defect === undefined) {
      this.#startSeconds ??= datetimeSeconds - timeSeconds;
    }
    return defect;
  }

  /** Records an id, which must be new. */
  #checkId(id: number, place: number): RowDefect | undefined {
    const before = this.#ids.add(id, place);
    if (before !== undefined) {
      const message = `TRANSACTION_ID ${id} has come already in ` +
        this.#shown(before, "");
      return { reason: DUPLICATE, message };
    }
    if (!this.#ids.full) return undefined;
    throw new DataError(
      `${this.#shown(place)}: more than ${IDS_MAX} payments whose ` +
        "TRANSACTION_ID is not one more than that of the row before, too many " +
        "to find repeated ids; number the payments in order of time, or " +
        "split the files",
    );
  }

  /** The sorted rows of a file, checked against those before. */
  *#inOrder(sorter: RowSorter, signal: AbortSignal): Generator<PaymentDay> {
    const row = emptyPayment();
    let current: PaymentDay | undefined;
    for (const { cells, count } of sorter.sorted()) {
      for (let at = 0; at < count * WIDTH; at += WIDTH) {
        fromCells(cells, at, row);
        const place = cells[at + PLACE];
        this.#startSeconds ??= dayStart(row.datetimeSeconds);
        row.timeSeconds = row.datetimeSeconds - this.#startSeconds;
        if (!this.#accept(row, place)) continue;
        const day = Math.floor(row.timeSeconds / DAY_SECONDS);
        if (current?.day !== day || current.length === DAY_ROWS) {
          signal.throwIfAborted();
          if (current !== undefined) yield current;
          current = new PaymentDay(day, current?.length);
        }
        current.append(row);
      }
    }
    if (current !== undefined) yield current;
  }

  /** Records a row in order, or refuses it and returns false. */
  #accept(row: Payment, place: number): boolean {
    const defect = this.#orderDefect(row);
    if (defect !== undefined) {
      this.#refuse(this.#shown(place), defect, MEND_ROW);
      return false;
    }
    this.#lastTime = row.timeSeconds;
    this.#lastId = row.transactionId;
    this.#lastPlace = place;
    return true;
  }

  #orderDefect(row: Payment): RowDefect | undefined {
    const { timeSeconds: time, datetimeSeconds, transactionId } = row;
    if (time < 0 || time > INT_MAX) {
      return {
        reason: "out of range",
        message:
          `TX_DATETIME ${
            formatDatetime(datetimeSeconds)
          } is not in the ${INT_MAX} seconds from ` +
          `the start ${formatDatetime(this.#startSeconds ?? 0)} on; ` +
          "give another with --start",
      };
    }
    if (time > this.#lastTime) return undefined;
    if (time === this.#lastTime && transactionId >= this.#lastId) {
      return undefined;
    }
    return {
      reason: "out of order",
      message: `TX_DATETIME ${formatDatetime(datetimeSeconds)}, ` +
        `TRANSACTION_ID ${transactionId} comes ` +
        `before the last row of an earlier file, ` +
        `${this.#shown(this.#lastPlace, "")}; put the payments of both files ` +
        "into one",
    };
  }

  #refuseRow(
    batch: RowBatch,
    index: number,
    file: number,
    defect: RowDefect,
  ): void {
    const given = this.#choice.startSeconds !== undefined;
    const startDoubtful = defect.reason === "time mismatch" && !given &&
      this.#startSeconds !== undefined;
    const advice = defect.reason === DUPLICATE
      ? "remove one of the rows, or keep the first of such rows with " +
        "--skip-bad-rows"
      : startDoubtful
      ? `${MEND_ROW}; if the start, taken from the first row, is wrong, ` +
        "give it with --start"
      : MEND_ROW;
    if (this.#isCounted(defect)) return;
    const place = batch.place(index, fieldOf(defect.message));
    this.#refuse(showPlace(this.#sources[file], place), defect, advice);
  }

  /** Counts a row left out; returns whether enough places are kept already. */
  #isCounted({ reason }: RowDefect): boolean {
    if (!this.#choice.skipBadRows) return false;
    if (this.#firstSkipped.length < SKIPPED_SHOWN) return false;
    this.#skippedRows.set(reason, (this.#skippedRows.get(reason) ?? 0) + 1);
    return true;
  }

  /** Counts a refused row where rows are skipped, else throws. */
  #refuse(place: string, defect: RowDefect, advice: string): void {
    const { reason, message } = defect;
    if (!this.#choice.skipBadRows) {
      throw new DataError(`${place}: ${message}; ${advice}`);
    }
    this.#skippedRows.set(reason, (this.#skippedRows.get(reason) ?? 0) + 1);
    if (this.#firstSkipped.length < SKIPPED_SHOWN) {
      this.#firstSkipped.push(`${place}: ${message}`);
    }
  }

  /** A row's place for messages, followed by the column. */
  #shown(place: number, column = ":1"): string {
    const file = Math.floor(place / FILE_UNIT);
    const line = place - file * FILE_UNIT;
    const { name } = this.#sources[file];
    return this.#rowFiles.has(file)
      ? `${name}:row ${line}`
      : `${name}:${line}${column}`;
  }
}

function showPlace({ name }: DaySource, { line, column }: FieldPlace): string {
  return column === undefined
    ? `${name}:row ${line}`
    : `${name}:${line}:${column}`;
}

function dayStart(seconds: number): number {
  return Math.floor(seconds / DAY_SECONDS) * DAY_SECONDS;
}

/** The field that a defect's message begins with, or "". */
function fieldOf(message: string): string {
  const [word] = message.split(" ", 1);
  return PAYMENT_FIELDS.find((field) => field === word) ?? "";
}
