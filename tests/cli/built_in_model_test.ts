/** The model that is part of the program: how it is made, and that it scores a new stream without being asked for. */
import assert from "node:assert/strict";
import { join } from "node:path";
import config from "../../deno.json" with { type: "json" };
import { temporaryFolder } from "../temporary_folder.ts";
import { runMain, testRunning } from "./program_runner.ts";

const ROOT = new URL("../../", import.meta.url);
const BYTES_MAX = 200_000;
const SMALL = ["--customers=200", "--terminals=400", "--radius=10"];

testRunning(
  "the task makes the built-in model again, bit for bit, of at most 200 KB",
  async () => {
    await using folder = temporaryFolder();
    const made = join(folder.path, "model.json");
    const { command } = config.tasks["built-in-model"];
    const [, flags, path] = /main\.ts (.*) --out (\S+)$/.exec(command) ?? [];
    const { code, stderr } = await runMain([
      ...flags.split(" "),
      `--out=${made}`,
    ]);
    assert.equal(code, 0, stderr);
    const bytes = Deno.readFileSync(new URL(path, ROOT));
    assert.deepEqual(Deno.readFileSync(made), bytes);
    assert.ok(bytes.length <= BYTES_MAX, `${bytes.length} bytes`);
  },
);

/** The version and the first day of each model that scored, in the order of the first prediction. */
async function modelsOf(data: string): Promise<string[]> {
  const { code, stdout, stderr } = await runMain([
    "export",
    "--table=predictions",
    `--data=${data}`,
    "--out=-",
  ]);
  assert.equal(code, 0, stderr);
  const [head, ...rows] = stdout.trimEnd().split("\n");
  const at = head.split(",").indexOf("MODEL_VERSION");
  return [...new Set(rows.map((row) => row.split(",")[at]))];
}

/** The version of the built-in model. */
function builtInVersion(): string {
  const url = new URL("src/scoring/built_in_model.json", ROOT);
  return JSON.parse(Deno.readTextFileSync(url)).version;
}

testRunning(
  "a new stream is scored by the built-in model, and without one if asked",
  async () => {
    await using folder = temporaryFolder();
    const [scored, plain, other] = ["scored", "plain", "other"].map((name) =>
      join(folder.path, name)
    );
    const run = ["run", ...SMALL, "--days=10", "--rate=max"];
    const first = await runMain([...run, `--data=${scored}`]);
    assert.equal(first.code, 0, first.stderr);
    const models = await runMain(["models", `--data=${scored}`]);
    assert.equal(models.code, 0, models.stderr);
    assert.match(
      models.stdout,
      new RegExp(
        `^\\* ${builtInVersion()} +built-in, part of the program +2017`,
        "m",
      ),
    );
    assert.match(
      first.stdout,
      /scored {5}[\d,]+ payments, [1-9][\d,]* of them/,
    );
    assert.deepEqual(await modelsOf(scored), [builtInVersion()]);

    const without = await runMain([...run, "--no-model", `--data=${plain}`]);
    assert.equal(without.code, 0, without.stderr);
    assert.doesNotMatch(without.stdout, /scored/);
    // A stream that began without a model goes on without one, unless asked.
    const still = await runMain(["run", "--rate=max", `--data=${plain}`]);
    assert.doesNotMatch(still.stdout, /scored/);
    const asked = ["run", "--model=built-in", "--rate=max"];
    const added = await runMain([...asked, `--data=${plain}`]);
    assert.equal(added.code, 0, added.stderr);
    assert.deepEqual(await modelsOf(plain), [builtInVersion()]);

    const features = ["--windows=1,7", `--data=${other}`];
    const unscored = await runMain([...run, ...features]);
    assert.equal(unscored.code, 0, unscored.stderr);
    assert.match(unscored.stderr, /"payments are not scored".*--model=FILE/);
    const refused = await runMain([...asked, ...features]);
    assert.equal(refused.code, 2);
    assert.match(refused.stderr, /built-in: the model was trained with --wind/);
  },
);

testRunning(
  "a second start with --data alone scores as the first did",
  async () => {
    await using folder = temporaryFolder();
    const data = `--data=${join(folder.path, "data")}`;
    const flags = ["--days=22", "--retrain=7d", "--alert-cards=8"];
    const kind = "--retrain-kind=decision-tree:depth=3";
    const run = await runMain([
      "run",
      ...SMALL,
      ...flags,
      kind,
      data,
      "--rate=max",
    ]);
    assert.equal(run.code, 0, run.stderr);
    const list = await runMain(["models", data, "--json"]);
    const { history } = JSON.parse(list.stdout);
    assert.equal(history[0].version, builtInVersion());
    assert.equal(history[0].reason, "the built-in model");
    const again = await runMain(["run", data]);
    assert.equal(again.code, 0, again.stderr);
    for (const word of ["scorer", "trainer"]) {
      assert.match(again.stderr, new RegExp(`"role":"${word}"`));
    }
    const other = await runMain(["run", data, "--no-model"]);
    assert.doesNotMatch(other.stderr, /"role":"(scorer|trainer)"/);
  },
);
