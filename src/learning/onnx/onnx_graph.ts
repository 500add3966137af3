/**
 * Reads what the runtime does not report about an ONNX file: metadata, the
 * labels of its classes, which outputs are probabilities, operators that are
 * refused, and ZipMaps, which the runtime in WebAssembly cannot return. Field
 * numbers are those of onnx.proto.
 */
import {
  bytesField,
  concatenate,
  type Field,
  integersOf,
  messageField,
  payloadsOf,
  readFields,
  textField,
  textOf,
  textsOf,
} from "./protobuf.ts";

/** Fields of a ModelProto. */
const MODEL = { graph: 7, metadata: 14, function: 25 } as const;
/** Fields of a GraphProto. */
const GRAPH = { node: 1, initializer: 5, output: 12 } as const;
/** Fields of a FunctionProto. */
const FUNCTION = { node: 7 } as const;
/** Fields of a NodeProto. */
const NODE = { input: 1, output: 2, operator: 4, attribute: 5 } as const;
/** Fields of an AttributeProto. */
const ATTRIBUTE = {
  name: 1,
  tensor: 5,
  integers: 8,
  texts: 9,
} as const;
/** Fields of a TensorProto. */
const TENSOR = { type: 2, integers: 7, name: 8, raw: 9 } as const;
/** TensorProto.DataType of 64-bit whole numbers. */
const INT64 = 7;
/** Name of a ValueInfoProto, key of a StringStringEntryProto. */
const NAME = 1;
/** Value of a StringStringEntryProto. */
const VALUE = 2;

/** The attributes of the operators with the labels of their classes. */
const LABEL_ATTRIBUTES = new Set([
  "classlabels_ints",
  "classlabels_int64s",
  "classlabels_strings",
]);

/** Operators that are refused, and why. */
const REFUSED: ReadonlyMap<string, string> = new Map([
  ...["Loop", "Scan", "If", "SequenceMap"].map((operator) => {
    return [operator, "which may never end"] as const;
  }),
  ...[
    "Bernoulli",
    "Multinomial",
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
  ].map((operator) => {
    return [operator, "which gives another score each time"] as const;
  }),
]);

/** Operators whose operands determine the size of their output. */
const GROWING = new Set([
  "CenterCropPad",
  "ConstantOfShape",
  "Expand",
  "OneHot",
  "Pad",
  "Range",
  "Resize",
  "Tile",
  "Upsample",
]);

/** Numbers that a constant may ask for. */
const SIZE_MAX = 2 ** 24;

/** Operators that pass numbers on in another shape or type. */
const HANDING_ON = new Set([
  "Cast",
  "Clip",
  "Flatten",
  "Identity",
  "Reshape",
  "Squeeze",
  "Unsqueeze",
]);

/** The contents of an ONNX file. */
export interface OnnxGraph {
  /** The file, with a plain tensor where a ZipMap made a map of it. */
  readonly bytes: Uint8Array;
  /** The metadata of its producer. */
  readonly metadata: ReadonlyMap<string, string>;
  /** The labels of each list of classes in it, as text. */
  readonly classLabels: readonly (readonly string[])[];
  /** Names of the outputs that a logistic function gives: one probability each row. */
  readonly logisticOutputs: ReadonlySet<string>;
  /** The first refused operator, with the reason; undefined if there is none. */
  readonly refused: string | undefined;
}

/** Reads an ONNX file. Throws RangeError if it is not one. */
export function readOnnxGraph(bytes: Uint8Array): OnnxGraph {
  const fields = readFields(bytes);
  const graph = fields.find(({ number }) => number === MODEL.graph);
  if (graph === undefined) throw new RangeError("it has no graph");
  const parts = readFields(graph.payload);
  const nodes = payloadsOf(parts, GRAPH.node).map(readFields);
  const functions = payloadsOf(fields, MODEL.function).flatMap((body) => {
    return payloadsOf(readFields(body), FUNCTION.node).map(readFields);
  });
  const zipMaps = nodes.filter((node) => operatorOf(node) === "ZipMap");
  const outputs = payloadsOf(parts, GRAPH.output)
    .map((payload) => textOf(readFields(payload), NAME));
  return {
    bytes: zipMaps.length === 0 ? bytes : concatenate(
      fields.map((field) => {
        return field === graph
          ? bytesField(MODEL.graph, withoutZipMaps(parts, zipMaps))
          : field.encoded;
      }),
    ),
    metadata: readMetadata(fields),
    classLabels: nodes.flatMap(classLabels),
    logisticOutputs: logisticOutputs(nodes, outputs),
    refused: refusedOperator([...nodes, ...functions]) ??
      oversized(nodes, payloadsOf(parts, GRAPH.initializer).map(readFields)),
  };
}

