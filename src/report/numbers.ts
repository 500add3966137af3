/** Numbers of the report's text and tables, as people read them. */
import { grouped } from "../dashboard/page/scale.js";

/** A number to about three digits, for sentences. */
export function threeDigits(value: number): string {
  const size = Math.abs(value);
  if (Number.isInteger(value) || size >= 100) return grouped(value);
  if (size >= 10) return grouped(value, 1);
  return grouped(value, size >= 1 ? 2 : 4);
}

/** Decimals of measured values in tables, the same in all rows so that columns align. */
export const TABLE_DECIMALS = 4;

/** A correlation, with its sign: '+0.109', '0.000'. */
export function signed(value: number): string {
  const text = grouped(value, 3);
  return value > 0 && /[1-9]/.test(text) ? `+${text}` : text;
}

/** A number of things: '1 fraud', '2 frauds'. */
export function some(
  count: number,
  noun: string,
  plural: string = `${noun}s`,
): string {
  return `${grouped(count)} ${count === 1 ? noun : plural}`;
}

/** Cents as an amount: '1,234.50'. */
export function amountOf(cents: number): string {
  return grouped(cents / 100, 2);
}
