/**
 * Power cuts at random moments of a running stream: what the disk then holds
 * goes on to the right end. FRAUDSTREAM_LONG=1 cuts 100 times.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { EmbeddedLog } from "../../src/log/embedded/embedded_log.ts";
import { SeededSource } from "../../src/simulator/random/seeded_source.ts";
import { isLong, seeds } from "../long.ts";
import { referenceSum } from "../roles/pipeline.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { exportSum, waitFor } from "./data_folder.ts";
import { type LoopDisk, mountDisk, noDiskReason } from "./loop_disk.ts";
import { outcomeOf, runMain, startProgram } from "./program_runner.ts";

const STREAM = [
  "run",
  "--role=producer,processor,writer",
  "--customers=50",
  "--terminals=100",
  "--days=30",
  "--radius=10",
];
const PAYMENTS = 2555;
/** Cuts in all, and of one run at most. */
const CUTS = isLong ? 100 : 3;
const CUTS_OF_RUN = 5;
const DISK_MIB = 96;
const [SEED] = seeds(1, 1);
/** Where the moments of the cuts come from; which step they fall into is up to the machine. */
const MOMENTS = new SeededSource(`power cuts ${SEED}`);

function flagsOf(disk: LoopDisk): string[] {
  return [
    ...STREAM,
    `--data=${join(disk.path, "data")}`,
    `--files=${join(disk.path, "files")}`,
  ];
}

/** Runs a stream on a disk of its own and cuts the power so many times; gives the disks. */
async function cutRun(folder: string, cuts: number): Promise<string[]> {
  const image = join(folder, "disk.img");
  await using disk = await mountDisk(folder, image, DISK_MIB);
  const running = startProgram([...flagsOf(disk), "--rate=100"]);
  const ended = outcomeOf(running);
  await running.stdin.close();
  const images: string[] = [];
  const data = join(disk.path, "data");
  try {
    for (let i = 0; i < cuts; i++) {
      const target = (i + MOMENTS.double()) / cuts * PAYMENTS / 2;
      await waitFor(data, ({ stages }) => stages[0].counters.emitted >= target);
      await delay(200 * MOMENTS.double()); // anywhere in a step
      if (!signal(running, "SIGSTOP")) break; // the machine was too slow
      const copy = join(folder, `cut-${i}.img`);
      await disk.cut(copy);
      signal(running, "SIGCONT");
      images.push(copy);
    }
  } finally {
    signal(running, "SIGKILL");
    await ended;
  }
  return images;
}

/** Runs a stream that does not wait for the disk, and cuts the power as soon as it has day files. */
async function cutEarly(folder: string): Promise<string> {
  const image = join(folder, "disk.img");
  await using disk = await mountDisk(folder, image, DISK_MIB);
  const running = startProgram([
    ...flagsOf(disk),
    "--durability=normal",
    "--rate=400",
  ]);
  const ended = outcomeOf(running);
  await running.stdin.close();
  try {
    const day = join(disk.path, "files", "2018-04-02.jsonl");
    while (!isThere(day)) await delay(20);
    signal(running, "SIGSTOP");
    const copy = join(folder, "early.img");
    await disk.cut(copy);
    return copy;
  } finally {
    signal(running, "SIGCONT");
    signal(running, "SIGKILL");
    await ended;
  }
}

function isThere(path: string): boolean {
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** Sends a signal to a process; false if it has come to its end. */
function signal(running: Deno.ChildProcess, name: Deno.Signal): boolean {
  try {
    running.kill(name);
    return true;
  } catch (error) {
    assert.ok(error instanceof TypeError, String(error));
    return false;
  }
}

/** What must hold of the log right after a cut. */
async function assertLogIsWhole(data: string): Promise<void> {
  const path = join(data, "log.db");
  await using log = new EmbeddedLog({ path, durable: true });
  await log.verify();
}

/** Ids of the payments in a folder of day files, in the order of the files. */
function idsOf(files: string): number[] {
  const names = [...Deno.readDirSync(files)].map(({ name }) => name)
    .filter((name) => name.endsWith(".jsonl")).sort();
  return names.flatMap((name) =>
    Deno.readTextFileSync(join(files, name)).trimEnd().split("\n")
      .map((line) => JSON.parse(line).TRANSACTION_ID)
  );
}

/** What must hold when the stream has gone on to its end. */
async function assertRight(disk: LoopDisk): Promise<void> {
  const data = join(disk.path, "data");
  await assertLogIsWhole(data);
  assert.equal(await exportSum(data), referenceSum("A"));
  assert.deepEqual(
    idsOf(join(disk.path, "files")),
    Array.from({ length: PAYMENTS }, (_, id) => id),
  );
}

const reason = await noDiskReason();

Deno.test({
  name: `a stream goes on to the right end after a power cut, seed ${SEED}` +
    (reason === undefined ? "" : ` (${reason})`),
  ignore: reason !== undefined,
  fn: async () => {
    let cuts = 0;
    while (cuts < CUTS) {
      await using folder = temporaryFolder();
      const most = Math.min(CUTS_OF_RUN, CUTS - cuts);
      const images = await cutRun(folder.path, most);
      for (const image of images) {
        await using disk = await mountDisk(folder.path, image);
        await assertLogIsWhole(join(disk.path, "data"));
        const resumed = await runMain([...flagsOf(disk), "--rate=max"]);
        assert.equal(resumed.code, 0, resumed.stderr);
        await assertRight(disk);
        cuts++;
      }
    }
  },
});

Deno.test({
  name: "a stream that does not wait for the disk goes on after a power cut " +
    "before its log's first checkpoint" +
    (reason === undefined ? "" : ` (${reason})`),
  ignore: reason !== undefined,
  fn: async () => {
    await using folder = temporaryFolder();
    const image = await cutEarly(folder.path);
    await using disk = await mountDisk(folder.path, image);
    const resumed = await runMain([
      ...flagsOf(disk),
      "--durability=normal",
      "--rate=max",
    ]);
    assert.equal(resumed.code, 0, resumed.stderr);
    await assertRight(disk);
  },
});
