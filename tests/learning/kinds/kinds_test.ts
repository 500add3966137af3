import assert from "node:assert/strict";
import fc from "fast-check";
import { ConfigError, ModelError } from "../../../src/base/error.ts";
import type { TreesBody } from "../../../src/learning/kinds/tree.ts";
import {
  checkNullable,
  completeSettings,
  fitModel,
  KIND_NAMES,
  kindOf,
  MODEL_KINDS,
  scorerOf,
} from "../../../src/learning/kinds/kinds.ts";
import type { Settings } from "../../../src/learning/kinds/model_kind.ts";
import { readSpec } from "../../../src/cli/flags/model_flags.ts";
import {
  GOLDEN_SET,
  RANDOM_MISSING_SET,
  scoresOf,
  toExamples,
  toRows,
} from "../small_set.ts";

const FEW: Settings = { trees: 5 };

for (const { name: kind, settings: all, grid, evaluated } of MODEL_KINDS) {
  const settings = "trees" in all ? FEW : {};

  Deno.test(`${kind}: fits, scores and explains; twice the same`, () => {
    const body = fitModel(kind, GOLDEN_SET, settings);
    assert.equal(body.kind, kind);
    assert.deepEqual(fitModel(kind, GOLDEN_SET, settings), body);
    // What a model file keeps scores the same.
    const kept = JSON.parse(JSON.stringify(body));
    const values = toRows(GOLDEN_SET);
    const { rows, inputs, labels } = GOLDEN_SET;
    const [scores, again] = [body, kept].map((from) => {
      const into = new Float64Array(rows);
      scorerOf(from, inputs).score(values, rows, into);
      return into;
    });
    assert.deepEqual(again, scores);
    const meanOf = (label: number) => {
      const of = scores.filter((_, row) => labels[row] === label);
      return of.reduce((a, b) => a + b, 0) / of.length;
    };
    assert.ok(meanOf(1) > 1.2 * meanOf(0));
    const contributions = new Float64Array(inputs.length);
    const expected = scorerOf(body, inputs).explain?.(values, 0, contributions);
    const margin = contributions.reduce((a, b) => a + b, expected ?? NaN);
    const asScore = [margin, 1 / (1 + Math.exp(-margin))];
    assert.ok(asScore.some((score) => Math.abs(score - scores[0]) < 1e-9));
  });

  Deno.test(`${kind}: its own settings are within their limits`, () => {
    const flags = Object.values(all).map(({ flag }) => flag);
    assert.equal(new Set(flags).size, flags.length);
    assert.doesNotThrow(() => completeSettings(kind, completeSettings(kind)));
    for (const [name, values] of Object.entries(grid)) {
      for (const value of values as readonly number[]) {
        assert.doesNotThrow(() => completeSettings(kind, { [name]: value }));
      }
    }
    for (const { settings } of evaluated) {
      const text = settings ? `${kind}:${settings}` : kind;
      assert.equal(readSpec(text).name, text);
    }
  });

  Deno.test(`${kind}: one class only, no rows, or NaN is refused`, () => {
    const refused = (columns: number[][], labels: number[], why: RegExp) =>
      assert.throws(
        () => fitModel(kind, toExamples(columns, labels), settings),
        { name: "ModelError", message: why },
      );
    refused([[1, 2, 3]], [0, 0, 0], /there are 0 frauds in 3 rows/);
    refused([[1, 2, 3]], [1, 1, 1], /there are 3 frauds in 3 rows/);
    refused([[]], [], /there are 0 frauds in 0 rows/);
    refused([[1, NaN, 3]], [0, 1, 0], /INPUT_0 of row 1 is NaN/);
    refused([[1, 2, 3], [1, 2, Infinity]], [0, 1, 0], /INPUT_1 of row 2/);
    refused([[1, 2, 3]], [0, 1, 2], /the label of row 2 is 2/);
    refused([[1, 2]], [0, 1, 0], /columns do not fit 1 inputs and 3 rows/);
  });
}

Deno.test("settings are completed by the kind's defaults", () => {
  assert.deepEqual(completeSettings("decision-tree", { depthMax: 7 }), {
    depthMax: 7,
    leafRowsMin: 1,
  });
});

