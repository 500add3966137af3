/**
 * The internal form between the two stages: rows of one step for one
 * partition in one record, a header of four 32-bit words (magic, rows, doubles
 * of a row, 1 + partition of the payments) and then doubles, little-endian: the
 * payment's cells, its customer totals, of declared features the values (NaN for
 * none), and its kept fields. Where labels
 * arrive on their own, they stand among the payments in the order of the log,
 * and a row has one more double: 0 for a payment, 1 + KNOWN_AT for a label.
 * Where a shape has texts, two more words follow in the header (bytes of the
 * texts, 0), and the texts follow the doubles, which refer to them. No JSON is
 * written or parsed on the way.
 */
import {
  customerDeclared,
  customerPlaces,
  type FeatureParameters,
} from "../features/parameters.ts";
import {
  CELL,
  FRAUD_UNKNOWN,
  PAYMENT_CELLS,
} from "../payment/payment_cells.ts";
import { recordFields } from "../payment/payment_json.ts";
import {
  HANDBOOK_SHAPE,
  hasText,
  type PaymentShape,
  textCells,
} from "../payment/payment_shape.ts";
import { type Field, PAYMENT_RECORD } from "../payment/record_field.ts";
import {
  NO_TEXT,
  TextHeap,
  textLength,
  textStart,
} from "../payment/text_heap.ts";
import { isAmount, isAmountOf } from "../payment/validation.ts";

const MAGIC = 0x3150_5346; // "FSP1"
const TEXT_MAGIC = 0x3250_5346; // "FSP2"
const HEADER_BYTES = 16;
const TEXT_HEADER_BYTES = 24;
const FULL_BYTES = 1 << 18;

/** Number of doubles of a row in a pack. */
export function packWidth(
  parameters: FeatureParameters,
  shape: PaymentShape = HANDBOOK_SHAPE,
): number {
  const label = shape.hasLabels ? 1 : 0;
  return keptPlace(parameters) + shape.kept.length + label;
}

/** KNOWN_AT of the label in the row of `width` cells that begins at `at` of a pack with labels, as TX_TIME_SECONDS; -1 for a payment. */
export function packedLabel(
  pack: Float64Array,
  at: number,
  width: number,
): number {
  return pack[at + width - 1] - 1;
}

/** Place of the first kept field in a row of a pack. */
export function keptPlace(parameters: FeatureParameters): number {
  return PAYMENT_CELLS + customerPlaces(parameters).length;
}

/** Collects the rows of one pack. */
export class PackBuilder {
  readonly #width: number;
  readonly #source: number;
  readonly #headerBytes: number;
  // Where a row refers to texts, and the texts; undefined for shapes without.
  readonly #textCells: readonly number[];
  readonly #texts: TextHeap | undefined;
  #bytes = new Uint8Array(TEXT_HEADER_BYTES);
  #cells = new Float64Array(0);
  #count = 0;

  /** Collects rows of packWidth(parameters, shape) from a partition of the payments. */
  constructor(
    parameters: FeatureParameters,
    source: number,
    shape: PaymentShape = HANDBOOK_SHAPE,
  ) {
    this.#width = packWidth(parameters, shape);
    this.#source = source;
    this.#textCells = textCells(shape, keptPlace(parameters));
    this.#texts = hasText(shape) ? new TextHeap() : undefined;
    this.#headerBytes = this.#texts ? TEXT_HEADER_BYTES : HEADER_BYTES;
    this.#resize(64);
  }

  /** Number of rows. */
  get count(): number {
    return this.#count;
  }

