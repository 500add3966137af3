import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import {
  differencesOf,
  endCheck,
  type EndCheckResult,
  type StageCounts,
  type StreamCounts,
} from "../../src/stream/end_check.ts";
import { controlRecords } from "../../src/stream/control.ts";
import { readDeadLetters } from "../../src/stream/dead_letters.ts";
import {
  SINK_TOPIC,
  TRANSACTION_TOPIC,
  WRITER_GROUP,
} from "../../src/stream/topics.ts";
import { runPredictionWriter } from "../../src/roles/prediction_writer.ts";
import { runScorer } from "../../src/roles/scorer.ts";
import { linearModel, writeModel } from "../roles/models.ts";
import { testWriting } from "../permission.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import {
  type OpenFolder,
  openFolder,
  openMemory,
  parametersOf,
  produce,
  runAll,
  runBehind,
  SET_A,
} from "../roles/pipeline.ts";
import { appendPayments, paymentAt } from "../roles/stages.ts";

function check({ log, store }: OpenFolder): Promise<EndCheckResult> {
  return endCheck({
    log,
    offsetsCountRecords: true,
    store: async () => ({ payments: await store.status() }),
  });
}

function stage(rows: number, change: Partial<StageCounts> = {}): StageCounts {
  return {
    read: rows,
    emitted: rows,
    rejected: 0,
    frauds: 3,
    labels: 0,
    beyond: [],
    ...change,
  };
}

const AGREEING: StreamCounts = {
  published: 100,
  ended: 100,
  customer: stage(100),
  terminal: stage(100),
  writer: stage(100),
  labelWriter: stage(0),
  scoring: { scorer: stage(100), writer: stage(100, { frauds: 0 }) },
  records: new Map([
    ["transaction_topic", 100],
    ["transaction_by_terminal_topic", 7],
    ["transaction_sink_topic", 100],
    ["prediction_topic", 100],
    ["transaction_dead_letter_topic", 0],
  ]),
  stored: {
    payments: { rows: 100, frauds: 3 },
    predictions: { rows: 100, alerts: 1 },
  },
  isWhole: true,
};

Deno.test("differencesOf() finds nothing where all counts agree", () => {
  assert.deepEqual(differencesOf(AGREEING), []);
});

Deno.test("differencesOf() finds nothing where other programs' records were rejected", () => {
  const counts: StreamCounts = {
    ...AGREEING,
    published: undefined,
    ended: undefined,
    customer: stage(110, { emitted: 100, rejected: 10 }),
    writer: stage(101, { emitted: 100, rejected: 1 }),
    scoring: { scorer: stage(101, { emitted: 100 }), writer: stage(100) },
    records: new Map([
      ["transaction_topic", 110],
      ["transaction_sink_topic", 101],
      ["prediction_topic", 100],
      ["transaction_dead_letter_topic", 11],
    ]),
  };
  assert.deepEqual(differencesOf(counts), []);
});

Deno.test("differencesOf() compares labels that arrive later, and takes their frauds for the payments'", () => {
  const counts: StreamCounts = {
    ...AGREEING,
    customer: stage(140, { emitted: 100, labels: 40 }),
    labelWriter: stage(40, { emitted: 39, rejected: 1 }),
    records: new Map(AGREEING.records).set("transaction_topic", 140)
      .set("transaction_label_topic", 40)
      .set("transaction_dead_letter_topic", 1),
    stored: {
      payments: { rows: 100, frauds: 17 },
      predictions: { rows: 100, alerts: 1 },
      labels: { rows: 39 },
    },
  };
  assert.deepEqual(differencesOf(counts), []);
  const stored = {
    payments: { rows: 100, frauds: 17 },
    labels: { rows: 38 },
  };
  const records = new Map(counts.records).set("transaction_label_topic", 41);
  const labelWriter = stage(39);
  assert.deepEqual(
    differencesOf({ ...counts, stored, records, labelWriter }),
    [
      "the customer windows passed 40 labels on, their writer read 39",
      "the writer stored 39 labels, the store holds 38: rows were deleted; " +
      "'./fraudstream status --verify' says which",
      "transaction_label_topic was given 41 records, the writer of labels read 39",
    ],
  );
});

Deno.test("differencesOf() finds nothing where a scorer came to a log that was trimmed", () => {
  const late = { scorer: stage(40), writer: stage(40) };
  const counts: StreamCounts = {
    ...AGREEING,
    scoring: late,
    records: new Map(AGREEING.records).set("prediction_topic", 40),
    stored: {
      payments: { rows: 100, frauds: 3 },
      predictions: { rows: 40, alerts: 1 },
    },
    isWhole: false,
  };
  assert.deepEqual(differencesOf(counts), []);
});

