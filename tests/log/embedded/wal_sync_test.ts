import assert from "node:assert/strict";
import { join } from "node:path";
import { LogError } from "../../../src/base/error.ts";
import { EmbeddedLog } from "../../../src/log/embedded/embedded_log.ts";
import { WalSync } from "../../../src/log/embedded/wal_sync.ts";
import { inDatabase } from "../../base/sqlite/in_database.ts";
import { testWriting } from "../../permission.ts";
import { temporaryFolder } from "../../temporary_folder.ts";
import { appendOf } from "../records.ts";

/** Runs `body` while syncs of files wait for release() and are counted. */
async function withHeldSyncs(
  body: (syncs: { count: number; release(): void }) => Promise<void>,
): Promise<void> {
  const { syncData } = Deno.FsFile.prototype;
  const held: (() => void)[] = [];
  const syncs = { count: 0, release: () => held.shift()?.() };
  Deno.FsFile.prototype.syncData = async function () {
    syncs.count++;
    await new Promise<void>((resolve) => held.push(resolve));
    await syncData.call(this);
  };
  try {
    await body(syncs);
  } finally {
    Deno.FsFile.prototype.syncData = syncData;
  }
}

const turn = () => new Promise((resolve) => setTimeout(resolve));

testWriting("calls share a sync, but never one that began before", async () => {
  await using folder = temporaryFolder();
  const path = join(folder.path, "log.db");
  await using log = new EmbeddedLog({ path, durable: false });
  await withHeldSyncs(async (syncs) => {
    const ended: string[] = [];
    const sync = (name: string) => log.sync().then(() => ended.push(name));
    const waiting = [sync("a"), sync("b")];
    await turn();
    assert.equal(syncs.count, 1);
    waiting.push(sync("c"), sync("d"));
    await turn();
    assert.equal(syncs.count, 1);
    syncs.release();
    await Promise.all(waiting.slice(0, 2));
    await turn();
    assert.deepEqual(ended, ["a", "b"]);
    assert.equal(syncs.count, 2);
    waiting.push(sync("e"));
    syncs.release();
    await Promise.all(waiting.slice(0, 4));
    await turn();
    assert.deepEqual(ended, ["a", "b", "c", "d"]);
    assert.equal(syncs.count, 3);
    syncs.release();
    await Promise.all(waiting);
  });
});

testWriting(
  "the file that is synced stays the one that commits go to, through checkpoints and other connections",
  async () => {
    await using folder = temporaryFolder();
    const path = join(folder.path, "log.db");
    await using log = new EmbeddedLog({ path, durable: false });
    await log.createTopics([{ name: "t", partitions: 1, compacted: false }]);
    const appender = await log.appender();
    await log.sync();
    const { ino } = Deno.statSync(`${path}-wal`);
    for (let i = 0; i < 3; i++) {
      await appender.append([appendOf("t", 0, [`${i}`])]);
      inDatabase(path, (db) => db.exec("PRAGMA wal_checkpoint(TRUNCATE)"));
      await log.sync();
      await appender.append([appendOf("t", 0, [`${i} then`])]);
      assert.ok(Deno.statSync(`${path}-wal`).size > 0);
      assert.equal(Deno.statSync(`${path}-wal`).ino, ino);
    }
  },
);

testWriting(
  "a sync that fails says so, and so do all that follow",
  async () => {
    await using folder = temporaryFolder();
    const path = join(folder.path, "log.db");
    const sync = new WalSync(path);
    await assert.rejects(sync.sync(), (error) => {
      assert.ok(error instanceof LogError);
      assert.match(error.message, /could not write .*log\.db-wal to the disk/);
      return true;
    });
    Deno.writeTextFileSync(`${path}-wal`, "");
    await assert.rejects(sync.sync(), LogError);
    assert.equal(sync.syncs.count, 0);
    await sync[Symbol.asyncDispose]();
  },
);
