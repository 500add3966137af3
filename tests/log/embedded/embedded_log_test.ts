import assert from "node:assert/strict";
import { join } from "node:path";
import { gunzipSync } from "node:zlib";
import { ConfigError, LogError } from "../../../src/base/error.ts";
import { EmbeddedLog } from "../../../src/log/embedded/embedded_log.ts";
import { READ_LIMIT, readRange, type Step } from "../../../src/log/log.ts";
import type { RecordBatch } from "../../../src/log/record_batch.ts";
import { inDatabase } from "../../base/sqlite/in_database.ts";
import { canWrite, testWriting } from "../../permission.ts";
import { temporaryFolder } from "../../temporary_folder.ts";
import type { FromAppender, ToAppender } from "./append_worker.ts";
import type { FromOpener, ToOpener } from "./open_worker.ts";
import { logContract } from "../log_contract.ts";
import { appendOf, builderOf, record, valuesOf } from "../records.ts";

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
      `${path} holds a log of version 7, this program reads version 2; use ` +
        `the newer version of this program that has written it`,
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

/** A log with batches a b, c and d e in partition 0 of the topic t, changed behind its back. */
async function damagedLog(
  folder: string,
  sql: string,
  compacted = false,
): Promise<EmbeddedLog> {
  const path = join(folder, "log.db");
  await using log = openAt(path);
  await log.createTopics([{ name: "t", partitions: 1, compacted }]);
  const producer = await log.producer("p");
  for (const values of [["a", "b"], ["c"], ["d", "e"]]) {
    await producer.append([appendOf("t", 0, values)]);
  }
  inDatabase(path, (database) => database.exec(sql));
  return openAt(path);
}

/** Whether an error is a LogError of that text that names the file and the way back. */
function isDamage(pattern: RegExp): (error: unknown) => true {
  return (error) => {
    assert.ok(error instanceof LogError);
    assert.match(error.message, pattern);
    assert.match(error.message, /^the log .*log\.db is damaged: /);
    assert.match(error.message, /restore .* '\.\/fraudstream backup'/);
    return true;
  };
}

for (
  const [what, sql, from, message] of [
    [
      "is damaged",
      "UPDATE batch SET data = x'00' WHERE base_offset = 2",
      0,
      /batch at offset 2 of t partition 0 is damaged/,
    ],
    [
      "is of the form that has no checksum",
      "UPDATE batch SET data = CAST(substr(data, 1, 4) || x'00000000' || " +
      "substr(data, 9, 4) || substr(data, 17) AS BLOB) WHERE base_offset = 2",
      0,
      /batch at offset 2 of t partition 0 is damaged/,
    ],
    [
      "is missing in the middle",
      "DELETE FROM batch WHERE base_offset = 2",
      0,
      /t partition 0 from offset 2 to 3 are missing/,
    ],
    [
      "is missing where reading begins",
      "DELETE FROM batch WHERE base_offset = 2",
      2,
      /t partition 0 from offset 2 to 3 are missing/,
    ],
    [
      "is missing at the beginning",
      "DELETE FROM batch WHERE base_offset = 0",
      0,
      /t partition 0 from offset 0 to 2 are missing/,
    ],
    [
      "is missing at the end",
      "DELETE FROM batch WHERE base_offset = 3",
      0,
      /t partition 0 should end at offset 5 and ends at 3/,
    ],
    [
      "is there twice",
      "INSERT INTO batch SELECT topic, partition, base_offset, 4, NULL, data " +
      "FROM batch WHERE base_offset = 3",
      0,
      /batch at offset 3 of t partition 0 is damaged/,
    ],
    [
      "is of no offset",
      "UPDATE batch SET base_offset = 9007199254740993 WHERE base_offset = 2",
      0,
      /log\.db is damaged/,
    ],
  ] as const
) {
  testWriting(`a batch that ${what} is named with its place`, async () => {
    await using folder = temporaryFolder();
    await using log = await damagedLog(folder.path, sql);
    await assert.rejects(log.read("t", 0, from, READ_LIMIT), (error) => {
      assert.ok(error instanceof LogError);
      assert.match(error.message, message);
      assert.match(error.message, /log\.db is damaged/);
      assert.match(error.message, /'\.\/fraudstream backup'/);
      return true;
    });
    await assert.rejects(log.verify(), LogError);
  });
}

for (
  const [what, sql] of [
    ["lost", "DELETE FROM batch WHERE base_offset = 2"],
    ["changed", "UPDATE batch SET record_key = x'61' WHERE base_offset = 2"],
  ]
) {
  testWriting(
    `a record of a compacted topic that was ${what} is named when it is read from the beginning`,
    async () => {
      await using folder = temporaryFolder();
      await using log = await damagedLog(folder.path, sql, true);
      await assert.rejects(
        log.read("t", 0, 0, READ_LIMIT),
        isDamage(/of t partition 0|t partition 0 holds 4 batches/),
      );
    },
  );
}

for (
  const [sql, says] of [
    ["DELETE FROM partition_state", /are 2 rows and should be 3/],
    [
      "UPDATE partition_state SET next_offset = 6",
      /a row of partition_state is damaged/,
    ],
    ["UPDATE total SET row_count = 99", /the total of its rows is damaged/],
    ["DELETE FROM total", /the total of its rows is damaged/],
  ] as const
) {
  testWriting(`a log is not read after ${sql}`, async () => {
    await using folder = temporaryFolder();
    const unchecked = `PRAGMA foreign_keys = OFF; ${sql}`;
    await using log = await damagedLog(folder.path, unchecked);
    await assert.rejects(async () => {
      await log.producer("somebody");
      await log.read("t", 0, 3, READ_LIMIT);
    }, isDamage(says));
  });
}

