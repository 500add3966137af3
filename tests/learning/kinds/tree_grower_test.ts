import assert from "node:assert/strict";
import fc from "fast-check";
import {
  rankByFrauds,
  type RankedColumns,
  rankValues,
} from "../../../src/learning/data/ranked_columns.ts";
import {
  type GrowthRule,
  TreeGrower,
} from "../../../src/learning/kinds/tree_grower.ts";
import type { Examples } from "../../../src/learning/kinds/model.ts";
import { isLong } from "../../long.ts";
import { RANDOM_MISSING_SET, RANDOM_SET, toExamples } from "../small_set.ts";

/** A rule that tries all columns in their order. */
function rule(width: number, changed: Partial<GrowthRule> = {}): GrowthRule {
  return {
    depthMax: 5,
    weightMin: 1,
    lambda: 0,
    valueScale: 1,
    gainMin: 0,
    classes: false,
    sameColumns: true,
    columns(into) {
      for (let at = 0; at < width; at++) into[at] = at;
      return { must: width, all: width };
    },
    ...changed,
  };
}

/** g = label and h = 1 for each row, times `weights`. */
function pairsOf({ labels }: Examples, weights?: readonly number[]) {
  const pairs = new Float64Array(2 * labels.length);
  labels.forEach((label, row) => {
    pairs[2 * row] = label * (weights?.[row] ?? 1);
    pairs[2 * row + 1] = weights?.[row] ?? 1;
  });
  return pairs;
}

/** What a node's rows say, from the rows themselves. */
function sumOf(pairs: Float64Array, rows: readonly number[]) {
  let g = 0;
  let h = 0;
  for (const row of rows) {
    g += pairs[2 * row];
    h += pairs[2 * row + 1];
  }
  return { g, h };
}

/** Whether a row goes left. */
function isLeft(value: number, threshold: number, missingLeft: boolean) {
  return Number.isNaN(value) ? missingLeft : value <= threshold;
}

/** The best split of a node: every input, every border between values, missing ones on either side, every sum anew. */
function bestPlainScore(
  { columns }: Examples,
  pairs: Float64Array,
  rows: readonly number[],
  { lambda, weightMin }: GrowthRule,
): number {
  let best = -Infinity;
  for (const column of columns) {
    for (const border of new Set(rows.map((row) => column[row]))) {
      if (Number.isNaN(border)) continue;
      for (const missingLeft of [false, true]) {
        const goesLeft = (row: number) =>
          isLeft(column[row], border, missingLeft);
        const left = sumOf(pairs, rows.filter(goesLeft));
        const right = sumOf(pairs, rows.filter((row) => !goesLeft(row)));
        if (left.h < weightMin || right.h < weightMin) continue;
        if (left.h === 0 || right.h === 0) continue;
        const score = left.g ** 2 / (left.h + lambda) +
          right.g ** 2 / (right.h + lambda);
        best = Math.max(best, score);
      }
    }
  }
  return best;
}

