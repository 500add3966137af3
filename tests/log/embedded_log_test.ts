import assert from "node:assert/strict";
import { join } from "node:path";
import { ConfigError, LogError } from "../../src/error/error.ts";
import { EmbeddedLog } from "../../src/log/embedded.ts";
import { READ_LIMIT, readRange, type Step } from "../../src/log/log.ts";
import type { RecordBatch } from "../../src/log/record_batch.ts";
import { inDatabase } from "../sqlite/in_database.ts";
import { canWrite, testWriting } from "../permission.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import type { FromAppender, ToAppender } from "./append_worker.ts";
import type { FromOpener, ToOpener } from "./open_worker.ts";
import { logContract } from "./log_contract.ts";
import { appendOf, builderOf, record, valuesOf } from "./records.ts";

function openAt(path: string): EmbeddedLog {
  return new EmbeddedLog({ path, durable: false });
}

logContract(
  "embedded log",
  () => {
    const folder = temporaryFolder();
    const path = join(folder.path, "log.db");
    const log = openAt(path);
    return Promise.resolve({
      log,
      connect: () => Promise.resolve(openAt(path)),
      async [Symbol.asyncDispose]() {
        await log[Symbol.asyncDispose]();
        await folder[Symbol.asyncDispose]();
      },
    });
  },
  canWrite ? undefined : "needs --allow-read --allow-write",
);

testWriting("everything is still there after closing and opening", async () => {
  await using folder = temporaryFolder();
  const path = join(folder.path, "log.db");
  {
    await using log = openAt(path);
    await log.createTopics([{ name: "t", partitions: 1, compacted: false }]);
    const producer = await log.producer("p");
    await producer.append([appendOf("t", 0, ["a", "b"])]);
    await log.commit("g", "t", [{
      partition: 0,
      from: 0,
      step: { next: 1, metadata: "m", appends: [] },
    }]);
  }
  await using log = openAt(path);
  assert.deepEqual(
    valuesOf(await log.read("t", 0, 0, READ_LIMIT)),
    ["a", "b"],
  );
  assert.deepEqual(await log.committed("g", "t"), [
    { offset: 1, metadata: "m" },
  ]);
});

testWriting(
  "a step of a group that somebody else has moved is refused, nothing appended",
  async () => {
    await using folder = temporaryFolder();
    const path = join(folder.path, "log.db");
    await using log = openAt(path);
    await using other = openAt(path);
    const topic = (name: string) => ({ name, partitions: 1, compacted: false });
    await log.createTopics([topic("letters"), topic("numbers")]);
    const producer = await log.producer("p");
    await producer.append([appendOf("letters", 0, ["a", "b"])]);
    const consume = (
      log: EmbeddedLog,
      step: (batch: RecordBatch) => Promise<Step>,
    ) =>
      log.consume({
        group: "readers",
        topic: "letters",
        limit: READ_LIMIT,
        signal: new AbortController().signal,
        open: () => Promise.resolve({ step }),
        idle: () => Promise.resolve(true),
      });
    const all = ({ next }: RecordBatch) => ({
      next,
      metadata: "",
      appends: [],
    });
    await assert.rejects(
      consume(log, async (batch) => {
        await consume(other, (batch) => Promise.resolve(all(batch)));
        return { ...all(batch), appends: [appendOf("numbers", 0, ["twice"])] };
      }),
      (error) => {
        assert.ok(error instanceof LogError);
        assert.match(error.message, /readers .*letters partition 0/);
        return true;
      },
    );
    assert.deepEqual(await log.endOffsets("numbers"), [0]);
    assert.equal((await log.committed("readers", "letters"))[0]?.offset, 2);
  },
);

/** What opening a path throws. */
function refusal(path: string): Error {
  try {
    openAt(path)[Symbol.asyncDispose]();
  } catch (error) {
    assert.ok(error instanceof Error);
    assert.ok(!error.message.includes("\n"), error.message);
    return error;
  }
  assert.fail("it was opened");
}

testWriting(
  "a log of another version is refused, with what to do",
  async () => {
    await using folder = temporaryFolder();
    const path = join(folder.path, "log.db");
    await openAt(path)[Symbol.asyncDispose]();
    inDatabase(path, (database) => database.exec("PRAGMA user_version = 7"));
    const error = refusal(path);
    assert.ok(error instanceof ConfigError);
    assert.equal(
      error.message,
      `${path} holds a log of version 7, this program reads version 2; choose ` +
        `another --data folder`,
    );
  },
);

testWriting(
  "a database of another program is refused and left as it was",
  async () => {
    await using folder = temporaryFolder();
    const path = join(folder.path, "log.db");
    inDatabase(
      path,
      (database) => database.exec("CREATE TABLE theirs (n INTEGER)"),
    );
    assert.ok(refusal(path) instanceof ConfigError);
    const tables = inDatabase(
      path,
      (database) => database.prepare("SELECT name FROM sqlite_schema").all(),
    );
    assert.deepEqual(tables.map(({ name }) => name), ["theirs"]);
  },
);

