/**
 * The store in Cassandra and the log on Kafka part: a table is truncated, a
 * keyspace belongs to another stream, a writer's offsets are set back, set
 * somewhere or deleted by Kafka's tools. docs/CASSANDRA.md, "Repair".
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { HANDBOOK_FEATURES } from "../../src/features/parameters.ts";
import { type Log, READ_LIMIT } from "../../src/log/log.ts";
import { openLog } from "../../src/log/open_log.ts";
import { Control } from "../../src/stream/control.ts";
import { readDeadLetters } from "../../src/stream/dead_letters.ts";
import { endCheck } from "../../src/stream/end_check.ts";
import { runProcessor } from "../../src/roles/processor.ts";
import { rebuild } from "../../src/roles/rebuild.ts";
import type { StreamContext } from "../../src/stream/stream_context.ts";
import {
  SINK_TOPIC,
  topicSpecs,
  TRANSACTION_LABEL_TOPIC,
  WRITER_GROUP,
} from "../../src/stream/topics.ts";
import { runProducer } from "../../src/roles/producer.ts";
import { isRight, verifyStore } from "../../src/stream/verify_store.ts";
import { runLabelWriter } from "../../src/roles/label_writer.ts";
import { UNLABELLED_SHAPE } from "../../src/payment/payment_shape.ts";
import { countStored } from "../../src/stream/stored_stream.ts";
import { labelParameters } from "../faults/label_stream.ts";
import { runWriter } from "../../src/roles/writer.ts";
import { EmbeddedStore } from "../../src/store/embedded/embedded_store.ts";
import type { Store } from "../../src/store/store.ts";
import { appendOf } from "../log/records.ts";
import {
  featuresSum,
  openMemory,
  parametersOf,
  produce,
  QUIET,
  referenceSum,
  SET_A,
} from "../roles/pipeline.ts";
import { jarsOf } from "../services/jar_cache.ts";
import { runTool } from "../services/java.ts";
import { testServing } from "../services/testing_servers.ts";
import {
  openStore,
  runCql,
  settingsOf,
  truncateTables,
} from "./cassandra_keyspace.ts";
import { freshSettings, sharedCassandra } from "./servers.ts";

const never = new AbortController().signal;
const OPTIONS = {
  startSeconds: undefined,
  acceptMissingStart: false,
  stored() {},
};

function write(context: StreamContext, store: Store): Promise<void> {
  return runWriter(context, { store, startSeconds: undefined });
}

/** Asserts that a store holds set A's rows, that the log and the counters agree, and that there is one dead letter. */
async function assertWhole(
  { log, control, parameters }: StreamContext,
  store: Store,
): Promise<void> {
  assert.equal(await featuresSum(store), referenceSum("A"));
  const result = await endCheck({
    log,
    offsetsCountRecords: false,
    store: async () => ({ payments: await store.status() }),
  });
  assert.deepEqual(result, { kind: "compared", differences: [] });
  const { payments } = await verifyStore({
    log,
    control,
    parameters,
    store,
    signal: never,
    compared() {},
  });
  assert.ok(isRight(payments), payments.first.join());
  assert.equal((await Array.fromAsync(readDeadLetters(log))).length, 1);
}

/** Puts a record that is no payment into the sink. */
async function appendGarbage(log: Log): Promise<void> {
  const producer = await log.producer("somebody");
  await producer.append([appendOf(SINK_TOPIC, 1, ["no payment"])]);
}

/** Runs set A through a stream's producer and processor. */
async function process(context: StreamContext): Promise<void> {
  await appendGarbage(context.log);
  await runProducer(context, { data: SET_A, pace: { kind: "max" } });
  await runProcessor(context, undefined);
}

