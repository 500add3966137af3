/**
 * The wire format of Protocol Buffers, as far as ONNX files need it: splits a
 * message into its fields and joins fields to a message. Fields that are not
 * read keep their bytes, so a changed file keeps everything that this program
 * does not know.
 */

/** A field of a message as it was read. */
export interface Field {
  /** The field's number. */
  readonly number: number;
  /** How its value is written. */
  readonly wire: number;
  /** The whole field: its tag and what follows. */
  readonly encoded: Uint8Array;
  /** Bytes of a text, a message or packed numbers; empty otherwise. */
  readonly payload: Uint8Array;
  /** A whole number; 0 otherwise. Beyond 2^53 it is rounded. */
  readonly integer: number;
}

const VARINT = 0;
const FIXED_64 = 1;
const LENGTH = 2;
const FIXED_32 = 5;

const VARINT_BYTES_MAX = 10;

const EMPTY = new Uint8Array();

/** The fields of a message. Throws RangeError if it is not one. */
export function readFields(message: Uint8Array): Field[] {
  const fields: Field[] = [];
  const place = { at: 0 };
  while (place.at < message.length) {
    const from = place.at;
    const tag = readVarint(message, place);
    const number = Math.floor(tag / 8);
    const wire = tag % 8;
    if (number < 1) throw new RangeError(`field ${number} at byte ${from}`);
    let integer = 0;
    let payload: Uint8Array = EMPTY;
    switch (wire) {
      case VARINT:
        integer = readVarint(message, place);
        break;
      case FIXED_64:
        place.at += 8;
        break;
      case FIXED_32:
        place.at += 4;
        break;
      case LENGTH: {
        const length = readVarint(message, place);
        if (length < 0) throw new RangeError(`length ${length}`);
        payload = message.subarray(place.at, place.at + length);
        place.at += length;
        break;
      }
      default:
        throw new RangeError(`wire type ${wire} at byte ${from}`);
    }
    if (place.at > message.length) throw new RangeError("it ends too early");
    const encoded = message.subarray(from, place.at);
    fields.push({ number, wire, encoded, payload, integer });
  }
  return fields;
}

/** Payloads of the fields of that number. */
export function payloadsOf(
  fields: readonly Field[],
  number: number,
): Uint8Array[] {
  return fields.filter((field) => field.number === number)
    .map(({ payload }) => payload);
}

/** Texts of the fields of that number. */
export function textsOf(fields: readonly Field[], number: number): string[] {
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  return payloadsOf(fields, number).map((payload) => decoder.decode(payload));
}

/** Text of the field of that number; "" if there is none. */
export function textOf(fields: readonly Field[], number: number): string {
  return textsOf(fields, number).at(-1) ?? "";
}

/** Whole numbers of a repeated field, packed or not. Throws RangeError if they are broken. */
export function integersOf(
  fields: readonly Field[],
  number: number,
): number[] {
  return fields.filter((field) => field.number === number).flatMap(
    ({ wire, payload, integer }) => {
      if (wire !== LENGTH) return [integer];
      const integers: number[] = [];
      const place = { at: 0 };
      while (place.at < payload.length) {
        integers.push(readVarint(payload, place));
      }
      return integers;
    },
  );
}

/** A field with a whole number of 64 bits. */
export function integerField(number: number, value: number): Uint8Array {
  return Uint8Array.from([...varint(number * 8 + VARINT), ...varint(value)]);
}

/** A field with whole numbers, packed. */
export function integersField(
  number: number,
  values: Iterable<number>,
): Uint8Array {
  const bytes: number[] = [];
  for (const value of values) bytes.push(...varint(value));
  return bytesField(number, Uint8Array.from(bytes));
}

/** A field with a text. */
export function textField(number: number, text: string): Uint8Array {
  return bytesField(number, new TextEncoder().encode(text));
}

/** A field with a message: its fields one after another. */
export function messageField(
  number: number,
  fields: readonly Uint8Array[],
): Uint8Array {
  return bytesField(number, concatenate(fields));
}

/** A field with bytes. */
export function bytesField(number: number, bytes: Uint8Array): Uint8Array {
  const head = [...varint(number * 8 + LENGTH), ...varint(bytes.length)];
  return concatenate([Uint8Array.from(head), bytes]);
}

/** Fields, or other bytes, one after another: a message. */
export function concatenate(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(
    parts.reduce((sum, { length }) => sum + length, 0),
  );
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/** Reads a number of 64 bits with sign. */
function readVarint(bytes: Uint8Array, place: { at: number }): number {
  // Most are short; a shift of 32-bit numbers is exact up to four bytes.
  let value = 0;
  for (let count = 0; count < 4; count++) {
    const byte = byteAt(bytes, place);
    value |= (byte & 0x7f) << (7 * count);
    if (byte < 0x80) return value;
  }
  let long = BigInt(value);
  for (let count = 4; count < VARINT_BYTES_MAX; count++) {
    const byte = byteAt(bytes, place);
    long |= BigInt(byte & 0x7f) << BigInt(7 * count);
    if (byte < 0x80) return Number(BigInt.asIntN(64, long));
  }
  throw new RangeError(`a number of too many bytes before byte ${place.at}`);
}

function byteAt(bytes: Uint8Array, place: { at: number }): number {
  if (place.at >= bytes.length) throw new RangeError("it ends too early");
  return bytes[place.at++];
}

/** The bytes of a whole number; one below 0 as its 64 bits. */
function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = BigInt.asUintN(64, BigInt(value));
  while (rest >= 0x80n) {
    bytes.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  bytes.push(Number(rest));
  return bytes;
}
