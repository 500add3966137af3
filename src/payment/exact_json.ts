/**
 * JSON whose numbers keep their digits: a number with 16 digits in a row or
 * more, which a double may not hold, stays as it is written.
 */

/** Sixteen digits are more than a double holds for certain. */
const MANY_DIGITS = /\d{16}/;

/** Numbers as they are written, which TypeScript's library does not know yet. */
const RAW = JSON as typeof JSON & {
  rawJSON(text: string): object;
  isRawJSON(value: unknown): value is { readonly rawJSON: string };
};

/** JSON.parse() that keeps digits: rawText() gives those of such a number, and JSON.stringify() writes it so again. */
export function parseExactJson(text: string): unknown {
  return MANY_DIGITS.test(text)
    ? JSON.parse(text, keepDigits)
    : JSON.parse(text);
}

/** The text of a number that was kept as it is written; undefined for other values. */
export function rawText(value: unknown): string | undefined {
  return RAW.isRawJSON(value) ? value.rawJSON : undefined;
}

function keepDigits(
  _key: string,
  value: unknown,
  context?: { readonly source?: string },
): unknown {
  const source = context?.source;
  return typeof value === "number" && source !== undefined &&
      MANY_DIGITS.test(source)
    ? RAW.rawJSON(source)
    : value;
}
