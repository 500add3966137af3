/** Numbers of the report's text and tables, as people read them. */
import { visible } from "../base/terminal_text.ts";
import { CURRENCY } from "../payment/payment.ts";
import {
  HANDBOOK_SHAPE,
  type PaymentShape,
  UNLABELLED_SHAPE,
} from "../payment/payment_shape.ts";
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

/** How amounts are written. */
export interface AmountForm {
  /** Code of ISO 4217; null where it is not known. */
  readonly currency: string | null;
  /** Decimals of an amount. */
  readonly decimals: number;
}

/** How the amounts of a shape are written; those of the simulator, which names no currency, in the usual one. */
export function amountForm(shape: PaymentShape): AmountForm {
  const isSimulated = shape === HANDBOOK_SHAPE || shape === UNLABELLED_SHAPE;
  const currency = isSimulated ? CURRENCY : shape.currency;
  return { currency, decimals: shape.decimals };
}

/** An amount in its currency, if there is one: '€1,234.50', '1,234.50'. */
export function amountOf(
  amount: number,
  { currency, decimals }: AmountForm,
  shownDecimals: number = decimals,
): string {
  if (currency === null || !Number.isFinite(amount)) {
    return grouped(amount, shownDecimals);
  }
  const text = amount.toLocaleString("en-US", {
    style: "currency",
    currency,
    minimumFractionDigits: shownDecimals,
    maximumFractionDigits: shownDecimals,
  });
  return text.replace("-", "−");
}

/** The same of minor units. */
export function unitsOf(
  units: number,
  form: AmountForm,
  shownDecimals?: number,
): string {
  return amountOf(units / 10 ** form.decimals, form, shownDecimals);
}

/** A sum of minor units without decimals, a great one shorter: '$1.07B'. */
export function sumOf(units: number, form: AmountForm): string {
  const amount = units / 10 ** form.decimals;
  if (Math.abs(amount) < 1e9) return unitsOf(units, form, 0);
  const text = amount.toLocaleString("en-US", {
    ...form.currency !== null && { style: "currency", currency: form.currency },
    notation: "compact",
    maximumSignificantDigits: 4,
  });
  return text.replace("-", "−");
}

/** What an axis of amounts is called, with the currency if there is one: 'amount, EUR'. */
export function amountUnit({ currency }: Pick<AmountForm, "currency">): string {
  return currency === null ? "amount" : `amount, ${currency}`;
}

/** Characters of a text that tables and figures show. */
const TEXT_LENGTH_MAX = 40;

/** A text of the data, its invisible characters escaped, without its middle where it is long: names of a chain often differ at their end. */
export function shortened(
  text: string,
  most: number = TEXT_LENGTH_MAX,
): string {
  const characters = [...visible(text)];
  if (characters.length <= most) return characters.join("");
  const end = Math.floor((most - 1) / 3);
  const start = most - 1 - end;
  return characters.slice(0, start).join("") + "…" +
    characters.slice(-end).join("");
}
