/** Disk full, on a small file system of its own: needs root, and is ignored without. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { createHash } from "node:crypto";
import { referenceSum } from "../roles/pipeline.ts";
import { isLong } from "../long.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { exportSum } from "./data_folder.ts";
import { canMount, mountMemory, remount } from "./memory_disk.ts";
import { runMain } from "./program_runner.ts";

const SET_A = ["--customers=50", "--terminals=100", "--days=30", "--radius=10"];

const ignore = !canMount;

/** All rows of a folder of days, in order. */
function idsOf(folder: string): number[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name)
    .filter((name) => name.endsWith(".jsonl")).sort().flatMap((name) =>
      Deno.readTextFileSync(join(folder, name)).trimEnd().split("\n")
        .map((line) => JSON.parse(line).TRANSACTION_ID)
    );
}

const SIZES = isLong
  ? ["24k", "64k", "200k", "400k", "700k", "1000k", "1300k", "1600k", "1900k"]
  : ["24k", "1000k"];

for (const size of SIZES) {
  Deno.test({
    name:
      `--files on a full disk (${size}) ends in one line, and goes on once there is room`,
    ignore,
    fn: async () => {
      await using folder = temporaryFolder();
      const data = join(folder.path, "data");
      const small = join(folder.path, "small");
      using _mounted = mountMemory(small, size);
      const files = join(small, "files");
      const run = [
        "run",
        ...SET_A,
        "--rate=max",
        `--data=${data}`,
        `--files=${files}`,
      ];
      for (let attempt = 0; attempt < 2; attempt++) {
        const full = await runMain(run);
        assert.equal(full.code, 1, full.stdout);
        const lines = full.stderr.split("\n").filter((line) =>
          line.startsWith("fraudstream:")
        );
        assert.match(
          lines.join("\n"),
          /^fraudstream: [^\n]*\/small\/files[^\n]*no space left on the device; make room and run again$/,
        );
      }
      remount(small, "size=20m");
      const resumed = await runMain(run);
      assert.equal(resumed.code, 0, resumed.stderr);
      assert.deepEqual(
        idsOf(files),
        Array.from({ length: 2555 }, (_, id) => id),
      );
      assert.equal(await exportSum(data), referenceSum("A"));
    },
  });
}

Deno.test({
  name:
    "--files where nothing may be written ends in one line, and goes on once it may",
  ignore,
  fn: async () => {
    await using folder = temporaryFolder();
    const data = join(folder.path, "data");
    const small = join(folder.path, "small");
    using _mounted = mountMemory(small, "20m");
    const run = ["run", ...SET_A, "--rate=max", `--data=${data}`];
    for (const name of ["new", ".", "taken"]) {
      const files = join(small, name);
      if (name === "taken") Deno.writeTextFileSync(files, "a file");
      else remount(small, "ro");
      const refused = await runMain([...run, `--files=${files}`]);
      assert.equal(refused.code, 1, refused.stdout);
      const lines = refused.stderr.split("\n").filter((line) =>
        line.startsWith("fraudstream:")
      );
      assert.match(
        lines.join("\n"),
        /^fraudstream: [^\n]*small[^\n]*(read-only|may be written|exists already|a file)[^\n]*$/,
      );
      remount(small, "rw");
    }
    const files = join(small, "new");
    const done = await runMain([...run, `--files=${files}`]);
    assert.equal(done.code, 0, done.stderr);
    assert.equal(idsOf(files).length, 2555);
  },
});

Deno.test({
  name:
    "export onto a full disk ends in one line, keeps the file that was there, and works once there is room",
  ignore,
  fn: async () => {
    await using folder = temporaryFolder();
    const data = join(folder.path, "data");
    await runMain(["run", ...SET_A, "--rate=max", `--data=${data}`]);
    const small = join(folder.path, "small");
    using _mounted = mountMemory(small, "64k");
    for (const format of ["csv", "jsonl", "parquet"]) {
      const out = join(small, `out.${format}`);
      Deno.writeTextFileSync(out, "the former one");
      const full = await runMain([
        "export",
        `--data=${data}`,
        `--out=${out}`,
        "--force",
      ]);
      assert.deepEqual([full.code, full.stderr], [
        1,
        `fraudstream: cannot write ${out}: no space left on the device; ` +
        "make room and run again\n",
      ]);
      assert.equal(Deno.readTextFileSync(out), "the former one");
      assert.deepEqual([...Deno.readDirSync(small)].length, 1);
      Deno.removeSync(out);
    }
    remount(small, "size=20m");
    const out = join(small, "out.csv");
    const done = await runMain(["export", `--data=${data}`, `--out=${out}`]);
    assert.equal(done.code, 0, done.stderr);
    assert.equal(
      createHash("sha256").update(Deno.readFileSync(out)).digest("hex"),
      referenceSum("A"),
    );
  },
});
