/** The store in a real Cassandra: what every store promises, and what only this one does. */
import assert from "node:assert/strict";
import { ConfigError, StoreError } from "../../src/base/error.ts";
import { PAYMENT_CELLS } from "../../src/payment/payment_cells.ts";
import {
  HANDBOOK_SHAPE,
  UNLABELLED_SHAPE,
} from "../../src/payment/payment_shape.ts";
import {
  featureCount,
  type FeatureParameters,
  HANDBOOK_FEATURES,
} from "../../src/features/parameters.ts";
import { schemaCql } from "../../src/store/cassandra/cassandra_schema.ts";
import { INT_MAX, TRANSACTION_ID_MAX } from "../../src/payment/payment.ts";
import { testServing } from "../services/testing_servers.ts";
import {
  atTime,
  cellsOf,
  contents,
  expected,
  oneRow,
  type Stored,
  testStore,
  TWO_WINDOWS,
} from "../store/store_contract.ts";
import { LABEL_TABLE, METRICS, PREDICTIONS } from "../../src/store/tables.ts";
import { emptyPredictions } from "../../src/payment/prediction.ts";
import type { BadRow } from "../../src/store/stored_row.ts";
import { LABEL_SHAPES, testLabels } from "../store/label_contract.ts";
import {
  NUMBER_SHAPE,
  testOwnShapes,
  TEXT_SHAPE,
} from "../store/own_shape_contract.ts";
import { testPredictions } from "../store/prediction_contract.ts";
import { testPredictionRecords } from "../store/prediction_record_contract.ts";
import {
  makeIntTables,
  makeKeyspace,
  nineColumns,
  openStore,
  runCql,
  settingsOf,
  truncateTables,
} from "./cassandra_keyspace.ts";
import { sharedCassandra } from "./servers.ts";

const TABLES = [
  "transactions",
  "transactions_by_customer",
  "transactions_by_terminal",
  "frauds_by_day",
  "stream_position",
];

const used = new Set<string>();

testStore({
  name: "Cassandra store",
  test: testServing,
  idMax: TRANSACTION_ID_MAX,
  runs: 5,
  open: async (features) => {
    const { address } = await sharedCassandra();
    const keyspace = `contract_${features.windowDays.join("_")}`;
    const store = await openStore(settingsOf(address, { keyspace }), features);
    if (used.has(keyspace)) {
      await truncateTables(address, keyspace, TABLES);
    }
    used.add(keyspace);
    return store;
  },
});

testPredictions({
  name: "Cassandra store",
  test: testServing,
  idMax: TRANSACTION_ID_MAX,
  runs: 5,
  open: async (features) => {
    const { address } = await sharedCassandra();
    const keyspace = "contract_predictions";
    const store = await openStore(settingsOf(address, { keyspace }), features);
    await store.predictions().status(); // makes the tables
    const tables = [...TABLES, PREDICTIONS.name, METRICS.name];
    await truncateTables(address, keyspace, tables);
    return store;
  },
});

testOwnShapes({
  name: "Cassandra store",
  test: testServing,
  runs: 3,
  open: async (features, shape) => {
    const { address } = await sharedCassandra();
    const keyspace = `contract_own_${shape.transactionId}`;
    const settings = settingsOf(address, { keyspace });
    const store = await openStore(settings, features, [], shape);
    await store.predictions().status(); // makes the tables
    const tables = [...TABLES, PREDICTIONS.name, METRICS.name];
    await truncateTables(address, keyspace, tables);
    return store;
  },
});

testPredictionRecords({
  name: "Cassandra store",
  test: testServing,
  runs: 3,
  open: async (features, shape) => {
    const { address } = await sharedCassandra();
    const keyspace = `contract_records_${shape.transactionId}`;
    const settings = settingsOf(address, { keyspace });
    const store = await openStore(settings, features, [], shape);
    await store.predictions().status(); // makes the tables
    await truncateTables(address, keyspace, [PREDICTIONS.name]);
    return store;
  },
}, { "text ids": TEXT_SHAPE, "large numbers": NUMBER_SHAPE });

