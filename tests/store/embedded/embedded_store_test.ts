import assert from "node:assert/strict";
import { join } from "node:path";
import fc from "fast-check";
import { ConfigError, StoreError } from "../../../src/base/error.ts";
import {
  FRAUD_UNKNOWN,
  PAYMENT_CELLS,
} from "../../../src/payment/payment_cells.ts";
import { UNLABELLED_SHAPE } from "../../../src/payment/payment_shape.ts";
import {
  featureCount,
  featureNames,
  type FeatureParameters,
  HANDBOOK_FEATURES,
} from "../../../src/features/parameters.ts";
import { emptyPredictions } from "../../../src/payment/prediction.ts";
import { EmbeddedStore } from "../../../src/store/embedded/embedded_store.ts";
import { formatDatetime } from "../../../src/payment/calendar.ts";
import {
  INT_MAX,
  PAYMENT_FIELDS,
  TRANSACTION_ID_MAX,
} from "../../../src/payment/payment.ts";
import { inDatabase } from "../../base/sqlite/in_database.ts";
import { testWriting } from "../../permission.ts";
import { temporaryFolder } from "../../temporary_folder.ts";
import { LABEL_SHAPES, testLabels } from "../label_contract.ts";
import {
  contents as ownContents,
  kept,
  ownPayments,
  rowsOf,
  testOwnShapes,
  TEXT_SHAPE,
} from "../own_shape_contract.ts";
import { testPredictions } from "../prediction_contract.ts";
import {
  cellsOf,
  contents,
  type ContractOptions,
  oneRow,
  positionOf,
  testStore,
  TWO_WINDOWS,
} from "../store_contract.ts";

const CONTRACT: ContractOptions = {
  name: "embedded store",
  test: (name, body) => Deno.test(name, body),
  open: (features) =>
    Promise.resolve(
      new EmbeddedStore({ path: ":memory:", features, durable: false }),
    ),
  idMax: TRANSACTION_ID_MAX,
  runs: 50,
};

testStore(CONTRACT);
testPredictions(CONTRACT);
testOwnShapes({
  name: "embedded store",
  test: (name, body) => Deno.test(name, body),
  open: (features, shape) =>
    Promise.resolve(
      new EmbeddedStore({ path: ":memory:", features, shape, durable: false }),
    ),
  runs: 50,
});

testLabels({
  name: "embedded store",
  test: (name, body) => Deno.test(name, body),
  open: (features, shape) =>
    Promise.resolve(
      new EmbeddedStore({ path: ":memory:", features, shape, durable: false }),
    ),
  shapes: LABEL_SHAPES,
  runs: 50,
});

testWriting(
  "the table's columns are the fields and the features in lower case",
  async () => {
    await using folder = temporaryFolder();
    const path = join(folder.path, "store.db");
    const { row, values } = oneRow(TWO_WINDOWS);
    {
      await using store = new EmbeddedStore({
        path,
        features: TWO_WINDOWS,
        durable: true,
      });
      await store.write(cellsOf([{ row, values }]));
    }
    const found = inDatabase(
      path,
      (database) => database.prepare("SELECT * FROM transactions").get(),
    );
    assert.ok(found);
    assert.deepEqual(
      Object.keys(found),
      [...PAYMENT_FIELDS, ...featureNames(TWO_WINDOWS), "row_check"].map(
        (name) => name.toLowerCase(),
      ),
    );
    assert.equal(found.tx_datetime, formatDatetime(row.datetimeSeconds));
    assert.equal(found.tx_time_days, Math.floor(row.timeSeconds / 86_400));
    assert.equal(found.tx_amount, row.amount);
  },
);

Deno.test("of two rows with one id in a write the later one stays", async () => {
  await using store = await CONTRACT.open(TWO_WINDOWS);
  const { row, values } = oneRow(TWO_WINDOWS);
  const later = { ...row, amount: 77.5 };
  const other = { ...row, transactionId: row.transactionId + 1 };
  await store.write(cellsOf([
    { row: other, values },
    { row, values },
    { row: later, values },
  ]));
  const found = await store.lookUp().payment(row.transactionId);
  assert.equal(found?.payment.amount, 77.5);
  assert.deepEqual(await store.status(), { rows: 2, frauds: 2 * row.fraud });
});

testWriting(
  "a store of other windows is refused in one clear line",
  async () => {
    await using folder = temporaryFolder();
    const path = join(folder.path, "store.db");
    const open = (features: FeatureParameters) =>
      new EmbeddedStore({ path, features, durable: false });
    await open(HANDBOOK_FEATURES)[Symbol.asyncDispose]();
    assert.throws(() => open(TWO_WINDOWS), (error) => {
      assert.ok(error instanceof ConfigError);
      assert.match(error.message, /holds the features of other windows/);
      assert.ok(error.message.includes(path), error.message);
      return true;
    });
  },
);

