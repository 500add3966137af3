/** Stages whose commits are missing, set by other programs, or of another topic. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Commit } from "../../src/log/log.ts";
import { RecordBatchBuilder, recordValue } from "../../src/log/record_batch.ts";
import { Control } from "../../src/roles/control.ts";
import { readDeadLetters } from "../../src/roles/dead_letters.ts";
import { runProcessor } from "../../src/roles/processor.ts";
import { acceptMissingStart } from "../../src/roles/recovery.ts";
import type { RoleContext, ScoringSettings } from "../../src/roles/role.ts";
import { runScorer } from "../../src/roles/scorer.ts";
import {
  parseScoringCommit,
  readScoringCommit,
} from "../../src/roles/scoring_commit.ts";
import {
  initialCommit,
  parseCommit,
  readCommit,
  stageCommit,
  takenOffset,
} from "../../src/roles/stage_commit.ts";
import { readStatus } from "../../src/roles/status.ts";
import {
  CUSTOMER_GROUP,
  PREDICTION_TOPIC,
  REPARTITION_TOPIC,
  SCORER_GROUP,
  SINK_TOPIC,
  TERMINAL_GROUP,
  TRANSACTION_TOPIC,
} from "../../src/roles/topics.ts";
import { trimStream } from "../../src/roles/trimmer.ts";
import { DAY_SECONDS } from "../../src/transaction/transaction.ts";
import { chance, forEachSeed } from "../long.ts";
import { testWriting } from "../permission.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { linearModel, writeModel } from "./models.ts";
import {
  type OpenFolder,
  openFolder,
  openMemory,
  parametersOf,
  produce,
  runBehind,
  SET_A,
} from "./pipeline.ts";
import {
  appendPayments,
  partitionsOf,
  paymentAt,
  StageDriver,
  valuesOfTopic,
} from "./stages.ts";

const STAGES = [
  { group: CUSTOMER_GROUP, topic: TRANSACTION_TOPIC },
  { group: TERMINAL_GROUP, topic: REPARTITION_TOPIC },
  { group: SCORER_GROUP, topic: SINK_TOPIC },
];
const PARAMETERS = parametersOf(3);

/** Deletes a commit as a tool would, or sets it. */
function setCommit(
  path: string,
  { group, topic }: typeof STAGES[number],
  partition: number,
  commit: Commit | undefined,
): void {
  const db = new DatabaseSync(join(path, "log.db"));
  const at = "WHERE consumer_group = ? AND partition = ? AND topic = " +
    "(SELECT id FROM topic WHERE name = ?)";
  if (commit) {
    db.prepare(`UPDATE group_offset SET next_offset = ?, metadata = ? ${at}`)
      .run(commit.offset, commit.metadata, group, partition, topic);
  } else {
    db.prepare(`DELETE FROM group_offset ${at}`).run(group, partition, topic);
  }
  db.close();
}

/** Runs a role, stopped after so many steps; true if it came to its end. */
async function runFor(
  folder: OpenFolder,
  steps: number,
  run: (context: RoleContext) => Promise<void>,
): Promise<boolean> {
  const { log } = folder;
  const consume = log.consume.bind(log);
  const stop = new AbortController();
  let left = steps;
  log.consume = (options) =>
    consume({
      ...options,
      open: async (partition, commit) => {
        const task = await options.open(partition, commit);
        const step = task.step.bind(task);
        task.step = (batch) => {
          if (--left <= 0) stop.abort(); // after the step in hand
          return step(batch);
        };
        return task;
      },
    });
  try {
    const { signal } = stop;
    await run({ ...folder.context, control: new Control(log), signal });
    return !stop.signal.aborted;
  } finally {
    log.consume = consume;
  }
}

/** What the processor has made: the rows, whatever the order of partitions, and the counters. */
async function processedBy({ log }: OpenFolder): Promise<unknown> {
  const rows = (await valuesOfTopic(log, SINK_TOPIC)).sort();
  const letters = [];
  for await (const letter of readDeadLetters(log)) letters.push(letter);
  const counters = [];
  for (const { group, topic } of STAGES.slice(0, 2)) {
    for (const commit of await log.committed(group, topic)) {
      const { counters: stage, progress } = parseCommit(commit);
      counters.push({ ...stage, progress });
    }
  }
  return { rows, letters, counters };
}

