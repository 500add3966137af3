/**
 * Sums of g and h by rank over the rows of a node, for all columns in one
 * buffer: of each rank of each column, g and h side by side. Rows are added and
 * removed four columns at a time, since one column waits where it meets the
 * same cell again, while the others continue.
 */
import type { RankedColumns } from "../data/ranked_columns.ts";

/** Ranks at the end of a buffer for missing columns; several, so that none waits for another. */
const UNREAD_RANKS = 8;

/** Allocates and fills buffers for some columns, and keeps released ones for reuse. */
export class RankSums {
  /** Number of ranks of all columns. */
  readonly ranks: number;
  /** Where the ranks of each column begin in a buffer. */
  readonly offset: Int32Array;
  readonly #columns: RankedColumns;
  readonly #free: Float64Array[] = [];
  #packed: Int32Array[] | undefined;

  /** For these columns. */
  constructor(columns: RankedColumns) {
    this.#columns = columns;
    this.offset = new Int32Array(columns.columns.length);
    let ranks = 0;
    columns.columns.forEach(({ count }, column) => {
      this.offset[column] = ranks;
      ranks += count;
    });
    this.ranks = ranks;
  }

  /** A buffer of zeros. */
  take(): Float64Array {
    return this.#free.pop()?.fill(0) ??
      new Float64Array(2 * (this.ranks + UNREAD_RANKS));
  }

  /** Gives a buffer back. */
  give(buffer: Float64Array): void {
    this.#free.push(buffer);
  }

  /**
   * Adds the rows from `rows[from]` up to `rows[to]` (`sign` 1), or removes
   * them (-1); `pairs` has g and h of each row side by side.
   */
  add(
    buffer: Float64Array,
    pairs: Float64Array,
    rows: Int32Array,
    from: number,
    to: number,
    sign: number,
  ): void {
    this.#packed ??= this.#pack();
    for (const cells of this.#packed) {
      addFour(buffer, cells, pairs, rows, from, to, sign);
    }
  }

  /** Each row's cells in a buffer, for four columns at a time; where columns are missing, cells that are never read. */
  #pack(): Int32Array[] {
    const { columns, rows } = this.#columns;
    const packed: Int32Array[] = [];
    for (let first = 0; first < columns.length; first += 4) {
      const cells = new Int32Array(4 * rows);
      for (let place = 0; place < 4; place++) {
        const ranks = columns[first + place]?.ranks;
        const offset = this.offset[first + place] ?? this.ranks;
        for (let row = 0; row < rows; row++) {
          const rank = ranks ? ranks[row] : row % UNREAD_RANKS;
          cells[4 * row + place] = 2 * (offset + rank);
        }
      }
      packed.push(cells);
    }
    return packed;
  }
}

function addFour(
  buffer: Float64Array,
  cells: Int32Array,
  pairs: Float64Array,
  rows: Int32Array,
  from: number,
  to: number,
  sign: number,
): void {
  for (let at = from; at < to; at++) {
    const row = rows[at];
    const g = sign * pairs[2 * row];
    const h = sign * pairs[2 * row + 1];
    const cell0 = cells[4 * row];
    const cell1 = cells[4 * row + 1];
    const cell2 = cells[4 * row + 2];
    const cell3 = cells[4 * row + 3];
    buffer[cell0] += g;
    buffer[cell0 + 1] += h;
    buffer[cell1] += g;
    buffer[cell1 + 1] += h;
    buffer[cell2] += g;
    buffer[cell2 + 1] += h;
    buffer[cell3] += g;
    buffer[cell3 + 1] += h;
  }
}