Deno.test("settings of another kind, or out of bounds, are wrong use", () => {
  const wrong: [string, Settings, RegExp][] = [
    [
      "logistic-regression",
      { trees: 3 },
      /has no setting trees; it has loss/,
    ],
    ["random-forest", { learningRate: 1 }, /has no setting learningRate/],
    [
      "random-forest",
      { trees: 0 },
      /trees must be a whole number from 1 .*, not 0/,
    ],
    [
      "random-forest",
      { trees: 1.5 },
      /trees must be a whole number .*, not 1\.5/,
    ],
    ["decision-tree", { depthMax: -1 }, /depthMax must be .*, not -1/],
    [
      "gradient-boosting",
      { rowShare: 0 },
      /rowShare must be a number above 0 up to 1, not 0/,
    ],
    [
      "gradient-boosting",
      { learningRate: 1.1 },
      /learningRate must be .*, not 1\.1/,
    ],
    ["gradient-boosting", { lambda: NaN }, /lambda must be .*, not NaN/],
    ["logistic-regression", { lossWeight: 0 }, /lossWeight must be .*, not 0/],
  ];
  for (const [kind, settings, message] of wrong) {
    assert.throws(() => completeSettings(kind, settings), {
      name: "ConfigError",
      message,
    });
  }
});

Deno.test("a kind that is not known is told with those that are", () => {
  assert.equal(new Set(KIND_NAMES).size, MODEL_KINDS.length);
  assert.throws(() => kindOf("oracle"), (error) => {
    assert.ok(error instanceof ModelError);
    assert.match(error.message, /no kind of model oracle; .*decision-tree/);
    return true;
  });
});

/** The score of a row by a walk through each tree. */
function plainScore(
  { link, base, trees }: TreesBody,
  row: readonly number[],
): number {
  let margin = base;
  for (const tree of trees) {
    let node = 0;
    while (tree.input[node] >= 0) {
      const value = row[tree.input[node]];
      const isLeft = Number.isNaN(value)
        ? tree.missingLeft?.[node] === 1
        : value <= tree.threshold[node];
      node = isLeft ? tree.left[node] : tree.right[node];
    }
    margin += tree.value[node];
  }
  return link === "logistic" ? 1 / (1 + Math.exp(-margin)) : margin;
}

for (const { name: kind, takesMissing, settings: all } of MODEL_KINDS) {
  if (!takesMissing) continue;
  const settings = "trees" in all ? FEW : {};

  Deno.test(`${kind}: learns from rows that lack values, and scores them as a walk through its trees does`, () => {
    fc.assert(
      fc.property(RANDOM_MISSING_SET, (examples) => {
        const body = fitModel(kind, examples, settings);
        const { ensemble } = body as { ensemble?: TreesBody };
        assert.ok(ensemble);
        assert.deepEqual(ensemble.nullable, [0, 1, 2, 3, 4]);
        const scores = scoresOf(ensemble, examples);
        for (let row = 0; row < examples.rows; row++) {
          const values = examples.columns.map((column) => column[row]);
          const plain = plainScore(ensemble, values);
          assert.ok(Math.abs(scores[row] - plain) < 1e-12);
        }
      }),
      { numRuns: 20 },
    );
  });

  Deno.test(`${kind}: that a value is missing tells a fraud`, () => {
    const labels = Array.from({ length: 200 }, (_, row) => row % 10 ? 0 : 1);
    const column = labels.map((label, row) => label ? NaN : row % 7);
    const examples = {
      ...toExamples([column, labels.map((_, row) => row % 3)], labels),
      nullable: ["INPUT_0"],
    };
    const body = fitModel(kind, examples, settings);
    const scores = new Float64Array(3);
    scorerOf(body, examples.inputs)
      .score(Float64Array.of(NaN, 1, 3, 1, 99, 1), 3, scores);
    assert.ok(scores[0] > 2 * scores[1], `${scores}`);
    // Greater than all that were seen, and present.
    assert.equal(scores[2], scores[1]);
  });
}

Deno.test("a kind that needs every value is refused before it is fitted", () => {
  const examples = {
    ...toExamples([[1, NaN, 3], [1, 2, 3]], [0, 1, 0]),
    nullable: ["INPUT_0", "INPUT_1"],
  };
  const message =
    "logistic-regression needs a value for every feature, and INPUT_0 (and 1 " +
    "more) can be missing; choose decision-tree, random-forest, " +
    "gradient-boosting, or make the feature always have a value";
  assert.throws(() => fitModel("logistic-regression", examples), (error) => {
    assert.ok(error instanceof ConfigError);
    assert.equal(error.message, message);
    return true;
  });
  checkNullable("logistic-regression", []);
  checkNullable("random-forest", ["A"]);
});

Deno.test("only inputs that may be missing are learned from without a value", () => {
  const examples = toExamples([[1, NaN, 3], [1, 2, 3]], [0, 1, 0]);
  for (const nullable of [undefined, ["INPUT_1"]]) {
    assert.throws(
      () => fitModel("decision-tree", { ...examples, nullable }),
      /INPUT_0 of row 1 is NaN; training needs a number for every input/,
    );
  }
  const infinite = toExamples([[1, Infinity, NaN], [1, 2, 3]], [0, 1, 0]);
  assert.throws(
    () => fitModel("decision-tree", { ...infinite, nullable: infinite.inputs }),
    /INPUT_0 of row 1 is Infinity/,
  );
});
