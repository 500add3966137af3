import assert from "node:assert/strict";
import { join } from "node:path";
import {
  changeRegistry,
  keepVersion,
} from "../../src/scoring/model_registry.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import {
  outcomeOf,
  runMain,
  startProgram,
  testRunning,
} from "./program_runner.ts";

const POSIX = Deno.build.os !== "windows";
const RUN = ["run", "--customers=50", "--terminals=100", "--days=30"];

/** The modes of a folder and all that is in it, by path. */
function modesOf(path: string): Map<string, string> {
  const { isDirectory, mode } = Deno.lstatSync(path);
  const modes = new Map([[path, ((mode ?? 0) & 0o777).toString(8)]]);
  if (!isDirectory) return modes;
  for (const { name } of Deno.readDirSync(path)) {
    for (const [file, mode] of modesOf(join(path, name))) modes.set(file, mode);
  }
  return modes;
}

/** Asserts that nobody but the owner can read anything there. */
function assertPrivate(path: string, filesMin: number): void {
  const modes = modesOf(path);
  for (const [file, mode] of modes) {
    const { isDirectory } = Deno.lstatSync(file);
    assert.equal(mode, isDirectory ? "700" : "600", file);
  }
  assert.ok(modes.size > filesMin, `only ${modes.size} files`);
}

function testModes(name: string, fn: () => Promise<void>): void {
  if (POSIX) testRunning(name, fn);
}

testModes(
  "what a run makes is its owner's, what is exported is the user's",
  async () => {
    await using folder = temporaryFolder();
    const data = join(folder.path, "data");
    const days = join(folder.path, "days");
    const running = startProgram([
      ...RUN,
      `--data=${data}`,
      `--files=${days}`,
      "--speedup=500000",
    ]);
    void running.stdin.close();
    // While it runs the journals are there, and days that are not complete.
    const shown = () => {
      try {
        return modesOf(folder.path).keys().toArray();
      } catch {
        return []; // a file has gone meanwhile
      }
    };
    const wanted = ["log.db-wal", "store.db-wal", "writer.lock.pid", ".part"];
    while (!wanted.every((end) => shown().some((path) => path.endsWith(end)))) {
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    running.kill("SIGKILL");
    await outcomeOf(running);
    assertPrivate(data, 8);
    assertPrivate(days, 3);
    const again = await runMain([
      ...RUN,
      `--data=${data}`,
      `--files=${days}`,
      "--rate=max",
    ]);
    assert.equal(again.code, 0, again.stderr);
    assertPrivate(data, 5);
    assertPrivate(days, 30);
    const out = join(folder.path, "out.csv");
    await runMain(["export", `--data=${data}`, `--out=${out}`]);
    const plain = join(folder.path, "plain");
    Deno.writeTextFileSync(plain, "");
    assert.equal(modesOf(out).get(out), modesOf(plain).get(plain));
  },
);

testModes("a registry and rows being sorted are their owner's", async () => {
  await using folder = temporaryFolder();
  const models = join(folder.path, "models");
  keepVersion(models, "0123456789ab", "{}");
  await changeRegistry(
    models,
    (before) => ({ ...before, champion: "0123456789ab" }),
  );
  assertPrivate(models, 2);
  // That is where rows are sorted.
  const sorting = await Deno.makeTempFile({ prefix: "fraudstream-test-" });
  const { mode } = Deno.statSync(sorting);
  Deno.removeSync(sorting);
  assert.equal((mode ?? 0) & 0o777, 0o600);
});

testModes("a folder that is there keeps its mode", async () => {
  await using folder = temporaryFolder();
  const data = join(folder.path, "data");
  Deno.mkdirSync(data);
  Deno.chmodSync(data, 0o755);
  await runMain(["topics", "--create", `--data=${data}`]);
  const modes = modesOf(data);
  assert.equal(modes.get(data), "755");
  assert.equal(modes.get(join(data, "log.db")), "600");
});
