import assert from "node:assert/strict";
import { temporaryFolder } from "../temporary_folder.ts";
import { runMain, testRunning } from "./program_runner.ts";

/** A definition with features that most payments lack, and one of the same names that is another. */
const definition = (hours: number) =>
  `version: 1
payment:
  TRANSACTION_ID: { from: TRANSACTION_ID, type: number }
  TX_DATETIME: TX_DATETIME
  CUSTOMER_ID: { from: CUSTOMER_ID, type: number }
  TERMINAL_ID: { from: TERMINAL_ID, type: number }
  TX_AMOUNT: TX_AMOUNT
  TX_FRAUD: TX_FRAUD
labels: { from: payment, delay: 7d }
features:
  include: none
  CARD_MEAN: { mean: TX_AMOUNT, by: CUSTOMER_ID, over: ${hours}h, include_self: false }
  SPEND_RATIO: { expression: "TX_AMOUNT / CARD_MEAN" }
  TERMINAL_RISK: { share: TX_FRAUD, by: TERMINAL_ID, over: 7d }
`;

testRunning(
  "models of payments with missing features score files, streams and ONNX alike",
  async () => {
    await using folder = temporaryFolder();
    const at = (name: string) => `${folder.path}/${name}`;
    Deno.writeTextFileSync(at("stream.yaml"), definition(6));
    Deno.writeTextFileSync(at("other.yaml"), definition(12));
    const set = [
      "--customers=60",
      "--terminals=120",
      "--days=40",
      "--radius=20",
    ];
    await runMain(["generate", `--out=${at("data")}`, ...set]);
    const input = [`--in=${at("data")}`, `--definition=${at("stream.yaml")}`];
    const days = ["--train-days=14", "--test-days=5"];
    const train = (model: string, out: string) =>
      runMain([
        ...["train", `--model=${model}`, `--out=${at(out)}`, "--export=onnx"],
        ...[...input, ...days],
      ]);
    const refused = await train("logistic-regression", "linear.json");
    assert.equal(refused.code, 2);
    assert.match(
      refused.stderr,
      /^fraudstream: logistic-regression needs a value for every feature, and CARD_MEAN \(and 1 more\) can be missing; choose decision-tree, /,
    );
    assert.throws(() => Deno.statSync(at("linear.json")), Deno.errors.NotFound);
    const trained = await train("gradient-boosting:trees=10", "model.json");
    assert.equal(trained.code, 0, trained.stderr);
    assert.match(
      Deno.readTextFileSync(at("model.json")),
      /"formatVersion": 3,[^]*"declared": "[0-9a-f]{64}",[^]*"nullable":\[1,2\]/,
    );
    for (const model of ["model.json", "model.onnx"]) {
      const { code, stderr } = await runMain([
        ...["score", ...input, `--model=${at(model)}`],
        ...[`--out=${at(`${model}.parquet`)}`, "--with=features"],
      ]);
      assert.equal(code, 0, stderr);
    }
    const diff = (other: string, ...flags: string[]) =>
      runMain(["diff", at("model.json.parquet"), other, ...flags]);
    const onnx = await diff(
      at("model.onnx.parquet"),
      "--columns=SCORE,CARD_MEAN",
      "--tolerance=1e-6",
    );
    assert.equal(onnx.code, 0, onnx.stdout);
    const run = await runMain([
      ...["run", ...input, `--data=${at("stream")}`],
      `--model=${at("model.json")}`,
      "--role=producer,processor,writer,scorer",
    ]);
    assert.equal(run.code, 0, run.stderr);
    const columns = "--columns=SCORE,ALERT,CONTRIBUTIONS,CARD_MEAN,SPEND_RATIO";
    const stream = await diff(at("stream"), columns);
    assert.equal(stream.code, 0, stream.stdout);
    // Features of the same names that are others.
    const other = await runMain([
      ...["score", `--in=${at("data")}`, `--definition=${at("other.yaml")}`],
      ...[`--model=${at("model.json")}`, `--out=${at("never.csv")}`],
    ]);
    assert.equal(other.code, 2);
    assert.match(
      other.stderr,
      /was trained on features that another definition/,
    );
    const judged = await runMain([
      ...["evaluate", ...input, ...days],
      "--json",
    ]);
    assert.equal(judged.code, 0, judged.stderr);
    assert.match(
      judged.stderr,
      /logistic-regression is left out: it needs a value/,
    );
    assert.doesNotMatch(judged.stdout, /logistic-regression/);
  },
);
