/** Copies of running streams: each is checked and goes on to the right end. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { copyFolder, flipBit } from "../faults/damage.ts";
import { isLong, seeds } from "../long.ts";
import { referenceSum } from "../roles/pipeline.ts";
import { inDatabase } from "../base/sqlite/in_database.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { SeededSource } from "../../src/simulator/random/seeded_source.ts";
import { exportSum, waitFor } from "./data_folder.ts";
import {
  type Outcome,
  outcomeOf,
  runMain,
  startProgram,
  testRunning,
} from "./program_runner.ts";

const STREAM = [
  "--role=producer,processor,writer",
  "--customers=50",
  "--terminals=100",
  "--days=30",
  "--radius=10",
];
const COPIES = isLong ? 10 : 3;
const [SEED] = seeds(1, 1);
/** Where the moments of the copies come from. */
const MOMENTS = new SeededSource(`backups ${SEED}`);

/** The right exit code and no message. */
function assertDone({ code, stderr }: Outcome): void {
  assert.equal(code, 0, stderr);
}

/** Ctrl-C; on a slow machine it may have come to its end. */
function stop(running: Deno.ChildProcess): void {
  try {
    running.kill("SIGINT");
  } catch (error) {
    assert.ok(error instanceof TypeError, String(error));
  }
}

async function refused(
  args: readonly string[],
  code: number,
  pattern: RegExp,
): Promise<void> {
  const outcome = await runMain(args);
  assert.match(outcome.stderr, pattern);
  assert.equal(outcome.code, code, outcome.stderr);
  assert.equal(outcome.stderr.trimEnd().split("\n").length, 1, outcome.stderr);
}

/** Goes on with a folder to the end of its stream, which must be right. */
async function assertGoesOn(data: string): Promise<void> {
  assertDone(await runMain(["run", ...STREAM, "--rate=max", `--data=${data}`]));
  assert.equal(await exportSum(data), referenceSum("A"));
}

testRunning(
  `${COPIES} copies of a running stream are right and go on to the right end, seed ${SEED}`,
  async () => {
    await using folder = temporaryFolder();
    const data = join(folder.path, "data");
    const running = startProgram([
      "run",
      ...STREAM,
      "--rate=100",
      `--data=${data}`,
    ]);
    const ended = outcomeOf(running);
    await running.stdin.close();
    const copies: string[] = [];
    for (let i = 0; i < COPIES; i++) {
      const target = (i + MOMENTS.double()) * 100;
      await waitFor(data, ({ produced }) => produced >= target);
      const copy = join(folder.path, `copy-${i}`);
      const made = await runMain(["backup", `--data=${data}`, `--to=${copy}`]);
      assertDone(made);
      assert.match(made.stdout, /was copied to .*copy-\d: \d.* payments in/);
      copies.push(copy);
    }
    stop(running);
    assertDone(await ended);
    for (const copy of copies) {
      const checked = await runMain(["backup", `--check=${copy}`]);
      assertDone(checked);
      assert.match(checked.stdout, /copy-\d is right: /);
      await assertGoesOn(copy);
      // The copy has been used: it is no backup any more.
      await refused(
        ["backup", "--check", copy],
        1,
        /\.db is not as it was copied/,
      );
    }
    await assertGoesOn(data);
  },
);

testRunning("what cannot be copied, or is no copy, is refused", async () => {
  await using folder = temporaryFolder();
  const data = join(folder.path, "data");
  const copy = join(folder.path, "copy");
  await refused(["backup"], 2, /give either --to=DIR/);
  await refused(
    ["backup", "--log=kafka", "--brokers=127.0.0.1:9", `--to=${copy}`],
    2,
    /backup copies an embedded log/,
  );
  await refused(
    ["backup", `--data=${data}`, `--to=${copy}`],
    1,
    /there is no data folder .*data; start/,
  );
  assertDone(
    await runMain(["run", ...STREAM, "--rate=max", `--data=${data}`]),
  );
  Deno.mkdirSync(copy);
  await refused(["backup", `--check=${copy}`], 1, /is not a finished backup/);
  Deno.writeTextFileSync(join(copy, "mine"), "");
  await refused(
    ["backup", `--data=${data}`, `--to=${copy}`],
    2,
    /copy is not empty \(mine\)/,
  );
});

/** Makes backup.json say that the files are as they are now. */
function signAgain(copy: string): void {
  const path = join(copy, "backup.json");
  const contents = JSON.parse(Deno.readTextFileSync(path));
  for (const file of contents.files) {
    const bytes = Deno.readFileSync(join(copy, file.path));
    file.size = bytes.length;
    file.sha256 = createHash("sha256").update(bytes).digest("hex");
  }
  Deno.writeTextFileSync(path, JSON.stringify(contents));
}

testRunning(
  "a copy that is damaged anywhere is named; the folder is restored from one",
  async () => {
    await using folder = temporaryFolder();
    const data = join(folder.path, "data");
    const copy = join(folder.path, "copy");
    const run = ["run", ...STREAM, `--data=${data}`];
    const running = startProgram([...run, "--rate=300"]);
    const ended = outcomeOf(running);
    await running.stdin.close();
    await waitFor(data, ({ produced }) => produced >= 200);
    assertDone(await runMain(["backup", `--data=${data}`, `--to=${copy}`]));
    stop(running);
    assertDone(await ended);
    const words = new SeededSource("backup");
    const chance = (end: number) => Math.floor(words.double() * end);
    for (const file of ["log.db", "store.db"]) {
      const damaged = join(folder.path, `${file}-damaged`);
      copyFolder(copy, damaged);
      flipBit(file)(damaged, chance);
      await refused(
        ["backup", `--check=${damaged}`],
        1,
        new RegExp(`${file} is not as it was copied`),
      );
    }
    for (
      const [file, sql, message] of [
        [
          "log.db",
          "DELETE FROM batch WHERE rowid = " +
          "(SELECT max(rowid) FROM batch WHERE record_key IS NULL)",
          /log\.db is damaged: transaction_\w+ partition \d should end/,
        ],
        [
          "store.db",
          "UPDATE transactions SET tx_amount = tx_amount + 1 " +
          "WHERE transaction_id = 5",
          /store\.db/,
        ],
      ] as const
    ) {
      const wrong = join(folder.path, `${file}-wrong`);
      copyFolder(copy, wrong);
      inDatabase(
        join(wrong, file),
        (database) => database.exec(`PRAGMA journal_mode = DELETE; ${sql}`),
      );
      signAgain(wrong);
      await refused(["backup", `--check=${wrong}`], 1, message);
    }
    // What the message of a damaged log advises: restore the folder.
    inDatabase(
      join(data, "log.db"),
      (database) => database.exec("DELETE FROM batch WHERE base_offset > 0"),
    );
    await refused(
      ["status", `--data=${data}`],
      1,
      /log\.db is damaged: .*restore the data folder from a copy made by '\.\/fraudstream backup --data=\S+'/,
    );
    Deno.removeSync(data, { recursive: true });
    copyFolder(copy, data);
    await assertGoesOn(data);
  },
);
