/**
 * Nodes and constants of ONNX graphs as bytes, used by the kinds of models to
 * export themselves. Field numbers are those of onnx.proto.
 */
import {
  bytesField,
  integerField,
  integersField,
  messageField,
  textField,
} from "./protobuf.ts";

/** TensorProto.DataType of float32. */
export const FLOAT = 1;

/** TensorProto.DataType of int64. */
export const INT64 = 7;

/** TensorProto.DataType of float64. */
export const DOUBLE = 11;

/** The domain of the operators of machine learning. */
export const ML_DOMAIN = "ai.onnx.ml";

/** AttributeProto.AttributeType. */
const INTEGER_ATTRIBUTE = 2;
const TEXT_ATTRIBUTE = 3;
const TENSOR_ATTRIBUTE = 4;
const INTEGERS_ATTRIBUTE = 7;
const TEXTS_ATTRIBUTE = 8;

/** The numbers that an exported model takes. */
export type InputNumbers = "float64" | "float32";

/** A graph from the values in float64 to the outputs. */
export interface OnnxNodes {
  /** The nodes, each after those whose results it takes. */
  readonly nodes: readonly Uint8Array[];
  /** The constants that they name. */
  readonly constants: readonly Uint8Array[];
}

/** A constant of doubles that nodes take by its name. */
export function constant(
  name: string,
  values: readonly number[],
  dims: readonly number[],
): Uint8Array {
  return messageField(5, tensor(name, values, dims));
}

/** The more probable class. */
export function likelierLabel(classes: string): Uint8Array {
  return node("ArgMax", [classes], ["label"], [
    integerAttribute("axis", 1),
    integerAttribute("keepdims", 0),
  ]);
}

/** A NodeProto. */
export function node(
  operator: string,
  inputs: readonly string[],
  outputs: readonly string[],
  attributes: readonly Uint8Array[] = [],
  domain = "",
): Uint8Array {
  return messageField(1, [
    ...inputs.map((name) => textField(1, name)),
    ...outputs.map((name) => textField(2, name)),
    textField(4, operator),
    ...attributes,
    textField(7, domain),
  ]);
}

function attribute(
  name: string,
  type: number,
  ...value: Uint8Array[]
): Uint8Array {
  return messageField(5, [
    textField(1, name),
    ...value,
    integerField(20, type),
  ]);
}

/** An attribute that is a whole number. */
export function integerAttribute(name: string, value: number): Uint8Array {
  return attribute(name, INTEGER_ATTRIBUTE, integerField(3, value));
}

/** An attribute that is a list of whole numbers. */
export function integersAttribute(
  name: string,
  values: readonly number[],
): Uint8Array {
  return attribute(name, INTEGERS_ATTRIBUTE, integersField(8, values));
}

/** An attribute that is text. */
export function textAttribute(name: string, text: string): Uint8Array {
  return attribute(name, TEXT_ATTRIBUTE, textField(4, text));
}

/** An attribute that is a list of texts. */
export function textsAttribute(
  name: string,
  texts: readonly string[],
): Uint8Array {
  const fields = texts.map((text) => textField(9, text));
  return attribute(name, TEXTS_ATTRIBUTE, ...fields);
}

/** An attribute that is a list of doubles. */
export function tensorAttribute(
  name: string,
  values: readonly number[],
): Uint8Array {
  const value = messageField(5, tensor(name, values, [values.length]));
  return attribute(name, TENSOR_ATTRIBUTE, value);
}

/** A TensorProto of doubles, little-endian, as the format requires. */
function tensor(
  name: string,
  values: readonly number[],
  dims: readonly number[],
): Uint8Array[] {
  const bytes = new Uint8Array(8 * values.length);
  const view = new DataView(bytes.buffer);
  values.forEach((value, at) => view.setFloat64(8 * at, value, true));
  return [
    integersField(1, dims),
    integerField(2, DOUBLE),
    textField(8, name),
    bytesField(9, bytes),
  ];
}
