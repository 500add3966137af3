/** A stream with TRANSACTION_IDs beyond int, stored in tables of either kind. */
import assert from "node:assert/strict";
import { IdPartitioner } from "../../src/log/partitioner.ts";
import { readDeadLetters } from "../../src/stream/dead_letters.ts";
import { SINK_TOPIC } from "../../src/stream/topics.ts";
import { INT_MAX, TRANSACTION_ID_MAX } from "../../src/payment/payment.ts";
import { runWriter } from "../../src/roles/writer.ts";
import {
  type OpenFolder,
  openMemory,
  parametersOf,
} from "../roles/pipeline.ts";
import {
  appendPayments,
  paymentAt,
  StageDriver,
  START_SECONDS,
} from "../roles/stages.ts";
import { testServing } from "../services/testing_servers.ts";
import {
  makeIntTables,
  openStore,
  runCql,
  settingsOf,
} from "./cassandra_keyspace.ts";
import { sharedCassandra } from "./servers.ts";

const STREAM = { ...parametersOf(2), startSeconds: START_SECONDS };
const TABLES = [
  "transactions",
  "transactions_by_customer",
  "transactions_by_terminal",
];

/** Ten payments of three cards, one with a number of milliseconds for its id, and two at the borders. */
const IDS = [
  100,
  101,
  102,
  103,
  1_711_929_600_123,
  105,
  INT_MAX,
  INT_MAX + 1,
  TRANSACTION_ID_MAX,
  109,
];

async function publish({ log }: OpenFolder): Promise<void> {
  const partitioner = new IdPartitioner(2);
  for (const [n, transactionId] of IDS.entries()) {
    const customerId = n % 3;
    const payment = paymentAt(36_000 + 60 * n, {
      transactionId,
      customerId,
      terminalId: n % 2,
      amount: 10,
    });
    await appendPayments(log, partitioner.partition(customerId), [payment]);
  }
  await (await StageDriver.customers(log, STREAM)).drain([0, 1]);
  await (await StageDriver.terminals(log, STREAM)).drain([0, 1]);
}

/** Stores what the sink holds into a keyspace. */
async function store(
  { log, context }: OpenFolder,
  address: string,
  keyspace: string,
): Promise<void> {
  await using store = await openStore(settingsOf(address, { keyspace }));
  const consume = log.consume.bind(log);
  // The stream goes on; the writer ends when it has stored what is there.
  log.consume = (options) =>
    consume({ ...options, idle: () => Promise.resolve(true) });
  try {
    await runWriter(context, { store, startSeconds: START_SECONDS });
  } finally {
    log.consume = consume;
  }
}

async function idsIn(address: string, table: string): Promise<number[]> {
  const rows = await runCql(address, `SELECT transaction_id FROM ${table}`);
  return rows.map((row) => Number(row.transaction_id)).sort((a, b) => a - b);
}

const ascending = IDS.toSorted((a, b) => a - b);

testServing(
  "a stream with large ids is stored whole in new tables",
  async () => {
    const { address } = await sharedCassandra();
    await using open = await openMemory(STREAM);
    await publish(open);
    await store(open, address, "stream_ids");
    for (const table of TABLES) {
      assert.deepEqual(await idsIn(address, `stream_ids.${table}`), ascending);
    }
    assert.deepEqual(await Array.fromAsync(readDeadLetters(open.log)), []);
  },
);

testServing(
  "int tables of a stream go on: larger ids are dead letters, all else is stored",
  async () => {
    const { address } = await sharedCassandra();
    await using open = await openMemory(STREAM);
    await publish(open);
    await makeIntTables(address, "stream_int_ids", TABLES);
    await store(open, address, "stream_int_ids");
    const small = ascending.filter((id) => id <= INT_MAX);
    for (const table of TABLES) {
      assert.deepEqual(await idsIn(address, `stream_int_ids.${table}`), small);
    }
    const letters = await Array.fromAsync(readDeadLetters(open.log));
    assert.deepEqual(
      letters.map(({ topic, reason }) => [topic, reason]),
      Array(3).fill([SINK_TOPIC, "id too large"]),
    );
    assert.deepEqual(
      letters.map(({ message }) =>
        Number(/^TRANSACTION_ID (\d+) is too large/.exec(message)?.[1])
      ).sort((a, b) => a - b),
      ascending.filter((id) => id > INT_MAX),
    );
    // The advice: the tables of a new keyspace take them, and get all rows.
    assert.ok(letters.every(({ message }) => /new --keyspace/.test(message)));
    await store(open, address, "stream_advised");
    for (const table of TABLES) {
      assert.deepEqual(
        await idsIn(address, `stream_advised.${table}`),
        ascending,
      );
    }
  },
);
