/** A stream that follows another one: stopped anywhere, beside a producer, behind deleted payments. */
import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { ConfigError } from "../../src/base/error.ts";
import { featureCount } from "../../src/features/parameters.ts";
import { CELL, PAYMENT_CELLS } from "../../src/payment/payment_cells.ts";
import { runFollower } from "../../src/roles/follower.ts";
import { runProducer } from "../../src/roles/producer.ts";
import { trimStream } from "../../src/roles/trimmer.ts";
import { Control, type StreamParameters } from "../../src/stream/control.ts";
import {
  readFollowed,
  recordFollower,
} from "../../src/stream/followed_stream.ts";
import { readStatus } from "../../src/stream/status.ts";
import { TRANSACTION_TOPIC } from "../../src/stream/topics.ts";
import { topicRecords } from "../log/records.ts";
import { chance, seeds } from "../long.ts";
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
  runBehind,
  SET_A,
} from "./pipeline.ts";
import { appendPayments, paymentAt, START_SECONDS } from "./stages.ts";

const PARAMETERS: StreamParameters = {
  ...parametersOf(3),
  partitioner: "murmur2",
};

async function recordsOf({ log }: OpenFolder): Promise<string[][]> {
  return (await topicRecords(log, TRANSACTION_TOPIC)).map((records) =>
    records.map(({ time, key, value }) => `${time} ${key} ${value}`)
  );
}

function follow(
  own: OpenFolder,
  folder: string,
  signal: AbortSignal = new AbortController().signal,
  acceptsGaps = false,
): Promise<void> {
  const context = { ...own.context, control: new Control(own.log), signal };
  return runFollower(context, {
    follow: {
      log: { kind: "embedded", folder, durable: false },
      place: folder,
    },
    place: "tests",
    acceptsGaps,
  });
}

