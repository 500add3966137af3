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
import {
  type DeclaredFeatures,
  resolveFeatures,
} from "../features/declared_features.ts";
import {
  type FeatureParameters,
  includedNames,
} from "../features/parameters.ts";
import {
  HANDBOOK_SHAPE,
  type PaymentShape,
  UNLABELLED_SHAPE,
} from "../payment/payment_shape.ts";

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
  /** The definition; absent in streams of the handbook's payments. */
  readonly definition?: RecordedDefinition | undefined;
  /** Where grace stands, labels arrive later. */
  readonly features?: Pick<FeatureParameters, "graceSeconds"> | undefined;
}

/** The definition of a stream; where it records none the handbook's, or that with labels that arrive later. */
export function definitionOfStream(
  { definition, features }: StreamShape,
): StreamDefinition {
  if (definition !== undefined) return definitionOf(definition);
  const name = features?.graceSeconds === undefined ? "handbook" : "live";
  return readDefinition(BUILT_IN_DEFINITIONS[name], name);
}

/**
 * What a definition declares, behind features of a set and windows; undefined
 * where it declares nothing. Throws ConfigError with the place of what is wrong.
 */
export function declaredOf(
  definition: StreamDefinition,
  included: FeatureParameters,
): DeclaredFeatures | undefined {
  const { features: { declared }, labels } = definition;
  if (declared.length === 0) return undefined;
  const shape = shapeOf(definition);
  const hasLabels = shape.hasFraud || shape.hasLabels;
  return resolveFeatures(declared, {
    shape,
    labelDelaySeconds: hasLabels ? labels.delaySeconds : undefined,
    hasOwnLabels: shape.hasFraud,
    included: includedNames(included),
  });
}

/** Features of a stream, of which the control topic does not repeat what its definition declares. */
export function withDeclared(
  features: FeatureParameters,
  definition: RecordedDefinition | undefined,
): FeatureParameters {
  const declared = definition && declaredOf(definitionOf(definition), features);
  return declared === undefined ? features : { ...features, declared };
}

const KNOWN = new Map<string, PaymentShape>();

/** The shape of a stream's payments; the same object for the same definition. */
export function shapeOfStream(
  { definition, features }: StreamShape,
): PaymentShape {
  if (definition === undefined) {
    return features?.graceSeconds === undefined
      ? HANDBOOK_SHAPE
      : UNLABELLED_SHAPE;
  }
  const known = KNOWN.get(definition.json);
  if (known !== undefined) return known;
  const shape = shapeOf(definitionOf(definition));
  KNOWN.set(definition.json, shape);
  return shape;
}
