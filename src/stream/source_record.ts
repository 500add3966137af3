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
import { JsonRow, jsonRow, putValues, restOf } from "../files/json_row.ts";
import { type RecordBatch, recordValue } from "../log/record_batch.ts";
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
  #row = new JsonRow({});

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
    const row = rowOf(recordValue(batch, index));
    if ("reason" in row) return row;
    this.#row = row;
    putValues(row, this.#mapper.fields, this.#values);
    return this.#mapper.map(this.#values, 0, this.payment);
  }

  /** The members of the JSON object that travel along although the definition does not name them; "" for none. */
  rest(): string {
    return restOf(this.#row, (field) => this.#mapper.isRest(field));
  }
}

/** The fields of a value, or why there are none. */
function rowOf(value: Uint8Array): JsonRow | Refusal {
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
  return jsonRow(textOf(json)) ??
    { reason: "not JSON", message: "the record is not a JSON object" };
}

/** A text in UTF-8; "" for other bytes. */
function textOf(bytes: Uint8Array): string {
  try {
    return DECODER.decode(bytes);
  } catch {
    return "";
  }
}
