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

/** Cents as an amount in a currency, if there is one: '€1,234.50', '1,234.50'. */
export function amountOf(
  cents: number,
  currency: string | undefined,
  decimals = 2,
): string {
  const amount = cents / 100;
  if (currency === undefined || !Number.isFinite(amount)) {
    return grouped(amount, decimals);
  }
  return amount.toLocaleString("en-US", {
    style: "currency",
    currency,
    minimumFractionDigits: decimals,
    maximumFractionDigits: decimals,
  });
}

/** What an axis of amounts is called, with the currency if there is one: 'amount, EUR'. */
export function amountUnit(currency: string | undefined): string {
  return currency === undefined ? "amount" : `amount, ${currency}`;
}
