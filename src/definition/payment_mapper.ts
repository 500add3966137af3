/**
 * A definition's mapping, compiled: from the values of a row in other people's
 * data to a payment and its kept fields, or the reason why the row is none. The
 * readers of files, the API and `ingest` share it, so a payment is the same
 * wherever it enters.
 */
import { END_SECOND, FIRST_SECOND } from "../payment/calendar.ts";
import { INT_MAX, PAYMENT_FIELDS } from "../payment/payment.ts";
import { FRAUD_UNKNOWN } from "../payment/payment_cells.ts";
import { KEPT_BYTES_MAX, TEXT_REFUSED } from "../payment/text_rule.ts";
import { amountReader } from "./amount.ts";
import { type IdReader, idReader } from "./identifier.ts";
import {
  isMissing,
  isRejection,
  missing,
  type RawValue,
  reject,
  type Rejection,
} from "./rejection.ts";
import {
  type FlagMapping,
  isRowNumber,
  type KeptField,
  type PaymentMapping,
  sourceFields,
  type StreamDefinition,
  type TimeMapping,
} from "./stream_definition.ts";
import { timeReader } from "./time_format.ts";
import { Zone } from "./zone.ts";

export { FRAUD_UNKNOWN };

/** A kept value: text, a number, a flag as 0 or 1, a time in seconds since 1970; null where it is missing. */
export type KeptValue = string | number | null;

/** A payment that a row was mapped to. Mutable, to be reused for every row. */
export interface MappedPayment {
  /** TRANSACTION_ID: a number or text, as the definition says. */
  transactionId: number | string;
  /** TX_DATETIME in seconds since 1970. */
  datetimeSeconds: number;
  /** CUSTOMER_ID, or its pseudonym. */
  customerId: number | string;
  /** TERMINAL_ID. */
  terminalId: number | string;
  /** TX_AMOUNT in minor units; negative for a refund. */
  amountUnits: number;
  /** TX_FRAUD: 0, 1, or FRAUD_UNKNOWN. */
  fraud: number;
  /** TX_FRAUD_SCENARIO, 0 where the definition has none. */
  scenario: number;
  /** The kept fields, in the order of the definition's. */
  readonly kept: KeptValue[];
}

/** A payment to be filled and reused. */
export function emptyMappedPayment(): MappedPayment {
  return {
    transactionId: 0,
    datetimeSeconds: 0,
    customerId: 0,
    terminalId: 0,
    amountUnits: 0,
    fraud: FRAUD_UNKNOWN,
    scenario: 0,
    kept: [],
  };
}

type Read<T> = (value: RawValue) => T | Rejection;

/** Maps rows to payments by a definition. */
export class PaymentMapper {
  /** Names of the fields that it reads: the values of a row stand in this order. */
  readonly fields: readonly string[];
  readonly #mapping: PaymentMapping;
  readonly #id: IdReader | undefined;
  readonly #customer: IdReader;
  readonly #terminal: IdReader;
  readonly #time: (values: readonly RawValue[]) => number | Rejection;
  readonly #amount: Read<number>;
  readonly #amountPlace: number;
  readonly #fraud: Read<number> | undefined;
  readonly #fraudPlace: number;
  readonly #scenarioPlace: number;
  readonly #kept: readonly Read<KeptValue>[];
  readonly #keptPlaces: readonly number[];
  readonly #named: ReadonlySet<string>;

