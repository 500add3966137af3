/** A payment in a request's body, mapped by the stream's definition as in files and topics. */
import {
  emptyMappedPayment,
  PaymentMapper,
} from "../definition/payment_mapper.ts";
import type { RawValue } from "../definition/rejection.ts";
import type { StreamDefinition } from "../definition/stream_definition.ts";
import { jsonRow, putValues, restOf } from "../files/json_row.ts";
import type { Refusal } from "../stream/checks.ts";
import type { Incoming } from "./answer_desk.ts";

/** Reads payments. */
export class PaymentBody {
  readonly #mapper: PaymentMapper;
  readonly #values: RawValue[] = [];

  /** Maps by a definition that does not number rows. Throws ConfigError where it needs a key that is missing. */
  constructor(definition: StreamDefinition, hmacKey: Uint8Array | undefined) {
    this.#mapper = new PaymentMapper(definition, hmacKey);
  }

  /** The payment in a JSON text; undefined if that is no JSON object, a refusal if the object is no payment. */
  read(text: string): Incoming | Refusal | undefined {
    const row = jsonRow(text);
    if (!row) return undefined;
    putValues(row, this.#mapper.fields, this.#values);
    const payment = emptyMappedPayment();
    const rejection = this.#mapper.map(this.#values, 0, payment);
    if (rejection) return rejection;
    const rest = restOf(row, (field) => this.#mapper.isRest(field));
    return { payment, rest };
  }
}
