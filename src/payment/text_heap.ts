/**
 * Texts beside rows of cells: their bytes of UTF-8 one behind the other, and in
 * a cell the place and the length of one. So texts are copied as bytes from row
 * to row, and no string is made on the way.
 */
import { Buffer } from "node:buffer";

/** More than the bytes of any text: a reference is its start times this, plus its length. */
const LENGTHS = 2048;

/** In a cell: there is no text. */
export const NO_TEXT: number = -1;

/** Where the text of a cell begins in its heap. */
export function textStart(cell: number): number {
  return Math.floor(cell / LENGTHS);
}

/** How many bytes the text of a cell has. */
export function textLength(cell: number): number {
  return cell - textStart(cell) * LENGTHS; // % is far slower for doubles
}

/** A cell that refers to the same text in a heap whose bytes lie `bytes` further on. */
export function textMoved(cell: number, bytes: number): number {
  return cell === NO_TEXT ? NO_TEXT : cell + bytes * LENGTHS;
}

/** Compares two texts by their bytes, as SQLite and Cassandra do: negative if `a` comes first. */
export function compareTexts(
  a: number,
  aTexts: TextHeap,
  b: number,
  bTexts: TextHeap,
): number {
  const [aStart, bStart] = [textStart(a), textStart(b)];
  const [aLength, bLength] = [textLength(a), textLength(b)];
  const [aBytes, bBytes] = [aTexts.bytes, bTexts.bytes];
  const shared = Math.min(aLength, bLength);
  for (let i = 0; i < shared; i++) {
    const difference = aBytes[aStart + i] - bBytes[bStart + i];
    if (difference !== 0) return difference;
  }
  return aLength - bLength;
}

/** The first six bytes of a text as a number, in the order of texts; zeros where it is shorter. */
export function firstBytes(cell: number, { bytes }: TextHeap): number {
  const start = textStart(cell);
  const end = start + textLength(cell);
  let value = 0;
  for (let at = start; at < start + 6; at++) {
    value = value * 256 + (at < end ? bytes[at] : 0);
  }
  return value;
}

/** Compares two ids, numbers by value and texts by their bytes of UTF-8, without encoding them. */
export function compareIds(a: number | string, b: number | string): number {
  if (typeof a === "number" && typeof b === "number") return a - b;
  const [first, second] = [String(a), String(b)];
  const length = Math.min(first.length, second.length);
  for (let i = 0; i < length; i++) {
    const [left, right] = [first.charCodeAt(i), second.charCodeAt(i)];
    if (left !== right) return inCodePoints(left) - inCodePoints(right);
  }
  return first.length - second.length;
}

/** A unit of UTF-16 in the order of code points: surrogates are of those beyond all others. */
function inCodePoints(unit: number): number {
  return unit >= 0xd800 && unit < 0xe000 ? unit + 0x1_0000 : unit;
}

const ASCII_MAX = 0x7f;
const ENCODER = new TextEncoder();
const DECODER = new TextDecoder();

/** A growing heap of texts. */
export class TextHeap {
  #bytes: Uint8Array;
  #length = 0;
  // All bytes, each as one character, between prepareTexts() and the next change.
  #all: string | undefined;

  /** Makes a heap that holds `bytes`, empty by default. */
  constructor(bytes: Uint8Array = new Uint8Array(0)) {
    this.#bytes = bytes;
    this.#length = bytes.length;
  }

  /** What holds the texts; longer than they are. Ask again after add(). */
  get bytes(): Uint8Array {
    return this.#bytes;
  }

  /** Bytes of all texts. */
  get length(): number {
    return this.#length;
  }

  /** Forgets all texts. */
  clear(): void {
    this.#length = 0;
    this.#all = undefined;
  }

  /** Holds these bytes instead of what it held, without a copy. */
  wrap(bytes: Uint8Array): void {
    this.#bytes = bytes;
    this.#length = bytes.length;
    this.#all = undefined;
  }

  /** Adds the text in bytes `from` … `to`; returns its reference. */
  add(source: Uint8Array, from: number, to: number): number {
    const length = to - from;
    const start = this.#room(length);
    const bytes = this.#bytes;
    for (let i = 0; i < length; i++) bytes[start + i] = source[from + i];
    return start * LENGTHS + length;
  }

  /** Adds the first `length` bytes of another heap; its references move by the length before. */
  append(bytes: Uint8Array, length: number): void {
    const start = this.#room(length);
    this.#bytes.set(bytes.subarray(0, length), start);
  }

  /** Adds a text; returns its reference. */
  addText(text: string): number {
    const { length } = text;
    const start = this.#room(length);
    const bytes = this.#bytes;
    for (let i = 0; i < length; i++) {
      const unit = text.charCodeAt(i);
      if (unit > ASCII_MAX) {
        this.#length = start;
        const encoded = ENCODER.encode(text);
        return this.add(encoded, 0, encoded.length);
      }
      bytes[start + i] = unit;
    }
    return start * LENGTHS + length;
  }

  /** Adds the text that a cell refers to in another heap; NO_TEXT stays. */
  copy(cell: number, source: TextHeap): number {
    if (cell === NO_TEXT) return NO_TEXT;
    const start = textStart(cell);
    return this.add(source.bytes, start, start + textLength(cell));
  }

  /** The bytes of a cell's text: a view, empty for none. */
  view(cell: number): Uint8Array {
    if (cell === NO_TEXT) return this.#bytes.subarray(0, 0);
    const start = textStart(cell);
    return this.#bytes.subarray(start, start + textLength(cell));
  }

  /** A cell's text; null for none. */
  text(cell: number): string | null {
    if (cell === NO_TEXT) return null;
    if (this.#all !== undefined) {
      const start = textStart(cell);
      const end = start + textLength(cell);
      if (this.#isAscii(start, end)) return this.#all.slice(start, end);
    }
    return DECODER.decode(this.view(cell));
  }

  /** Makes text() fast for as long as no text is added: for who asks for all texts. */
  prepareTexts(): void {
    const { buffer, byteOffset } = this.#bytes;
    this.#all = Buffer.from(buffer, byteOffset, this.#length)
      .toString("latin1");
  }

  #isAscii(start: number, end: number): boolean {
    const bytes = this.#bytes;
    for (let i = start; i < end; i++) {
      if (bytes[i] > ASCII_MAX) return false;
    }
    return true;
  }

  #room(more: number): number {
    this.#all = undefined;
    const start = this.#length;
    this.#length += more;
    if (this.#length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(1024, 2 * this.#length));
      larger.set(this.#bytes.subarray(0, start));
      this.#bytes = larger;
    }
    return start;
  }
}

/** The heap of payments without texts. Nothing may be added to it. */
export const NO_TEXTS: TextHeap = new TextHeap();
