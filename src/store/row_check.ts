/**
 * Checksums of rows, signed whole numbers of 32 bits, which SQLite keeps in
 * four bytes: of texts CRC-32C, of cells MurmurHash3 (x86, 32 bits), which
 * takes a fifth of the time. Each of its steps can be undone, so a change
 * within any one word of a row always changes the sum. Rows of older versions
 * have none and are exempt.
 */
import { Buffer } from "node:buffer";
import { crc32c } from "../base/crc32c.ts";
import { CELL, FRAUD_UNKNOWN } from "../payment/payment_cells.ts";
import { NO_TEXT, type TextHeap } from "../payment/text_heap.ts";
import {
  type CellTable,
  CHECK_COLUMN,
  isPlace,
  isSideSource,
  type SideSource,
  sideValue,
  type TableRows,
} from "./tables.ts";

/** The checksum of a row's values, which must be read as they were written. */
export function textCheck(
  values: readonly (string | number | null)[],
): number {
  return crc32c(Buffer.from(JSON.stringify(values))) | 0;
}

/** The check, the version and the contributions, which come before all others. */
const SIDES_BEFORE = 3;

function hasOthers(
  { shadowScores, decisions }: TableRows,
  index: number,
): boolean {
  return (shadowScores?.[index] ?? decisions?.[index] ?? null) !== null;
}

/** Takes checksums of a table's rows. */
export class RowCheck {
  readonly #width: number;
  /** What stands beside the cells, the place aside. */
  readonly #sides: readonly SideSource[];
  /** The cells that are not simply numbers; undefined where all are. */
  readonly #own: OwnCells | undefined;
  /** Whether TX_FRAUD may change after the row is written, and so is left out. */
  readonly #hasLateLabel: boolean;
  readonly #cells: Float64Array;
  readonly #words: Int32Array;

  /** For rows of a table. */
  constructor({ width, columns }: Pick<CellTable, "width" | "columns">) {
    this.#width = width;
    this.#sides = columns.map(({ source }) => source).filter(isSideSource)
      .filter((source) => !isPlace(source));
    this.#own = ownCells(columns);
    this.#hasLateLabel = columns.some(({ cellKind }) => cellKind === "label");
    this.#cells = new Float64Array(width);
    this.#words = new Int32Array(this.#cells.buffer);
  }

  /** The checksum of row `index`, its texts included; 0 and -0 are the same, as in SQLite. */
  of(rows: TableRows, index: number): number {
    const { cells } = rows;
    const row = this.#cells;
    const at = index * this.#width;
    for (let i = 0; i < row.length; i++) row[i] = cells[at + i] + 0;
    if (this.#hasLateLabel) row[CELL.fraud] = FRAUD_UNKNOWN;
    if (this.#own) digestOwn(row, this.#own, rows.texts);
    const check = murmur3(this.#words);
    if (this.#sides.length === 0) return check;
    const values: (number | string | null)[] = [check];
    for (const source of this.#sides) {
      // Rows without the others have the checksums of before there were any.
      if (values.length === SIDES_BEFORE && !hasOthers(rows, index)) break;
      values.push(sideValue(rows, source, index));
    }
    // And so have those without a place.
    const offset = sideValue(rows, "offsets", index);
    if (offset !== null) {
      values.push(sideValue(rows, "partitions", index), offset);
    }
    return textCheck(values);
  }
}

/** Cells of a row by what they hold. */
interface OwnCells {
  readonly texts: readonly number[];
  /** Numbers and times that may be missing. */
  readonly nullable: readonly number[];
}

function ownCells(columns: CellTable["columns"]): OwnCells | undefined {
  const texts: number[] = [];
  const nullable: number[] = [];
  for (const { source, cellKind } of columns) {
    if (typeof source !== "number" || cellKind === undefined) continue;
    if (cellKind === "text") texts.push(source);
    else if (cellKind !== "label") nullable.push(source);
  }
  return texts.length + nullable.length > 0 ? { texts, nullable } : undefined;
}

/** Replaces what has several spellings: texts by their CRC-32C, as they lie in any place of a heap, and NaN by what no cell holds. */
function digestOwn(
  row: Float64Array,
  own: OwnCells,
  texts: TextHeap | undefined,
): void {
  for (const cell of own.texts) {
    if (row[cell] === NO_TEXT || !texts) continue;
    row[cell] = crc32c(texts.view(row[cell]));
  }
  for (const cell of own.nullable) {
    if (Number.isNaN(row[cell])) row[cell] = -Infinity;
  }
}

/** MurmurHash3_x86_32 of whole words with seed 0 (Appleby, 2011), as a signed number. */
function murmur3(words: Int32Array): number {
  let hash = 0;
  for (let i = 0; i < words.length; i++) {
    let word = Math.imul(words[i], 0xcc9e2d51);
    word = (word << 15) | (word >>> 17);
    hash ^= Math.imul(word, 0x1b873593);
    hash = (hash << 13) | (hash >>> 19);
    hash = (Math.imul(hash, 5) + 0xe6546b64) | 0;
  }
  hash ^= 4 * words.length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

/** The problem of a row whose checksum is not that of its values. */
export const CHECK_PROBLEM = "the row does not match its checksum";

/** Whether a row has a checksum that differs from this. */
export function isDamaged(
  row: Readonly<Record<string, unknown>>,
  check: number,
): boolean {
  const found = row[CHECK_COLUMN];
  return found !== null && found !== undefined && found !== check;
}
