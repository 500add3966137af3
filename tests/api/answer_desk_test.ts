/** The desk with the stages behind it, on a log in a folder: what the API promises. */
import assert from "node:assert/strict";
import { DAY_SECONDS } from "../../src/payment/payment.ts";
import { testWriting } from "../permission.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import {
  DeskStream,
  type DeskStreamOptions,
  payment,
  problemOf,
  until,
} from "./desk_stream.ts";

/** Defines a test on a stream whose desk runs, and no stage. */
function test(
  name: string,
  options: DeskStreamOptions,
  body: (stream: DeskStream) => Promise<void>,
): void {
  testWriting(name, async () => {
    await using folder = temporaryFolder();
    await using stream = await DeskStream.open(folder.path, options);
    await stream.startDesk();
    await body(stream);
  });
}

/** Asserts that a payment gets an answer again, other payments with its id do not, and nothing is appended. */
async function assertKnown(stream: DeskStream, json: string): Promise<void> {
  const before = (await stream.payments()).length;
  assert.equal(await stream.score(payment(1)), json);
  const others = [
    { TX_AMOUNT: 42.51 },
    { CUSTOMER_ID: 3 },
    { TERMINAL_ID: 3 },
    { at: 1 },
  ];
  for (const other of others) {
    await problemOf(stream.score(payment(1, other)), "conflicting-id");
  }
  assert.equal((await stream.payments()).length, before);
}

test(
  "a payment is answered by its record, and the same again from memory, the store and after a restart",
  {
    limits: { kept: 0, unstored: 100 },
  },
  async (stream) => {
    await stream.start();
    const json = await stream.score(payment(1));
    await stream.assertRecorded(json);
    const { DECISION, ALERT } = JSON.parse(json);
    assert.equal(DECISION, ALERT === 1 ? "review" : "approve");
    await assertKnown(stream, json);
    await stream.forget();
    assert.equal(stream.kept, 0);
    await assertKnown(stream, json);
    await stream.stopDesk();
    await stream.startDesk();
    await assertKnown(stream, json);
    assert.equal((await stream.predictions()).length, 1);
  },
);

test(
  "an answer that is not stored is kept in memory, and known again after a restart",
  { limits: { kept: 0, unstored: 100 } },
  async (stream) => {
    await stream.start(["processor", "scorer"]);
    const json = await stream.score(payment(1));
    await stream.forgetSome();
    await assertKnown(stream, json);
    await stream.stopDesk();
    await stream.startDesk();
    await assertKnown(stream, json);
  },
);

test(
  "requests for a payment that is under way share one append and one answer",
  {},
  async (stream) => {
    const first = stream.score(payment(1));
    await until(async () => (await stream.payments()).length === 1);
    const second = stream.score(payment(1));
    await problemOf(
      stream.score(payment(1, { TX_AMOUNT: 1 })),
      "conflicting-id",
    );
    await stream.start();
    const answers = await Promise.all([first, second]);
    assert.equal(answers[0], answers[1]);
    assert.equal((await stream.payments()).length, 1);
    const together = await Promise.all([
      stream.score(payment(2)),
      stream.score(payment(2)),
      problemOf(stream.score(payment(2, { CUSTOMER_ID: 9 })), "conflicting-id"),
    ]);
    assert.equal(together[0], together[1]);
    assert.equal((await stream.payments()).length, 2);
  },
);

test(
  "100 concurrent payments of one card see windows of 1 to 100 payments, and their features are those of the store",
  {},
  async (stream) => {
    await stream.start();
    const ids = Array.from({ length: 100 }, (_, i) => i);
    const answers = await Promise.all(
      ids.map((id) => stream.score(payment(id), true)),
    );
    const counts = answers.map((json) =>
      JSON.parse(json).FEATURES.CUSTOMER_ID_NB_TX_1DAY_WINDOW
    );
    assert.deepEqual(counts.toSorted((a, b) => a - b), ids.map((id) => id + 1));
    // Asked again, they come from the store.
    const again = await Promise.all(
      ids.map((id) => stream.score(payment(id), true)),
    );
    assert.deepEqual(again, answers);
  },
);

