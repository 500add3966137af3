/** A process that holds the write lock and is stopped, continued or killed, and those who wait for it. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { StoreError } from "../../../src/base/error.ts";
import { Sqlite, type SqliteOptions } from "../../../src/base/sqlite/sqlite.ts";
import { canRun, canWrite } from "../../permission.ts";
import { temporaryFolder } from "../../temporary_folder.ts";

const HOLDER = fileURLToPath(new URL("./hold_lock.ts", import.meta.url));

function openAt(path: string, more: Partial<SqliteOptions> = {}): Sqlite {
  return new Sqlite({
    path,
    what: "store",
    version: 1,
    schema: "CREATE TABLE t (n INTEGER) STRICT",
    durable: false,
    error: (message, cause) => new StoreError(message, cause),
    ...more,
  });
}

function numbers({ db }: Sqlite): unknown[] {
  return db.prepare("SELECT n FROM t ORDER BY rowid").all().map(({ n }) => n);
}

/** Starts a process that holds the lock of a file, and stops it. */
async function stoppedHolder(path: string): Promise<Deno.ChildProcess> {
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "--quiet",
      "--no-prompt",
      "--allow-read",
      "--allow-write",
      HOLDER,
      path,
    ],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  assert.equal(
    new TextDecoder().decode((await reader.read()).value),
    "holding\n",
  );
  await reader.cancel();
  child.kill("SIGSTOP");
  return child;
}

function testStopping(name: string, fn: (path: string) => Promise<void>): void {
  const possible = canRun && canWrite && Deno.build.os !== "windows";
  Deno.test({
    name: possible ? name : `${name} (needs --allow-run and signals)`,
    ignore: !possible,
    fn: async () => {
      await using folder = temporaryFolder();
      const path = join(folder.path, "a.db");
      openAt(path).close();
      await fn(path);
    },
  });
}

/** A connection that waits for the lock with an insert of 2, once it has said so. */
async function waiter(path: string, signal?: AbortSignal) {
  const { promise: warned, resolve } = Promise.withResolvers<string>();
  const warnings: string[] = [];
  const sqlite = openAt(path, {
    signal,
    waitingAfterMs: 20,
    waiting: (message) => {
      warnings.push(message);
      resolve(message);
    },
  });
  let settled = false;
  const insert = sqlite.transaction(() =>
    sqlite.db.exec("INSERT INTO t VALUES (2)")
  );
  insert.catch(() => {}).finally(() => settled = true);
  const message = await warned;
  assert.match(message, /lock of the store .*a\.db .* is still running/);
  assert.equal(settled, false);
  return { sqlite, insert, warnings };
}

testStopping(
  "a lock is waited for until its stopped holder goes on",
  async (path) => {
    const child = await stoppedHolder(path);
    const { sqlite, insert, warnings } = await waiter(path);
    // Neither opening nor reading needs it.
    const reader = openAt(path);
    assert.deepEqual(await reader.snapshot(() => numbers(reader)), []);
    reader.close();
    child.kill("SIGCONT");
    await child.stdin.close();
    await insert;
    assert.deepEqual(numbers(sqlite), [1, 2]);
    assert.equal(warnings.length, 1);
    sqlite.close();
    assert.equal((await child.status).code, 0);
  },
);

testStopping("a lock dies with its stopped holder", async (path) => {
  const child = await stoppedHolder(path);
  const { sqlite, insert } = await waiter(path);
  child.kill("SIGKILL");
  await insert;
  assert.deepEqual(numbers(sqlite), [2]);
  sqlite.close();
  await child.stdin.close().catch(() => {});
  await child.status;
});

testStopping("who is stopped no longer waits for a lock", async (path) => {
  const child = await stoppedHolder(path);
  const stop = new AbortController();
  const { sqlite, insert } = await waiter(path, stop.signal);
  stop.abort("SIGINT");
  await assert.rejects(insert, (error) => error === "SIGINT");
  child.kill("SIGKILL");
  // What had begun to wait has left nothing; the connection can be used.
  await sqlite.transaction(() => sqlite.db.exec("INSERT INTO t VALUES (3)"));
  assert.deepEqual(numbers(sqlite), [3]);
  sqlite.close();
  await child.stdin.close().catch(() => {});
  await child.status;
});
