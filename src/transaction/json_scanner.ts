/**
 * Reads JSON whose keys, order and spacing are known, byte by byte and without
 * making objects. It only ever says "this is exactly that" or "I can't tell";
 * whoever gets the latter falls back on JSON.parse, so it decides speed and
 * never what is accepted.
 */
import { dateSeconds } from "./calendar.ts";

const DIGIT_0 = 48;
const DIGIT_9 = 57;
const DOT = 46;
const DIGITS_EXACT = 15;
const POWERS_OF_TEN = Float64Array.from({ length: 23 }, (_, i) => 10 ** i);

/** The bytes of a literal, for expect(). */
export function literal(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

/** A position in bytes and what can be read from there on. */
export class JsonScanner {
  #bytes: Uint8Array = new Uint8Array(0);
  #at = 0;
  #end = 0;
  #dateKey = -1;
  #dateSeconds = 0;

  /** Starts at `start` of `bytes`, up to `end`. */
  start(bytes: Uint8Array, start: number, end: number): void {
    this.#bytes = bytes;
    this.#at = start;
    this.#end = end;
  }

  /** Whether everything has been read. */
  get atEnd(): boolean {
    return this.#at === this.#end;
  }

  /** Steps over `expected`; false if something else stands there. */
  expect(expected: Uint8Array): boolean {
    const bytes = this.#bytes;
    const at = this.#at;
    const length = expected.length;
    if (at + length > this.#end) return false;
    for (let i = 0; i < length; i++) {
      if (bytes[at + i] !== expected[i]) return false;
    }
    this.#at = at + length;
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

  /** Reads a decimal number that is not negative; -1 if there is none. */
  decimal(): number {
    const bytes = this.#bytes;
    const start = this.#at;
    const whole = this.whole();
    if (whole < 0) return -1;
    if (this.#at === this.#end || bytes[this.#at] !== DOT) return whole;
    let at = this.#at + 1;
    let value = whole;
    const first = at;
    while (at < this.#end && bytes[at] >= DIGIT_0 && bytes[at] <= DIGIT_9) {
      value = value * 10 + (bytes[at++] - DIGIT_0);
    }
    const decimals = at - first;
    if (decimals === 0) return -1;
    this.#at = at;
    // A whole number of 15 digits over a power of ten up to 10^22: both are
    // exact doubles, so the quotient is the double nearest to the text.
    if (at - start - 1 <= DIGITS_EXACT) return value / POWERS_OF_TEN[decimals];
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

  #pair(at: number): number {
    const tens = this.#bytes[at] - DIGIT_0;
    const ones = this.#bytes[at + 1] - DIGIT_0;
    const digits = tens >= 0 && tens <= 9 && ones >= 0 && ones <= 9;
    return digits ? tens * 10 + ones : NaN;
  }
}
