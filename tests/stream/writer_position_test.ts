/**
 * The store goes back, away or elsewhere while the log stays, or the other way
 * round: every case ends with exactly the log's rows in the store and with the
 * same counters and dead letters as before, or with one line that says what to
 * do. Each case starts from copies of a folder that was filled once.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { LogError, StoreError } from "../../src/base/error.ts";
import { EmbeddedLog } from "../../src/log/embedded/embedded_log.ts";
import { readDeadLetters } from "../../src/stream/dead_letters.ts";
import { endCheck } from "../../src/stream/end_check.ts";
import { runProcessor } from "../../src/roles/processor.ts";
import { rebuild } from "../../src/roles/rebuild.ts";
import { runPredictionWriter } from "../../src/roles/prediction_writer.ts";
import { parseCommit } from "../../src/stream/commit.ts";
import {
  PREDICTION_GROUP,
  PREDICTION_TOPIC,
  SINK_TOPIC,
  WRITER_GROUP,
} from "../../src/stream/topics.ts";
import { isRight, verifyStore } from "../../src/stream/verify_store.ts";
import { runWriter, type WriterOptions } from "../../src/roles/writer.ts";
import { HANDBOOK_FEATURES } from "../../src/features/parameters.ts";
import { EmbeddedStore } from "../../src/store/embedded/embedded_store.ts";
import { forgetCommits } from "../log/forget_commits.ts";
import { appendOf } from "../log/records.ts";
import { inDatabase } from "../base/sqlite/in_database.ts";
import { testWriting } from "../permission.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import {
  batchSum,
  featuresSum,
  type OpenFolder,
  openFolder,
  openMemory,
  parametersOf,
  produce,
  SET_A,
} from "../roles/pipeline.ts";

/** Enough payments that each of three partitions takes the writer several steps. */
const DATA = {
  ...SET_A,
  parameters: { ...SET_A.parameters, customers: 500, days: 40 },
};
const PARTITIONS = 3;
const PARAMETERS = parametersOf(PARTITIONS);
const FEATURES_SUM = batchSum(DATA, HANDBOOK_FEATURES);
/** Records in the sink that are no payments: one before all, one behind. */
const GARBAGE = 2;

/** Puts a record that is no payment into the sink. */
async function appendGarbage(log: EmbeddedLog, value: string): Promise<void> {
  const producer = await log.producer("somebody");
  await producer.append([appendOf(SINK_TOPIC, 1, [value])]);
}

/** Runs the writer, without a word, until all is stored or so many writes have been made. */
async function write(
  { context, store }: OpenFolder,
  options: Partial<WriterOptions> & { readonly writes?: number } = {},
): Promise<void> {
  const { writes = Infinity, ...more } = options;
  const stop = new AbortController();
  let made = 0;
  await runWriter({ ...context, signal: stop.signal }, {
    store,
    startSeconds: undefined,
    clears: true,
    ...more,
    stored: () => {
      if (++made >= writes) stop.abort();
    },
  });
}

/** A folder filled once: `log.db`, `store.db`, and `early_log.db`, the log before its last record and before the writer began, and `half.db`, the store after the writer's first step. */
let filled: Promise<string> | undefined;

async function fill(): Promise<string> {
  const path = await Deno.makeTempDir();
  {
    await using folder = await openFolder(path, PARAMETERS);
    await appendGarbage(folder.log, "no payment");
    await produce(folder, DATA);
    await runProcessor(folder.context, undefined);
  }
  Deno.copyFileSync(join(path, "log.db"), join(path, "early_log.db"));
  {
    await using folder = await openFolder(path, PARAMETERS);
    await appendGarbage(folder.log, "{}");
    await write(folder, { writes: 1 });
  }
  Deno.copyFileSync(join(path, "store.db"), join(path, "half.db"));
  await using folder = await openFolder(path, PARAMETERS);
  assert.ok((await folder.store.status()).rows > 0);
  await write(folder);
  await assertWhole(folder);
  return path;
}

addEventListener("unload", () => {
  filled?.then((path) => Deno.removeSync(path, { recursive: true }));
});

/** Asserts that the store holds what the log says, and that the counters and dead letters are those of a run without faults. */
async function assertWhole({ log, store }: OpenFolder): Promise<void> {
  assert.equal(await featuresSum(store), FEATURES_SUM);
  assert.deepEqual(
    await endCheck({
      log,
      offsetsCountRecords: true,
      store: async () => ({ payments: await store.status() }),
    }),
    { kind: "compared", differences: [] },
  );
  const letters = await Array.fromAsync(readDeadLetters(log));
  assert.equal(letters.length, GARBAGE);
}