  /**
   * Compiles a mapping. `hmacKey` is the key of the pseudonyms. Throws
   * ConfigError where the definition needs one and it is missing or too short.
   */
  constructor(definition: StreamDefinition, hmacKey?: Uint8Array) {
    const { payment, labels } = definition;
    const fields = sourceFields(payment);
    const placeOf = (field: string) => fields.indexOf(field);
    const { transactionId, amount, fraud, scenario, keep, drop } = payment;
    this.fields = fields;
    this.#mapping = payment;
    this.#id = isRowNumber(transactionId)
      ? undefined
      : idReader(transactionId, placeOf, hmacKey);
    this.#customer = idReader(payment.customerId, placeOf, hmacKey);
    this.#terminal = idReader(payment.terminalId, placeOf, hmacKey);
    this.#time = rowTimeReader(payment.time, placeOf);
    this.#amount = amountReader(amount);
    this.#amountPlace = placeOf(amount.from);
    this.#fraud = fraud === null ? undefined : flagReader(
      fraud,
      labels.from === "payment" ? undefined : FRAUD_UNKNOWN,
    );
    this.#fraudPlace = fraud === null ? -1 : placeOf(fraud.from);
    this.#scenarioPlace = scenario === null ? -1 : placeOf(scenario);
    this.#kept = keep.map(keptReader);
    this.#keptPlaces = keep.map(({ from }) => placeOf(from));
    this.#named = new Set([
      ...fields,
      ...PAYMENT_FIELDS,
      // A record with KNOWN_AT is a label.
      ...labels.from === "stream" ? ["KNOWN_AT", "KNOWN_TIME"] : [],
      ...keep.map(({ name }) => name),
      ...drop === "all" ? [] : drop,
    ]);
  }

  /**
   * Fills `into` from the values of a row, which stand in the order of
   * `fields`; `row` is the number of the row, from 1. Returns the first reason
   * why the row is no payment; `into` is then incomplete.
   */
  map(
    values: readonly RawValue[],
    row: number,
    into: MappedPayment,
  ): Rejection | undefined {
    const id = this.#id === undefined ? row : this.#id(values);
    if (typeof id === "object") return id;
    const time = this.#time(values);
    if (typeof time === "object") return time;
    const customer = this.#customer(values);
    if (typeof customer === "object") return customer;
    const terminal = this.#terminal(values);
    if (typeof terminal === "object") return terminal;
    const amount = this.#amount(values[this.#amountPlace]);
    if (typeof amount === "object") return amount;
    into.transactionId = id;
    into.datetimeSeconds = time;
    into.customerId = customer;
    into.terminalId = terminal;
    into.amountUnits = amount;
    return this.#labels(values, into) ?? this.keep(values, into);
  }

  /**
   * Whether a field of the data travels with the payment although the
   * definition does not name it. A field with the name of one of the payment's
   * own or kept fields does not, nor one that would make it a label.
   */
  isRest(field: string): boolean {
    return this.#mapping.drop !== "all" && field !== "" &&
      !this.#named.has(field);
  }

  #labels(
    values: readonly RawValue[],
    into: MappedPayment,
  ): Rejection | undefined {
    into.fraud = FRAUD_UNKNOWN;
    into.scenario = 0;
    if (this.#fraud !== undefined) {
      const fraud = this.#fraud(values[this.#fraudPlace]);
      if (typeof fraud === "object") return fraud;
      into.fraud = fraud;
    }
    const { scenario } = this.#mapping;
    if (scenario === null) return undefined;
    const value = values[this.#scenarioPlace];
    if (isMissing(value)) return undefined;
    const number = Number(value);
    if (!(Number.isInteger(number) && number >= 0 && number <= INT_MAX)) {
      return reject(
        "wrong type",
        scenario,
        value,
        `is not a whole number up to ${INT_MAX}`,
      );
    }
    into.scenario = number;
    return undefined;
  }

  /** Fills the kept fields alone, as map() does. */
  keep(
    values: readonly RawValue[],
    into: MappedPayment,
  ): Rejection | undefined {
    const { kept } = into;
    for (let at = 0; at < this.#kept.length; at++) {
      const value = this.#kept[at](values[this.#keptPlaces[at]]);
      if (isRejection(value)) return value;
      kept[at] = value;
    }
    return undefined;
  }
}

/** Reads the time of a row. */
function rowTimeReader(
  mapping: TimeMapping,
  placeOf: (field: string) => number,
): (values: readonly RawValue[]) => number | Rejection {
  const { from, join } = mapping;
  const places = from.map(placeOf);
  const [place] = places;
  const read = momentReader(from[0], mapping);
  if (join === null) {
    return (values) => {
      const value = values[place];
      return isMissing(value) ? missing(from[0]) : read(value);
    };
  }
  return (values) => {
    let joined = "";
    for (let part = 0; part < places.length; part++) {
      const value = values[places[part]];
      if (isMissing(value)) return missing(from[part]);
      if (typeof value === "object") return read(value);
      joined += part === 0 ? value : join + value;
    }
    return read(joined);
  };
}

