/**
 * A stream's payments as JSON Schema, with an example: what its definition
 * reads, under the names of its source. The mapper that validates payments
 * accepts further spellings, such as numbers with blanks around them.
 */
import type { JsonSchema } from "../../definition/shape.ts";
import {
  type AmountMapping,
  type FlagMapping,
  type IdMapping,
  isRowNumber,
  type KeptField,
  type PaymentMapping,
  type StreamDefinition,
  type TimeMapping,
} from "../../definition/stream_definition.ts";
import { epochUnit } from "../../definition/time_format.ts";
import { MINOR_UNITS_MAX } from "../../payment/payment_shape.ts";
import { ID_BYTES_MAX, KEPT_BYTES_MAX } from "../../payment/text_rule.ts";
import { timeExample } from "./time_example.ts";

/** A value of an example. */
export type ExampleValue = string | number | boolean;

/** A field of the source: its schema without null, an example, and whether each payment needs it. */
interface SourceField {
  readonly schema: JsonSchema;
  readonly example: ExampleValue;
  readonly required: boolean;
}

/** The schema of a stream's payments; `example` is the payment at some seconds since 1970. */
export function paymentSchema(definition: StreamDefinition): JsonSchema {
  const fields = sourceFieldsOf(definition, 0);
  return {
    type: "object",
    description:
      "A payment, as the definition of the stream reads it. Further fields " +
      "stay in the record unless the definition drops them.",
    properties: Object.fromEntries(
      [...fields].map(([name, { schema, required }]) => [
        name,
        required ? schema : orNull(schema),
      ]),
    ),
    required: [...fields].filter(([, { required }]) => required)
      .map(([name]) => name),
    additionalProperties: true,
  };
}

/** A payment of the schema at some seconds since 1970. */
export function paymentExample(
  definition: StreamDefinition,
  seconds: number,
): Record<string, ExampleValue> {
  const fields = sourceFieldsOf(definition, seconds);
  return Object.fromEntries(
    [...fields].map(([name, { example }]) => [name, example]),
  );
}

function orNull({ type, ...schema }: JsonSchema): JsonSchema {
  const types = Array.isArray(type) ? type : [type];
  const { enum: values } = schema;
  return {
    type: [...types, "null"],
    ...schema,
    ...Array.isArray(values) && { enum: [...values, null] },
  };
}

/** The fields of the source in the order of the payment's; the first use of a field decides. */
function sourceFieldsOf(
  { payment, labels }: StreamDefinition,
  seconds: number,
): Map<string, SourceField> {
  const fields = new Map<string, SourceField>();
  const add = (name: string, field: SourceField) => {
    if (!fields.has(name)) fields.set(name, field);
  };
  const { transactionId, customerId, terminalId, time } = payment;
  if (!isRowNumber(transactionId)) {
    addId(add, "TRANSACTION_ID", transactionId, 1_000_001);
  }
  addTime(add, time, seconds);
  addId(add, "CUSTOMER_ID", customerId, 4711);
  addId(add, "TERMINAL_ID", terminalId, 805);
  add(payment.amount.from, amountField(payment.amount));
  addLabel(add, payment, labels.from === "payment");
  for (const kept of payment.keep) add(kept.from, keptField(kept, seconds));
  return fields;
}

type Add = (name: string, field: SourceField) => void;

function addId(
  add: Add,
  means: string,
  { from, join, type, hmac }: IdMapping,
  number: number,
): void {
  const description = [
    join === null ? means : `Part of ${means}`,
    hmac ? "; the stream keeps a pseudonym of it" : "",
    ".",
  ].join("");
  for (const name of from) {
    if (type === "number") {
      add(name, {
        schema: {
          type: "integer",
          description,
          minimum: 0,
          maximum: Number.MAX_SAFE_INTEGER,
        },
        example: number,
        required: true,
      });
      continue;
    }
    add(name, {
      schema: {
        type: ["string", "integer"],
        description: `${description} At most ${ID_BYTES_MAX} bytes of UTF-8 ` +
          "without control characters; a number keeps all its digits.",
        minLength: 1,
        maxLength: ID_BYTES_MAX,
      },
      example: join === null ? `${means[0]}${number}` : number,
      required: true,
    });
  }
}

