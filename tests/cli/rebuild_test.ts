import assert from "node:assert/strict";
import { join } from "node:path";
import { inDatabase } from "../base/sqlite/in_database.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { takeLock } from "../../src/base/lock.ts";
import { referenceSum } from "../roles/pipeline.ts";
import { exportSum } from "./data_folder.ts";
import { type Outcome, runMain, testRunning } from "./program_runner.ts";

const A_FLAGS = [
  "--customers=50",
  "--terminals=100",
  "--days=30",
  "--radius=10",
];

/** Other payments. */
const OTHER = [...A_FLAGS, "--rng=seedrandom", "--rate=max"];

/** A data folder that a run has filled. */
async function filled(
  path: string,
  more: readonly string[] = [],
): Promise<{ data: string; run: string[] }> {
  const data = join(path, "data");
  const all = ["run", ...A_FLAGS, "--no-model", "--rate=max"];
  const run = [...all, `--data=${data}`, ...more];
  const { code, stderr } = await runMain(run);
  assert.equal(code, 0, stderr);
  return { data, run };
}

function assertFails({ code, stderr }: Outcome, message: RegExp): void {
  assert.equal(code, 1, stderr);
  assert.match(stderr, message);
  assert.equal(stderr.trim().split("\n").length, 1, stderr);
}

testRunning(
  "status --verify finds every kind of difference, and rebuild ends them",
  async () => {
    await using folder = temporaryFolder();
    const { data } = await filled(folder.path);
    const verify = () => runMain(["status", `--data=${data}`, "--verify"]);
    const right = await verify();
    assert.equal(right.code, 0, right.stderr);
    assert.match(
      right.stdout,
      /verified +2,555 payments are as the log says\n/,
    );
    inDatabase(join(data, "store.db"), (db) => {
      db.exec(
        "DELETE FROM transactions WHERE transaction_id = 12; " +
          "UPDATE transactions SET tx_amount = 3.5, row_check = NULL " +
          "WHERE transaction_id = 99; " +
          "UPDATE transactions SET transaction_id = 99999 " +
          "WHERE transaction_id = 700; " +
          "UPDATE transactions SET tx_fraud = 1 - tx_fraud " +
          "WHERE transaction_id = 1200",
      );
    });
    const wrong = await verify();
    assert.equal(wrong.code, 1);
    assert.match(
      wrong.stdout,
      /verified +2,551 payments are as the log says, 2 missing, 2 different, 1 unknown to the log\n/,
    );
    for (
      const text of [
        /transaction 12 \(partition \d, offset \d+\) is missing/,
        /transaction 99 \(partition \d, offset \d+\) is different/,
        /transaction 700 \(partition \d, offset \d+\) is missing/,
        /transaction_id 1200: the row does not match its checksum/,
        /transaction_id 99999: the row does not match its checksum/,
      ]
    ) assert.match(wrong.stdout, text);

    const rebuilt = await runMain(["rebuild", `--data=${data}`]);
    assert.equal(rebuilt.code, 0, rebuilt.stderr);
    assert.match(
      rebuilt.stdout,
      /^2,555 payments, 1,058 of them frauds in .*data/,
    );
    const again = await runMain([
      "status",
      `--data=${data}`,
      "--verify",
      "--json",
    ]);
    assert.equal(again.code, 0, again.stderr);
    const { verified, endCheck, store } = JSON.parse(again.stdout);
    assert.equal(verified.payments.equal, 2555);
    assert.deepEqual(endCheck, { kind: "compared", differences: [] });
    assert.equal(store.rows, 2555);
    assert.equal(await exportSum(data), referenceSum("A"));
  },
);

testRunning(
  "a deleted store is named by status and filled by the next run",
  async () => {
    await using folder = temporaryFolder();
    const { data, run } = await filled(folder.path);
    for (const suffix of ["", "-wal", "-shm"]) {
      await Deno.remove(join(data, `store.db${suffix}`)).catch(() => {});
    }
    assertFails(
      await runMain(["status", `--data=${data}`]),
      /stored 2,555 payments, the store holds 0/,
    );
    const { code, stdout, stderr } = await runMain(run);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /stored 2,555, 1,058 of them frauds/);
    assert.match(stdout, /this run\s+2,555 stored/);
    assert.equal(await exportSum(data), referenceSum("A"));
  },
);

testRunning(
  "rebuild puts a store aside that cannot be read, and fills another",
  async () => {
    await using folder = temporaryFolder();
    const { data } = await filled(folder.path);
    const path = join(data, "store.db");
    const bytes = Deno.readFileSync(path);
    bytes.fill(0xa5, 4096, 5 * 4096);
    Deno.writeFileSync(path, bytes);
    assertFails(
      await runMain(["export", `--data=${data}`, "--out=-"]),
      /store\.db.*'\.\/fraudstream rebuild --data=\S+' fills it again from the log/,
    );
    const { code, stdout, stderr } = await runMain([
      "rebuild",
      `--data=${data}`,
    ]);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /kept as .*store\.db\.damaged/);
    assert.match(stdout, /^2,555 payments/);
    assert.equal(Deno.readFileSync(`${path}.damaged`).length, bytes.length);
    assert.equal(await exportSum(data), referenceSum("A"));
  },
);