/** What the scorer has made, in its order. */
async function scoredBy({ log }: OpenFolder): Promise<unknown> {
  const commits = await log.committed(SCORER_GROUP, SINK_TOPIC);
  return {
    predictions: await valuesOfTopic(log, PREDICTION_TOPIC),
    counters: commits.map((commit) => {
      const { counters, scoring, progress } = parseScoringCommit(commit);
      return { ...counters, ...scoring, progress };
    }),
  };
}

/** Copies the log of a folder that nobody has open into another. */
function copyLog(from: string, to: string): void {
  const db = new DatabaseSync(join(from, "log.db"));
  db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  db.close();
  Deno.copyFileSync(join(from, "log.db"), join(to, "log.db"));
}

/** Lets the log hand out one stored batch at a time. */
function useSmallSteps(folder: OpenFolder): void {
  const { log } = folder;
  const read = log.read.bind(log);
  log.read = (topic, partition, offset) =>
    read(topic, partition, offset, { records: 1, bytes: 1 });
}

/** Runs a role again and again, each time after damage to commits of its stages, until it has come to its end. */
async function runDamaged(
  path: string,
  stages: typeof STAGES,
  seed: number,
  run: (context: RoleContext) => Promise<void>,
): Promise<void> {
  const random = chance(seed);
  const below = (n: number) => Math.floor(random() * n);
  let done = false;
  for (let i = 0; !done; i++) {
    await using folder = await openFolder(path, PARAMETERS);
    useSmallSteps(folder);
    for (const stage of stages) {
      const partition = below(PARAMETERS.partitions);
      const metadata = ["", "{}", "damaged"][below(3)];
      const commit = { offset: below(300), metadata };
      setCommit(path, stage, partition, random() < 0.5 ? undefined : commit);
    }
    done = await runFor(folder, i < 8 ? 1 + below(25) : 1e9, run);
  }
}

testWriting(
  "commits that are deleted or set by others at any moment change nothing that the processor makes",
  async () => {
    const process = (context: RoleContext) => runProcessor(context, undefined);
    await using right = await openMemory(PARAMETERS);
    await produce(right, SET_A);
    await process(right.context);
    const expected = await processedBy(right);
    await forEachSeed(2, 30, async (seed) => {
      await using files = temporaryFolder();
      {
        await using folder = await openFolder(files.path, PARAMETERS);
        await produce(folder, SET_A);
      }
      await runDamaged(files.path, STAGES.slice(0, 2), seed, process);
      await using folder = await openFolder(files.path, PARAMETERS);
      assert.deepEqual(await processedBy(folder), expected);
    });
  },
);

testWriting(
  "commits that are deleted or set by others at any moment change no prediction and no alert",
  async () => {
    await using files = temporaryFolder();
    const model = join(files.path, "model.json");
    writeModel(model, linearModel());
    const scoring: ScoringSettings = {
      model: { kind: "file", path: model },
      policy: { kind: "cards", perDay: 6 },
      explain: "alerts",
    };
    const score = (context: RoleContext) =>
      runScorer(context, { scoring, startSeconds: undefined });
    {
      await using folder = await openFolder(files.path, PARAMETERS);
      await produce(folder, SET_A);
      await runProcessor(folder.context, undefined);
    }
    await using undisturbed = temporaryFolder();
    copyLog(files.path, undisturbed.path);
    await using right = await openFolder(undisturbed.path, PARAMETERS);
    await score(right.context);
    await forEachSeed(2, 30, async (seed) => {
      await using copy = temporaryFolder();
      copyLog(files.path, copy.path);
      await runDamaged(copy.path, STAGES.slice(2), seed, score);
      await using folder = await openFolder(copy.path, PARAMETERS);
      assert.deepEqual(await scoredBy(folder), await scoredBy(right));
    });
  },
);

