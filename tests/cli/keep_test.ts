import assert from "node:assert/strict";
import { join } from "node:path";
import { linearModel, writeModel } from "../roles/models.ts";
import { referenceSum } from "../roles/pipeline.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { exportSum, waitFor } from "./data_folder.ts";
import {
  outcomeOf,
  runMain,
  startProgram,
  testRunning,
} from "./program_runner.ts";

testRunning(
  "--keep makes the log shorter and, killed or not, changes no digit",
  async () => {
    await using folder = temporaryFolder();
    const data = join(folder.path, "data");
    const run = ["run", "--preset=seed", "--keep=5", `--data=${data}`];
    const child = startProgram([...run, "--rate=max"]);
    const killed = outcomeOf(child);
    await child.stdin.close();
    await waitFor(data, ({ stages }) => stages[1].counters.emitted > 60_000);
    child.kill("SIGKILL");
    await killed;
    // The trimmer begins with what the killed run has left.
    const { code, stderr } = await runMain([...run, "--rate=max"]);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /"role":"trimmer","message":"log trimmed"/);
    assert.equal(await exportSum(data), referenceSum("B"));
    const { stdout } = await runMain(["status", `--data=${data}`, "--json"]);
    const { topics } = JSON.parse(stdout) as {
      topics: { name: string; startOffsets: number[]; endOffsets: number[] }[];
    };
    for (const { name, startOffsets, endOffsets } of topics) {
      if (name !== "transaction_topic") continue;
      const sum = (offsets: number[]) => offsets.reduce((a, b) => a + b, 0);
      assert.equal(sum(endOffsets), 102_575);
      assert.ok(sum(startOffsets) > 20_000, `${sum(startOffsets)} removed`);
    }
    const again = await runMain([...run, "--rate=max"]);
    assert.match(again.stdout, /this run\s+nothing new was stored/);
  },
);

testRunning(
  "several workers on an embedded log are refused, saying why",
  async () => {
    await using folder = temporaryFolder();
    const data = `--data=${join(folder.path, "data")}`;
    const { code, stderr } = await runMain(["run", data, "--workers=2"]);
    assert.equal(code, 2);
    assert.match(
      stderr,
      /^fraudstream: --workers=2 needs --log=kafka: an embed/,
    );
  },
);

testRunning(
  "a scorer may begin on a log that --keep has made shorter",
  async () => {
    await using folder = temporaryFolder();
    const data = join(folder.path, "data");
    const model = join(folder.path, "model.json");
    writeModel(model, linearModel());
    const run = ["run", "--preset=seed", "--days=40", `--data=${data}`];
    for (
      const flags of [["--rate=max"], ["--keep=1"], [`--model=${model}`], []]
    ) {
      const { code, stderr } = await runMain([...run, ...flags]);
      assert.equal(code, 0, `${flags}: ${stderr}`);
    }
    const { code, stderr } = await runMain(["status", `--data=${data}`]);
    assert.equal(code, 0, stderr);
  },
);
