/**
 * What an ONNX file says of itself that the runtime does not tell: metadata,
 * the labels of its classes, and ZipMaps, which no runtime in WebAssembly can
 * answer. Field numbers are those of onnx.proto.
 */
import {
  bytesField,
  concatenate,
  type Field,
  integersOf,
  messageField,
  readFields,
  textField,
  textOf,
  textsOf,
} from "./protobuf.ts";

/** Fields of a ModelProto. */
const MODEL = { graph: 7, metadata: 14 } as const;
/** Fields of a GraphProto. */
const GRAPH = { node: 1, output: 12 } as const;
/** Fields of a NodeProto. */
const NODE = { input: 1, output: 2, operator: 4, attribute: 5 } as const;
/** Fields of an AttributeProto. */
const ATTRIBUTE = { name: 1, integers: 8, texts: 9 } as const;
/** Name of a ValueInfoProto, key of a StringStringEntryProto. */
const NAME = 1;
/** Value of a StringStringEntryProto. */
const VALUE = 2;

/** What the operators call the labels of their classes. */
const LABEL_ATTRIBUTES = new Set([
  "classlabels_ints",
  "classlabels_int64s",
  "classlabels_strings",
]);

/** An ONNX file, looked into. */
export interface OnnxGraph {
  /** The file, with a plain tensor where a ZipMap made a map of it. */
  readonly bytes: Uint8Array;
  /** What its maker wrote beside the model. */
  readonly metadata: ReadonlyMap<string, string>;
  /** The labels of each list of classes in it, as text. */
  readonly classLabels: readonly (readonly string[])[];
  /** Names of the outputs. */
  readonly outputs: readonly string[];
}

/** Looks into an ONNX file. Throws RangeError if it is none. */
export function readOnnxGraph(bytes: Uint8Array): OnnxGraph {
  const fields = readFields(bytes);
  const graph = fields.find(({ number }) => number === MODEL.graph);
  if (graph === undefined) throw new RangeError("it has no graph");
  const parts = readFields(graph.payload);
  const nodes = parts.filter(({ number }) => number === GRAPH.node)
    .map(({ payload }) => readFields(payload));
  const zipMaps = nodes.filter((node) => operatorOf(node) === "ZipMap");
  const outputs = parts.filter(({ number }) => number === GRAPH.output)
    .map(({ payload }) => textOf(readFields(payload), NAME));
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
    outputs,
  };
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
