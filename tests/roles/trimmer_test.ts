import assert from "node:assert/strict";
import fc from "fast-check";
import type { EmbeddedLog } from "../../src/log/embedded/embedded_log.ts";
import { Control, type StreamParameters } from "../../src/stream/control.ts";
import { runFiles } from "../../src/roles/files.ts";
import { runProcessor } from "../../src/roles/processor.ts";
import { runProducer } from "../../src/roles/producer.ts";
import { recordValue } from "../../src/log/record_batch.ts";
import { parseCommit } from "../../src/stream/commit.ts";
import {
  CONTROL_TOPIC,
  CUSTOMER_GROUP,
  DEAD_LETTER_TOPIC,
  LABEL_TOPIC,
  PIPELINE,
  REPARTITION_TOPIC,
  SINK_TOPIC,
  TERMINAL_GROUP,
  TOPICS,
  TRANSACTION_LABEL_TOPIC,
  TRANSACTION_TOPIC,
} from "../../src/stream/topics.ts";
import { labelStage, runLabelWriter } from "../../src/roles/label_writer.ts";
import { runTrimmer, trimStream } from "../../src/roles/trimmer.ts";
import { verifyStore } from "../../src/stream/verify_store.ts";
import { formatDatetime } from "../../src/payment/calendar.ts";
import { DAY_SECONDS } from "../../src/payment/payment.ts";
import { labelParameters } from "../faults/label_stream.ts";
import { testWriting } from "../permission.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import {
  featuresSum,
  type OpenFolder,
  openFolder,
  openMemory,
  parametersOf,
  produce,
  referenceSum,
  runAll,
  runBehind,
  SET_A,
  SET_B,
} from "./pipeline.ts";
import {
  appendPayments,
  type Entry,
  handbookRecord,
  paymentAt,
  sinkRows,
  StageDriver,
  START_SECONDS,
} from "./stages.ts";

const OPTIONS = {
  keepDays: 0,
  filesFolder: undefined,
  startSeconds: START_SECONDS,
};

/** Offset of the first record that is left in each partition, by topic. */
async function firstOffsets(
  log: EmbeddedLog,
): Promise<Record<string, readonly number[]>> {
  const states = await log.topics(TOPICS);
  return Object.fromEntries(
    states.map(({ name, startOffsets }) => [name, startOffsets]),
  );
}

/** Asserts that both stages could be restored and the writer go on. */
async function assertNeededIsThere(log: EmbeddedLog): Promise<void> {
  const first = await firstOffsets(log);
  for (const { group, topic } of PIPELINE) {
    const commits = await log.committed(group, topic);
    for (const [partition, commit] of commits.entries()) {
      const { replay } = parseCommit(commit);
      const found = first[topic][partition];
      assert.ok(
        found <= replay.offset,
        `${topic} ${partition} begins at ${found}, needed from ${replay.offset}`,
      );
    }
  }
}

/** Record times of a partition, from the first that is left on, in days of event time. */
async function daysLeft(log: EmbeddedLog, topic: string): Promise<number[]> {
  const [first] = (await firstOffsets(log))[topic];
  const limit = { records: 1_000_000, bytes: 1 << 30 };
  const { timestamps } = await log.read(topic, 0, first, limit);
  return [...timestamps].map((ms) => (ms / 1000 - START_SECONDS) / DAY_SECONDS);
}

Deno.test("what is older than --keep goes, what is younger stays", async () => {
  await using folder = await openMemory(parametersOf(1));
  await runAll(folder, SET_B);
  const topics = [TRANSACTION_TOPIC, REPARTITION_TOPIC, SINK_TOPIC];
  const daysOf = () =>
    Promise.all(topics.map((topic) => daysLeft(folder.log, topic)));
  const before = await daysOf();
  await trimStream(folder.context, { ...OPTIONS, keepDays: 100 });
  const after = await daysOf();
  for (const [i, topic] of topics.entries()) {
    const gone = before[i].slice(0, before[i].length - after[i].length);
    const youngest = Math.max(...gone);
    assert.ok(youngest < 83, `${topic} has lost day ${youngest}`);
    // Whole stored batches go, so a part of one more may be left.
    const oldest = Math.min(...after[i]);
    assert.ok(oldest > 70, `${topic} begins at day ${oldest}`);
  }
});

