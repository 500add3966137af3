/**
 * Scores of a sum of trees. All nodes of all trees lie in three flat arrays,
 * siblings side by side, so that a step is one comparison and one addition.
 * Rows go through a tree in blocks that stay in the first-level cache. A row's
 * leaves are added in the order of the trees, alone or in a batch: the scores
 * are the same bits. Contributions are in tree_contributions.ts, the ONNX form of
 * trees is at the end.
 */
import { ModelError } from "../../base/error.ts";
import { logistic } from "./linear.ts";
import { checkFinite, checkRows } from "../data/rows.ts";
import {
  type InputNumbers,
  integersAttribute,
  likelierLabel,
  ML_DOMAIN,
  node,
  type OnnxNodes,
  tensorAttribute,
  textAttribute,
  textsAttribute,
} from "../onnx/onnx_writer.ts";
import type { Scorer } from "./model.ts";
import type { ModelForm } from "./model_kind.ts";
import {
  ensembleFault,
  readEnsemble,
  type Tree,
  treeFault,
  type TreesBody,
} from "./tree.ts";
import { TreeContributions } from "./tree_contributions.ts";

/** The data of a model of trees, besides the name of its kind. */
export interface TreesPart {
  /** The trees. */
  readonly ensemble: TreesBody;
}

/** Models that add up trees, of any kind. */
export const treesForm: ModelForm<TreesPart> = {
  takesMissing: true,
  read: (file, { ensemble }, inputs) => ({
    ensemble: readEnsemble(file, ensemble, inputs),
  }),
  scorer: ({ ensemble }, inputs) => treesScorer(ensemble, inputs),
  onnx: ({ ensemble }, numbers) => treesNodes(ensemble, numbers),
};

/** Rows that go through a tree together. */
const BLOCK_ROWS = 256;

/** Up to this depth every row takes as many steps as the tree is deep: leaves lead to themselves. */
const EVEN_STEPS_MAX = 8;

/** All trees, one after another; a tree's nodes level by level. */
interface FlatTrees {
  /** Node where each tree begins. */
  readonly root: Int32Array;
  /** Levels of each tree below its root. */
  readonly depth: Int32Array;
  /** Input that a node splits by; 0 at a leaf. */
  readonly input: Int32Array;
  /** A row goes left where its value is at most this; at a leaf all do. */
  readonly threshold: Float64Array;
  /** Left child, the right one follows; at a leaf the leaf itself. */
  readonly child: Int32Array;
  /** What a leaf adds. */
  readonly value: Float64Array;
  /** 1 where a row without a value goes right, which then the comparison alone does not tell; undefined where none can be without. */
  readonly missingRight: Uint8Array | undefined;
}

/** The greatest number of float32: above no value, as Number.MAX_VALUE in float64. */
const FLOAT32_MAX = (2 - 2 ** -23) * 2 ** 127;

/** The rounding error of a sum of some thousand doubles. */
const ROUNDING = 1e-9;

/** A scorer of `body`; throws ModelError if it is not one for these inputs. */
export function treesScorer(
  body: TreesBody,
  inputs: readonly string[],
): Scorer {
  if (!Number.isFinite(body.base)) {
    throw new ModelError(`the trees' base is ${body.base}; train them again`);
  }
  body.trees.forEach((tree, index) => {
    const fault = treeFault(tree, inputs.length);
    if (fault === undefined) return;
    throw new ModelError(`tree ${index}: ${fault}; train the model again`);
  });
  const wrong = ensembleFault(body, inputs.length);
  if (wrong !== undefined) {
    throw new ModelError(`${wrong}; train the model again`);
  }
  const { nullable } = body;
  const flat = flatten(body);
  const logisticLink = body.link === "logistic";
  // Created on first use: most scorers never explain.
  let contributions: TreeContributions | undefined;
  return {
    inputs,
    nullable: nullable?.map((input) => inputs[input]),
    score(values, rows, scores) {
      checkRows(inputs, values, rows, scores, nullable);
      addMargins(flat, values, inputs.length, rows, scores, body.base);
      for (let row = 0; row < rows; row++) {
        scores[row] = logisticLink
          ? logistic(scores[row])
          : withoutRounding(scores[row]);
      }
    },
    explain(values, at, into) {
      checkFinite(inputs, values, at, at + inputs.length, nullable);
      contributions ??= new TreeContributions(body, inputs.length);
      return contributions.explain(values, at, into);
    },
  };
}

/** A mean of shares, added up in doubles, may end a hair beyond 0 or 1; larger errors are left to the caller to refuse. */
function withoutRounding(score: number): number {
  if (score > 1 && score < 1 + ROUNDING) return 1;
  if (score < 0 && score > -ROUNDING) return 0;
  return score;
}

