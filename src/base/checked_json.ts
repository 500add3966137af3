/**
 * Reads JSON that other programs or people may have written, and checks each
 * value. The caller supplies the error, so that one line names the file, the
 * field and what to do.
 */

/** Checks the values of one file or record. Every method throws the caller's error for a wrong value. */
export class CheckedJson {
  readonly #refuse: (what: string) => Error;

  /** `refuse` makes the error from what is wrong: "day must be a number, not null". */
  constructor(refuse: (what: string) => Error) {
    this.#refuse = refuse;
  }

  /** The error that says what is wrong. */
  error(what: string): Error {
    return this.#refuse(what);
  }

  /** Throws unless `good`. */
  check(good: boolean, what: string): void {
    if (!good) throw this.error(what);
  }

  /** The value of a JSON text. */
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

  /** True or false. */
  boolean(value: unknown, what: string): boolean {
    if (typeof value === "boolean") return value;
    throw this.error(`${what} must be true or false, not ${show(value)}`);
  }

  /** One of some words. */
  oneOf<Word extends string>(
    value: unknown,
    words: readonly Word[],
    what: string,
  ): Word {
    const found = words.find((word) => word === value);
    if (found !== undefined) return found;
    const choice = [words.slice(0, -1).join(", "), words.at(-1)]
      .filter(Boolean).join(" or ");
    throw this.error(`${what} must be ${choice}, not ${show(value)}`);
  }

  /** A list, each item read by `read`, which gets its name for messages. */
  list<Item>(
    value: unknown,
    what: string,
    read: (item: unknown, what: string) => Item,
  ): Item[] {
    if (!Array.isArray(value)) throw this.error(`${what} must be a list`);
    return value.map((item, at) => read(item, `${what}[${at}]`));
  }

  /** A list of texts. */
  strings(value: unknown, what: string): string[] {
    return this.list(value, what, (item, name) => this.string(item, name));
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
    const numbers = this.list(
      value,
      what,
      (item, name) => this.number(item, name),
    );
    this.check(
      length === undefined || numbers.length === length,
      `${what} must have ${length} numbers, not ${numbers.length}`,
    );
    return numbers;
  }
}

/** A value for a message, not too long. */
export function show(value: unknown): string {
  const text = JSON.stringify(value) ?? String(value);
  return text.length > 40 ? text.slice(0, 37) + "…" : text;
}
