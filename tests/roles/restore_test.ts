import assert from "node:assert/strict";
import fc from "fast-check";
import type { EmbeddedLog } from "../../src/log/embedded/embedded_log.ts";
import {
  customerReachSeconds,
  FEATURE_SETS,
  type FeatureParameters,
  type FeatureSet,
} from "../../src/features/parameters.ts";
import type { StreamParameters } from "../../src/stream/control.ts";
import { ReplayMarks } from "../../src/stream/replay_marks.ts";
import { parseCommit } from "../../src/stream/commit.ts";
import {
  CUSTOMER_GROUP,
  REPARTITION_TOPIC,
  TERMINAL_GROUP,
  TRANSACTION_TOPIC,
} from "../../src/stream/topics.ts";
import { DAY_SECONDS } from "../../src/payment/payment.ts";
import { isLong } from "../long.ts";
import { testWriting } from "../permission.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { openMemory } from "./pipeline.ts";
import {
  appendPayments,
  type Entry,
  partitionsOf,
  paymentAt,
  sinkRows,
  StageDriver,
  valuesOfTopic,
} from "./stages.ts";

const PARAMETERS: StreamParameters = {
  partitions: 1,
  features: { set: "handbook", windowDays: [1], delayDays: 2, useLabels: true },
  latenessSeconds: 3600,
  maxGapSeconds: 400 * DAY_SECONDS,
};
/** Payments of different customers and terminals, one every `step` seconds. */
function fillers(from: number, to: number, step: number): Entry[] {
  const rows: Entry[] = [];
  for (let time = from; time < to; time += step) {
    rows.push(paymentAt(time, {
      transactionId: 1_000_000 + time,
      customerId: 1 + time % 5,
      terminalId: 1 + time % 3,
      amount: (time % 977) / 100,
      fraud: time % 2,
    }));
  }
  return rows;
}

/**
 * Everything that the stages make of the entries, restored before each of the
 * last `restored`, in the order of commits; with snapshots if there is a folder
 * for them, written anew before every `every`-th.
 */
async function outcome(
  entries: readonly Entry[],
  restored: number,
  parameters: StreamParameters,
  snapshots?: { readonly folder: string; readonly every: number },
): Promise<unknown> {
  await using folder = await openMemory(parameters);
  const { log } = folder;
  await appendPayments(log, 0, entries);
  const path = snapshots?.folder;
  const customers = await StageDriver.customers(log, parameters, path);
  const terminals = await StageDriver.terminals(log, parameters, path);
  for (let i = 0; i < entries.length; i++) {
    if (i >= entries.length - restored) {
      for (const stage of [customers, terminals]) {
        if (snapshots && i % snapshots.every === 0) stage.close(0);
        await stage.reopen(0);
      }
    }
    assert.ok(await customers.step(0, 1));
    await terminals.step(0, 1);
  }
  const used = [...customers.snapshots, ...terminals.snapshots];
  assert.equal(used.includes("used"), snapshots !== undefined);
  assert.ok(used.every((what) => /^used$|^it is older than/.test(what)));
  return {
    sink: await sinkRows(log),
    customers: await customers.counters(),
    terminals: await terminals.counters(),
    commits: [
      await log.committed(CUSTOMER_GROUP, TRANSACTION_TOPIC),
      await log.committed(TERMINAL_GROUP, REPARTITION_TOPIC),
    ],
  };
}

function featuresOf(set: FeatureSet): FeatureParameters {
  const { features } = PARAMETERS;
  const windowDays = set === "none" ? [] : features.windowDays;
  return { ...features, set, windowDays };
}

/** Streams of before there was --dedupe, and horizons that are shorter and longer than the windows. */
const STREAMS: [name: string, StreamParameters][] = [
  ...FEATURE_SETS.map((set): [string, StreamParameters] => [
    set,
    { ...PARAMETERS, features: featuresOf(set) },
  ]),
  ["--dedupe=1h", { ...PARAMETERS, dedupeSeconds: 3600 }],
  ["--dedupe=20h", { ...PARAMETERS, dedupeSeconds: 20 * 3600 }],
  ["--dedupe=3d", { ...PARAMETERS, dedupeSeconds: 3 * DAY_SECONDS }],
];

/** How long the first stage remembers a payment. */
function keepOf({ features, dedupeSeconds }: StreamParameters): number {
  return dedupeSeconds === undefined
    ? customerReachSeconds(features) + 3600
    : dedupeSeconds + 1;
}

