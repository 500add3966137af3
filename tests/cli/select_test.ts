import assert from "node:assert/strict";
import { temporaryFolder } from "../temporary_folder.ts";
import { runMain, testRunning } from "./program_runner.ts";

const SET = [
  "--customers=200",
  "--terminals=200",
  "--radius=10",
  "--days=60",
  "--folds=2",
];

testRunning(
  "select prints the same table, chart and best for any number of threads",
  async () => {
    await using folder = temporaryFolder();
    const plot = `${folder.path}/plot.svg`;
    const args = [
      ...["select", "--model=decision-tree", "--grid=depth=2,3,4", ...SET],
      ...["--metric=average_precision", `--out=${plot}`],
    ];
    const texts: string[] = [];
    for (const threads of [1, 2]) {
      const { code, stdout, stderr } = await runMain(
        [...args, `--threads=${threads}`],
      );
      assert.equal(code, 0, stderr);
      texts.push(stdout.replaceAll(/\d+\.\d s/g, ""));
    }
    assert.equal(texts[1], texts[0]);
    const [text] = texts;
    assert.match(
      text,
      /^2 validation folds, tests 2018-04-26 to 2018-05-09; 2 test folds, tests 2018-05-17 to 2018-05-30\n/,
    );
    const spread = " +\\d\\.\\d{3} ± \\d\\.\\d{3}";
    const row = new RegExp(`^decision-tree:depth=\\d(${spread}){6}`, "gm");
    assert.equal(text.match(row)?.length, 3);
    assert.match(text, /\naverage precision: o validation, x test\n/);
    for (const by of ["AUC ROC", "average precision", "card precision@100"]) {
      assert.match(text, RegExp(`\\n${by} +decision-tree:depth=\\d +`));
    }
    const svg = Deno.readTextFileSync(plot);
    // 3 metrics, 2 kinds of folds, 3 candidates.
    assert.equal(svg.match(/<circle [^>]*r="3.5"/g)?.length, 18);
    assert.doesNotMatch(svg, /NaN|undefined|Infinity/);
  },
);

testRunning(
  "select --json has every fold, and is what evaluate finds",
  async () => {
    const { code, stdout, stderr } = await runMain(
      ["select", "--json", "--model=logistic-regression:c=2", ...SET],
    );
    assert.equal(code, 0, stderr);
    const { best, candidates: [candidate, ...more] } = JSON.parse(stdout);
    assert.equal(more.length, 0);
    assert.equal(best.auc_roc, "logistic-regression:c=2");
    assert.equal(candidate.validation_folds.length, 2);
    // 60 days: the last test fold begins on day 53, its training on day 39.
    const evaluated = await runMain([
      ...["evaluate", "--json", "--model=logistic-regression:c=2"],
      ...SET.filter((flag) => !flag.startsWith("--folds")),
      "--start-day=39",
    ]);
    const [{ auc_roc: auc }] = JSON.parse(evaluated.stdout);
    assert.equal(candidate.test_folds[0].auc_roc, auc);
  },
);

testRunning("select says what can't be tried", async () => {
  const cases: [string[], RegExp][] = [
    [["--grid=depth"], /--grid must be a setting and its values, like depth=3/],
    [["--grid=depth=2", "--grid=depth=3"], /each setting once/],
    [["--grid=trees=2"], /--grid: logistic-regression has no setting 'trees'/],
    [["--model=m.json"], /is a file; name kinds of model to choose among/],
    [["--metric=luck"], /--metric must be auc_roc, average_precision or /],
    [["--folds=0"], /--folds must be a whole number from 1 to 100/],
    [["--days=30"], /49 days are needed and the payments have 30/],
    [
      [
        "--model=random-forest",
        `--grid=trees=${Array.from({ length: 101 }, (_, at) => at + 1)}`,
        `--grid=depth=${Array.from({ length: 100 }, (_, at) => at + 1)}`,
      ],
      /the grid has 10100 combinations; try at most 10000/,
    ],
  ];
  for (const [args, message] of cases) {
    const { code, stderr } = await runMain(["select", ...SET, ...args]);
    assert.equal(code, 2, stderr);
    assert.match(stderr, /^fraudstream: [^\n]*\n$/);
    assert.match(stderr, message);
  }
});