/** Holds each node of a grown tree against the plain search. */
function checkTree(
  examples: Examples,
  ranked: RankedColumns,
  pairs: Float64Array,
  by: GrowthRule,
): void {
  const all = Int32Array.from(examples.labels, (_, row) => row);
  const order = all.slice();
  const { tree, from, to } = new TreeGrower(ranked).grow(pairs, order, by);
  const seen = new Set<number>();
  const visit = (node: number, rows: readonly number[], depth: number) => {
    const said = rows.filter((row) => pairs[2 * row + 1] > 0);
    const { g, h } = sumOf(pairs, said);
    assert.equal(tree.cover[node], by.classes ? h : rows.length);
    const best = bestPlainScore(examples, pairs, said, by);
    const none = g ** 2 / (h + by.lambda);
    if (tree.input[node] < 0) {
      assert.equal(tree.value[node], by.valueScale * (g / (h + by.lambda)));
      // Its training rows are told.
      assert.deepEqual(
        [...order.slice(from[node], to[node])].sort((a, b) => a - b),
        rows,
      );
      rows.forEach((row) => seen.add(row));
      const pure = by.classes && (g === 0 || g === h);
      if (depth === by.depthMax || pure) return;
      const least = by.gainMin < 0 ? -Infinity : none * (1 + 1e-9);
      assert.ok(best <= least + by.gainMin, `a leaf could gain ${best}`);
      return;
    }
    assert.ok(depth < by.depthMax);
    const column = examples.columns[tree.input[node]];
    const threshold = tree.threshold[node];
    const missingLeft = tree.missingLeft?.[node] === 1;
    const goesLeft = (row: number) =>
      isLeft(column[row], threshold, missingLeft);
    const left = rows.filter(goesLeft);
    const right = rows.filter((row) => !goesLeft(row));
    const saying = (of: number[]) => of.filter((row) => pairs[2 * row + 1] > 0);
    const sums = [left, right].map((of) => sumOf(pairs, of));
    const score = sums.reduce((a, s) => a + s.g ** 2 / (s.h + by.lambda), 0);
    assert.ok(
      score >= best * (1 - 1e-12),
      `${score} where ${best} is to be had`,
    );
    assert.ok(sums.every((sum) => sum.h >= by.weightMin));
    const known = (of: number[]) =>
      saying(of).map((row) => column[row]).filter((value) => value === value);
    const below = Math.max(...known(left));
    const above = Math.min(...known(right));
    assert.equal(
      threshold,
      above === Infinity ? Number.MAX_VALUE : (below + above) / 2,
    );
    if (examples.nullable && said.every((row) => column[row] === column[row])) {
      // No row that counts says where missing values go: where more rows do.
      const more = (of: number[]) =>
        of.filter((row) => column[row] === column[row]).length;
      assert.equal(missingLeft, more(left) >= more(right));
    }
    visit(tree.left[node], left, depth + 1);
    visit(tree.right[node], right, depth + 1);
  };
  visit(0, [...all], 0);
  assert.equal(seen.size, examples.rows);
}

Deno.test("each split is the best there is, as trying every border finds it", () => {
  fc.assert(
    fc.property(
      RANDOM_SET,
      fc.constantFrom(1, 2, 10),
      fc.boolean(),
      fc.constantFrom(0, -1),
      (examples, weightMin, sameColumns, gainMin) => {
        checkTree(
          examples,
          rankValues(examples),
          pairsOf(examples),
          rule(5, { weightMin, sameColumns, gainMin, classes: true }),
        );
      },
    ),
    { numRuns: 60 },
  );
});

Deno.test("splits of weighted rows with lambda are the best; rows of weight 0 go along", () => {
  fc.assert(
    fc.property(
      RANDOM_SET,
      fc.array(fc.nat(3), { minLength: 300, maxLength: 300 }),
      fc.boolean(),
      (examples, weights, sameColumns) => {
        weights[0] = 1;
        weights[examples.rows - 1] = 2;
        checkTree(
          examples,
          rankValues(examples),
          pairsOf(examples, weights),
          rule(5, { sameColumns, lambda: 3, valueScale: 0.3 }),
        );
      },
    ),
    { numRuns: 60 },
  );
});

Deno.test("ranks by frauds lose no best split where rows of a class pull alike", () => {
  fc.assert(
    fc.property(RANDOM_SET, fc.boolean(), (examples, sameColumns) => {
      const pairs = new Float64Array(2 * examples.rows);
      examples.labels.forEach((label, row) => {
        pairs[2 * row] = label ? 900 : -100;
        pairs[2 * row + 1] = 90;
      });
      checkTree(
        examples,
        rankByFrauds(examples),
        pairs,
        rule(5, { weightMin: 0, lambda: 90, sameColumns }),
      );
    }),
    { numRuns: 60 },
  );
});

Deno.test("each split is the best also where values are missing, and sends them where they fit", () => {
  fc.assert(
    fc.property(
      RANDOM_MISSING_SET,
      fc.array(fc.nat(3), { minLength: 300, maxLength: 300 }),
      fc.boolean(),
      fc.constantFrom([0, 0, false], [0, -1, true], [3, 0, false]),
      (examples, weights, sameColumns, [lambda, gainMin, classes]) => {
        weights[0] = 1;
        weights[examples.rows - 1] = 2;
        checkTree(
          examples,
          rankValues(examples),
          pairsOf(examples, weights),
          rule(5, { sameColumns, lambda, gainMin, classes }),
        );
      },
    ),
    { numRuns: isLong ? 2000 : 100 },
  );
});

