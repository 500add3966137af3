/**
 * Payments between a file and the checks: the interface of the readers of CSV,
 * JSON lines and Parquet.
 */
import type { Payment } from "../payment/payment.ts";

/** Why a row can't be used. */
export interface RowDefect {
  /** Stable word, for counting. */
  readonly reason: string;
  /** What is wrong, without the place. */
  readonly message: string;
}

/** Where a field stands in a file. */
export interface FieldPlace {
  /** Line (of a text file) or row (of Parquet), from 1. */
  readonly line: number;
  /** Column in characters, from 1; undefined in Parquet. */
  readonly column: number | undefined;
}

/** Some consecutive rows of one file. */
export interface RowBatch {
  /** Number of rows. */
  readonly length: number;
  /** Number of the line (of a text file) or row (of Parquet) where row `index` begins, from 1. */
  line(index: number): number;
  /**
   * Fills `into` with row `index` as fillFields() does, or returns what is
   * wrong with it.
   */
  read(index: number, into: Payment): RowDefect | undefined;
  /** Where a field of row `index` stands, or the row itself if the field can't be found. */
  place(index: number, field: string): FieldPlace;
}

/** How one file is read. */
export interface RowOptions {
  /** Name of the file in messages. */
  readonly name: string;
  /** Ends the reading, also while it waits for a pipe, by throwing its reason. */
  readonly signal: AbortSignal;
}

/** What to do about a bad row; ends every message about one. */
export const MEND_ROW =
  "fix the row, or leave such rows out with --skip-bad-rows";