Deno.test("the store is synced before anything goes, and nothing goes unless it was", async () => {
  await using folder = await openMemory(parametersOf(1));
  await runAll(folder, SET_B);
  const left = async () => JSON.stringify(await firstOffsets(folder.log));
  const before = await left();
  let synced = 0;
  const options = { ...OPTIONS, syncStore: () => void synced++ };
  await trimStream(folder.context, {
    ...options,
    keepDays: 100,
    syncStore: () => {
      throw new Error("the disk is gone");
    },
  }).catch(() => {});
  assert.equal(await left(), before);
  await trimStream(folder.context, options);
  assert.equal(synced, 1);
  assert.notEqual(await left(), before);
});

Deno.test("what a stage restores itself from stays, however short --keep is", async () => {
  await using folder = await openMemory(parametersOf(2));
  await runAll(folder, SET_B);
  await trimStream(folder.context, OPTIONS);
  await assertNeededIsThere(folder.log);
  const first = await firstOffsets(folder.log);
  for (const topic of [TRANSACTION_TOPIC, REPARTITION_TOPIC, SINK_TOPIC]) {
    assert.ok(first[topic].every((offset) => offset > 0), topic);
  }
  const [oldest] = await daysLeft(folder.log, REPARTITION_TOPIC);
  assert.ok(oldest < 183 - 37, "44 days of terminal windows are needed");
});

Deno.test("what the writer has not taken stays", async () => {
  await using folder = await openMemory(parametersOf(2));
  await produce(folder, SET_A);
  await trimStream(folder.context, OPTIONS);
  const untouched = await firstOffsets(folder.log);
  assert.deepEqual(untouched[TRANSACTION_TOPIC], [0, 0]);
  await runProcessor(folder.context, undefined);
  await trimStream(folder.context, OPTIONS);
  assert.deepEqual((await firstOffsets(folder.log))[SINK_TOPIC], [0, 0]);
});

testWriting("what the files have not taken stays", async () => {
  await using folder = await openMemory(parametersOf(2));
  await using files = await temporaryFolder();
  await runAll(folder, SET_B);
  const options = { ...OPTIONS, filesFolder: files.path };
  await trimStream(folder.context, options);
  assert.deepEqual((await firstOffsets(folder.log))[SINK_TOPIC], [0, 0]);
  await runFiles(folder.context, { folder: files.path, format: "jsonl" });
  await trimStream(folder.context, options);
  const first = await firstOffsets(folder.log);
  assert.ok(first[SINK_TOPIC].every((offset) => offset > 0));
});

Deno.test("dead letters, profiles and the control topic stay whole", async () => {
  await using folder = await openMemory(parametersOf(1));
  await appendPayments(folder.log, 0, ["garbage"]);
  await runAll(folder, SET_B);
  const before = await firstOffsets(folder.log);
  await trimStream(folder.context, OPTIONS);
  const after = await firstOffsets(folder.log);
  const trimmed = Object.keys(after).filter((topic) =>
    after[topic][0] > before[topic][0]
  );
  assert.deepEqual(trimmed, [
    TRANSACTION_TOPIC,
    REPARTITION_TOPIC,
    SINK_TOPIC,
  ]);
  assert.equal((await folder.log.endOffsets(DEAD_LETTER_TOPIC))?.[0], 1);
  assert.ok((await folder.log.endOffsets(CONTROL_TOPIC))?.[0]);
});

/** A stream whose labels arrive later, all of it stored. */
async function runLabelled(folder: OpenFolder): Promise<void> {
  const small = { ...SET_B.parameters, customers: 40, days: 120 };
  await runAll(folder, { ...SET_B, parameters: small });
  await runLabelWriter(folder.context, {
    store: folder.store.labels(),
    startSeconds: undefined,
  });
}

/** The records of a topic that are left, by partition. */
async function recordsLeft(log: EmbeddedLog, topic: string) {
  const [state] = await log.topics([topic]);
  const limit = { records: 1_000_000, bytes: 1 << 30 };
  return await Promise.all(state.startOffsets.map(async (start, partition) => {
    const batch = await log.read(topic, partition, start, limit);
    return Array.from(
      { length: batch.count },
      (_, i) => JSON.parse(new TextDecoder().decode(recordValue(batch, i))),
    );
  }));
}