testServing(
  "a keyspace of the release before gets the columns of the place, its rows none",
  async () => {
    const { address } = await sharedCassandra();
    const keyspace = "before_places";
    const settings = settingsOf(address, { keyspace });
    const rows = emptyPredictions(1);
    rows.cells.set([7, 1_522_540_860, 8, 9, 2.5, 60, 0.5, 1]);
    rows.versions[0] = "0123456789ab";
    rows.count = 1;
    {
      await using store = await openStore(settings);
      await store.predictions().write(rows);
    }
    for (const column of ["record_partition", "record_offset"]) {
      await runCql(
        address,
        `ALTER TABLE ${keyspace}.transaction_prediction DROP ${column}`,
      );
    }
    await using store = await openStore(settings);
    const table = store.predictions();
    const old = await table.find(7);
    assert.deepEqual([old?.partitions[0], old?.offsets[0]], [-1, -1]);
    [rows.partitions[0], rows.offsets[0]] = [2, 2 ** 40];
    await table.write(rows);
    const found = await table.find(7);
    assert.deepEqual([found?.partitions[0], found?.offsets[0]], [2, 2 ** 40]);
  },
);

testLabels({
  name: "Cassandra store",
  test: testServing,
  shapes: LABEL_SHAPES,
  runs: 6,
  open: async (features, shape) => {
    const { address } = await sharedCassandra();
    const keyspace = `contract_labels_${shape.transactionId}`;
    const settings = settingsOf(address, { keyspace });
    const store = await openStore(settings, features, [], shape);
    const tables = [...TABLES, LABEL_TABLE];
    await truncateTables(address, keyspace, tables);
    return store;
  },
  frauds: async ({ transactionId }) => {
    const { address } = await sharedCassandra();
    const found = await runCql(
      address,
      `SELECT transaction_id FROM contract_labels_${transactionId}.frauds_by_day`,
    );
    return found.map(({ transaction_id: id }) =>
      transactionId === "text" ? String(id) : Number(id)
    );
  },
});

/** A row that is written over and over with other ids, cards and times. */
function changed(changes: Partial<Stored["row"]>): Stored {
  const { row, values } = oneRow(HANDBOOK_FEATURES);
  const made = { ...row, fraud: 0, ...changes };
  return { row: atTime(made.timeSeconds, made), values };
}

async function refusal(
  keyspace: string,
  table: string,
  kind: typeof ConfigError | typeof StoreError,
  message: RegExp,
): Promise<void> {
  const { address } = await sharedCassandra();
  await makeKeyspace(address, keyspace);
  await runCql(address, table);
  await assert.rejects(
    openStore(settingsOf(address, { keyspace })),
    (error) => {
      assert.ok(error instanceof kind, String(error));
      assert.match(error.message, message);
      assert.doesNotMatch(error.message, /\n/);
      return true;
    },
  );
}

testServing(
  "a table of the nine columns is used as it is, and gets the features' besides",
  async () => {
    const { address } = await sharedCassandra();
    const keyspace = "nine_columns";
    await makeKeyspace(address, keyspace);
    await runCql(
      address,
      nineColumns(keyspace),
      `INSERT INTO ${keyspace}.transactions (transaction_id, tx_amount)
         VALUES (7, 285.79999999999995)`,
    );
    const stored = [changed({ transactionId: 3 })];
    {
      await using store = await openStore(settingsOf(address, { keyspace }));
      await store.write(cellsOf(stored));
      assert.equal((await store.status()).rows, 2);
      await assert.rejects(contents(store, HANDBOOK_FEATURES), {
        code: "STORE",
        message:
          /^nine_columns.transactions, transaction_id 7: tx_datetime has no value; it was damaged, or another program has/,
      });
    }
    const [row] = await runCql(
      address,
      `SELECT tx_amount FROM ${keyspace}.transactions WHERE transaction_id = 7`,
    );
    assert.equal(row.tx_amount, 285.79999999999995);
    await runCql(
      address,
      `DELETE FROM ${keyspace}.transactions WHERE transaction_id = 7`,
    );
    // Opened again it has nothing to add.
    await using store = await openStore(settingsOf(address, { keyspace }));
    assert.deepEqual(
      await contents(store, HANDBOOK_FEATURES),
      expected(stored),
    );
  },
);

