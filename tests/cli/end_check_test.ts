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

/** A data folder that a run has filled, and that run. */
async function filled(path: string): Promise<{ data: string; run: string[] }> {
  const data = join(path, "data");
  const run = ["run", ...A_FLAGS, "--rate=max", `--data=${data}`];
  const { code, stderr } = await runMain(run);
  assert.equal(code, 0, stderr);
  return { data, run };
}

testRunning(
  "status, export and report end with 1 where the store holds other rows than the log led to",
  async () => {
    await using folder = temporaryFolder();
    const { data } = await filled(folder.path);
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
    const differ =
      /counts of this stream do not agree: the writer stored 2,555 payments, the store holds 2,554/;
    assert.match(wrong.stderr, differ);
    // What is made from the store is written, and the command fails.
    for (const command of ["export", "report"]) {
      const out = join(folder.path, command);
      const format = command === "export" ? "csv" : "html";
      const { code, stderr } = await runMain([
        command,
        `--data=${data}`,
        `--out=${out}.${format}`,
      ]);
      assert.equal(code, 1, command);
      assert.match(stderr, /^2,554 payments, /m);
      assert.match(stderr, differ);
      assert.ok(Deno.statSync(`${out}.${format}`).size > 0);
    }
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
    // Something is stored, so that there is something to export.
    await (await Deno.create(join(data, "store.db"))).close();
    const exported = await runMain(["export", `--data=${data}`, "--out=-"]);
    assert.equal(exported.code, 0, exported.stderr);
    assert.match(
      exported.stderr,
      /^0 payments, .*\nnot all payments of the stream are stored yet\n$/,
    );
  },
);

testRunning(
  "export of a store that lacks rows writes what is there, and ends with 1",
  async () => {
    await using folder = temporaryFolder();
    const { data, run } = await filled(folder.path);
    const out = join(folder.path, "features.csv");
    for (const name of ["store.db", "store.db-wal", "store.db-shm"]) {
      await Deno.remove(join(data, name)).catch(() => {});
    }
    await Deno.create(join(data, "store.db")).then((file) => file.close());
    const { code, stderr } = await runMain([
      "export",
      `--data=${data}`,
      `--out=${out}`,
    ]);
    assert.equal(code, 1);
    assert.match(stderr, /^0 payments, /);
    assert.match(stderr, /stored 2,555 payments, the store holds 0/);
    // What the message leads to heals it.
    const again = await runMain(run);
    assert.equal(again.code, 0, again.stderr);
    const right = await runMain([
      "export",
      `--data=${data}`,
      `--out=${out}`,
      "--force",
    ]);
    assert.equal(right.code, 0, right.stderr);
  },
);

for (const what of ["missing", "empty"]) {
  testRunning(
    `status and export say that log.db is gone where it is ${what} beside a store`,
    async () => {
      await using folder = temporaryFolder();
      const { data } = await filled(folder.path);
      for (const name of ["log.db", "log.db-wal", "log.db-shm"]) {
        await Deno.remove(join(data, name)).catch(() => {});
      }
      if (what === "empty") Deno.writeTextFileSync(join(data, "log.db"), "");
      for (const command of [["status"], ["export", "--out=-"]]) {
        const { code, stderr } = await runMain([...command, `--data=${data}`]);
        assert.equal(code, 1, stderr);
        assert.match(
          stderr,
          /log\.db is missing or empty, though .*store\.db exists; restore/,
        );
      }
    },
  );
}
