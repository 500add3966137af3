import assert from "node:assert/strict";
import { join } from "node:path";
import { DataError } from "../../src/base/error.ts";
import { LockHeldError, takeLock } from "../../src/base/lock.ts";
import { testWriting } from "../permission.ts";
import { temporaryFolder } from "../temporary_folder.ts";

testWriting(
  "a lock that is held is refused, naming who holds it and what",
  async () => {
    await using folder = temporaryFolder();
    const path = join(folder.path, "writer.lock");
    using _held = takeLock(path, "the writer");
    assert.throws(() => takeLock(path, "the writer"), (error) => {
      assert.ok(error instanceof LockHeldError);
      assert.ok(
        error.message.includes(`(pid ${Deno.pid}, since 2`),
        error.message,
      );
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
  const paths = ["writer.lock", "producer.lock"].map((name) =>
    join(folder.path, name)
  );
  using writer = takeLock(paths[0], "the writer");
  using producer = takeLock(paths[1], "the producer");
  assert.deepEqual([writer.path, producer.path], paths);
  for (const path of paths) {
    assert.throws(() => takeLock(path, "another"), LockHeldError);
  }
});

testWriting(
  "a lock in a folder that is not there is refused as DataError",
  async () => {
    await using folder = temporaryFolder();
    const path = join(folder.path, "nowhere", "writer.lock");
    assert.throws(() => takeLock(path, "the writer"), DataError);
  },
);

testWriting(
  "a lock file that is damaged is no other process, and can be deleted",
  async () => {
    await using folder = temporaryFolder();
    const path = join(folder.path, "writer.lock");
    Deno.writeTextFileSync(`${path}.pid`, "4242\n");
    for (const damage of ["x".repeat(5000), "SQLite format 3\0".repeat(64)]) {
      Deno.writeTextFileSync(path, damage);
      assert.throws(() => takeLock(path, "the writer"), (error) => {
        assert.ok(error instanceof DataError);
        assert.ok(!(error instanceof LockHeldError));
        assert.match(error.message, /the file is damaged.*delete that file/);
        assert.doesNotMatch(error.message, /4242|another process/);
        return true;
      });
      Deno.removeSync(path);
      using _lock = takeLock(path, "the writer");
    }
  },
);

testWriting(
  "the id of a process that was killed is not taken for the holder's",
  async () => {
    await using folder = temporaryFolder();
    const path = join(folder.path, "writer.lock");
    Deno.writeTextFileSync(`${path}.pid`, "4242\n");
    {
      using _held = takeLock(path, "the writer");
      assert.throws(
        () => takeLock(path, "the writer"),
        new RegExp(`pid ${Deno.pid}, since`),
      );
      // As in the moment before the holder has written its id.
      Deno.removeSync(`${path}.pid`);
      assert.throws(() => takeLock(path, "the writer"), /not known yet/);
    }
    using _again = takeLock(path, "the writer");
  },
);

testWriting("a lock that cannot say who holds it is not kept", async () => {
  await using folder = temporaryFolder();
  const path = join(folder.path, "writer.lock");
  Deno.mkdirSync(join(`${path}.pid`, "in the way"), { recursive: true });
  assert.throws(() => takeLock(path, "the writer"), (error) => {
    assert.ok(error instanceof DataError);
    assert.match(error.message, /^cannot write .*writer\.lock\.pid: /);
    return true;
  });
  Deno.removeSync(`${path}.pid`, { recursive: true });
  using _lock = takeLock(path, "the writer");
});
