import assert from "node:assert/strict";
import fc from "fast-check";
import { ModelError } from "../../../src/base/error.ts";
import type { Tree } from "../../../src/learning/kinds/tree.ts";
import { treesScorer } from "../../../src/learning/kinds/trees.ts";
import {
  leafValue,
  meanValue,
  type Nested,
  nestedTree,
  toBody,
  toNullableBody,
  VALUE,
} from "../random_trees.ts";
import { isLong } from "../../long.ts";

const WIDTH = 4;
const INPUTS = ["A", "B", "C", "D"];
const ROW = fc.array(VALUE, { minLength: WIDTH, maxLength: WIDTH });
const MISSING_ROW = fc.array(fc.oneof(VALUE, fc.constant(NaN)), {
  minLength: WIDTH,
  maxLength: WIDTH,
});
const TREES = fc.array(nestedTree(WIDTH, 4), { maxLength: 5 });

/** Shapley values by their definition: over all subsets of the inputs. */
function shapley(trees: readonly Nested[], row: readonly number[]): number[] {
  const factorial = (n: number): number => n < 2 ? 1 : n * factorial(n - 1);
  const game = (known: number) =>
    trees.reduce((sum, tree) => sum + meanValue(tree, row, known), 0);
  return INPUTS.map((_, input) => {
    let sum = 0;
    for (let known = 0; known < 1 << WIDTH; known++) {
      if (known & (1 << input)) continue;
      const size = [...known.toString(2)].filter((bit) => bit === "1").length;
      const weight = factorial(size) * factorial(WIDTH - size - 1) /
        factorial(WIDTH);
      sum += weight * (game(known | (1 << input)) - game(known));
    }
    return sum;
  });
}

Deno.test("a score is base plus the leaves, alone as in a batch", () => {
  fc.assert(
    fc.property(
      TREES,
      fc.array(ROW, { minLength: 1, maxLength: 600, size: "max" }),
      fc.constantFrom("logistic" as const, "identity" as const),
      (trees, rows, link) => {
        const scorer = treesScorer(toBody(trees, 0.25, link), INPUTS);
        const scores = new Float64Array(rows.length);
        scorer.score(Float64Array.from(rows.flat()), rows.length, scores);
        rows.forEach((row, index) => {
          const margin = trees.reduce(
            (sum, tree) => sum + leafValue(tree, row),
            0.25,
          );
          const expected = link === "identity"
            ? margin
            : 1 / (1 + Math.exp(-margin));
          assert.equal(scores[index], expected);
          const alone = new Float64Array(1);
          scorer.score(Float64Array.from(row), 1, alone);
          assert.equal(alone[0], expected);
        });
      },
    ),
    { numRuns: 50 },
  );
});

Deno.test("a row without a value goes where each tree sends it, alone as in a batch", () => {
  fc.assert(
    fc.property(
      fc.array(nestedTree(WIDTH, 9), { maxLength: 5 }),
      fc.array(MISSING_ROW, { minLength: 1, maxLength: 600, size: "max" }),
      (trees, rows) => {
        const body = toNullableBody(trees, 0.25, "identity", WIDTH);
        const scorer = treesScorer(body, INPUTS);
        assert.deepEqual(scorer.nullable, INPUTS);
        const scores = new Float64Array(rows.length);
        scorer.score(Float64Array.from(rows.flat()), rows.length, scores);
        rows.forEach((row, index) => {
          const margin = trees.reduce(
            (sum, tree) => sum + leafValue(tree, row),
            0.25,
          );
          assert.equal(scores[index], margin);
          const alone = new Float64Array(1);
          scorer.score(Float64Array.from(row), 1, alone);
          assert.equal(alone[0], margin);
        });
      },
    ),
    { numRuns: isLong ? 1000 : 50 },
  );
});

Deno.test("only inputs that may be missing are scored without a value", () => {
  const tree: Nested = {
    input: 1,
    threshold: 0,
    missingLeft: true,
    left: { value: 0.25, cover: 1 },
    right: { value: 0.75, cover: 1 },
  };
  const body = toNullableBody([tree], 0, "identity", WIDTH);
  const scorer = treesScorer({ ...body, nullable: [1] }, INPUTS);
  assert.deepEqual(scorer.nullable, ["B"]);
  const scores = new Float64Array(1);
  scorer.score(Float64Array.of(0, NaN, 0, 0), 1, scores);
  assert.equal(scores[0], 0.25);
  assert.throws(
    () => scorer.score(Float64Array.of(NaN, NaN, 0, 0), 1, scores),
    /A of row 0 is NaN; a model needs a number for every input/,
  );
  assert.throws(
    () => scorer.score(Float64Array.of(0, Infinity, 0, 0), 1, scores),
    /B of row 0 is Infinity/,
  );
});

