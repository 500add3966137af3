/**
 * Values of a JSON file from anybody, checked one by one; what is wrong is
 * told in one line that names the file and the field.
 */
import { ModelError } from "./error.ts";

/** Checks the values of one file. Every method throws ModelError for a value that is not as asked. */
export class CheckedJson {
  readonly #path: string;

  /** `path` is for messages. */
  constructor(path: string) {
    this.#path = path;
  }

  /** The error that says what is wrong. */
  error(what: string): ModelError {
    return new ModelError(
      `${this.#path} is no model that can be used: ${what}; train it again, ` +
        "or take another copy",
    );
  }

  /** Throws unless `good`. */
  check(good: boolean, what: string): void {
    if (!good) throw this.error(what);
  }

  /** What a text says that is JSON itself. */
  parse(text: string, what: string): unknown {
    try {
      return JSON.parse(text);
    } catch {
      throw this.error(`${what} must be JSON, not ${show(text)}`);
    }
  }

  /** An object. */
  object(value: unknown, what: string): Readonly<Record<string, unknown>> {
    if (typeof value === "object" && value !== null && !Array.isArray(value)) {
      return value as Record<string, unknown>;
    }
    throw this.error(`${what} must be an object, not ${show(value)}`);
  }

  /** A text. */
  string(value: unknown, what: string): string {
    if (typeof value === "string") return value;
    throw this.error(`${what} must be text, not ${show(value)}`);
  }

  /** A list of texts. */
  strings(value: unknown, what: string): string[] {
    if (!Array.isArray(value)) throw this.error(`${what} must be a list`);
    return value.map((item, at) => this.string(item, `${what}[${at}]`));
  }

  /** A finite number. */
  number(value: unknown, what: string): number {
    // A number too large for a double is read as Infinity.
    if (typeof value === "number" && Number.isFinite(value)) return value;
    throw this.error(`${what} must be a number, not ${show(value)}`);
  }

  /** A whole number, 0 or more. */
  whole(value: unknown, what: string): number {
    const number = this.number(value, what);
    this.check(
      Number.isSafeInteger(number) && number >= 0,
      `${what} must be a whole number, not ${show(value)}`,
    );
    return number;
  }

  /** A list of finite numbers, `length` of them if given. */
  numbers(value: unknown, what: string, length?: number): number[] {
    if (!Array.isArray(value)) throw this.error(`${what} must be a list`);
    this.check(
      length === undefined || value.length === length,
      `${what} has ${value.length} numbers and not ${length}`,
    );
    return value.map((item, at) => this.number(item, `${what}[${at}]`));
  }
}

/** A value for a message, not too long. */
export function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 40 ? text.slice(0, 37) + "…" : text;
}
