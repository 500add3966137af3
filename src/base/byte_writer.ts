/**
 * A growing buffer for ASCII text and numbers: how records are written without
 * a string for every row. Numbers come out as JavaScript prints them.
 */

const ASCII_MAX = 0x7f;
/** Bytes of a character of UTF-16 in UTF-8. */
const UTF8_BYTES_MAX = 3;
/** The greatest number of 15 digits. */
const MILLIONTHS_MAX = 999_999_999_999_999;
const ENCODER = new TextEncoder();

const DIGIT_0 = 48;
const DOT = 46;
const QUOTE = 34;

/** Appends bytes to a buffer that doubles when it is full. */
export class ByteWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  #length = 0;

  /** Makes an empty writer with room for `capacity` bytes. */
  constructor(capacity = 4096) {
    this.#bytes = new Uint8Array(capacity);
  }

  /** Number of bytes written. */
  get length(): number {
    return this.#length;
  }

  /** What has been written; a view that the next write may invalidate. */
  view(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Forgets everything written, keeping the buffer. */
  clear(): void {
    this.#length = 0;
  }

  /** Makes sure that `more` bytes fit. */
  reserve(more: number): void {
    const needed = this.#length + more;
    if (needed <= this.#bytes.length) return;
    let capacity = this.#bytes.length * 2;
    while (capacity < needed) capacity *= 2;
    const larger = new Uint8Array(capacity);
    larger.set(this.view());
    this.#bytes = larger;
  }

  /** Appends bytes as they are. */
  bytes(source: Uint8Array): void {
    this.reserve(source.length);
    this.#bytes.set(source, this.#length);
    this.#length += source.length;
  }

  /** Appends bytes `from` … `to` of a source between quotes. */
  quoted(source: Uint8Array, from: number, to: number): void {
    this.reserve(to - from + 2);
    const bytes = this.#bytes;
    let at = this.#length;
    bytes[at++] = QUOTE;
    for (let i = from; i < to; i++) bytes[at++] = source[i];
    bytes[at++] = QUOTE;
    this.#length = at;
  }

  /** Appends bytes `from` … `to` of a source. */
  slice(source: Uint8Array, from: number, to: number): void {
    this.reserve(to - from);
    const bytes = this.#bytes;
    let at = this.#length;
    for (let i = from; i < to; i++) bytes[at++] = source[i];
    this.#length = at;
  }

  /** Appends text of ASCII characters only. */
  ascii(text: string): void {
    this.reserve(text.length);
    const bytes = this.#bytes;
    let at = this.#length;
    for (let i = 0; i < text.length; i++) bytes[at++] = text.charCodeAt(i);
    this.#length = at;
  }

  /** Appends any text in UTF-8. */
  text(text: string): void {
    this.reserve(UTF8_BYTES_MAX * text.length);
    const bytes = this.#bytes;
    let at = this.#length;
    for (let i = 0; i < text.length; i++) {
      const unit = text.charCodeAt(i);
      if (unit > ASCII_MAX) {
        const room = bytes.subarray(at);
        at += ENCODER.encodeInto(text.slice(i), room).written;
        break;
      }
      bytes[at++] = unit;
    }
    this.#length = at;
  }

  /** Appends a whole number from 0 to 2^53 - 1 in decimal. */
  whole(value: number): void {
    this.reserve(16);
    const bytes = this.#bytes;
    let digits = 1;
    for (let limit = 10; value >= limit; limit *= 10) digits++;
    let at = this.#length + digits;
    this.#length = at;
    let rest = value;
    while (rest > 0x7fff_ffff) {
      const quotient = Math.floor(rest / 10);
      bytes[--at] = DIGIT_0 + (rest - quotient * 10);
      rest = quotient;
    }
    let small = rest | 0;
    do {
      const quotient = (small / 10) | 0;
      bytes[--at] = DIGIT_0 + (small - quotient * 10);
      small = quotient;
    } while (small > 0);
  }

  /** Appends `digits` decimals of a small whole number, with leading zeros. */
  padded(value: number, digits: number): void {
    this.reserve(digits);
    let at = this.#length + digits;
    this.#length = at;
    let rest = value;
    for (let i = 0; i < digits; i++) {
      const quotient = (rest / 10) | 0;
      this.#bytes[--at] = DIGIT_0 + (rest - quotient * 10);
      rest = quotient;
    }
  }

  /** Appends a finite number as String(value) prints it. */
  number(value: number): void {
    if (value >= 0 && value <= 0x7fff_ffff) {
      const whole = value | 0;
      if (whole === value) return this.whole(whole);
      const cents = Math.round(value * 100);
      // The double nearest to cents / 100 prints as those two decimals.
      if (cents / 100 === value && cents <= 0x7fff_ffff) {
        return this.#hundredths(cents);
      }
    }
    if (!this.#millionths(value)) this.ascii(String(value));
  }

  /** Appends a number of up to six decimals, such as a degree of latitude; false if it is none, or too large. */
  #millionths(value: number): boolean {
    const size = Math.abs(value);
    const millionths = Math.round(size * 1e6);
    // Fifteen digits are all that tell this double from others, so it prints as they are.
    if (millionths / 1e6 !== size || millionths > MILLIONTHS_MAX) return false;
    if (value < 0) this.ascii("-");
    const whole = Math.floor(millionths / 1e6);
    this.whole(whole);
    let rest = millionths - whole * 1e6;
    if (rest === 0) return true;
    let digits = 6;
    for (; rest % 10 === 0; rest /= 10) digits--;
    this.ascii(".");
    this.padded(rest, digits);
    return true;
  }

  #hundredths(cents: number): void {
    const whole = (cents / 100) | 0;
    const rest = cents - whole * 100;
    this.whole(whole);
    this.reserve(3);
    const tens = (rest / 10) | 0;
    const ones = rest - tens * 10;
    this.#bytes[this.#length++] = DOT;
    this.#bytes[this.#length++] = DIGIT_0 + tens;
    if (ones !== 0) this.#bytes[this.#length++] = DIGIT_0 + ones;
  }

  /** Appends 'YYYY-MM-DD HH:MM:SS' parts: hours, minutes and seconds of a second of the day. */
  timeOfDay(second: number): void {
    const hours = (second / 3600) | 0;
    const minutes = ((second - hours * 3600) / 60) | 0;
    this.padded(hours, 2);
    this.ascii(":");
    this.padded(minutes, 2);
    this.ascii(":");
    this.padded(second - hours * 3600 - minutes * 60, 2);
  }
}
