import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { StoreError } from "../../../src/base/error.ts";
import { Sqlite } from "../../../src/base/sqlite/sqlite.ts";
import { testWriting } from "../../permission.ts";
import { temporaryFolder } from "../../temporary_folder.ts";

function openAt(path: string): Sqlite {
  return new Sqlite({
    path,
    what: "store",
    version: 3,
    schema: "CREATE TABLE t (n INTEGER) STRICT; CREATE TABLE b (data BLOB);",
    durable: false,
    error: (message, cause) => new StoreError(message, cause),
  });
}

function numbers(sqlite: Sqlite): unknown[] {
  const rows = sqlite.db.prepare("SELECT n FROM t ORDER BY n").all();
  return rows.map(({ n }) => n);
}

Deno.test("transaction() keeps what its body did and gives what it returned", async () => {
  const sqlite = openAt(":memory:");
  const result = await sqlite.transaction(() => {
    sqlite.db.exec("INSERT INTO t VALUES (1)");
    sqlite.db.exec("INSERT INTO t VALUES (2)");
    return "done";
  });
  assert.equal(result, "done");
  assert.deepEqual(numbers(sqlite), [1, 2]);
  sqlite.close();
});

Deno.test("transaction() undoes everything when its body throws, and throws the same", async () => {
  const sqlite = openAt(":memory:");
  const error = new RangeError("no");
  await assert.rejects(
    sqlite.transaction(() => {
      sqlite.db.exec("INSERT INTO t VALUES (1)");
      throw error;
    }),
    (thrown) => thrown === error,
  );
  assert.deepEqual(numbers(sqlite), []);
  await sqlite.transaction(() => sqlite.db.exec("INSERT INTO t VALUES (5)"));
  assert.deepEqual(numbers(sqlite), [5]);
  sqlite.close();
});

Deno.test("transaction() may be called again before the first is done", async () => {
  const sqlite = openAt(":memory:");
  await Promise.all(
    [1, 2, 3].map((n) =>
      sqlite.transaction(() => sqlite.db.exec(`INSERT INTO t VALUES (${n})`))
    ),
  );
  assert.deepEqual(numbers(sqlite), [1, 2, 3]);
  sqlite.close();
});

testWriting("a file is made once and keeps its rows", async () => {
  await using folder = temporaryFolder();
  const path = join(folder.path, "a.db");
  const first = openAt(path);
  first.db.exec("INSERT INTO t VALUES (1)");
  first.close();
  const second = openAt(path);
  assert.deepEqual(numbers(second), [1]);
  second.close();
});

testWriting(
  "transaction() waits for another connection's, without blocking the thread",
  async () => {
    await using folder = temporaryFolder();
    const path = join(folder.path, "a.db");
    const waits = openAt(path);
    const holds = openAt(path);
    holds.db.exec("BEGIN IMMEDIATE");
    holds.db.exec("INSERT INTO t VALUES (1)");
    const waiting = waits.transaction(() =>
      waits.db.exec("INSERT INTO t VALUES (2)")
    );
    // Only a thread that is not blocked gets here to give the lock free.
    await Promise.resolve();
    holds.db.exec("COMMIT");
    await waiting;
    assert.deepEqual(numbers(holds), [1, 2]);
    waits.close();
    holds.close();
  },
);

testWriting(
  "a full disk is one clear line, and the step leaves nothing",
  async () => {
    await using folder = temporaryFolder();
    const sqlite = openAt(join(folder.path, "a.db"));
    const fill = (size: number) =>
      sqlite.transaction(() => {
        sqlite.db.prepare("INSERT INTO t VALUES (1)").run();
        sqlite.db.prepare("INSERT INTO b VALUES (zeroblob(?))").run(size);
      });
    sqlite.db.exec("PRAGMA max_page_count = 20");
    await assert.rejects(fill(1 << 20), (error) => {
      assert.ok(error instanceof StoreError);
      assert.match(error.message, /^the store .*: the disk is full; free some/);
      assert.ok(!error.message.includes("\n"));
      return true;
    });
    assert.deepEqual(numbers(sqlite), []);
    // With space again the connection goes on.
    sqlite.db.exec("PRAGMA max_page_count = 1000");
    await fill(1 << 20);
    assert.deepEqual(numbers(sqlite), [1]);
    sqlite.close();
  },
);

testWriting("a file that may not be written is one clear line", async () => {
  await using folder = temporaryFolder();
  const path = join(folder.path, "a.db");
  const sqlite = openAt(path);
  // As root any file may be written, so a connection that may only read stands in.
  const reading = new DatabaseSync(path, { readOnly: true });
  let thrown: unknown;
  try {
    reading.exec("INSERT INTO t VALUES (1)");
  } catch (error) {
    thrown = error;
  }
  const error = sqlite.translated(thrown);
  assert.ok(error instanceof StoreError);
  assert.match(error.message, /it cannot be written; make the folder/);
  reading.close();
  sqlite.close();
});

Deno.test("an error that is not SQLite's stays as it is", () => {
  const sqlite = openAt(":memory:");
  const error = new RangeError("of the database's reader");
  assert.equal(sqlite.translated(error), error);
  sqlite.close();
});
