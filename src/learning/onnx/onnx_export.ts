/**
 * Models that were trained here as ONNX, for other runtimes and languages: an
 * input X, a row for each payment; outputs label and probabilities, as
 * scikit-learn's converter has them.
 *
 * X is float64, as are the features, so that every row takes our way through
 * the trees. In float32, which some programs need, values come together that a
 * threshold parts: thresholds are then rounded as values are, so what is at
 * most the threshold stays so, and what is above it by less than float32 can
 * tell goes left as well. Computed is in float64 either way. Field numbers are
 * those of onnx.proto.
 */
import { ModelError } from "../../base/error.ts";
import type { LinearBody, ModelBody, Tree, TreesBody } from "../kinds/model.ts";
import { INPUTS_PROPERTY } from "./onnx_signature.ts";
import {
  bytesField,
  concatenate,
  integerField,
  integersField,
  messageField,
  textField,
} from "./protobuf.ts";

/** Form of the file: read by every runtime since ONNX 1.10. */
const IR_VERSION = 8;
const OPSET = 13;

/** The operators of machine learning, and their version. */
const ML_DOMAIN = "ai.onnx.ml";
const ML_OPSET = 3;

/** TensorProto.DataType. */
const FLOAT = 1;
const INT64 = 7;
const DOUBLE = 11;

/** AttributeProto.AttributeType. */
const INTEGER_ATTRIBUTE = 2;
const TEXT_ATTRIBUTE = 3;
const TENSOR_ATTRIBUTE = 4;
const INTEGERS_ATTRIBUTE = 7;
const TEXTS_ATTRIBUTE = 8;

/** The numbers that an exported model takes. */
export type InputNumbers = "float64" | "float32";

/**
 * The ONNX file of a model over `inputs`, which come as `numbers`. `metadata`
 * is kept in the file beside the names of the inputs. Throws ModelError if
 * float32 cannot hold a threshold.
 */
export function toOnnx(
  body: ModelBody,
  inputs: readonly string[],
  numbers: InputNumbers,
  metadata: Readonly<Record<string, string>>,
): Uint8Array {
  const { nodes, constants } = body.kind === "logistic-regression"
    ? linearGraph(body.linear)
    : treesGraph(body.ensemble, numbers);
  const type = numbers === "float64" ? DOUBLE : FLOAT;
  const graph = [
    node("Cast", ["X"], ["values"], [integerAttribute("to", DOUBLE)]),
    ...nodes,
    textField(2, body.kind),
    ...constants,
    messageField(11, valueInfo("X", type, ["rows", inputs.length])),
    messageField(12, valueInfo("label", INT64, ["rows"])),
    messageField(12, valueInfo("probabilities", FLOAT, ["rows", 2])),
  ];
  const properties = {
    ...metadata,
    [INPUTS_PROPERTY]: JSON.stringify(inputs),
  };
  return concatenate([
    integerField(1, IR_VERSION),
    textField(2, "fraudstream"),
    messageField(7, graph),
    messageField(8, [textField(1, ""), integerField(2, OPSET)]),
    messageField(8, [textField(1, ML_DOMAIN), integerField(2, ML_OPSET)]),
    ...Object.entries(properties).map(([name, value]) => {
      return messageField(14, [textField(1, name), textField(2, value)]);
    }),
  ]);
}

/** A tree that adds nothing: a classifier must have one. */
const ONLY_LEAF: Tree = {
  input: [-1],
  threshold: [0],
  left: [0],
  right: [0],
  value: [0],
  cover: [0],
};

/** A graph from the values in float64 to the outputs. */
interface Graph {
  readonly nodes: readonly Uint8Array[];
  readonly constants: readonly Uint8Array[];
}

function linearGraph(linear: LinearBody): Graph {
  const { mean, deviation, coefficients, intercept } = linear;
  const slope = coefficients.map((value, at) => value / deviation[at]);
  const doubles = (name: string, values: readonly number[], dims: number[]) =>
    messageField(5, tensor(name, values, dims));
  return {
    nodes: [
      node("Sub", ["values", "mean"], ["centred"]),
      node("MatMul", ["centred", "slope"], ["sum"]),
      node("Add", ["sum", "intercept"], ["margin"]),
      node("Neg", ["margin"], ["against"]),
      node("Concat", ["against", "margin"], ["margins"], [
        integerAttribute("axis", 1),
      ]),
      node("Sigmoid", ["margins"], ["both"]),
      node("Cast", ["both"], ["probabilities"], [
        integerAttribute("to", FLOAT),
      ]),
      likelierLabel("margins"),
    ],
    constants: [
      doubles("mean", mean, [mean.length]),
      doubles("slope", slope, [slope.length, 1]),
      doubles("intercept", [intercept], [1]),
    ],
  };
}