Deno.test("twenty leaves of a twentieth are a score of 1, not a hair more", () => {
  const leaf: Nested = { value: 1 / 20, cover: 1 };
  const sum = Array<number>(20).fill(1 / 20).reduce((a, b) => a + b);
  assert.ok(sum > 1, "the doubles' sum goes beyond 1");
  const scorer = treesScorer(
    toBody(Array(20).fill(leaf), 0, "identity"),
    INPUTS,
  );
  const scores = new Float64Array(1);
  scorer.score(new Float64Array(WIDTH), 1, scores);
  assert.equal(scores[0], 1);
});

Deno.test("a deep tree scores as a shallow one does", () => {
  fc.assert(
    fc.property(fc.array(VALUE, { minLength: 12, maxLength: 12 }), ROW, (
      thresholds,
      row,
    ) => {
      let tree: Nested = { value: 12, cover: 1 };
      thresholds.forEach((threshold, index) => {
        const leaf = { value: index, cover: 1 };
        const input = index % WIDTH;
        tree = { input, threshold, left: leaf, right: tree };
      });
      const scorer = treesScorer(toBody([tree], 0, "identity"), INPUTS);
      const scores = new Float64Array(1);
      scorer.score(Float64Array.from(row), 1, scores);
      assert.equal(scores[0], leafValue(tree, row));
    }),
  );
});

Deno.test("contributions of trees are the Shapley values of their definition", () => {
  fc.assert(
    fc.property(TREES, fc.oneof(ROW, MISSING_ROW), (trees, row) => {
      const body = row.some(Number.isNaN)
        ? toNullableBody(trees, 0.5, "logistic", WIDTH)
        : toBody(trees, 0.5, "logistic");
      const { explain } = treesScorer(body, INPUTS);
      const into = new Float64Array(WIDTH).fill(99);
      const expected = explain?.(Float64Array.from([9, ...row]), 1, into) ?? 0;
      const definition = shapley(trees, row);
      const mean = trees.reduce(
        (sum, tree) => sum + meanValue(tree, row, 0),
        0,
      );
      assert.ok(Math.abs(expected - mean - 0.5) < 1e-12);
      definition.forEach((value, input) => {
        assert.ok(Math.abs(into[input] - value) < 1e-12, INPUTS[input]);
      });
    }),
    { numRuns: 300 },
  );
});

Deno.test("contributions and the expected margin add up to the margin", () => {
  fc.assert(
    fc.property(
      fc.array(nestedTree(WIDTH, 7), { minLength: 1, maxLength: 8 }),
      ROW,
      (trees, row) => {
        const scorer = treesScorer(toBody(trees, -3, "identity"), INPUTS);
        const into = new Float64Array(WIDTH);
        const score = new Float64Array(1);
        const values = Float64Array.from(row);
        scorer.score(values, 1, score);
        const expected = scorer.explain?.(values, 0, into) ?? NaN;
        const sum = into.reduce((a, b) => a + b, expected);
        assert.ok(Math.abs(sum - score[0]) < 1e-9);
      },
    ),
  );
});

Deno.test("a way that no training row went changes no contribution", () => {
  const tree: Tree = {
    input: [0, -1, 1, -1, -1],
    threshold: [0, 0, 0, 0, 0],
    left: [1, 0, 3, 0, 0],
    right: [2, 0, 4, 0, 0],
    value: [0, 1, 0, 2, 4],
    cover: [10, 10, 0, 0, 0],
  };
  const scorer = treesScorer(
    { link: "identity", base: 0, trees: [tree] },
    INPUTS,
  );
  const into = new Float64Array(WIDTH);
  assert.equal(scorer.explain?.(Float64Array.of(0, 5, 0, 0), 0, into), 1);
  assert.deepEqual([...into], [0, 0, 0, 0]);
  // A row that goes there all the same: half of the way's mean either way.
  assert.equal(scorer.explain?.(Float64Array.of(1, 1, 0, 0), 0, into), 1);
  assert.deepEqual([...into], [2.5, 0.5, 0, 0]);
});

