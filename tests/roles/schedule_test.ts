import assert from "node:assert/strict";
import fc from "fast-check";
import { FEATURE_SETS, featureNames } from "../../src/features/parameters.ts";
import type { StreamParameters } from "../../src/stream/control.ts";
import { readDeadLetters } from "../../src/stream/dead_letters.ts";
import { REPARTITION_TOPIC } from "../../src/stream/topics.ts";
import { DAY_SECONDS, type Payment } from "../../src/payment/payment.ts";
import { chance, isLong } from "../long.ts";
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
} from "./stages.ts";
import { expectedOf, judge, progressOf } from "./stream_oracle.ts";

const PARAMETERS: StreamParameters = {
  partitions: 3,
  features: {
    set: "handbook",
    windowDays: [1, 2, 4],
    delayDays: 3,
    useLabels: true,
  },
  latenessSeconds: 3600,
  maxGapSeconds: 400 * DAY_SECONDS,
};
/** How long the first stage of either set knows a payment again. */
const KEEP_SECONDS = [4, 7].map((days) => days * DAY_SECONDS + 3600);

/** What arrives next: a payment, or one of the things that go wrong. */
interface Arrival {
  partition: number;
  kind: "payment" | "again" | "conflict" | "late" | "implausible" | "garbage";
  stepSeconds: number;
  backSeconds: number;
  customerId: number;
  terminalId: number;
  cents: number;
  fraud: number;
  which: number;
}

const edges = [1, 2, 3, 4, 5, 7].flatMap((days) =>
  [-1, 0, 1].map((second) => days * DAY_SECONDS + second)
);

const arrivals: fc.Arbitrary<Arrival[]> = fc.array(
  fc.record({
    partition: fc.oneof(fc.constant(0), fc.nat(PARAMETERS.partitions - 1)),
    kind: fc.oneof(
      { weight: 12, arbitrary: fc.constant("payment" as const) },
      { weight: 2, arbitrary: fc.constant("again" as const) },
      { weight: 2, arbitrary: fc.constant("conflict" as const) },
      { weight: 1, arbitrary: fc.constant("late" as const) },
      { weight: 1, arbitrary: fc.constant("implausible" as const) },
      { weight: 1, arbitrary: fc.constant("garbage" as const) },
    ),
    stepSeconds: fc.oneof(
      { weight: 6, arbitrary: fc.integer({ min: 0, max: 20_000 }) },
      { weight: 2, arbitrary: fc.constantFrom(0, ...edges) },
      {
        weight: 1,
        arbitrary: fc.constantFrom(
          ...KEEP_SECONDS.flatMap((keep) => [keep - 1, keep, keep / 2]),
        ),
      },
      { weight: 1, arbitrary: fc.constant(50 * DAY_SECONDS) },
    ),
    backSeconds: fc.oneof(fc.constant(0), fc.nat(3600), fc.constant(3600)),
    customerId: fc.nat(1),
    terminalId: fc.nat(2),
    cents: fc.nat(100_000),
    fraud: fc.nat(1),
    which: fc.nat(6),
  }),
  { minLength: 1, maxLength: 120, size: "max" },
);

/** The arrivals as entries of partitions, in the order of appending: event time, to within the lateness. */
function entriesOf(
  arrivals: readonly Arrival[],
  parameters: StreamParameters,
): { partition: number; entry: Entry }[] {
  const accepted: Payment[][] = partitionsOf(parameters).map(() => []);
  let now = parameters.latenessSeconds;
  return arrivals.map((arrival, transactionId) => {
    const { stepSeconds } = arrival;
    const partition = arrival.partition % parameters.partitions;
    // Longer than --max-gap a partition of the second stage may have no rows,
    // and would refuse the first: the plain rules know partitions of payments.
    if (now + stepSeconds < PARAMETERS.maxGapSeconds) now += stepSeconds;
    const before = accepted[partition];
    const entry = entryOf(arrival, transactionId, now, before, parameters);
    const verdict = judge(entry, before, parameters);
    if (verdict === "accept") before.push(entry as Payment);
    return { partition, entry };
  });
}

function entryOf(
  arrival: Arrival,
  transactionId: number,
  now: number,
  before: readonly Payment[],
  { latenessSeconds }: StreamParameters,
): Entry {
  const { kind, which, customerId, terminalId, fraud } = arrival;
  const progress = progressOf(before);
  const earlier = before.at(-1 - which % Math.max(1, before.length));
  const make = (time: number, id = transactionId) =>
    paymentAt(time, {
      transactionId: id,
      customerId,
      terminalId,
      amount: arrival.cents / 100,
      fraud,
      scenario: fraud,
    });
  const late = progress - latenessSeconds - 1 - which * 1000;
  if (kind === "garbage") return '{"TX_AMOUNT":';
  if (kind === "again" && earlier) return earlier;
  if (kind === "conflict" && earlier) return make(now, earlier.transactionId);
  if (kind === "late" && late >= 0) return make(late);
  if (kind === "implausible") {
    return make(progress + PARAMETERS.maxGapSeconds + 1 + which * DAY_SECONDS);
  }
  return make(now - Math.round(arrival.backSeconds / 3600 * latenessSeconds));
}