/** Each count in its turn is off; the sentence must name both sides. */
const OFF: Record<string, { change: Partial<StreamCounts>; says: RegExp }> = {
  "payments that nobody read": {
    change: { published: 101, ended: 101 },
    says: /published 101 payments, the customer windows read 100/,
  },
  "an end mark of other rows": {
    change: { ended: 90 },
    says: /end mark of transaction_topic names 90 payments/,
  },
  "rows lost between the stages": {
    change: { terminal: stage(97) },
    says: /customer windows emitted 100 payments, the terminal windows 97/,
  },
  "rows doubled between the stages": {
    change: { terminal: stage(103), writer: stage(103) },
    says: /customer windows emitted 100 payments, the terminal windows 103/,
  },
  "rows lost before the writer": {
    change: { writer: stage(99) },
    says: /terminal windows emitted 100 payments, the writer read 99/,
  },
  "rows missing in the store": {
    change: { stored: { payments: { rows: 98, frauds: 3 } } },
    says: /stored 100 payments, the store holds 98.*status --verify/,
  },
  "ids that several payments have": {
    change: {
      stored: {
        payments: { rows: 98, frauds: 3 },
        predictions: { rows: 98, alerts: 1 },
      },
      repeated: { ids: 1, surplus: 2, examples: [7] },
    },
    says:
      /^1 TRANSACTION_ID is used by more than one payment \(7\): the store holds the last of each and lacks 2 payments$/,
  },
  "rows missing beside ids that several payments have": {
    change: {
      scoring: undefined,
      stored: { payments: { rows: 90, frauds: 3 } },
      repeated: { ids: 6, surplus: 6, examples: [1, 2, 3, 4, 5] },
    },
    says:
      /^6 TRANSACTION_IDs are .* \(1, 2, 3, 4, 5, …\): .*; the writer stored 100 payments, the store holds 90/,
  },
  "rows of another stream in the store": {
    change: { stored: { payments: { rows: 200, frauds: 3 } } },
    says: /stored 100 payments, the store holds 200.*rebuild/,
  },
  "frauds changed in the store": {
    change: { stored: { payments: { rows: 100, frauds: 2 } } },
    says: /stored 3 frauds, the store holds 2/,
  },
  "payments that were not scored": {
    change: { scoring: { scorer: stage(95), writer: stage(95) } },
    says: /writer read 100 payments, the scorer 95/,
  },
  "predictions lost before their writer": {
    change: { scoring: { scorer: stage(100), writer: stage(99) } },
    says: /scorer emitted 100 predictions, their writer read 99/,
  },
  "predictions missing in the store": {
    change: {
      stored: {
        payments: { rows: 100, frauds: 3 },
        predictions: { rows: 1, alerts: 0 },
      },
    },
    says: /stored 100 predictions, the store holds 1/,
  },
  "records lost in transaction_topic": {
    change: { records: new Map(AGREEING.records).set("transaction_topic", 99) },
    says: /transaction_topic was given 99 records, .* read 100/,
  },
  "records lost in the sink topic": {
    change: {
      records: new Map(AGREEING.records).set("transaction_sink_topic", 99),
    },
    says: /transaction_sink_topic was given 99 records/,
  },
  "a letter that is not there": {
    change: {
      published: 99,
      ended: 99,
      customer: stage(100, { emitted: 100, rejected: 1 }),
    },
    says: /dead_letter_topic was given 0 records, the stages rejected 1/,
  },
  "a topic that was cut": {
    change: { writer: stage(100, { beyond: [2] }) },
    says: /writer stood behind the end of transaction_sink_topic partition 2/,
  },
};

for (const [what, { change, says }] of Object.entries(OFF)) {
  Deno.test(`differencesOf() names ${what}`, () => {
    assert.match(differencesOf({ ...AGREEING, ...change }).join("; "), says);
  });
}

Deno.test("endCheck() compares only what has come to rest, and then finds a whole stream right", async () => {
  await using folder = await openMemory(parametersOf(3));
  await produce(folder, SET_A);
  assert.deepEqual(await check(folder), { kind: "in flight" });
  await runBehind(folder);
  assert.deepEqual(await check(folder), { kind: "compared", differences: [] });
});

Deno.test("endCheck() of a stream without a payment finds nothing to compare", async () => {
  await using folder = await openMemory(parametersOf(3));
  assert.deepEqual(await check(folder), { kind: "compared", differences: [] });
});

