/**
 * Ids of payments, cards and terminals: whole numbers up to 2^53 - 1, or text
 * of 1 to 128 bytes of UTF-8. A text id is taken as it is written, with its
 * blanks, case and leading zeros, and is never normalized: other bytes are
 * another id. Control characters, unpaired surrogates and the replacement
 * character are refused, because two different ids could become one.
 */
import { createHmac } from "node:crypto";
import { counted } from "../base/counted.ts";
import { ConfigError } from "../base/error.ts";
import { ID_BYTES_MAX, ID_REFUSED } from "../payment/text_rule.ts";
import {
  isMissing,
  isRejection,
  missing,
  type RawValue,
  reject,
  type Rejection,
} from "./rejection.ts";
import type { IdMapping } from "./stream_definition.ts";

/** Fewest bytes of a key for pseudonyms. */
export const HMAC_KEY_BYTES_MIN = 32;

/** Most bytes of its file; a longer file is no key. */
export const HMAC_KEY_BYTES_MAX = 4096;

/** Reads an id from the values of a row. */
export type IdReader = (
  values: readonly RawValue[],
) => string | number | Rejection;

/**
 * The reader of an id. `placeOf` says where the value of a field stands in a
 * row; `key` is the key for pseudonyms. Throws ConfigError where it is missing
 * or too short.
 */
export function idReader(
  mapping: IdMapping,
  placeOf: (field: string) => number,
  key: Uint8Array | undefined,
): IdReader {
  const { from, join, type, hmac } = mapping;
  const places = from.map(placeOf);
  const [field] = from;
  const [place] = places;
  if (type === "number") return (values) => wholeId(field, values[place]);
  const read: IdReader = join === null
    ? (values) => textId(field, values[place])
    : (values) => joinedId(from, join, values, places);
  return hmac ? pseudonyms(read, keyOf(key)) : read;
}

function keyOf(key: Uint8Array | undefined): Uint8Array {
  if (key === undefined) {
    throw new ConfigError(
      "the definition replaces ids by pseudonyms (hmac: true); name the file " +
        "that holds their key with --hmac-key-file",
    );
  }
  if (key.length >= HMAC_KEY_BYTES_MIN) return key;
  throw new ConfigError(
    `the key for pseudonyms has ${
      counted(key.length, "byte")
    } and needs at least ` +
      `${HMAC_KEY_BYTES_MIN}; make one with: head -c 32 /dev/urandom > FILE`,
  );
}

const DIGITS_EXACT = 15;

function wholeId(field: string, value: RawValue): number | Rejection {
  if (typeof value === "string") {
    const number = fastWhole(value);
    if (number >= 0) return number;
  } else if (typeof value === "number") {
    // -0 is 0.
    if (Number.isSafeInteger(value) && value >= 0) return value + 0;
  }
  return slowWhole(field, value);
}

/** A whole number of up to 15 digits without leading zeros; -1 for any other text. */
function fastWhole(text: string): number {
  const { length } = text;
  if (length === 0 || length > DIGITS_EXACT) return -1;
  let number = 0;
  for (let at = 0; at < length; at++) {
    const digit = text.charCodeAt(at) - 48;
    if (!(digit >= 0 && digit <= 9)) return -1;
    number = number * 10 + digit;
  }
  return length > 1 && text.charCodeAt(0) === 48 ? -1 : number;
}

function slowWhole(field: string, value: RawValue): number | Rejection {
  if (isMissing(value)) return missing(field);
  const isNumber = typeof value === "number" || typeof value === "bigint" ||
    typeof value === "string";
  // Columns of numbers with gaps are floats in many programs: 12.0 is 12.
  const text = isNumber ? String(value).trim().replace(/\.0+$/, "") : "";
  if (!/^(?:0|-?[1-9]\d*)$/.test(text)) {
    return reject(
      "wrong type",
      field,
      value,
      "is not a whole number; 'type: text' in the definition accepts any text",
    );
  }
  const number = Number(text);
  if (Number.isSafeInteger(number) && number >= 0) return number + 0;
  return reject(
    "out of range",
    field,
    value,
    "is not in 0…2^53 - 1; 'type: text' in the definition keeps its digits",
  );
}

const PLAIN_TEXT = /^[\x20-\x7e]{1,128}$/;

const ENCODER = new TextEncoder();

function textId(field: string, value: RawValue): string | Rejection {
  if (typeof value === "string" && PLAIN_TEXT.test(value)) return value;
  if (isMissing(value)) return missing(field);
  const text = textOf(field, value);
  return isRejection(text) ? text : checkedId(field, text);
}

/** The text of a value with all its digits. */
function textOf(field: string, value: RawValue): string | Rejection {
  if (typeof value === "string") return value;
  if (typeof value === "bigint") return String(value);
  if (typeof value === "number") {
    if (Number.isSafeInteger(value)) return String(value + 0);
    const rule = Number.isInteger(value)
      ? "is a double that may have lost digits; store the column as text or " +
        "as 64-bit integers"
      : "is not a whole number or text";
    return reject("wrong type", field, value, rule);
  }
  return reject("wrong type", field, value, "is not a whole number or text");
}

function checkedId(field: string, text: string): string | Rejection {
  if (ID_REFUSED.test(text)) {
    return reject(
      "invalid text",
      field,
      text,
      "holds a control character or is not UTF-8, which no id may",
    );
  }
  if (text.length <= ID_BYTES_MAX) {
    if (ENCODER.encode(text).length <= ID_BYTES_MAX) return text;
  }
  return reject(
    "out of range",
    field,
    text,
    `has more than ${ID_BYTES_MAX} bytes`,
  );
}

/** The parts with `join` between them. A part that holds `join` could make two different ids equal. */
function joinedId(
  from: readonly string[],
  join: string,
  values: readonly RawValue[],
  places: readonly number[],
): string | Rejection {
  let joined = "";
  for (let part = 0; part < from.length; part++) {
    const text = textId(from[part], values[places[part]]);
    if (isRejection(text)) return text;
    if (text.includes(join)) {
      return reject(
        "ambiguous id",
        from[part],
        text,
        `holds ${JSON.stringify(join)}, which joins the parts of an id; ` +
          "choose another 'join'",
      );
    }
    joined += part === 0 ? text : join + text;
  }
  return PLAIN_TEXT.test(joined) ? joined : checkedId(from.join(), joined);
}

/** Pseudonyms that are kept: cards come again and again. */
const PSEUDONYMS_MAX = 65_536;

/** Replaces ids by their HMAC-SHA-256 (base64url, 43 characters). Messages do not show the id. */
function pseudonyms(read: IdReader, key: Uint8Array): IdReader {
  const known = new Map<string, string>();
  return (values) => {
    const id = read(values);
    if (typeof id === "number" || isRejection(id)) return hidden(id);
    let pseudonym = known.get(id);
    if (pseudonym === undefined) {
      pseudonym = createHmac("sha256", key).update(id, "utf8")
        .digest("base64url");
      if (known.size >= PSEUDONYMS_MAX) known.clear();
      known.set(id, pseudonym);
    }
    return pseudonym;
  };
}

function hidden(id: number | Rejection): number | Rejection {
  if (typeof id === "number" || id.reason === "missing field") return id;
  const { reason, field } = id;
  return {
    reason,
    field,
    message: `${field} is not an id (its value is not shown, because the ` +
      "definition has 'hmac: true' for it)",
  };
}