testServing(
  "rows that others have made are named, or left out, in every table that is read",
  async () => {
    const { address } = await sharedCassandra();
    const keyspace = "touched";
    await using store = await openStore(settingsOf(address, { keyspace }));
    const stored = [3, 4, 5, 6].map((transactionId) =>
      changed({ transactionId, customerId: 8, terminalId: 9, timeSeconds: 60 })
    );
    await store.write(cellsOf(stored));
    const predictions = store.predictions();
    const written = emptyPredictions(2);
    for (const [i, { row }] of stored.slice(0, 2).entries()) {
      const { transactionId, datetimeSeconds, amount } = row;
      const cells = [transactionId, datetimeSeconds, 8, 9, amount, 60, 0.5, 1];
      written.cells.set(cells, i * cells.length);
      written.versions[i] = "0123456789ab";
    }
    written.count = 2;
    await predictions.write(written);
    await runCql(
      address,
      // An UPDATE of a payment that is not there makes a row of one value.
      `UPDATE ${keyspace}.transactions SET tx_fraud = 1 WHERE transaction_id = 99`,
      `UPDATE ${keyspace}.transactions SET tx_amount = null WHERE transaction_id = 4`,
      `UPDATE ${keyspace}.transactions SET tx_datetime = 'odd' WHERE transaction_id = 5`,
      `INSERT INTO ${keyspace}.transactions (transaction_id) VALUES (${
        2n ** 60n
      })`,
      `UPDATE ${keyspace}.transactions_by_customer SET terminal_id = null ` +
        "WHERE customer_id = 8 AND tx_period = 0 AND tx_time_seconds = 60 " +
        "AND transaction_id = 6",
      `UPDATE ${keyspace}.transaction_prediction SET score = null WHERE transaction_id = 3`,
      `UPDATE ${keyspace}.transaction_prediction SET alert = 0 WHERE transaction_id = 98`,
    );
    await assert.rejects(contents(store, HANDBOOK_FEATURES), {
      code: "STORE",
      message: /^touched\.transactions, transaction_id \d+: /,
    });
    const bad: string[] = [];
    const onBadRow = ({ transactionId, problem }: BadRow) => {
      bad.push(`${transactionId}: ${problem}`);
    };
    const ids: number[] = [];
    const width = PAYMENT_CELLS + featureCount(HANDBOOK_FEATURES);
    for await (const { cells, count } of store.rows(undefined, onBadRow)) {
      for (let i = 0; i < count; i++) ids.push(cells[i * width]);
    }
    assert.deepEqual(bad.toSorted(), [
      "1152921504606846976: tx_datetime has no value",
      "4: tx_amount has no value",
      '5: tx_datetime "odd" is not a date and time of the form ' +
      "'YYYY-MM-DD HH:MM:SS'",
      "99: tx_datetime has no value",
    ]);
    assert.deepEqual(ids, [3, 6]);
    bad.length = 0;
    let scored = 0;
    for await (const { count } of predictions.rows(undefined, onBadRow)) {
      scored += count;
    }
    assert.equal(scored, 1);
    assert.deepEqual(bad.toSorted(), [
      "3: score null is not a number",
      "98: tx_datetime has no value",
    ]);
    // The look-ups name such a row, and what is not touched is found.
    const lookUp = store.lookUp();
    await assert.rejects(lookUp.payment(99), {
      message: /^touched\.transactions, transaction_id 99: tx_datetime has no/,
    });
    const range = { fromSeconds: 0, toSeconds: 99, limit: 9 };
    await assert.rejects(lookUp.ofCustomer(8, range), {
      message: /^touched\.transactions_by_customer, transaction_id 6: terminal/,
    });
    assert.equal((await lookUp.ofTerminal(9, range)).length, 4);
    assert.equal((await store.status()).rows, 6);
  },
);

testServing("a column of another type is refused, and named", async () => {
  await refusal(
    "wrong_type",
    nineColumns("wrong_type", { amount: "decimal" }),
    ConfigError,
    /column tx_amount of the table wrong_type\.transactions has the type decimal, it should be double/,
  );
});

testServing("a primary key of other columns is refused", async () => {
  const table = nineColumns("wrong_key").replace(" PRIMARY KEY", "")
    .replace(/\)$/, ", PRIMARY KEY (customer_id, transaction_id))");
  await refusal(
    "wrong_key",
    table,
    ConfigError,
    /has the partition key columns customer_id, they should be transaction_id/,
  );
});

const LARGE_IDS = [INT_MAX, INT_MAX + 1, TRANSACTION_ID_MAX];

