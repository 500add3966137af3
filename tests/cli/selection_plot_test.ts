import assert from "node:assert/strict";
import {
  type NamedResult,
  selectionChart,
  selectionSvg,
} from "../../src/cli/output/selection_plot.ts";
import { textTable } from "../../src/base/text_table.ts";
import { spreads } from "../../src/learning/judge/selection.ts";

function result(
  name: string,
  validation: number,
  test: number,
): NamedResult {
  const of = (value: number) =>
    spreads([value - 0.1, value + 0.1].map((fold) => ({
      "auc_roc": fold,
      "average_precision": fold,
      "card_precision_100": fold,
    })));
  return {
    name,
    model: { kind: "decision-tree", settings: {} },
    validation: of(validation),
    test: of(test),
    validationFolds: [],
    testFolds: [],
    fitSeconds: 0,
  };
}

Deno.test("the chart places means from left to right and leaves out what there is not", () => {
  const chart = selectionChart([
    result("a", 0.2, 0.8),
    result("bb", 0.5, 0.5),
    result("c", NaN, 0.2),
  ], "auc_roc");
  const [title, ...lines] = chart.trimEnd().split("\n");
  assert.equal(title, "AUC ROC: o validation, x test");
  assert.match(lines[0], /^a {2}\|\s+o\s+x$/);
  assert.match(lines[1], /^bb \|\s+\*$/);
  assert.match(lines[2], /^c {2}\|\s+x$/);
  assert.equal(lines[0].indexOf("o"), lines[2].indexOf("x"));
  assert.match(lines[3], /^ +0\.100 +0\.900$/);
});

Deno.test("the picture has every mean that there is, and its names escaped", () => {
  const svg = selectionSvg([result("a<b&c", 0.2, 0.8), result("d", NaN, 0.5)]);
  assert.equal(svg.match(/r="3\.5"/g)?.length, 9);
  assert.match(svg, />a&lt;b&amp;c<\/text>/);
  assert.doesNotMatch(svg, /NaN/);
});

Deno.test("one candidate whose folds are all alike still has a scale", () => {
  const alike = spreads([{
    "auc_roc": 0.5,
    "average_precision": 0.5,
    "card_precision_100": 1,
  }]);
  const one: NamedResult = {
    ...result("a", 0, 0),
    validation: alike,
    test: alike,
  };
  assert.doesNotMatch(selectionSvg([one]), /NaN|Infinity/);
  assert.match(selectionChart([one], "card_precision_100"), /^a \| +\*$/m);
});

Deno.test("textTable() aligns words left, figures right", () => {
  assert.equal(
    textTable(["n", "x", "why"], [["1", "–", "so"], ["22", "0.5 s", ""]]),
    "n       x  why\n1       –  so\n22  0.5 s\n",
  );
  assert.equal(
    textTable(["name", "n"], [["a", "1"], ["bcdef", "100"], ["g"]]),
    "name     n\na        1\nbcdef  100\ng\n",
  );
});
