/**
 * Payments of files with any columns, mapped by a stream's definition, in the
 * order of the files and their rows, from any place on. What is no payment is
 * counted and left out.
 */
import {
  emptyMappedPayment,
  type MappedPayment,
  type PaymentMapper,
} from "../definition/payment_mapper.ts";
import { isInStream, midnightOf } from "../definition/mapped_row.ts";
import type { RawValue } from "../definition/rejection.ts";
import type { DaySource } from "./day_source.ts";
import type { RawBatch } from "./raw_batch.ts";
import { rawRows } from "./raw_rows.ts";
import type { RowDefect } from "./row_batch.ts";

/** A place between two rows of the files. */
export interface RowPlace {
  /** Number of the file, from 0. */
  readonly file: number;
  /** Rows of that file before the place. */
  readonly row: number;
  /** Rows of all files before the place. */
  readonly rows: number;
  /** How many of those are no payments. */
  readonly rejected: number;
}

/** The place before the first row. */
export const FIRST_PLACE: RowPlace = { file: 0, row: 0, rows: 0, rejected: 0 };

/** Consecutive payments of one file. */
export interface MappedBatch {
  /** Midnight of the stream's first day, seconds since 1970: that of the first payment where it was not given. */
  readonly startSeconds: number;
  /** The payments. */
  readonly payments: readonly MappedPayment[];
  /** Of each, the fields that travel along though the definition does not name them, as members of a JSON object. */
  readonly rests: readonly string[];
  /** The place behind each payment. */
  readonly places: readonly RowPlace[];
}

/** How files are read. */
export interface MappedOptions {
  /** The mapping. */
  readonly mapper: PaymentMapper;
  /** Midnight of the stream's first day, seconds since 1970, if it has begun. */
  readonly startSeconds: number | undefined;
  /** Where to begin. */
  readonly from: RowPlace;
  /** Ends the reading by throwing its reason. */
  readonly signal: AbortSignal;
  /** Called with each row that is no payment; `place` names its file and line. */
  readonly rejected: (defect: RowDefect, place: string) => void;
}

/** Most payments of a batch. */
const BATCH_ROWS = 4096;

/** The payments of some files, batch after batch; returns the place behind the last row. Throws DataError for what cannot be read. */
export async function* mappedPayments(
  sources: readonly DaySource[],
  options: MappedOptions,
): AsyncGenerator<MappedBatch, RowPlace> {
  const { from, signal } = options;
  const reader = new MappedReader(options);
  for (const [file, source] of sources.entries()) {
    if (file < from.file) continue;
    let skip = file === from.file ? from.row : 0;
    reader.enter(file, skip);
    for await (const batch of rawRows(source, { name: source.name, signal })) {
      const first = Math.min(skip, batch.length);
      skip -= first;
      for (let at = first; at < batch.length;) {
        at = reader.read(batch, at, source.name);
        const mapped = reader.take();
        if (mapped) yield mapped;
      }
    }
  }
  return reader.place;
}

/** Maps rows, and knows the place reached. */
class MappedReader {
  readonly #options: MappedOptions;
  readonly #values: RawValue[] = [];
  readonly #isRest: (field: string) => boolean;
  #startSeconds: number | undefined;
  #place: RowPlace;
  #payments: MappedPayment[] = [];
  #rests: string[] = [];
  #places: RowPlace[] = [];

  constructor(options: MappedOptions) {
    const { mapper, startSeconds, from } = options;
    this.#options = options;
    this.#isRest = (field) => mapper.isRest(field);
    this.#startSeconds = startSeconds;
    this.#place = from;
  }

  get place(): RowPlace {
    return this.#place;
  }

  /** Goes to a row of a file. */
  enter(file: number, row: number): void {
    this.#place = { ...this.#place, file, row };
  }

  /** Reads the rows of a batch from `first` on, as many as make a batch of payments; returns the next. */
  read(batch: RawBatch, first: number, name: string): number {
    const { mapper, rejected } = this.#options;
    let at = first;
    for (; at < batch.length && this.#payments.length < BATCH_ROWS; at++) {
      const { file, row, rows } = this.#place;
      const payment = emptyMappedPayment();
      const defect = batch.values(at, mapper.fields, this.#values) ??
        mapper.map(this.#values, rows + 1, payment) ?? this.#outside(payment);
      const wrong = defect ? 1 : 0;
      this.#place = {
        file,
        row: row + 1,
        rows: rows + 1,
        rejected: this.#place.rejected + wrong,
      };
      if (defect) {
        rejected(defect, `${name}:${batch.line(at)}`);
        continue;
      }
      this.#payments.push(payment);
      this.#rests.push(batch.rest(at, this.#isRest));
      this.#places.push(this.#place);
    }
    return at;
  }

  /** The payments read since; undefined for none. */
  take(): MappedBatch | undefined {
    if (this.#payments.length === 0) return undefined;
    const batch = {
      startSeconds: this.#startSeconds ?? 0,
      payments: this.#payments,
      rests: this.#rests,
      places: this.#places,
    };
    this.#payments = [];
    this.#rests = [];
    this.#places = [];
    return batch;
  }

  /** Why a payment cannot be in the stream; the first one begins it. */
  #outside({ datetimeSeconds }: MappedPayment): RowDefect | undefined {
    this.#startSeconds ??= midnightOf(datetimeSeconds);
    if (isInStream(datetimeSeconds, this.#startSeconds)) return undefined;
    return {
      reason: "out of range",
      message: "the time lies before the day of the stream's first payment; " +
        "sort the data by time",
    };
  }
}
