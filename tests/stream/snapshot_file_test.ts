import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { dirname, join } from "node:path";
import { DataError } from "../../src/base/error.ts";
import {
  SnapshotFile,
  writeSnapshotFile,
} from "../../src/stream/snapshot_file.ts";
import { chance, forEachSeed } from "../long.ts";
import { testReading, testWriting } from "../permission.ts";
import { temporaryFolder } from "../temporary_folder.ts";

/** Bytes of a seed, in pieces of many lengths. */
function piecesOf(seed: number, lengths: readonly number[]): Uint8Array[] {
  return lengths.map((length, piece) => {
    const bytes = new Uint8Array(length);
    for (let i = 0; i < length; i++) bytes[i] = Math.imul(i, seed + piece) >> 3;
    return bytes;
  });
}

function write(path: string, pieces: readonly Uint8Array[]): void {
  writeSnapshotFile(path, { some: "head" }, (sink) => {
    for (const piece of pieces) {
      const reused = piece.slice();
      sink.write(reused);
      reused.fill(0);
    }
  });
}

/** Reads pieces of these lengths to the end. Throws where the file is not as it was written. */
function read(path: string, lengths: readonly number[]): Uint8Array[] {
  using file = SnapshotFile.open(path);
  assert.ok(file);
  const pieces = lengths.map((length) => file.read(length).slice());
  file.end();
  return pieces;
}

/** As deepEqual(), for megabytes. */
function assertSame(found: Uint8Array[], wanted: Uint8Array[]): void {
  assert.equal(found.length, wanted.length);
  for (const [i, bytes] of found.entries()) {
    assert.equal(Buffer.compare(bytes, wanted[i]), 0, `piece ${i}`);
  }
}

/** A test with the path of a snapshot, in a folder that is removed afterwards. */
function testFile(name: string, fn: (path: string) => void | Promise<void>) {
  testWriting(name, async () => {
    await using folder = temporaryFolder();
    await fn(join(folder.path, "a.snapshot"));
  });
}

testReading("only a regular file is opened: a pipe may have no writer", () => {
  if (Deno.build.os === "windows") return;
  assert.throws(
    () => SnapshotFile.open("/dev/zero"),
    { name: "DataError", message: /\/dev\/zero: it is not a regular file/ },
  );
});

testFile(
  "a snapshot gives back what was written, in pieces of any length",
  async (path) => {
    await forEachSeed(8, 100, (seed) => {
      const random = chance(seed);
      const block = 1 << 20;
      const lengths = Array.from({ length: 12 }, () => {
        const edges = [0, 1, 4, block - 1, block, block + 1, 2 * block];
        return random() < 0.4
          ? edges[Math.floor(random() * edges.length)]
          : Math.floor(random() * 3000);
      });
      const pieces = piecesOf(seed, lengths);
      write(path, pieces);
      assertSame(read(path, lengths), pieces);
      using file = SnapshotFile.open(path);
      assert.deepEqual(file?.head, { some: "head" });
    });
  },
);

testFile("a snapshot without a state has an end", (path) => {
  write(path, []);
  read(path, []);
  using file = SnapshotFile.open(path);
  assert.throws(() => file?.read(1), DataError);
});

testFile("a snapshot is nobody else's to read", (path) => {
  write(path, []);
  assert.equal((Deno.statSync(path).mode ?? 0) & 0o777, 0o600);
});

testFile(
  "any bit that is flipped, any end that is missing or added is an error",
  (path) => {
    const lengths = [3, 40, 0, 17];
    const pieces = piecesOf(1, lengths);
    write(path, pieces);
    const whole = Deno.readFileSync(path);
    const readDamaged = (bytes: Uint8Array) => {
      Deno.writeFileSync(path, bytes);
      assert.throws(() => read(path, lengths), DataError);
    };
    for (let at = 0; at < whole.length; at++) {
      const flipped = whole.slice();
      flipped[at] ^= 1 << (at % 8);
      readDamaged(flipped);
      readDamaged(whole.subarray(0, at));
    }
    readDamaged(new Uint8Array([...whole, 0]));
    readDamaged(new Uint8Array([...whole, ...whole]));
    // As a whole it is right again.
    Deno.writeFileSync(path, whole);
    assertSame(read(path, lengths), pieces);
  },
);

testFile("no byte of a damaged block is handed out", (path) => {
  const lengths = [1 << 20, 1 << 20];
  write(path, piecesOf(2, lengths));
  const bytes = Deno.readFileSync(path);
  bytes[bytes.length - 100] ^= 4;
  Deno.writeFileSync(path, bytes);
  using file = SnapshotFile.open(path);
  file?.read(1 << 20);
  assert.throws(() => file?.read(1), /is damaged: it has a bit error/);
});

testFile(
  "what is asked for beyond the end is an error, and takes no memory",
  (path) => {
    write(path, [new Uint8Array(10)]);
    using file = SnapshotFile.open(path);
    assert.throws(() => file?.read(2 ** 40), /is damaged: it ends too early/);
  },
);

testFile(
  "a snapshot that cannot be written leaves the one before, and nothing beside it",
  (path) => {
    const pieces = piecesOf(3, [5]);
    write(path, pieces);
    const fails = () =>
      writeSnapshotFile(path, {}, (sink) => {
        sink.write(new Uint8Array(3 << 20));
        throw new Error("no space left");
      });
    assert.throws(fails, /no space left/);
    assertSame(read(path, [5]), pieces);
    assert.deepEqual([...Deno.readDirSync(dirname(path))].map((f) => f.name), [
      "a.snapshot",
    ]);
  },
);

testWriting(
  "there is no snapshot where there is no file, and a folder is an error",
  async () => {
    await using folder = temporaryFolder();
    assert.equal(SnapshotFile.open(join(folder.path, "none")), undefined);
    assert.throws(() => SnapshotFile.open(folder.path), DataError);
  },
);
