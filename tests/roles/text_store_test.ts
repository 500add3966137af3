/**
 * A stream of text ids and kept fields from its payments to both tables of the
 * store: what the topics say, row by row, whatever is killed on the way.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { join } from "node:path";
import {
  featureNames,
  HANDBOOK_FEATURES,
} from "../../src/features/parameters.ts";
import { partitionOf } from "../../src/log/partitioner.ts";
import { batchHead } from "../../src/log/record_batch.ts";
import { DAY_SECONDS, type Payment } from "../../src/payment/payment.ts";
import { predictionStage } from "../../src/roles/prediction_writer.ts";
import type { ScoringSettings } from "../../src/roles/role.ts";
import { scorerStage } from "../../src/roles/scorer.ts";
import { runWriter } from "../../src/roles/writer.ts";
import { ownValue } from "../../src/store/cell_rows.ts";
import type { Store } from "../../src/store/store.ts";
import { Control, type StreamParameters } from "../../src/stream/control.ts";
import { findRepeatedIds } from "../../src/stream/repeated_ids.ts";
import { runStage } from "../../src/stream/stage.ts";
import { PREDICTION_TOPIC, SINK_TOPIC } from "../../src/stream/topics.ts";
import { verifyStore } from "../../src/stream/verify_store.ts";
import { chance, forEachSeed } from "../long.ts";
import { testWriting } from "../permission.ts";
import { TEXT_DEFINITION, textRecord } from "../stream/text_stream.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { linearModel, writeModel } from "./models.ts";
import { type OpenFolder, openMemory } from "./pipeline.ts";
import {
  appendPayments,
  partitionsOf,
  paymentAt,
  sinkRows,
  StageDriver,
  START_SECONDS,
  valuesOfTopic,
} from "./stages.ts";
import { NOTHING_WRONG } from "../stream/verified.ts";

const PARAMETERS: StreamParameters = {
  partitions: 3,
  features: HANDBOOK_FEATURES,
  latenessSeconds: 3600,
  maxGapSeconds: 30 * DAY_SECONDS,
  partitioner: "murmur2",
  definition: TEXT_DEFINITION,
};

type Row = Record<string, number | string | null>;

function payments(random: () => number): Payment[] {
  const below = (n: number) => Math.floor(random() * n);
  return Array.from({ length: 600 }, (_, n) =>
    paymentAt(200 * n, {
      transactionId: 7919 * n % 1000,
      customerId: below(30),
      terminalId: below(20),
      amount: below(30_000) / 100,
      fraud: below(5) === 0 ? 1 : 0,
    }));
}

/** Payments through both stages, in memory. */
async function processed(random: () => number): Promise<OpenFolder> {
  const folder = await openMemory(PARAMETERS);
  const { log } = folder;
  for (const row of payments(random)) {
    const [key] = textRecord(row);
    const partition = partitionOf(new TextEncoder().encode(key), 3);
    await appendPayments(log, partition, [row], textRecord);
  }
  for (const open of [StageDriver.customers, StageDriver.terminals]) {
    const driver = await open(log, PARAMETERS);
    await driver.drain(partitionsOf(PARAMETERS));
  }
  return folder;
}

/** Rows by their ids' bytes, the last of each id. */
function byId(rows: readonly Row[]): Row[] {
  const last = new Map(rows.map((row) => [row.TRANSACTION_ID, row]));
  return [...last.values()].sort((a, b) =>
    Buffer.compare(
      Buffer.from(String(a.TRANSACTION_ID)),
      Buffer.from(String(b.TRANSACTION_ID)),
    )
  );
}

/** What the store holds, through its look-ups, in the order of rows(). */
async function storedRows(store: Store): Promise<Row[]> {
  const lookUp = store.lookUp();
  const names = featureNames(HANDBOOK_FEATURES);
  const found: Row[] = [];
  for await (const { cells, count, texts } of store.rows()) {
    const width = cells.length / 4096;
    for (let row = 0; row < count; row++) {
      const id = ownValue(cells[row * width], "text", texts);
      const one = await lookUp.payment(String(id));
      assert.ok(one);
      const { payment, features, kept: [category, population] } = one;
      found.push({
        TRANSACTION_ID: id,
        TX_DATETIME: payment.datetime,
        CUSTOMER_ID: payment.customerId,
        TERMINAL_ID: payment.terminalId,
        TX_AMOUNT: payment.amount,
        TX_TIME_SECONDS: payment.timeSeconds,
        TX_TIME_DAYS: Math.floor(payment.timeSeconds / DAY_SECONDS),
        TX_FRAUD: payment.fraud,
        TX_FRAUD_SCENARIO: payment.scenario,
        category,
        population,
        ...Object.fromEntries(names.map((name, i) => [name, features[i]])),
      });
    }
  }
  return found;
}

