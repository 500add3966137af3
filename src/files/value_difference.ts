/**
 * How far two values of tables are apart. They are compared by what they say,
 * since formats write them differently: 1, "1.0" and true are the same, so are a
 * date and its text, null and the empty text, and an object and its JSON.
 */
import { isObject, parsedJson } from "../base/json_shape.ts";
import { isMissing, type RawValue } from "../definition/rejection.ts";

/** How far values are apart: 0 if they say the same, Infinity if they are no numbers that differ. */
export function distance(a: RawValue, b: RawValue): number {
  if (isMissing(a) || isMissing(b)) {
    return isMissing(a) && isMissing(b) ? 0 : Infinity;
  }
  const one = numberOf(a);
  const other = numberOf(b);
  if (!Number.isNaN(one) && !Number.isNaN(other)) {
    const apart = Math.abs(one - other);
    // Digits beyond those of a double: two whole numbers that round to one.
    return apart === 0 && hasManyDigits(a) && hasManyDigits(b) &&
        String(a) !== String(b)
      ? Infinity
      : apart;
  }
  if (textOf(a) === textOf(b)) return 0;
  return objectDistance(objectOf(a), objectOf(b));
}

/** How far objects of numbers are apart, such as scores by model. */
function objectDistance(
  a: Readonly<Record<string, unknown>> | undefined,
  b: Readonly<Record<string, unknown>> | undefined,
): number {
  const keys = Object.keys(a ?? {});
  if (!a || !b || keys.length !== Object.keys(b).length) return Infinity;
  return keys.reduce((greatest, key) => {
    const [one, other] = [a[key], b[key]];
    return typeof one === "number" && typeof other === "number"
      ? Math.max(greatest, Math.abs(one - other))
      : Infinity;
  }, 0);
}

/** The object that a value is, or that its JSON says; undefined for anything else. */
function objectOf(
  value: RawValue,
): Readonly<Record<string, unknown>> | undefined {
  const isJson = typeof value === "string" && value.startsWith("{");
  const found: unknown = isJson ? parsedJson(value) : value;
  return isObject(found) && !Array.isArray(found) && !(found instanceof Date)
    ? found
    : undefined;
}

const NUMBER = /^-?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;

/** The number that a value is; NaN if it is none. */
function numberOf(value: RawValue): number {
  switch (typeof value) {
    case "number":
      return value;
    case "bigint":
    case "boolean":
      return Number(value);
    case "string":
      return NUMBER.test(value) ? Number(value) : NaN;
    default:
      return NaN;
  }
}

function hasManyDigits(value: RawValue): boolean {
  return typeof value === "bigint" ||
    typeof value === "string" && /^-?\d{16,}$/.test(value);
}

/** A whole number up to 2^53 − 1; undefined for anything else. */
export function wholeNumber(value: RawValue): number | undefined {
  const number = numberOf(value);
  return Number.isSafeInteger(number) ? number : undefined;
}

/** A time in one form; undefined for what is none. */
export function momentText(value: RawValue): string | undefined {
  if (value instanceof Date) {
    return withoutZeros(value.toISOString().slice(0, -1));
  }
  if (typeof value !== "string") return undefined;
  const [, day, time] =
    /^(\d{4}-\d\d-\d\d)[ T](\d\d:\d\d:\d\d(?:\.\d+)?)Z?$/.exec(value) ?? [];
  return day && `${day}T${withoutZeros(time)}`;
}

/** A time without the last zeros of its fraction. */
function withoutZeros(time: string): string {
  return time.includes(".") ? time.replace(/\.?0+$/, "") : time;
}

/** What a value that is no number says. */
function textOf(value: RawValue): string {
  if (value instanceof Date) return momentText(value) ?? "";
  if (typeof value === "object") return JSON.stringify(value);
  return momentText(value) ?? String(value);
}

/** A value for people; null where there is none. */
export function shown(value: RawValue): string | null {
  if (isMissing(value)) return null;
  if (value instanceof Date) return value.toISOString();
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