Deno.test("ranks by frauds lose no best split where values are missing", () => {
  fc.assert(
    fc.property(RANDOM_MISSING_SET, fc.boolean(), (examples, sameColumns) => {
      const pairs = new Float64Array(2 * examples.rows);
      examples.labels.forEach((label, row) => {
        pairs[2 * row] = label ? 900 : -100;
        pairs[2 * row + 1] = 90;
      });
      checkTree(
        examples,
        rankByFrauds(examples),
        pairs,
        rule(5, { weightMin: 0, lambda: 90, sameColumns }),
      );
    }),
    { numRuns: isLong ? 2000 : 100 },
  );
});

Deno.test("inputs that may be missing and never are give the same splits", () => {
  fc.assert(fc.property(RANDOM_SET, (examples) => {
    const grown = [undefined, examples.inputs].map((nullable) => {
      const ranked = rankValues({ ...examples, nullable });
      const rows = Int32Array.from(examples.labels, (_, row) => row);
      return new TreeGrower(ranked).grow(pairsOf(examples), rows, rule(5)).tree;
    });
    const { missingLeft, ...rest } = grown[1];
    assert.deepEqual(rest, grown[0]);
    assert.equal(missingLeft?.length, rest.input.length);
  }));
});

Deno.test("whether a value is missing can be all that a split asks", () => {
  const examples = {
    ...toExamples([[5, NaN, 7, NaN]], [0, 1, 0, 1]),
    nullable: ["INPUT_0"],
  };
  const { tree } = new TreeGrower(rankValues(examples)).grow(
    pairsOf(examples),
    Int32Array.of(0, 1, 2, 3),
    rule(1),
  );
  assert.deepEqual(tree, {
    input: [0, -1, -1],
    threshold: [Number.MAX_VALUE, 0, 0],
    left: [1, 0, 0],
    right: [2, 0, 0],
    value: [0, 0, 1],
    cover: [4, 2, 2],
    missingLeft: [0, 0, 0],
  });
});

Deno.test("of splits that are as good the first input's lowest is taken", () => {
  const column = [0, 1, 2, 3];
  const examples = toExamples([column, column], [0, 1, 0, 1]);
  const { tree } = new TreeGrower(rankValues(examples)).grow(
    pairsOf(examples),
    Int32Array.of(0, 1, 2, 3),
    rule(2, { depthMax: 1 }),
  );
  assert.deepEqual([tree.input[0], tree.threshold[0]], [0, 0.5]);
});

Deno.test("neighbouring doubles are told apart", () => {
  const next = 1 + 2 ** -52;
  const examples = toExamples([[1, next, 1, next]], [0, 1, 0, 1]);
  const { tree } = new TreeGrower(rankValues(examples)).grow(
    pairsOf(examples),
    Int32Array.of(0, 1, 2, 3),
    rule(1),
  );
  assert.deepEqual(tree.threshold, [1, 0, 0]);
  assert.deepEqual(tree.value, [0, 0, 1]);
});

Deno.test("ranks have each row's value between their bounds", () => {
  fc.assert(fc.property(RANDOM_SET, (examples) => {
    for (const rank of [rankValues, rankByFrauds]) {
      for (const column of rank(examples).columns) {
        let highest = -Infinity;
        for (let at = 0; at < column.count; at++) {
          if (column.low[at] === Infinity) continue; // no row has it
          assert.ok(column.low[at] > highest);
          assert.ok(column.high[at] >= column.low[at]);
          highest = column.high[at];
        }
        column.values.forEach((value, row) => {
          const at = column.ranks[row];
          assert.ok(value >= column.low[at] && value <= column.high[at]);
          if (rank === rankValues) assert.equal(value, column.low[at]);
          if (examples.labels[row]) {
            assert.equal(column.low[at], column.high[at]);
          }
        });
      }
    }
  }));
});