testWriting("a file that is no store is refused as StoreError", async () => {
  await using folder = temporaryFolder();
  const path = join(folder.path, "store.db");
  Deno.writeTextFileSync(path, "something else ".repeat(1000));
  assert.throws(
    () => new EmbeddedStore({ path, features: TWO_WINDOWS, durable: false }),
    StoreError,
  );
});

testWriting(
  "rows that others have put into the table or changed are named, or left out",
  async () => {
    await using folder = temporaryFolder();
    const path = join(folder.path, "store.db");
    const { row, values } = oneRow(TWO_WINDOWS);
    const stored = [3, 4, 5].map((transactionId) => ({
      row: { ...row, transactionId },
      values,
    }));
    await using store = new EmbeddedStore({
      path,
      features: TWO_WINDOWS,
      durable: false,
    });
    await store.write(cellsOf(stored));
    const copy = (id: string) =>
      `INSERT INTO transactions SELECT ${id}, ` +
      "tx_datetime, customer_id, terminal_id, tx_amount, tx_time_seconds, " +
      "tx_time_days, tx_fraud, tx_fraud_scenario, " +
      featureNames(TWO_WINDOWS).map((name) => name.toLowerCase()).join() +
      ", NULL FROM transactions WHERE transaction_id = 3";
    inDatabase(path, (database) => {
      database.exec(copy("-7"));
      database.exec(copy("9007199254740993"));
      database.exec(
        "UPDATE transactions SET tx_datetime = 'odd' WHERE transaction_id = 4",
      );
    });
    await assert.rejects(contents(store, TWO_WINDOWS), {
      code: "STORE",
      message:
        /store.db, table transactions, transaction_id -7: transaction_id -7 is not in/,
    });
    const bad: string[] = [];
    const ids: number[] = [];
    const rows = store.rows(undefined, ({ transactionId, problem }) => {
      bad.push(`${transactionId}: ${problem.split(" ", 1)}`);
    });
    const width = PAYMENT_CELLS + featureCount(TWO_WINDOWS);
    for await (const { cells, count } of rows) {
      for (let i = 0; i < count; i++) ids.push(cells[i * width]);
    }
    assert.deepEqual(ids, [3, 5]);
    assert.deepEqual(bad, [
      "-7: transaction_id",
      "4: tx_datetime",
      "9007199254740993: transaction_id",
    ]);
    const lookUp = store.lookUp();
    const named = { code: "STORE", message: /transaction_id 4: tx_datetime/ };
    await assert.rejects(lookUp.payment(4), named);
    const range = { fromSeconds: 0, toSeconds: INT_MAX, limit: 2 };
    await assert.rejects(lookUp.ofCustomer(row.customerId, range), {
      code: "STORE",
      message: /store.db, table transactions, transaction_id/,
    });
  },
);

/** Changes of what the store keeps, each in a table and a column. */
const CHANGES = {
  "a payment's feature":
    "UPDATE transactions SET customer_id_nb_tx_3day_window = 7",
  "a payment's amount": "UPDATE transactions SET tx_amount = 500000000.25",
  "a payment's id": "UPDATE transactions SET transaction_id = 77",
  "a payment's checksum": "UPDATE transactions SET row_check = row_check + 1",
  "a prediction's score": "UPDATE transaction_prediction SET score = 0.75",
  "a prediction's explanation":
    "UPDATE transaction_prediction SET contributions = '{}'",
  "a prediction's place": "UPDATE transaction_prediction SET record_offset = 8",
  "a metric": "UPDATE model_metrics SET value = 2",
  "a verdict": "UPDATE transaction_verdict SET label = 1 - label",
  "a position": "UPDATE stream_position SET next_offset = 3",
};