testWriting(
  "a stage that is complete and has lost all commits finds its end again",
  async () => {
    await using files = temporaryFolder();
    await using folder = await openFolder(files.path, PARAMETERS);
    await produce(folder, SET_A);
    await runBehind(folder);
    const before = await processedBy(folder);
    for (const stage of STAGES.slice(0, 2)) {
      for (const partition of partitionsOf(PARAMETERS)) {
        setCommit(files.path, stage, partition, undefined);
      }
    }
    await runBehind(folder);
    assert.deepEqual(await processedBy(folder), before);
  },
);

/** A stream of a few payments in one partition, taken by both stages. */
async function taken(folder: OpenFolder, count = 12): Promise<void> {
  const { log, context: { parameters } } = folder;
  const rows = Array.from(
    { length: count },
    (_, n) =>
      paymentAt(1000 * n, { transactionId: n, terminalId: n % 3, amount: n }),
  );
  await appendPayments(log, 0, rows);
  await (await StageDriver.customers(log, parameters)).drain([0], 5);
  await (await StageDriver.terminals(log, parameters)).drain([0], 5);
}

const REFUSED =
  /^fraudstream-\S+ has lost its position in \S+ partition 0, and it cannot be recovered: .+\. Begin a new stream \(another --data folder, on Kafka another --topic-prefix\)$/;

/** Deletes the first or last stored batch of a partition. */
function deleteBatch(path: string, topic: string, which: "MIN" | "MAX"): void {
  const db = new DatabaseSync(join(path, "log.db"));
  db.prepare(
    `DELETE FROM batch WHERE rowid = (SELECT ${which}(batch.rowid) FROM batch
       JOIN topic ON topic.id = topic WHERE name = ? AND partition = 0)`,
  ).run(topic);
  db.close();
}

const LOSSES: [string, string, "MIN" | "MAX", string][] = [
  ["whose first payments are deleted", TRANSACTION_TOPIC, "MIN", "customers"],
  ["whose first packs are deleted", REPARTITION_TOPIC, "MIN", "customers"],
  ["whose last payments are deleted", TRANSACTION_TOPIC, "MAX", "customers"],
  ["whose packs are deleted", REPARTITION_TOPIC, "MIN", "terminals"],
  ["whose first rows are deleted", SINK_TOPIC, "MIN", "terminals"],
  ["whose last packs are deleted", REPARTITION_TOPIC, "MAX", "terminals"],
];

for (const [what, topic, which, stage] of LOSSES) {
  testWriting(`a stage without a commit, ${what}, is refused`, async () => {
    const parameters = parametersOf(1);
    await using files = temporaryFolder();
    await using folder = await openFolder(files.path, parameters);
    const { log } = folder;
    await taken(folder);
    // Half of the payments once more, so that there are several batches.
    const more = [20, 21, 22].map((n) =>
      paymentAt(1000 * n, { transactionId: n, amount: 1 })
    );
    await appendPayments(log, 0, more);
    await (await StageDriver.customers(log, parameters)).drain([0], 2);
    await (await StageDriver.terminals(log, parameters)).drain([0], 2);
    const at = stage === "customers" ? STAGES[0] : STAGES[1];
    setCommit(files.path, at, 0, undefined);
    deleteBatch(files.path, topic, which);
    const open = stage === "customers"
      ? StageDriver.customers(log, parameters)
      : StageDriver.terminals(log, parameters);
    await assert.rejects(open, { name: "LogError", message: REFUSED });
  });
}

