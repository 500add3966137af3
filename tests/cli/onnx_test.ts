import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { METRICS } from "../../src/learning/judge/judgement.ts";
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
        /broken\.onnx is not an ONNX model \(/,
      ],
      [[...evaluate, `--model=${path}/no.onnx`], 1, /cannot read .*no\.onnx/],
      [
        [...evaluate, `--model=${FOREIGN}`, "--windows=1,7"],
        1,
        /xgboost\.onnx takes 15 inputs and there are 11; name the model's in /,
      ],
      [
        [...run, `--model=${broken}`],
        1,
        /broken\.onnx is not an ONNX model \(/,
      ],
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

testRunning(
  "a model file that has no end, or is none, is one line wherever it is named",
  async () => {
    await using folder = temporaryFolder();
    const { path } = folder;
    const endless = `${path}/zero.json`;
    const pipe = `${path}/pipe.onnx`;
    const large = `${path}/large.json`;
    const registry = `${path}/registry`;
    Deno.symlinkSync("/dev/zero", endless);
    const made = await new Deno.Command("mkfifo", { args: [pipe] }).output();
    assert.ok(made.success);
    Deno.writeTextFileSync(large, "");
    Deno.truncateSync(large, 2 ** 33);
    Deno.mkdirSync(`${path}/folder.json`);
    Deno.mkdirSync(registry);
    Deno.symlinkSync(pipe, `${registry}/registry.json`);
    const run = ["run", `--data=${path}/data`, "--rate=max", ...SET];
    const report = ["report", `--out=${path}/report.html`, ...SET];
    for (const command of [["evaluate", ...SET], run, report]) {
      for (
        const [model, message] of [
          [endless, /zero\.json: it is not a regular file; copy its content /],
          [pipe, /pipe\.onnx: it is not a regular file; copy its content /],
          [
            large,
            /large\.json: it has 8589934592 bytes and may have at most 5\d+/,
          ],
          [`${path}/folder.json`, /folder\.json: it is a folder; name a file/],
        ] as const
      ) {
        const { code, stderr } = await runMain([
          ...command,
          `--model=${model}`,
        ]);
        assert.equal(code, 1, `${command[0]} ${model}: ${stderr}`);
        assert.match(stderr, /^fraudstream: cannot read [^\n]*\n$/);
        assert.match(stderr, message);
      }
    }
    const { code, stderr } = await runMain(["models", `--models=${registry}`]);
    assert.equal(code, 1, stderr);
    assert.match(stderr, /registry\.json: it is not a regular file; copy /);
  },
);

testRunning(
  "an operator that may not end is named by every command",
  async () => {
    await using folder = temporaryFolder();
    const { path } = folder;
    const loop = fileURLToPath(
      new URL("../data/onnx/refused_loop.onnx", import.meta.url),
    );
    for (
      const command of [
        ["evaluate", ...SET],
        ["run", `--data=${path}/data`, "--rate=max", ...SET],
        ["report", `--out=${path}/report.html`, ...SET],
      ]
    ) {
      const { code, stderr } = await runMain([...command, `--model=${loop}`]);
      assert.equal(code, 1, stderr);
      assert.match(
        stderr,
        /^fraudstream: [^\n]*refused_loop\.onnx cannot be used, because it has the operator Loop, which may never end; [^\n]*\n$/,
      );
    }
  },
);

testRunning("the ONNX runtime needs no permission of its own", async () => {
  const { code, stderr } = await runMain(
    ["evaluate", `--model=${FOREIGN}`, ...SET],
    { permissions: [`--allow-read=${FOREIGN}`] },
  );
  assert.equal(code, 0, stderr);
});
