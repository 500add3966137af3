/** Stages whose commits are missing, set by other programs, or of another topic. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { stageTable } from "../../src/cli/output/run_summary.ts";
import { EmbeddedLog } from "../../src/log/embedded/embedded_log.ts";
import type { Commit } from "../../src/log/log.ts";
import {
  batchHead,
  emptyBatch,
  type RecordBatch,
  RecordBatchBuilder,
  recordKey,
  recordValue,
  valueStart,
} from "../../src/log/record_batch.ts";
import { Control } from "../../src/stream/control.ts";
import {
  DeadLetterBox,
  readDeadLetters,
} from "../../src/stream/dead_letters.ts";
import { runProcessor } from "../../src/roles/processor.ts";
import { acceptMissingStart } from "../../src/stream/opening.ts";
import type { ScoringSettings } from "../../src/roles/role.ts";
import type { StreamContext } from "../../src/stream/stream_context.ts";
import { runScorer } from "../../src/roles/scorer.ts";
import {
  initialCommit,
  parseCommit,
  parseScoringCommit,
  readCommit,
  readScoringCommit,
  stageCommit,
  takenOffset,
} from "../../src/stream/commit.ts";
import { readStatus } from "../../src/stream/status.ts";
import {
  CONTROL_TOPIC,
  CUSTOMER_GROUP,
  PREDICTION_TOPIC,
  REPARTITION_TOPIC,
  SCORER_GROUP,
  SINK_TOPIC,
  TERMINAL_GROUP,
  TRANSACTION_TOPIC,
} from "../../src/stream/topics.ts";
import { trimStream } from "../../src/roles/trimmer.ts";
import { DAY_SECONDS } from "../../src/payment/payment.ts";
import { chance, forEachSeed } from "../long.ts";
import { appendOf } from "../log/records.ts";
import { testWriting } from "../permission.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { linearModel, writeModel } from "../roles/models.ts";
import {
  type OpenFolder,
  openFolder,
  openMemory,
  parametersOf,
  produce,
  runBehind,
  SET_A,
} from "../roles/pipeline.ts";
import {
  appendPayments,
  DELETED,
  hideDeleted,
  partitionsOf,
  paymentAt,
  StageDriver,
  valuesOfTopic,
} from "../roles/stages.ts";

const STAGES = [
  { group: CUSTOMER_GROUP, topic: TRANSACTION_TOPIC },
  { group: TERMINAL_GROUP, topic: REPARTITION_TOPIC },
  { group: SCORER_GROUP, topic: SINK_TOPIC },
];
const PARAMETERS = parametersOf(3);

/** Sets a commit as another program would; undefined deletes it. */
async function setCommit(
  log: EmbeddedLog,
  { group, topic }: typeof STAGES[number],
  partition: number,
  commit: Commit | undefined,
): Promise<void> {
  const rows = await EmbeddedLog.prototype.committed.call(log, group, topic);
  const { offset, metadata } = commit ?? { offset: 0, metadata: DELETED };
  const step = { next: offset, metadata, appends: [] };
  const from = rows[partition]?.offset ?? 0;
  await log.commit(group, topic, [{ partition, from, step }]);
}