test(
  "without a processor a payment is unknown at the deadline, and decided once when it is asked again",
  {
    deadlineMs: 300,
  },
  async (stream) => {
    const { retryAfter } = await problemOf(stream.score(payment(1)), "unknown");
    assert.equal(retryAfter, 1);
    assert.equal(stream.desk.pending, 0);
    await problemOf(stream.score(payment(1)), "unknown");
    assert.equal((await stream.payments()).length, 1);
    // After a restart nobody knows that it is under way.
    await stream.stopDesk();
    await stream.startDesk();
    await problemOf(stream.score(payment(1)), "unknown");
    assert.equal((await stream.payments()).length, 2);
    await stream.start();
    await until(async () => (await stream.predictions()).length > 0);
    const json = await stream.score(payment(1));
    await stream.assertRecorded(json);
    await stream.score(payment(2));
    assert.equal((await stream.predictions()).length, 2);
  },
);

test("while it is unknown what becomes of a payment, its id is taken", {
  deadlineMs: 300,
}, async (stream) => {
  await problemOf(stream.score(payment(1)), "unknown");
  // Their first stages are others: none would notice that the ids are equal.
  for (const card of [2, 3, 4, 5]) {
    const other = payment(1, { CUSTOMER_ID: card });
    await problemOf(stream.score(other), "conflicting-id");
  }
  await stream.start();
  const json = await stream.score(payment(1));
  await stream.assertRecorded(json);
  assert.equal((await stream.payments()).length, 1);
});

test("a payment that is rejected after its deadline leaves its id to others", {
  partitions: 1,
  aheadSeconds: 10 * DAY_SECONDS,
  deadlineMs: 300,
}, async (stream) => {
  const ahead = payment(1, { at: 2 * DAY_SECONDS });
  await problemOf(stream.score(ahead), "unknown");
  await problemOf(stream.score(payment(2)), "unknown");
  await stream.start();
  await until(async () => (await stream.predictions()).length === 1);
  const { members } = await problemOf(stream.score(payment(2)), "rejected");
  assert.equal(members.REASON, "late");
  await stream.score(payment(2, { at: 2 * DAY_SECONDS, CUSTOMER_ID: 7 }));
});

test(
  "times outside --ahead and --lateness are rejected and nothing is appended",
  {
    aheadSeconds: 60,
  },
  async (stream) => {
    await stream.start();
    const ahead = await problemOf(
      stream.score(payment(1, { at: 61 })),
      "rejected",
    );
    assert.equal(ahead.members.REASON, "implausible");
    assert.match(ahead.message, /more than 1m \(--ahead\)/);
    const behind = await problemOf(
      stream.score(payment(2, { at: -3601 })),
      "rejected",
    );
    assert.equal(behind.members.REASON, "late");
    assert.match(behind.message, /more than 1h \(--lateness\)/);
    assert.deepEqual(await stream.payments(), []);
    await stream.score(payment(3, { at: -3600 }));
    await stream.score(payment(4, { at: 60, CUSTOMER_ID: 2 }));
  },
);

test("a dead letter of the first stage is a rejection with its reason", {
  partitions: 1,
  aheadSeconds: 10 * DAY_SECONDS,
}, async (stream) => {
  await stream.start();
  await stream.score(payment(1, { at: 2 * DAY_SECONDS }));
  const { members, message } = await problemOf(
    stream.score(payment(2)),
    "rejected",
  );
  assert.equal(members.REASON, "late");
  assert.match(message, /behind the partition.s newest payment/);
});

test("an id that only the first stage knows is a conflict", {
  deadlineMs: 400,
}, async (stream) => {
  await stream.start(["processor"]);
  await problemOf(stream.score(payment(1)), "unknown");
  await stream.stopDesk();
  await stream.startDesk();
  const other = payment(1, { TX_AMOUNT: 1 });
  await problemOf(stream.score(other), "conflicting-id");
  await stream.start();
  await stream.score(payment(2));
  const [first] = await stream.predictions();
  assert.equal(first.TX_AMOUNT, 42.5);
});

