/** How the tables of a keyspace are made where others make them too. */
import { HANDBOOK_SHAPE } from "../../../src/payment/payment_shape.ts";
import assert from "node:assert/strict";
import type { Clock } from "../../../src/base/clock.ts";
import { HANDBOOK_FEATURES } from "../../../src/features/parameters.ts";
import {
  otherTables,
  tablesOf,
} from "../../../src/store/cassandra/cassandra_schema.ts";
import {
  ensureSchema,
  type Execute,
} from "../../../src/store/cassandra/cassandra_setup.ts";
import type { Table } from "../../../src/store/tables.ts";

const SETTINGS = { localDataCenter: "dc1", keyspace: "shop", replication: 1 };
const TABLES: readonly Table[] = [
  ...Object.values(tablesOf(HANDBOOK_FEATURES)),
  otherTables(HANDBOOK_SHAPE).positions,
];

/** A clock of which only sleeping makes it later. */
function sleepingClock(): Clock {
  let now = 0;
  const sleep = (ms: number) => {
    now += ms;
    return Promise.resolve();
  };
  return { now: () => now, sleep, random: () => 0.5 };
}

/** A node whose schema has all tables, and that knows each only when it has been asked for it so often. */
function nodeThatLearns(asks: number) {
  const asked = new Map<string, number>();
  const execute: Execute = (cql) => {
    if (cql.includes("system_schema.keyspaces")) {
      return Promise.resolve([{ keyspace_name: "shop" }]);
    }
    if (cql.includes("system_schema.columns")) {
      return Promise.resolve(
        TABLES.flatMap((table) =>
          table.columns.map(({ name, type }) => ({
            table_name: table.name,
            column_name: name,
            type,
            kind: table.partition.includes(name)
              ? "partition_key"
              : table.clustering.includes(name)
              ? "clustering"
              : "regular",
          }))
        ),
      );
    }
    const name = /FROM shop\.(\w+)/.exec(cql)?.[1] ?? cql;
    const before = asked.get(name) ?? 0;
    asked.set(name, before + 1);
    return before < asks
      ? Promise.reject(
        new Error(
          before === 0
            ? "java.lang.IllegalArgumentException: Unknown CF 0670c330"
            : `table ${name} does not exist`,
        ),
      )
      : Promise.resolve([]);
  };
  return { execute, asked };
}

Deno.test("tables that another process is creating are waited for until the node knows them", async () => {
  const { execute, asked } = nodeThatLearns(3);
  await ensureSchema(
    execute,
    SETTINGS,
    HANDBOOK_FEATURES,
    HANDBOOK_SHAPE,
    sleepingClock(),
  );
  assert.deepEqual(asked, new Map(TABLES.map(({ name }) => [name, 4])));
});

Deno.test("a table that a node never gets to know is an error after a while", async () => {
  const { execute } = nodeThatLearns(Infinity);
  await assert.rejects(
    ensureSchema(
      execute,
      SETTINGS,
      HANDBOOK_FEATURES,
      HANDBOOK_SHAPE,
      sleepingClock(),
    ),
    /^Error: table transactions does not exist$/,
  );
});

Deno.test("any other error of a table is not waited for", async () => {
  const { execute } = nodeThatLearns(0);
  const refusing: Execute = (cql, values) =>
    cql.includes("token(")
      ? Promise.reject(new Error("no permission"))
      : execute(cql, values);
  await assert.rejects(
    ensureSchema(
      refusing,
      SETTINGS,
      HANDBOOK_FEATURES,
      HANDBOOK_SHAPE,
      sleepingClock(),
    ),
    /no permission/,
  );
});
