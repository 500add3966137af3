import assert from "node:assert/strict";
import { HANDBOOK_FEATURES } from "../../../src/features/parameters.ts";
import { HANDBOOK_SHAPE } from "../../../src/payment/payment_shape.ts";
import { CassandraLookUp } from "../../../src/store/cassandra/cassandra_look_up.ts";
import {
  otherTables,
  tablesOf,
} from "../../../src/store/cassandra/cassandra_schema.ts";
import type { CassandraSession } from "../../../src/store/cassandra/cassandra_session.ts";

Deno.test("a card or terminal beyond the range of its column is not asked for, and others are", async () => {
  const asked: unknown[] = [];
  const session = {
    keyspace: "shop",
    all: (_cql: string, [id]: readonly unknown[]) => {
      asked.push(id);
      return Promise.resolve([]);
    },
  } as unknown as CassandraSession;
  const { transactions } = tablesOf(HANDBOOK_FEATURES, HANDBOOK_SHAPE);
  const lookUp = new CassandraLookUp(session, {
    payments: transactions,
    verdicts: otherTables(HANDBOOK_SHAPE).verdicts,
    predictions: { find: () => Promise.resolve(undefined) },
  });
  const range = { fromSeconds: 0, toSeconds: 10, limit: 5 };
  for (const id of [Number.MAX_SAFE_INTEGER, 2 ** 31 - 1]) {
    assert.deepEqual(await lookUp.ofCustomer(id, range), []);
    assert.deepEqual(await lookUp.ofTerminal(id, range), []);
  }
  assert.deepEqual(asked.map(String), ["2147483647", "2147483647"]);
});
