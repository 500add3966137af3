/**
 * The internal form between the two stages: rows of one step for one
 * partition in one record, a header of four 32-bit words (magic, rows, doubles
 * of a row, 1 + partition of the payments) and then doubles, little-endian: the
 * payment's cells and its customer totals. Where labels arrive on their own,
 * they stand among the payments in the order of the log, and a row has one more
 * double: 0 for a payment, 1 + KNOWN_AT for a label. No text is written or
 * parsed on the way.
 */
import {
  customerPlaces,
  type FeatureParameters,
} from "../features/parameters.ts";
import { CELL, PAYMENT_CELLS } from "../payment/payment_cells.ts";
import { PAYMENT_RECORD } from "../payment/record_field.ts";
import { isAmount } from "../payment/validation.ts";

const MAGIC = 0x3150_5346; // "FSP1"
const HEADER_BYTES = 16;
const FULL_BYTES = 1 << 18;

/** Number of doubles of a row in a pack. */
export function packWidth(parameters: FeatureParameters): number {
  const label = hasLabelRows(parameters) ? 1 : 0;
  return PAYMENT_CELLS + customerPlaces(parameters).length + label;
}

/** Whether packs have labels among their rows. */
export function hasLabelRows({ graceSeconds }: FeatureParameters): boolean {
  return graceSeconds !== undefined;
}

/** KNOWN_AT of the label in the row of `width` cells that begins at `at` of a pack with labels, as TX_TIME_SECONDS; -1 for a payment. */
export function packedLabel(
  pack: Float64Array,
  at: number,
  width: number,
): number {
  return pack[at + width - 1] - 1;
}

/** Collects the rows of one pack. */
export class PackBuilder {
  readonly #width: number;
  readonly #source: number;
  #bytes = new Uint8Array(HEADER_BYTES);
  #cells = new Float64Array(0);
  #count = 0;

  /** Collects rows of packWidth(parameters) from a partition of the payments. */
  constructor(parameters: FeatureParameters, source: number) {
    this.#width = packWidth(parameters);
    this.#source = source;
    this.#resize(64);
  }

  /** Number of rows. */
  get count(): number {
    return this.#count;
  }

  /** Whether it is large enough: a broker accepts records up to 1 MiB by default, and a step may have many rows. */
  get isFull(): boolean {
    return 8 * this.#count * this.#width >= FULL_BYTES;
  }

  /** Makes room for one more row and returns its place in `cells`. */
  next(): number {
    if ((this.#count + 1) * this.#width > this.#cells.length) {
      this.#resize(2 * (this.#cells.length / this.#width));
    }
    return this.#count++ * this.#width;
  }

  /** The cells; ask again after next(). */
  get cells(): Float64Array {
    return this.#cells;
  }

  /** The pack as bytes: a view, valid until the next row. */
  bytes(): Uint8Array {
    const header = new DataView(this.#bytes.buffer);
    header.setUint32(0, MAGIC, true);
    header.setUint32(4, this.#count, true);
    header.setUint32(8, this.#width, true);
    header.setUint32(12, 1 + this.#source, true);
    const length = HEADER_BYTES + 8 * this.#count * this.#width;
    return this.#bytes.subarray(0, length);
  }

  /** Greatest TX_DATETIME of the rows, milliseconds since 1970. */
  newestMs(): number {
    let newest = -Infinity;
    for (let row = 0; row < this.#count; row++) {
      newest = Math.max(newest, this.#cells[row * this.#width + CELL.datetime]);
    }
    return newest * 1000;
  }

  /** Empties the pack. */
  clear(): void {
    this.#count = 0;
  }

  #resize(rows: number): void {
    const bytes = new Uint8Array(HEADER_BYTES + 8 * rows * this.#width);
    const cells = new Float64Array(bytes.buffer, HEADER_BYTES);
    cells.set(this.#cells);
    this.#bytes = bytes;
    this.#cells = cells;
  }
}

/** The cells of a pack, or a sentence saying why it is not one. */
export function readPack(
  bytes: Uint8Array,
  parameters: FeatureParameters,
): Float64Array | string {
  if (bytes.length < HEADER_BYTES) return "shorter than a pack's header";
  const header = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  if (header.getUint32(0, true) !== MAGIC) return "not a pack";
  const count = header.getUint32(4, true);
  const width = header.getUint32(8, true);
  if (width !== packWidth(parameters)) {
    return `a pack of rows of ${width} numbers, not ${packWidth(parameters)}`;
  }
  if (count === 0 || bytes.length !== HEADER_BYTES + 8 * count * width) {
    return `a pack of ${bytes.length} bytes that should hold ${count} rows`;
  }
  const cells = new Float64Array(bytes.slice(HEADER_BYTES).buffer);
  for (let at = 0; at < cells.length; at += width) {
    if (!isRow(cells, at, width)) {
      return `row ${at / width} of the pack has a value out of its range`;
    }
  }
  return cells;
}

/** Partition of the payments that the rows of a pack come from; undefined in packs of older versions. */
export function packSource(bytes: Uint8Array): number | undefined {
  const header = new DataView(bytes.buffer, bytes.byteOffset, HEADER_BYTES);
  const source = header.getUint32(12, true);
  return source === 0 ? undefined : source - 1;
}

/** Ranges of the cells of a payment, TX_AMOUNT aside, which has its own rule. */
const CELL_MIN = new Float64Array(PAYMENT_CELLS);
const CELL_MAX = new Float64Array(PAYMENT_CELLS);
for (const { cell, max } of PAYMENT_RECORD) CELL_MAX[cell] = max;
CELL_MIN[CELL.datetime] = Date.parse("0001-01-01T00:00:00Z") / 1000;
CELL_MAX[CELL.datetime] = Date.parse("9999-12-31T23:59:59Z") / 1000;
/** Greatest value of a customer total; the least is 0. */
const TOTAL_MAX = Number.MAX_SAFE_INTEGER;

function isRow(cells: Float64Array, at: number, width: number): boolean {
  if (!isAmount(cells[at + CELL.amount])) return false;
  for (let i = 0; i < PAYMENT_CELLS; i++) {
    if (i === CELL.amount) continue;
    const value = cells[at + i];
    if (!(value >= CELL_MIN[i] && value <= CELL_MAX[i])) return false;
    if (Math.floor(value) !== value) return false;
  }
  for (let i = PAYMENT_CELLS; i < width; i++) {
    const value = cells[at + i];
    if (!(value >= 0 && value <= TOTAL_MAX)) return false;
    if (Math.floor(value) !== value) return false;
  }
  return true;
}
