/**
 * What comparing a store with the log finds: every kind of difference is
 * counted and named, and what is none is not. `status --verify` shows it.
 */
import assert from "node:assert/strict";
import { HANDBOOK_FEATURES } from "../../src/features/parameters.ts";
import { CELL } from "../../src/payment/payment_cells.ts";
import { runProcessor } from "../../src/roles/processor.ts";
import { runWriter } from "../../src/roles/writer.ts";
import type { BadRow } from "../../src/store/stored_row.ts";
import type { Store } from "../../src/store/store.ts";
import { paymentTable } from "../../src/store/tables.ts";
import { PREDICTION_TOPIC, SINK_TOPIC } from "../../src/stream/topics.ts";
import {
  isRight,
  type TableVerification,
  verifyStore,
} from "../../src/stream/verify_store.ts";
import { runLabelWriter } from "../../src/roles/label_writer.ts";
import { rebuild } from "../../src/roles/rebuild.ts";
import { DAY_SECONDS } from "../../src/payment/payment.ts";
import type { StreamParameters } from "../../src/stream/control.ts";
import { join } from "node:path";
import { inDatabase } from "../base/sqlite/in_database.ts";
import { testWriting } from "../permission.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { appendOf, valuesOf } from "../log/records.ts";
import {
  type OpenFolder,
  openFolder,
  openMemory,
  parametersOf,
  produce,
  SET_A,
  withIdMax,
} from "../roles/pipeline.ts";
import { NOTHING_WRONG } from "./verified.ts";

const PARTITIONS = 2;
const PARAMETERS = parametersOf(PARTITIONS);
const { width } = paymentTable(HANDBOOK_FEATURES);
const LIMIT = { records: 4096, bytes: 1 << 20 };

/** A stream that was processed, and stored if it says so. */
async function stream(isStored = true): Promise<OpenFolder> {
  const folder = await openMemory(PARAMETERS);
  await produce(folder, SET_A);
  await runProcessor(folder.context, undefined);
  if (isStored) {
    await runWriter(folder.context, {
      store: folder.store,
      startSeconds: undefined,
    });
  }
  return folder;
}