/**
 * Each leaf stands for both classes, the base is in the leaves of the first
 * tree, and the label is that of the greater probability: runtimes differ, and
 * from the specification, in how they take weights of one class only, bases,
 * and the label that the classifier itself gives.
 */
function treesGraph(
  { link, base, trees }: TreesBody,
  numbers: InputNumbers,
): Graph {
  const isLogistic = link === "logistic";
  const whole = isLogistic ? 0 : 1;
  const splits = {
    tree: [] as number[],
    id: [] as number[],
    input: [] as number[],
    threshold: [] as number[],
    left: [] as number[],
    right: [] as number[],
    mode: [] as string[],
  };
  const leaf = {
    tree: [] as number[],
    node: [] as number[],
    class: [] as number[],
    weight: [] as number[],
  };
  const all = trees.length > 0 ? trees : [ONLY_LEAF];
  all.forEach((tree, index) => {
    const genuine = index === 0 ? whole - base : 0;
    const fraud = index === 0 ? base : 0;
    tree.input.forEach((input, at) => {
      const isLeaf = input < 0;
      splits.tree.push(index);
      splits.id.push(at);
      splits.input.push(isLeaf ? 0 : input);
      splits.threshold.push(rounded(tree.threshold[at], numbers));
      splits.left.push(tree.left[at]);
      splits.right.push(tree.right[at]);
      splits.mode.push(isLeaf ? "LEAF" : "BRANCH_LEQ");
      if (!isLeaf) return;
      leaf.tree.push(index, index);
      leaf.node.push(at, at);
      leaf.class.push(0, 1);
      leaf.weight.push(genuine - tree.value[at], fraud + tree.value[at]);
    });
  });
  return {
    nodes: [
      node(
        "TreeEnsembleClassifier",
        ["values"],
        ["first_label", "probabilities"],
        [
          integersAttribute("nodes_treeids", splits.tree),
          integersAttribute("nodes_nodeids", splits.id),
          integersAttribute("nodes_featureids", splits.input),
          tensorAttribute("nodes_values_as_tensor", splits.threshold),
          integersAttribute("nodes_truenodeids", splits.left),
          integersAttribute("nodes_falsenodeids", splits.right),
          textsAttribute("nodes_modes", splits.mode),
          integersAttribute("class_treeids", leaf.tree),
          integersAttribute("class_nodeids", leaf.node),
          integersAttribute("class_ids", leaf.class),
          tensorAttribute("class_weights_as_tensor", leaf.weight),
          integersAttribute("classlabels_int64s", [0, 1]),
          textAttribute("post_transform", isLogistic ? "LOGISTIC" : "NONE"),
        ],
        ML_DOMAIN,
      ),
      likelierLabel("probabilities"),
    ],
    constants: [],
  };
}

/** The class of which there is more. */
function likelierLabel(classes: string): Uint8Array {
  return node("ArgMax", [classes], ["label"], [
    integerAttribute("axis", 1),
    integerAttribute("keepdims", 0),
  ]);
}

/** A threshold as its inputs are: in float32 the nearest, which keeps the order of values. */
function rounded(value: number, numbers: InputNumbers): number {
  if (numbers === "float64") return value;
  const float = Math.fround(value);
  if (Number.isFinite(float)) return float;
  throw new ModelError(
    `the model compares with ${value}, which float32 cannot hold; export it ` +
      "for float64",
  );
}

function node(
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

function integerAttribute(name: string, value: number): Uint8Array {
  return attribute(name, INTEGER_ATTRIBUTE, integerField(3, value));
}

function integersAttribute(
  name: string,
  values: readonly number[],
): Uint8Array {
  return attribute(name, INTEGERS_ATTRIBUTE, integersField(8, values));
}

function textAttribute(name: string, text: string): Uint8Array {
  return attribute(name, TEXT_ATTRIBUTE, textField(4, text));
}

function textsAttribute(name: string, texts: readonly string[]): Uint8Array {
  const fields = texts.map((text) => textField(9, text));
  return attribute(name, TEXTS_ATTRIBUTE, ...fields);
}

function tensorAttribute(name: string, values: readonly number[]): Uint8Array {
  const value = messageField(5, tensor(name, values, [values.length]));
  return attribute(name, TENSOR_ATTRIBUTE, value);
}

/** A TensorProto of doubles, which the format has with the lowest byte first. */
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

/** A ValueInfoProto; a dimension with a name is open. */
function valueInfo(
  name: string,
  type: number,
  dims: readonly (number | string)[],
): Uint8Array[] {
  const shape = dims.map((dim) =>
    messageField(1, [
      typeof dim === "number" ? integerField(1, dim) : textField(2, dim),
    ])
  );
  const tensorType = [integerField(1, type), messageField(2, shape)];
  return [textField(1, name), messageField(2, [messageField(1, tensorType)])];
}
