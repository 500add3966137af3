/** The order in which a tree of rows by id is written best. */

/**
 * Rows in ascending order of their first cell, equal ones in the order given.
 * A table is a tree by id: rows that come so touch each of its pages once.
 */
export function ascendingIds(
  cells: Float64Array,
  width: number,
  count: number,
): number[] {
  const rows = Array.from({ length: count }, (_, row) => row);
  // Partitions side by side are a few ascending runs, which this merges.
  return rows.sort((a, b) => cells[a * width] - cells[b * width]);
}
