import assert from "node:assert/strict";
import { METRICS } from "../../src/learning/judge/judgement.ts";
import { parseModelFile } from "../../src/learning/file/model_file.ts";
import { PAYMENT_FIELDS } from "../../src/payment/payment.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { runMain, testRunning } from "./program_runner.ts";

const SET = [
  "--customers=200",
  "--terminals=200",
  "--radius=10",
  "--days=28",
];

testRunning(
  "train writes a model file that evaluate judges as it was judged",
  async () => {
    await using folder = temporaryFolder();
    for (const kind of ["logistic-regression", "gradient-boosting"]) {
      const path = `${folder.path}/${kind}.json`;
      const boosting = kind === "gradient-boosting"
        ? ["--trees=10", "--depth=3", "--settings=seed=5,row-share=0.5"]
        : [];
      const outcome = await runMain([
        ...["train", `--model=${kind}`, `--out=${path}`, ...boosting, ...SET],
        "--feature-set=extended",
      ]);
      assert.equal(outcome.code, 0, outcome.stderr);
      assert.match(
        outcome.stderr,
        /, trained on 2018-04-08 to 2018-04-14: .*\ntested on 2018-04-22 to /,
      );
      const model = parseModelFile(Deno.readTextFileSync(path), path);
      assert.equal(model.featureParameters.set, "extended");
      assert.equal(model.training.firstDay, 7);
      if (kind === "gradient-boosting") {
        const { trees, depthMax, seed, rowShare } = model.settings;
        assert.deepEqual([trees, depthMax, seed, rowShare], [10, 3, 5, 0.5]);
      }
      // Without --feature-set the features are those of the file.
      const evaluated = await runMain(
        ["evaluate", "--json", `--model=${path}`, ...SET],
      );
      assert.equal(evaluated.code, 0, evaluated.stderr);
      const [judged] = JSON.parse(evaluated.stdout);
      for (const metric of METRICS) {
        assert.equal(judged[metric], model.metrics?.[metric]);
      }
      const other = await runMain(
        ["evaluate", `--model=${path}`, "--windows=1,7", ...SET],
      );
      assert.equal(other.code, 1);
      assert.match(other.stderr, /other inputs than these payments: it wants /);
    }
  },
);

testRunning(
  "train writes the same bytes each time, also to stdout",
  async () => {
    const args = ["train", "--model=random-forest:trees=5", "--out=-", ...SET];
    const first = await runMain(args);
    assert.equal(first.code, 0, first.stderr);
    assert.equal((await runMain(args)).stdout, first.stdout);
    const other = await runMain([...args, "--settings=seed=1"]);
    assert.notEqual(other.stdout, first.stdout);
  },
);

testRunning("train needs no more than its files", async () => {
  await using folder = temporaryFolder();
  const { path } = folder;
  const { code, stderr } = await runMain(
    ["train", "--model=decision-tree", `--out=${path}/m.json`, ...SET],
    { permissions: [`--allow-read=${path}`, `--allow-write=${path}`] },
  );
  assert.equal(code, 0, stderr);
});

testRunning("train without a test to follow says so", async () => {
  await using folder = temporaryFolder();
  const path = `${folder.path}/model.json`;
  const { code, stderr } = await runMain([
    ...["train", "--model=decision-tree", `--out=${path}`, ...SET],
    "--start-day=21",
  ]);
  assert.equal(code, 0, stderr);
  assert.match(stderr, /not tested: the payments end before 2018-05-12/);
  const model = parseModelFile(Deno.readTextFileSync(path), path);
  assert.equal(model.metrics, undefined);
});

testRunning("train refuses days with genuine payments alone", async () => {
  const rows = [0, 1, 2].map((day) => {
    const date = `2018-04-0${day + 1} 00:00:00`;
    return `${day},${date},1,1,5,${day * 86_400},${day},0,0\n`;
  });
  const { code, stderr } = await runMain([
    ...["train", "--model=decision-tree", "--out=-", "--in=-"],
    ...["--train-days=1", "--delay=1", "--test-days=1"],
  ], {
    stdin: new TextEncoder().encode(
      PAYMENT_FIELDS.join(",") + "\n" + rows.join(""),
    ),
  });
  assert.equal(code, 1, stderr);
  assert.match(stderr, /^fraudstream: there are 0 frauds in 1 rows to learn /);
});

testRunning(
  "train takes the days whose labels are known, though the data go on",
  async () => {
    await using folder = temporaryFolder();
    const path = (name: string) => `${folder.path}/${name}`;
    Deno.writeTextFileSync(
      path("s.yaml"),
      [
        "version: 1",
        "payment:",
        "  TRANSACTION_ID: { from: row }",
        "  TX_DATETIME: time",
        "  CUSTOMER_ID: card",
        "  TERMINAL_ID: shop",
        "  TX_AMOUNT: amount",
        "  TX_FRAUD: fraud",
        "labels: { from: stream, delay: 7d, grace: 1d, mature: 14d }",
      ].join("\n"),
    );
    // 28 days are needed, and the labels of the last 14 of 42 are not known.
    const rows = Array.from({ length: 42 * 24 }, (_, hour) => {
      const time = new Date(Date.UTC(2024, 0, 1, hour)).toISOString();
      const fraud = hour % 8 === 0 ? 1 : "";
      return `${time},c${hour % 97},s${hour % 5},${fraud ? 90 : 10},${fraud}\n`;
    });
    Deno.writeTextFileSync(
      path("payments.csv"),
      "time,card,shop,amount,fraud\n" + rows.join(""),
    );
    const { code, stderr } = await runMain([
      ...["train", "--model=decision-tree", `--out=${path("model.json")}`],
      ...[`--definition=${path("s.yaml")}`, `--in=${path("payments.csv")}`],
    ]);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /trained on 2024-01-01 to 2024-01-07: 168 payments/);
  },
);

testRunning("train says what can't be trained", async () => {
  await using folder = temporaryFolder();
  const present = `${folder.path}/present.json`;
  Deno.writeTextFileSync(present, "kept");
  const tree = "--model=decision-tree";
  const cases: [string[], number, RegExp][] = [
    [["--out=-"], 2, /--model is needed; for example: \.\/fraudstream train /],
    [[tree], 2, /--out is needed/],
    [[tree, `--out=${present}`], 2, /exists; .* overwrite it with --force/],
    [["--model=m.json", "--out=-"], 2, /must be one kind of model to train/],
    [[`${tree},${tree.slice(8)}`, "--out=-"], 2, /must be one kind of model/],
    [[tree, "--trees=3", "--out=-"], 2, /decision-tree has no setting 'trees'/],
    [
      [tree, "--settings=depth", "--out=-"],
      2,
      /depth of decision-tree must be a whole number/,
    ],
  ];
  for (const [args, code, message] of cases) {
    const outcome = await runMain(["train", ...SET, ...args]);
    assert.equal(outcome.code, code, `${args}: ${outcome.stderr}`);
    assert.equal(outcome.stdout, "");
    assert.match(outcome.stderr, /^fraudstream: [^\n]*\n$/);
    assert.match(outcome.stderr, message);
  }
  assert.equal(Deno.readTextFileSync(present), "kept");
});