Deno.test("accepted labels go with their payments: of those that stay all do", async () => {
  await using folder = await openMemory(labelParameters(2));
  const { log, store, context } = folder;
  await runLabelled(folder);
  const before = await recordsLeft(log, TRANSACTION_LABEL_TOPIC);
  await trimStream(context, { ...OPTIONS, keepDays: 40 });
  await assertNeededIsThere(log);
  const first = await firstOffsets(log);
  for (const topic of [SINK_TOPIC, TRANSACTION_LABEL_TOPIC]) {
    assert.ok(first[topic].every((offset) => offset > 0), topic);
  }
  assert.deepEqual(first[LABEL_TOPIC], [0, 0]);
  const after = await recordsLeft(log, TRANSACTION_LABEL_TOPIC);
  const idOf = ({ TRANSACTION_ID }: { TRANSACTION_ID: number }) =>
    TRANSACTION_ID;
  const gone = new Set(before.flat().map(idOf))
    .difference(new Set(after.flat().map(idOf)));
  const newest = Math.max(
    ...before.flat().map(({ TX_TIME_DAYS }) => TX_TIME_DAYS),
  );
  for (const label of before.flat()) {
    if (label.TX_TIME_DAYS < newest - 40) continue;
    assert.ok(!gone.has(idOf(label)), `the label of ${idOf(label)} is gone`);
  }
  assert.ok(gone.size > 1000, `${gone.size} labels are gone`);
  await context.control.refresh();
  const { parameters } = context;
  const options = { ...context, parameters, store, compared() {} };
  const { labels } = await verifyStore(options);
  assert.deepEqual(labels, {
    ...{ missing: 0, different: 0, unknown: 0, pending: 0, first: [] },
    equal: after.flat().length,
    notVerifiable: gone.size,
  });
});

Deno.test("a trimmed label is not verifiable, though it is known long after what the log still holds", async () => {
  const parameters = labelParameters(1);
  await using folder = await openMemory(parameters);
  const { log, store, context } = folder;
  const payment = paymentAt(DAY_SECONDS);
  const knownAt = (day: number) =>
    JSON.stringify({
      ...JSON.parse(handbookRecord(payment)[1]),
      KNOWN_AT: formatDatetime(START_SECONDS + day * DAY_SECONDS),
    });
  await appendPayments(log, 0, [payment]);
  await appendPayments(log, 0, [knownAt(60)]);
  await appendPayments(log, 0, [knownAt(2)]);
  const customers = await StageDriver.customers(log, parameters);
  for (let record = 0; record < 3; record++) await customers.step(0, 1);
  const options = { startSeconds: START_SECONDS, store: store.labels() };
  const labels = await StageDriver.open(
    log,
    parameters,
    (context) => labelStage(context, options),
  );
  await labels.drain([0]);
  await log.trim(TRANSACTION_LABEL_TOPIC, 0, 1);
  await context.control.refresh();
  const verified = await verifyStore({
    ...context,
    parameters: { ...parameters, startSeconds: START_SECONDS },
    store,
    compared() {},
  });
  assert.deepEqual(verified.labels, {
    ...{ missing: 0, different: 0, unknown: 0, pending: 0, first: [] },
    ...{ equal: 1, notVerifiable: 1 },
  });
});

Deno.test("accepted labels that are not stored yet stay", async () => {
  await using folder = await openMemory(labelParameters(2));
  const small = { ...SET_B.parameters, customers: 40, days: 60 };
  await runAll(folder, { ...SET_B, parameters: small });
  await trimStream(folder.context, OPTIONS);
  const first = await firstOffsets(folder.log);
  assert.ok(first[SINK_TOPIC].every((offset) => offset > 0));
  assert.deepEqual(first[TRANSACTION_LABEL_TOPIC], [0, 0]);
});

Deno.test("nothing goes as long as no event time can be told", async () => {
  await using folder = await openMemory(parametersOf(1));
  await appendPayments(folder.log, 0, [paymentAt(0), paymentAt(9)]);
  const { log, context } = folder;
  const customers = await StageDriver.customers(log, context.parameters);
  await customers.drain([0]);
  await trimStream(context, { ...OPTIONS, startSeconds: undefined });
  assert.deepEqual((await firstOffsets(log))[TRANSACTION_TOPIC], [0]);
});

