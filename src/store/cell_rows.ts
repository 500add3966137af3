/** Prepares rows of cells for tables: joins blocks, orders rows by id, and converts them to the values of columns. */
import { DatetimeFormatter, formatDatetime } from "../payment/calendar.ts";
import { DAY_SECONDS, type TransactionId } from "../payment/payment.ts";
import { CELL, FRAUD_UNKNOWN } from "../payment/payment_cells.ts";
import {
  compareTexts,
  firstBytes,
  NO_TEXT,
  TextHeap,
  textMoved,
} from "../payment/text_heap.ts";
import { RowCheck } from "./row_check.ts";
import {
  type CellKind,
  type CellSource,
  type CellTable,
  type Column,
  PERIOD_DAYS,
  sideValue,
  type TableRows,
} from "./tables.ts";

/** Rows side by side in cells. */
export interface CellRows {
  /** The cells. */
  readonly cells: Float64Array;
  /** Number of rows. */
  readonly count: number;
  /** What the cells of texts refer to. */
  readonly texts?: TextHeap;
}

/** The cells of a table's rows that refer to texts, ascending. */
export function textCellsOf({ columns }: Pick<CellTable, "columns">): number[] {
  return columns.flatMap(({ source, cellKind }) =>
    typeof source === "number" && cellKind === "text" ? [source] : []
  ).sort((a, b) => a - b);
}

/** The rows of several blocks as one, `width` cells per row, of which `textCells` refer to texts. */
export function joinRows(
  blocks: readonly CellRows[],
  width: number,
  textCells: readonly number[],
): { cells: Float64Array; texts: TextHeap } {
  const cells = joinCells(blocks, width);
  const texts = new TextHeap();
  if (textCells.length === 0) return { cells, texts };
  let at = 0;
  for (const block of blocks) {
    if (!block.texts) continue;
    const { bytes, length } = block.texts;
    const moved = texts.length;
    texts.append(bytes, length);
    const end = at + block.count * width;
    for (; at < end; at += width) {
      for (const cell of textCells) {
        cells[at + cell] = textMoved(cells[at + cell], moved);
      }
    }
  }
  return { cells, texts };
}

/** The cells of all rows of several blocks, `width` per row. */
function joinCells(
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
 * Rows in ascending order of their first cell, of texts by their bytes, equal
 * ones in the order given, in pieces of `size` rows and what is left in pieces
 * of one. A table is a tree by id: rows in this order touch each page once.
 */
export function ascendingPieces(
  { cells, count, texts }: CellRows,
  { width, shape }: Pick<CellTable, "width" | "shape">,
  size: number,
): number[][] {
  const rows = Array.from({ length: count }, (_, row) => row);
  // The rows of several partitions are a few ascending runs, which this merges.
  if (texts && shape.transactionId === "text") {
    // Most texts differ in their first bytes.
    const firsts = Float64Array.from(
      rows,
      (row) => firstBytes(cells[row * width], texts),
    );
    rows.sort((a, b) =>
      firsts[a] - firsts[b] ||
      compareTexts(cells[a * width], texts, cells[b * width], texts)
    );
  } else rows.sort((a, b) => cells[a * width] - cells[b * width]);
  const pieces: number[][] = [];
  let next = 0;
  for (; next + size <= count; next += size) {
    pieces.push(rows.slice(next, next + size));
  }
  for (; next < count; next++) pieces.push([rows[next]]);
  return pieces;
}

/** TRANSACTION_ID of each row of a block. */
export function idsOf(
  { cells, count, texts }: CellRows,
  { width, shape }: Pick<CellTable, "width" | "shape">,
): TransactionId[] {
  return Array.from({ length: count }, (_, row) => {
    const cell = cells[row * width + CELL.id];
    return shape.transactionId === "text" ? texts?.text(cell) ?? "" : cell;
  });
}

/** The event day, or the period of several, of a TX_TIME_SECONDS. */
export function dayOf(source: "days" | "period", timeSeconds: number): number {
  const days = source === "days" ? 1 : PERIOD_DAYS;
  return Math.floor(timeSeconds / DAY_SECONDS / days);
}

/** Columns side by side whose values are cells side by side, or one column of another source or kind. */
type ColumnRun =
  | { from: number; to: number }
  | OwnColumn
  | Exclude<CellSource, number>;

/** A column whose cell is not simply its number. */
export interface OwnColumn {
  /** The cell. */
  readonly cell: number;
  /** What it holds. */
  readonly cellKind: CellKind;
}

/** The columns of a table's kept fields, in their order. */
export function keptColumnsOf({ columns }: CellTable): OwnColumn[] {
  return columns.flatMap(({ isKept, source, cellKind }) =>
    isKept && cellKind !== undefined && typeof source === "number"
      ? [{ cell: source, cellKind }]
      : []
  );
}

/** The value of a cell for a column; null where there is none. */
export function ownValue(
  value: number,
  cellKind: CellKind,
  texts: TextHeap | undefined,
): number | string | null {
  switch (cellKind) {
    case "text":
      return value === NO_TEXT || !texts ? null : texts.text(value);
    case "label":
      return value === FRAUD_UNKNOWN ? null : value;
    case "time":
      return Number.isNaN(value) ? null : formatDatetime(value);
    case "number":
      return Number.isNaN(value) ? null : value;
  }
}

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
      } else if ("cell" in run) {
        const { cell, cellKind } = run;
        values[to++] = ownValue(cells[at + cell], cellKind, rows.texts);
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
        return sideValue(rows, source, index);
    }
  }
}

function runsOf(columns: readonly Column<CellSource>[]): ColumnRun[] {
  const runs: ColumnRun[] = [];
  for (const { source, cellKind } of columns) {
    const last = runs.at(-1);
    if (typeof source === "string") runs.push(source);
    else if (cellKind !== undefined) runs.push({ cell: source, cellKind });
    else if (typeof last === "object" && "to" in last && last.to === source) {
      last.to++;
    } else runs.push({ from: source, to: source + 1 });
  }
  return runs;
}
