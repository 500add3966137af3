/**
 * Scores of a sum of trees. All nodes of all trees lie in three flat arrays,
 * siblings side by side, so that a step is one comparison and one addition.
 * Rows go through a tree in blocks that stay in the first-level cache. A row's
 * leaves are added in the order of the trees, alone or in a batch: the scores
 * are the same bits. Contributions are in tree_contributions.ts.
 */
import { ModelError } from "../../base/error.ts";
import { logistic } from "./linear.ts";
import type { Scorer, Tree, TreesBody } from "./model.ts";
import { checkFinite, checkRows } from "../data/rows.ts";
import { TreeContributions } from "./tree_contributions.ts";

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
}

/** What adding up some thousand doubles may be off by. */
const ROUNDING = 1e-9;

/** A scorer of `body`; throws ModelError if it is not one for these inputs. */
export function treesScorer(
  body: TreesBody,
  inputs: readonly string[],
): Scorer {
  if (!Number.isFinite(body.base)) {
    throw new ModelError(`the trees' base is ${body.base}; train them again`);
  }
  body.trees.forEach((tree, index) => checkTree(tree, index, inputs.length));
  const flat = flatten(body.trees);
  const logisticLink = body.link === "logistic";
  // Made when first asked for: most scorers never explain.
  let contributions: TreeContributions | undefined;
  return {
    inputs,
    score(values, rows, scores) {
      checkRows(inputs, values, rows, scores);
      addMargins(flat, values, inputs.length, rows, scores, body.base);
      for (let row = 0; row < rows; row++) {
        scores[row] = logisticLink
          ? logistic(scores[row])
          : withoutRounding(scores[row]);
      }
    },
    explain(values, at, into) {
      checkFinite(inputs, values, at, at + inputs.length);
      contributions ??= new TreeContributions(body, inputs.length);
      return contributions.explain(values, at, into);
    },
  };
}

/** A mean of shares, added up in doubles, may end a hair beyond 0 or 1; more than that is left for others to refuse. */
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
      if (depth <= EVEN_STEPS_MAX) {
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

function flatten(trees: readonly Tree[]): FlatTrees {
  const total = trees.reduce((sum, tree) => sum + tree.input.length, 0);
  const flat: FlatTrees = {
    root: new Int32Array(trees.length),
    depth: new Int32Array(trees.length),
    input: new Int32Array(total),
    threshold: new Float64Array(total),
    child: new Int32Array(total),
    value: new Float64Array(total),
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

/** Throws ModelError unless node 0 is the root of one finite tree over `width` inputs. */
function checkTree(tree: Tree, index: number, width: number): void {
  const nodes = tree.input.length;
  const refuse = (what: string) => {
    throw new ModelError(`tree ${index}: ${what}; train the model again`);
  };
  const columns = [
    tree.threshold,
    tree.left,
    tree.right,
    tree.value,
    tree.cover,
  ];
  if (nodes === 0) refuse("it has no node");
  if (columns.some(({ length }) => length !== nodes)) {
    refuse("its columns differ in length");
  }
  const parents = new Uint8Array(nodes);
  for (let node = 0; node < nodes; node++) {
    const input = tree.input[node];
    if (!Number.isInteger(input) || input < -1 || input >= width) {
      refuse(`node ${node} splits by input ${input} of ${width}`);
    }
    if (!Number.isFinite(tree.threshold[node] + tree.value[node])) {
      refuse(`node ${node} has a threshold or value that is no number`);
    }
    if (!(tree.cover[node] >= 0 && tree.cover[node] < Infinity)) {
      refuse(`node ${node} was passed by ${tree.cover[node]} rows`);
    }
    if (input < 0) continue;
    for (const child of [tree.left[node], tree.right[node]]) {
      // Children come after their parent, so there is no way back to it.
      if (!Number.isInteger(child) || child <= node || child >= nodes) {
        refuse(`node ${node} leads to node ${child}`);
      }
      if (parents[child]++ > 0) refuse(`two nodes lead to node ${child}`);
    }
  }
  const stray = parents.indexOf(0, 1);
  if (stray > 0) refuse(`no node leads to node ${stray}`);
}
