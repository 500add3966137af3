import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { temporaryFolder } from "../temporary_folder.ts";
import { runMain, testRunning } from "./program_runner.ts";

const A_FLAGS = [
  "--customers=50",
  "--terminals=100",
  "--days=30",
  "--radius=10",
];

testRunning(
  "status ends with 1 where the store holds other rows than the log led to",
  async () => {
    await using folder = temporaryFolder();
    const data = join(folder.path, "data");
    const run = ["run", ...A_FLAGS, "--rate=max", `--data=${data}`];
    const whole = await runMain(run);
    assert.equal(whole.code, 0, whole.stderr);
    const right = await runMain(["status", `--data=${data}`, "--json"]);
    assert.equal(right.code, 0, right.stderr);
    const { endCheck } = JSON.parse(right.stdout);
    assert.deepEqual(endCheck, { kind: "compared", differences: [] });

    const store = new DatabaseSync(join(data, "store.db"));
    store.exec("DELETE FROM transactions WHERE transaction_id = 12");
    store.close();
    const wrong = await runMain(["status", `--data=${data}`]);
    assert.equal(wrong.code, 1);
    assert.match(wrong.stdout, /store\s+2,554 payments/);
    assert.match(
      wrong.stderr,
      /counts of this stream do not agree: the writer stored 2,555 payments, the store holds 2,554/,
    );
  },
);

testRunning(
  "status of a stream with rows in flight shows their number, and no error",
  async () => {
    await using folder = temporaryFolder();
    const data = join(folder.path, "data");
    const produced = await runMain([
      "--role=producer",
      ...A_FLAGS,
      "--rate=max",
      `--data=${data}`,
    ]);
    assert.equal(produced.code, 0, produced.stderr);
    const { code, stdout, stderr } = await runMain([
      "status",
      `--data=${data}`,
    ]);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /customer windows\s+0\s+0\s+0\s+0\s+2,555/);
  },
);
