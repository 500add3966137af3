/**
 * One record of another program's topic: read as JSON, mapped by the stream's
 * definition, and written as the payment that the stages read.
 */
import {
  emptyMappedPayment,
  FRAUD_UNKNOWN,
  type MappedPayment,
  type PaymentMapper,
} from "../definition/payment_mapper.ts";
import type { RawValue } from "../definition/rejection.ts";
import type { StreamDefinition } from "../definition/stream_definition.ts";
import { jsonMember } from "../files/raw_batch.ts";
import {
  type RecordBatch,
  type RecordBatchBuilder,
  recordValue,
} from "../log/record_batch.ts";
import { formatDatetime } from "../payment/calendar.ts";
import { digitsOf, parseExactly } from "../base/exact_json.ts";
import { DAY_SECONDS } from "../payment/payment.ts";
import { RECORD_BYTES_MAX } from "../payment/payment_json.ts";
import type { Refusal } from "./checks.ts";

const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const ENCODER = new TextEncoder();

/** Bytes of a Schema Registry's header: 0 and a schema's id. */
const REGISTRY_BYTES = 5;
const OPENING_BRACE = 123;

/** Reads the records of a source's partition, one after the other. */
export class SourceRecord {
  /** The payment of the record that was read last. */
  readonly payment: MappedPayment = emptyMappedPayment();
  readonly #mapper: PaymentMapper;
  readonly #values: RawValue[] = [];
  #object = new Map<string, RawValue>();

  /** Maps by a definition that does not number rows. */
  constructor(mapper: PaymentMapper) {
    this.#mapper = mapper;
  }

  /** Reads record `index` of a batch; returns why it is no payment. */
  read(batch: RecordBatch, index: number): Refusal | undefined {
    const unreadable = batch.unreadable?.get(batch.offsets[index]);
    if (unreadable !== undefined) {
      return { reason: "unreadable batch", message: unreadable };
    }
    const object = objectOf(recordValue(batch, index));
    if (!(object instanceof Map)) return object;
    this.#object = object;
    const { fields } = this.#mapper;
    for (let at = 0; at < fields.length; at++) {
      const value = object.get(fields[at]);
      this.#values[at] = digitsOf(value) ?? value;
    }
    return this.#mapper.map(this.#values, 0, this.payment);
  }

  /** The members of the JSON object that travel along although the definition does not name them; "" for none. */
  rest(): string {
    let rest = "";
    for (const [field, value] of this.#object) {
      if (!this.#mapper.isRest(field)) continue;
      rest += (rest === "" ? "" : ",") + jsonMember(field, value);
    }
    return rest;
  }
}

/** The fields of a value, or why there are none. */
function objectOf(value: Uint8Array): Map<string, RawValue> | Refusal {
  if (value.length > RECORD_BYTES_MAX) {
    return {
      reason: "out of range",
      message: `a record of ${value.length} bytes; the longest that is read ` +
        `has ${RECORD_BYTES_MAX}`,
    };
  }
  if (value.length === 0) {
    return { reason: "not JSON", message: "the record has no value" };
  }
  const isRegistered = value[0] === 0;
  if (isRegistered && value[REGISTRY_BYTES] !== OPENING_BRACE) {
    return {
      reason: "not JSON",
      message: "the record has the header of a Schema Registry and is not " +
        "JSON; Avro and Protobuf cannot be read",
    };
  }
  const json = isRegistered ? value.subarray(REGISTRY_BYTES) : value;
  try {
    const object = parseExactly(DECODER.decode(json));
    if (typeof object === "object" && object && !Array.isArray(object)) {
      return new Map(Object.entries(object));
    }
  } catch {
    // It is neither UTF-8 nor JSON, or only one of them.
  }
  return { reason: "not JSON", message: "the record is not a JSON object" };
}

/** Writes payments as records of transaction_topic. */
export class SourcePaymentWriter {
  readonly #scale: number;
  readonly #hasScenario: boolean;
  readonly #kept: readonly string[];

  /** Writes what a definition's mapper has read. */
  constructor({ payment: { amount, scenario, keep } }: StreamDefinition) {
    this.#scale = 10 ** amount.decimals;
    this.#hasScenario = scenario !== null;
    this.#kept = keep.map(({ name }) => JSON.stringify(name));
  }

  /** The key of a payment's record. */
  key({ customerId }: MappedPayment): Uint8Array {
    return ENCODER.encode(String(customerId));
  }

  /** Appends a payment to the records of its partition; `rest` is that of SourceRecord. */
  write(
    records: RecordBatchBuilder,
    key: Uint8Array,
    payment: MappedPayment,
    startSeconds: number,
    rest: string,
  ): void {
    const json = this.#json(payment, startSeconds, rest);
    records.add(key, ENCODER.encode(json), payment.datetimeSeconds * 1000);
  }

  #json(payment: MappedPayment, startSeconds: number, rest: string): string {
    const { datetimeSeconds, amountUnits, fraud, scenario, kept } = payment;
    const timeSeconds = datetimeSeconds - startSeconds;
    let json = `{"TRANSACTION_ID":${idJson(payment.transactionId)}` +
      `,"TX_DATETIME":"${formatDatetime(datetimeSeconds)}"` +
      `,"CUSTOMER_ID":${idJson(payment.customerId)}` +
      `,"TERMINAL_ID":${idJson(payment.terminalId)}` +
      `,"TX_AMOUNT":${amountUnits / this.#scale}` +
      `,"TX_TIME_SECONDS":${timeSeconds}` +
      `,"TX_TIME_DAYS":${Math.floor(timeSeconds / DAY_SECONDS)}`;
    if (fraud !== FRAUD_UNKNOWN) json += `,"TX_FRAUD":${fraud}`;
    if (this.#hasScenario || fraud !== FRAUD_UNKNOWN) {
      json += `,"TX_FRAUD_SCENARIO":${scenario}`;
    }
    for (let at = 0; at < this.#kept.length; at++) {
      json += `,${this.#kept[at]}:${JSON.stringify(kept[at])}`;
    }
    return rest === "" ? json + "}" : `${json},${rest}}`;
  }
}

function idJson(id: number | string): string {
  return typeof id === "number" ? String(id) : JSON.stringify(id);
}
