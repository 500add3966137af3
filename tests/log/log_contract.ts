/**
 * What every log keeps to, whatever it is kept in: run against the embedded
 * one, and against a broker where there is one.
 */
import assert from "node:assert/strict";
import fc from "fast-check";
import { ConfigError, LogError } from "../../src/base/error.ts";
import {
  type Commit,
  type Log,
  type LogProducer,
  offsetAt,
  offsetIn,
  type PartitionTask,
  READ_LIMIT,
  readRange,
  requireKept,
  type Step,
} from "../../src/log/log.ts";
import type { RecordBatch } from "../../src/log/record_batch.ts";
import {
  appendOf,
  builderOf,
  record,
  recordsOf,
  type TextRecord,
  valuesOf,
} from "./records.ts";

/** A fresh log and a way to connect to it once more. */
export interface OpenLog extends AsyncDisposable {
  /** The log, with nothing in it. */
  readonly log: Log;
  /** Another connection to the same log; the caller closes it. */
  connect(): Promise<Log>;
}

const TOPIC = { name: "letters", partitions: 2, compacted: false };
const OTHER = { name: "numbers", partitions: 1, compacted: false };
const TABLE = { name: "table", partitions: 2, compacted: true };
const DEADLINE_MS = 10_000;
const never = new AbortController().signal;

/** A log with the three topics, and a producer whose records are there when it says so. */
async function withTopics(log: Log): Promise<LogProducer> {
  await log.createTopics([TOPIC, OTHER, TABLE]);
  const producer = await log.producer("test");
  return {
    append: async (appends) => {
      const runs = await producer.append(appends);
      for (const { topic } of appends) await endsOf(log, topic);
      return runs;
    },
  };
}

/** The end offsets of a topic, once all of it can be read: a broker lets readers wait a little for the end of a transaction. */
async function endsOf(log: Log, topic: string): Promise<number[]> {
  let ends: number[] = [];
  await until(async () => {
    ends = await log.endOffsets(topic) ?? [];
    const reached = await Promise.all(ends.map(async (end, partition) => {
      let next = 0;
      for await (const batch of readRange(log, topic, partition, 0, end)) {
        next = batch.next;
      }
      return next === end;
    }));
    return reached.every((yes) => yes);
  });
  return ends;
}

async function allValues(log: Log, topic: string, partition = 0) {
  const ends = await endsOf(log, topic);
  const values: string[] = [];
  for await (
    const batch of readRange(log, topic, partition, 0, ends[partition])
  ) values.push(...valuesOf(batch));
  return values;
}

/** Options of a consumer whose every step is `step`, until it idles. */
function consuming(
  step: (batch: RecordBatch, partition: number) => Step | Promise<Step>,
  more: Partial<Parameters<Log["consume"]>[0]> = {},
): Parameters<Log["consume"]>[0] {
  return {
    group: "readers",
    topic: TOPIC.name,
    limit: READ_LIMIT,
    signal: never,
    open: (partition) =>
      Promise.resolve({ step: (batch) => step(batch, partition) }),
    idle: () => Promise.resolve(true),
    ...more,
  };
}

/** A step that takes the first `count` records. */
function taking(batch: RecordBatch, count = batch.count, metadata = ""): Step {
  const next = count < batch.count ? batch.offsets[count] : batch.next;
  return { next, metadata, appends: [] };
}

/** Calls `look` again and again until it gives true. */
async function until(look: () => Promise<boolean>): Promise<void> {
  const deadline = performance.now() + DEADLINE_MS;
  while (!await look()) {
    assert.ok(performance.now() < deadline, "it never came");
  }
}

