/**
 * Reads JSON whose keys, order and spacing are known, byte by byte and without
 * making objects. It only says "this is exactly that" or "unknown". In the
 * second case callers use JSON.parse, so the scanner decides speed and never
 * what is accepted.
 */
import { dateSeconds } from "./calendar.ts";
import type { TextHeap } from "./text_heap.ts";
import { textOf, type TextRule } from "./text_rule.ts";

const DIGIT_0 = 48;
const DOT = 46;
const DIGITS_EXACT = 15;
/** Digits behind these fifteen that quotient() takes: doubles print as seventeen at most. */
const REST_DIGITS = 3;
const POWERS_OF_TEN = Float64Array.from({ length: 23 }, (_, i) => 10 ** i);

/** A text that is written and expected many times. */
export interface Literal {
  /** It in UTF-8. */
  readonly bytes: Uint8Array;
  /** The same four bytes at a time, little-endian; the last four may overlap those before, and shorter texts have none. */
  readonly words: Int32Array;
}

/** Prepares a literal for expect(). */
export function literal(text: string): Literal {
  const bytes = new TextEncoder().encode(text);
  const view = new DataView(bytes.buffer);
  const count = bytes.length < 4 ? 0 : Math.ceil(bytes.length / 4);
  const words = Int32Array.from(
    { length: count },
    (_, i) => view.getInt32(Math.min(4 * i, bytes.length - 4), true),
  );
  return { bytes, words };
}

/** A position in bytes and what can be read from there on. */
export class JsonScanner {
  #bytes: Uint8Array = new Uint8Array(0);
  #view = new DataView(this.#bytes.buffer);
  #at = 0;
  #end = 0;
  #dateKey = -1;
  #dateSeconds = 0;

  /** Starts at `start` of `bytes`, up to `end`. */
  start(bytes: Uint8Array, start: number, end: number): void {
    if (bytes !== this.#bytes) {
      this.#bytes = bytes;
      this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    }
    this.#at = start;
    this.#end = end;
  }

  /** Whether everything has been read. */
  get atEnd(): boolean {
    return this.#at === this.#end;
  }

