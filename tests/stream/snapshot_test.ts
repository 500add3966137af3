import assert from "node:assert/strict";
import { join } from "node:path";
import type { EmbeddedLog } from "../../src/log/embedded/embedded_log.ts";
import type { Payment } from "../../src/payment/payment.ts";
import { controlRecords } from "../../src/stream/control.ts";
import {
  SnapshotFile,
  writeSnapshotFile,
} from "../../src/stream/snapshot_file.ts";
import { CUSTOMER_GROUP, SINK_TOPIC } from "../../src/stream/topics.ts";
import { testWriting } from "../permission.ts";
import { openFolder, parametersOf } from "../roles/pipeline.ts";
import {
  appendPayments,
  paymentAt,
  StageDriver,
  valuesOfTopic,
} from "../roles/stages.ts";
import { temporaryFolder } from "../temporary_folder.ts";

const PARAMETERS = { ...parametersOf(2), dedupeSeconds: 7200 };
const NAME = `${CUSTOMER_GROUP}-0.snapshot`;

/** A payment every 100 seconds; `amount` tells streams apart. */
function payments(from: number, to: number, amount = 1) {
  return Array.from(
    { length: to - from },
    (_, i) =>
      paymentAt((from + i) * 100, {
        transactionId: from + i,
        customerId: 3 + (from + i) % 4,
        terminalId: (from + i) % 3,
        amount,
      }),
  );
}

