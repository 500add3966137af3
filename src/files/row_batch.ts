/**
 * Raw rows on their way from a file to the checks: what the readers of CSV,
 * JSON lines and Parquet have in common.
 */

/** A row that could not even be taken apart into fields. */
export interface BrokenRow {
  /** Stable word, for counting. */
  readonly reason: string;
  /** What is wrong, without the place. */
  readonly message: string;
}

/** Some consecutive rows of one file. */
export interface RowBatch {
  /** Number of rows. */
  readonly length: number;
  /** Line (of a text file) or row (of Parquet) of row 0, counted from 1. */
  readonly firstLine: number;
  /**
   * Fills `values` with row `index`, in the order of TRANSACTION_FIELDS, or
   * tells why the row is broken.
   */
  read(index: number, values: unknown[]): BrokenRow | undefined;
  /** Column (in characters, from 1) at which a field of row `index` stands; 1 if it can't be told. */
  column(index: number, field: string): number;
}

/** How one file is read. */
export interface RowOptions {
  /** Name of the file in messages. */
  readonly name: string;
  /** Called once for each oddity of the file that is overlooked, such as "CR LF line ends"; without it an oddity is an error. */
  readonly overlook: ((oddity: string) => void) | undefined;
  /** Ends the reading, also while it waits for a pipe, by throwing its reason. */
  readonly signal: AbortSignal;
}

/** What to do about a bad row: the end of every message about one. */
export const MEND_ROW =
  "mend the row, or leave such rows out with --skip-bad-rows";
