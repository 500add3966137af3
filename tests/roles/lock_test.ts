import assert from "node:assert/strict";
import { join } from "node:path";
import { DataError } from "../../src/error/error.ts";
import { takeLock } from "../../src/roles/lock.ts";
import { testWriting } from "../permission.ts";
import { temporaryFolder } from "../temporary_folder.ts";

testWriting(
  "a lock that is held is refused, naming who holds it and what",
  async () => {
    await using folder = temporaryFolder();
    const path = join(folder.path, "writer.lock");
    using _held = takeLock(path, "the writer");
    assert.throws(() => takeLock(path, "the writer"), (error) => {
      assert.ok(error instanceof DataError);
      assert.ok(error.message.includes(`(pid ${Deno.pid})`), error.message);
      assert.ok(error.message.includes("already runs the writer"));
      return true;
    });
  },
);

testWriting("a lock that is given free can be taken again", async () => {
  await using folder = temporaryFolder();
  const path = join(folder.path, "writer.lock");
  for (let i = 0; i < 3; i++) {
    using lock = takeLock(path, "the writer");
    assert.equal(lock.path, path);
  }
});

testWriting("locks of different roles are apart", async () => {
  await using folder = temporaryFolder();
  using _one = takeLock(join(folder.path, "writer.lock"), "the writer");
  using _two = takeLock(join(folder.path, "producer.lock"), "the producer");
});

testWriting(
  "a lock in a folder that is not there is refused as DataError",
  async () => {
    await using folder = temporaryFolder();
    const path = join(folder.path, "nowhere", "writer.lock");
    assert.throws(() => takeLock(path, "the writer"), DataError);
  },
);
