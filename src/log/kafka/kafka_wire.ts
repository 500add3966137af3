/**
 * The primitive types of Kafka's protocol, big-endian: what requests are
 * written with and responses read with. "Compact" forms belong to the newer,
 * so-called flexible versions of a request.
 */

const ENCODER = new TextEncoder();
const DECODER = new TextDecoder();
const TWO_32 = 2 ** 32;

/** Writes the body of a request into a growing buffer. */
export class WireWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView;
  #length = 0;

  /** Makes an empty writer with room for `capacity` bytes. */
  constructor(capacity = 256) {
    this.#bytes = new Uint8Array(capacity);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** What has been written: a view. */
  bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Makes room for `size` bytes and returns where they begin. */
  #take(size: number): number {
    const at = this.#length;
    this.#length += size;
    if (this.#length > this.#bytes.length) {
      const larger = new Uint8Array(
        Math.max(2 * this.#bytes.length, this.#length),
      );
      larger.set(this.#bytes.subarray(0, at));
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    return at;
  }

  /** An 8-bit whole number. */
  int8(value: number): this {
    const at = this.#take(1); // may replace the view
    this.#view.setInt8(at, value);
    return this;
  }

  /** A truth value. */
  boolean(value: boolean): this {
    return this.int8(value ? 1 : 0);
  }

  /** A 16-bit whole number. */
  int16(value: number): this {
    const at = this.#take(2);
    this.#view.setInt16(at, value);
    return this;
  }

  /** A 32-bit whole number. */
  int32(value: number): this {
    const at = this.#take(4);
    this.#view.setInt32(at, value);
    return this;
  }

  /** A 64-bit whole number that a double holds exactly. */
  int64(value: number): this {
    const at = this.#take(8);
    this.#view.setInt32(at, Math.floor(value / TWO_32));
    this.#view.setUint32(at + 4, value % TWO_32 + (value < 0 ? TWO_32 : 0));
    return this;
  }

  /** A 64-bit whole number. */
  bigint(value: bigint): this {
    const at = this.#take(8);
    this.#view.setBigInt64(at, value);
    return this;
  }

  /** A variable-length whole number without sign. */
  varuint(value: number): this {
    let rest = value;
    while (rest > 127) {
      this.int8((rest & 127) | 128);
      rest >>>= 7;
    }
    return this.int8(rest);
  }

  /** Bytes as they are. */
  raw(bytes: Uint8Array): this {
    const at = this.#take(bytes.length);
    this.#bytes.set(bytes, at);
    return this;
  }

  /** Text with its length; null where there is none. */
  string(text: string | null): this {
    if (text === null) return this.int16(-1);
    const bytes = ENCODER.encode(text);
    return this.int16(bytes.length).raw(bytes);
  }

  /** Text in its compact form. */
  compactString(text: string | null): this {
    if (text === null) return this.varuint(0);
    const bytes = ENCODER.encode(text);
    return this.varuint(bytes.length + 1).raw(bytes);
  }

  /** Bytes with their length; null where there are none. */
  data(bytes: Uint8Array | null): this {
    if (bytes === null) return this.int32(-1);
    return this.int32(bytes.length).raw(bytes);
  }

  /** A list with its length. */
  array<T>(items: readonly T[], write: (item: T) => void): this {
    this.int32(items.length);
    for (const item of items) write(item);
    return this;
  }

  /** A list in its compact form. */
  compactArray<T>(items: readonly T[], write: (item: T) => void): this {
    this.varuint(items.length + 1);
    for (const item of items) write(item);
    return this;
  }

  /** No tagged fields, as every structure of a flexible version ends. */
  noTags(): this {
    return this.int8(0);
  }
}

/** Reads the body of a response; running beyond its end throws RangeError. */
export class WireReader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  /** Reads from the first byte on. */
  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(
      bytes.buffer,
      bytes.byteOffset,
      bytes.byteLength,
    );
  }

  #skip(size: number): number {
    const at = this.#at;
    this.#at += size;
    return at;
  }

  /** An 8-bit whole number. */
  int8(): number {
    return this.#view.getInt8(this.#skip(1));
  }

  /** A truth value. */
  boolean(): boolean {
    return this.int8() !== 0;
  }

  /** A 16-bit whole number. */
  int16(): number {
    return this.#view.getInt16(this.#skip(2));
  }

  /** A 32-bit whole number. */
  int32(): number {
    return this.#view.getInt32(this.#skip(4));
  }

  /** A 64-bit whole number, exact up to 2^53. */
  int64(): number {
    const at = this.#skip(8);
    return this.#view.getInt32(at) * TWO_32 + this.#view.getUint32(at + 4);
  }

  /** A 64-bit whole number. */
  bigint(): bigint {
    return this.#view.getBigInt64(this.#skip(8));
  }

  /** A variable-length whole number without sign. */
  varuint(): number {
    let value = 0;
    for (let shift = 0;; shift += 7) {
      const byte = this.int8();
      value += (byte & 127) * 2 ** shift;
      if (byte >= 0) return value;
    }
  }

  /** The next bytes: a view. */
  raw(size: number): Uint8Array {
    const at = this.#skip(size);
    if (this.#at > this.#bytes.length) throw new RangeError("cut off");
    return this.#bytes.subarray(at, at + size);
  }

  /** Text, or null. */
  string(): string | null {
    const size = this.int16();
    return size < 0 ? null : DECODER.decode(this.raw(size));
  }

  /** Text in its compact form, or null. */
  compactString(): string | null {
    const size = this.varuint();
    return size === 0 ? null : DECODER.decode(this.raw(size - 1));
  }

  /** Bytes: a view; empty for null. */
  data(): Uint8Array {
    return this.raw(Math.max(0, this.int32()));
  }

  /** A list; empty for null. */
  array<T>(read: () => T): T[] {
    return readItems(this.int32(), read);
  }

  /** A list in its compact form; empty for null. */
  compactArray<T>(read: () => T): T[] {
    return readItems(this.varuint() - 1, read);
  }

  /** The tagged fields with which a structure of a flexible version ends; skipped, since none is used. */
  tags(take?: (tag: number, field: WireReader) => void): void {
    for (let left = this.varuint(); left > 0; left--) {
      const tag = this.varuint();
      const bytes = this.raw(this.varuint());
      take?.(tag, new WireReader(bytes));
    }
  }
}

/** Reads items one by one: a wrong count must not allocate that many. */
function readItems<T>(count: number, read: () => T): T[] {
  const items: T[] = [];
  for (let left = count; left > 0; left--) items.push(read());
  return items;
}
