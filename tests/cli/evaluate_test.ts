import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import {
  METRICS,
  type MetricValues,
} from "../../src/learning/judge/judgement.ts";
import experiment from "../data/learning/experiment.json" with { type: "json" };
import { temporaryFolder } from "../temporary_folder.ts";
import { runMain, testRunning } from "./program_runner.ts";

/** A small set that is made in a moment: 28 days. */
const SMALL = ["--customers=200", "--terminals=200", "--radius=10"];
const SMALL_SET = [...SMALL, "--days=28"];
const FOREIGN = fileURLToPath(
  new URL("../data/onnx/xgboost.onnx", import.meta.url),
);
const QUICK = "--model=logistic-regression,decision-tree";

/** One object of --json, as far as tests look at it. */
interface Evaluation extends MetricValues {
  model: string;
  training: { rows: number; frauds: number };
  test: { rows: number; frauds: number; "ids_sha256": string };
  period: { startDay: number };
  days: { day: number; rows: number; frauds: number }[];
  thresholds: { threshold: number; alerts: number }[];
  "cheapest_threshold": { cost: number };
  "trained_on": { "first_date": string; "last_date": string } | null;
  warning: string | null;
}

async function evaluateJson(args: string[]): Promise<Evaluation[]> {
  const { code, stdout, stderr } = await runMain(
    ["evaluate", "--json", ...args],
  );
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

testRunning(
  "evaluate reproduces the handbook's experiment on its data",
  async () => {
    const models = await evaluateJson([
      QUICK,
      "--model=gradient-boosting:trees=50:depth=3",
    ]);
    const { split } = experiment;
    for (const { training, test, days } of models) {
      assert.deepEqual(training, {
        rows: split.train_rows,
        frauds: split.train_frauds,
      });
      assert.deepEqual(test, {
        rows: split.test_rows,
        frauds: split.test_frauds,
        "ids_sha256": split.test_ids_sha256_one_per_line,
      });
      assert.deepEqual(days.map(({ rows }) => rows), split.test_rows_per_day);
      assert.deepEqual(
        days.map(({ frauds }) => frauds),
        split.test_frauds_per_day,
      );
    }
    const [logistic, tree, boosting] = models;
    const peers = experiment.models;
    for (const metric of METRICS) {
      const near = (model: Evaluation, peer: MetricValues) =>
        assert.ok(Math.abs(model[metric] - peer[metric]) < 0.005, metric);
      near(logistic, peers.logistic_regression);
      near(tree, peers.decision_tree_depth_2);
      assert.ok(boosting[metric] > peers.xgboost[metric], metric);
    }
    assert.deepEqual(models.map(({ model }) => model), [
      "logistic-regression",
      "decision-tree",
      "gradient-boosting:trees=50:depth=3",
    ]);
  },
);

testRunning("evaluate prints tables, days and thresholds", async () => {
  const { code, stdout, stderr } = await runMain(
    ["evaluate", QUICK, "--details", ...SMALL_SET],
  );
  assert.equal(code, 0, stderr);
  assert.match(
    stdout,
    /^training 2018-04-08 to 2018-04-14, days 7 to 13: [\d,]+ payments, /,
  );
  assert.match(stdout, /\ntest {5}2018-04-22 to 2018-04-28, days 21 to 27: /);
  assert.match(stdout, /\nmodel +AUC ROC +avg\. precision +CP@100 +fit\n/);
  assert.match(stdout, /\nlogistic-regression +0\.\d{3} +0\.\d{3} +0\.\d{3} /);
  assert.match(stdout, /\n\(perfect scores\) +1\.000 +1\.000 +0\.\d{3}\n/);
  assert.match(stdout, /\nday +payments +frauds .*\n21 /);
  assert.match(stdout, /\nthreshold +alerts .*\n0\.000 /);
});

testRunning("evaluate of files is that of the set in memory", async () => {
  await using folder = temporaryFolder();
  const data = `${folder.path}/data`;
  await runMain(["generate", `--out=${data}`, ...SMALL_SET]);
  const withoutTimes = (models: Evaluation[]) =>
    models.map((model) => ({ ...model, "fit_seconds": 0 }));
  assert.deepEqual(
    withoutTimes(await evaluateJson([QUICK, `--in=${data}`])),
    withoutTimes(await evaluateJson([QUICK, ...SMALL_SET])),
  );
});

testRunning("evaluate takes other days and longer histories", async () => {
  const days = [
    "--start-day=8",
    "--train-days=4",
    "--delay=3",
    "--test-days=5",
  ];
  const set = ["--model=decision-tree", ...SMALL_SET, ...days];
  const [short] = await evaluateJson(set);
  const [long] = await evaluateJson([...set, "--history-days=5"]);
  assert.deepEqual(short.days.map(({ day }) => day), [15, 16, 17, 18, 19]);
  assert.equal(long.test.ids_sha256, short.test.ids_sha256);
  assert.ok(long.training.rows > short.training.rows);
});

testRunning("evaluate writes the curves", async () => {
  await using folder = temporaryFolder();
  const path = `${folder.path}/curves.jsonl`;
  const [model] = await evaluateJson(
    ["--model=decision-tree", `--curves=${path}`, ...SMALL_SET],
  );
  const points = Deno.readTextFileSync(path).trimEnd().split("\n")
    .map((line) => JSON.parse(line));
  assert.ok(points.length >= 2);
  assert.deepEqual(
    Object.keys(points[0]),
    [
      "model",
      "threshold",
      "alerts",
      "precision",
      "recall",
      "false_positive_rate",
    ],
  );
  const last = points[points.length - 1];
  assert.deepEqual(
    [last.alerts, last.recall, last.false_positive_rate],
    [model.test.rows, 1, 1],
  );
});

testRunning(
  "evaluate --retrain judges both models by the same weeks",
  async () => {
    const set = [...SMALL, "--days=60", "--model=decision-tree"];
    const { code, stdout, stderr } = await runMain(
      ["evaluate", "--retrain=7d", "--start-day=10", "--json", ...set],
    );
    assert.equal(code, 0, stderr);
    const [{ model, periods, mean }] = JSON.parse(stdout);
    assert.equal(model, "decision-tree");
    // 10 + 7 + 7 = 24 days before the first of 5 whole weeks.
    assert.deepEqual(
      periods.map(({ period }: { period: { startDay: number } }) =>
        period.startDay
      ),
      [10, 17, 24, 31, 38],
    );
    assert.deepEqual(periods[0].once, periods[0].again);
    assert.notDeepEqual(mean.once, mean.again);
    const [third] = await evaluateJson([...set, "--start-day=24"]);
    for (const metric of METRICS) {
      assert.equal(periods[2].again[metric], third[metric]);
    }
    const table = await runMain(
      ["evaluate", "--retrain=7d", "--start-day=10", ...set],
    );
    assert.match(table.stdout, /^once: trained on 2018-04-11 to 2018-04-17; /);
    assert.match(table.stdout, /\nmean of 5 +0\.\d{3} /);
  },
);

testRunning(
  "evaluate --feedback judges on the rows of the standard split",
  async () => {
    const set = [...SMALL, "--days=60", "--model=decision-tree"];
    const flags = ["evaluate", "--feedback=20/day", ...set];
    const { code, stdout, stderr } = await runMain([...flags, "--json"]);
    assert.equal(code, 0, stderr);
    const [{ experiment, test, ways }] = JSON.parse(stdout);
    assert.equal(experiment, "alert-feedback");
    assert.deepEqual(Object.keys(ways), ["late", "together", "mean"]);
    const [standard] = await evaluateJson(set);
    assert.deepEqual(test, standard.test);
    // The first day learns from the same rows.
    const [day] = ways.late.days;
    assert.equal(day.rows, standard.days[0].rows);
    assert.deepEqual([day.checkedRows, day.lateRows], [
      0,
      standard.training.rows,
    ]);
    assert.ok(ways.together.days[0].checkedRows >= 7 * 20);
    const table = await runMain(flags);
    assert.match(
      table.stdout,
      /^alert-feedback experiment, not the standard split: every day the 20 /,
    );
    assert.match(
      table.stdout,
      /\ndecision-tree {2}with feedback, together +\d/,
    );
  },
);

testRunning("evaluate says what can't be evaluated", async () => {
  await using folder = temporaryFolder();
  const broken = `${folder.path}/broken.json`;
  Deno.writeTextFileSync(broken, "{");
  const cases: [string[], number, RegExp][] = [
    [["--model=oracle"], 2, /--model must be logistic-regression, /],
    [
      ["--model=decision-tree:trees=5"],
      2,
      /decision-tree has no setting 'trees'; it has depth, leaf-rows/,
    ],
    [
      ["--model=decision-tree:depth=x"],
      2,
      /--model: depth of decision-tree must be a whole number .*, not 'x'$/m,
    ],
    [["--model=no/such.json"], 1, /cannot read no\/such\.json/],
    [[`--model=${broken}`], 1, /broken\.json is not JSON/],
    [["--days=20"], 2, /21 days are needed and the payments have 20/],
    [["--start-day=3"], 1, /the test has no payment: days 17 /],
    [["--start-day=3", "--history-days=4"], 2, /--start-day=3 needs 4 days/],
    [["--in=x", "--preset=seed"], 2, /--preset says what to simulate, /],
    [["--retrain=7d", "--test-days=7"], 2, /--test-days has no effect/],
    [["--retrain=30h"], 2, /--retrain must be whole days/],
    [["--retrain=7d", "--model=m.json"], 2, /--retrain trains models/],
    [["--retrain=7d"], 2, /--retrain needs 58 days for its first test/],
    [
      ["--feedback=100"],
      2,
      /--feedback must be cards per day such as 100\/day/,
    ],
    [["--feedback=9/day", "--model=m.json"], 2, /--feedback trains models/],
    [["--feedback=9/day", "--retrain=7d"], 2, /--retrain has no effect/],
    [["--feedback=9/day"], 2, /28 days are needed and the payments have 14/],
    [["--threads=0"], 2, /--threads must be a whole number from 1/],
  ];
  for (const [args, code, message] of cases) {
    const days = args.some((flag) => /^--(days|in|preset)/.test(flag))
      ? []
      : ["--days=14"];
    const outcome = await runMain(
      ["evaluate", ...args.includes("--in=x") ? [] : SMALL, ...days, ...args],
    );
    assert.equal(outcome.code, code, `${args}: ${outcome.stderr}`);
    assert.match(outcome.stderr, /^fraudstream: [^\n]*\n$/);
    assert.match(outcome.stderr, message);
  }
});

testRunning(
  "evaluate says which days a model file was trained on, and warns where they are the test's",
  async () => {
    await using folder = temporaryFolder();
    const json = `${folder.path}/model.json`;
    const onnx = `${folder.path}/model.onnx`;
    const days = ["--start-day=12", "--train-days=2", "--test-days=7"];
    const trained = await runMain([
      ...["train", "--model=decision-tree", `--out=${json}`, "--export=onnx"],
      ...[...days, ...SMALL_SET],
    ]);
    assert.equal(trained.code, 0, trained.stderr);
    for (const path of [json, onnx]) {
      const [first] = await evaluateJson(
        [`--model=${path}`, ...days, ...SMALL_SET],
      );
      assert.equal(first.warning, null);
      assert.deepEqual(first["trained_on"], {
        "first_date": "2018-04-13",
        "last_date": "2018-04-14",
        "label_delay_days": 7,
      });
    }
    const warnings: [flags: string[], warning: RegExp][] = [
      [["--train-days=1"], /and 2 of the 7 test days are among them: /],
      [["--train-days=7"], /known from 2018-04-22 on, and the test begins /],
      [["--train-days=1", "--test-days=3"], /, after the test: it knows what/],
      // By dates: the model's days are other ones of these payments.
      [["--train-days=7", "--start=2018-03-28"], /and 2 of the 7 test days/],
    ];
    for (const [flags, warning] of warnings) {
      const args = ["--start-day=0", ...flags, ...SMALL_SET];
      const files = [`--model=${json}`, `--model=${onnx}`];
      const models = await evaluateJson([...files, ...args]);
      assert.equal(models.length, 2);
      for (const model of models) {
        assert.match(`${model.warning}`, warning);
        assert.equal(model["trained_on"]?.["last_date"], "2018-04-14");
      }
    }
    const { stdout } = await runMain([
      ...["evaluate", `--model=${json}`, "--model=decision-tree"],
      ...[`--model=${FOREIGN}`, "--start-day=0", "--train-days=1"],
      ...SMALL_SET,
    ]);
    assert.match(stdout, /^training 2018-04-01 to 2018-04-01, days 0 to 0: /);
    assert.match(
      stdout,
      /\ntraining 2018-04-13 to 2018-04-14: \S+model\.json\n/,
    );
    assert.deepEqual(stdout.match(/^warning: .*$/gm), [
      `warning: ${json} was trained on 2018-04-13 to 2018-04-14, and 2 of the ` +
      "7 test days are among them: it is judged by what it has learned from",
      `warning: ${FOREIGN} does not say which days it was trained on: it may ` +
      "have learned from the test",
    ]);
  },
);
