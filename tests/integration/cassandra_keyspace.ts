/** Keyspaces of a real Cassandra for tests: opened by our store, looked into by the driver alone. */
import assert from "node:assert/strict";
import type { OutageReport } from "../../src/base/outage.ts";
import {
  HANDBOOK_SHAPE,
  type PaymentShape,
} from "../../src/payment/payment_shape.ts";
import { Client, types } from "cassandra-driver";
import {
  type FeatureParameters,
  HANDBOOK_FEATURES,
} from "../../src/features/parameters.ts";
import {
  type CassandraStore,
  openCassandraStore,
} from "../../src/store/cassandra/cassandra_store.ts";
import { schemaCql } from "../../src/store/cassandra/cassandra_schema.ts";
import type { CassandraSettings } from "../../src/store/cassandra/cassandra_settings.ts";

/** What a store reported. */
export interface Report {
  /** The constant message. */
  readonly message: string;
  /** Its data. */
  readonly fields: Record<string, unknown>;
}

/** Settings for a node, with what a test wants otherwise. */
export function settingsOf(
  address: string,
  changes: Partial<CassandraSettings> = {},
): CassandraSettings {
  return {
    kind: "cassandra",
    contactPoints: [address],
    localDataCenter: "datacenter1",
    keyspace: "fraudstream_test",
    replication: 1,
    consistency: "LOCAL_QUORUM",
    tls: undefined,
    user: undefined,
    ...changes,
  };
}

/** Opens the store; what it reports goes into `reports`. */
export async function openStore(
  settings: CassandraSettings,
  features: FeatureParameters = HANDBOOK_FEATURES,
  reports: Report[] = [],
  shape: PaymentShape = HANDBOOK_SHAPE,
): Promise<CassandraStore> {
  const report: OutageReport = (_, message, fields) => {
    reports.push({ message, fields });
  };
  return await openCassandraStore(settings, features, report, shape);
}

/** How long the cluster may take for a statement, in milliseconds; it waits up to a minute for compactions of a table before it empties it. */
const STATEMENT_MS = 90_000;

/** How often a table is emptied at most. */
const TRUNCATES_MAX = 4;

/** Runs statements, as somebody else would who uses the cluster; gives the rows of the last. */
export async function runCql(
  address: string,
  ...statements: string[]
): Promise<types.Row[]> {
  return await withClient(address, async (run) => {
    let rows: types.Row[] = [];
    for (const statement of statements) rows = await run(statement);
    return rows;
  });
}

/** Empties tables. Cassandra leaves the rows of one whose compaction it could not stop, so each is looked at. */
export async function truncateTables(
  address: string,
  keyspace: string,
  tables: readonly string[],
): Promise<void> {
  await withClient(address, async (run) => {
    for (const name of tables) {
      const table = `${keyspace}.${name}`;
      for (let left = TRUNCATES_MAX; left > 0; left--) {
        await run(`TRUNCATE ${table}`);
        if ((await run(`SELECT * FROM ${table} LIMIT 1`)).length === 0) break;
        assert.ok(left > 1, `${table} cannot be emptied`);
      }
    }
  });
}

async function withClient<T>(
  address: string,
  use: (run: (statement: string) => Promise<types.Row[]>) => Promise<T>,
): Promise<T> {
  const client = new Client({
    contactPoints: [address],
    localDataCenter: "datacenter1",
    monitorReporting: { enabled: false },
  });
  const options = { readTimeout: STATEMENT_MS };
  try {
    return await use(async (statement) =>
      (await client.execute(statement, [], options)).rows ?? []
    );
  } finally {
    await client.shutdown();
  }
}

/** Makes an empty keyspace. */
export async function makeKeyspace(
  address: string,
  keyspace: string,
): Promise<void> {
  await runCql(
    address,
    `CREATE KEYSPACE ${keyspace} WITH replication = ` +
      `{'class': 'SimpleStrategy', 'replication_factor': 1}`,
  );
}

/** The table of payments as others made it, before there were features. */
export function nineColumns(
  keyspace: string,
  { id = "int", amount = "double" } = {},
): string {
  return `CREATE TABLE ${keyspace}.transactions (
    transaction_id ${id} PRIMARY KEY, tx_datetime text, customer_id int,
    terminal_id int, tx_amount ${amount}, tx_time_seconds int,
    tx_time_days int, tx_fraud int, tx_fraud_scenario int)`;
}

/** Makes a keyspace with tables as older versions made them: ids are int. */
export async function makeIntTables(
  address: string,
  keyspace: string,
  names: readonly string[],
): Promise<void> {
  const settings = settingsOf(address, { keyspace });
  const statements = schemaCql(settings, HANDBOOK_FEATURES).split(";\n")
    .filter((cql) => names.some((name) => cql.includes(`${keyspace}.${name} `)))
    .map((cql) => cql.replace("transaction_id bigint", "transaction_id int"));
  assert.equal(statements.length, names.length);
  await makeKeyspace(address, keyspace);
  await runCql(address, ...statements);
}