/** Defines the tests that a log must pass; ignored if there is a problem with opening one. */
export function logContract(
  name: string,
  open: () => Promise<OpenLog>,
  problem?: string,
): void {
  const test = (fact: string, body: (opened: OpenLog) => Promise<void>) =>
    Deno.test({
      name: `${name}: ${fact}${problem ? ` (${problem})` : ""}`,
      ignore: problem !== undefined,
      // A server that others share lives on from one test to the next.
      sanitizeOps: false,
      sanitizeResources: false,
      fn: async () => {
        await using opened = await open();
        await body(opened);
      },
    });

  test("topics are as they were created, and empty", async ({ log }) => {
    await log.createTopics([TABLE, OTHER, TOPIC]);
    const two = { startOffsets: [0, 0], endOffsets: [0, 0] };
    const names = [TOPIC.name, OTHER.name, "nothing", TABLE.name];
    const states = await log.topics(names);
    assert.deepEqual(
      // What else a log says of a topic is its own affair.
      states.map(({ settings: _, id: _id, problems = [], ...state }) => {
        assert.deepEqual(problems, []);
        return state;
      }),
      [
        { ...TOPIC, ...two },
        { ...OTHER, startOffsets: [0], endOffsets: [0] },
        { ...TABLE, ...two },
      ],
    );
  });

  test("creating the same topics again changes nothing", async ({ log }) => {
    const producer = await withTopics(log);
    await producer.append([appendOf(TOPIC.name, 0, ["a"])]);
    await log.createTopics([TOPIC, OTHER, TABLE]);
    assert.deepEqual(await allValues(log, TOPIC.name), ["a"]);
  });

  test("a topic with another number of partitions is refused, naming the flag", async ({ log }) => {
    await log.createTopics([TOPIC]);
    await assert.rejects(
      log.createTopics([{ ...TOPIC, partitions: 3 }]),
      (error) => {
        assert.ok(error instanceof ConfigError);
        assert.match(error.message, /letters has 2 partitions, not 3/);
        assert.match(error.message, /--partitions=2/);
        return true;
      },
    );
  });

  test("a topic that does not fit is told before any other is made", async ({ log }) => {
    await log.createTopics([TOPIC]);
    const wrong = { ...TOPIC, partitions: 3 };
    await assert.rejects(log.createTopics([TABLE, wrong]), ConfigError);
    assert.equal(await log.endOffsets(TABLE.name), undefined);
    await assert.rejects(log.checkTopics([TABLE, wrong]), ConfigError);
    await log.checkTopics([TABLE, TOPIC]);
    await log.checkPartitions([TABLE, TOPIC]);
    assert.equal(await log.endOffsets(TABLE.name), undefined);
  });

  test("a topic that is to be compacted and is not is refused", async ({ log }) => {
    await log.createTopics([TOPIC]);
    await assert.rejects(
      log.createTopics([{ ...TOPIC, compacted: true }]),
      ConfigError,
    );
  });

  test("a topic that is not there has no end offsets and cannot be read", async ({ log }) => {
    assert.equal(await log.endOffsets("nothing"), undefined);
    assert.deepEqual(await log.committed("readers", "nothing"), []);
    await assert.rejects(
      async () => await log.read("nothing", 0, 0, READ_LIMIT),
      LogError,
    );
  });

  test("records come back as they were appended: keys, values, times, order", async ({ log }) => {
    const producer = await withTopics(log);
    const text = fc.string({ maxLength: 20 });
    const records: fc.Arbitrary<TextRecord> = fc.record({
      key: text,
      value: text,
      time: fc.integer({ min: 0, max: 2 ** 42 }),
    }, { noNullPrototype: true });
    const appends = fc.sample(
      fc.array(records, { minLength: 1, maxLength: 40 }),
      30,
    );
    for (const append of appends) {
      await producer.append([{
        topic: OTHER.name,
        partition: 0,
        records: builderOf(append),
      }]);
    }
    const expected = appends.flat();
    const [end] = await endsOf(log, OTHER.name);
    const read: TextRecord[] = [];
    const offsets: number[] = [];
    for await (
      const batch of readRange(log, OTHER.name, 0, 0, end)
    ) {
      read.push(...recordsOf(batch));
      offsets.push(...batch.offsets);
    }
    assert.deepEqual(read, expected);
    assert.ok(offsets.every((offset, i) => i === 0 || offset > offsets[i - 1]));
  });

  test("partitions and topics are apart", async ({ log }) => {
    const producer = await withTopics(log);
    await producer.append([
      appendOf(TOPIC.name, 0, ["a", "b"]),
      appendOf(TOPIC.name, 1, ["c"]),
      appendOf(OTHER.name, 0, ["1"]),
    ]);
    assert.deepEqual(await allValues(log, TOPIC.name, 0), ["a", "b"]);
    assert.deepEqual(await allValues(log, TOPIC.name, 1), ["c"]);
    assert.deepEqual(await allValues(log, OTHER.name), ["1"]);
  });

  test("appends of one call to one partition are in their order", async ({ log }) => {
    const producer = await withTopics(log);
    await producer.append([
      appendOf(TOPIC.name, 0, ["a"]),
      appendOf(TOPIC.name, 0, ["b", "c"]),
    ]);
    assert.deepEqual(await allValues(log, TOPIC.name), ["a", "b", "c"]);
  });

  test("reading can begin in the middle of a batch", async ({ log }) => {
    const producer = await withTopics(log);
    const values = Array.from({ length: 100 }, (_, i) => `value ${i}`);
    await producer.append([appendOf(TOPIC.name, 0, values.slice(0, 60))]);
    await producer.append([appendOf(TOPIC.name, 0, values.slice(60))]);
    const [end] = await endsOf(log, TOPIC.name);
    const offsets: number[] = [];
    for await (const batch of readRange(log, TOPIC.name, 0, 0, end)) {
      offsets.push(...batch.offsets);
    }
    for (const from of [0, 1, 31, 59, 60, 61, 99]) {
      const batch = await log.read(TOPIC.name, 0, offsets[from], READ_LIMIT);
      assert.equal(batch.offsets[0], offsets[from]);
      const rest = valuesOf(batch);
      assert.deepEqual(rest, values.slice(from, from + rest.length));
    }
    const behind = await log.read(TOPIC.name, 0, end, READ_LIMIT);
    assert.equal(behind.count, 0);
    assert.equal(behind.next, end);
  });

  test("a read keeps about its limit and gets on at any limit", async ({ log }) => {
    const producer = await withTopics(log);
    for (let i = 0; i < 20; i++) {
      await producer.append([appendOf(TOPIC.name, 0, [`${i}a`, `${i}b`])]);
    }
    for (
      const limit of [{ records: 1, bytes: 1 << 20 }, { records: 9, bytes: 1 }]
    ) {
      let offset = 0;
      let read = 0;
      while (read < 40) {
        const batch = await log.read(TOPIC.name, 0, offset, limit);
        assert.ok(batch.count > 0);
        if (limit.bytes === 1) assert.ok(batch.count <= 10);
        read += batch.count;
        offset = batch.next;
      }
      assert.equal(read, 40);
    }
  });

  test("offsetAt() finds the first record at or after a time, the end if there is none", async ({ log }) => {
    const producer = await withTopics(log);
    for (const times of [[10, 20], [25, 30]]) {
      await producer.append([{
        topic: OTHER.name,
        partition: 0,
        records: builderOf(times.map((time) => record(`at ${time}`, "", time))),
      }]);
    }
    const [end] = await endsOf(log, OTHER.name);
    const valueAt = async (time: number) => {
      const offset = await offsetAt(log, OTHER.name, 0, time);
      return valuesOf(await log.read(OTHER.name, 0, offset, READ_LIMIT))[0];
    };
    assert.equal(await valueAt(0), "at 10");
    assert.equal(await valueAt(11), "at 20");
    assert.equal(await valueAt(21), "at 25");
    assert.equal(await valueAt(26), "at 30");
    const behind = await offsetAt(log, OTHER.name, 0, 31);
    assert.equal((await log.read(OTHER.name, 0, behind, READ_LIMIT)).count, 0);
    assert.ok(behind > 0 && behind <= end);
  });

  test("trim() removes what lies below an offset, and offsets go on", async ({ log }) => {
    const producer = await withTopics(log);
    for (const value of ["a", "b", "c"]) {
      await producer.append([appendOf(OTHER.name, 0, [value])]);
    }
    const first = await log.read(OTHER.name, 0, 0, { records: 1, bytes: 1 });
    const [end] = await endsOf(log, OTHER.name);
    const second = await log.read(OTHER.name, 0, first.next, READ_LIMIT);
    await log.trim(OTHER.name, 0, second.offsets[0]);
    assert.deepEqual(await allValues(log, OTHER.name), ["b", "c"]);
    const left = await log.read(OTHER.name, 0, 0, READ_LIMIT);
    assert.equal(left.offsets[0], second.offsets[0]);
    const [{ startOffsets }] = await log.topics([OTHER.name]);
    assert.ok(startOffsets[0] > 0 && startOffsets[0] <= second.offsets[0]);
    await producer.append([appendOf(OTHER.name, 0, ["d"])]);
    const more = await log.read(OTHER.name, 0, end, READ_LIMIT);
    assert.deepEqual(valuesOf(more), ["d"]);
  });

  test("requireKept() tells when records that are needed are gone", async ({ log }) => {
    const producer = await withTopics(log);
    await requireKept(log, OTHER.name, 0, 0);
    await producer.append([appendOf(OTHER.name, 0, ["a"])]);
    await producer.append([appendOf(OTHER.name, 0, ["b"])]);
    await requireKept(log, OTHER.name, 0, 0);
    const first = await log.read(OTHER.name, 0, 0, { records: 1, bytes: 1 });
    await log.trim(OTHER.name, 0, first.next);
    await requireKept(log, OTHER.name, 0, first.next);
    await assert.rejects(requireKept(log, OTHER.name, 0, 0), (error) => {
      assert.ok(error instanceof LogError);
      assert.match(error.message, /numbers partition 0 from offset 0 /);
      return true;
    });
  });

  test("a compacted topic keeps the newest record of each key, in order", async ({ log }) => {
    const producer = await withTopics(log);
    const put = (...records: TextRecord[]) =>
      producer.append([{
        topic: TABLE.name,
        partition: 0,
        records: builderOf(records),
      }]);
    await put(record("old", "k"), record("other", "l"));
    await put(record("newer", "k"));
    await put(record("newest", "k"), record("m", "m"));
    const newest = new Map<string, string>();
    for await (const batch of readRange(log, TABLE.name, 0, 0, 999)) {
      for (const { key, value } of recordsOf(batch)) newest.set(key, value);
    }
    assert.deepEqual([...newest].sort(), [
      ["k", "newest"],
      ["l", "other"],
      ["m", "m"],
    ]);
  });

  test("a reader in the middle of a compacted topic misses nothing newer", async ({ log }) => {
    const producer = await withTopics(log);
    const put = (value: string, key: string) =>
      producer.append([{
        topic: TABLE.name,
        partition: 0,
        records: builderOf([record(value, key)]),
      }]);
    for (let i = 0; i < 10; i++) await put(`value ${i}`, `key ${i % 3}`);
    const [end] = await endsOf(log, TABLE.name);
    const values: string[] = [];
    const offsets: number[] = [];
    for await (const batch of readRange(log, TABLE.name, 0, 0, end)) {
      values.push(...valuesOf(batch));
      offsets.push(...batch.offsets);
    }
    const from = offsets[values.indexOf("value 8")];
    const newer: string[] = [];
    for await (const batch of readRange(log, TABLE.name, 0, from, end)) {
      newer.push(...valuesOf(batch));
    }
    assert.deepEqual(newer, ["value 8", "value 9"]);
  });

  test("the end of a compacted partition never goes back, whatever other partitions hold", async ({ log }) => {
    const producer = await withTopics(log);
    const put = (partition: number, value: string) =>
      producer.append([{
        topic: TABLE.name,
        partition,
        records: builderOf([record(value, "key")]),
      }]);
    await put(0, "in 0");
    await put(1, "in 1");
    const ends = await log.endOffsets(TABLE.name);
    assert.ok(ends?.every((end) => end >= 1));
    assert.deepEqual(await allValues(log, TABLE.name, 0), ["in 0"]);
  });

  test("a group has no commits before its first", async ({ log }) => {
    await withTopics(log);
    assert.deepEqual(await log.committed("readers", TOPIC.name), [
      undefined,
      undefined,
    ]);
  });

  test("a commit holds the offset and its metadata, a group and a topic each", async ({ log }) => {
    const producer = await withTopics(log);
    await producer.append([appendOf(TOPIC.name, 1, ["a", "b"])]);
    await log.consume(consuming((batch) => taking(batch, 2, '{"größe":1}')));
    await log.consume(consuming((batch) => taking(batch, 2, "other"), {
      group: "others",
    }));
    const [none, commit] = await log.committed("readers", TOPIC.name);
    assert.equal(none, undefined);
    assert.equal(commit?.metadata, '{"größe":1}');
    const [, end] = await endsOf(log, TOPIC.name);
    assert.equal(commit.offset, end);
    assert.deepEqual(await log.committed("readers", OTHER.name), [undefined]);
  });

  test("open() is given what the group has committed", async ({ log }) => {
    const producer = await withTopics(log);
    await producer.append([appendOf(TOPIC.name, 0, ["a", "b"])]);
    const opened: (Commit | undefined)[][] = [];
    const read: string[][] = [];
    for (let i = 0; i < 2; i++) {
      const commits: (Commit | undefined)[] = [];
      await log.consume(consuming((batch) => {
        read.push(valuesOf(batch));
        return taking(batch, 1, `taken in run ${i}`);
      }, {
        open: (partition, commit) => {
          commits[partition] = commit;
          return Promise.resolve({
            step: (batch) => {
              read.push(valuesOf(batch));
              return taking(batch, batch.count, `run ${i}`);
            },
          });
        },
      }));
      opened.push(commits);
    }
    const [end] = await endsOf(log, TOPIC.name);
    assert.deepEqual(opened, [
      [undefined, undefined],
      [{ offset: end, metadata: "run 0" }, undefined],
    ]);
    assert.deepEqual(read.filter(({ length }) => length > 0), [["a", "b"]]);
  });

  test("a task that begins behind or before the commit moves the group there first", async ({ log }) => {
    const producer = await withTopics(log);
    const values = ["a", "b", "c", "d"];
    for (const value of values) {
      await producer.append([appendOf(TOPIC.name, 0, [value])]);
    }
    const [end] = await endsOf(log, TOPIC.name);
    const offsets: number[] = [];
    for await (const batch of readRange(log, TOPIC.name, 0, 0, end)) {
      offsets.push(...batch.offsets);
    }
    const taken = async (start: Commit | undefined) => {
      const found: string[] = [];
      const step = (batch: RecordBatch) => {
        found.push(...valuesOf(batch));
        return taking(batch, batch.count, `up to ${valuesOf(batch).at(-1)}`);
      };
      await log.consume(consuming(step, {
        open: (partition) =>
          Promise.resolve({ step, start: partition === 0 ? start : undefined }),
      }));
      const [commit] = await log.committed("readers", TOPIC.name);
      return { found, commit };
    };
    const from = (index: number) => ({
      offset: offsets[index] ?? end,
      metadata: `from ${index}`,
    });
    // Without a commit, further on; then further back; then nothing to take.
    for (const index of [2, 1, 0, 3]) {
      assert.deepEqual(await taken(from(index)), {
        found: values.slice(index),
        commit: { offset: end, metadata: "up to d" },
      });
    }
    assert.deepEqual(await taken(undefined), {
      found: [],
      commit: { offset: end, metadata: "up to d" },
    });
    assert.deepEqual(await taken(from(4)), { found: [], commit: from(4) });
  });

  test("a moved group is moved before a step is made, and stays so after an error", async ({ log }) => {
    const producer = await withTopics(log);
    await producer.append([appendOf(TOPIC.name, 0, ["a", "b"])]);
    await log.consume(consuming((batch) => taking(batch)));
    const start = { offset: 0, metadata: "again" };
    const failing = () => Promise.reject(new Error("no"));
    await assert.rejects(
      log.consume(consuming(failing, {
        open: (partition) =>
          Promise.resolve({
            step: failing,
            start: partition === 0 ? start : undefined,
          }),
      })),
      { message: "no" },
    );
    const [commit] = await log.committed("readers", TOPIC.name);
    assert.deepEqual(commit, start);
  });

  test("consume() appends what a step gives together with its commit", async ({ log }) => {
    const producer = await withTopics(log);
    await producer.append([appendOf(TOPIC.name, 0, ["a", "b"])]);
    const committed: number[] = [];
    await log.consume(consuming(() => taking({} as RecordBatch), {
      open: () =>
        Promise.resolve<PartitionTask>({
          step: (batch) => ({
            ...taking(batch),
            appends: [appendOf(OTHER.name, 0, valuesOf(batch))],
          }),
          committed: ({ next }) => committed.push(next),
        }),
    }));
    assert.deepEqual(await allValues(log, OTHER.name), ["a", "b"]);
    assert.equal(committed.at(-1), (await endsOf(log, TOPIC.name))[0]);
  });

  test("consume() hands what a step has left to the next", async ({ log }) => {
    const producer = await withTopics(log);
    const values = ["a", "b", "c", "d", "e", "f", "g"];
    await producer.append([appendOf(TOPIC.name, 0, values.slice(0, 4))]);
    await producer.append([appendOf(TOPIC.name, 0, values.slice(4))]);
    const taken: string[] = [];
    await log.consume(consuming((batch) => {
      const count = Math.min(2, batch.count);
      taken.push(...valuesOf(batch).slice(0, count));
      return taking(batch, count);
    }));
    assert.deepEqual(taken, values);
    const [commit] = await log.committed("readers", TOPIC.name);
    assert.equal(commit?.offset, (await endsOf(log, TOPIC.name))[0]);
  });

  test("consume() works on one partition while another waits", async ({ log }) => {
    const producer = await withTopics(log);
    await producer.append([
      appendOf(TOPIC.name, 0, ["waits"]),
      appendOf(TOPIC.name, 1, ["a", "b"]),
    ]);
    const taken: string[] = [];
    await log.consume(consuming((batch, partition) => {
      if (partition === 0 && taken.length < 2) return taking(batch, 0);
      taken.push(...valuesOf(batch).slice(0, 1));
      return taking(batch, 1);
    }));
    assert.deepEqual(taken, ["a", "b", "waits"]);
  });

  test("a step that takes nothing commits new metadata, and once only", async ({ log }) => {
    const producer = await withTopics(log);
    await producer.append([appendOf(TOPIC.name, 0, ["a"])]);
    let committed = 0;
    let idles = 0;
    await log.consume(consuming(() => taking({} as RecordBatch), {
      open: () =>
        Promise.resolve<PartitionTask>({
          step: (batch) => taking(batch, 0, "the head is a"),
          committed: () => committed++,
        }),
      idle: () => Promise.resolve(++idles === 3),
    }));
    assert.equal(committed, 1);
    assert.deepEqual(await log.committed("readers", TOPIC.name), [
      { offset: 0, metadata: "the head is a" },
      undefined,
    ]);
  });

  test("prepare() is given every step that will be committed, before it is", async ({ log }) => {
    const producer = await withTopics(log);
    await producer.append([
      appendOf(TOPIC.name, 0, ["a", "b", "c"]),
      appendOf(TOPIC.name, 1, ["d"]),
    ]);
    const prepared: string[] = [];
    await log.consume<Step & { values: string[] }>({
      ...consuming(() => taking({} as RecordBatch)),
      open: () =>
        Promise.resolve({
          step: (batch) => {
            const values = valuesOf(batch).slice(0, 2);
            return { ...taking(batch, 2, values.join()), values };
          },
          committed: ({ values }) => {
            for (const value of values) assert.ok(prepared.includes(value));
          },
        }),
      prepare: async (steps) => {
        const commits = await log.committed("readers", TOPIC.name);
        for (const { metadata, values } of steps) {
          // Behind the last record a broker may keep something: no step to tell from others.
          if (values.length === 0) continue;
          prepared.push(...values);
          assert.ok(commits.every((commit) => commit?.metadata !== metadata));
        }
      },
    });
    assert.deepEqual(prepared.toSorted(), ["a", "b", "c", "d"]);
  });

  test("an error in prepare() ends consume(), and nothing of the steps is left", async ({ log }) => {
    const producer = await withTopics(log);
    await producer.append([appendOf(TOPIC.name, 0, ["a"])]);
    const step = (batch: RecordBatch) => ({
      ...taking(batch),
      appends: [appendOf(OTHER.name, 0, ["1"])],
    });
    const prepare = () => Promise.reject(new RangeError("not stored"));
    await assert.rejects(
      log.consume(consuming(step, { prepare })),
      /not stored/,
    );
    assert.equal((await log.committed("readers", TOPIC.name))[0], undefined);
    assert.deepEqual(await allValues(log, OTHER.name), []);
  });

  test("an error in a step ends consume(), and nothing of the step is left", async ({ log }) => {
    const producer = await withTopics(log);
    await producer.append([appendOf(TOPIC.name, 0, ["a"])]);
    await assert.rejects(
      log.consume(consuming(() => {
        throw new RangeError("from the step");
      })),
      /from the step/,
    );
    assert.deepEqual(
      (await log.committed("readers", TOPIC.name))[0],
      undefined,
    );
  });

  test("a step that appends to a topic that is not there leaves nothing", async ({ log }) => {
    const producer = await withTopics(log);
    await producer.append([appendOf(TOPIC.name, 0, ["a"])]);
    await assert.rejects(
      log.consume(consuming((batch) => ({
        ...taking(batch),
        appends: [
          appendOf(OTHER.name, 0, ["1"]),
          appendOf("nothing", 0, ["2"]),
        ],
      }))),
      LogError,
    );
    assert.deepEqual(await allValues(log, OTHER.name), []);
    assert.equal((await log.committed("readers", TOPIC.name))[0], undefined);
  });

  test("an append to a topic that is not there leaves nothing", async ({ log }) => {
    const producer = await withTopics(log);
    await assert.rejects(
      producer.append([
        appendOf(OTHER.name, 0, ["1"]),
        appendOf("nothing", 0, ["2"]),
      ]),
      LogError,
    );
    assert.deepEqual(await allValues(log, OTHER.name), []);
  });

  test("idle() that says so ends consume(), also with nothing to read", async ({ log }) => {
    await withTopics(log);
    let idles = 0;
    await log.consume(consuming(() => assert.fail("there is nothing"), {
      idle: () => Promise.resolve(++idles === 3),
    }));
    assert.equal(idles, 3);
  });

  test("an error of idle() or open() ends consume()", async ({ log }) => {
    await withTopics(log);
    const fails = () => Promise.reject(new RangeError("no"));
    const step = (batch: RecordBatch) => taking(batch);
    await assert.rejects(log.consume(consuming(step, { idle: fails })), /no/);
    await assert.rejects(log.consume(consuming(step, { open: fails })), /no/);
  });

  test("abort ends consume() after the step in hand, which is committed", async ({ log }) => {
    const producer = await withTopics(log);
    await producer.append([appendOf(TOPIC.name, 0, ["a", "b", "c"])]);
    const stop = new AbortController();
    let steps = 0;
    await log.consume(consuming((batch) => {
      steps++;
      stop.abort();
      return taking(batch, 1, "in hand");
    }, { signal: stop.signal }));
    assert.equal(steps, 1);
    assert.deepEqual((await log.committed("readers", TOPIC.name))[0], {
      offset: 1,
      metadata: "in hand",
    });
  });

  for (const ends of ["idle", "abort"]) {
    test(`a task is closed once, behind its last commit, where consume() ends by ${ends}`, async ({ log }) => {
      const producer = await withTopics(log);
      await producer.append([appendOf(TOPIC.name, 0, ["a", "b"])]);
      const stop = new AbortController();
      const events: string[] = [];
      const isFirst = (partition: number) => partition === 0;
      await log.consume({
        ...consuming((batch) => taking(batch)),
        signal: stop.signal,
        open: (partition) =>
          Promise.resolve({
            step: (batch: RecordBatch) => {
              events.push("step");
              if (ends === "abort") stop.abort();
              return taking(batch);
            },
            committed: () => events.push("committed"),
            close: () => {
              if (isFirst(partition)) events.push("closed");
            },
          }),
      });
      // Kafka's ends of transactions take an offset, and an empty step, too.
      assert.match(events.join(), /^(?:step,committed,)+closed$/);
    });
  }

  test("abort ends a consume() that waits, and one that has not begun", async ({ log }) => {
    await withTopics(log);
    const stop = new AbortController();
    const idle = () => {
      stop.abort();
      return Promise.resolve(false);
    };
    const step = () => assert.fail("there is nothing");
    await log.consume(consuming(step, { signal: stop.signal, idle }));
    await log.consume(consuming(step, {
      signal: stop.signal,
      open: () => assert.fail("it has been stopped"),
    }));
  });

  test("a newer producer of the same id fences the older", async ({ log }) => {
    const older = await withTopics(log);
    const newer = await log.producer("test");
    await assert.rejects(
      older.append([appendOf(OTHER.name, 0, ["old"])]),
      (error) => {
        assert.ok(error instanceof LogError);
        assert.match(error.message, /producer .*test.* newer/);
        assert.equal(error.isFenced, true);
        return true;
      },
    );
    await newer.append([appendOf(OTHER.name, 0, ["new"])]);
    const another = await log.producer("another");
    await newer.append([appendOf(OTHER.name, 0, ["still"])]);
    await another.append([appendOf(OTHER.name, 0, ["another"])]);
    assert.deepEqual(await allValues(log, OTHER.name), [
      "new",
      "still",
      "another",
    ]);
  });

  for (const kind of ["producer", "appender"] as const) {
    test(`the ${kind}'s append() says where each record is`, async (opened) => {
      const { log } = opened;
      await withTopics(log);
      const producer = kind === "producer"
        ? await log.producer("of offsets")
        : await log.appender();
      const random = fc.sample(
        fc.array(fc.integer({ min: 0, max: 4 }), { minLength: 1 }),
        { numRuns: 6, seed: 1 },
      );
      for (const [round, counts] of random.entries()) {
        const appends = counts.map((count, i) => {
          const { name, partitions } = [TOPIC, OTHER, TABLE][i % 3];
          const values = Array.from(
            { length: count },
            (_, j) => `${round} ${i} ${j}`,
          );
          return { ...appendOf(name, i % partitions, values), values };
        });
        const runs = await producer.append(appends);
        assert.equal(runs.length, appends.length);
        for (const [i, { topic, partition, values }] of appends.entries()) {
          await endsOf(log, topic);
          for (const [j, value] of values.entries()) {
            const offset = offsetIn(runs[i], j);
            assert.ok(offset !== undefined, value);
            const batch = await log.read(topic, partition, offset, READ_LIMIT);
            assert.equal(batch.offsets[0], offset);
            assert.equal(valuesOf(batch)[0], value);
          }
          assert.equal(offsetIn(runs[i], values.length), undefined);
        }
      }
    });
  }

  test("appenders of several connections fence nobody, and all of theirs is there once", async (opened) => {
    const { log } = opened;
    const producer = await withTopics(log);
    await using other = await opened.connect();
    const appenders = [
      await log.appender(),
      await log.appender(),
      await other.appender(),
    ];
    const sent: string[][] = [];
    const offsets = new Set<number | undefined>();
    await Promise.all([...appenders, producer].map(async (one, i) => {
      sent[i] = Array.from({ length: 12 }, (_, j) => `${i}/${j}`);
      // Some wait for the answer and some do not.
      const pending: Promise<void>[] = [];
      for (const value of sent[i]) {
        const append = one.append([appendOf(OTHER.name, 0, [value])])
          .then(([runs]) => void offsets.add(offsetIn(runs, 0)));
        if (i % 2 === 1) await append;
        else pending.push(append);
      }
      await Promise.all(pending);
    }));
    const values = await allValues(log, OTHER.name);
    assert.equal(values.length, 48);
    assert.equal(offsets.size, 48);
    for (const [i, own] of sent.entries()) {
      const found = values.filter((value) => value.startsWith(`${i}/`));
      // Appends that do not wait for each other are in any order.
      if (i % 2 === 1) assert.deepEqual(found, own);
      else assert.deepEqual(found.toSorted(), own.toSorted());
    }
  });

  test("sync() resolves, also many at once and while others append", async (opened) => {
    const { log } = opened;
    const producer = await withTopics(log);
    for (let i = 0; i < 5; i++) {
      const syncs = [log.sync(), log.sync()];
      await producer.append([appendOf(OTHER.name, 0, [`${i}`])]);
      syncs.push(log.sync());
      await Promise.all(syncs);
    }
    assert.equal((await allValues(log, OTHER.name)).length, 5);
  });

  test("who asks news() before reading misses nothing, though others wait too", async (opened) => {
    const { log } = opened;
    await withTopics(log);
    await using other = await opened.connect();
    const writers = [await log.appender(), await other.appender()];
    const stop = new AbortController();
    const count = 40;
    const readers = Array.from({ length: 4 }, async (_, reader) => {
      let next = 0;
      const seen: string[] = [];
      while (seen.length < count) {
        const topics = reader % 2 === 0 ? [OTHER.name] : undefined;
        const news = log.news(topics);
        const batch = await log.read(OTHER.name, 0, next, READ_LIMIT);
        next = batch.next;
        seen.push(...valuesOf(batch));
        // On the embedded log a lost wake-up would last the whole timeout.
        if (batch.count > 0) continue;
        const waiting = topics ? { news, topics } : { news };
        await log.changed(5000, stop.signal, waiting);
      }
    });
    const began = performance.now();
    for (let i = 0; i < count; i++) {
      await writers[i % 2].append([appendOf(OTHER.name, 0, [`${i}`])]);
      if (i % 3 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
    }
    await Promise.all(readers);
    assert.ok(performance.now() - began < 4500);
  });

  test("what one connection appends the other sees by changed()", async (opened) => {
    const { log } = opened;
    const producer = await withTopics(log);
    await using other = await opened.connect();
    for (let i = 0; i < 5; i++) {
      await other.changed(1, never); // takes note of what was there
      const waiting = other.changed(DEADLINE_MS, never);
      await producer.append([appendOf(OTHER.name, 0, [`${i}`])]);
      const began = performance.now();
      await waiting;
      assert.ok(performance.now() - began < DEADLINE_MS / 2);
      await until(async () =>
        (await allValues(other, OTHER.name)).length === i + 1
      );
    }
    assert.deepEqual(await allValues(other, OTHER.name), [
      "0",
      "1",
      "2",
      "3",
      "4",
    ]);
  });

  test("readAll() gives what each place has", async ({ log }) => {
    const producer = await withTopics(log);
    await producer.append([
      appendOf(TOPIC.name, 0, ["a", "b"]),
      appendOf(OTHER.name, 0, ["1", "2", "3"]),
    ]);
    const places = [
      { topic: OTHER.name, partition: 0, offset: 1 },
      { topic: TOPIC.name, partition: 1, offset: 0 },
      { topic: TOPIC.name, partition: 0, offset: 0 },
    ];
    const batches = await log.readAll(places, READ_LIMIT);
    assert.deepEqual(batches.map(valuesOf), [["2", "3"], [], ["a", "b"]]);
    const gone = { topic: OTHER.name, partition: 0, offset: 99 };
    const [behind] = await log.readAll([gone], READ_LIMIT);
    assert.deepEqual([behind.count, behind.next], [0, 99]);
  });

  test("tail() gives what is there, says that it waits, and what others append then", async (opened) => {
    const { log } = opened;
    const producer = await withTopics(log);
    await producer.append([appendOf(OTHER.name, 0, ["1", "2", "3"])]);
    await using other = await opened.connect();
    const over = new AbortController();
    const place = { topic: OTHER.name, partition: 0, offset: 1 };
    const values: string[] = [];
    let appended = 3;
    let at = place.offset;
    for await (const batch of other.tail(place, over.signal)) {
      values.push(...valuesOf(batch));
      if (batch.next === at && values.length === appended - 1) {
        if (appended === 6) over.abort();
        else {await producer.append([
            appendOf(OTHER.name, 0, [`${++appended}`]),
          ]);}
      }
      at = batch.next;
    }
    assert.deepEqual(values, ["2", "3", "4", "5", "6"]);
  });

  test("tail() ends soon when it is aborted as it waits", async ({ log }) => {
    await withTopics(log);
    const over = new AbortController();
    const place = { topic: OTHER.name, partition: 0, offset: 0 };
    const began = performance.now();
    for await (const { next } of log.tail(place, over.signal)) {
      assert.equal(next, 0);
      setTimeout(() => over.abort(), 10);
    }
    assert.ok(performance.now() - began < DEADLINE_MS / 2);
  });

  test("all who wait by changed() on one connection see an append", async (opened) => {
    const { log } = opened;
    await withTopics(log);
    await using other = await opened.connect();
    const producer = await other.producer("other");
    await log.changed(1, never);
    const began = performance.now();
    const waiting = [1, 2, 3].map(() => log.changed(DEADLINE_MS, never));
    await producer.append([appendOf(OTHER.name, 0, ["seen by all"])]);
    await Promise.all(waiting);
    assert.ok(performance.now() - began < DEADLINE_MS / 2);
  });

  test("changed() ends at its timeout and when it is aborted", async ({ log }) => {
    await withTopics(log);
    await log.changed(1, never);
    await log.changed(5, never);
    const stop = new AbortController();
    const waiting = log.changed(60_000, stop.signal);
    stop.abort();
    await waiting;
  });

  test("several appends at once on one connection are all there, once", async ({ log }) => {
    await withTopics(log);
    await Promise.all(
      Array.from({ length: 8 }, async (_, i) => {
        const producer = await log.producer(`producer ${i}`);
        for (let j = 0; j < 10; j++) {
          await producer.append([appendOf(OTHER.name, 0, [`${i}/${j}`])]);
        }
      }),
    );
    const values = await allValues(log, OTHER.name);
    assert.equal(values.length, 80);
    assert.equal(new Set(values).size, 80);
    for (let i = 0; i < 8; i++) {
      assert.deepEqual(
        values.filter((value) => value.startsWith(`${i}/`)),
        Array.from({ length: 10 }, (_, j) => `${i}/${j}`),
      );
    }
  });

  test("two consumers of one connection work side by side", async ({ log }) => {
    const producer = await withTopics(log);
    const letters = Array.from({ length: 200 }, (_, i) => `letter ${i}`);
    for (const letter of letters) {
      await producer.append([appendOf(TOPIC.name, 0, [letter])]);
    }
    const limit = { records: 1, bytes: 1 };
    const through: string[] = [];
    await Promise.all([
      log.consume(consuming((batch) => ({
        ...taking(batch),
        appends: [appendOf(OTHER.name, 0, valuesOf(batch))],
      }), { limit })),
      log.consume(consuming((batch) => {
        through.push(...valuesOf(batch));
        return taking(batch);
      }, {
        limit,
        group: "second",
        topic: OTHER.name,
        idle: () => Promise.resolve(through.length === letters.length),
      })),
    ]);
    assert.deepEqual(through, letters);
  });
}
