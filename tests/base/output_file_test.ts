import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { OutputFile } from "../../src/base/output_file.ts";
import { testWriting } from "../permission.ts";
import { temporaryFolder } from "../temporary_folder.ts";

testWriting(
  "open() refuses to replace a database, its WAL and its shared memory",
  async () => {
    await using folder = temporaryFolder();
    const path = join(folder.path, "log.db");
    const db = new DatabaseSync(path);
    db.exec(
      "PRAGMA journal_mode = WAL; CREATE TABLE t (a); INSERT INTO t VALUES (1)",
    );
    for (const name of [path, `${path}-wal`, `${path}-shm`]) {
      await assert.rejects(() => OutputFile.open(name), {
        name: "DataError",
        message: `${name} belongs to a database, such as a log or a store; ` +
          "choose another name",
      });
    }
    assert.equal(db.prepare("SELECT a FROM t").get()?.a, 1);
    db.close();
  },
);

testWriting(
  "open() replaces any other file, also one named like a WAL",
  async () => {
    await using folder = temporaryFolder();
    for (const name of ["features.csv", "notes-wal", "empty"]) {
      const path = join(folder.path, name);
      Deno.writeTextFileSync(path, name === "empty" ? "" : "before");
      const file = await OutputFile.open(path);
      await file.write(new TextEncoder().encode("after"));
      await file.close();
      assert.equal(Deno.readTextFileSync(path), "after");
    }
  },
);