for (const [set, parameters] of STREAMS) {
  const KEEP_SECONDS = keepOf(parameters);

  const assertRestoredLikeLive = async (
    entries: readonly Entry[],
    last: number,
  ) => {
    assert.deepEqual(
      await outcome(entries, last, parameters),
      await outcome(entries, 0, parameters),
    );
  };

  Deno.test(`${set}: a restored stage goes on like one that never stopped`, async () => {
    const rows = fillers(0, 5 * DAY_SECONDS, 5000);
    await assertRestoredLikeLive(rows, 20);
  });

  Deno.test(`${set}: a restored stage knows duplicates up to the last second that a live one knows them`, async () => {
    const first = paymentAt(KEEP_SECONDS, { transactionId: 1, amount: 1 });
    const again = { ...first };
    for (const second of [-1, 0, 1]) {
      const newest = first.timeSeconds + KEEP_SECONDS + second;
      await assertRestoredLikeLive([
        ...fillers(0, first.timeSeconds, 4000),
        first,
        ...fillers(first.timeSeconds + 1, newest, 4000),
        paymentAt(newest, { transactionId: 2, amount: 2 }),
        again,
        ...fillers(newest, newest + DAY_SECONDS, 9000),
      ], 12);
    }
  });

  Deno.test(`${set}: a restored stage knows an id used again up to the last second that a live one knows it`, async () => {
    const first = paymentAt(KEEP_SECONDS, { transactionId: 1, amount: 1 });
    for (const second of [-1, 0, 1]) {
      const time = first.timeSeconds + KEEP_SECONDS + second;
      await assertRestoredLikeLive([
        ...fillers(0, first.timeSeconds, 4000),
        first,
        ...fillers(first.timeSeconds + 1, time, 4000),
        paymentAt(time, { transactionId: 1, amount: 2 }),
        ...fillers(time, time + DAY_SECONDS, 9000),
      ], 12);
    }
  });

  Deno.test(`${set}: late and implausible payments leave a restored stage where a live one is`, async () => {
    const time = 4 * DAY_SECONDS;
    await assertRestoredLikeLive([
      ...fillers(0, time, 4000),
      paymentAt(time - 3600 - 4000, { transactionId: 1 }),
      paymentAt(time + PARAMETERS.maxGapSeconds + 1, { transactionId: 2 }),
      '{"not":"a payment"}',
      ...fillers(time, time + DAY_SECONDS, 4000),
      paymentAt(time + DAY_SECONDS - 3600, { transactionId: 3 }),
    ], 25);
  });

  Deno.test(`${set}: a payment that conflicts with one before the replay is refused there too`, async () => {
    const K = KEEP_SECONDS;
    const from = 100;
    const at = (keeps: number, customerId: number) =>
      paymentAt(from + Math.round(keeps * K), {
        transactionId: 1,
        customerId,
        amount: 5,
      });
    // The first is accepted; the second conflicts with it; the third comes when
    // the first is forgotten, and the second must not stand in for it.
    const entries = [at(0, 70), at(0.5, 80), at(1.45, 90)];
    const end = from + Math.round(2.35 * K);
    const rows = [...entries, ...fillers(from + 1, end, 3000)] as ReturnType<
      typeof paymentAt
    >[];
    rows.sort((a, b) => a.timeSeconds - b.timeSeconds);
    // Another payment of the third's customer, within its window.
    rows.push(paymentAt(end, { transactionId: 2, customerId: 90, amount: 1 }));
    await assertRestoredLikeLive(rows, 1);
    await assertRestoredLikeLive(rows, rows.length);
  });

  Deno.test(`${set}: ids in conflict over and over do not part a restored stage from a live one`, async () => {
    const step = fc.record({
      id: fc.nat(1),
      seconds: fc.oneof(
        fc.nat(KEEP_SECONDS),
        fc.constantFrom(
          0.5 * KEEP_SECONDS,
          0.7 * KEEP_SECONDS,
          KEEP_SECONDS - 1,
          KEEP_SECONDS,
        ),
      ),
      customerId: fc.nat(1),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 8, maxLength: 25, size: "max" }),
        async (steps) => {
          let time = 0;
          const rows = steps.flatMap(({ id, seconds, customerId }) => {
            const before = fillers(time + 1, time + seconds, 20_000);
            time += Math.floor(seconds);
            const more = { transactionId: id, customerId, amount: 3 };
            return [...before, paymentAt(time, more)];
          });
          await assertRestoredLikeLive(rows, rows.length);
        },
      ),
      { numRuns: isLong ? 200 : 12 },
    );
  });
}

