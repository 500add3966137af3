import assert from "node:assert/strict";
import { ConfigError } from "../../../src/base/error.ts";
import {
  featureNames,
  HANDBOOK_FEATURES,
} from "../../../src/features/parameters.ts";
import {
  addColumnsCql,
  type FoundColumn,
  missingColumns,
  schemaCql,
  selectRangeCql,
  tablesOf,
} from "../../../src/store/cassandra/cassandra_schema.ts";
import { PAYMENT_FIELDS } from "../../../src/payment/payment.ts";

const TABLES = tablesOf(HANDBOOK_FEATURES);
const { transactions } = TABLES;

/** The table of payments as system_schema tells of it. */
function found(
  change: (column: FoundColumn) => FoundColumn | undefined = (column) => column,
): FoundColumn[] {
  return transactions.columns.map(({ name, type }): FoundColumn => ({
    name,
    type,
    kind: name === "transaction_id" ? "partition_key" : "regular",
  })).map(change).filter((column) => column !== undefined);
}

Deno.test("the columns are the fields and the features, averages and risks as doubles", () => {
  const names = [...PAYMENT_FIELDS, ...featureNames(HANDBOOK_FEATURES)]
    .map((name) => name.toLowerCase());
  assert.deepEqual(transactions.columns.map(({ name }) => name), names);
  const doubles = transactions.columns.filter(({ type }) => type === "double")
    .map(({ name }) => name);
  assert.deepEqual(
    doubles,
    names.filter((name) => /amount|risk/.test(name)),
  );
});

Deno.test("schemaCql() makes the keyspace and its tables, each statement ended", () => {
  const cql = schemaCql({
    localDataCenter: "dc1",
    keyspace: "shop",
    replication: 3,
  }, HANDBOOK_FEATURES);
  assert.match(
    cql,
    /^CREATE KEYSPACE IF NOT EXISTS shop WITH replication = \{'class': 'NetworkTopologyStrategy', 'dc1': 3\};\n/,
  );
  assert.deepEqual(
    [...cql.matchAll(/CREATE TABLE IF NOT EXISTS (\S+)/g)].map(([, t]) => t),
    [
      ...Object.values(TABLES).map(({ name }) => `shop.${name}`),
      "shop.transaction_prediction",
      "shop.model_metrics",
      "shop.transaction_verdict",
      "shop.stream_position",
    ],
  );
  assert.equal(cql.match(/;$/gm)?.length, 9);
  assert.equal(cql.match(/transaction_id bigint,$/gm)?.length, 6);
  assert.match(
    cql,
    /PRIMARY KEY \(\(customer_id, tx_period\), tx_time_seconds/,
  );
  // A quote in a comment would end the statement.
  assert.equal((cql.match(/'/g)?.length ?? 0) % 2, 0);
});

Deno.test("schemaCql() takes no names that would be other statements", () => {
  const settings = {
    localDataCenter: "dc1",
    keyspace: "shop",
    replication: 1,
  };
  for (
    const wrong of [
      { keyspace: "a; drop" },
      { keyspace: "Shop" },
      { keyspace: "" },
      { keyspace: `a${"b".repeat(48)}` },
      { localDataCenter: "dc'1" },
      { replication: 0 },
      { replication: 1.5 },
      { replication: NaN },
    ]
  ) {
    assert.throws(
      () => schemaCql({ ...settings, ...wrong }, HANDBOOK_FEATURES),
      ConfigError,
    );
  }
});

Deno.test("missingColumns() finds nothing in the table that is made, and the features in one without", () => {
  assert.deepEqual(missingColumns("shop", transactions, found()), []);
  const nine = found((column) =>
    PAYMENT_FIELDS.some((field) => field.toLowerCase() === column.name)
      ? column
      : undefined
  );
  const missing = missingColumns("shop", transactions, nine);
  assert.deepEqual(
    missing.map(({ name }) => name),
    featureNames(HANDBOOK_FEATURES).map((name) => name.toLowerCase()),
  );
  assert.match(
    addColumnsCql("shop", transactions, missing),
    /^ALTER TABLE shop\.transactions ADD \(tx_during_weekend int, .* double\)$/,
  );
});

Deno.test("missingColumns() lets columns of others be", () => {
  const more = [...found(), { name: "note", type: "text", kind: "regular" }];
  assert.deepEqual(missingColumns("shop", transactions, more), []);
});

Deno.test("missingColumns() refuses another type or key, and names it", () => {
  const changed = (name: string, change: Partial<FoundColumn>) =>
    found((column) => column.name === name ? { ...column, ...change } : column);
  const cases: [FoundColumn[], RegExp][] = [
    [
      changed("tx_amount", { type: "float" }),
      /column tx_amount of the table shop.transactions has the type float, it should be double/,
    ],
    [
      changed("customer_id", { kind: "partition_key" }),
      /the partition key columns transaction_id, customer_id, they should be transaction_id/,
    ],
    [
      changed("tx_fraud", { kind: "clustering" }),
      /the clustering columns tx_fraud, they should be none/,
    ],
  ];
  for (const [columns, message] of cases) {
    assert.throws(
      () => missingColumns("shop", transactions, columns),
      (error) => error instanceof ConfigError && message.test(error.message),
    );
  }
});

Deno.test("selectRangeCql() goes by the token of the whole partition key", () => {
  assert.equal(
    selectRangeCql("shop", TABLES.byCustomer, "count(*)"),
    "SELECT count(*) FROM shop.transactions_by_customer WHERE " +
      "token(customer_id, tx_period) > ? AND token(customer_id, tx_period) <= ?",
  );
});
