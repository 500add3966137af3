/** Random models and rows for tests, and plain ways to compute with them. */
import fc from "fast-check";
import type { Tree, TreesBody } from "../../src/learning/kinds/tree.ts";

/** A tree that is a value, or splits. */
export type Nested =
  | { value: number; cover: number }
  | {
    input: number;
    threshold: number;
    /** Where rows without a value go; without it, right. */
    missingLeft?: boolean;
    left: Nested;
    right: Nested;
  };

/** Few values, so that rows meet thresholds exactly. */
export const VALUE = fc.integer({ min: -4, max: 4 }).map((n) => n / 2);

/** Trees of up to `depth` levels over `width` inputs. */
export function nestedTree(
  width: number,
  depth: number,
): fc.Arbitrary<Nested> {
  const leaf = fc.record({
    value: fc.oneof(
      fc.constant(0),
      fc.double({ min: -1, max: 1, noNaN: true }),
    ),
    cover: fc.integer({ min: 1, max: 50 }),
  });
  if (depth === 0) return leaf;
  const below = nestedTree(width, depth - 1);
  const split = fc.record({
    input: fc.nat(width - 1),
    threshold: VALUE,
    missingLeft: fc.boolean(),
    left: below,
    right: below,
  });
  return fc.oneof({ weight: 1, arbitrary: leaf }, {
    weight: 4,
    arbitrary: split,
  });
}

/** Training rows that came through a tree. */
export function coverOf(tree: Nested): number {
  return "value" in tree
    ? tree.cover
    : coverOf(tree.left) + coverOf(tree.right);
}

/** The same tree as columns, in preorder, without what becomes of missing values. */
export function toColumns(tree: Nested): Tree {
  const { missingLeft: _, ...rest } = toNullableColumns(tree);
  return rest;
}

/** The same tree as columns, in preorder. */
export function toNullableColumns(tree: Nested): Tree {
  const columns = {
    input: [] as number[],
    threshold: [] as number[],
    left: [] as number[],
    right: [] as number[],
    value: [] as number[],
    cover: [] as number[],
    missingLeft: [] as number[],
  };
  const add = (node: Nested): number => {
    const at = columns.input.length;
    const leaf = "value" in node;
    columns.input.push(leaf ? -1 : node.input);
    columns.threshold.push(leaf ? 0 : node.threshold);
    columns.value.push(leaf ? node.value : 0);
    columns.cover.push(coverOf(node));
    columns.missingLeft.push(!leaf && node.missingLeft ? 1 : 0);
    columns.left.push(0);
    columns.right.push(0);
    if (!leaf) {
      columns.left[at] = add(node.left);
      columns.right[at] = add(node.right);
    }
    return at;
  };
  add(tree);
  return columns;
}

/** The side of a split that a row goes to. */
function sideOf(
  { input, threshold, missingLeft, left, right }: Exclude<
    Nested,
    { value: number }
  >,
  row: readonly number[],
): Nested {
  const value = row[input];
  const goesLeft = Number.isNaN(value) ? missingLeft : value <= threshold;
  return goesLeft ? left : right;
}

/** Value of the leaf that a row ends in. */
export function leafValue(tree: Nested, row: readonly number[]): number {
  if ("value" in tree) return tree.value;
  return leafValue(sideOf(tree, row), row);
}

/** Mean value of a tree where only the inputs of the bit set `known` are known. */
export function meanValue(
  tree: Nested,
  row: readonly number[],
  known: number,
): number {
  if ("value" in tree) return tree.value;
  if (known & (1 << tree.input)) {
    return meanValue(sideOf(tree, row), row, known);
  }
  const left = coverOf(tree.left);
  const right = coverOf(tree.right);
  return (left * meanValue(tree.left, row, known) +
    right * meanValue(tree.right, row, known)) / (left + right);
}

/** An ensemble of nested trees over `width` inputs, all of which may be missing. */
export function toNullableBody(
  trees: readonly Nested[],
  base: number,
  link: TreesBody["link"],
  width: number,
): TreesBody {
  return {
    link,
    base,
    nullable: Array.from({ length: width }, (_, input) => input),
    trees: trees.map(toNullableColumns),
  };
}

/** An ensemble of nested trees. */
export function toBody(
  trees: readonly Nested[],
  base: number,
  link: TreesBody["link"],
): TreesBody {
  return { link, base, trees: trees.map(toColumns) };
}