for (const [what, sql] of Object.entries(CHANGES)) {
  testWriting(
    `a change of ${what} is named, without a checksum it is taken`,
    async () => {
      await using folder = temporaryFolder();
      const path = join(folder.path, "store.db");
      const { row, values } = oneRow(TWO_WINDOWS);
      const features = TWO_WINDOWS;
      await using store = new EmbeddedStore({ path, features, durable: false });
      const id = row.transactionId;
      const table = store.predictions();
      await store.write(cellsOf([{ row, values }]), undefined, [
        positionOf("a", "t", 0, 2),
      ]);
      const prediction = emptyPredictions(1);
      prediction.cells.set([id, 1e9, 1, 2, 0.5, 1e9 % 86_400, 0.25, 1]);
      prediction.versions[0] = "abc";
      prediction.contributions[0] = '{"TX_AMOUNT":1}';
      prediction.partitions[0] = 0;
      prediction.offsets[0] = 7;
      prediction.count = 1;
      await table.write(prediction);
      const metric = { day: 1, version: "abc", metric: "AUC", value: 0.5 };
      await table.writeMetrics([metric]);
      const lookUp = store.lookUp();
      await lookUp.addVerdict({
        transactionId: id,
        decidedAt: "2026-03-01T12:00:00.000Z",
        label: 1,
        analyst: "Ada",
        note: "",
      });
      const readAll = async () => {
        await contents(store, features);
        await Array.fromAsync(table.rows());
        await table.metrics();
        await lookUp.verdicts(id);
        await store.positions();
      };
      await readAll();
      inDatabase(path, (database) => database.exec(sql));
      await assert.rejects(readAll(), {
        code: "STORE",
        message: /does not match its checksum/,
      });
      if (what === "a position") return;
      inDatabase(path, (database) => {
        for (
          const name of [
            "transactions",
            "transaction_prediction",
            "model_metrics",
            "transaction_verdict",
          ]
        ) database.exec(`UPDATE ${name} SET row_check = NULL`);
      });
      await readAll(); // as rows of older versions
    },
  );
}

testWriting(
  "a changed label is named, and a changed payment but for its TX_FRAUD",
  async () => {
    await using folder = temporaryFolder();
    const path = join(folder.path, "store.db");
    await using store = new EmbeddedStore({
      path,
      features: TWO_WINDOWS,
      shape: UNLABELLED_SHAPE,
      durable: false,
    });
    const { row, values } = oneRow(TWO_WINDOWS);
    const transactionId = row.transactionId;
    const fraud = FRAUD_UNKNOWN;
    await store.write(
      cellsOf([{ row: { ...row, fraud, scenario: 0 }, values }]),
    );
    const labels = store.labels();
    await labels.write([{
      transactionId,
      knownAt: "2018-04-09 00:00:00",
      knownTime: "2018-04-09 00:00:00",
      fraud: 1,
      scenario: 0,
      partition: 0,
      offset: 3,
    }]);
    const change = (sql: string) =>
      inDatabase(path, (database) => database.exec(sql));
    const payment = () => store.lookUp().payment(transactionId);
    assert.equal((await payment())?.payment.fraud, 1);
    change("UPDATE transactions SET tx_fraud = 0");
    assert.equal((await payment())?.payment.fraud, 0);
    change("UPDATE transactions SET tx_amount = tx_amount + 1");
    await assert.rejects(payment, /tx_amount|does not match its checksum/);
    for (
      const [sql, problem] of [
        ["tx_fraud = 0", "the row does not match its checksum"],
        ["known_time = 'soon'", 'known_time "soon" is not a date and time'],
      ]
    ) {
      change(`UPDATE transaction_label SET ${sql}`);
      await assert.rejects(labels.newest([transactionId]), (error) => {
        assert.ok(error instanceof StoreError);
        assert.ok(error.message.includes(problem), error.message);
        return true;
      });
      const bad: string[] = [];
      const pages = labels.labels(
        undefined,
        (row, { topic_offset: offset }) => {
          bad.push(`${offset}: ${row.problem}`);
        },
      );
      assert.deepEqual((await Array.fromAsync(pages)).flat(), []);
      assert.deepEqual(bad, [`3: ${problem}`]);
    }
  },
);

testWriting(
  "a store with text ids has large pages, and one with small pages goes on",
  async () => {
    const features = HANDBOOK_FEATURES;
    const shape = TEXT_SHAPE;
    const payments = ownPayments(features, shape);
    const pageSize = "PRAGMA page_size";
    for (const pageBytes of [16_384, 4096]) {
      await fc.assert(
        fc.asyncProperty(payments, payments, async (first, second) => {
          await using folder = temporaryFolder();
          const path = join(folder.path, "store.db");
          if (pageBytes === 4096) {
            const sql = "CREATE TABLE gone (a); DROP TABLE gone";
            inDatabase(path, (db) => db.exec(`${pageSize} = 4096; ${sql}`));
          }
          for (const all of [first, second]) {
            await using store = new EmbeddedStore({
              ...{ path, features, shape, durable: false },
            });
            await store.write(rowsOf(all, shape));
            const stored = all === first ? first : [...first, ...second];
            const found = await ownContents(store, features, shape);
            assert.deepEqual(found, kept(stored));
          }
          const found = inDatabase(path, (db) => db.prepare(pageSize).get());
          assert.equal(found?.page_size, pageBytes);
        }),
        { numRuns: 5 },
      );
    }
  },
);