testServing("new tables take every id, in all tables", async () => {
  const { address } = await sharedCassandra();
  const settings = settingsOf(address, { keyspace: "large_ids" });
  await using store = await openStore(settings);
  assert.equal(store.idMax, TRANSACTION_ID_MAX);
  const stored = LARGE_IDS.map((transactionId) =>
    changed({
      transactionId,
      customerId: 5,
      terminalId: 6,
      fraud: 1,
      timeSeconds: 60,
    })
  );
  await store.write(cellsOf(stored));
  assert.deepEqual(await contents(store, HANDBOOK_FEATURES), expected(stored));
  const lookUp = store.lookUp();
  const range = { fromSeconds: 0, toSeconds: INT_MAX, limit: 10 };
  for (
    const found of [
      await lookUp.ofCustomer(5, range),
      await lookUp.ofTerminal(6, range),
    ]
  ) {
    assert.deepEqual(
      found.map(({ transactionId }) => transactionId).toReversed(),
      LARGE_IDS,
    );
  }
  const frauds = await runCql(
    address,
    "SELECT transaction_id FROM large_ids.frauds_by_day WHERE tx_time_days = " +
      Math.floor(stored[0].row.timeSeconds / 86_400),
  );
  assert.deepEqual(
    frauds.map(({ transaction_id: id }) => Number(id)),
    LARGE_IDS,
  );
  for (const id of LARGE_IDS) {
    assert.equal((await lookUp.payment(id))?.payment.transactionId, id);
    await lookUp.addVerdict({ ...VERDICT, transactionId: id });
    assert.equal((await lookUp.verdicts(id))[0].transactionId, id);
  }
});

const VERDICT = {
  decidedAt: "2026-03-01T12:00:00.000Z",
  label: 1,
  analyst: "Ada",
  note: "",
} as const;

testServing(
  "int tables of older versions go on, and say what they take",
  async () => {
    const { address } = await sharedCassandra();
    const keyspace = "int_ids";
    const prediction = "transaction_prediction";
    await makeIntTables(address, keyspace, [
      ...TABLES,
      prediction,
      "transaction_verdict",
    ]);
    await using store = await openStore(settingsOf(address, { keyspace }));
    const predictions = store.predictions();
    assert.deepEqual([store.idMax, predictions.idMax], [INT_MAX, INT_MAX]);
    const stored = [changed({ transactionId: INT_MAX })];
    await store.write(cellsOf(stored));
    assert.deepEqual(
      await contents(store, HANDBOOK_FEATURES),
      expected(stored),
    );
    const lookUp = store.lookUp();
    assert.equal(
      (await lookUp.payment(INT_MAX))?.payment.customerId,
      stored[0].row.customerId,
    );
    assert.equal(await lookUp.payment(INT_MAX + 1), undefined);
    assert.deepEqual(await lookUp.verdicts(INT_MAX + 1), []);
    await lookUp.addVerdict({ ...VERDICT, transactionId: INT_MAX });
    assert.equal((await lookUp.verdicts(INT_MAX)).length, 1);
  },
);

testServing("one int table among new ones decides", async () => {
  const { address } = await sharedCassandra();
  const keyspace = "one_int_table";
  await makeIntTables(address, keyspace, ["transactions_by_terminal"]);
  await using store = await openStore(settingsOf(address, { keyspace }));
  assert.equal(store.idMax, INT_MAX);
  assert.equal(store.predictions().idMax, TRANSACTION_ID_MAX);
  const stored = [changed({ transactionId: 5, terminalId: 6 })];
  await store.write(cellsOf(stored));
  assert.deepEqual(await contents(store, HANDBOOK_FEATURES), expected(stored));
  const range = { fromSeconds: 0, toSeconds: INT_MAX, limit: 10 };
  assert.equal((await store.lookUp().ofTerminal(6, range)).length, 1);
});

