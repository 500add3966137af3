/** Prepares rows of cells for tables: joins blocks, orders rows by id, and converts them to the values of columns. */
import { DatetimeFormatter } from "../payment/calendar.ts";
import { DAY_SECONDS } from "../payment/payment.ts";
import { CELL } from "../payment/payment_cells.ts";
import { RowCheck } from "./row_check.ts";
import {
  type CellSource,
  type CellTable,
  type Column,
  PERIOD_DAYS,
  type TableRows,
} from "./tables.ts";

/** Rows side by side in cells. */
export interface CellRows {
  /** The cells. */
  readonly cells: Float64Array;
  /** Number of rows. */
  readonly count: number;
}

/** The cells of all rows of several blocks, `width` per row. */
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
 * by id: rows in this order touch each page once.
 */
export function ascendingPieces(
  { cells, count }: CellRows,
  width: number,
  size: number,
): number[][] {
  const rows = Array.from({ length: count }, (_, row) => row);
  // The rows of several partitions are a few ascending runs, which this merges.
  rows.sort((a, b) => cells[a * width] - cells[b * width]);
  const pieces: number[][] = [];
  let next = 0;
  for (; next + size <= count; next += size) {
    pieces.push(rows.slice(next, next + size));
  }
  for (; next < count; next++) pieces.push([rows[next]]);
  return pieces;
}

/** The event day, or the period of several, of a TX_TIME_SECONDS. */
export function dayOf(source: "days" | "period", timeSeconds: number): number {
  const days = source === "days" ? 1 : PERIOD_DAYS;
  return Math.floor(timeSeconds / DAY_SECONDS / days);
}

/** Columns side by side whose values are cells side by side, or one column of another source. */
type ColumnRun = { from: number; to: number } | Exclude<CellSource, number>;

/** Converts rows of cells to the values of a table's columns. */
export class ColumnValues {
  readonly #runs: readonly ColumnRun[];
  readonly #width: number;
  readonly #check: RowCheck;
  readonly #datetime = new DatetimeFormatter();

  /** For these columns of a table. */
  constructor(table: CellTable, columns: readonly Column<CellSource>[]) {
    this.#runs = runsOf(columns);
    this.#width = table.width;
    this.#check = new RowCheck(table);
  }

  /** Puts the values of row `index` into places `to` …; returns the place after them. */
  fill(
    values: (number | string | null)[],
    to: number,
    rows: TableRows,
    index: number,
  ): number {
    const { cells } = rows;
    const at = index * this.#width;
    for (const run of this.#runs) {
      if (typeof run === "string") {
        values[to++] = this.#other(run, rows, index);
      } else {
        for (let i = run.from; i < run.to; i++) values[to++] = cells[at + i];
      }
    }
    return to;
  }

  #other(
    source: Exclude<CellSource, number>,
    rows: TableRows,
    index: number,
  ): number | string | null {
    const { cells } = rows;
    const at = index * this.#width;
    switch (source) {
      case "datetime":
        return this.#datetime.format(cells[at + CELL.datetime]);
      case "days":
      case "period":
        return dayOf(source, cells[at + CELL.time]);
      case "check":
        return this.#check.of(rows, index);
      default:
        return rows[source]?.[index] ?? null;
    }
  }
}

function runsOf(columns: readonly Column<CellSource>[]): ColumnRun[] {
  const runs: ColumnRun[] = [];
  for (const { source } of columns) {
    const last = runs.at(-1);
    if (typeof source === "string") runs.push(source);
    else if (typeof last === "object" && last.to === source) last.to++;
    else runs.push({ from: source, to: source + 1 });
  }
  return runs;
}