test("more requests than may wait are turned away", {
  pendingMax: 3,
}, async (stream) => {
  const waiting = [1, 2, 3].map((id) => stream.score(payment(id)));
  const { retryAfter } = await problemOf(
    stream.score(payment(4)),
    "unavailable",
  );
  assert.equal(retryAfter, 1);
  await stream.start();
  await Promise.all(waiting);
  await stream.score(payment(4));
  assert.equal((await stream.payments()).length, 4);
});

test(
  "without room for answers that are not stored a new payment is turned away, a known one is not",
  {
    limits: { kept: 0, unstored: 1 },
  },
  async (stream) => {
    await stream.start(["processor", "scorer"]);
    const json = await stream.score(payment(1));
    await problemOf(stream.score(payment(2)), "unavailable");
    assert.equal(await stream.score(payment(1)), json);
    await stream.start();
    await stream.forget();
    await stream.score(payment(2));
  },
);

test("a stop answers those that wait or fails them", {}, async (stream) => {
  const waiting = [1, 2].map((id) =>
    problemOf(stream.score(payment(id)), "unavailable")
  );
  await until(async () => (await stream.payments()).length === 2);
  const { api } = stream;
  await stream.stopDesk();
  await Promise.all(waiting);
  const late = api.score(JSON.stringify(payment(3)), false);
  await problemOf(late, "unavailable");
  await stream.start();
  await stream.startDesk();
  for (const id of [1, 2]) await stream.score(payment(id));
  assert.equal((await stream.predictions()).length, 2);
});

test(
  "a store that fails makes a request unavailable, and nothing is appended",
  {},
  async (stream) => {
    // The desk keeps the object that it was made with.
    await stream.stopDesk();
    const { store } = stream.opened;
    const predictions = store.predictions();
    const { findAll } = predictions;
    store.predictions = () => predictions;
    await stream.startDesk();
    predictions.findAll = () => Promise.reject(new Error("no answer"));
    const { message } = await problemOf(
      stream.score(payment(1)),
      "unavailable",
    );
    assert.match(message, /the store does not answer \(no answer\)/);
    assert.deepEqual(await stream.payments(), []);
    predictions.findAll = findAll;
    await stream.start();
    await stream.score(payment(1));
  },
);

test(
  "no answer leaves, and nothing is stored, before the log is synced",
  {},
  async (stream) => {
    await stream.stopDesk();
    const { log, store } = stream.opened;
    const predictions = store.predictions();
    store.predictions = () => predictions;
    // What the log had when a sync that has succeeded began.
    let synced = [0, 0];
    const ends = async () => await log.endOffsets("prediction_topic") ?? [];
    const { promise: released, resolve: release } = Promise.withResolvers<
      void
    >();
    const sync = log.sync.bind(log);
    log.sync = async () => {
      const before = await ends();
      await released;
      await sync();
      synced = synced.map((end, p) => Math.max(end, before[p]));
    };
    let writes = 0;
    const write = predictions.write.bind(predictions);
    predictions.write = async (rows, signal, positions) => {
      for (const { partition, next } of positions ?? []) {
        assert.ok(
          next <= synced[partition],
          `${next} in partition ${partition}`,
        );
      }
      writes++;
      await write(rows, signal, positions);
    };
    await stream.startDesk();
    await stream.start();
    let isAnswered = false;
    const answer = stream.score(payment(1)).then((json) => {
      isAnswered = true;
      return json;
    });
    await until(async () => (await stream.predictions()).length === 1);
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.ok(!isAnswered);
    assert.equal(writes, 0);
    release();
    const { PARTITION, OFFSET } = JSON.parse(await answer).RECORD;
    assert.ok(OFFSET < synced[PARTITION]);
    for (let id = 2; id < 20; id++) {
      await stream.score(payment(id, { CUSTOMER_ID: id }));
    }
    await stream.forget();
    assert.ok(writes > 0);
  },
);
