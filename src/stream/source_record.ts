/**
 * One record of another program's topic: read as JSON, mapped by the stream's
 * definition, and written as the payment that the stages read.
 */
import {
  emptyMappedPayment,
  type MappedPayment,
  type PaymentMapper,
} from "../definition/payment_mapper.ts";
import type { RawValue } from "../definition/rejection.ts";
import { jsonMember } from "../files/raw_batch.ts";
import { type RecordBatch, recordValue } from "../log/record_batch.ts";
import { digitsOf, parseExactly } from "../base/exact_json.ts";
import { RECORD_BYTES_MAX } from "../payment/payment_json.ts";
import type { Refusal } from "./checks.ts";

const DECODER = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

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