interface Schedule {
  /** Decides what is done next. */
  readonly seed: number;
  /** Whether all payments are there before the first step. */
  readonly preloaded: boolean;
  /** How likely it is that a stage's partition is dropped and restored. */
  readonly drops: number;
  /** Most records in a step. */
  readonly records: number;
  /** How likely it is that the commit of a partition that is dropped is damaged before it is restored. */
  readonly damages: number;
  /** Whether partitions are mostly dropped in order, leaving snapshots, of which some are spoilt. */
  readonly snapshots?: boolean;
}

/** Runs the stages over the arrivals by a schedule and compares all that comes out with the oracle. */
async function runSchedule(
  arrivals: readonly Arrival[],
  parameters: StreamParameters,
  { seed, preloaded, drops, records, damages, snapshots }: Schedule,
): Promise<void> {
  await using folder = await openMemory(parameters);
  await using disk = snapshots ? temporaryFolder() : undefined;
  const { log } = folder;
  const entries = entriesOf(arrivals, parameters);
  const sources: Entry[][] = partitionsOf(parameters).map(() => []);
  const random = chance(seed);
  const below = (n: number) => Math.floor(random() * n);
  let appended = 0;
  const append = async (count: number) => {
    for (
      const { partition, entry } of entries.slice(appended, appended + count)
    ) {
      await appendPayments(log, partition, [entry]);
      sources[partition].push(entry);
    }
    appended = Math.min(entries.length, appended + count);
  };
  if (preloaded) await append(entries.length);
  const path = disk?.path;
  const customers = await StageDriver.customers(log, parameters, path);
  const terminals = await StageDriver.terminals(log, parameters, path);
  const spoiler = new SnapshotSpoiler(path, random);
  const order = partitionsOf(parameters);
  for (;;) {
    const what = random();
    if (what < 0.1) await append(1 + below(8));
    else {
      const stage = what < 0.65 ? customers : terminals;
      const partition = below(parameters.partitions);
      if (random() < drops) {
        if (random() < damages) {
          const metadata = DAMAGES[below(DAMAGES.length)];
          // With its own metadata a commit is damaged by another offset only.
          const offset = metadata === undefined || random() < 0.5
            ? 10_000 + below(3)
            : undefined;
          await stage.damage(partition, random() < 0.3 ? 0 : offset, metadata);
        }
        if (random() < 0.7) stage.close(partition);
        if (random() < 0.2) spoiler.spoil();
        await stage.reopen(partition);
      }
      await stage.step(partition, 1 + below(records));
    }
    if (random() > 0.05 || appended < entries.length) continue;
    const before = customers.steps;
    if (await customers.done()) {
      await terminals.drain(order, 1 + below(records));
      break;
    }
    for (const partition of [...order, ...order]) {
      await customers.step(partition, 1);
    }
    assert.ok(customers.steps > before, "the partitions wait for each other");
  }
  assert.ok(await terminals.done());
  await compare(folder.log, sources, parameters, customers, terminals);
}

async function compare(
  log: Parameters<typeof sinkRows>[0],
  sources: Entry[][],
  parameters: StreamParameters,
  customers: StageDriver,
  terminals: StageDriver,
): Promise<void> {
  const expected = expectedOf(sources, parameters);
  const names = featureNames(parameters.features);
  const textOf = (id: unknown, seconds: unknown, values: unknown[]) =>
    `${id} at ${seconds}: ${values.join(" ")}`;
  const found = (await sinkRows(log)).map((row) =>
    textOf(row.TRANSACTION_ID, row.TX_TIME_SECONDS, names.map((n) => row[n]))
  );
  const wanted = expected.rows.map(({ row, values }) =>
    textOf(row.transactionId, row.timeSeconds, values)
  );
  assert.deepEqual(found.sort(), wanted.sort());
  const letters: string[] = [];
  for await (
    const { topic, partition, offset, reason } of readDeadLetters(log)
  ) {
    assert.notEqual(topic, REPARTITION_TOPIC);
    letters.push(`${partition}/${offset} ${reason}`);
  }
  assert.deepEqual(letters.sort(), [...expected.deadLetters].sort());
  const emitted = expected.rows.length;
  const frauds = expected.rows.filter(({ row }) => row.fraud === 1).length;
  assert.deepEqual(await customers.counters(), {
    read: sources.flat().length,
    emitted,
    deadLettered: letters.length,
    duplicates: expected.duplicates,
    frauds,
  });
  assert.deepEqual(await terminals.counters(), {
    read: emitted,
    emitted,
    deadLettered: 0,
    duplicates: 0,
    frauds,
  });
}