function addTime(add: Add, time: TimeMapping, seconds: number): void {
  const { from, join } = time;
  const whole = timeExample(time, seconds);
  const parts = join === null ? [whole] : String(whole).split(join);
  from.forEach((name, at) => {
    add(name, {
      schema: join === null
        ? timeSchema("TX_DATETIME", time)
        : { type: ["string", "integer"], description: "Part of TX_DATETIME." },
      example: parts[at] ?? whole,
      required: true,
    });
  });
}

function timeSchema(
  means: string,
  { format, zone }: Pick<TimeMapping, "format" | "zone">,
): JsonSchema {
  if (epochUnit(format) !== undefined) {
    const units: Readonly<Record<string, string>> = {
      "epoch-s": "Seconds",
      "epoch-ms": "Milliseconds",
      "epoch-us": "Microseconds",
    };
    return {
      type: "integer",
      description: `${means}: ${units[format]} since 1970.`,
    };
  }
  if (format !== "iso") {
    return {
      type: "string",
      description: `${means}, written ${format}, in the zone ${zone}.`,
    };
  }
  return {
    type: "string",
    description: `${means} by ISO 8601, such as 2024-01-31T09:30:00Z; a ` +
      `time without an offset is in the zone ${zone}.`,
    pattern:
      "^\\d{4}-\\d{2}-\\d{2}[Tt ]\\d{2}:\\d{2}(:\\d{2}([.,]\\d+)?)?( ?([Zz]|[+-]\\d{2}(:?\\d{2})?))?$",
  };
}

function amountField(mapping: AmountMapping): SourceField {
  const { decimals, currency, prefix, decimal, thousands, refunds } = mapping;
  const max = MINOR_UNITS_MAX / 10 ** decimals;
  const isPlain = prefix === null && decimal === "." && thousands === null;
  const digits = (4250 / 100).toFixed(decimals).replace(".", decimal);
  const unit = currency === null ? "" : ` in ${currency}`;
  const description = `TX_AMOUNT${unit}, with at most ${decimals} decimals.` +
    (isPlain ? "" : ` Text is written like ${prefix ?? ""}${digits}.`);
  return {
    schema: isPlain
      ? {
        type: "number",
        description,
        minimum: refunds ? -max : 0,
        maximum: max,
      }
      : { type: ["string", "number"], description },
    example: isPlain ? 42.5 : `${prefix ?? ""}${digits}`,
    required: true,
  };
}

function addLabel(
  add: Add,
  { fraud, scenario }: PaymentMapping,
  required: boolean,
): void {
  if (fraud !== null) {
    add(fraud.from, {
      schema: flagSchema("TX_FRAUD: whether it is a fraud.", fraud),
      example: fraud.false?.[0] ?? 0,
      required,
    });
  }
  if (scenario !== null) {
    add(scenario, {
      schema: {
        type: "integer",
        description: "TX_FRAUD_SCENARIO.",
        minimum: 0,
        maximum: 2 ** 31 - 1,
      },
      example: 0,
      required: false,
    });
  }
}

function flagSchema(
  description: string,
  { true: yes, false: no }: Pick<FlagMapping, "true" | "false">,
): JsonSchema {
  if (yes === null && no === null) {
    return {
      type: ["integer", "boolean"],
      description,
      enum: [0, 1, false, true],
    };
  }
  const words = `${yes?.join(", ") ?? "1, true"} mean yes, ` +
    `${no?.join(", ") ?? "other texts"} no.`;
  return {
    type: ["string", "integer", "boolean"],
    description: `${description} ${words}`,
  };
}

function keptField(
  { name, from, type, time, flag }: KeptField,
  seconds: number,
): SourceField {
  const description = name === from ? "Kept." : `Kept as ${name}.`;
  if (type === "number") {
    return {
      schema: { type: "number", description },
      example: 12.5,
      required: false,
    };
  }
  if (type === "time" && time !== null) {
    return {
      schema: timeSchema(name, time),
      example: timeExample(time, seconds),
      required: false,
    };
  }
  if (type === "flag") {
    const words = flag ?? { true: null, false: null };
    return {
      schema: flagSchema(description, words),
      example: words.true?.[0] ?? 1,
      required: false,
    };
  }
  return {
    schema: { type: "string", description, maxLength: KEPT_BYTES_MAX },
    example: "grocery",
    required: false,
  };
}