function addMargins(
  flat: FlatTrees,
  values: Float64Array,
  width: number,
  rows: number,
  margins: Float64Array,
  base: number,
): void {
  for (let from = 0; from < rows; from += BLOCK_ROWS) {
    const to = Math.min(rows, from + BLOCK_ROWS);
    margins.fill(base, from, to);
    for (let tree = 0; tree < flat.root.length; tree++) {
      const root = flat.root[tree];
      const depth = flat.depth[tree];
      if (flat.missingRight) {
        addNullable(
          flat,
          flat.missingRight,
          root,
          values,
          width,
          from,
          to,
          margins,
        );
      } else if (depth <= EVEN_STEPS_MAX) {
        addEven(flat, root, depth, values, width, from, to, margins);
      } else addUneven(flat, root, values, width, from, to, margins);
    }
  }
}

/** Adds a shallow tree to the rows: no branch depends on whether a node is a leaf. */
function addEven(
  { input, threshold, child, value }: FlatTrees,
  root: number,
  depth: number,
  values: Float64Array,
  width: number,
  from: number,
  to: number,
  margins: Float64Array,
): void {
  for (let row = from; row < to; row++) {
    const at = row * width;
    let node = root;
    for (let step = 0; step < depth; step++) {
      node = child[node] + (values[at + input[node]] > threshold[node] ? 1 : 0);
    }
    margins[row] += value[node];
  }
}

/** Adds a deep tree to the rows: each stops at its leaf. */
function addUneven(
  { input, threshold, child, value }: FlatTrees,
  root: number,
  values: Float64Array,
  width: number,
  from: number,
  to: number,
  margins: Float64Array,
): void {
  for (let row = from; row < to; row++) {
    const at = row * width;
    let node = root;
    let next = child[node];
    while (next !== node) {
      node = next + (values[at + input[node]] > threshold[node] ? 1 : 0);
      next = child[node];
    }
    margins[row] += value[node];
  }
}

/** Adds a tree to rows that may lack values. */
function addNullable(
  { input, threshold, child, value }: FlatTrees,
  missingRight: Uint8Array,
  root: number,
  values: Float64Array,
  width: number,
  from: number,
  to: number,
  margins: Float64Array,
): void {
  for (let row = from; row < to; row++) {
    const at = row * width;
    let node = root;
    let next = child[node];
    while (next !== node) {
      const number = values[at + input[node]];
      const isRight = number > threshold[node] ||
        missingRight[node] > 0 && number !== number;
      node = next + (isRight ? 1 : 0);
      next = child[node];
    }
    margins[row] += value[node];
  }
}

function flatten({ trees, nullable }: TreesBody): FlatTrees {
  const total = trees.reduce((sum, tree) => sum + tree.input.length, 0);
  const flat: FlatTrees = {
    root: new Int32Array(trees.length),
    depth: new Int32Array(trees.length),
    input: new Int32Array(total),
    threshold: new Float64Array(total),
    child: new Int32Array(total),
    value: new Float64Array(total),
    missingRight: nullable && new Uint8Array(total),
  };
  let next = 0;
  trees.forEach((tree, index) => {
    flat.root[index] = next;
    next++;
    let level = [0];
    let levelAt = flat.root[index];
    for (; level.length > 0; flat.depth[index]++) {
      const below: number[] = [];
      for (const node of level) {
        const at = levelAt++;
        flat.value[at] = tree.value[node];
        flat.threshold[at] = Infinity;
        flat.child[at] = at;
        if (tree.input[node] < 0) continue;
        flat.input[at] = tree.input[node];
        flat.threshold[at] = tree.threshold[node];
        if (flat.missingRight) {
          flat.missingRight[at] = tree.missingLeft?.[node] === 1 ? 0 : 1;
        }
        flat.child[at] = next;
        next += 2;
        below.push(tree.left[node], tree.right[node]);
      }
      level = below;
    }
    flat.depth[index]--;
  });
  return flat;
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

/**
 * Each leaf stands for both classes, the base is in the leaves of the first
 * tree, and the label is that of the greater probability: runtimes differ, and
 * from the specification, in how they take weights of one class only, bases,
 * and the label that the classifier itself gives.
 */
function treesNodes(
  { link, base, nullable, trees }: TreesBody,
  numbers: InputNumbers,
): OnnxNodes {
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
    missingLeft: [] as number[],
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
      splits.missingLeft.push(tree.missingLeft?.[at] ?? 0);
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
          // Left is where the comparison is true.
          ...nullable
            ? [
              integersAttribute(
                "nodes_missing_value_tracks_true",
                splits.missingLeft,
              ),
            ]
            : [],
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

/** A threshold as its inputs are: in float32 the nearest, which keeps the order of values. */
function rounded(value: number, numbers: InputNumbers): number {
  if (numbers === "float64") return value;
  if (value === Number.MAX_VALUE) return FLOAT32_MAX;
  const float = Math.fround(value);
  if (Number.isFinite(float)) return float;
  throw new ModelError(
    `the model compares with ${value}, which float32 cannot hold; export it ` +
      "for float64",
  );
}