/** Does to snapshots what disks, backups and people do. */
class SnapshotSpoiler {
  readonly #folder: string | undefined;
  readonly #random: () => number;
  readonly #kept: Uint8Array[] = [];

  constructor(folder: string | undefined, random: () => number) {
    this.#folder = folder;
    this.#random = random;
  }

  /** Flips a bit of one, cuts it, removes it, or puts another in its place: an older one, one of another partition or stage. */
  spoil(): void {
    if (this.#folder === undefined) return;
    const names = [...Deno.readDirSync(this.#folder)].map(({ name }) => name);
    if (names.length === 0) return;
    const path = `${this.#folder}/${names[this.#below(names.length)]}`;
    const bytes = Deno.readFileSync(path);
    this.#kept.push(bytes);
    const kinds = [
      () => bytes.with(this.#below(bytes.length), this.#below(256)),
      () => bytes.subarray(0, this.#below(bytes.length)),
      () => this.#kept[this.#below(this.#kept.length)],
    ];
    const kind = this.#below(kinds.length + 1);
    if (kind < kinds.length) Deno.writeFileSync(path, kinds[kind]());
    else Deno.removeSync(path);
  }

  #below(limit: number): number {
    return Math.floor(this.#random() * limit);
  }
}

/** Metadata of commits that no stage has made; undefined for its own. */
const DAMAGES = [undefined, "", "{}", "null", '{"progress":12,"head":nul'];

const schedules: [string, Omit<Schedule, "seed">][] = [
  ["with all payments there", {
    preloaded: true,
    drops: 0,
    records: 20,
    damages: 0,
  }],
  ["as they arrive", { preloaded: false, drops: 0, records: 4, damages: 0 }],
  ["dropped and restored before every step", {
    preloaded: true,
    drops: 1,
    records: 3,
    damages: 0,
  }],
  ["as they arrive, dropped and restored at times", {
    preloaded: false,
    drops: 0.3,
    records: 8,
    damages: 0,
  }],
  ["as they arrive, with commits that are lost or set by others", {
    preloaded: false,
    drops: 0.2,
    records: 6,
    damages: 0.7,
  }],
  ["as they arrive, dropped and restored by snapshots, some of them spoilt", {
    preloaded: false,
    drops: 0.4,
    records: 6,
    damages: 0.05,
    snapshots: true,
  }],
];

/** As in a stream from before there was --dedupe, as short as it may be, between, and longer than any window. */
const DEDUPES = [undefined, 3600, 100_000, 10 * DAY_SECONDS];

/** How many random schedules are run: fewer where snapshots are written, and where there are no windows. */
function runsOf(
  set: typeof FEATURE_SETS[number],
  { snapshots }: Omit<Schedule, "seed">,
): number {
  if (isLong) return 600;
  return snapshots || set === "none" ? 20 : 40;
}

for (const set of FEATURE_SETS) {
  const windowDays = set === "none" ? [] : PARAMETERS.features.windowDays;
  const features = { ...PARAMETERS.features, set, windowDays };
  const parameters = { ...PARAMETERS, features };
  for (const [name, schedule] of schedules) {
    const test = schedule.snapshots ? testWriting : Deno.test;
    test(`stages in any order give what the plain rules give, ${set} set, ${name}`, async () => {
      await fc.assert(
        fc.asyncProperty(
          arrivals,
          fc.integer(),
          fc.constantFrom(...DEDUPES),
          (arrivals, seed, dedupeSeconds) =>
            runSchedule(arrivals, { ...parameters, dedupeSeconds }, {
              ...schedule,
              seed,
            }),
        ),
        { numRuns: runsOf(set, schedule) },
      );
    });
  }
}

// The delay is 3 days: what is refused at the start begins with its length.
for (
  const latenessSeconds of [
    DAY_SECONDS - 1,
    DAY_SECONDS + 1,
    2 * DAY_SECONDS,
    3 * DAY_SECONDS - 1,
  ]
) {
  for (const partitions of [1, 3, 4]) {
    Deno.test(`a lateness of ${latenessSeconds} s gives what the plain rules give on ${partitions} partitions`, async () => {
      const parameters = { ...PARAMETERS, latenessSeconds, partitions };
      const [, schedule] = schedules[0];
      await fc.assert(
        fc.asyncProperty(
          arrivals,
          fc.integer(),
          (arrivals, seed) =>
            runSchedule(arrivals, parameters, { ...schedule, seed }),
        ),
        { numRuns: isLong ? 1000 : 12 },
      );
    });
  }
}
