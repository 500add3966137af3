/** The store in Cassandra when the cluster dies, hangs, or wants to know who asks. */
import assert from "node:assert/strict";
import { PAYMENT_CELLS } from "../../src/payment/payment_cells.ts";
import {
  featureCount,
  HANDBOOK_FEATURES,
} from "../../src/features/parameters.ts";
import type { StoreRows } from "../../src/store/store.ts";
import { CassandraRelay } from "../services/cassandra_relay.ts";
import { startCassandra } from "../services/cassandra_server.ts";
import { testServing } from "../services/testing_servers.ts";
import {
  cellsOf,
  contents,
  expected,
  oneRow,
} from "../store/store_contract.ts";
import { openStore, type Report, settingsOf } from "./cassandra_keyspace.ts";
import { sharedCassandra } from "./servers.ts";

const WIDTH = PAYMENT_CELLS + featureCount(HANDBOOK_FEATURES);
const BLOCK_ROWS = 2000;
const MIB = 2 ** 20;

/** A block of rows of 1,000 cards; every cell tells which row it belongs to. */
function block(number: number): StoreRows {
  const cells = new Float64Array(BLOCK_ROWS * WIDTH);
  for (let i = 0; i < BLOCK_ROWS; i++) {
    const id = number * BLOCK_ROWS + i;
    const row = cells.subarray(i * WIDTH, (i + 1) * WIDTH);
    row.fill(id);
    row.set([
      id,
      1_522_540_800 + id,
      id % 1000,
      id % 777,
      id / 100,
      id,
      id % 2,
    ]);
  }
  return { cells, count: BLOCK_ROWS };
}

function residentBytes(): number {
  return Deno.memoryUsage().rss;
}