testServing("the query tables answer what people look up", async () => {
  const { address } = await sharedCassandra();
  const keyspace = "query_tables";
  await using store = await openStore(settingsOf(address, { keyspace }));
  const day = 86_400;
  // One card, every 8 hours for 100 days; each 50th payment is a fraud.
  const stored = Array.from({ length: 300 }, (_, i) =>
    changed({
      transactionId: i,
      customerId: 5,
      terminalId: i % 2,
      timeSeconds: i * day / 3,
      fraud: i % 50 === 0 ? 1 : 0,
    }));
  await store.write(cellsOf(stored));
  const ids = async (query: string) =>
    (await runCql(address, query)).map((row) => Number(row.transaction_id));
  assert.deepEqual(
    await ids(
      `SELECT transaction_id FROM ${keyspace}.transactions_by_customer
       WHERE customer_id = 5 AND tx_period = 3 LIMIT 3`,
    ),
    [299, 298, 297],
  );
  assert.deepEqual(
    (await ids(
      `SELECT transaction_id FROM ${keyspace}.transactions_by_terminal
       WHERE terminal_id = 1 AND tx_period = 0`,
    )).length,
    45,
  );
  assert.deepEqual(
    await ids(
      `SELECT transaction_id FROM ${keyspace}.frauds_by_day
       WHERE tx_time_days = 50`,
    ),
    [150],
  );
});

testServing(
  "what fraudstream schema prints is what the store makes",
  async () => {
    const { address } = await sharedCassandra();
    const columns = (keyspace: string) =>
      runCql(
        address,
        `SELECT table_name, column_name, type, kind, position, clustering_order
       FROM system_schema.columns WHERE keyspace_name = '${keyspace}'`,
      );
    for (const shape of [HANDBOOK_SHAPE, UNLABELLED_SHAPE]) {
      const name = shape.hasLabels ? "later" : "labelled";
      const printed = settingsOf(address, { keyspace: `printed_${name}` });
      const statements = schemaCql(printed, TWO_WINDOWS, shape).split(";\n")
        .filter((statement) => statement.trim() !== "");
      await runCql(address, ...statements);
      const before = await columns(printed.keyspace);
      {
        await using _store = await openStore(printed, TWO_WINDOWS, [], shape);
      }
      assert.deepEqual(await columns(printed.keyspace), before);
      const made = settingsOf(address, { keyspace: `made_${name}` });
      {
        await using store = await openStore(made, TWO_WINDOWS, [], shape);
        // Tables that not every stream needs are made when they are asked for.
        await store.predictions().status();
        await store.lookUp().verdicts(1);
      }
      assert.deepEqual(await columns(made.keyspace), before);
    }
  },
);

testServing(
  "two writers that start at the same time make one schema",
  async () => {
    const { address } = await sharedCassandra();
    const keyspace = "made_twice";
    const open = (features: FeatureParameters) =>
      openStore(settingsOf(address, { keyspace }), features);
    const stores = await Promise.all([
      open(HANDBOOK_FEATURES),
      open(HANDBOOK_FEATURES),
    ]);
    await using first = stores[0];
    await using second = stores[1];
    const one = changed({ transactionId: 1 });
    const two = changed({ transactionId: 2 });
    await Promise.all([
      first.write(cellsOf([one])),
      second.write(cellsOf([two])),
    ]);
    assert.deepEqual(
      await contents(first, HANDBOOK_FEATURES),
      expected([one, two]),
    );
  },
);

testServing(
  "what keeps a cluster from being used is told in one line",
  async () => {
    const { address } = await sharedCassandra();
    const cases: [Parameters<typeof settingsOf>, string, RegExp][] = [
      [
        ["127.0.0.1:1"],
        "STORE",
        /^the Cassandra cluster at 127\.0\.0\.1:1 cannot be reached: .*ECONNREFUSED/,
      ],
      [
        [address, { localDataCenter: "elsewhere" }],
        "CONFIG",
        /^there is no data centre 'elsewhere' .* which has datacenter1; .*--local-dc/,
      ],
      [
        [address, { tls: { ca: undefined } }],
        "STORE",
        /cannot be reached: .*TLS/,
      ],
      [[address, { keyspace: "No" }], "CONFIG", /^a keyspace is /],
      [
        [address, { consistency: "SOME" }],
        "CONFIG",
        /LOCAL_QUORUM.*not 'SOME'/,
      ],
    ];
    for (const [settings, code, message] of cases) {
      await assert.rejects(openStore(settingsOf(...settings)), (error) => {
        assert.equal((error as StoreError).code, code, String(error));
        assert.match((error as StoreError).message, message);
        assert.doesNotMatch((error as StoreError).message, /\n/);
        return true;
      });
    }
  },
);
