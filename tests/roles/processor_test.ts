import assert from "node:assert/strict";
import { join } from "node:path";
import { LogError } from "../../src/base/error.ts";
import {
  featureNames,
  type FeatureParameters,
  HANDBOOK_FEATURES,
} from "../../src/features/parameters.ts";
import { Control, controlRecords } from "../../src/stream/control.ts";
import { runProcessor } from "../../src/roles/processor.ts";
import { discrepancies, readStatus } from "../../src/stream/status.ts";
import {
  CUSTOMER_GROUP,
  REPARTITION_TOPIC,
  SINK_TOPIC,
  TERMINAL_GROUP,
  TRANSACTION_TOPIC,
} from "../../src/stream/topics.ts";
import { DAY_SECONDS } from "../../src/payment/payment.ts";
import { testWriting } from "../permission.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import {
  batchSum,
  featuresSum,
  openFolder,
  openMemory,
  parametersOf,
  produce,
  referenceSum,
  runAll,
  runBehind,
  SET_A,
  SET_B,
  sinkSum,
} from "./pipeline.ts";
import {
  appendPayments,
  partitionsOf,
  paymentAt,
  sinkRows,
  StageDriver,
  START_SECONDS,
} from "./stages.ts";
import { expectedOf } from "./stream_oracle.ts";

const ROWS_A = 2555;
const FRAUDS_A = 1058;

for (const partitions of [1, 3, 4, 64]) {
  Deno.test(`set A in ${partitions} partitions gives the reference features, roles side by side`, async () => {
    await using folder = await openMemory(parametersOf(partitions));
    await runAll(folder, SET_A);
    assert.equal(await featuresSum(folder.store), referenceSum("A"));
  });

  Deno.test(`set A in ${partitions} partitions gives the reference features, all produced before`, async () => {
    await using folder = await openMemory(parametersOf(partitions));
    await produce(folder, SET_A);
    await runBehind(folder);
    assert.equal(await featuresSum(folder.store), referenceSum("A"));
  });
}

Deno.test("set B in 4 partitions gives the reference features, roles side by side", async () => {
  await using folder = await openMemory(parametersOf(4));
  await runAll(folder, SET_B);
  assert.equal(await featuresSum(folder.store), referenceSum("B"));
});

const EXTENDED: FeatureParameters = { ...HANDBOOK_FEATURES, set: "extended" };

for (
  const [name, data, partitions] of [["A", SET_A, 3], ["B", SET_B, 4]] as const
) {
  Deno.test(`set ${name} in ${partitions} partitions gives the extended features of the same payments in one table`, async () => {
    const parameters = { ...parametersOf(partitions), features: EXTENDED };
    await using folder = await openMemory(parameters);
    await runAll(folder, data);
    const sum = batchSum(data, EXTENDED);
    assert.equal(await featuresSum(folder.store, EXTENDED), sum);
    assert.equal(await sinkSum(folder.log, parameters), sum);
  });
}

Deno.test("the end of every topic is marked with its rows, and the counters add up", async () => {
  await using folder = await openMemory(parametersOf(3));
  await runAll(folder, SET_A);
  const control = new Control(folder.log);
  await control.refresh();
  for (const topic of [TRANSACTION_TOPIC, REPARTITION_TOPIC, SINK_TOPIC]) {
    assert.deepEqual(control.end(topic), { rows: ROWS_A }, topic);
  }
  const status = await readStatus(folder.log, control);
  assert.deepEqual(discrepancies(status), []);
  assert.equal(status.produced, ROWS_A);
  assert.equal(status.deadLetters, 0);
  for (const { counters, lag } of status.stages) {
    assert.equal(lag, 0);
    assert.deepEqual(counters, {
      read: ROWS_A,
      emitted: ROWS_A,
      deadLettered: 0,
      duplicates: 0,
      frauds: FRAUDS_A,
    });
  }
  assert.deepEqual(await folder.store.status(), {
    rows: ROWS_A,
    frauds: FRAUDS_A,
  });
});

Deno.test("a processor that is run again over a finished stream changes nothing", async () => {
  await using folder = await openMemory(parametersOf(3));
  await runAll(folder, SET_A);
  const ends = await folder.log.endOffsets(SINK_TOPIC);
  await runBehind(folder);
  assert.deepEqual(await folder.log.endOffsets(SINK_TOPIC), ends);
});

for (const features of [HANDBOOK_FEATURES, EXTENDED]) {
  Deno.test(`a processor that is stopped at every commit gives the features of one that is not, ${features.set} set`, async () => {
    const parameters = { ...parametersOf(3), features };
    await using folder = await openMemory(parameters);
    const { log, context } = folder;
    await produce(folder, SET_A);
    const commit = log.commit.bind(log);
    let stop = new AbortController();
    log.commit = (...step) => {
      stop.abort();
      return commit(...step);
    };
    const control = new Control(log);
    let runs = 0;
    for (; !control.end(SINK_TOPIC); runs++) {
      stop = new AbortController();
      await runProcessor(
        { ...context, control, signal: stop.signal },
        undefined,
      );
      await control.refresh();
      assert.ok(runs < 1000, "it does not come to an end");
    }
    assert.ok(runs > 5, `only ${runs} runs`);
    assert.equal(await sinkSum(log, parameters), batchSum(SET_A, features));
  });
}

