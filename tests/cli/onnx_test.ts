import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { METRICS } from "../../src/learning/judgement.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { runMain, testRunning } from "./program_runner.ts";

const SET = [
  "--customers=200",
  "--terminals=200",
  "--radius=10",
  "--days=28",
];

const FOREIGN = fileURLToPath(
  new URL("../data/onnx/xgboost.onnx", import.meta.url),
);

/** What a run with a model predicts: a line a payment. */
async function predictions(
  folder: string,
  model: string,
): Promise<Record<string, unknown>[]> {
  const data = `--data=${folder}`;
  const run = await runMain(
    ["run", data, "--rate=max", `--model=${model}`, ...SET],
  );
  assert.equal(run.code, 0, run.stderr);
  const out = `${folder}/predictions.jsonl`;
  const exported = await runMain(
    ["export", data, "--table=predictions", `--out=${out}`],
  );
  assert.equal(exported.code, 0, exported.stderr);
  return Deno.readTextFileSync(out).trim().split("\n").map((line) => {
    return JSON.parse(line);
  });
}

testRunning("an exported model is judged and scores as before", async () => {
  await using folder = temporaryFolder();
  const { path } = folder;
  const json = `${path}/model.json`;
  const onnx = `${path}/model.onnx`;
  const trained = await runMain([
    ...["train", "--model=gradient-boosting:trees=10", `--out=${json}`, ...SET],
    "--export=onnx",
  ]);
  assert.equal(trained.code, 0, trained.stderr);
  assert.ok(
    trained.stderr.includes(`model in ${json} and ${onnx}\n`),
    trained.stderr,
  );
  const evaluated = await runMain(
    ["evaluate", "--json", `--model=${json}`, `--model=${onnx}`, ...SET],
  );
  assert.equal(evaluated.code, 0, evaluated.stderr);
  const [own, other] = JSON.parse(evaluated.stdout);
  assert.deepEqual([own.model, other.model], [json, onnx]);
  for (const metric of METRICS) assert.equal(other[metric], own[metric]);

  const expected = await predictions(`${path}/own`, json);
  const found = await predictions(`${path}/onnx`, onnx);
  assert.equal(found.length, expected.length);
  assert.ok(found.length > 1000, `${found.length} predictions`);
  for (const [row, prediction] of found.entries()) {
    const { "SCORE": score, "TRANSACTION_ID": id } = expected[row];
    assert.equal(prediction["TRANSACTION_ID"], id);
    const apart = Math.abs(Number(prediction["SCORE"]) - Number(score));
    assert.ok(apart <= 1e-6, `${id}: ${prediction["SCORE"]}, ${score}`);
  }
  const version = String(found[0]["MODEL_VERSION"]);
  assert.match(version, /^[0-9a-f]{12}$/);
  assert.notEqual(version, expected[0]["MODEL_VERSION"]);
});

testRunning(
  "a model of XGBoost is judged, on the features it needs",
  async () => {
    const args = ["evaluate", "--json", `--model=${FOREIGN}`, ...SET];
    const { code, stdout, stderr } = await runMain(args);
    assert.equal(code, 0, stderr);
    const [{ auc_roc: auc }] = JSON.parse(stdout);
    assert.ok(auc > 0 && auc < 1, `${auc}`);
  },
);

testRunning(
  "models that can't be exported or don't fit are refused",
  async () => {
    await using folder = temporaryFolder();
    const { path } = folder;
    const broken = `${path}/broken.onnx`;
    Deno.writeTextFileSync(broken, "no model");
    Deno.writeTextFileSync(`${path}/there.onnx`, "kept");
    const train = ["train", "--model=decision-tree", ...SET];
    const evaluate = ["evaluate", ...SET];
    const run = ["run", `--data=${path}/data`, "--rate=max", ...SET];
    const cases: [string[], number, RegExp][] = [
      [[...train, "--out=-", "--export=onnx"], 2, /--export needs a file/],
      [
        [...train, "--out=m.json", "--export=pmml"],
        2,
        /must be onnx or onnx-f/,
      ],
      [
        [...train, "--out=m.onnx"],
        2,
        /--out=m\.onnx: name the model file, as /,
      ],
      [
        [...train, `--out=${path}/there.json`, "--export=onnx"],
        2,
        /there\.onnx exists; .* overwrite it with --force/,
      ],
      [
        [...evaluate, `--model=${broken}`],
        1,
        /broken\.onnx is no ONNX model \(/,
      ],
      [[...evaluate, `--model=${path}/no.onnx`], 1, /cannot read .*no\.onnx/],
      [
        [...evaluate, `--model=${FOREIGN}`, "--windows=1,7"],
        1,
        /xgboost\.onnx takes 15 inputs and there are 11; name the model's in /,
      ],
      [[...run, `--model=${broken}`], 1, /broken\.onnx is no ONNX model \(/],
      [
        [...run, `--model=${FOREIGN}`, "--retrain=7d"],
        2,
        /--retrain keeps mod/,
      ],
      [
        [...run, `--model=${FOREIGN}`, "--windows=1,7"],
        1,
        /xgboost\.onnx takes 15 inputs and there are 11; name the model's in /,
      ],
    ];
    for (const [args, code, message] of cases) {
      const outcome = await runMain(args);
      assert.equal(outcome.code, code, `${args}: ${outcome.stderr}`);
      assert.match(outcome.stderr, /^fraudstream: [^\n]*\n$/);
      assert.match(outcome.stderr, message);
    }
  },
);

testRunning("the ONNX runtime needs its files to be readable", async () => {
  const { code, stderr } = await runMain(
    ["evaluate", `--model=${FOREIGN}`, ...SET],
    { permissions: [`--allow-read=${FOREIGN}`] },
  );
  assert.equal(code, 1, stderr);
  assert.match(
    stderr,
    /^fraudstream: the ONNX runtime cannot be read \(file:.*\.wasm\); grant /,
  );
});
