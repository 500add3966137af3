/** Numbers of the report's text and tables, as people read them. */
import { grouped } from "../dashboard/page/scale.js";

/** A number to about three digits, for sentences. */
export function threeDigits(value: number): string {
  return Number.isFinite(value) ? grouped(value, decimalsOf(value)) : "none";
}

/** Decimals that give a number about three digits, at most 4. */
function decimalsOf(value: number): number {
  const size = Math.abs(value);
  if (Number.isInteger(value) || size >= 100) return 0;
  if (size >= 10) return 1;
  return size >= 1 ? 2 : 4;
}

/** Numbers of one column, all with the decimals that the one with the most needs for about three digits. */
export function evenDigits(values: readonly number[]): string[] {
  const finite = values.filter((value) => Number.isFinite(value));
  const decimals = Math.max(0, ...finite.map(decimalsOf));
  return values.map((value) => grouped(value, decimals));
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
