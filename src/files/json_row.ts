/** A JSON object as a row of any fields, whether it is a line of a file or a record of a topic. */
import { digitsOf, parseExactly } from "../base/exact_json.ts";
import type { RawValue } from "../definition/rejection.ts";
import { jsonMember } from "./raw_batch.ts";

/** The values by field; numbers of many digits as parseExactly() keeps them. */
export class JsonRow {
  readonly #object: Readonly<Record<string, RawValue>>;

  /** A view of an object; nothing is copied. */
  constructor(object: Readonly<Record<string, RawValue>>) {
    this.#object = object;
  }

  /** The value of a field; undefined where it is missing. */
  get(field: string): RawValue {
    return this.has(field) ? this.#object[field] : undefined;
  }

  /** Whether it has a field. */
  has(field: string): boolean {
    return Object.hasOwn(this.#object, field);
  }

  /** Its fields, in their order. */
  fields(): readonly string[] {
    return Object.keys(this.#object);
  }
}

/** The fields of a JSON object; undefined for other text. */
export function jsonRow(text: string): JsonRow | undefined {
  try {
    const value = parseExactly(text);
    if (typeof value !== "object" || value === null) return undefined;
    if (Array.isArray(value)) return undefined;
    return new JsonRow(value as Record<string, RawValue>);
  } catch {
    return undefined;
  }
}

/** Puts the values of some fields into `into`, in their order; undefined for a field that is missing. */
export function putValues(
  row: JsonRow,
  fields: readonly string[],
  into: RawValue[],
): void {
  for (let at = 0; at < fields.length; at++) {
    const value = row.get(fields[at]);
    into[at] = digitsOf(value) ?? value;
  }
}

/** The fields that `isRest` chooses, as members of a JSON object without its braces; "" for none. */
export function restOf(
  row: JsonRow,
  isRest: (field: string) => boolean,
): string {
  let rest = "";
  for (const field of row.fields()) {
    if (!isRest(field)) continue;
    rest += (rest === "" ? "" : ",") + jsonMember(field, row.get(field));
  }
  return rest;
}