/** The store, which dies at the n-th write, before or after it. */
function dying(store: Store, when: "before" | "after", n: number): Store {
  let writes = 0;
  return new Proxy(store, {
    get(target, name) {
      const value = Reflect.get(target, name, target);
      if (name !== "write") {
        return typeof value === "function" ? value.bind(target) : value;
      }
      return async (...given: Parameters<Store["write"]>) => {
        const dies = ++writes === n;
        if (dies && when === "before") throw new Error("killed");
        await target.write(...given);
        if (dies) throw new Error("killed");
      };
    },
  });
}

async function write(
  { context }: OpenFolder,
  store: Store,
): Promise<void> {
  const control = new Control(context.log);
  await control.refresh();
  await runWriter({ ...context, control }, {
    store,
    startSeconds: START_SECONDS,
    onlyPresent: true,
  });
}

async function differences(
  { context: { log }, store }: OpenFolder,
): Promise<unknown> {
  const control = new Control(log);
  await control.refresh();
  return await verifyStore({
    log,
    control,
    parameters: PARAMETERS,
    store,
    signal: new AbortController().signal,
    compared: () => {},
  });
}

testWriting(
  "text ids and kept fields are stored as the sink has them, also after kills and lost rows",
  async () => {
    await forEachSeed(2, 10, async (seed) => {
      const random = chance(seed);
      await using folder = await processed(random);
      const { log, store } = folder;
      // Small batches, so that there are many writes.
      const consume = log.consume.bind(log);
      log.consume = (options) =>
        consume({
          ...options,
          open: async (partition, commit) => {
            const task = await options.open(partition, commit);
            return {
              ...task,
              step: (batch) => task.step(batchHead(batch, 40)),
            };
          },
        });
      for (const when of ["before", "after", "after"] as const) {
        const n = 1 + Math.floor(3 * random());
        await assert.rejects(write(folder, dying(store, when, n)), /killed/);
      }
      await write(folder, store);
      const expected = byId(await sinkRows(log));
      assert.equal(expected.length, 600);
      assert.deepEqual(await storedRows(store), expected);
      const payments = { ...NOTHING_WRONG, equal: 600 };
      assert.deepEqual(await differences(folder), {
        payments,
        labels: undefined,
        predictions: undefined,
      });
      const frauds = expected.filter((row) => row.TX_FRAUD === 1).length;
      assert.deepEqual(await store.status(), { rows: 600, frauds });
      // A truncated table heals: the last row is looked for by its text.
      const positions = await store.positions();
      assert.ok(positions.every(({ lastId }) => typeof lastId === "string"));
      await store.clear(SINK_TOPIC);
      await store.savePositions(positions);
      await write(folder, store);
      assert.deepEqual(await storedRows(store), expected);
      assert.deepEqual(await findRepeatedIds(log, SINK_TOPIC, 100), {
        ids: 0,
        surplus: 0,
        examples: [],
      });
    });
  },
);

testWriting(
  "payments with text ids are scored once each, by card, and their predictions stored",
  async () => {
    await using files = temporaryFolder();
    const path = join(files.path, "model.json");
    writeModel(path, linearModel());
    const random = chance(7);
    await using folder = await processed(random);
    const { context, log, store } = folder;
    const scoring: ScoringSettings = {
      model: { kind: "file", path },
      policy: { kind: "cards", perDay: 9 },
      explain: "all",
    };
    await context.control.declareScored();
    const scorer = await StageDriver.open(
      log,
      PARAMETERS,
      (context) =>
        scorerStage(context, { scoring, startSeconds: START_SECONDS }),
    );
    const partitions = partitionsOf(PARAMETERS);
    while (!await scorer.done()) {
      for (const partition of partitions) {
        await scorer.step(partition, 1 + Math.floor(60 * random()));
        if (random() < 0.3) await scorer.reopen(partition);
      }
    }
    const run = await predictionStage(context, {
      store: store.predictions(),
      startSeconds: START_SECONDS,
      onlyPresent: true,
    });
    await runStage(context, run);
    await write(folder, store);
    const records = (await valuesOfTopic(log, PREDICTION_TOPIC))
      .map((value) => JSON.parse(value));
    const sink = byId(await sinkRows(log));
    const scored = byId(records);
    assert.equal(records.length, 600);
    for (const [i, prediction] of scored.entries()) {
      for (
        const name of [
          "TRANSACTION_ID",
          "CUSTOMER_ID",
          "TERMINAL_ID",
          "TX_AMOUNT",
        ]
      ) {
        assert.equal(prediction[name], sink[i][name]);
      }
    }
    const alerted = records.filter(({ ALERT }) => ALERT === 1);
    assert.ok(alerted.length > 0);
    const rows = { rows: 600, alerts: alerted.length };
    assert.deepEqual(await store.predictions().status(), rows);
    const right = { ...NOTHING_WRONG, equal: 600 };
    assert.deepEqual(await differences(folder), {
      payments: right,
      labels: undefined,
      predictions: right,
    });
  },
);