testWriting(
  "endCheck() finds a row that was deleted from the store, or changed",
  async () => {
    await using temporary = temporaryFolder();
    const { path } = temporary;
    await using folder = await openFolder(path, parametersOf(2));
    await runAll(folder, SET_A);
    const damage = async (sql: string): Promise<string> => {
      const db = new DatabaseSync(join(path, "store.db"));
      db.exec(sql);
      db.close();
      const result = await check(folder);
      assert.equal(result.kind, "compared");
      return result.kind === "compared" ? result.differences.join() : "";
    };
    assert.match(
      await damage(
        "UPDATE transactions SET tx_fraud = 1 - tx_fraud " +
          "WHERE transaction_id = 8",
      ),
      /frauds, the store holds/,
    );
    assert.match(
      await damage("DELETE FROM transactions WHERE transaction_id = 7"),
      /stored 2,555 payments, the store holds 2,554/,
    );
  },
);

testWriting(
  "endCheck() of a scored stream compares predictions, once they are stored",
  async () => {
    await using models = temporaryFolder();
    const path = join(models.path, "model.json");
    writeModel(path, linearModel());
    await using folder = await openMemory(parametersOf(2));
    const { context, log, store } = folder;
    await produce(folder, SET_A);
    await runBehind(folder);
    const scored = () =>
      endCheck({
        log,
        offsetsCountRecords: true,
        store: async () => ({
          payments: await store.status(),
          predictions: await store.predictions().status(),
        }),
      });
    await runScorer(context, {
      scoring: {
        model: { kind: "file", path },
        policy: { kind: "cards", perDay: 6 },
        explain: "alerts",
      },
      startSeconds: undefined,
    });
    assert.deepEqual(await scored(), { kind: "in flight" });
    await runPredictionWriter(context, {
      store: store.predictions(),
      startSeconds: undefined,
      stored: new AbortController().signal,
    });
    assert.deepEqual(await scored(), { kind: "compared", differences: [] });
  },
);

Deno.test("endCheck() waits where a topic still moves or a commit is another program's, and names a commit beyond the end", async () => {
  await using folder = await openMemory(parametersOf(1));
  const { log, store } = folder;
  await produce(folder, SET_A);
  await runBehind(folder);
  const moving = await endCheck({
    log,
    offsetsCountRecords: true,
    store: async () => {
      await appendPayments(log, 0, [paymentAt(1, {})]);
      return { payments: await store.status() };
    },
  });
  assert.deepEqual(moving, { kind: "in flight" });
  await runBehind(folder);

  const [commit] = await log.committed(WRITER_GROUP, SINK_TOPIC);
  assert.ok(commit);
  const set = (next: number, metadata: string, from: number) =>
    log.commit(WRITER_GROUP, SINK_TOPIC, [
      { partition: 0, from, step: { next, metadata, appends: [] } },
    ]);
  await set(commit.offset, "another program's", commit.offset);
  assert.deepEqual(await check(folder), { kind: "in flight" });
  await set(commit.offset + 5, commit.metadata, commit.offset);
  const beyond = await check(folder);
  assert.ok(beyond.kind === "compared");
  assert.match(beyond.differences.join(), /partition 0/);
});

Deno.test("endCheck() names ids that are used again later than --dedupe, and no payment that came again", async () => {
  const parameters = { ...parametersOf(2), dedupeSeconds: 7200 };
  await using folder = await openMemory(parameters);
  const { log, store } = folder;
  const first = [1, 2, 3, 4].map((transactionId) =>
    paymentAt(transactionId, { transactionId, customerId: 3, amount: 1 })
  );
  const later = [2, 4].map((transactionId) =>
    paymentAt(9000 + transactionId, { transactionId, customerId: 3 })
  );
  // The last two come again: one is a duplicate, the other too old for one.
  await appendPayments(log, 0, [...first, ...later, later[0], first[0]]);
  const records = controlRecords();
  records.putEnd(TRANSACTION_TOPIC, { rows: 8 });
  await (await log.producer("end")).append(records.appends());
  await runBehind(folder);
  assert.equal((await store.status()).rows, 4);
  assert.deepEqual(await check(folder), {
    kind: "compared",
    differences: [
      "2 TRANSACTION_IDs are used by more than one payment (2, 4): the store " +
      "holds the last of each and lacks 2 payments",
    ],
  });
  const letters = await Array.fromAsync(readDeadLetters(log));
  assert.deepEqual(letters.map(({ reason }) => reason), ["late"]);
});