for (const [name, parameters] of STREAMS) {
  testWriting(
    `${name}: a snapshot and the records behind it are the state of a stage that never stopped`,
    async () => {
      const keep = keepOf(parameters);
      const step = fc.record({
        id: fc.nat(1),
        seconds: fc.oneof(fc.nat(keep), fc.constantFrom(keep - 1, keep)),
        customerId: fc.nat(1),
      });
      await fc.assert(
        fc.asyncProperty(
          fc.array(step, { minLength: 8, maxLength: 20, size: "max" }),
          fc.integer({ min: 1, max: 7 }),
          async (steps, every) => {
            await using folder = temporaryFolder();
            let time = 0;
            const rows = steps.flatMap(({ id, seconds, customerId }) => {
              const before = fillers(time + 1, time + seconds, 30_000);
              time += Math.floor(seconds);
              const more = { transactionId: id, customerId, amount: 3 };
              return [...before, paymentAt(time, more)];
            });
            const snapshots = { folder: folder.path, every };
            assert.deepEqual(
              await outcome(rows, rows.length - 7, parameters, snapshots),
              await outcome(rows, 0, parameters),
            );
          },
        ),
        { numRuns: isLong ? 100 : 6 },
      );
    },
  );
}

async function replayed(
  log: EmbeddedLog,
  stage: StageDriver,
  partition: number,
) {
  const rows = await stage.reopen(partition);
  const [commit] = await log.committed(CUSTOMER_GROUP, TRANSACTION_TOPIC);
  return { rows, offset: parseCommit(commit).replay.offset };
}

for (const [name, parameters] of STREAMS) {
  Deno.test(`${name}: a replay begins no earlier than it must, whatever the history`, async () => {
    await using folder = await openMemory(parameters);
    const { log } = folder;
    await appendPayments(log, 0, fillers(0, 60 * DAY_SECONDS, 3600));
    const customers = await StageDriver.customers(log, parameters);
    await customers.drain([0], 50);
    const { rows, offset } = await replayed(log, customers, 0);
    const remembered = keepOf(parameters);
    const reach = customerReachSeconds(parameters.features) + 3600;
    const kept = Math.floor((Math.max(reach, remembered) + remembered) / 3600);
    assert.ok(rows >= kept && rows < kept + 60, `${rows} rows replayed`);
    assert.equal(offset, 60 * 24 - rows);
  });
}

Deno.test("a replay writes nothing and moves no counter", async () => {
  await using folder = await openMemory(PARAMETERS);
  const { log } = folder;
  await appendPayments(log, 0, fillers(0, 10 * DAY_SECONDS, 3600));
  const customers = await StageDriver.customers(log, PARAMETERS);
  const terminals = await StageDriver.terminals(log, PARAMETERS);
  await customers.drain([0]);
  await terminals.drain([0]);
  const look = async () => ({
    values: await valuesOfTopic(log, REPARTITION_TOPIC),
    sink: await sinkRows(log),
    counters: [await customers.counters(), await terminals.counters()],
  });
  const before = await look();
  for (const stage of [customers, terminals]) {
    for (const partition of partitionsOf(PARAMETERS)) {
      assert.ok(await stage.reopen(partition) > 0);
    }
  }
  assert.deepEqual(await look(), before);
});

Deno.test("ReplayMarks never begin behind what a window still reaches", () => {
  const row = fc.record({
    step: fc.oneof(fc.nat(5000), fc.constantFrom(0, 200_000)),
    offset: fc.integer({ min: 1, max: 3 }),
  });
  fc.assert(
    fc.property(
      fc.array(row),
      fc.integer({ min: 1, max: 300_000 }),
      (rows, reach) => {
        const marks = new ReplayMarks(reach, { offset: 0, progress: 0 });
        const accepted: { offset: number; time: number }[] = [];
        let offset = 0;
        let progress = 0;
        for (const row of rows) {
          offset += row.offset;
          const time = progress + row.step;
          if (time > progress) marks.advance(offset, progress, time);
          progress = time;
          accepted.push({ offset, time });
          const { checkpoint } = marks;
          const before = accepted.filter((one) =>
            one.offset < checkpoint.offset
          );
          assert.ok(before.every((one) => one.time < progress - reach));
          assert.equal(
            checkpoint.progress,
            Math.max(0, ...before.map((one) => one.time)),
          );
        }
      },
    ),
  );
});
