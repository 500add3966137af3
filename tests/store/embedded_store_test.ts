import assert from "node:assert/strict";
import { join } from "node:path";
import { ConfigError, StoreError } from "../../src/error/error.ts";
import {
  featureNames,
  type FeatureParameters,
  HANDBOOK_FEATURES,
} from "../../src/features/parameters.ts";
import { EmbeddedStore } from "../../src/store/embedded.ts";
import { formatDatetime } from "../../src/transaction/calendar.ts";
import {
  TRANSACTION_FIELDS,
  TRANSACTION_ID_MAX,
} from "../../src/transaction/transaction.ts";
import { inDatabase } from "../sqlite/in_database.ts";
import { testWriting } from "../permission.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { testPredictions } from "./prediction_contract.ts";
import {
  cellsOf,
  type ContractOptions,
  oneRow,
  testStore,
  TWO_WINDOWS,
} from "./store_contract.ts";

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
      [...TRANSACTION_FIELDS, ...featureNames(TWO_WINDOWS), "row_check"].map(
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
