/** JSON whose numbers keep their digits: one with more digits than a double holds stays as it is written. */

/** Sixteen digits are more than a double holds for certain. */
const MANY_DIGITS = /\d{16}/;

/** Numbers as they are written, which TypeScript's library does not know yet. */
const RAW = JSON as typeof JSON & {
  rawJSON(text: string): object;
  isRawJSON(value: unknown): value is { readonly rawJSON: string };
};

/**
 * The value of a JSON text. A number of 16 digits or more becomes an object
 * that JSON.stringify() writes as it was, see digitsOf(). Throws SyntaxError.
 */
export function parseExactly(text: string): unknown {
  return MANY_DIGITS.test(text)
    ? JSON.parse(text, keepDigits)
    : JSON.parse(text);
}

/** Whether a text may hold a number that JSON.parse() would change. */
export function hasManyDigits(text: string): boolean {
  return MANY_DIGITS.test(text);
}

/** The text of a number that parseExactly() has kept; undefined for other values. */
export function digitsOf(value: unknown): string | undefined {
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
