import assert from "node:assert/strict";
import { ModelError } from "../../../src/base/error.ts";
import {
  completeSettings,
  fitModel,
  KIND_NAMES,
  kindOf,
  MODEL_KINDS,
  scorerOf,
} from "../../../src/learning/kinds/kinds.ts";
import type { Settings } from "../../../src/learning/kinds/model_kind.ts";
import { readSpec } from "../../../src/cli/flags/model_flags.ts";
import { GOLDEN_SET, toExamples, toRows } from "../small_set.ts";

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
