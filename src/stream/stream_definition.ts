/**
 * The definition of a stream, as its control topic holds it: canonical JSON and
 * its SHA-256. A stream without one is the handbook's.
 */
import { createHash } from "node:crypto";
import { isObject } from "../base/json_shape.ts";
import { BUILT_IN_DEFINITIONS } from "../definition/built_in.ts";
import { shapeOf } from "../definition/definition_shape.ts";
import { readDefinition } from "../definition/read_definition.ts";
import {
  canonicalJson,
  definitionHash,
  type StreamDefinition,
} from "../definition/stream_definition.ts";
import { HANDBOOK_SHAPE, type PaymentShape } from "../payment/payment_shape.ts";

/** A definition as the control topic holds it. */
export interface RecordedDefinition {
  /** SHA-256 of the JSON, 64 hexadecimal digits. */
  readonly sha256: string;
  /** The canonical JSON. */
  readonly json: string;
}

/** What a stream with this definition records. */
export function recordedDefinition(
  definition: StreamDefinition,
): RecordedDefinition {
  return {
    sha256: definitionHash(definition),
    json: canonicalJson(definition),
  };
}

/** Whether a value of the control topic is a definition with its own hash. */
export function isRecordedDefinition(
  value: unknown,
): value is RecordedDefinition {
  if (!isObject(value) || typeof value.json !== "string") return false;
  const sha256 = createHash("sha256").update(value.json).digest("hex");
  return value.sha256 === sha256;
}

/** The definition that is recorded. Throws ConfigError if this version cannot read it. */
export function definitionOf(recorded: RecordedDefinition): StreamDefinition {
  return readDefinition(recorded.json, "the stream's definition");
}

/** What a stream's parameters say about its payments. */
export interface StreamShape {
  /** The definition; absent in the handbook's stream. */
  readonly definition?: RecordedDefinition | undefined;
}

/** The definition of a stream, the handbook's where it records none. */
export function definitionOfStream(
  { definition }: StreamShape,
): StreamDefinition {
  return definition === undefined
    ? readDefinition(BUILT_IN_DEFINITIONS.handbook, "handbook")
    : definitionOf(definition);
}

const KNOWN = new Map<string, PaymentShape>();

/** The shape of a stream's payments; the same object for the same definition. */
export function shapeOfStream({ definition }: StreamShape): PaymentShape {
  if (definition === undefined) return HANDBOOK_SHAPE;
  const known = KNOWN.get(definition.json);
  if (known !== undefined) return known;
  const shape = shapeOf(definitionOf(definition));
  KNOWN.set(definition.json, shape);
  return shape;
}