/** Defines a test on a copy of the filled folder. */
function testFilled(
  fact: string,
  body: (path: string) => Promise<void>,
): void {
  testWriting(fact, async () => {
    filled ??= fill();
    await using temporary = temporaryFolder();
    for (const name of ["log.db", "store.db", "half.db", "early_log.db"]) {
      Deno.copyFileSync(
        join(await filled, name),
        join(temporary.path, name),
      );
    }
    await body(temporary.path);
  });
}

/** Opens the folder, runs the writer to its end, and asserts that the store is whole. */
async function assertHeals(
  path: string,
  options: Partial<WriterOptions> = {},
): Promise<void> {
  await using folder = await openFolder(path, PARAMETERS);
  await write(folder, options);
  await assertWhole(folder);
}

/** Asserts that the writer refuses the folder. */
async function assertRefuses(
  path: string,
  message: RegExp,
  options: Partial<WriterOptions> = {},
): Promise<void> {
  await using folder = await openFolder(path, PARAMETERS);
  await assert.rejects(write(folder, options), (error) => {
    assert.ok(error instanceof StoreError || error instanceof LogError);
    assert.match(error.message, message);
    assert.ok(!error.message.includes("\n"));
    return true;
  });
}

function inStore(path: string, sql: string): void {
  inDatabase(join(path, "store.db"), (db) => db.exec(sql));
}

/** Sets the writer's commits as another program would. */
async function setCommits(
  path: string,
  commitAt: (offset: number) => { next: number; metadata: string },
  [group, topic] = [WRITER_GROUP, SINK_TOPIC],
): Promise<void> {
  await using log = openLog(path);
  const commits = await log.committed(group, topic);
  await log.commit(
    group,
    topic,
    commits.map((commit, partition) => {
      const from = commit?.offset ?? 0;
      return { partition, from, step: { ...commitAt(from), appends: [] } };
    }),
  );
}

function openLog(path: string): EmbeddedLog {
  return new EmbeddedLog({ path: join(path, "log.db"), durable: false });
}

/** Puts back the log as it was before the sink's last record. */
const useEarly = (path: string) =>
  Deno.copyFileSync(join(path, "early_log.db"), join(path, "log.db"));
const useHalf = (path: string) =>
  Deno.copyFileSync(join(path, "half.db"), join(path, "store.db"));

testFilled("a whole store stays as it is", (path) => assertHeals(path));

testFilled(
  "a store put back from an older copy is filled again",
  async (path) => {
    useHalf(path);
    await assertHeals(path);
  },
);

testFilled("a deleted store is filled again", async (path) => {
  Deno.removeSync(join(path, "store.db"));
  await assertHeals(path);
});

testFilled("a truncated table is filled again", async (path) => {
  inStore(path, "DELETE FROM transactions");
  await assertHeals(path);
});

testFilled(
  "a table that lost its newest rows is filled again",
  async (path) => {
    inStore(
      path,
      "DELETE FROM transactions WHERE tx_time_days >= 35",
    );
    await assertHeals(path);
  },
);

testFilled(
  "filling again, killed at every step, ends the same",
  async (path) => {
    Deno.removeSync(join(path, "store.db"));
    for (let kill = 0; kill < 3; kill++) {
      await using folder = await openFolder(path, PARAMETERS);
      await write(folder, { writes: 1 });
    }
    await assertHeals(path);
  },
);

testFilled(
  "a commit that has expired begins at the store's position",
  async (path) => {
    forgetCommits(join(path, "log.db"), WRITER_GROUP);
    let stored = 0;
    await assertHeals(path, { stored: () => stored++ });
    assert.equal(stored, 0);
  },
);

testFilled(
  "a commit that has expired beside an older store is no loss",
  async (path) => {
    useHalf(path);
    forgetCommits(join(path, "log.db"), WRITER_GROUP);
    await assertHeals(path);
  },
);

for (const [where, offset] of [["start", 0], ["middle", 1000]] as const) {
  for (const store of ["whole", "older", "deleted"] as const) {
    testFilled(
      `a bare offset at the ${where}, beside ${
        store === "older" ? "an older" : `a ${store}`
      } store, stores again and counts nothing twice`,
      async (path) => {
        await setCommits(path, () => ({ next: offset, metadata: "" }));
        if (store === "older") useHalf(path);
        if (store === "deleted") Deno.removeSync(join(path, "store.db"));
        await assertHeals(path);
      },
    );
  }
}