/** The folder, with a log whose appends fail now and then, before or after they are made. */
function failing(own: OpenFolder, random: () => number): OpenFolder {
  const log = new Proxy(own.log, {
    get(target, name) {
      if (name === "producer") {
        return async (id: string) => {
          const producer = await target.producer(id);
          const append: typeof producer.append = async (appends) => {
            if (random() < 0.3) throw new Error("before");
            const runs = await producer.append(appends);
            if (random() < 0.3) throw new Error("behind");
            return runs;
          };
          return { append };
        };
      }
      const value = Reflect.get(target, name, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  return { ...own, log, context: { ...own.context, log } };
}

/** The stored rows of payments from a TX_TIME_SECONDS on, ascending TRANSACTION_ID. */
async function rowsFrom(
  { store, context: { parameters } }: OpenFolder,
  seconds: number,
): Promise<number[][]> {
  const width = PAYMENT_CELLS + featureCount(parameters.features);
  const rows: number[][] = [];
  for await (const { cells, count } of store.rows()) {
    for (let at = 0; at < count * width; at += width) {
      if (cells[at + CELL.time] < seconds) continue;
      rows.push([...cells.subarray(at, at + width)]);
    }
  }
  return rows;
}

const [SEED] = seeds(1, 1);

testWriting(
  `a follower that fails anywhere takes each record once, beside the producer (seed ${SEED})`,
  async () => {
    await using temporary = temporaryFolder();
    await using old = await openFolder(temporary.path, PARAMETERS);
    await using own = await openMemory(PARAMETERS);
    const random = chance(SEED);
    const unsure = failing(own, random);
    const producing = runProducer(old.context, {
      data: SET_A,
      pace: { kind: "rate", perSecond: 4000 },
    });
    let failures = 0;
    for (;;) {
      const stop = AbortSignal.timeout(20 + 200 * random());
      try {
        await follow(unsure, temporary.path, stop);
        if (!stop.aborted) break;
      } catch (error) {
        assert.match((error as Error).message, /^(before|behind)$/);
        failures++;
      }
    }
    await producing;
    assert.ok(failures > 3, `${failures} failures`);
    const records = await recordsOf(old);
    assert.ok(records.flat().length > 2000);
    assert.deepEqual(await recordsOf(own), records);
    const control = new Control(own.log);
    const { complete, follow: position } = await readStatus(own.log, control);
    assert.equal(complete, true);
    assert.equal(position?.records, records.flat().length);
    assert.equal(position.completeFrom, undefined);
    const followers = async () =>
      (await readStatus(old.log, new Control(old.log))).followers;
    assert.equal(await followers(), undefined); // it needs nothing more
    // As if it had been killed before it said so.
    await recordFollower(old.log, {
      id: control.identity?.id ?? "",
      place: "tests",
      offsets: position.offsets,
      at: new Date().toISOString(),
    });
    assert.equal((await followers())?.length, 1);
    await follow(own, temporary.path);
    assert.equal(await followers(), undefined);
  },
);

testWriting(
  "a follower has the features of a stream of its own from the start",
  async () => {
    await using temporary = temporaryFolder();
    await using old = await openFolder(temporary.path, PARAMETERS);
    await produce(old, SET_A);
    await using own = await openMemory(PARAMETERS);
    await follow(own, temporary.path);
    await runBehind(own);
    assert.equal(await featuresSum(own.store), referenceSum("A"));
  },
);

testWriting(
  "a stream keeps what its follower has not taken, and says from when on others are complete",
  async () => {
    await using temporary = temporaryFolder();
    await using old = await openFolder(temporary.path, PARAMETERS);
    // Long enough that a restart needs only the end of it.
    const days = 200;
    const data = { ...SET_A, parameters: { ...SET_A.parameters, days } };
    const stop = new AbortController();
    await runProducer({ ...old.context, signal: stop.signal }, {
      data,
      pace: { kind: "max" },
      published: () => stop.abort(),
    });
    const ends = async ({ log }: OpenFolder) =>
      await log.endOffsets(TRANSACTION_TOPIC);
    await using slow = await openMemory(PARAMETERS);
    const pause = new AbortController();
    const following = follow(slow, temporary.path, pause.signal);
    const first = await ends(old);
    while (String(await ends(slow)) !== String(first)) await delay(5);
    pause.abort();
    await following;
    await produce(old, data);
    await runBehind(old);
    const options = {
      keepDays: 0,
      filesFolder: undefined,
      startSeconds: undefined,
    };
    const trim = async () => {
      await trimStream(old.context, options);
      const [state] = await old.log.topics([TRANSACTION_TOPIC]);
      return state.startOffsets;
    };
    // It has stopped, and nothing that it has not taken goes.
    const held = await trim();
    assert.ok(held.every((start, at) => start <= (first?.[at] ?? 0)));
    const oldControl = new Control(old.log);
    await oldControl.refresh();
    const [follower] = oldControl.followers;
    assert.deepEqual(follower.offsets, first);
    await recordFollower(old.log, { ...follower, isOver: true });
    const starts = await trim();
    assert.ok(starts.every((start, at) => start > held[at]), String(starts));
    await assert.rejects(
      () => follow(slow, temporary.path),
      /were deleted before they were read; --accept-missing-start/,
    );
    await follow(slow, temporary.path, undefined, true);
    const slowly = await readStatus(slow.log, new Control(slow.log));
    await using own = await openMemory(PARAMETERS);
    await follow(own, temporary.path);
    const control = new Control(own.log);
    const { follow: position } = await readStatus(own.log, control);
    assert.equal(slowly.follow?.completeFrom, position?.completeFrom);
    const left = await old.log.endOffsets(TRANSACTION_TOPIC) ?? [];
    const kept = left.reduce((sum, end, at) => sum + end - starts[at], 0);
    assert.equal(position?.records, kept);
    // 30 days of windows and 7 of delay behind the first payment and the lateness.
    const since = position.sinceSeconds ?? NaN;
    assert.equal(
      position.completeFrom,
      Math.ceil((since + 3600) / 86_400 + 37) * 86_400,
    );
    await runBehind(own);
    const from = position.completeFrom - START_SECONDS;
    const complete = await rowsFrom(own, from);
    assert.ok(complete.length > 1000, `${complete.length} complete rows`);
    assert.deepEqual(complete, await rowsFrom(old, from));
    const earlier = await rowsFrom(own, 0);
    const others = new Set((await rowsFrom(old, 0)).map(String));
    assert.ok(earlier.some((row) => !others.has(String(row))));
    const settings = { kind: "embedded" as const, durable: false };
    const found = await readFollowed({
      log: { ...settings, folder: temporary.path },
      place: "tests",
    }, () => {});
    assert.equal(found.firstSeconds, since);
  },
);

testWriting(
  "a stream follows no other than the one that it has begun with",
  async () => {
    await using first = temporaryFolder();
    await using second = temporaryFolder();
    await using own = await openMemory(PARAMETERS);
    const refused = async (path: string, message: RegExp, folder = own) =>
      await assert.rejects(() => follow(folder, path), (error) => {
        assert.ok(error instanceof ConfigError);
        assert.match(error.message, message);
        return true;
      });
    {
      await using old = await openFolder(first.path, PARAMETERS);
      const stop = new AbortController();
      const following = follow(own, first.path, stop.signal);
      const data = { ...SET_A, parameters: { ...SET_A.parameters, days: 5 } };
      await appendPayments(old.log, 1, [paymentAt(3600)]);
      const taken = async () =>
        (await own.log.endOffsets(TRANSACTION_TOPIC))?.[1] === 1;
      while (!await taken()) await delay(5);
      stop.abort();
      await following;
      await using other = await openFolder(second.path, PARAMETERS);
      await produce(other, data);
    }
    await refused(second.path, /is another stream than this one has followed/);
    await using wide = await openMemory({ ...PARAMETERS, partitions: 2 });
    await refused(first.path, /has --partitions=3.* not 2/, wide);
    await using begun = await openMemory(PARAMETERS);
    const stop = new AbortController();
    await runProducer({ ...begun.context, signal: stop.signal }, {
      data: SET_A,
      pace: { kind: "max" },
      published: () => stop.abort(),
    });
    await refused(first.path, /has other payments already/, begun);
  },
);