/** The store as it is, but its rows are others, and some cannot be read. */
function edited(
  store: Store,
  edit: (rows: Float64Array[]) => Float64Array[] | Promise<Float64Array[]>,
  bad: readonly BadRow[] = [],
): Store {
  const rows: Store["rows"] = async function* (signal, onBadRow) {
    const found: Float64Array[] = [];
    for await (const { cells, count } of store.rows(signal, onBadRow)) {
      for (let row = 0; row < count; row++) {
        found.push(cells.slice(row * width, (row + 1) * width));
      }
    }
    if (onBadRow) bad.forEach(onBadRow);
    for (const cells of await edit(found)) yield { cells, count: 1 };
  };
  return new Proxy(store, {
    get: (target, key) => {
      if (key === "rows") return rows;
      const value = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

async function verified(
  { log, context: { control } }: OpenFolder,
  store: Store,
): Promise<TableVerification> {
  const result = await verifyStore({
    log,
    control,
    parameters: PARAMETERS,
    store,
    signal: new AbortController().signal,
    compared: () => {},
  });
  assert.equal(result.predictions, undefined);
  return result.payments;
}

/** A row of another id, later than all. */
function another(row: Float64Array, id: number): Float64Array {
  const made = row.slice();
  made[CELL.id] = id;
  return made;
}

Deno.test("rows that are gone, changed, foreign or unreadable are counted, and the first of them named", async () => {
  await using folder = await stream();
  const { rows } = await folder.store.status();
  const whole = await verified(folder, folder.store);
  assert.deepEqual(whole, { ...NOTHING_WRONG, equal: rows });
  assert.ok(isRight(whole));

  const bad = [3, 8_000_000].map((id) => ({
    table: "transactions",
    transactionId: String(id),
    problem: "tx_amount is null",
  }));
  const store = edited(folder.store, (rows) => {
    const kept = rows.filter(({ [CELL.id]: id }) => ![0, 3, 50].includes(id));
    for (const row of kept) if (row[CELL.id] === 7) row[CELL.amount] += 0.01;
    return [...kept, another(rows[rows.length - 1], 9_000_000)];
  }, bad);
  const found = await verified(folder, store);
  const { first, ...counts } = found;
  assert.deepEqual(counts, {
    equal: rows - 4,
    missing: 2,
    different: 2,
    unknown: 2,
    notVerifiable: 0,
    pending: 0,
  });
  assert.equal(isRight(found), false);
  assert.equal(first.length, 5);
  assert.match(
    first[0],
    /^transaction 0 \(partition \d, offset 0\) is missing/,
  );
  assert.match(first[1], /transaction_id 3: tx_amount is null/);
  assert.match(first[2], /^transaction 7 \(.*\) is different$/);
  assert.match(first[3], /^transaction 50 \(.*\) is missing$/);
  assert.match(first[4], /^transaction 9000000 is not in the log$/);
});

Deno.test("what was not stored yet, or has come meanwhile, is no difference", async () => {
  await using folder = await stream(false);
  const { log, store } = folder;
  const { pending, ...none } = await verified(folder, store);
  assert.ok(pending > 2000, `${pending}`);
  assert.deepEqual(none, {
    equal: 0,
    missing: 0,
    different: 0,
    unknown: 0,
    notVerifiable: 0,
    first: [],
  });

  await runWriter(folder.context, { store, startSeconds: undefined });
  const { rows } = await store.status();
  const [text] = valuesOf(await log.read(SINK_TOPIC, 0, 0, LIMIT));
  const fields = JSON.parse(text);
  const producer = await log.producer("somebody");
  const ids = [7_000_000, 7_000_001];
  const meanwhile = edited(store, async (rows) => {
    // The writer has stored both since; one can no longer be read.
    const values = ids.map((id) =>
      JSON.stringify({ ...fields, TRANSACTION_ID: id })
    );
    await producer.append([appendOf(SINK_TOPIC, 0, values)]);
    return [...rows, another(rows[rows.length - 1], ids[0])];
  }, [{ table: "t", transactionId: String(ids[1]), problem: "damaged" }]);
  const found = await verified(folder, meanwhile);
  assert.deepEqual(found, { ...NOTHING_WRONG, equal: rows + 1 });
});

Deno.test("a row is right as any of the records of its id, and records that are no rows count for nothing", async () => {
  await using folder = await stream();
  const { log, store } = folder;
  const { rows } = await store.status();
  const [text] = valuesOf(await log.read(SINK_TOPIC, 0, 0, LIMIT));
  const fields = JSON.parse(text);
  const again = { ...fields, TX_AMOUNT: fields.TX_AMOUNT + 1 };
  const producer = await log.producer("somebody");
  const values = [JSON.stringify(again), "no payment"];
  await producer.append([appendOf(SINK_TOPIC, 1, values)]);
  assert.deepEqual(await verified(folder, store), {
    ...NOTHING_WRONG,
    equal: rows,
  });
  // A table whose ids are small holds no others.
  const small = withIdMax(
    edited(store, (rows) => rows.filter(({ [CELL.id]: id }) => id <= 100)),
    100,
  );
  assert.deepEqual(await verified(folder, small), {
    ...NOTHING_WRONG,
    equal: 101,
  });
});

Deno.test("records of the prediction topic that are no predictions, or not the table's, count for nothing", async () => {
  await using folder = await stream();
  const { log, context: { control } } = folder;
  await control.declareScored();
  const prediction = (id: number) =>
    JSON.stringify({
      TRANSACTION_ID: id,
      TX_DATETIME: "2018-04-02 00:10:00",
      CUSTOMER_ID: 1,
      TERMINAL_ID: 2,
      TX_AMOUNT: 10.5,
      TX_TIME_SECONDS: 86_400 + 600,
      SCORE: 0.25,
      ALERT: 0,
      MODEL_VERSION: "0123456789ab",
    });
  const values = ["no prediction", prediction(5), prediction(101)];
  const producer = await log.producer("somebody");
  await producer.append([appendOf(PREDICTION_TOPIC, 0, values)]);
  const { store } = folder;
  const small = new Proxy<Store>(store, {
    get: (target, key) => {
      if (key === "predictions") {
        return () => withIdMax(store.predictions(), 100);
      }
      const value = Reflect.get(target, key, target);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const { predictions } = await verifyStore({
    log,
    control,
    parameters: PARAMETERS,
    store: small,
    signal: new AbortController().signal,
    compared: () => {},
  });
  assert.deepEqual(predictions, { ...NOTHING_WRONG, equal: 0, pending: 1 });
});

Deno.test("rows of a time that the log no longer holds as a whole are not verifiable, later ones are", async () => {
  await using folder = await stream();
  const { log, store } = folder;
  const { rows } = await store.status();
  for (let p = 0; p < PARTITIONS; p++) await log.trim(SINK_TOPIC, p, 500);
  const starts = (await log.topics([SINK_TOPIC]))[0].startOffsets;
  const gone = starts.reduce((sum, start) => sum + start, 0);
  assert.ok(gone > 0);
  const trimmed = await verified(folder, store);
  assert.deepEqual(trimmed, {
    ...NOTHING_WRONG,
    equal: rows - gone,
    notVerifiable: gone,
  });
  const more = edited(store, (rows) => [
    ...rows,
    another(rows[rows.length - 1], 9_000_000),
  ]);
  assert.equal((await verified(folder, more)).unknown, 1);
  // Nothing is known of a log without records.
  const ends = await log.endOffsets(SINK_TOPIC) ?? [];
  for (const [p, end] of ends.entries()) await log.trim(SINK_TOPIC, p, end);
  assert.ok(isRight(await verified(folder, store)));
});

const LABEL_PARAMETERS: StreamParameters = {
  ...parametersOf(PARTITIONS),
  features: { ...HANDBOOK_FEATURES, graceSeconds: DAY_SECONDS },
};

testWriting(
  "labels that are gone, changed, foreign or damaged are named, and so is a TX_FRAUD that no label says; rebuild stores them again",
  async () => {
    await using place = temporaryFolder();
    await using folder = await openFolder(place.path, LABEL_PARAMETERS);
    await produce(folder, SET_A);
    await runProcessor(folder.context, undefined);
    const { log, store, context } = folder;
    const fill = { startSeconds: undefined };
    await runWriter(context, { ...fill, store });
    await runLabelWriter(context, { ...fill, store: store.labels() });
    const whole = await store.status();
    const labels = await store.labels().status();
    const verify = () =>
      verifyStore({
        log,
        control: context.control,
        parameters: LABEL_PARAMETERS,
        store,
        signal: context.signal,
        compared: () => {},
      });
    const equal = {
      payments: { ...NOTHING_WRONG, equal: whole.rows },
      labels: { ...NOTHING_WRONG, equal: labels?.rows },
      predictions: undefined,
    };
    assert.deepEqual(await verify(), equal);
    inDatabase(join(place.path, "store.db"), (database) => {
      database.exec(`
        UPDATE transactions SET tx_fraud = 1 WHERE transaction_id = 5;
        UPDATE transactions SET tx_fraud = NULL WHERE transaction_id = 6;
        DELETE FROM transaction_label WHERE transaction_id = 7;
        UPDATE transaction_label SET known_at = '2018-04-30 00:00:00',
          row_check = NULL WHERE transaction_id = 8;
        INSERT INTO transaction_label SELECT 9, known_at, 1000000, 0,
          known_time, tx_fraud, tx_fraud_scenario, NULL
          FROM transaction_label WHERE transaction_id = 9;
        UPDATE transaction_label SET tx_fraud_scenario = 2
          WHERE transaction_id = 2000;
      `);
    });
    await assert.rejects(verify, {
      code: "STORE",
      message: /^transaction_label, transaction_id 2000: the row does not mat/,
    });
    inDatabase(join(place.path, "store.db"), (database) => {
      database.exec(
        "DELETE FROM transaction_label WHERE transaction_id = 2000",
      );
    });
    const found = await verify();
    const { first, ...payments } = found.payments;
    const { first: _, ...none } = NOTHING_WRONG;
    assert.deepEqual(payments, {
      ...none,
      equal: whole.rows - 4,
      different: 4,
    });
    assert.deepEqual(first, [
      "transactions, transaction_id 5: tx_fraud is 1 and should be 0",
      "transactions, transaction_id 6: tx_fraud is null and should be 0",
      "transactions, transaction_id 7: tx_fraud is 0 and should be null",
      "transactions, transaction_id 2000: tx_fraud is 0 and should be null",
    ]);
    const { first: named, ...counts } = found.labels ?? NOTHING_WRONG;
    const stored = labels?.rows ?? 0;
    assert.deepEqual(counts, {
      ...none,
      equal: stored - 3,
      missing: 2,
      different: 1,
      unknown: 1,
    });
    const label =
      /^the label of transaction_label_topic partition \d, offset \d+ is (missing|different|not in the log)$/;
    for (const text of named) assert.match(text, label);
    assert.equal(named.length, 4);
    await rebuild(context, {
      store,
      ...fill,
      acceptMissingStart: false,
      stored: () => {},
    });
    assert.deepEqual(await verify(), equal);
    assert.deepEqual(await store.status(), whole);
    assert.ok(whole.frauds > 0);
  },
);