Deno.test("no trees at all: every score is the base's", () => {
  const scorer = treesScorer(toBody([], 0, "logistic"), INPUTS);
  const scores = new Float64Array(2);
  scorer.score(new Float64Array(2 * WIDTH), 2, scores);
  assert.deepEqual([...scores], [0.5, 0.5]);
  const into = new Float64Array(WIDTH).fill(7);
  assert.equal(scorer.explain?.(new Float64Array(WIDTH), 0, into), 0);
  assert.deepEqual([...into], [0, 0, 0, 0]);
});

Deno.test("a value that is not a number is refused by input and row", () => {
  const body = toBody([{ value: 1, cover: 1 }], 0, "identity");
  const scorer = treesScorer(body, INPUTS);
  const values = new Float64Array(3 * WIDTH);
  for (const value of [NaN, Infinity, -Infinity]) {
    values[2 * WIDTH + 1] = value;
    assert.throws(() => scorer.score(values, 3, new Float64Array(3)), {
      name: "ModelError",
      message: `B of row 2 is ${value}; a model needs a number for every input`,
    });
    assert.throws(
      () => scorer.explain?.(values, 2 * WIDTH, new Float64Array(WIDTH)),
      /^ModelError: B of row 0 is/,
    );
  }
  scorer.score(values, 2, new Float64Array(2)); // the rows before are sound
});

Deno.test("fewer values than rows were announced are refused", () => {
  const scorer = treesScorer(toBody([], 0, "identity"), INPUTS);
  const values = new Float64Array(7);
  const scores = new Float64Array(2);
  assert.throws(() => scorer.score(values, 2, scores), ModelError);
  assert.throws(
    () => scorer.score(new Float64Array(12), 3, scores),
    /room for 2 scores/,
  );
});

Deno.test("broken trees are refused", () => {
  const sound: Tree = {
    input: [0, -1, -1],
    threshold: [1, 0, 0],
    left: [1, 0, 0],
    right: [2, 0, 0],
    value: [0, 1, 2],
    cover: [2, 1, 1],
  };
  const broken: [Partial<Tree>, RegExp][] = [
    [{ input: [4, -1, -1] }, /node 0 splits by input 4 of 4/],
    [{ input: [0.5, -1, -1] }, /splits by input 0.5/],
    [{ input: [] }, /has no node/],
    [{ threshold: [NaN, 0, 0] }, /node 0 has a threshold or value/],
    [{ value: [0, Infinity, 0] }, /node 1 has a threshold or value/],
    [{ cover: [2, 1] }, /columns differ in length/],
    [{ cover: [2, 1, -1] }, /node 2 was passed by -1 rows/],
    [{ left: [0, 0, 0] }, /node 0 leads to node 0/],
    [{ right: [3, 0, 0] }, /node 0 leads to node 3/],
    [{ right: [1, 0, 0] }, /two nodes lead to node 1/],
    [{ input: [-1, -1, -1] }, /no node leads to node 1/],
    [{ missingLeft: [1] }, /columns differ in length/],
    [{ missingLeft: [0, 2, 0] }, /node 1 has 2 as missingLeft/],
  ];
  treesScorer({ link: "identity", base: 0, trees: [sound] }, INPUTS);
  for (const [part, message] of broken) {
    const body = {
      link: "identity",
      base: 0,
      trees: [sound, { ...sound, ...part }],
    } as const;
    assert.throws(() => treesScorer(body, INPUTS), { message });
    assert.throws(() => treesScorer(body, INPUTS), /^ModelError: tree 1: /);
  }
  const nullable: [readonly number[], Tree, RegExp][] = [
    [[1], sound, /tree 0 lacks missingLeft, and inputs are nullable/],
    [
      [],
      { ...sound, missingLeft: [0, 0, 0] },
      /tree 0 has missingLeft, and no/,
    ],
    [[1, 1], sound, /nullable must be ascending inputs of 4/],
    [[4], sound, /nullable must be ascending/],
    [[0.5], sound, /nullable must be ascending/],
  ];
  for (const [inputs, tree, message] of nullable) {
    const body = { link: "identity", base: 0, trees: [tree] } as const;
    assert.throws(
      () => treesScorer({ ...body, nullable: inputs }, INPUTS),
      { name: "ModelError", message },
    );
  }
  assert.throws(
    () => treesScorer({ link: "identity", base: NaN, trees: [] }, INPUTS),
    /^ModelError: the trees' base is NaN/,
  );
});