testFilled("metadata of another program is a bare offset", async (path) => {
  await setCommits(path, (next) => ({
    next,
    metadata: '{"counters":{"read":3}}',
  }));
  await assertHeals(path);
});

testFilled(
  "a store without positions, of an older version, is filled again from a whole log",
  async (path) => {
    inStore(
      path,
      "DELETE FROM stream_position; DELETE FROM transactions WHERE transaction_id = 77",
    );
    await assertHeals(path);
  },
);

testFilled(
  "a store without positions goes on at the commit where the log was trimmed",
  async (path) => {
    inStore(path, "DELETE FROM stream_position");
    {
      await using log = openLog(path);
      for (let p = 0; p < PARTITIONS; p++) await log.trim(SINK_TOPIC, p, 4000);
    }
    await assertHeals(path);
  },
);

testFilled(
  "a bare offset before what a trimmed log holds begins with what is left, and counts nothing twice",
  async (path) => {
    await setCommits(path, () => ({ next: 1000, metadata: "" }));
    {
      await using log = openLog(path);
      for (let p = 0; p < PARTITIONS; p++) await log.trim(SINK_TOPIC, p, 4000);
    }
    await assertHeals(path);
  },
);

testFilled(
  "a store ahead of a log that was cut back and trimmed is not cleared: the log cannot fill it",
  async (path) => {
    useEarly(path);
    {
      await using log = openLog(path);
      for (let p = 0; p < PARTITIONS; p++) await log.trim(SINK_TOPIC, p, 4000);
    }
    await assertRefuses(
      path,
      /the log ends at \d+: .*'\.\/fraudstream rebuild --accept-missing-start' clears/,
    );
  },
);

testFilled(
  "a store ahead of a log that was cut back is cleared and filled again",
  async (path) => {
    {
      await using folder = await openFolder(path, PARAMETERS);
      // A payment that the log is about to lose.
      const cells = new Float64Array(22);
      cells[0] = 10_000_000;
      await folder.store.write({ cells, count: 1 });
    }
    useEarly(path);
    {
      await using log = openLog(path);
      await appendGarbage(log, "[]");
    }
    await assertHeals(path);
  },
);

testFilled(
  "a store ahead of the log is refused where it may not be cleared",
  async (path) => {
    useEarly(path);
    await assertRefuses(
      path,
      /up to offset \d+, but the log ends at \d+: .* '\.\/fraudstream rebuild' clears/,
      { clears: false },
    );
  },
);

testFilled(
  "another stream's store is refused, whatever it holds",
  async (path) => {
    Deno.removeSync(join(path, "log.db"));
    await assertRefuses(
      path,
      /rows of another stream .*'\.\/fraudstream rebuild'/,
    );
    inStore(path, "DELETE FROM stream_position");
    await assertRefuses(path, /rows of another stream.*--keyspace/);
    inStore(path, "DELETE FROM transactions");
    await using folder = await openFolder(path, PARAMETERS);
    await write(folder, { onlyPresent: true });
  },
);

testFilled(
  "rows that the log no longer holds are missing, and said to be",
  async (path) => {
    Deno.removeSync(join(path, "store.db"));
    {
      await using log = openLog(path);
      for (let p = 0; p < PARTITIONS; p++) await log.trim(SINK_TOPIC, p, 4000);
    }
    await assertRefuses(
      path,
      /lacks payments from 2018-04-01 to 2018-04-\d\d .*offsets 0 to \d+ of transaction_sink_topic partition 0/,
    );
    await using folder = await openFolder(path, PARAMETERS);
    const { log, store } = folder;
    await write(folder, { acceptMissingStart: true });
    // From then on it is right that they are missing.
    await write(folder);
    const result = await endCheck({
      log,
      offsetsCountRecords: true,
      store: async () => ({ payments: await store.status() }),
    });
    assert.deepEqual(result, { kind: "compared", differences: [] });
    const [{ startOffsets, endOffsets }] = await log.topics([SINK_TOPIC]);
    const kept = endOffsets.reduce(
      (sum, end, p) => sum + end - startOffsets[p],
      0,
    );
    assert.equal((await store.status()).rows, kept - 1);
  },
);

