/** What export and report make of a store whose rows others have touched. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { inDatabase } from "../base/sqlite/in_database.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { runMain, testRunning } from "./program_runner.ts";

testRunning(
  "a row that others have changed ends export and report by name, and its advice works",
  async () => {
    await using folder = temporaryFolder();
    const data = join(folder.path, "data");
    const flags = ["--customers=50", "--terminals=100", "--days=5"];
    await runMain(["run", ...flags, "--rate=max", `--data=${data}`]);
    inDatabase(join(data, "store.db"), (database) => {
      database.exec(
        "UPDATE transactions SET tx_datetime = '' WHERE transaction_id = 7",
      );
      database.exec(
        "UPDATE transactions SET tx_fraud = 3 WHERE transaction_id BETWEEN 10 AND 16",
      );
    });
    const out = join(folder.path, "out.csv");
    const commands = [
      ["export", `--data=${data}`, `--out=${out}`],
      ["report", `--data=${data}`],
    ];
    for (const command of commands) {
      const refused = await runMain(command);
      assert.equal(refused.code, 1);
      assert.match(
        refused.stderr,
        /^fraudstream: \S+store\.db, table transactions, transaction_id 7: tx_datetime "" is not a date.*: '\.\/fraudstream rebuild --data=\S+' fills .* --skip-bad-rows leaves such rows out\n$/,
      );
      const taken = await runMain([...command, "--skip-bad-rows"]);
      assert.equal(taken.code, 0, taken.stderr);
      assert.match(
        taken.stderr,
        /skipped 8 bad rows of the store, the first of them:\n {2}\S+, table transactions, transaction_id 7: tx_dat.*\n {2}\S+, table transactions, transaction_id 10: tx_fraud 3 is not in 0…1\n/,
      );
    }
    const ids = Deno.readTextFileSync(out).trimEnd().split("\n").slice(1)
      .map((line) => Number.parseInt(line));
    assert.deepEqual(ids.slice(0, 11), [0, 1, 2, 3, 4, 5, 6, 8, 9, 17, 18]);
    const rebuilt = await runMain(["rebuild", `--data=${data}`]);
    assert.equal(rebuilt.code, 0, rebuilt.stderr);
    const whole = await runMain([...commands[0], "--force"]);
    assert.equal(whole.code, 0, whole.stderr);
    const after = Deno.readTextFileSync(out).trimEnd().split("\n").slice(1);
    assert.equal(after.length, ids.length + 8);
    assert.ok(after.every((line, id) => Number.parseInt(line) === id));
  },
);

testRunning("--skip-bad-rows needs rows that may be bad", async () => {
  const { code, stderr } = await runMain([
    "report",
    "--days=2",
    "--skip-bad-rows",
  ]);
  assert.equal(code, 2);
  assert.match(
    stderr,
    /^fraudstream: --skip-bad-rows has no effect with a sim/,
  );
});