testRunning(
  "export, report and status refuse a store of another stream",
  async () => {
    await using folder = temporaryFolder();
    const { data } = await filled(folder.path);
    const other = join(folder.path, "other");
    const begun = await runMain(["run", ...OTHER, `--data=${other}`]);
    assert.equal(begun.code, 0, begun.stderr);
    for (const suffix of ["", "-wal", "-shm"]) {
      const [from, to] = [other, data].map((f) => join(f, `store.db${suffix}`));
      await Deno.remove(to).catch(() => {});
      await Deno.copyFile(from, to).catch(() => {});
    }
    for (const command of [["export", "--out=-"], ["report"], ["status"]]) {
      const { code, stderr } = await runMain([...command, `--data=${data}`]);
      assert.equal(code, 1, stderr);
      assert.match(stderr, /the store holds the rows of another stream/);
    }
    const rebuilt = await runMain(["rebuild", `--data=${data}`]);
    assert.equal(rebuilt.code, 0, rebuilt.stderr);
    assert.equal(await exportSum(data), referenceSum("A"));
  },
);

testRunning(
  "a database that is no store is put aside as well",
  async () => {
    await using folder = temporaryFolder();
    const { data } = await filled(folder.path);
    const path = join(data, "store.db");
    for (const suffix of ["-wal", "-shm"]) {
      await Deno.remove(path + suffix).catch(() => {});
    }
    inDatabase(join(data, "log.db"), (db) => {
      db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    });
    Deno.copyFileSync(join(data, "log.db"), path);
    const exported = await runMain(["export", `--data=${data}`, "--out=-"]);
    assert.equal(exported.code, 1);
    assert.match(
      exported.stderr,
      /store\.db is a database without the tables of a store; '\.\/fraudstream rebuild --data=\S+'/,
    );
    const { code, stderr } = await runMain(["rebuild", `--data=${data}`]);
    assert.equal(code, 0, stderr);
    assert.match(stderr, /kept as .*store\.db\.damaged/);
    assert.equal(await exportSum(data), referenceSum("A"));
  },
);

testRunning(
  "a folder with another stream's store is refused, until it is rebuilt",
  async () => {
    await using folder = temporaryFolder();
    const { data, run } = await filled(folder.path);
    for (const suffix of ["", "-wal", "-shm"]) {
      await Deno.remove(join(data, `log.db${suffix}`)).catch(() => {});
    }
    const other = [...run, "--start=2019-01-01"];
    const refused = await runMain(other);
    assert.equal(refused.code, 1);
    assert.match(
      refused.stderr,
      /holds the rows of another stream.*another --data folder or --keyspace, or run '\.\/fraudstream rebuild --data=\S+'/,
    );
    const rebuilt = await runMain(["rebuild", `--data=${data}`]);
    assert.equal(rebuilt.code, 0, rebuilt.stderr);
    const { code, stderr } = await runMain(other);
    assert.equal(code, 0, stderr);
    const verified = await runMain(["status", `--data=${data}`, "--verify"]);
    assert.equal(verified.code, 0, verified.stderr);
  },
);

testRunning(
  "rebuild refuses while a writer runs, and where there is no stream",
  async () => {
    await using folder = temporaryFolder();
    const { data } = await filled(folder.path);
    {
      using _lock = takeLock(join(data, "writer.lock"), "the writer");
      assertFails(
        await runMain(["rebuild", `--data=${data}`]),
        /another process \(pid \d+[^)]*\) already runs the writer on .*data/,
      );
    }
    assertFails(
      await runMain(["rebuild", `--data=${join(folder.path, "none")}`]),
      /there is no data folder/,
    );
  },
);

testRunning(
  "rebuild of a trimmed log needs --accept-missing-start, and status tells rows that are older",
  async () => {
    await using folder = temporaryFolder();
    const { data, run } = await filled(folder.path, [
      "--days=200",
      "--keep=30",
    ]);
    const verified = await runMain(["status", `--data=${data}`, "--verify"]);
    assert.equal(verified.code, 0, verified.stderr);
    assert.match(
      verified.stdout,
      /are as the log says, [\d,]+ older than the log\n/,
    );
    const refused = await runMain(["rebuild", `--data=${data}`]);
    assertFails(
      refused,
      /begins at offset \d+.*only what came from 2018-\d\d-\d\d.*--accept-missing-start/,
    );
    // It was left as it is.
    const still = await runMain(["status", `--data=${data}`]);
    assert.equal(still.code, 0, still.stderr);
    await Deno.remove(join(data, "store.db"));
    const lacking = await runMain(run);
    assert.equal(lacking.code, 1);
    assert.match(
      lacking.stderr,
      /lacks payments from 2018-04-01 to 2018-\d\d-\d\d/,
    );
    const partial = await runMain([
      "rebuild",
      `--data=${data}`,
      "--accept-missing-start",
    ]);
    assert.equal(partial.code, 0, partial.stderr);
    for (const args of [run, ["status", `--data=${data}`, "--verify"]]) {
      const { code, stderr } = await runMain(args);
      assert.equal(code, 0, stderr);
    }
  },
);