/** Runs a role, stopped after so many steps; true if it came to its end. */
async function runFor(
  folder: OpenFolder,
  steps: number,
  run: (context: StreamContext) => Promise<void>,
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

/** Lets the log hand out a few records at a time, so that a role makes many steps. */
function useSmallSteps(folder: OpenFolder): void {
  const { log } = folder;
  const read = log.read.bind(log);
  log.read = async (topic, partition, offset) => {
    const batch = await read(topic, partition, offset, {
      records: 1,
      bytes: 1,
    });
    return batchHead(batch, 40);
  };
}

/** Runs a role again and again, each time after damage to commits of its stages, until it has come to its end. */
async function runDamaged(
  path: string,
  stages: typeof STAGES,
  seed: number,
  run: (context: StreamContext) => Promise<void>,
): Promise<void> {
  const random = chance(seed);
  const below = (n: number) => Math.floor(random() * n);
  let done = false;
  for (let i = 0; !done; i++) {
    await using folder = await openFolder(path, PARAMETERS);
    useSmallSteps(folder);
    hideDeleted(folder.log);
    for (const stage of stages) {
      const partition = below(PARAMETERS.partitions);
      const metadata = ["", "{}", "damaged"][below(3)];
      const commit = { offset: below(300), metadata };
      const set = random() < 0.5 ? undefined : commit;
      await setCommit(folder.log, stage, partition, set);
    }
    done = await runFor(folder, i < 8 ? 1 + below(25) : 1e9, run);
  }
}

testWriting(
  "commits that are deleted or set by others at any moment change nothing that the processor makes",
  async () => {
    const process = (context: StreamContext) =>
      runProcessor(context, undefined);
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
    const score = (context: StreamContext) =>
      runScorer(context, { scoring, startSeconds: undefined });
    {
      await using folder = await openFolder(files.path, PARAMETERS);
      // The scorer leaves it out without a letter.
      const producer = await folder.log.producer("somebody");
      await producer.append([appendOf(SINK_TOPIC, 1, ["no payment"])]);
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

/** Takes all commits of both stages of the processor away. */
async function loseCommits(log: EmbeddedLog): Promise<void> {
  for (const stage of STAGES.slice(0, 2)) {
    for (const partition of partitionsOf(PARAMETERS)) {
      await setCommit(log, stage, partition, undefined);
    }
  }
}

Deno.test("a stage that is complete and has lost all commits finds its end again", async () => {
  await using folder = await openMemory(PARAMETERS);
  const { log } = folder;
  hideDeleted(log);
  await produce(folder, SET_A);
  await runBehind(folder);
  const before = await processedBy(folder);
  await loseCommits(log);
  await runBehind(folder);
  assert.deepEqual(await processedBy(folder), before);
});

Deno.test("recovery waits for transactions that are under way, and counts what it finds as recovered", async () => {
  await using folder = await openMemory(PARAMETERS);
  const { log, context } = folder;
  hideDeleted(log);
  await produce(folder, SET_A);
  await runBehind(folder);
  const before = await processedBy(folder);
  await loseCommits(log);
  // The last record of each partition is in an open transaction for a while.
  const ends = await log.endOffsets(SINK_TOPIC) ?? [];
  const read = log.read.bind(log);
  let hidden = 0;
  log.read = (topic, partition, offset, limit) => {
    const isLast = topic === SINK_TOPIC && offset === ends[partition] - 1;
    return isLast && ++hidden < 3
      ? Promise.resolve(emptyBatch(offset))
      : read(topic, partition, offset, limit);
  };
  const recovered = new Map<string, number>();
  await runProcessor({
    ...context,
    control: new Control(log),
    recovered: (group, rows) =>
      recovered.set(group, (recovered.get(group) ?? 0) + rows),
  }, undefined);
  log.read = read;
  assert.ok(hidden > 3);
  assert.deepEqual(await processedBy(folder), before);
  const rows = (await valuesOfTopic(log, SINK_TOPIC)).length;
  assert.deepEqual([...recovered], [
    [CUSTOMER_GROUP, rows],
    [TERMINAL_GROUP, rows],
  ]);
});

testWriting(
  "a scorer that comes to a trimmed log begins with what is left",
  async () => {
    await using files = temporaryFolder();
    const path = join(files.path, "model.json");
    writeModel(path, linearModel());
    await using folder = await openMemory(PARAMETERS);
    const { log, context } = folder;
    await produce(folder, SET_A);
    await runProcessor(context, undefined);
    for (const p of partitionsOf(PARAMETERS)) {
      await log.trim(SINK_TOPIC, p, 300);
    }
    const [{ startOffsets, endOffsets }] = await log.topics([SINK_TOPIC]);
    assert.ok(startOffsets.every((start) => start > 0));
    await runScorer(context, {
      scoring: {
        model: { kind: "file", path },
        policy: { kind: "cards", perDay: 6 },
        explain: "alerts",
      },
      startSeconds: undefined,
    });
    const left = endOffsets.reduce((n, end, p) => n + end - startOffsets[p], 0);
    const scored = await valuesOfTopic(log, PREDICTION_TOPIC);
    assert.equal(scored.length, left);
  },
);

/** A stream of a few payments in one partition, taken by both stages. */
async function taken(
  { log, context: { parameters } }: OpenFolder,
  count = 12,
  records = 5,
): Promise<void> {
  for (let n = 0; n < count; n++) {
    const more = { transactionId: n, terminalId: n % 3, amount: records * n };
    await appendPayments(log, 0, [paymentAt(1000 * n, more)]);
  }
  await (await StageDriver.customers(log, parameters)).drain([0], records);
  await (await StageDriver.terminals(log, parameters)).drain([0], records);
}

const REFUSED =
  /^fraudstream-\S+ has lost its position in \S+ partition 0, and it cannot be recovered: .+\. Start a new stream \(another --data folder, on Kafka another --topic-prefix\)$/;

/** A stream whose topics and commits are those of another, the records of some left out or replaced. */
async function copyOf(
  { log: from, context }: OpenFolder,
  change: (topic: string, batches: RecordBatch[]) => RecordBatch[],
): Promise<OpenFolder> {
  const to = await openMemory(context.parameters);
  hideDeleted(to.log);
  const producer = await to.log.producer("tests");
  for (const topic of [TRANSACTION_TOPIC, REPARTITION_TOPIC, SINK_TOPIC]) {
    const batches: RecordBatch[] = [];
    const [end] = await from.endOffsets(topic) ?? [];
    for (let offset = 0; offset < end;) {
      const batch = await from.read(topic, 0, offset, { records: 1, bytes: 1 });
      batches.push(batch);
      offset = batch.next;
    }
    for (const batch of change(topic, batches)) {
      const records = new RecordBatchBuilder();
      for (let i = 0; i < batch.count; i++) {
        const [key, value] = [recordKey(batch, i), recordValue(batch, i)];
        records.add(key, value, batch.timestamps[i]);
      }
      await producer.append([{ topic, partition: 0, records }]);
    }
  }
  for (const stage of STAGES.slice(0, 2)) {
    const [commit] = await from.committed(stage.group, stage.topic);
    await setCommit(to.log, stage, 0, commit);
  }
  return to;
}

const LOSSES: [
  what: string,
  topic: string,
  stage: 0 | 1,
  which: "first" | "last",
][] = [
  ["whose first payments are deleted", TRANSACTION_TOPIC, 0, "first"],
  ["whose first packs are deleted", REPARTITION_TOPIC, 0, "first"],
  ["whose last payments are deleted", TRANSACTION_TOPIC, 0, "last"],
  ["whose first packs are deleted", REPARTITION_TOPIC, 1, "first"],
  ["whose first rows are deleted", SINK_TOPIC, 1, "first"],
  ["whose last packs are deleted", REPARTITION_TOPIC, 1, "last"],
];

for (const [what, topic, stage, which] of LOSSES) {
  const { group } = STAGES[stage];
  Deno.test(`${group} without a commit, ${what}, is refused`, async () => {
    await using before = await openMemory(parametersOf(1));
    await taken(before, 12, 2);
    await using folder = await copyOf(
      before,
      (copied, batches) =>
        copied === topic && which === "last" ? batches.slice(0, -1) : batches,
    );
    const { log, context: { parameters } } = folder;
    if (which === "first") await log.trim(topic, 0, 4);
    await setCommit(log, STAGES[stage], 0, undefined);
    const open = stage === 0
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
  Deno.test(`a source that was made anew with ${how} is refused`, async () => {
    await using before = await openMemory(parametersOf(1));
    await taken(before);
    await using other = await openMemory(parametersOf(1));
    await taken(other, how === "another payment" ? 30 : 3, 7);
    await using folder = await copyOf(other, (_, batches) => batches);
    const { log, context: { parameters } } = folder;
    for (const stage of STAGES.slice(0, 2)) {
      const [commit] = await before.log.committed(stage.group, stage.topic);
      await setCommit(log, stage, 0, commit);
    }
    await assert.rejects(
      StageDriver.customers(log, parameters),
      /^LogError: transaction_topic partition 0 is not the one that fraudstream-customer-windows has read: (another record is at offset 11|it ends at offset 3, and 12 were read)\. /,
    );
    await assert.rejects(
      StageDriver.terminals(log, parameters),
      /^LogError: transaction_by_terminal_topic partition 0 is not the one/,
    );
  });
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
        "were deleted before the processor read them: set the topic's " +
        "retention.ms to -1, and start with the rest by " +
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
      /are needed to restore the windows and were deleted/,
    );
    await stage.damage(0, 0, "");
    await assert.rejects(open(), { message: REFUSED });
  });
}

Deno.test("a start is accepted only where something is missing", async () => {
  await using folder = await openMemory(parametersOf(1));
  const { log } = folder;
  await acceptMissingStart(log, new Control(log));
  const ends = await log.endOffsets(CONTROL_TOPIC);
  await appendPayments(log, 0, [paymentAt(1, {})]);
  await acceptMissingStart(log, new Control(log));
  assert.deepEqual(await log.endOffsets(CONTROL_TOPIC), ends);
});

Deno.test("a record that has a dead letter stays refused when the position is lost, though this version would take it", async () => {
  const parameters = parametersOf(1);
  await using folder = await openMemory(parameters);
  const { log } = folder;
  const rows = [1, 2, 3].map((n) => paymentAt(1000 * n, { transactionId: n }));
  await appendPayments(log, 0, rows);
  const batch = await log.read(TRANSACTION_TOPIC, 0, 0, {
    records: 10,
    bytes: 1 << 20,
  });
  const source = { topic: TRANSACTION_TOPIC, partition: 0 };
  const box = new DeadLetterBox();
  box.add(source, batch, 0, "implausible", "as an older version found");
  await (await log.producer("an older version")).append(box.appends());
  const stage = await StageDriver.customers(log, parameters);
  await stage.drain([0]);
  const { read, emitted, deadLettered } = await stage.counters();
  assert.deepEqual([read, emitted, deadLettered], [3, 2, 1]);
  assert.equal((await Array.fromAsync(readDeadLetters(log))).length, 1);
});

/** Lets a log show packs as versions wrote them that did not name the partition of their payments. */
function showOldPacks(log: EmbeddedLog): void {
  const read = log.read.bind(log);
  log.read = async (topic, partition, offset, limit) => {
    const batch = await read(topic, partition, offset, limit);
    if (topic !== REPARTITION_TOPIC) return batch;
    const bytes = batch.bytes.slice();
    for (let i = 0; i < batch.count; i++) {
      const start = valueStart(batch, i);
      bytes.fill(0, start + 12, start + 16);
    }
    return { ...batch, bytes };
  };
}

Deno.test("a position is recovered from packs of the version before, by the place of their cards", async () => {
  await using folder = await openMemory(PARAMETERS);
  const { log } = folder;
  hideDeleted(log);
  showOldPacks(log);
  await produce(folder, SET_A);
  await runBehind(folder);
  const before = await processedBy(folder);
  await loseCommits(log);
  await runBehind(folder);
  assert.deepEqual(await processedBy(folder), before);
});

Deno.test("packs of the version before do not say where payments lay that are in another partition than their card's: refused", async () => {
  const parameters = parametersOf(2);
  await using folder = await openMemory(parameters);
  const { log } = folder;
  showOldPacks(log);
  const cards = [1, 2, 3, 4, 5, 6, 7, 8];
  for (const partition of partitionsOf(parameters)) {
    const rows = cards.map((customerId) =>
      paymentAt(1000 * customerId, {
        transactionId: 10 * customerId + partition,
        customerId,
      })
    );
    await appendPayments(log, partition, rows);
  }
  const customers = await StageDriver.customers(log, parameters);
  await customers.drain([0, 1]);
  for (const partition of partitionsOf(parameters)) {
    await customers.damage(partition, 0, "");
    await assert.rejects(customers.reopen(partition), {
      message: /^fraudstream-customer-windows has lost its position/,
    });
  }
});

Deno.test("a position that nobody knows is shown as such", async () => {
  const parameters = parametersOf(1);
  await using folder = await openMemory(parameters);
  const { log, context } = folder;
  await taken(folder);
  const customers = await StageDriver.customers(log, parameters);
  await customers.damage(0, 3, "");
  const table = stageTable(await readStatus(log, context.control));
  assert.match(
    table,
    /^customer windows +0 +0 +0 +0 +9 \(position unknown\)$/m,
  );
  await customers.reopen(0);
  const known = stageTable(await readStatus(log, context.control));
  assert.match(known, /^customer windows +12 +12 +0 +0 +0$/m);
});
