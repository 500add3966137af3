import assert from "node:assert/strict";
import { EmbeddedLog } from "../../src/log/embedded/embedded_log.ts";
import {
  Alignment,
  alignmentBound,
  alignmentSeconds,
  type PartitionView,
  partitionViews,
} from "../../src/stream/alignment.ts";
import { CommitReader, initialCommit } from "../../src/stream/commit.ts";
import { DAY_SECONDS } from "../../src/payment/payment.ts";
import { appendOf } from "../log/records.ts";

const AHEAD = 6 * DAY_SECONDS;

function view(
  head: number | null,
  progress: number,
  drained = false,
): PartitionView {
  return { head, progress, drained };
}

Deno.test("the bound is the delay less a day, or less the lateness where that is longer", () => {
  const hour = 3600;
  assert.equal(
    alignmentSeconds({ set: "handbook", delayDays: 7 }, hour),
    6 * DAY_SECONDS,
  );
  assert.equal(
    alignmentSeconds({ set: "handbook", delayDays: 7 }, DAY_SECONDS),
    6 * DAY_SECONDS,
  );
  assert.equal(
    alignmentSeconds({ set: "handbook", delayDays: 7 }, DAY_SECONDS + 1),
    6 * DAY_SECONDS - 1,
  );
  assert.equal(
    alignmentSeconds({ set: "handbook", delayDays: 7 }, 7 * DAY_SECONDS - 1),
    1,
  );
  assert.equal(
    alignmentSeconds({ set: "handbook", delayDays: 7 }, 7 * DAY_SECONDS),
    0,
  );
  assert.equal(alignmentSeconds({ set: "handbook", delayDays: 1 }, hour), 0);
});

Deno.test("a single partition is never held back", () => {
  assert.equal(alignmentBound([view(5, 3)], 0, AHEAD), Infinity);
});

Deno.test("a partition stays below the bound ahead of the oldest head of the others", () => {
  const views = [view(1, 1), view(500, 100), view(300, 200)];
  assert.equal(alignmentBound(views, 0, AHEAD), 300 + AHEAD);
  assert.equal(alignmentBound(views, 1, AHEAD), 1 + AHEAD);
});

Deno.test("the progress stands in for a head that is not known", () => {
  const views = [view(900, 900), view(null, 100), view(300, 200)];
  assert.equal(alignmentBound(views, 0, AHEAD), 100 + AHEAD);
});

Deno.test("a head of 0 is a head", () => {
  assert.equal(
    alignmentBound([view(1, 1), view(0, 50)], 0, AHEAD),
    AHEAD,
  );
});

Deno.test("a drained partition holds nobody back", () => {
  const views = [view(null, 0), view(null, 100, true), view(700, 2, false)];
  assert.equal(alignmentBound(views, 0, AHEAD), 700 + AHEAD);
  assert.equal(
    alignmentBound([view(1, 1), view(2, 2, true)], 0, AHEAD),
    Infinity,
  );
});

Deno.test("a partition never holds itself back", () => {
  const views = [view(5, 5), view(1_000_000, 1_000_000)];
  assert.equal(alignmentBound(views, 0, AHEAD), 1_000_000 + AHEAD);
});

Deno.test("partitionViews() are what the group has committed, drained at the end offset", async () => {
  await using log = new EmbeddedLog({ path: ":memory:", durable: false });
  await log.createTopics([{ name: "t", partitions: 4, compacted: false }]);
  const producer = await log.producer("p");
  await producer.append([
    appendOf("t", 0, ["a", "b"]),
    appendOf("t", 1, ["a", "b"]),
    appendOf("t", 2, ["a"]),
  ]);
  const commit = (partition: number, next: number, head: number | null) => ({
    partition,
    from: 0,
    step: {
      next,
      appends: [],
      metadata: JSON.stringify({ ...initialCommit(), progress: 7, head }),
    },
  });
  await log.commit("g", "t", [commit(0, 1, 9), commit(1, 2, null)]);
  const reader = new CommitReader();
  assert.deepEqual(await partitionViews(log, "g", "t", reader), [
    view(9, 7, false),
    view(null, 7, true),
    view(null, 0, false),
    view(null, 0, true),
  ]);
  // Nobody can tell how far a stage is whose commit is another program's.
  for (const metadata of ["", "{}", '{"progress":7']) {
    const step = { next: 2, appends: [], metadata };
    await log.commit("other", "t", [{ partition: 1, from: 0, step }]);
    const views = await partitionViews(log, "other", "t", new CommitReader());
    assert.deepEqual(views[1], view(null, 0, false));
    const back = { next: 0, appends: [], metadata };
    await log.commit("other", "t", [{ partition: 1, from: 2, step: back }]);
  }
  // A commit that was read before is not mistaken for a newer one.
  const moved = { ...commit(0, 2, null), from: 1 };
  await log.commit("g", "t", [moved]);
  const [first] = await partitionViews(log, "g", "t", reader);
  assert.deepEqual(first, view(null, 7, true));
});

Deno.test("an Alignment takes a drained partition's word for what has been read only", async () => {
  await using log = new EmbeddedLog({ path: ":memory:", durable: false });
  await log.createTopics([{ name: "t", partitions: 3, compacted: false }]);
  const producer = await log.producer("p");
  await producer.append([appendOf("t", 0, ["a"]), appendOf("t", 1, ["a"])]);
  const commit = (partition: number, progress: number) => ({
    partition,
    from: 0,
    step: {
      next: 1,
      appends: [],
      metadata: JSON.stringify({ ...initialCommit(), progress }),
    },
  });
  const alignment = new Alignment({
    log,
    group: "g",
    topic: "t",
    partition: 2,
    aheadSeconds: AHEAD,
    commits: new CommitReader(),
  });
  assert.equal(alignment.sure, -Infinity);
  // Nothing committed: both hold back from the start of the stream.
  assert.equal(await alignment.look(), AHEAD);
  assert.equal(alignment.sure, AHEAD);
  // All is taken: what has been read may go on, what comes later may not.
  await log.commit("g", "t", [commit(0, 500), commit(1, 300)]);
  assert.equal(await alignment.look(), Infinity);
  assert.equal(alignment.sure, 300 + AHEAD);
});
