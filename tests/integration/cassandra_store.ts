/** The store in a real Cassandra: what every store promises, and what only this one does. */
import assert from "node:assert/strict";
import { ConfigError, StoreError } from "../../src/error/error.ts";
import {
  type FeatureParameters,
  HANDBOOK_FEATURES,
} from "../../src/features/parameters.ts";
import { schemaCql } from "../../src/store/cassandra_schema.ts";
import { INT_MAX } from "../../src/transaction/transaction.ts";
import { testServing } from "../services/testing_servers.ts";
import {
  cellsOf,
  contents,
  expected,
  oneRow,
  type Stored,
  testStore,
  TWO_WINDOWS,
} from "../store/store_contract.ts";
import { METRIC_TABLE, PREDICTION_TABLE } from "../../src/store/predictions.ts";
import { testPredictions } from "../store/prediction_contract.ts";
import {
  makeKeyspace,
  nineColumns,
  openStore,
  runCql,
  settingsOf,
} from "./cassandra_keyspace.ts";
import { sharedCassandra } from "./servers.ts";

const TABLES = [
  "transactions",
  "transactions_by_customer",
  "transactions_by_terminal",
  "frauds_by_day",
];

const used = new Set<string>();

testStore({
  name: "Cassandra store",
  test: testServing,
  idMax: INT_MAX,
  runs: 5,
  open: async (features) => {
    const { address } = await sharedCassandra();
    const keyspace = `contract_${features.windowDays.join("_")}`;
    const store = await openStore(settingsOf(address, { keyspace }), features);
    if (used.has(keyspace)) {
      const truncate = TABLES.map((name) => `TRUNCATE ${keyspace}.${name}`);
      await runCql(address, ...truncate);
    }
    used.add(keyspace);
    return store;
  },
});

testPredictions({
  name: "Cassandra store",
  test: testServing,
  idMax: INT_MAX,
  runs: 5,
  open: async (features) => {
    const { address } = await sharedCassandra();
    const keyspace = "contract_predictions";
    const store = await openStore(settingsOf(address, { keyspace }), features);
    await store.predictions().status(); // makes the tables
    const tables = [PREDICTION_TABLE, METRIC_TABLE];
    const truncate = tables.map((name) => `TRUNCATE ${keyspace}.${name}`);
    await runCql(address, ...truncate);
    return store;
  },
});

/** A row that is written over and over with other ids, cards and times. */
function changed(changes: Partial<Stored["row"]>): Stored {
  const { row, values } = oneRow(HANDBOOK_FEATURES);
  return { row: { ...row, fraud: 0, ...changes }, values };
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
          /^transaction 7 in nine_columns.transactions has no tx_datetime: it was not written by fraudstream/,
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

testServing(
  "an id beyond int is refused, until the table has bigint",
  async () => {
    const { address } = await sharedCassandra();
    const stored = [changed({ transactionId: INT_MAX + 1 })];
    {
      const settings = settingsOf(address, { keyspace: "int_ids" });
      await using store = await openStore(settings);
      await assert.rejects(store.write(cellsOf(stored)), {
        code: "STORE",
        message:
          /^transaction 2147483648: transaction_id is 2147483648, but the column of int_ids.transactions is an int.*--bigint-ids/,
      });
    }
    const flagged = { keyspace: "bigint_ids", bigintIds: true };
    {
      await using store = await openStore(settingsOf(address, flagged));
      await store.write(cellsOf(stored));
    }
    // What is there decides, also without the flag.
    const unflagged = { keyspace: "bigint_ids", bigintIds: false };
    await using store = await openStore(settingsOf(address, unflagged));
    const more = changed({ transactionId: Number.MAX_SAFE_INTEGER });
    await store.write(cellsOf([more]));
    assert.deepEqual(
      await contents(store, HANDBOOK_FEATURES),
      expected([...stored, more]),
    );
  },
);

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
    (await runCql(address, query)).map(({ transaction_id: id }) => id);
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
    for (const bigintIds of [false, true]) {
      const printed = settingsOf(address, {
        keyspace: `printed_${bigintIds}`,
        bigintIds,
      });
      const statements = schemaCql(printed, TWO_WINDOWS).split(";\n")
        .filter((statement) => statement.trim() !== "");
      await runCql(address, ...statements);
      const before = await columns(printed.keyspace);
      {
        await using _store = await openStore(printed, TWO_WINDOWS);
      }
      assert.deepEqual(await columns(printed.keyspace), before);
      const made = settingsOf(address, {
        keyspace: `made_${bigintIds}`,
        bigintIds,
      });
      {
        await using store = await openStore(made, TWO_WINDOWS);
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
