/**
 * Sums of trees as data: their shape, a check for broken trees, reading them
 * from a model file, and the settings that all kinds of trees share.
 */
import type { CheckedJson } from "../../base/checked_json.ts";
import type { Examples } from "./model.ts";
import { type Setting, wholeSetting } from "./model_kind.ts";

/** A binary tree as columns; node 0 is the root. */
export interface Tree {
  /** Input that a node splits by, -1 at a leaf. */
  readonly input: readonly number[];
  /** A row goes left where its value is at most this; 0 at a leaf. */
  readonly threshold: readonly number[];
  /** Node of the rows that go left, 0 at a leaf. */
  readonly left: readonly number[];
  /** Node of the others, 0 at a leaf. */
  readonly right: readonly number[];
  /** What a row that ends in the leaf adds to the margin, 0 at an inner node. */
  readonly value: readonly number[];
  /** Training rows (or their weight) that came through the node. */
  readonly cover: readonly number[];
  /** 1 where a row without a value goes left, 0 where it goes right and at a leaf; only in an ensemble with nullable inputs. */
  readonly missingLeft?: readonly number[];
}

/** The functions from a margin to a score. */
export const LINKS = ["logistic", "identity"] as const;

/** A sum of trees: margin = base + the value of each tree's leaf. */
export interface TreesBody {
  /** How a margin becomes a score: by the logistic function, or unchanged. */
  readonly link: typeof LINKS[number];
  /** The margin before the trees. */
  readonly base: number;
  /** Inputs that may be missing, ascending; left out, none may be. */
  readonly nullable?: readonly number[];
  /** The trees. */
  readonly trees: readonly Tree[];
}

/** The inputs of examples that may be missing, as an ensemble has them: nothing where there are none. */
export function nullableInputs(
  { inputs, nullable = [] }: Examples,
): Pick<TreesBody, "nullable"> {
  const places = inputs.flatMap((name, at) => {
    return nullable.includes(name) ? [at] : [];
  });
  return places.length > 0 ? { nullable: places } : {};
}

/** The setting of the levels of a tree; 0 for no limit. */
export function depthSetting(initial: number): Setting {
  return wholeSetting("depth", initial, 0, 1000);
}

/** The setting of the number of trees. */
export function treesSetting(initial: number): Setting {
  return wholeSetting("trees", initial, 1, 100_000);
}

/** The setting of the seed of random draws. */
export const seedSetting: Setting = wholeSetting(
  "seed",
  0,
  0,
  Number.MAX_SAFE_INTEGER,
);

/** Reads a sum of trees over this many inputs. Throws the file's error. */
export function readEnsemble(
  file: CheckedJson,
  value: unknown,
  inputs: number,
): TreesBody {
  const fields = file.object(value, "body.ensemble");
  const what = "body.ensemble";
  const nullable = fields.nullable === undefined
    ? undefined
    : file.numbers(fields.nullable, `${what}.nullable`);
  const trees = file.list(fields.trees, `${what}.trees`, (tree, name) => {
    return readTree(file, tree, name, inputs);
  });
  const body: TreesBody = {
    link: file.oneOf(fields.link, LINKS, `${what}.link`),
    base: file.number(fields.base, `${what}.base`),
    ...nullable && { nullable },
    trees,
  };
  const wrong = ensembleFault(body, inputs);
  if (wrong !== undefined) throw file.error(`${what}: ${wrong}`);
  return body;
}

function readTree(
  file: CheckedJson,
  value: unknown,
  what: string,
  inputs: number,
): Tree {
  const fields = file.object(value, what);
  const input = file.numbers(fields.input, `${what}.input`);
  const each = (name: string) =>
    file.numbers(fields[name], `${what}.${name}`, input.length);
  const tree: Tree = {
    input,
    threshold: each("threshold"),
    left: each("left"),
    right: each("right"),
    value: each("value"),
    cover: each("cover"),
    ...fields.missingLeft !== undefined &&
      { missingLeft: each("missingLeft") },
  };
  const wrong = treeFault(tree, inputs);
  if (wrong !== undefined) throw file.error(`${what}: ${wrong}`);
  return tree;
}

/** Why an ensemble over `width` inputs does not say what becomes of missing values; undefined if it does. */
export function ensembleFault(
  { nullable = [], trees }: TreesBody,
  width: number,
): string | undefined {
  const ascending = nullable.every((input, at) => {
    return Number.isInteger(input) && input > (nullable[at - 1] ?? -1) &&
      input < width;
  });
  if (!ascending) return `nullable must be ascending inputs of ${width}`;
  const wanted = nullable.length > 0;
  const tree = trees.findIndex(({ missingLeft }) => {
    return (missingLeft !== undefined) !== wanted;
  });
  if (tree < 0) return undefined;
  return `tree ${tree} ${wanted ? "lacks" : "has"} missingLeft, and ` +
    `${wanted ? "" : "no "}inputs are nullable`;
}

/** Why a tree is not one finite tree over `width` inputs with root node 0; undefined if it is. */
export function treeFault(tree: Tree, width: number): string | undefined {
  const nodes = tree.input.length;
  const columns = [
    tree.threshold,
    tree.left,
    tree.right,
    tree.value,
    tree.cover,
    ...tree.missingLeft ? [tree.missingLeft] : [],
  ];
  if (nodes === 0) return "it has no node";
  if (columns.some(({ length }) => length !== nodes)) {
    return "its columns differ in length";
  }
  const parents = new Uint8Array(nodes);
  for (let node = 0; node < nodes; node++) {
    const input = tree.input[node];
    if (!Number.isInteger(input) || input < -1 || input >= width) {
      return `node ${node} splits by input ${input} of ${width}`;
    }
    if (!Number.isFinite(tree.threshold[node] + tree.value[node])) {
      return `node ${node} has a threshold or value that is not a number`;
    }
    if (!(tree.cover[node] >= 0 && tree.cover[node] < Infinity)) {
      return `node ${node} was passed by ${tree.cover[node]} rows`;
    }
    if (![0, 1, undefined].includes(tree.missingLeft?.[node])) {
      return `node ${node} has ${tree.missingLeft?.[node]} as missingLeft`;
    }
    if (input < 0) continue;
    for (const child of [tree.left[node], tree.right[node]]) {
      // Children come after their parent, so there is no cycle.
      if (!Number.isInteger(child) || child <= node || child >= nodes) {
        return `node ${node} leads to node ${child} of ${nodes}`;
      }
      if (parents[child]++ > 0) return `two nodes lead to node ${child}`;
    }
  }
  const stray = parents.indexOf(0, 1);
  return stray > 0 ? `no node leads to node ${stray}` : undefined;
}
