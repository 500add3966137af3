/**
 * SIGKILL at random counts of committed rows, and what it does: nothing. Some
 * come behind a SIGTERM, while snapshots are written.
 * `deno task test:long` kills 20 times and adds the default data set.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { referenceSum } from "../roles/pipeline.ts";
import { chance, isLong, seeds } from "../long.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { exportSum, statusOf, waitFor } from "./data_folder.ts";
import {
  outcomeOf,
  runMain,
  startProgram,
  testRunning,
} from "./program_runner.ts";

const KILLS = isLong ? 20 : 8;
const [SEED] = seeds(1, 1);
const ROWS = 102_575;

/** What the log lines of all starts say about restored partitions. */
function restoredOffsets(stderr: string): number[] {
  return stderr.split("\n").filter((line) => line.includes('"partition rest'))
    .map((line) => JSON.parse(line).fromOffset);
}

/**
 * Ends a program: by SIGKILL; by SIGTERM, so that it leaves snapshots; or by a
 * SIGKILL so many milliseconds behind a SIGTERM.
 */
async function end(
  child: Deno.ChildProcess,
  way: "kill" | "stop" | number,
): Promise<void> {
  if (way === "kill") child.kill("SIGKILL");
  else child.kill("SIGTERM");
  if (typeof way === "string") return;
  await delay(way);
  try {
    child.kill("SIGKILL");
  } catch (error) {
    assert.ok(error instanceof TypeError, String(error)); // it has ended
  }
}

/** Ids of the rows in a folder of day files, in the order of the files. */
function idsOf(files: string): number[] {
  const names = [...Deno.readDirSync(files)].map(({ name }) => name)
    .filter((name) => name.endsWith(".jsonl")).sort();
  return names.flatMap((name) =>
    Deno.readTextFileSync(join(files, name)).trimEnd().split("\n")
      .map((line) => JSON.parse(line).TRANSACTION_ID)
  );
}

testRunning(
  `${KILLS} SIGKILLs on set B lose nothing and repeat nothing (seed ${SEED})`,
  async () => {
    await using folder = temporaryFolder();
    const data = join(folder.path, "data");
    const files = join(folder.path, "files");
    const flags = [
      "run",
      "--preset=seed",
      "--rate=12000",
      `--data=${data}`,
      `--files=${files}`,
    ];
    const random = chance(SEED);
    let midway = 0;
    let replayed = 0;
    let last = 0;
    let hasStopped = false;
    for (let kill = 0; kill < KILLS; kill++) {
      // One random count in each of KILLS equal parts of the stream.
      const target = Math.floor((kill + random()) / KILLS * ROWS);
      const child = startProgram(flags);
      const outcome = outcomeOf(child);
      await child.stdin.close();
      await waitFor(data, ({ stages }) => {
        return stages[0].counters.emitted >= Math.max(target, last + 1);
      });
      const way = (["kill", "stop", "kill", 300 * random()] as const)[kill % 4];
      await end(child, way);
      const { stderr } = await outcome;
      if (hasStopped) assert.match(stderr, /"snapshot":true/);
      hasStopped = way === "stop";
      if (restoredOffsets(stderr).some((offset) => offset > 0)) replayed++;
      const status = await statusOf(data);
      assert.ok(status);
      last = status.stages[0].counters.emitted;
      const between = status.stages.some(({ counters }) => {
        return counters.emitted > 0 && counters.emitted < ROWS;
      });
      if (between) midway++;
    }
    const whole = await runMain([
      ...flags.slice(0, 2),
      ...flags.slice(3),
      "--rate=max",
    ]);
    assert.equal(whole.code, 0, whole.stderr);
    assert.ok(midway >= KILLS * 0.75, `${midway} of ${KILLS} fell midway`);
    assert.ok(
      replayed >= KILLS * 0.5,
      `${replayed} of ${KILLS} replays began after offset 0`,
    );
    assert.equal(await exportSum(data), referenceSum("B"));
    const status = await statusOf(data);
    for (const { name, counters } of status?.stages ?? []) {
      const { read, emitted, deadLettered, duplicates } = counters;
      assert.deepEqual(
        { read, emitted, deadLettered, duplicates },
        { read: ROWS, emitted: ROWS, deadLettered: 0, duplicates: 0 },
        name,
      );
    }
    assert.deepEqual(idsOf(files), Array.from({ length: ROWS }, (_, id) => id));
  },
);

for (const partitions of isLong ? [1, 3, 4] : []) {
  testRunning(
    `the default data set on ${partitions} partitions is right to the last digit`,
    async () => {
      await using folder = temporaryFolder();
      const data = join(folder.path, "data");
      const { code, stderr } = await runMain([
        "run",
        "--rate=max",
        `--partitions=${partitions}`,
        `--data=${data}`,
      ]);
      assert.equal(code, 0, stderr);
      assert.equal(await exportSum(data), referenceSum("DEFAULT"));
    },
  );
}