/** Resolves when something is true, which is looked at again and again; fails after a minute. */
async function until(condition: () => boolean): Promise<void> {
  const deadline = performance.now() + 60_000;
  while (!condition()) {
    assert.ok(performance.now() < deadline, "waited for a minute");
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const isDown = ({ message }: Report) =>
  message === "the store does not answer, waiting for it";
const isUp = ({ message }: Report) => message === "the store answers again";

testServing(
  "SIGKILL of Cassandra in the middle of writes loses no row, and memory stays flat",
  async () => {
    await using server = await startCassandra();
    const reports: Report[] = [];
    const settings = settingsOf(server.address);
    await using store = await openStore(settings, HANDBOOK_FEATURES, reports);
    const blocks = 20;
    for (let number = 0; number < blocks; number++) {
      const write = store.write(block(number));
      if (number % 8 === 5) {
        await server.kill();
        await until(() => reports.some(isDown));
        const before = residentBytes();
        // A statement that has never been prepared waits as well.
        const counted = store.status();
        await server.start();
        const grown = (residentBytes() - before) / MIB;
        assert.ok(grown < 64, `memory grew by ${grown} MiB`);
        await write;
        await counted;
        assert.deepEqual(reports.map(isUp), [false, true]);
        reports.length = 0;
      }
      await write;
    }
    let next = 0;
    for await (const { cells, count } of store.rows()) {
      for (let i = 0; i < count; i++, next++) {
        assert.equal(cells[i * WIDTH], next, "a row is missing");
        assert.equal(cells[i * WIDTH + WIDTH - 1], next);
      }
    }
    assert.equal(next, blocks * BLOCK_ROWS);
    const rows = blocks * BLOCK_ROWS;
    assert.deepEqual(await store.status(), { rows, frauds: rows / 2 });
  },
);

testServing("the signal ends a write that waits for Cassandra", async () => {
  const server = await sharedCassandra();
  const reports: Report[] = [];
  await using store = await openStore(
    settingsOf(server.address, { keyspace: "stopped" }),
    HANDBOOK_FEATURES,
    reports,
  );
  await store.write(block(0));
  server.pause();
  try {
    const stop = new AbortController();
    const write = store.write(block(1), stop.signal);
    await until(() => reports.some(isDown));
    const reason = new Error("stop");
    const beganMs = performance.now();
    stop.abort(reason);
    await assert.rejects(write, reason);
    assert.ok(performance.now() - beganMs < 2000, "it did not stop at once");
  } finally {
    server.resume();
  }
  // What was not awaited does no harm, and the store goes on.
  await store.write(block(1));
  assert.equal((await store.status()).rows, 2 * BLOCK_ROWS);
});

testServing(
  "a signal without an outage lets the write finish",
  async () => {
    const { address } = await sharedCassandra();
    const settings = settingsOf(address, { keyspace: "not_waiting" });
    await using store = await openStore(settings);
    await store.write(block(0), AbortSignal.abort());
    assert.equal((await store.status()).rows, BLOCK_ROWS);
  },
);

testServing(
  "answers of Cassandra to requests that waited too long mix no rows up",
  async () => {
    const { address } = await sharedCassandra();
    using relay = new CassandraRelay(address);
    const settings = settingsOf(relay.address, { keyspace: "late_answers" });
    await using store = await openStore(settings);
    await store.write(block(0));
    const lookUp = store.lookUp();
    const stop = new AbortController();
    const mixed: string[] = [];
    let looked = 0;
    const lanes = Array.from({ length: 64 }, async (_, lane) => {
      for (let id = lane; !stop.signal.aborted; id = (id + 64) % BLOCK_ROWS) {
        const found = await lookUp.payment(id, AbortSignal.timeout(60_000));
        const { transactionId } = found?.payment ?? {};
        if (transactionId !== id) mixed.push(`${transactionId} for ${id}`);
        looked++;
      }
    });
    for (let times = 0; times < 20; times++) {
      relay.answerLate(16);
      await until(() => relay.left === 0);
      const before = looked;
      await until(() => looked > before + 500);
    }
    stop.abort();
    await Promise.all(lanes);
    assert.deepEqual(mixed, []);
  },
);

testServing("a table that Cassandra leaves full is emptied again", async () => {
  const { address } = await sharedCassandra();
  using relay = new CassandraRelay(address);
  const keyspace = "left_full";
  const settings = settingsOf(relay.address, { keyspace });
  await using store = await openStore(settings);
  await store.write(block(0));
  relay.ignoreTruncates(3);
  await store.clear("sink");
  assert.equal((await store.status()).rows, 0);
  await store.write(block(0));
  relay.ignoreTruncates(100);
  await assert.rejects(store.clear("sink"), {
    name: "StoreError",
    message: "Cassandra, emptying keyspace left_full: the rows of " +
      "transactions stay; wait until its compactions end and try again",
  });
});

testServing("a secured cluster: TLS and a password", async () => {
  await using server = await startCassandra({ secured: true });
  const { address, caFile, username = "", password = "" } = server;
  assert.ok(caFile);
  const tls = { ca: await Deno.readTextFile(caFile) };
  const user = { name: username, password };
  const stored = [oneRow(HANDBOOK_FEATURES)];
  {
    await using store = await openStore(settingsOf(address, { tls, user }));
    await store.write(cellsOf(stored));
    assert.deepEqual(
      await contents(store, HANDBOOK_FEATURES),
      expected(stored),
    );
  }
  const wrong = { name: username, password: "not-the-password" };
  const cases: [Parameters<typeof settingsOf>[1], RegExp][] = [
    [{ tls, user: wrong }, /refused the login: it does not take the user/],
    [{ tls }, /refused the login: it wants a user and a password/],
    [{ user }, /cannot be reached: .*whether it wants TLS/],
    [{ tls: { ca: undefined }, user }, /cannot be reached: .*certificate/i],
  ];
  for (const [changes, message] of cases) {
    await assert.rejects(openStore(settingsOf(address, changes)), (error) => {
      assert.match((error as Error).message, message);
      assert.doesNotMatch((error as Error).message, /not-the-password|\n/);
      return true;
    });
  }
});
