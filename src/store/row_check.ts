/**
 * Checksums of rows, CRC-32C as signed whole numbers of 32 bits, which SQLite
 * keeps in four bytes. Rows of older versions have none and are exempt.
 */
import { Buffer } from "node:buffer";
import { crc32c } from "../log/crc32c.ts";

/** The column that holds a row's checksum, in every table of an embedded store. */
export const CHECK_COLUMN = "row_check";

/** The checksum of values of a row, which must come back from the table as they went in. */
export function textCheck(
  values: readonly (string | number | null)[],
): number {
  return crc32c(Buffer.from(JSON.stringify(values))) | 0;
}

/** Takes checksums of rows of cells. */
export class CellCheck {
  readonly #cells: Float64Array;
  readonly #bytes: Uint8Array;

  /** For rows of `width` cells. */
  constructor(width: number) {
    this.#cells = new Float64Array(width);
    this.#bytes = new Uint8Array(this.#cells.buffer);
  }

  /** The checksum of the row in cells `at` …; 0 and -0 are the same, as in SQLite. */
  of(cells: Float64Array, at: number): number {
    const row = this.#cells;
    for (let i = 0; i < row.length; i++) row[i] = cells[at + i] + 0;
    return crc32c(this.#bytes) | 0;
  }
}

/** What is wrong with a row whose checksum is not that of its values. */
export const CHECK_PROBLEM = "the row does not match its checksum";

/** Whether a row has a checksum, and another than this. */
export function isDamaged(
  row: Readonly<Record<string, unknown>>,
  check: number,
): boolean {
  const found = row[CHECK_COLUMN];
  return found !== null && found !== undefined && found !== check;
}
