/** Scoring as users start it: right through kills, and clear about wrong use. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { linearModel, writeModel } from "../roles/models.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { statusOf, waitFor } from "./data_folder.ts";
import {
  outcomeOf,
  runMain,
  startProgram,
  testRunning,
} from "./program_runner.ts";

const KILLS = 3;
const SET = ["--preset=seed", "--days=20"];

async function predictionsOf(data: string): Promise<string> {
  const { code, stdout, stderr } = await runMain([
    "export",
    "--table=predictions",
    `--data=${data}`,
    "--out=-",
  ]);
  assert.equal(code, 0, stderr);
  return stdout;
}

testRunning(
  `${KILLS} SIGKILLs leave the predictions, their alerts and explanations as they are without`,
  async () => {
    await using folder = temporaryFolder();
    const path = join(folder.path, "model.json");
    writeModel(path, linearModel());
    const model = [`--model=${path}`, "--alert-threshold=0.3"];
    const [whole, killed] = ["whole", "killed"].map((n) =>
      join(folder.path, n)
    );
    const flags = (data: string) => ["run", ...SET, ...model, `--data=${data}`];
    const once = await runMain([...flags(whole), "--rate=max"]);
    assert.equal(once.code, 0, once.stderr);
    assert.match(
      once.stdout,
      /scored {5}[\d,]+ payments, [\d,]+ of them alerts/,
    );
    const rows = (await predictionsOf(whole)).split("\n").length - 2;
    for (let kill = 1; kill <= KILLS; kill++) {
      const child = startProgram([...flags(killed), "--rate=1500"]);
      const outcome = outcomeOf(child);
      await child.stdin.close();
      await waitFor(killed, ({ stages }) => {
        const least = rows * kill / (KILLS + 1);
        return (stages[3]?.counters.emitted ?? 0) >= least;
      });
      child.kill("SIGKILL");
      await outcome;
    }
    const emitted = (await statusOf(killed))?.stages[3].counters.emitted;
    assert.ok(emitted !== undefined && emitted < rows, "no kill fell midway");
    const end = await runMain([...flags(killed), "--rate=max"]);
    assert.equal(end.code, 0, end.stderr);
    assert.equal(await predictionsOf(killed), await predictionsOf(whole));
    const status = await statusOf(killed);
    for (const { name, counters } of status?.stages ?? []) {
      assert.equal(counters.emitted, rows, name);
    }
  },
);

testRunning(
  "wrong use of the scoring flags is one clear line and exit 2",
  async () => {
    await using folder = temporaryFolder();
    const path = join(folder.path, "model.json");
    const data = `--data=${join(folder.path, "data")}`;
    writeModel(path, linearModel());
    const model = `--model=${path}`;
    const cases: [string[], RegExp][] = [
      [["--role=scorer"], /needs --model=FILE/],
      [["--role=trainer"], /needs --retrain/],
      [
        ["--no-model", "--alert-cards=9"],
        /--alert-cards has no effect without/,
      ],
      [["--no-model", "--explain=all"], /--explain has no effect without/],
      [[model, "--no-model"], /--no-model leaves the model out/],
      [[model, "--alert-cards=3"], /cannot be divided among 4 partitions/],
      [[model, "--alert-cards=9", "--alert-budget=9"], /give one of/],
      [[model, "--alert-threshold=1.5"], /--alert-threshold/],
      [["--retrain=36h"], /whole days/],
      [[model, "--models=x"], /either --model or --models/],
      [["--retrain=7d", "--retrain-kind=oracle"], /oracle/],
      [[model, "--delay=9"], /trained with --delay=7 and this stream has/],
      [[model, "--windows=1,5"], /trained with --windows=1,7,30/],
    ];
    for (const [flags, message] of cases) {
      const { code, stdout, stderr } = await runMain(["run", data, ...flags]);
      assert.equal(code, 2, `${flags}: ${stderr}`);
      assert.match(stderr, message);
      assert.equal(stderr.trimEnd().split("\n").length, 1, stderr);
      assert.equal(stdout, "");
    }
    Deno.writeTextFileSync(path, "{}");
    const broken = await runMain(["run", data, model]);
    assert.equal(broken.code, 1);
    assert.match(broken.stderr, /^fraudstream: .*model\.json.*\n$/);
    const none = await runMain(["models", data]);
    assert.equal(none.code, 1);
    assert.match(none.stderr, /there are no models in/);
  },
);

testRunning(
  "models lists what was trained, and one command rolls back",
  async () => {
    await using folder = temporaryFolder();
    const data = `--data=${join(folder.path, "data")}`;
    const run = await runMain([
      "run",
      "--preset=seed",
      "--days=36",
      "--rate=max",
      "--retrain=7d",
      "--retrain-kind=logistic-regression",
      "--no-model",
      data,
    ]);
    assert.equal(run.code, 0, run.stderr);
    assert.match(run.stdout, /came before there was a model/);
    const json = async (...flags: string[]) => {
      const found = await runMain(["models", data, "--json", ...flags]);
      assert.equal(found.code, 0, found.stderr);
      return JSON.parse(found.stdout);
    };
    const before = await json();
    const [first] = before.history;
    assert.equal(first.champion, first.version);
    assert.notEqual(before.champion, first.version);
    const chosen = await json(`--promote=${first.version}`);
    assert.equal(chosen.champion, first.version);
    assert.equal((await json("--rollback")).champion, before.champion);
    const { stdout } = await runMain(["models", data]);
    assert.match(stdout, new RegExp(`\\* ${before.champion}`));
  },
);