testServing(
  "a keyspace that lost rows is filled again, another stream's is refused until it is rebuilt",
  async () => {
    const { address } = await sharedCassandra();
    const keyspace = "positions";
    await using first = await openMemory(parametersOf(3));
    await process(first.context);
    await using store = await openStore(settingsOf(address, { keyspace }));
    await write(first.context, store);
    await assertWhole(first.context, store);

    // All rows gone, and only those from some id on, with their position left.
    for (const keep of [0, 2455]) {
      await truncateTables(address, keyspace, ["transactions"]);
      if (keep > 0) {
        await write(first.context, store);
        const ids = Array.from({ length: 2555 - keep }, (_, i) => keep + i);
        await runCql(
          address,
          `DELETE FROM ${keyspace}.transactions WHERE transaction_id IN (` +
            `${ids.join()})`,
        );
      }
      await write(first.context, store);
      await assertWhole(first.context, store);
    }

    // A query table alone.
    for (
      const table of ["transactions_by_customer", "transactions_by_terminal"]
    ) {
      const count = `SELECT count(*) FROM ${keyspace}.${table}`;
      const rows = await runCql(address, count);
      await truncateTables(address, keyspace, [table]);
      await write(first.context, store);
      assert.deepEqual(await runCql(address, count), rows);
    }

    // The table of frauds is only found by looking for it.
    await truncateTables(address, keyspace, ["frauds_by_day"]);
    await assert.rejects(
      assertWhole(first.context, store),
      /frauds_by_day holds 0 rows and should hold [\d,]+; '\.\/fraudstream rebuild'/,
    );
    await rebuild(first.context, { ...OPTIONS, store });
    await assertWhole(first.context, store);

    // A row that somebody changed is found, and rebuild stores it again.
    await runCql(
      address,
      `UPDATE ${keyspace}.transactions SET tx_amount = 3 WHERE transaction_id = 9`,
    );
    await assert.rejects(assertWhole(first.context, store), /transaction 9 /);
    await rebuild(first.context, { ...OPTIONS, store });
    await assertWhole(first.context, store);

    await using second = await openMemory(parametersOf(3));
    await produce(second, SET_A);
    await runProcessor(second.context, undefined);
    const foreign = { code: "STORE", message: /rows of another stream/ };
    await assert.rejects(write(second.context, store), foreign);
    await truncateTables(address, keyspace, ["stream_position"]);
    await assert.rejects(write(second.context, store), foreign);
    await rebuild(second.context, { ...OPTIONS, store });
    assert.equal(await featuresSum(store), referenceSum("A"));
    await assert.rejects(write(first.context, store), foreign);
  },
);

testServing(
  "labels that arrive later are filled again, and with them TX_FRAUD in all tables",
  async () => {
    const { address } = await sharedCassandra();
    const keyspace = "positions_labels";
    const parameters = labelParameters(3);
    await using folder = await openMemory(parameters);
    const { context, log } = folder;
    await produce(folder, SET_A);
    await runProcessor(context, undefined);
    const settings = settingsOf(address, { keyspace });
    const { features } = parameters;
    await using store = await openStore(
      settings,
      features,
      [],
      UNLABELLED_SHAPE,
    );
    const fill = { startSeconds: undefined };
    const write = () =>
      Promise.all([
        runWriter(context, { ...fill, store }),
        runLabelWriter(context, { ...fill, store: store.labels() }),
      ]);
    const check = async () => {
      const { control, signal } = context;
      const counted = () => countStored(store);
      const ends = { log, offsetsCountRecords: true, store: counted };
      const result = await endCheck(ends);
      const differences = result.kind === "compared"
        ? result.differences.join()
        : result.kind;
      assert.ok(differences === "", differences);
      const verification = await verifyStore({
        log,
        control,
        parameters,
        store,
        signal,
        compared() {},
      });
      for (const table of [verification.payments, verification.labels]) {
        assert.ok(table && isRight(table), String(table?.first));
        assert.ok(table.equal > 1000);
      }
    };
    await write();
    await check();
    const { frauds } = await store.status();
    assert.ok(frauds > 0);

    for (const table of ["transactions", "transaction_label"]) {
      await truncateTables(address, keyspace, [table]);
      await write();
      await check();
      assert.equal((await store.status()).frauds, frauds);
    }
    // Labels alone are removed, and stored again.
    await store.labels().clear(TRANSACTION_LABEL_TOPIC);
    assert.equal((await store.status()).frauds, 0);
    await store.verify();
    await write();
    await check();

    // What is not found by a writer is found by looking for it.
    const changes = [
      [
        "UPDATE transactions SET tx_fraud = 1 WHERE transaction_id = 9",
        /tx_fraud is 1 and should be 0|frauds_by_day holds/,
      ],
      [
        "DELETE FROM transaction_label WHERE transaction_id = 9",
        /labels, the store holds [\d,]+: rows were deleted/,
      ],
      [
        "UPDATE transaction_label SET tx_fraud = 7 WHERE transaction_id = 9 " +
        await restOfKey(store, 9),
        /transaction_label, transaction_id 9: tx_fraud 7 is not 0, 1 or null/,
      ],
    ] as const;
    for (const [cql, message] of changes) {
      const at = /transaction\w*|frauds_by_day/;
      await runCql(address, cql.replace(at, (name) => `${keyspace}.${name}`));
      await assert.rejects(check, message, cql);
      await rebuild(context, { ...OPTIONS, store });
      await check();
      assert.equal((await store.status()).frauds, frauds);
    }
  },
);

