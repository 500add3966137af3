/**
 * Reads JSON that other programs may have written to the stream. Values that
 * cannot be read, or do not have the expected shape, are ignored and stop
 * nothing. (CheckedJson checks files that the user names, and says what is
 * wrong.)
 */

const DECODER = new TextDecoder();

/** The value of a JSON text or UTF-8 bytes; undefined if they are not JSON. */
export function parsedJson(json: string | Uint8Array): unknown {
  try {
    const text = typeof json === "string" ? json : DECODER.decode(json);
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Whether a value is an object or a list. */
export function isObject(
  value: unknown,
): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null;
}

/** Whether a value is a whole number from 0 to 2^53 - 1. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && Number(value) >= 0;
}

/** Whether a value is absent or fits. */
export function isOptional(
  value: unknown,
  fits: (value: unknown) => boolean,
): boolean {
  return value === undefined || fits(value);
}