testWriting("trim() does not take a hole for what it has removed", async () => {
  await using folder = temporaryFolder();
  const sql = "DELETE FROM batch WHERE base_offset = 0";
  await using log = await damagedLog(folder.path, sql);
  await assert.rejects(
    log.trim("t", 0, 3),
    isDamage(/from offset 0 to 2 are missing/),
  );
});

testWriting("what trim() has removed is no hole", async () => {
  await using folder = temporaryFolder();
  await using log = await damagedLog(folder.path, "");
  await log.trim("t", 0, 3);
  const batch = await log.read("t", 0, 0, READ_LIMIT);
  assert.deepEqual([...batch.offsets], [3, 4]);
  assert.equal(await log.verify(), 2);
});

testWriting(
  "a topic or a commit that was lost is not taken for one that never was",
  async () => {
    for (const table of ["topic", "group_offset", "producer"]) {
      await using folder = temporaryFolder();
      const path = join(folder.path, "log.db");
      {
        await using log = await damagedLog(folder.path, "");
        await log.commit("g", "t", [{
          partition: 0,
          from: 0,
          step: { next: 2, metadata: "m", appends: [] },
        }]);
      }
      inDatabase(path, (database) => {
        database.exec(`PRAGMA foreign_keys = OFF; DELETE FROM ${table}`);
      });
      await using log = openAt(path);
      const spec = { name: "t", partitions: 1, compacted: false };
      await assert.rejects(log.createTopics([spec]), isDamage(/should be 4/));
      if (table === "topic") {
        await assert.rejects(log.endOffsets("t"), LogError);
      } else await assert.rejects(log.committed("g", "t"), isDamage(/rows/));
      await assert.rejects(log.producer("p"), LogError);
    }
  },
);

/** Unpacks a data folder that the version before has left in the middle of a stream. */
function unpackVersion1(folder: string): void {
  for (const name of ["log.db", "store.db"]) {
    const packed = new URL(
      `../../data/folder_v1/${name}.gz`,
      import.meta.url,
    );
    const bytes = gunzipSync(Deno.readFileSync(packed));
    Deno.writeFileSync(join(folder, name), bytes);
  }
}

testWriting(
  "a log of the version before is read, and checked from there on",
  async () => {
    await using folder = temporaryFolder();
    unpackVersion1(folder.path);
    const path = join(folder.path, "log.db");
    const [before] = inDatabase(path, (database) =>
      database.prepare(
        "SELECT max(next_offset) AS next FROM batch JOIN topic " +
          "ON topic.id = topic WHERE name = 'transaction_topic' " +
          "AND partition = 0",
      ).all());
    const next = Number(before.next);
    const name = "transaction_topic";
    {
      await using log = openAt(path);
      assert.equal((await log.endOffsets(name))?.[0], next);
      const producer = await log.producer("p");
      await producer.append([appendOf(name, 0, ["new"])]);
      const all: string[] = [];
      for await (const batch of readRange(log, name, 0, 0, next + 1)) {
        all.push(...valuesOf(batch));
      }
      assert.equal(all.length, next + 1);
      await log.verify();
    }
    // One that was there may have no checksum, a new one must have one.
    for (const [where, form] of [["=", "5a5a0000"], [">", "00000000"]]) {
      const copy = join(folder.path, `${form}.db`);
      Deno.copyFileSync(path, copy);
      inDatabase(copy, (database) =>
        database.exec(
          `UPDATE batch SET data = CAST(substr(data, 1, 4) || x'${form}' || ` +
            `substr(data, 9) AS BLOB) WHERE partition = 0 AND ` +
            `next_offset ${where} ${next} AND topic = ` +
            `(SELECT id FROM topic WHERE name = '${name}')`,
        ));
      await using log = openAt(copy);
      await assert.rejects(
        readToEnd(log, name),
        /batch at offset \d+ of transaction_topic partition 0 is damaged/,
      );
    }
  },
);

async function readToEnd(log: EmbeddedLog, topic: string): Promise<void> {
  const [end] = await log.endOffsets(topic) ?? [];
  for await (const _ of readRange(log, topic, 0, 0, end));
}

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

testWriting(
  "a connection reads what it has just appended as others read it",
  async () => {
    await using folder = temporaryFolder();
    const path = join(folder.path, "log.db");
    await using log = openAt(path);
    await using other = openAt(path);
    await log.createTopics([{ name: "t", partitions: 2, compacted: false }]);
    const ours = await log.producer("p");
    const theirs = await other.appender();
    const sizes = [1, 3, 40, 2000, 1, 5000, 2, 1, 1];
    const starts = [0, 0];
    for (const [i, size] of sizes.entries()) {
      const partition = i % 2;
      const values = Array.from({ length: size }, (_, n) => `${i} ${n} é`);
      const producer = i % 4 === 3 ? theirs : ours;
      await producer.append([appendOf("t", partition, values)]);
      for (const from of [starts[partition], starts[partition] + 1]) {
        const own = await log.read("t", partition, from, READ_LIMIT);
        assert.deepEqual(
          own,
          await other.read("t", partition, from, READ_LIMIT),
        );
        assert.equal(own.count, size - (from - starts[partition]));
        // The reader may do with it what it wants.
        own.offsets.fill(-1);
        own.positions.fill(-1);
      }
      starts[partition] += size;
    }
    const newer = await other.producer("p");
    await newer.append([appendOf("t", 0, ["theirs"])]);
    await assert.rejects(ours.append([appendOf("t", 0, ["ours"])]), LogError);
    const last = await log.read("t", 0, starts[0], READ_LIMIT);
    assert.deepEqual(valuesOf(last), ["theirs"]);
  },
);