  /** Whether it is large enough: a broker accepts records up to 1 MiB by default, and a step may have many rows. */
  get isFull(): boolean {
    const cells = 8 * this.#count * this.#width;
    return cells + (this.#texts?.length ?? 0) >= FULL_BYTES;
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

  /** Takes over the texts of the row that begins at `at`, whose cells refer to another heap. */
  takeTexts(at: number, texts: TextHeap): void {
    const own = this.#texts;
    if (own === undefined) return;
    const cells = this.#cells;
    for (const cell of this.#textCells) {
      cells[at + cell] = own.copy(cells[at + cell], texts);
    }
  }

  /** The pack as bytes: a view, valid until the next row. */
  bytes(): Uint8Array {
    const texts = this.#texts;
    const header = new DataView(this.#bytes.buffer);
    header.setUint32(0, texts ? TEXT_MAGIC : MAGIC, true);
    header.setUint32(4, this.#count, true);
    header.setUint32(8, this.#width, true);
    header.setUint32(12, 1 + this.#source, true);
    const length = this.#headerBytes + 8 * this.#count * this.#width;
    if (texts === undefined) return this.#bytes.subarray(0, length);
    header.setUint32(16, texts.length, true);
    header.setUint32(20, 0, true);
    const pack = new Uint8Array(length + texts.length);
    pack.set(this.#bytes.subarray(0, length));
    pack.set(texts.bytes.subarray(0, texts.length), length);
    return pack;
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
    this.#texts?.clear();
  }

  #resize(rows: number): void {
    const header = this.#headerBytes;
    const bytes = new Uint8Array(header + 8 * rows * this.#width);
    const cells = new Float64Array(bytes.buffer, header);
    cells.set(this.#cells);
    this.#bytes = bytes;
    this.#cells = cells;
  }
}

/** The cells of a pack, or a sentence saying why it is not one. */
export function readPack(
  bytes: Uint8Array,
  parameters: FeatureParameters,
  shape: PaymentShape = HANDBOOK_SHAPE,
): Float64Array | string {
  const isText = shape !== HANDBOOK_SHAPE && hasText(shape);
  const headerBytes = isText ? TEXT_HEADER_BYTES : HEADER_BYTES;
  if (bytes.length < headerBytes) return "shorter than a pack's header";
  const header = new DataView(bytes.buffer, bytes.byteOffset, headerBytes);
  const magic = header.getUint32(0, true);
  if (magic !== (isText ? TEXT_MAGIC : MAGIC)) return "not a pack";
  const count = header.getUint32(4, true);
  const width = header.getUint32(8, true);
  const wanted = packWidth(parameters, shape);
  if (width !== wanted) {
    return `a pack of rows of ${width} numbers, not ${wanted}`;
  }
  const end = headerBytes + 8 * count * width;
  const texts = isText ? header.getUint32(16, true) : 0;
  if (count === 0 || bytes.length !== end + texts) {
    return `a pack of ${bytes.length} bytes that should hold ${count} rows` +
      (isText ? ` and ${texts} bytes of texts` : "");
  }
  const cells = new Float64Array(bytes.slice(headerBytes, end).buffer);
  const isRow = shape === HANDBOOK_SHAPE
    ? isHandbookRow
    : rowTest(parameters, shape, bytes.subarray(end));
  for (let at = 0; at < cells.length; at += width) {
    if (!isRow(cells, at, width)) {
      return `row ${at / width} of the pack has a value out of its range`;
    }
  }
  return cells;
}

/** The texts that the cells of a pack refer to: a view of its last bytes; none where readPack() does not accept it as one with texts. */
export function packTexts(bytes: Uint8Array): Uint8Array {
  const header = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const isText = bytes.length >= TEXT_HEADER_BYTES &&
    header.getUint32(0, true) === TEXT_MAGIC;
  const length = isText ? header.getUint32(16, true) : 0;
  return bytes.subarray(bytes.length - length);
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

function isHandbookRow(
  cells: Float64Array,
  at: number,
  width: number,
): boolean {
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

type RowTest = (cells: Float64Array, at: number, width: number) => boolean;

/** Whether a row of a shape's pack has only values of its fields, and refers only to whole texts. */
function rowTest(
  parameters: FeatureParameters,
  shape: PaymentShape,
  texts: Uint8Array,
): RowTest {
  const kept = keptPlace(parameters);
  const fields = recordFields(shape, kept).filter(({ kind }) => kind !== "day");
  const declaredFrom = kept - customerDeclared(parameters);
  const leastTotal = shape.refunds ? -TOTAL_MAX : 0;
  const isText = textTest(texts);
  const isValue = (
    { kind, min = 0, max, decimals = 2 }: Field,
    value: number,
  ) => {
    switch (kind) {
      case "amount":
        return isAmountOf(value, min, max, decimals);
      case "text":
        return isText(value, max);
      case "keptText":
        return value === NO_TEXT || isText(value, max);
      case "keptNumber":
        return Number.isNaN(value) || value >= min && value <= max;
      case "keptTime":
        return Number.isNaN(value) || isMoment(value);
      case "datetime":
        return isMoment(value);
      default:
        return Number.isInteger(value) && value >= 0 && value <= max;
    }
  };
  return (cells, at, width) => {
    const label = shape.hasLabels ? cells[at + width - 1] : 0;
    if (!(Number.isInteger(label) && label >= 0)) return false;
    for (let i = 0; i < fields.length; i++) {
      if (!isValue(fields[i], cells[at + fields[i].cell])) return false;
    }
    for (let i = declaredFrom; i < kept; i++) {
      if (Math.abs(cells[at + i]) === Infinity) return false;
    }
    for (let i = PAYMENT_CELLS; i < declaredFrom; i++) {
      const value = cells[at + i];
      if (!(value >= leastTotal && value <= TOTAL_MAX)) return false;
      if (Math.floor(value) !== value) return false;
    }
    const fraud = cells[at + CELL.fraud];
    const isFraud = label > 0
      ? fraud === 0 || fraud === 1
      : shape.hasFraud || fraud === FRAUD_UNKNOWN;
    if (!isFraud) return false;
    return shape.hasScenario || cells[at + CELL.scenario] === 0;
  };
}

function isMoment(seconds: number): boolean {
  return Number.isInteger(seconds) && seconds >= CELL_MIN[CELL.datetime] &&
    seconds <= CELL_MAX[CELL.datetime];
}

const STRICT = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Whether a cell refers to a whole text of at most `max` bytes in these bytes, which must be UTF-8. */
function textTest(
  texts: Uint8Array,
): (cell: number, max: number) => boolean {
  try {
    STRICT.decode(texts);
  } catch {
    return () => false;
  }
  const isInside = (at: number) => (texts[at] & 0xc0) === 0x80;
  return (cell, max) => {
    if (!(Number.isSafeInteger(cell) && cell >= 0)) return false;
    const start = textStart(cell);
    const length = textLength(cell);
    const end = start + length;
    if (length === 0 || length > max || end > texts.length) return false;
    return !isInside(start) && (end === texts.length || !isInside(end));
  };
}