function refusedOperator(
  nodes: readonly (readonly Field[])[],
): string | undefined {
  for (const operator of nodes.map(operatorOf)) {
    const why = REFUSED.get(operator);
    if (why !== undefined) return `the operator ${operator}, ${why}`;
  }
  return undefined;
}

/** The first operator that a constant asks for more numbers than SIZE_MAX. Computed sizes are not traced. */
function oversized(
  nodes: readonly (readonly Field[])[],
  initializers: readonly (readonly Field[])[],
): string | undefined {
  const sizes = new Map<string, number>();
  for (const tensor of initializers) {
    sizes.set(textOf(tensor, TENSOR.name), sizeIn(tensor));
  }
  for (const node of nodes) {
    if (operatorOf(node) !== "Constant") continue;
    for (const attribute of payloadsOf(node, NODE.attribute).map(readFields)) {
      for (const value of payloadsOf(attribute, ATTRIBUTE.tensor)) {
        sizes.set(textOf(node, NODE.output), sizeIn(readFields(value)));
      }
    }
  }
  for (const node of nodes) {
    const operator = operatorOf(node);
    if (!GROWING.has(operator)) continue;
    for (const input of textsOf(node, NODE.input)) {
      if ((sizes.get(input) ?? 0) <= SIZE_MAX) continue;
      return `the operator ${operator} for more than ${SIZE_MAX} numbers`;
    }
  }
  return undefined;
}

/** How many numbers a shape, a list of repeats or a limit asks for; 0 for any other tensor. */
function sizeIn(tensor: readonly Field[]): number {
  const type = tensor.findLast(({ number }) => number === TENSOR.type);
  if (type?.integer !== INT64) return 0;
  const integers = integersOf(tensor, TENSOR.integers);
  for (const raw of payloadsOf(tensor, TENSOR.raw)) {
    const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
    for (let at = 0; at + 8 <= raw.length; at += 8) {
      integers.push(Number(view.getBigInt64(at, true)));
    }
  }
  return integers.reduce((size, each) => size * Math.max(1, each), 1);
}

function logisticOutputs(
  nodes: readonly (readonly Field[])[],
  outputs: readonly string[],
): Set<string> {
  const makers = new Map(
    nodes.flatMap((node) => {
      return textsOf(node, NODE.output).map((name) => [name, node] as const);
    }),
  );
  return new Set(outputs.filter((output) => {
    let node = makers.get(output);
    // Each at most once: a broken file may have a cycle.
    for (let left = nodes.length; node && left > 0; left--) {
      const operator = operatorOf(node);
      if (!HANDING_ON.has(operator)) return operator === "Sigmoid";
      node = makers.get(textsOf(node, NODE.input)[0]);
    }
    return false;
  }));
}

function readMetadata(fields: readonly Field[]): Map<string, string> {
  const entries = fields.filter(({ number }) => number === MODEL.metadata)
    .map(({ payload }) => readFields(payload));
  return new Map(
    entries.map((entry) => [textOf(entry, NAME), textOf(entry, VALUE)]),
  );
}

/** The graph with an Identity for each ZipMap, whose output is then the tensor. */
function withoutZipMaps(
  parts: readonly Field[],
  zipMaps: readonly (readonly Field[])[],
): Uint8Array {
  const mapped = new Set(zipMaps.map((node) => textOf(node, NODE.output)));
  return concatenate(parts.map(({ number, payload, encoded }) => {
    if (number === GRAPH.node) {
      const node = readFields(payload);
      if (operatorOf(node) !== "ZipMap") return encoded;
      return messageField(GRAPH.node, [
        textField(NODE.input, textOf(node, NODE.input)),
        textField(NODE.output, textOf(node, NODE.output)),
        textField(NODE.operator, "Identity"),
      ]);
    }
    if (number === GRAPH.output) {
      // Without a type, which the runtime then infers: it was that of a map.
      const name = textOf(readFields(payload), NAME);
      if (mapped.has(name)) {
        return messageField(GRAPH.output, [textField(NAME, name)]);
      }
    }
    return encoded;
  }));
}

function operatorOf(node: readonly Field[]): string {
  return textOf(node, NODE.operator);
}

function classLabels(node: readonly Field[]): string[][] {
  const lists: string[][] = [];
  for (const { number, payload } of node) {
    if (number !== NODE.attribute) continue;
    const attribute = readFields(payload);
    if (!LABEL_ATTRIBUTES.has(textOf(attribute, ATTRIBUTE.name))) continue;
    const labels = [
      ...integersOf(attribute, ATTRIBUTE.integers).map(String),
      ...textsOf(attribute, ATTRIBUTE.texts),
    ];
    if (labels.length > 0) lists.push(labels);
  }
  return lists;
}