Deno.test("a stage without a commit, among whose output is another program's row, is refused", async () => {
  const parameters = parametersOf(1);
  await using folder = await openMemory(parameters);
  const { log } = folder;
  await taken(folder);
  const customers = await StageDriver.customers(log, parameters);
  const foreign = paymentAt(12_000, { transactionId: 999, amount: 3 });
  const others = await openMemory(parameters);
  await using _ = others;
  await appendPayments(others.log, 0, [foreign]);
  await (await StageDriver.customers(others.log, parameters)).drain([0]);
  const batch = await others.log.read(REPARTITION_TOPIC, 0, 0, {
    records: 1,
    bytes: 1,
  });
  const records = new RecordBatchBuilder();
  records.add(new Uint8Array(0), recordValue(batch, 0), 0);
  const producer = await log.producer("somebody");
  await producer.append([{ topic: REPARTITION_TOPIC, partition: 0, records }]);
  await customers.damage(0, 0, "");
  await assert.rejects(customers.reopen(0), { message: REFUSED });
});

for (const how of ["another payment", "fewer payments"]) {
  testWriting(
    `a source that was made anew with ${how} is refused`,
    async () => {
      const parameters = parametersOf(1);
      await using files = temporaryFolder();
      await using folder = await openFolder(files.path, parameters);
      const { log } = folder;
      await taken(folder);
      const db = new DatabaseSync(join(files.path, "log.db"));
      for (const topic of [TRANSACTION_TOPIC, REPARTITION_TOPIC, SINK_TOPIC]) {
        db.prepare(
          "DELETE FROM batch WHERE topic = (SELECT id FROM topic WHERE name = ?)",
        ).run(topic);
      }
      db.close();
      const count = how === "another payment" ? 30 : 3;
      const rows = Array.from({ length: count }, (_, n) =>
        paymentAt(1000 * n, {
          transactionId: n,
          terminalId: n % 3,
          amount: 7,
        }));
      await appendPayments(log, 0, rows);
      await assert.rejects(
        StageDriver.customers(log, parameters),
        /^LogError: transaction_topic partition 0 is not the one that fraudstream-customer-windows has read: (another record is at offset 11|it ends at offset 3, and 12 were read)\. /,
      );
      await assert.rejects(
        StageDriver.terminals(log, parameters),
        /^LogError: transaction_by_terminal_topic partition 0 is not the one/,
      );
    },
  );
}

Deno.test("readCommit() takes what a stage has written, in the form of this version and of the one before", () => {
  const { progress, head, replay, counters } = initialCommit();
  const old = { progress, head, replay, counters };
  const read = (value: unknown, offset = 8) =>
    readCommit({ offset, metadata: JSON.stringify(value) });
  assert.deepEqual(read(old), old);
  const last = { offset: 7, check: 5 };
  const now = stageCommit(8, { ...old, last });
  assert.deepEqual(read(now), now);
  assert.deepEqual(read({ ...now, last: null }), { ...now, last: null });
  const bad: unknown[] = [
    null,
    7,
    "text",
    [],
    {},
    { ...now, version: 3 },
    { ...now, offset: 9 },
    { ...now, progress: "0" },
    { ...now, progress: -1 },
    { ...now, head: undefined },
    { ...now, last: { offset: 8, check: 5 } },
    { ...now, last: { offset: 7 } },
    { ...now, replay: undefined },
    { ...now, replay: { offset: 9, progress: 0 } },
    { ...now, counters: undefined },
    { ...now, counters: { ...counters, read: 0.5 } },
    { ...now, counters: { ...counters, frauds: undefined } },
  ];
  for (const value of bad) {
    assert.equal(read(value), undefined, JSON.stringify(value));
  }
  for (
    const metadata of ["", "{", "\u0000", JSON.stringify(now).slice(0, -1)]
  ) {
    assert.equal(readCommit({ offset: 8, metadata }), undefined);
    assert.equal(takenOffset({ offset: 8, metadata }), 0);
    const commit = parseCommit({ offset: 8, metadata });
    assert.deepEqual(commit, initialCommit());
  }
  assert.equal(readCommit(undefined), undefined);
  assert.equal(takenOffset({ offset: 8, metadata: JSON.stringify(now) }), 8);
});