testWriting(
  "a stream that is trimmed while it runs comes out the same",
  async () => {
    await using temporary = await temporaryFolder();
    const parameters = parametersOf(3);
    await using folder = await openFolder(temporary.path, parameters);
    const stop = new AbortController();
    const half = {
      ...folder,
      context: {
        ...folder.context,
        control: new Control(folder.log),
        signal: stop.signal,
      },
    };
    // The first half, stopped somewhere, then trimmed as far as may be.
    await runProducer(half.context, {
      data: SET_B,
      pace: { kind: "max" },
      published: (nextId) => nextId > 50_000 && stop.abort(),
    });
    const taken = new AbortController();
    const first = { ...half.context, signal: taken.signal };
    const watching = (async () => {
      for (;;) {
        const [commit] = await folder.log.committed(
          TERMINAL_GROUP,
          REPARTITION_TOPIC,
        );
        if (parseCommit(commit).counters.emitted > 8000) break;
        await folder.log.changed(20, taken.signal);
      }
      taken.abort();
    })();
    await runBehind({ ...half, context: first });
    await watching;
    await trimStream(folder.context, OPTIONS);
    await assertNeededIsThere(folder.log);
    const trimmer = runTrimmer(
      { ...folder.context, control: new Control(folder.log) },
      OPTIONS,
    );
    await Promise.all([runAll(folder, SET_B), trimmer]);
    assert.equal(await featuresSum(folder.store), referenceSum("B"));
    const left = await firstOffsets(folder.log);
    assert.ok(left[TRANSACTION_TOPIC].every((offset) => offset > 0));
  },
);

const SMALL: StreamParameters = {
  partitions: 1,
  features: { set: "handbook", windowDays: [1], delayDays: 2, useLabels: true },
  latenessSeconds: 3600,
  maxGapSeconds: 400 * DAY_SECONDS,
};

/** Payments over 40 days, one every two hours, with some that come again. */
const PAYMENTS: readonly Entry[] = Array.from(
  { length: 480 },
  (_, i) =>
    paymentAt(7200 * i, {
      transactionId: i % 7 === 6 ? i - 1 : i,
      customerId: i % 3,
      terminalId: i % 2,
      amount: i,
      fraud: i % 2,
    }),
);

/** Appends them in many stored batches, for whole ones are trimmed. */
async function appendSmall(log: EmbeddedLog): Promise<void> {
  for (let i = 0; i < PAYMENTS.length; i += 6) {
    await appendPayments(log, 0, PAYMENTS.slice(i, i + 6));
  }
}

Deno.test("trimming between any steps never takes what a replay needs", async () => {
  const drained = async (
    actions: readonly { kind: string; records: number; keepDays: number }[],
  ) => {
    await using folder = await openMemory(SMALL);
    const { log, context } = folder;
    await appendSmall(log);
    const customers = await StageDriver.customers(log, SMALL);
    const terminals = await StageDriver.terminals(log, SMALL);
    for (const { kind, records, keepDays } of actions) {
      if (kind === "customers") await customers.step(0, records);
      else if (kind === "terminals") await terminals.step(0, records);
      else if (kind === "restart") {
        await customers.reopen(0);
        await terminals.reopen(0);
      } else {
        await trimStream(context, { ...OPTIONS, keepDays });
        await assertNeededIsThere(log);
      }
    }
    await customers.drain([0]);
    await terminals.drain([0]);
    const commits = await log.committed(CUSTOMER_GROUP, TRANSACTION_TOPIC);
    const trimmed = (await firstOffsets(log))[TRANSACTION_TOPIC][0] > 0;
    return {
      trimmed,
      rows: await sinkRows(log),
      counters: commits.map((commit) => parseCommit(commit).counters),
    };
  };
  const { rows, counters } = await drained([]);
  let trimmed = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({
          kind: fc.constantFrom("customers", "terminals", "restart", "trim"),
          records: fc.integer({ min: 1, max: 100 }),
          keepDays: fc.nat(5),
        }),
        { minLength: 10, maxLength: 40, size: "max" },
      ),
      async (actions) => {
        const made = await drained(actions);
        assert.deepEqual(made.rows, rows);
        assert.deepEqual(made.counters, counters);
        if (made.trimmed) trimmed++;
      },
    ),
    { numRuns: 30 },
  );
  assert.ok(trimmed > 10, `only ${trimmed} of the runs were trimmed`);
});
