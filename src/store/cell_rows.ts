/** Rows of cells that both of the store's tables are written from: joined, and in the order that a table by id is written best. */

/** Rows side by side in cells. */
export interface CellRows {
  /** The cells. */
  readonly cells: Float64Array;
  /** Number of rows. */
  readonly count: number;
}

/** The cells of all rows of several blocks, `width` a row. */
export function joinCells(
  blocks: readonly CellRows[],
  width: number,
): Float64Array {
  const joined = new Float64Array(
    width * blocks.reduce((sum, { count }) => sum + count, 0),
  );
  let at = 0;
  for (const { cells, count } of blocks) {
    joined.set(cells.subarray(0, count * width), at);
    at += count * width;
  }
  return joined;
}

/**
 * Rows in ascending order of their first cell, equal ones in the order given,
 * in pieces of `size` rows and what is left in pieces of one. A table is a tree
 * by id: rows that come so touch each of its pages once.
 */
export function ascendingPieces(
  { cells, count }: CellRows,
  width: number,
  size: number,
): number[][] {
  const rows = Array.from({ length: count }, (_, row) => row);
  // Partitions side by side are a few ascending runs, which this merges.
  rows.sort((a, b) => cells[a * width] - cells[b * width]);
  const pieces: number[][] = [];
  let next = 0;
  for (; next + size <= count; next += size) {
    pieces.push(rows.slice(next, next + size));
  }
  for (; next < count; next++) pieces.push([rows[next]]);
  return pieces;
}