/** Reads a time that is not missing. */
function momentReader(
  field: string,
  { format, zone }: Pick<TimeMapping, "format" | "zone">,
): Read<number> {
  const read = timeReader(format, new Zone(zone));
  return (value) => {
    let seconds = NaN;
    if (typeof value === "string") {
      seconds = read(value);
      if (Number.isNaN(seconds)) seconds = read(value.trim());
    } else if (typeof value === "number" || typeof value === "bigint") {
      seconds = read(String(value));
    } else if (value instanceof Date) {
      seconds = Math.floor(value.getTime() / 1000);
      if (!(seconds >= FIRST_SECOND && seconds < END_SECOND)) seconds = NaN;
    }
    if (!Number.isNaN(seconds)) return seconds;
    const expected = format === "iso"
      ? "an ISO 8601 date and time such as 2024-01-31 09:30:00"
      : `a time of the format ${format}`;
    return reject("invalid time", field, value, `is not ${expected}`);
  };
}

/** Reads a flag; `absent` is its value where it is missing, and without it a missing flag is rejected. */
function flagReader(mapping: FlagMapping, absent?: number): Read<number> {
  const { from } = mapping;
  const yes = mapping.true ?? ["1", "true", "True", "TRUE", "1.0"];
  const no = mapping.false ??
    (mapping.true === null ? ["0", "false", "False", "FALSE", "0.0"] : null);
  const known = new Map<string, number>([
    ...(no ?? []).map((text) => [text, 0] as const),
    ...yes.map((text) => [text, 1] as const),
  ]);
  return (value) => {
    if (isMissing(value)) return absent ?? missing(from);
    if (typeof value !== "object") {
      const text = String(value);
      const flag = known.get(text) ?? known.get(text.trim());
      if (flag !== undefined) return flag;
      if (no === null) return 0;
    }
    return reject(
      "wrong type",
      from,
      value,
      `is neither ${yes[0]} nor ${no?.[0]}`,
    );
  };
}

function keptReader({ from, type, time, flag }: KeptField): Read<KeptValue> {
  const orNull = (read: Read<KeptValue>): Read<KeptValue> => (value) =>
    isMissing(value) ? null : read(value);
  if (type === "text") return orNull((value) => keptText(from, value));
  if (type === "number") return orNull((value) => keptNumber(from, value));
  if (time !== null) return orNull(momentReader(from, time));
  return orNull(flagReader({ from, true: null, false: null, ...flag }));
}

function keptText(field: string, value: RawValue): string | Rejection {
  const isDate = value instanceof Date && !Number.isNaN(value.getTime());
  if (typeof value === "object" && !isDate) {
    return reject("wrong type", field, value, "is not text");
  }
  const text = isDate ? value.toISOString() : String(value);
  if (TEXT_REFUSED.test(text)) {
    return reject(
      "invalid text",
      field,
      text,
      "holds a NUL character or is not UTF-8",
    );
  }
  const fits = text.length * 3 <= KEPT_BYTES_MAX ||
    new TextEncoder().encode(text).length <= KEPT_BYTES_MAX;
  if (fits) return text;
  return reject(
    "out of range",
    field,
    text,
    `has more than ${KEPT_BYTES_MAX} bytes; list it in 'drop' instead`,
  );
}

const MINUS = 45;
/** Characters of a number whose digits a double holds exactly. */
const EXACT_LENGTH = 15;
const POWERS_OF_TEN = Array.from({ length: EXACT_LENGTH }, (_, i) => 10 ** i);

/** A short decimal number; NaN for any other text. */
function fastNumber(text: string): number {
  const { length } = text;
  const from = text.charCodeAt(0) === MINUS ? 1 : 0;
  if (length === from || length > EXACT_LENGTH) return NaN;
  let digits = 0;
  let point = -1;
  for (let at = from; at < length; at++) {
    const digit = text.charCodeAt(at) - 48;
    if (digit >= 0 && digit <= 9) digits = digits * 10 + digit;
    else if (digit === -2 && point < 0 && at > from) point = at;
    else return NaN;
  }
  if (point === length - 1) return NaN;
  // Two exact doubles, so the quotient is the double nearest to the text.
  const size = point < 0 ? digits : digits / POWERS_OF_TEN[length - 1 - point];
  // 0 - 0 is 0, not -0.
  return from > 0 ? 0 - size : size;
}

const NUMBER = /^\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*$/;

function keptNumber(field: string, value: RawValue): number | Rejection {
  if (typeof value === "string") {
    const fast = fastNumber(value);
    if (!Number.isNaN(fast)) return fast;
  }
  const isText = typeof value === "string" && NUMBER.test(value);
  const number = isText || typeof value === "number" ||
      typeof value === "bigint"
    ? Number(value)
    : NaN;
  // -0 is 0.
  if (Number.isFinite(number)) return number + 0;
  return reject("wrong type", field, value, "is not a number");
}