Deno.test("partitions whose payments are 50 days apart do not wait for each other in a circle", async () => {
  const parameters = parametersOf(4);
  await using folder = await openMemory(parameters);
  const { log, context } = folder;
  const sources = partitionsOf(parameters).map((partition) =>
    Array.from(
      { length: 12 },
      (_, i) =>
        paymentAt((50 * i + 13 * partition) * DAY_SECONDS, {
          transactionId: 100 * partition + i,
          customerId: partition,
          terminalId: i % 2,
          amount: i,
          fraud: i % 3 === 0 ? 1 : 0,
        }),
    )
  );
  for (const [partition, rows] of sources.entries()) {
    await appendPayments(log, partition, rows);
  }
  const records = controlRecords();
  records.putEnd(TRANSACTION_TOPIC, { rows: 48 });
  await (await log.producer("end")).append(records.appends());
  await runProcessor(context, START_SECONDS);
  const names = featureNames(parameters.features);
  const found = (await sinkRows(log)).map((row) => [
    row.TRANSACTION_ID,
    ...names.map((name) => row[name]),
  ]);
  const wanted = expectedOf(sources, parameters).rows.map((
    { row, values },
  ) => [row.transactionId, ...values]);
  const byId = (a: unknown[], b: unknown[]) => Number(a[0]) - Number(b[0]);
  assert.deepEqual(found.sort(byId), wanted.sort(byId));
});

for (const group of [CUSTOMER_GROUP, TERMINAL_GROUP]) {
  Deno.test(`a processor whose ${group} fails ends with that error, both stages`, async () => {
    await using folder = await openMemory(parametersOf(3));
    const { log, context } = folder;
    await produce(folder, SET_A);
    const commit = log.commit.bind(log);
    log.commit = (who, topic, steps) =>
      who === group
        ? Promise.reject(new LogError("as if the disk were full"))
        : commit(who, topic, steps);
    await assert.rejects(
      runProcessor(context, undefined),
      (error) =>
        error instanceof LogError && /as if the disk/.test(error.message),
    );
  });
}

/** How stage 2 goes along with stage 1. */
type Interleaving = "after" | "before" | "at random";

interface Greedy {
  readonly set: "A" | "B";
  readonly partitions: number;
  /** The partitions of stage 1, the preferred first. */
  readonly order: "lowest first" | "highest first";
  readonly second: Interleaving;
  /** Records in a step of stage 1. */
  readonly records: number;
}

/** Stage 1 goes back to its preferred partition after each step; asserts the features and that it was held back. */
async function runGreedy(folder: string, greedy: Greedy): Promise<void> {
  const parameters = parametersOf(greedy.partitions);
  await using opened = await openFolder(folder, parameters);
  const { log } = opened;
  const customers = await StageDriver.customers(log, parameters);
  const terminals = await StageDriver.terminals(log, parameters);
  const lowest = partitionsOf(parameters);
  const order = greedy.order === "lowest first" ? lowest : lowest.toReversed();
  let turn = 12_345;
  await customers.drain(order, greedy.records, async () => {
    if (greedy.second === "before") await terminals.drain(lowest);
    if (greedy.second === "at random") {
      turn = (turn * 1_103_515_245 + 12_345) % 2 ** 31;
      if (turn % 3 === 0) {
        await terminals.step((turn >> 8) % greedy.partitions, 1 + turn % 50);
      }
    }
  });
  assert.ok(await customers.done(), "stage 1 is stuck");
  await terminals.drain(lowest);
  assert.ok(await terminals.done());
  assert.ok(customers.heldBack > 0, "stage 1 was never held back");
  assert.equal(await sinkSum(log, parameters), referenceSum(greedy.set));
}

/** Runs greedy orders over copies of one produced stream. */
function testGreedy(
  name: string,
  set: "A" | "B",
  partitions: number,
  runs: Pick<Greedy, "order" | "second" | "records">[],
) {
  testWriting(name, async () => {
    await using folder = temporaryFolder();
    const source = join(folder.path, "source");
    Deno.mkdirSync(source);
    {
      await using opened = await openFolder(source, parametersOf(partitions));
      await produce(opened, set === "A" ? SET_A : SET_B);
    }
    for (const [i, run] of runs.entries()) {
      const copy = join(folder.path, `run ${i}`);
      Deno.mkdirSync(copy);
      Deno.copyFileSync(join(source, "log.db"), join(copy, "log.db"));
      await runGreedy(copy, { set, partitions, ...run });
    }
  });
}

testGreedy(
  "set B gives the reference features when one partition is read as far as it may go before the next, either way round",
  "B",
  4,
  [
    { order: "lowest first", second: "after", records: Infinity },
    { order: "highest first", second: "before", records: Infinity },
    { order: "lowest first", second: "at random", records: 500 },
  ],
);

const allWays = (["lowest first", "highest first"] as const).flatMap((order) =>
  (["after", "before", "at random"] as const).flatMap((second) =>
    [7, Infinity].map((records) => ({ order, second, records }))
  )
);

for (const partitions of [2, 5]) {
  testGreedy(
    `set A in ${partitions} partitions gives the reference features in every greedy order, in large and small steps`,
    "A",
    partitions,
    allWays,
  );
}