Deno.test("readScoringCommit() takes no damaged memory of alerts", () => {
  const commit = stageCommit(8, initialCommit());
  const read = (more: object) =>
    readScoringCommit({
      offset: 8,
      metadata: JSON.stringify({ ...commit, ...more }),
    });
  assert.deepEqual(read({})?.judged, []);
  const judged = [[1, 0.5, 3, 77, 2]];
  assert.deepEqual(read({ judged })?.judged, judged);
  for (
    const more of [
      { judged: 7 },
      { judged: [7] },
      { judged: [[1, 2, 3, 4]] },
      { judged: [[1, 2, 3, 4, null]] },
      { scoring: null },
      { scoring: { alerts: 1 } },
    ]
  ) assert.equal(read(more), undefined, JSON.stringify(more));
});

Deno.test("a commit without state is shown as unknown, and nothing is trimmed or taken for done because of it", async () => {
  const parameters = parametersOf(1);
  await using folder = await openMemory(parameters);
  const { log, context } = folder;
  await taken(folder, 300);
  const terminals = await StageDriver.terminals(log, parameters);
  const customers = await StageDriver.customers(log, parameters);
  const known = await readStatus(log, context.control);
  assert.ok(known.stages.every((stage) => stage.isPositionKnown));
  const [end] = await log.endOffsets(REPARTITION_TOPIC) ?? [];
  await customers.damage(0, 300, "");
  await terminals.damage(0, end, "bare");
  const status = await readStatus(log, context.control);
  assert.deepEqual(
    status.stages.map(({ isPositionKnown, lag }) => [isPositionKnown, lag]),
    [[false, 0], [false, 0], [true, 300]],
  );
  await trimStream({ ...context }, {
    keepDays: 0,
    filesFolder: undefined,
    startSeconds: 0,
  });
  for (const { startOffsets } of await log.topics([TRANSACTION_TOPIC])) {
    assert.deepEqual(startOffsets, [0]);
  }
});

for (const topic of [TRANSACTION_TOPIC, REPARTITION_TOPIC]) {
  Deno.test(`a beginning of ${topic} that was deleted before the start is refused until it is accepted, and the stage restarts`, async () => {
    const parameters = parametersOf(1);
    await using folder = await openMemory(parameters);
    const { log } = folder;
    const isPacks = topic === REPARTITION_TOPIC;
    const open = async () => {
      if (!isPacks) return await StageDriver.customers(log, parameters);
      return await StageDriver.terminals(log, parameters);
    };
    for (let day = 0; day < 5; day++) {
      const rows = [1, 2, 3].map((n) =>
        paymentAt(DAY_SECONDS * day + 1000 * n, {
          transactionId: 10 * day + n,
          amount: n,
        })
      );
      await appendPayments(log, 0, rows);
      if (!isPacks) continue;
      await (await StageDriver.customers(log, parameters)).drain([0]);
    }
    const [state] = await log.topics([topic]);
    await log.trim(topic, 0, 3 * state.endOffsets[0] / 5);
    const [{ startOffsets: [left] }] = await log.topics([topic]);
    assert.ok(left > 0);
    await assert.rejects(open(), {
      name: "LogError",
      message: `the records of ${topic} partition 0 from offset 0 to ${left} ` +
        "were deleted before anyone had read them: set the topic's " +
        "retention.ms to -1, and begin with what is left by " +
        "--accept-missing-start, or publish them again to a new stream",
    });
    const control = new Control(log);
    await acceptMissingStart(log, control);
    const stage = await open();
    await stage.drain([0], 2);
    assert.equal((await stage.counters()).emitted, 6);
    // It restarts from there, without the flag and without a commit.
    const counters = await stage.counters();
    assert.ok(await stage.reopen(0) > 0);
    await stage.damage(0, 0, "");
    await stage.reopen(0);
    assert.deepEqual(await stage.counters(), counters);
    await acceptMissingStart(log, control);
    await (await open()).drain([0]);
    assert.deepEqual(await stage.counters(), counters);
    // What is deleted later is needed all the same.
    await log.trim(topic, 0, 4 * state.endOffsets[0] / 5);
    await assert.rejects(
      open(),
      /are needed to restore the windows and have been deleted/,
    );
    await stage.damage(0, 0, "");
    await assert.rejects(open(), { message: REFUSED });
  });
}