testFilled("a position that was damaged is named", async (path) => {
  inStore(
    path,
    "UPDATE stream_position SET next_offset = 5 WHERE topic_partition = 1",
  );
  await assertRefuses(
    path,
    /position in transaction_sink_topic partition 1 does not match its checksum.*rebuild/,
  );
});

testFilled(
  "a store of version 1, without checksums, is upgraded and filled again",
  async (path) => {
    inStore(
      path,
      "DROP TABLE stream_position; " +
        "ALTER TABLE transactions DROP COLUMN row_check; PRAGMA user_version = 1",
    );
    {
      await using store = new EmbeddedStore({
        path: join(path, "store.db"),
        features: HANDBOOK_FEATURES,
        durable: false,
      });
      assert.equal(await featuresSum(store), FEATURES_SUM);
    }
    await assertHeals(path);
  },
);

/** Ways in which the predictions' table or commits go back; each ends with all predictions stored. */
const PREDICTION_FAULTS: Record<string, (path: string) => Promise<void>> = {
  "a truncated table": (path) =>
    Promise.resolve(inStore(path, "DELETE FROM transaction_prediction")),
  "a store put back": (path) =>
    Deno.copyFile(join(path, "older.db"), join(path, "store.db")),
  "a deleted store": (path) => Deno.remove(join(path, "store.db")),
  "commits that have expired": (path) =>
    Promise.resolve(forgetCommits(join(path, "log.db"), PREDICTION_GROUP)),
  "bare offsets": (path) =>
    setCommits(path, () => ({ next: 50, metadata: "" }), [
      PREDICTION_GROUP,
      PREDICTION_TOPIC,
    ]),
};

/** Puts predictions about payments `from` to below `to` into the topic, and a record that is none. */
async function appendPredictions(
  log: EmbeddedLog,
  from: number,
  to: number,
): Promise<void> {
  const producer = await log.producer("a scorer");
  for (let partition = 0; partition < PARTITIONS; partition++) {
    const values: string[] = [];
    for (let id = from; id < to; id++) {
      if (id % PARTITIONS !== partition) continue;
      values.push(JSON.stringify({
        TRANSACTION_ID: id,
        TX_DATETIME: "2018-04-02 00:10:00",
        CUSTOMER_ID: 1,
        TERMINAL_ID: 2,
        TX_AMOUNT: 10.5,
        TX_TIME_SECONDS: 86_400 + 600,
        SCORE: 0.25,
        ALERT: id % 2,
        MODEL_VERSION: "0123456789ab",
        ...id % 7 === 0 ? { CONTRIBUTIONS: { TX_AMOUNT: 0.5 } } : {},
      }));
    }
    await producer.append([appendOf(PREDICTION_TOPIC, partition, values)]);
  }
  await producer.append([appendOf(PREDICTION_TOPIC, 2, ["no prediction"])]);
}

testWriting(
  "predictions that a store has lost are stored again, and counted once",
  async () => {
    await using temporary = temporaryFolder();
    const { path } = temporary;
    const store = (folder: OpenFolder) =>
      runPredictionWriter(folder.context, {
        store: folder.store.predictions(),
        startSeconds: undefined,
        clears: true,
        onlyPresent: true,
        stored: AbortSignal.abort(),
      });
    {
      await using folder = await openFolder(path, PARAMETERS);
      await folder.context.control.declareScored();
      await appendPredictions(folder.log, 0, 300);
      await store(folder);
    }
    Deno.copyFileSync(join(path, "store.db"), join(path, "older.db"));
    {
      await using folder = await openFolder(path, PARAMETERS);
      await appendPredictions(folder.log, 300, 600);
      await store(folder);
    }
    for (const [what, harm] of Object.entries(PREDICTION_FAULTS)) {
      await harm(path);
      await using folder = await openFolder(path, PARAMETERS);
      await store(folder);
      const { log, context: { control } } = folder;
      const table = folder.store.predictions();
      assert.deepEqual(await table.status(), { rows: 600, alerts: 300 }, what);
      const commits = await log.committed(PREDICTION_GROUP, PREDICTION_TOPIC);
      const counters = commits.map((commit) => parseCommit(commit).counters);
      const sum = (name: "read" | "emitted" | "deadLettered") =>
        counters.reduce((all, each) => all + each[name], 0);
      assert.deepEqual(
        [sum("read"), sum("emitted"), sum("deadLettered")],
        [602, 600, 2],
        what,
      );
      assert.equal(
        (await Array.fromAsync(readDeadLetters(log))).length,
        2,
        what,
      );
      const verified = await verifyStore({
        log,
        control,
        parameters: PARAMETERS,
        store: folder.store,
        signal: new AbortController().signal,
        compared() {},
      });
      assert.equal(verified.predictions?.equal, 600, what);
      assert.ok(verified.predictions && isRight(verified.predictions), what);
    }
  },
);

