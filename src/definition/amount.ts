/**
 * Amounts as exact minor units: cents where there are two decimals. Decimal
 * text is read digit by digit and never through a double. A text or number with
 * more decimals is accepted where it lies within 1e-6 of a minor unit, as sums
 * of doubles do.
 */
import { MINOR_UNITS_MAX } from "../payment/payment_shape.ts";
import { isMissing, missing, type RawValue, reject } from "./rejection.ts";
import type { Rejection } from "./rejection.ts";
import type { AmountMapping } from "./stream_definition.ts";

/** Distance from a minor unit that still counts as one; relative where doubles are further apart. */
const TOLERANCE = 1e-6;
const TOLERANCE_RELATIVE = 2 ** -50;

/** Digits that a double holds exactly. */
const DIGITS_EXACT = 15;

const POWERS_OF_TEN = [1, 10, 100, 1000, 10_000] as const;

/** Reads the minor units of a value, or says why it has none. */
export function amountReader(
  mapping: AmountMapping,
): (value: RawValue) => number | Rejection {
  const { from, decimals, refunds } = mapping;
  const isPlain = mapping.prefix === null && mapping.decimal === "." &&
    mapping.thousands === null;
  const slow = (value: RawValue): number | Rejection => {
    if (isMissing(value)) return missing(from);
    const text = typeof value === "string"
      ? plainText(value.trim(), mapping)
      : typeof value === "number" || typeof value === "bigint"
      ? String(value)
      : undefined;
    const units = text === undefined ? undefined : minorUnits(text, decimals);
    if (units === undefined) return notAnAmount(value, mapping);
    if (Number.isNaN(units)) {
      return reject(
        "not whole minor units",
        from,
        value,
        `has more than ${decimals} decimals`,
      );
    }
    if (Math.abs(units) > MINOR_UNITS_MAX) {
      const max = MINOR_UNITS_MAX / POWERS_OF_TEN[decimals];
      return reject("out of range", from, value, `is not in ±${max}`);
    }
    if (units >= 0 || refunds) return units;
    return reject(
      "negative amount",
      from,
      value,
      "is negative; 'refunds: true' in the definition accepts refunds",
    );
  };
  if (!isPlain) return slow;
  return (value) => {
    const units = typeof value === "string" ? fastUnits(value, decimals) : -1;
    return units >= 0 && units <= MINOR_UNITS_MAX ? units : slow(value);
  };
}

function notAnAmount(value: RawValue, mapping: AmountMapping): Rejection {
  const { from, prefix, decimal, thousands } = mapping;
  const example = `${prefix ?? ""}1${thousands ?? ""}234${decimal}5`;
  return reject(
    "wrong type",
    from,
    value,
    `is not an amount such as ${JSON.stringify(example)}`,
  );
}

/** Minor units of digits with at most `decimals` behind a point; -1 for any other text. */
function fastUnits(text: string, decimals: number): number {
  const { length } = text;
  if (length === 0 || length > DIGITS_EXACT) return -1;
  let units = 0;
  let point = -1;
  for (let at = 0; at < length; at++) {
    const digit = text.charCodeAt(at) - 48;
    if (digit >= 0 && digit <= 9) units = units * 10 + digit;
    else if (digit === -2 && point < 0 && at > 0) point = at;
    else return -1;
  }
  if (point < 0) return units * POWERS_OF_TEN[decimals as 0];
  const behind = length - 1 - point;
  if (behind === 0 || behind > decimals) return -1;
  return units * POWERS_OF_TEN[(decimals - behind) as 0];
}

/** A text of the mapping's form with a point and without prefix and thousands; undefined for another text. */
function plainText(
  text: string,
  { prefix, decimal, thousands }: AmountMapping,
): string | undefined {
  const match = /^([+-]?)([^]*)$/.exec(text);
  let sign = match?.[1] ?? "";
  let rest = match?.[2] ?? "";
  if (prefix !== null && rest.startsWith(prefix)) {
    rest = rest.slice(prefix.length).trimStart();
    if (sign === "" && /^[+-]/.test(rest)) {
      sign = rest[0];
      rest = rest.slice(1);
    }
  }
  const [whole, fraction, ...more] = rest.split(decimal);
  if (more.length > 0) return undefined;
  const number = thousands === null ? whole : ungrouped(whole, thousands);
  if (number === undefined) return undefined;
  if (decimal === "," && (number + fraction).includes(".")) return undefined;
  return (sign === "-" ? "-" : "") + number +
    (fraction === undefined ? "" : `.${fraction}`);
}

/** Digits without the separators of thousands; undefined where those do not stand every three digits. */
function ungrouped(whole: string, thousands: string): string | undefined {
  const [first, ...groups] = whole.split(thousands);
  if (groups.length === 0) return whole;
  const isRight = /^\d{1,3}$/.test(first) &&
    groups.every((group) => /^\d{3}$/.test(group));
  return isRight ? first + groups.join("") : undefined;
}

const DECIMAL =
  /^(-?)(?=\.?\d)(\d{0,40})(?:\.(\d{0,400}))?(?:[eE]([+-]?\d{1,3}))?$/;

/** Minor units of a decimal number; NaN where it has more decimals, undefined where it is no number. */
function minorUnits(text: string, decimals: number): number | undefined {
  const match = DECIMAL.exec(text);
  if (!match) return undefined;
  const [, sign, whole, fraction = "", exponent = "0"] = match;
  // The point lies this many digits from the start.
  const point = whole.length + Number(exponent) + decimals;
  const digits = (whole + fraction).padEnd(Math.min(point, 1100), "0");
  const units = Number(point <= 0 ? "0" : digits.slice(0, point));
  const behind = point >= 0 ? digits.slice(point) : "0".repeat(-point) + digits;
  const rest = behind === "" ? 0 : Number(`0.${behind}`);
  const tolerance = Math.max(TOLERANCE, units * TOLERANCE_RELATIVE);
  const up = rest >= 0.5 ? 1 : 0;
  if (Math.abs(rest - up) > tolerance) return NaN;
  const found = units + up;
  // -0 is 0.
  return sign === "-" && found > 0 ? -found : found;
}