testWriting(
  "a file that is no database is refused in one clear line",
  async () => {
    await using folder = temporaryFolder();
    const path = join(folder.path, "log.db");
    Deno.writeTextFileSync(path, "not a database ".repeat(1000));
    const error = refusal(path);
    assert.ok(error instanceof LogError);
    assert.match(error.message, /damaged or not a database/);
    assert.ok(error.message.includes(path));
  },
);

testWriting(
  "a log in a folder that is not there is refused in one clear line",
  async () => {
    await using folder = temporaryFolder();
    const error = refusal(join(folder.path, "nowhere", "log.db"));
    assert.ok(error instanceof LogError);
    assert.match(error.message, /cannot be opened/);
  },
);

testWriting(
  "a batch whose blob is damaged is named with its place",
  async () => {
    await using folder = temporaryFolder();
    const path = join(folder.path, "log.db");
    await using log = openAt(path);
    await log.createTopics([{ name: "t", partitions: 1, compacted: false }]);
    const producer = await log.producer("p");
    await producer.append([appendOf("t", 0, ["a", "b"])]);
    await producer.append([appendOf("t", 0, ["c"])]);
    inDatabase(
      path,
      (database) =>
        database.exec("UPDATE batch SET data = x'00' WHERE base_offset = 2"),
    );
    await assert.rejects(log.read("t", 0, 0, READ_LIMIT), (error) => {
      assert.ok(error instanceof LogError);
      assert.match(
        error.message,
        /batch at offset 2 of t partition 0 is damaged/,
      );
      return true;
    });
  },
);

testWriting(
  "two threads that append at once lose nothing and repeat nothing",
  async () => {
    await using folder = temporaryFolder();
    const path = join(folder.path, "log.db");
    await using log = openAt(path);
    await log.createTopics([{ name: "t", partitions: 1, compacted: false }]);
    const batches = 500;
    await Promise.all(["first", "second"].map((name) => {
      const worker = new Worker(
        new URL("./append_worker.ts", import.meta.url),
        { type: "module" },
      );
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      worker.onmessage = ({ data }: MessageEvent<FromAppender>) =>
        data.error === undefined ? resolve() : reject(new Error(data.error));
      worker.onerror = ({ message }) => reject(new Error(message));
      const work: ToAppender = { path, name, batches };
      worker.postMessage(work);
      return promise.finally(() => worker.terminate());
    }));
    const values: string[] = [];
    for await (const batch of readRange(log, "t", 0, 0, 4 * batches)) {
      values.push(...valuesOf(batch));
    }
    for (const name of ["first", "second"]) {
      assert.deepEqual(
        values.filter((value) => value.startsWith(name)),
        Array.from({ length: batches }, (_, i) => [
          `${name} ${i} a`,
          `${name} ${i} b`,
        ]).flat(),
      );
    }
    assert.equal(values.length, 4 * batches);
  },
);

testWriting(
  "steps of several partitions are committed together or not at all",
  async () => {
    await using folder = temporaryFolder();
    await using log = openAt(join(folder.path, "log.db"));
    await log.createTopics([{ name: "t", partitions: 2, compacted: false }]);
    const step = (value: string) => ({
      next: 1,
      metadata: "",
      appends: [{
        topic: "t",
        partition: 0,
        records: builderOf([record(value)]),
      }],
    });
    await assert.rejects(
      log.commit("g", "t", [
        { partition: 0, from: 0, step: step("right") },
        { partition: 1, from: 5, step: step("wrong") },
      ]),
      LogError,
    );
    assert.deepEqual(await log.endOffsets("t"), [0, 0]);
    assert.deepEqual(await log.committed("g", "t"), [undefined, undefined]);
  },
);

testWriting(
  "threads that open a new log at the same moment all get it",
  async () => {
    await using folder = temporaryFolder();
    const threads = 3;
    const paths = Array.from(
      { length: 60 },
      (_, i) => join(folder.path, `${i}.db`),
    );
    const arrivals = new Int32Array(new SharedArrayBuffer(4));
    const errors = await Promise.all(Array.from({ length: threads }, () => {
      const worker = new Worker(
        new URL("./open_worker.ts", import.meta.url),
        { type: "module" },
      );
      const { promise, resolve, reject } = Promise.withResolvers<
        readonly string[]
      >();
      worker.onmessage = ({ data }: MessageEvent<FromOpener>) =>
        resolve(data.errors);
      worker.onerror = ({ message }) => reject(new Error(message));
      const work: ToOpener = { paths, threads, arrivals };
      worker.postMessage(work);
      return promise.finally(() => worker.terminate());
    }));
    assert.deepEqual(errors.flat(), []);
  },
);