/** The key of a payment's label behind its TRANSACTION_ID. */
async function restOfKey(store: Store, id: number): Promise<string> {
  const label = (await store.labels().newest([id])).get(id);
  assert.ok(label);
  return `AND known_at = '${label.knownAt}' ` +
    `AND topic_offset = ${label.offset} ` +
    `AND topic_partition = ${label.partition}`;
}

testServing(
  "a keyspace ahead of a log that was cut back is refused, naming rebuild",
  async () => {
    const { address } = await sharedCassandra();
    await using folder = await openMemory(parametersOf(3));
    const { context } = folder;
    await process(context);
    const settings = settingsOf(address, { keyspace: "positions_ahead" });
    await using store = await openStore(settings);
    await write(context, store);
    const [position] = await store.positions();
    await store.savePositions([{ ...position, next: position.next + 10 }]);
    await assert.rejects(write(context, store), {
      code: "STORE",
      message:
        /but the log ends at \d+: .*'\.\/fraudstream rebuild' clears the store/,
    });
    const mark = { offset: position.next - 1, check: 1 };
    await store.savePositions([{ ...position, mark }]);
    await assert.rejects(write(context, store), {
      code: "STORE",
      message: /the log holds another record.*'\.\/fraudstream rebuild' clears/,
    });
    await rebuild(context, { ...OPTIONS, store });
    await assertWhole(context, store);
  },
);

/** Runs kafka-consumer-groups. */
async function groupsTool(
  address: string,
  ...flags: readonly string[]
): Promise<void> {
  const { success, output } = await runTool("java", [
    "-XX:TieredStopAtLevel=1",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-cp",
    join(await jarsOf("kafka"), "*"),
    "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    ...["--bootstrap-server", address, ...flags],
  ]);
  assert.ok(success, output);
}

testServing(
  "offsets that Kafka's tools set back, set or delete store again and count nothing twice",
  async () => {
    const settings = await freshSettings();
    const [address] = settings.brokers;
    await using log = await openLog(settings, () => {});
    const parameters = parametersOf(3);
    await log.createTopics(topicSpecs(3));
    const control = new Control(log);
    await control.agree(parameters);
    const context = { log, control, parameters, logger: QUIET, signal: never };
    await process(context);
    const memory = () =>
      new EmbeddedStore({
        path: ":memory:",
        features: HANDBOOK_FEATURES,
        durable: false,
      });
    await using store = memory();
    await write(context, store);
    await assertWhole(context, store);
    const group = ["--group", settings.prefix + WRITER_GROUP];
    const reset = [...group, "--reset-offsets", "--all-topics", "--execute"];
    for (
      const flags of [
        [...reset, "--to-earliest"],
        [...reset, "--to-offset", "100"],
        [...group, "--delete"],
      ]
    ) {
      await groupsTool(address, ...flags);
      await write(context, store);
      await assertWhole(context, store);
    }
    // The same with a store that is new, and one beside a group that is.
    await using fresh = memory();
    await groupsTool(address, ...group, "--delete");
    await write(context, fresh);
    await assertWhole(context, fresh);

    // rebuild does not clear a store under a writer.
    const stop = new AbortController();
    let refused: Promise<void> | undefined;
    await log.consume({
      group: WRITER_GROUP,
      topic: SINK_TOPIC,
      limit: READ_LIMIT,
      signal: stop.signal,
      open: () =>
        Promise.resolve({
          step: ({ next }) => ({ next, metadata: "", appends: [] }),
        }),
      idle: () => {
        refused ??= assert.rejects(
          rebuild(context, { ...OPTIONS, store }),
          /a writer of this stream is running \(1 in the group/,
        ).finally(() => stop.abort());
        return Promise.resolve(false);
      },
    });
    await refused;
    assert.equal((await store.status()).rows, 2555);
    await rebuild(context, { ...OPTIONS, store });
    await assertWhole(context, store);
  },
);
