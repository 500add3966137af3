/**
 * Writers of labels and of payments that overtake each other in Cassandra,
 * request by request: whoever is last, all tables say what the label that
 * counts says. A session in memory does the few statements that they need.
 */
import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { HANDBOOK_FEATURES } from "../../../src/features/parameters.ts";
import { FRAUD_UNKNOWN } from "../../../src/payment/payment_cells.ts";
import { UNLABELLED_SHAPE } from "../../../src/payment/payment_shape.ts";
import {
  otherTables,
  tablesOf,
} from "../../../src/store/cassandra/cassandra_schema.ts";
import type {
  CassandraSession,
  StatementValues,
} from "../../../src/store/cassandra/cassandra_session.ts";
import { CassandraStore } from "../../../src/store/cassandra/cassandra_store.ts";
import type { Write } from "../../../src/store/cassandra/cassandra_writes.ts";
import type { StoredLabel } from "../../../src/store/labels.ts";
import type { StoredRow } from "../../../src/store/stored_row.ts";
import type { ColumnType, Table } from "../../../src/store/tables.ts";
import { chance, forEachSeed } from "../../long.ts";
import { cellsOf, oneRow } from "../store_contract.ts";

const PAYMENTS = tablesOf(HANDBOOK_FEATURES, UNLABELLED_SHAPE);
const OTHERS = otherTables(UNLABELLED_SHAPE);
const TABLES: ReadonlyMap<string, Table> = new Map(
  [...Object.values(PAYMENTS), ...Object.values(OTHERS)]
    .map((table) => [table.name, table]),
);

/** A value as the driver would give it back. */
function decoded(value: unknown, type: ColumnType): unknown {
  if (!Buffer.isBuffer(value)) return value;
  switch (type) {
    case "int":
      return value.readInt32BE();
    case "bigint":
      return value.readBigInt64BE();
    case "double":
      return value.readDoubleBE();
    case "text":
      return value.toString();
  }
}

/** Tables in memory; each request takes a random while before it is done, and after. */
class MemorySession
  implements Pick<CassandraSession, "keyspace" | "send" | "all"> {
  readonly keyspace = "shop";
  readonly #rows = new Map<string, Map<string, Record<string, unknown>>>();
  readonly #below: (n: number) => number;

  constructor(below: (n: number) => number) {
    this.#below = below;
  }

  /** All rows of a table. */
  rows(name: string): StoredRow[] {
    return [...this.#table(name).values()];
  }

  async send(writes: Iterable<Write>): Promise<void> {
    await Promise.all([...writes].map(async ({ cql, rows, release }) => {
      await this.#while();
      for (const { values } of rows) this.#write(cql, values);
      release();
      await this.#while();
    }));
  }

  async all(
    cql: string,
    [ids]: StatementValues = [],
  ): Promise<readonly StoredRow[]> {
    const name = /FROM shop\.(\w+) WHERE transaction_id IN \?$/.exec(cql)?.[1];
    assert.ok(name !== undefined && Array.isArray(ids), cql);
    await this.#while();
    const found = this.rows(name).filter(({ transaction_id: id }) =>
      ids.includes(id)
    ).map((row) => ({ ...row }));
    await this.#while();
    return found;
  }

  #write(cql: string, values: readonly unknown[]): void {
    const [, name, names] =
      /(?:INSERT INTO|DELETE FROM) shop\.(\w+) (?:\(([^)]*)\)|WHERE)/
        .exec(cql) ?? [];
    const columns = names?.split(", ") ??
      [...cql.matchAll(/(\w+) = \?/g)].map(([, column]) => column);
    const { columns: all, partition, clustering } = TABLES.get(name) ?? {};
    assert.ok(all && partition && clustering, cql);
    const typeOf = (name: string) =>
      all.find((column) => column.name === name)?.type ?? "text";
    const row = Object.fromEntries(
      columns.map((name, i) => [name, decoded(values[i], typeOf(name))]),
    );
    const key = [...partition, ...clustering].map((name) => String(row[name]))
      .join();
    const table = this.#table(name);
    if (cql.startsWith("DELETE")) table.delete(key);
    else table.set(key, { ...table.get(key), ...row });
  }

  #table(name: string) {
    const table = this.#rows.get(name) ?? new Map();
    this.#rows.set(name, table);
    return table;
  }

  async #while(): Promise<void> {
    const most = [3, 30, 300][this.#below(3)];
    for (let n = this.#below(most); n > 0; n--) await null;
  }
}

Deno.test("TX_FRAUD in all tables is the label that counts, however requests of several writers overtake each other", async () => {
  await forEachSeed(300, 5000, async (seed) => {
    const random = chance(seed);
    const below = (n: number) => Math.floor(random() * n);
    const session = new MemorySession(below);
    const store = new CassandraStore(
      session as unknown as CassandraSession,
      { payments: PAYMENTS, ...OTHERS },
    );
    const { row, values } = oneRow(HANDBOOK_FEATURES);
    const payments = [0, 1, 2].map((transactionId) => ({
      row: { ...row, transactionId, fraud: FRAUD_UNKNOWN },
      values,
    }));
    const labels = Array.from({ length: 4 }, (_, offset): StoredLabel => ({
      transactionId: below(2),
      knownAt: `2018-04-0${1 + below(2)} 00:00:00`,
      knownTime: "2018-04-09 00:00:00",
      fraud: [0, 1, 1, undefined][below(4)],
      scenario: 0,
      partition: 0,
      offset,
    }));
    const from = below(labels.length);
    const writing = async (blocks: readonly StoredLabel[][]) => {
      for (const block of blocks) await store.labels().write(block);
    };
    const split = [labels.slice(0, from), labels.slice(from)];
    await Promise.all([
      store.write(cellsOf(payments)),
      writing(split),
      // One whose partition was given away and that has not noticed it.
      writing([split[0]]),
    ]);
    const expected = [0, 1, 2].map((id) => {
      const [label] = labels.filter(({ transactionId }) => transactionId === id)
        .sort((a, b) =>
          a.knownAt < b.knownAt || a.knownAt === b.knownAt &&
              a.offset < b.offset
            ? 1
            : -1
        );
      return label?.fraud ?? null;
    });
    for (
      const name of [
        "transactions",
        "transactions_by_customer",
        "transactions_by_terminal",
      ]
    ) {
      const found = session.rows(name)
        .sort((a, b) => Number(a.transaction_id) - Number(b.transaction_id))
        .map(({ tx_fraud: fraud }) => fraud ?? null);
      assert.deepEqual(found, expected, name);
    }
    assert.deepEqual(
      session.rows("frauds_by_day").map(({ transaction_id: id }) => Number(id))
        .sort(),
      [0, 1, 2].filter((id) => expected[id] === 1),
    );
    assert.equal(session.rows("transaction_label").length, labels.length);
  });
});