/** A stream in a folder, its first stage, and its snapshots beside it. */
async function open(path: string) {
  const folder = await openFolder(path, PARAMETERS);
  const snapshots = join(path, "snapshots");
  const stage = await StageDriver.customers(folder.log, PARAMETERS, snapshots);
  return {
    log: folder.log,
    stage,
    file: join(snapshots, NAME),
    /** Appends payments, which the stage takes in steps of so many records. */
    async take(rows: readonly Payment[], stepRecords?: number) {
      await appendPayments(folder.log, 0, rows);
      await stage.drain([0], stepRecords);
    },
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

/** A test with an empty stream in a folder that is removed afterwards. */
function testStream(
  name: string,
  fn: (stream: Awaited<ReturnType<typeof open>>) => Promise<void>,
): void {
  testWriting(name, async () => {
    await using folder = temporaryFolder();
    await using stream = await open(folder.path);
    await fn(stream);
  });
}

/** What the stage has made of its input, which must be what a stage makes that never stopped. */
async function assertExact(
  log: EmbeddedLog,
  rows: readonly ReturnType<typeof paymentAt>[],
) {
  await using temporary = temporaryFolder();
  await using other = await openFolder(temporary.path, PARAMETERS);
  await appendPayments(other.log, 0, rows);
  const stages = [
    await StageDriver.customers(other.log, PARAMETERS),
    await StageDriver.terminals(other.log, PARAMETERS),
  ];
  for (const stage of stages) await stage.drain([0, 1], 7);
  const terminals = await StageDriver.terminals(log, PARAMETERS);
  await terminals.drain([0, 1]);
  assert.deepEqual(
    (await valuesOfTopic(log, SINK_TOPIC)).sort(),
    (await valuesOfTopic(other.log, SINK_TOPIC)).sort(),
  );
}

testStream(
  "a snapshot at the commit's offset needs no replay",
  async ({ log, stage, take }) => {
    await take(payments(0, 60), 7);
    stage.close(0);
    assert.equal(await stage.reopen(0), 0);
    assert.deepEqual(stage.snapshots, ["used"]);
    await take(payments(60, 90));
    await assertExact(log, payments(0, 90));
  },
);

testStream(
  "behind a snapshot that is older than the commit the rest is replayed",
  async ({ log, stage, take }) => {
    await appendPayments(log, 0, payments(0, 80));
    for (let i = 0; i < 40; i++) await stage.step(0, 1);
    stage.close(0);
    await stage.drain([0], 1);
    assert.equal(await stage.reopen(0), 40);
    assert.deepEqual(stage.snapshots, ["used"]);
    await take(payments(80, 90));
    await assertExact(log, payments(0, 90));
  },
);

testStream(
  "a snapshot is written once for an offset, and by nobody who has no folder",
  async ({ log, stage, file, take }) => {
    await take(payments(0, 20));
    stage.close(0);
    const before = Deno.statSync(file);
    stage.close(0);
    await stage.reopen(0);
    stage.close(0);
    assert.equal(Deno.statSync(file).ino, before.ino);
    assert.equal((before.mode ?? 0) & 0o777, 0o600);
    const none = await StageDriver.customers(log, PARAMETERS);
    none.close(0);
    await none.reopen(0);
    assert.deepEqual(none.snapshots, []);
  },
);

testStream(
  "a partition of which nothing was read has no snapshot",
  async (stream) => {
    stream.stage.close(1);
    await stream.stage.reopen(1);
    assert.deepEqual(stream.stage.snapshots, []);
  },
);

/** What is done to a snapshot of 60 payments, of which the commit has 60, and why it is then ignored. */
const SPOILT: Record<string, {
  spoil: (file: string, log: EmbeddedLog) => void | Promise<void>;
  says: RegExp;
}> = {
  "with a bit that is flipped": {
    spoil: (file) => {
      const bytes = Deno.readFileSync(file);
      bytes[bytes.length >> 1] ^= 1;
      Deno.writeFileSync(file, bytes);
    },
    says: /snapshot is damaged: it has a bit error/,
  },
  "that is cut": {
    spoil: (file) => Deno.truncateSync(file, Deno.statSync(file).size - 9),
    says: /snapshot is damaged: it ends too early/,
  },
  "that is empty": {
    spoil: (file) => Deno.truncateSync(file),
    says: /snapshot is damaged: it is not a snapshot/,
  },
  "of the format before, whose ledger lay otherwise": {
    spoil: (file) => rewrite(file, (head) => ({ ...head, format: 1 })),
    says: /^another version wrote it$/,
  },
  "of another version": {
    spoil: (file) => rewrite(file, (head) => ({ ...head, format: 99 })),
    says: /^another version wrote it$/,
  },
  "of another stream": {
    spoil: (file) => rewriteOwner(file, { stream: crypto.randomUUID() }),
    says: /another stream, stage or definition \(stream\)/,
  },
  "of a topic that was made again": {
    spoil: (file) => rewriteOwner(file, { topicId: "another" }),
    says: /another stream, stage or definition \(topicId\)/,
  },
  "of another partition": {
    spoil: (file) => rewriteOwner(file, { partition: 1 }),
    says: /another stream, stage or definition \(partition\)/,
  },
  "of other parameters": {
    spoil: async (_, log) => {
      const records = controlRecords();
      records.put("parameters", { ...PARAMETERS, maxGapSeconds: 86_400_000 });
      await (await log.producer("tests")).append(records.appends());
    },
    says: /another stream, stage or definition \(parameters\)/,
  },
  "that is ahead of the commit": {
    spoil: (file) => rewrite(file, (head) => ({ ...head, offset: 61 })),
    says:
      /^it is newer than the log: it stands at offset 61, the stage's commit at 60$/,
  },
  "of another record": {
    spoil: (file) =>
      rewrite(file, (head) => ({ ...head, last: { offset: 59, check: 1 } })),
    says: /^the log holds another record at offset 59$/,
  },
  "that says another progress": {
    spoil: (file) => rewrite(file, (head) => ({ ...head, progress: 5901 })),
    says: /^it does not lead to the stage's commit$/,
  },
  "with more state than there is": {
    spoil: (file) => rewrite(file, (head) => head, new Uint8Array(4)),
    says: /snapshot is damaged: it continues after its end$/,
  },
};

/** Writes a snapshot again, as it was but for its head and what comes behind its state. */
function rewrite(
  file: string,
  change: (head: Record<string, unknown>) => Record<string, unknown>,
  more = new Uint8Array(0),
): void {
  const bytes = Deno.readFileSync(file);
  // Behind the magic line each block has its length and checksum before it.
  const at = 21;
  const view = new DataView(bytes.buffer);
  const headBytes = view.getUint32(at, true);
  const stateBytes = view.getUint32(at + 8 + headBytes, true);
  const from = at + 16 + headBytes;
  using found = SnapshotFile.open(file);
  const head = change(found?.head as Record<string, unknown>);
  writeSnapshotFile(file, head, (sink) => {
    sink.write(bytes.subarray(from, from + stateBytes));
    sink.write(more);
  });
}

function rewriteOwner(file: string, change: Record<string, unknown>): void {
  rewrite(file, (head) => {
    const owner = head.owner as Record<string, unknown>;
    return { ...head, owner: { ...owner, ...change } };
  });
}

for (const [which, { spoil, says }] of Object.entries(SPOILT)) {
  testStream(
    `a snapshot ${which} is ignored, removed, and costs nothing but the replay`,
    async ({ log, stage, file, take }) => {
      await take(payments(0, 60), 7);
      stage.close(0);
      await spoil(file, log);
      assert.equal(await stage.reopen(0), 60);
      assert.equal(stage.snapshots.length, 1);
      assert.match(stage.snapshots[0], says);
      assert.throws(() => Deno.statSync(file), Deno.errors.NotFound);
      await take(payments(60, 70));
      await assertExact(log, payments(0, 70));
    },
  );
}

testStream(
  "a snapshot that is older than the records of a replay is ignored",
  async ({ stage, take }) => {
    await take(payments(0, 10), 1);
    stage.close(0);
    // A replay begins 32 days behind the newest.
    const later = [40, 80, 81].map((days, i) =>
      paymentAt(days * 86_400, { transactionId: 100 + i, customerId: 3 })
    );
    await take(later, 1);
    await stage.reopen(0);
    assert.match(stage.snapshots[0], /^it is older than the records/);
  },
);

/** Copies the log of a folder, or puts it back: what a backup or a power cut does. */
function copyLog(from: string, to: string): void {
  for (const name of ["log.db", "log.db-wal", "log.db-shm"]) {
    try {
      Deno.removeSync(join(to, name));
    } catch {
      // there was none
    }
    try {
      Deno.copyFileSync(join(from, name), join(to, name));
    } catch {
      // there is none
    }
  }
}

for (const amount of [1, 2]) {
  const what = amount === 1 ? "the same" : "other";
  testWriting(
    `a log that was put back, and has grown with ${what} payments past a snapshot, is not taken for the one it was`,
    async () => {
      await using folder = temporaryFolder();
      await using copy = temporaryFolder();
      {
        await using stream = await open(folder.path);
        await stream.take(payments(0, 20), 3);
      }
      copyLog(folder.path, copy.path);
      {
        await using stream = await open(folder.path);
        await stream.take(payments(20, 40), 3);
        stream.stage.close(0);
      }
      copyLog(copy.path, folder.path);
      const rows = [...payments(0, 20), ...payments(20, 60, amount)];
      const snapshots = join(folder.path, "snapshots", NAME);
      const hidden = `${snapshots}.hidden`;
      // Not seen at this start, as by a process that keeps none.
      Deno.renameSync(snapshots, hidden);
      {
        await using stream = await open(folder.path);
        await stream.take(rows.slice(20), 3);
      }
      Deno.renameSync(hidden, snapshots);
      await using stream = await open(folder.path);
      const [said] = stream.stage.snapshots;
      if (amount === 1) assert.equal(said, "used");
      else assert.match(said, /^the log holds another record at offset 39/);
      await stream.take(payments(60, 70), 3);
      await assertExact(stream.log, [...rows, ...payments(60, 70)]);
    },
  );
}

testWriting(
  "a log that was put back behind its snapshot replays, and the snapshot is gone",
  async () => {
    await using folder = temporaryFolder();
    await using copy = temporaryFolder();
    {
      await using stream = await open(folder.path);
      await stream.take(payments(0, 20), 3);
    }
    copyLog(folder.path, copy.path);
    {
      await using stream = await open(folder.path);
      await stream.take(payments(20, 40), 3);
      stream.stage.close(0);
    }
    copyLog(copy.path, folder.path);
    await using stream = await open(folder.path);
    assert.match(stream.stage.snapshots[0], /^it is newer than the log/);
    assert.throws(() => Deno.statSync(stream.file), Deno.errors.NotFound);
    await stream.take(payments(20, 50, 2), 3);
    await assertExact(stream.log, [...payments(0, 20), ...payments(20, 50, 2)]);
  },
);

testStream(
  "what a kill leaves of a snapshot that was being written is no matter",
  async ({ stage, file, take }) => {
    await take(payments(0, 30), 3);
    stage.close(0);
    Deno.writeFileSync(
      `${file}.partial`,
      Deno.readFileSync(file).subarray(0, 50),
    );
    await take(payments(30, 40), 3);
    assert.equal(await stage.reopen(0), 10);
    stage.close(0);
    assert.equal(await stage.reopen(0), 0);
    assert.deepEqual(stage.snapshots, ["used", "used"]);
  },
);

testWriting("a snapshot that cannot be written is no error", async () => {
  await using folder = temporaryFolder();
  Deno.writeTextFileSync(join(folder.path, "snapshots"), "a file");
  await using stream = await open(folder.path);
  const { stage } = stream;
  await stream.take(payments(0, 30), 3);
  stage.close(0);
  assert.equal(await stage.reopen(0), 30);
  await stream.take(payments(30, 40), 3);
  stage.close(0);
  const [warning] = stage.snapshots;
  assert.match(warning, /^cannot make .*snapshots: a file has that name; /);
});