  /** Skips `expected`; false if there is something else. */
  expect({ bytes, words }: Literal): boolean {
    const at = this.#at;
    const end = at + bytes.length;
    if (end > this.#end) return false;
    const last = words.length - 1;
    if (last < 0) {
      for (let i = 0; i < bytes.length; i++) {
        if (this.#bytes[at + i] !== bytes[i]) return false;
      }
    } else {
      const view = this.#view;
      for (let i = 0; i < last; i++) {
        if (view.getInt32(at + 4 * i, true) !== words[i]) return false;
      }
      if (view.getInt32(end - 4, true) !== words[last]) return false;
    }
    this.#at = end;
    return true;
  }

  /** Reads a whole number of up to 15 digits; -1 if there is none. */
  whole(): number {
    const bytes = this.#bytes;
    const start = this.#at;
    let at = start;
    let value = 0;
    while (at < this.#end) {
      const digit = bytes[at] - DIGIT_0;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
      at++;
    }
    const digits = at - start;
    if (digits === 0 || digits > DIGITS_EXACT) return -1;
    if (digits > 1 && bytes[start] === DIGIT_0) return -1;
    this.#at = at;
    return value;
  }

  /** Reads a decimal number that is not negative as the double nearest to it; -1 if there is none. */
  decimal(): number {
    const bytes = this.#bytes;
    const start = this.#at;
    const whole = this.whole();
    if (whole < 0) return -1;
    if (this.#at === this.#end || bytes[this.#at] !== DOT) return whole;
    const first = this.#at + 1;
    let at = first;
    // The digits from the first that is not 0 on: fifteen, and what follows.
    let digits = whole === 0 ? 0 : this.#at - start;
    let value = whole;
    let rest = 0;
    while (at < this.#end) {
      const digit = bytes[at] - DIGIT_0;
      if (digit < 0 || digit > 9) break;
      if (digits < DIGITS_EXACT) value = value * 10 + digit;
      else rest = rest * 10 + digit;
      if (value > 0) digits++;
      at++;
    }
    const decimals = at - first;
    if (decimals === 0) return -1;
    this.#at = at;
    if (decimals < POWERS_OF_TEN.length) {
      // Two exact doubles, so the quotient is the double nearest to the text.
      if (digits <= DIGITS_EXACT) return value / POWERS_OF_TEN[decimals];
      if (digits <= DIGITS_EXACT + REST_DIGITS) {
        const nearest = quotient(value, digits - DIGITS_EXACT, rest, decimals);
        if (nearest !== undefined) return nearest;
      }
    }
    let text = "";
    for (let i = start; i < at; i++) text += String.fromCharCode(bytes[i]);
    return Number(text);
  }

  /** Reads 'YYYY-MM-DD HH:MM:SS' as seconds since 1970; NaN if there is none. */
  datetime(): number {
    const at = this.#at;
    if (at + 19 > this.#end) return NaN;
    const bytes = this.#bytes;
    const form = bytes[at + 4] === 45 && bytes[at + 7] === 45 &&
      bytes[at + 10] === 32 && bytes[at + 13] === 58 && bytes[at + 16] === 58;
    const year = 100 * this.#pair(at) + this.#pair(at + 2);
    const month = this.#pair(at + 5);
    const day = this.#pair(at + 8);
    const hours = this.#pair(at + 11);
    const minutes = this.#pair(at + 14);
    const seconds = this.#pair(at + 17);
    const parts = year + month + day + hours + minutes + seconds;
    if (!form || Number.isNaN(parts)) return NaN;
    if (hours > 23 || minutes > 59 || seconds > 59) return NaN;
    const key = (year * 100 + month) * 100 + day;
    if (key !== this.#dateKey) {
      const midnight = dateSeconds(year, month, day);
      if (midnight === undefined) return NaN;
      this.#dateKey = key;
      this.#dateSeconds = midnight;
    }
    this.#at = at + 19;
    return this.#dateSeconds + hours * 3600 + minutes * 60 + seconds;
  }

  /** Reads any finite number as the double nearest to it; NaN if there is none. */
  number(): number {
    const start = this.#at;
    const bytes = this.#bytes;
    const isNegative = bytes[start] === MINUS;
    if (isNegative) this.#at++;
    const size = this.decimal();
    const isWhole = this.#at === this.#end || !isNumberByte(bytes[this.#at]);
    // 0 - 0 is 0, not -0.
    if (size >= 0 && isWhole) return isNegative ? 0 - size : size;
    let at = start;
    while (at < this.#end && isNumberByte(bytes[at])) at++;
    this.#at = at;
    let text = "";
    for (let i = start; i < at; i++) text += String.fromCharCode(bytes[i]);
    // -0 is 0.
    return JSON_NUMBER.test(text) ? finite(Number(text) + 0) : NaN;
  }

  /** Reads a string that keeps a rule and has at most `max` bytes into `texts`; undefined if there is none. */
  text(texts: TextHeap, max: number, rule: TextRule): number | undefined {
    const bytes = this.#bytes;
    const start = this.#at + 1;
    if (start >= this.#end || bytes[start - 1] !== QUOTE) return undefined;
    let at = start;
    while (at < this.#end && isPlain(bytes[at])) at++;
    if (at === this.#end) return undefined;
    if (bytes[at] === QUOTE) {
      const length = at - start;
      if (length === 0 || length > max) return undefined;
      this.#at = at + 1;
      return texts.add(bytes, start, at);
    }
    const end = this.#stringEnd(at);
    if (end < 0) return undefined;
    const text = textOf(bytes.subarray(start - 1, end), max, rule);
    if (text === undefined) return undefined;
    this.#at = end;
    return texts.addText(text);
  }

  /**
   * Skips members of an object up to its end; false if one has a value that is
   * not simple (then JSON.parse decides), or a name that `isKnown`.
   */
  members(
    isKnown: (bytes: Uint8Array, from: number, to: number) => boolean,
  ): boolean {
    while (this.#at < this.#end && this.#bytes[this.#at] === COMMA) {
      this.#at++;
      const name = this.#at + 1;
      if (!this.#plainString() || isKnown(this.#bytes, name, this.#at - 1)) {
        return false;
      }
      if (this.#bytes[this.#at++] !== COLON) return false;
      if (!this.#simpleValue()) return false;
    }
    return this.#at < this.#end;
  }

  /** Reads an object of numbers, without spaces; its JSON, or undefined if there is none. */
  numbers(): string | undefined {
    const from = this.#at;
    for (let next = OPEN; this.#bytes[this.#at] === next; next = COMMA) {
      this.#at++;
      if (!this.#plainString() || this.#bytes[this.#at++] !== COLON) {
        return undefined;
      }
      if (Number.isNaN(this.number())) return undefined;
    }
    if (this.#at >= this.#end || this.#bytes[this.#at++] !== CLOSE) {
      return undefined;
    }
    return DECODER.decode(this.#bytes.subarray(from, this.#at));
  }

  #simpleValue(): boolean {
    const byte = this.#bytes[this.#at];
    if (byte === QUOTE) return this.#plainString() || this.#otherString();
    if (isNumberByte(byte)) return !Number.isNaN(this.number());
    return this.expect(NULL) || this.expect(TRUE) || this.expect(FALSE);
  }

  /** Skips a string of printable ASCII without escapes. */
  #plainString(): boolean {
    const bytes = this.#bytes;
    let at = this.#at;
    if (bytes[at++] !== QUOTE) return false;
    while (at < this.#end && isPlain(bytes[at])) at++;
    if (at >= this.#end || bytes[at] !== QUOTE) return false;
    this.#at = at + 1;
    return true;
  }

  #otherString(): boolean {
    const end = this.#stringEnd(this.#at + 1);
    if (end < 0) return false;
    const text = textOf(this.#bytes.subarray(this.#at, end), Infinity, "any");
    if (text === undefined) return false;
    this.#at = end;
    return true;
  }

  /** Behind the quote that ends a string; -1 if there is none. */
  #stringEnd(at: number): number {
    const bytes = this.#bytes;
    while (at < this.#end && bytes[at] !== QUOTE) {
      at += bytes[at] === BACKSLASH ? 2 : 1;
    }
    return at < this.#end ? at + 1 : -1;
  }

  #pair(at: number): number {
    const tens = this.#bytes[at] - DIGIT_0;
    const ones = this.#bytes[at + 1] - DIGIT_0;
    const digits = tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9;
    return digits ? tens * 10 + ones : NaN;
  }
}

const QUOTE = 34;
const COMMA = 44;
const OPEN = 123;
const CLOSE = 125;
const DECODER = new TextDecoder();
const MINUS = 45;
const COLON = 58;
const BACKSLASH = 92;
const NULL = literal("null");
const TRUE = literal("true");
const FALSE = literal("false");
const JSON_NUMBER = /^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/;

/** Whether a byte of a string stands for itself: printable ASCII but a quote or a backslash. */
function isPlain(byte: number): boolean {
  return byte >= 32 && byte < 127 && byte !== QUOTE && byte !== BACKSLASH;
}

function isNumberByte(byte: number): boolean {
  return byte >= DIGIT_0 && byte <= 57 || byte === DOT || byte === MINUS ||
    byte === 43 || byte === 69 || byte === 101;
}

function finite(number: number): number {
  return Number.isFinite(number) ? number : NaN;
}

/**
 * The double nearest to (value · 10^restDigits + rest) / 10^decimals, or
 * undefined where it is too close to the middle of two doubles to decide. For
 * whole numbers below 10^15 and 10^restDigits, restDigits up to 3, decimals up
 * to 22. In pairs of doubles, whose sum has twice the digits (Dekker, "A
 * floating-point technique for extending the available precision", 1971); the
 * test in the end is Ziv's ("Fast evaluation of elementary mathematical
 * functions with correctly rounded last bit", 1991).
 */
function quotient(
  value: number,
  restDigits: number,
  rest: number,
  decimals: number,
): number | undefined {
  const scale = POWERS_OF_TEN[restDigits];
  const product = value * scale;
  const low = productError(value, scale, product) + rest;
  const high = product + low;
  const highError = low - (high - product);
  const divisor = POWERS_OF_TEN[decimals];
  const first = high / divisor;
  const back = first * divisor;
  // Exact up to the addition: the remainder of the first quotient.
  const left = high - back - productError(first, divisor, back) + highError;
  const second = left / divisor;
  const sum = first + second;
  const error = second - (sum - first);
  // About 10^4 times the possible rounding error of the above.
  const doubt = Math.abs(second) * 1e-12;
  const sure = sum + (error + doubt) === sum && sum + (error - doubt) === sum;
  return sure ? sum : undefined;
}

/** The exact rounding error of `product` = a · b. */
function productError(a: number, b: number, product: number): number {
  const aHigh = upperHalf(a);
  const bHigh = upperHalf(b);
  const aLow = a - aHigh;
  const bLow = b - bHigh;
  return aHigh * bHigh - product + aHigh * bLow + aLow * bHigh + aLow * bLow;
}

/** The upper 26 bits of a double (Veltkamp's splitting). */
function upperHalf(x: number): number {
  const scaled = x * (2 ** 27 + 1);
  return scaled - (scaled - x);
}