testWriting(
  "a store of the release before is upgraded, goes on and is verified; rebuild fills in the places of its predictions",
  async () => {
    await using temporary = temporaryFolder();
    const { path } = temporary;
    const store = (folder: OpenFolder) =>
      runPredictionWriter(folder.context, {
        store: folder.store.predictions(),
        startSeconds: undefined,
        onlyPresent: true,
        stored: AbortSignal.abort(),
      });
    {
      await using folder = await openFolder(path, PARAMETERS);
      await produce(folder, SET_A);
      await runProcessor(folder.context, undefined);
      await folder.context.control.declareScored();
      await appendPredictions(folder.log, 0, 300);
      await store(folder);
      const table = folder.store.predictions();
      for await (const rows of table.rows()) {
        rows.partitions.fill(-1);
        rows.offsets.fill(-1);
        await table.write(rows); // with the checksums of rows without a place
      }
    }
    inStore(
      path,
      "ALTER TABLE transaction_prediction DROP COLUMN record_partition; " +
        "ALTER TABLE transaction_prediction DROP COLUMN record_offset; " +
        "PRAGMA user_version = 3",
    );
    await using folder = await openFolder(path, PARAMETERS);
    const { log, context } = folder;
    await appendPredictions(log, 300, 600);
    await store(folder);
    const table = folder.store.predictions();
    const verify = async () => {
      const { predictions } = await verifyStore({
        log,
        control: context.control,
        parameters: PARAMETERS,
        store: folder.store,
        signal: context.signal,
        compared() {},
      });
      return [predictions?.equal, predictions?.different];
    };
    assert.deepEqual(await verify(), [600, 0]);
    const placeOf = async (id: number) => {
      const found = await table.find(id);
      return [found?.partitions[0], found?.offsets[0]];
    };
    assert.deepEqual(await placeOf(7), [-1, -1]);
    // Behind a third of the 300 before; in partition 2 also behind the garbage.
    assert.deepEqual(await placeOf(301), [1, 100]);
    assert.deepEqual(await placeOf(302), [2, 101]);
    inStore(
      path,
      "UPDATE transaction_prediction SET record_offset = 5, row_check = NULL " +
        "WHERE transaction_id = 301",
    );
    assert.deepEqual(await verify(), [599, 1]);
    await rebuild(context, {
      store: folder.store,
      startSeconds: undefined,
      acceptMissingStart: true, // these predictions are from no scorer
      stored() {},
    });
    assert.deepEqual(await verify(), [600, 0]);
    assert.deepEqual(await placeOf(7), [1, 2]);
    assert.deepEqual(await placeOf(301), [1, 100]);
  },
);

Deno.test("rows that one table refused for their ids are rows of the next one, in counts and comparison", async () => {
  await using folder = await openMemory(PARAMETERS);
  const { log, context } = folder;
  await produce(folder, DATA);
  await runProcessor(context, undefined);
  const idMax = 100;
  const small = new Proxy(folder.store, {
    get: (store, key) => {
      if (key === "idMax") return idMax;
      const value = Reflect.get(store, key, store);
      return typeof value === "function" ? value.bind(store) : value;
    },
  });
  await runWriter(context, { store: small, startSeconds: undefined });
  const refused = (await Array.fromAsync(readDeadLetters(log))).length;
  assert.equal((await folder.store.status()).rows, idMax + 1);
  assert.ok(refused > 0);

  await using next = new EmbeddedStore({
    path: ":memory:",
    features: PARAMETERS.features,
    durable: false,
  });
  await runWriter(context, { store: next, startSeconds: undefined });
  assert.equal(await featuresSum(next), FEATURES_SUM);
  const result = await endCheck({
    log,
    offsetsCountRecords: true,
    store: async () => ({ payments: await next.status() }),
  });
  assert.deepEqual(result, { kind: "compared", differences: [] });
  const verified = await verifyStore({
    log,
    control: context.control,
    parameters: PARAMETERS,
    store: next,
    signal: new AbortController().signal,
    compared: () => {},
  });
  assert.ok(isRight(verified.payments));
  const letters = await Array.fromAsync(readDeadLetters(log));
  assert.equal(letters.length, refused);
});
