/**
 * Other people's programs still work: Python's clients read the topics and the
 * table as they did before there were any features.
 */
import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import {
  featureNames,
  HANDBOOK_FEATURES,
} from "../../src/features/parameters.ts";
import { readRange } from "../../src/log/log.ts";
import { openLog } from "../../src/log/open_log.ts";
import { Control } from "../../src/stream/control.ts";
import { runProcessor } from "../../src/roles/processor.ts";
import { runProducer } from "../../src/roles/producer.ts";
import { runWriter } from "../../src/roles/writer.ts";
import {
  CUSTOMER_TOPIC,
  SINK_TOPIC,
  TERMINAL_TOPIC,
  topicSpecs,
  TRANSACTION_TOPIC,
} from "../../src/stream/topics.ts";
import { parametersOf, QUIET, SET_A } from "../roles/pipeline.ts";
import { runTool } from "../services/java.ts";
import { pythonProblem, pythonWithClients } from "../services/python.ts";
import { serverProblem } from "../services/testing_servers.ts";
import { valuesOf } from "../log/records.ts";
import { openStore, settingsOf } from "./cassandra_keyspace.ts";
import { freshSettings } from "./servers.ts";
import { sharedCassandra, sharedProxied } from "./servers.ts";

const SCRIPT = fileURLToPath(new URL("python_clients.py", import.meta.url));
const KEYSPACE = "detectionfraud";
const PARTITIONS = 3;
/** A few hundred payments. */
const DATA = {
  ...SET_A,
  parameters: { ...SET_A.parameters, days: 4 },
};
const never = new AbortController().signal;

const PAYMENT_KEYS = [
  "TRANSACTION_ID",
  "TX_DATETIME",
  "CUSTOMER_ID",
  "TERMINAL_ID",
  "TX_AMOUNT",
  "TX_TIME_SECONDS",
  "TX_TIME_DAYS",
  "TX_FRAUD",
  "TX_FRAUD_SCENARIO",
];
/** What a topic's records hold, their key first. */
const KEYS: Readonly<Record<string, readonly string[]>> = {
  [TRANSACTION_TOPIC]: ["CUSTOMER_ID", ...PAYMENT_KEYS],
  [SINK_TOPIC]: [
    "TERMINAL_ID",
    ...PAYMENT_KEYS,
    ...featureNames(HANDBOOK_FEATURES),
  ],
  [CUSTOMER_TOPIC]: [
    "CUSTOMER_ID",
    "CUSTOMER_ID",
    "X_CUSTOMER_ID",
    "Y_CUSTOMER_ID",
    "MEAN_ACCOUNT",
    "STD_ACCOUNT",
    "MEAN_NB_TX_PER_DAY",
  ],
  [TERMINAL_TOPIC]: [
    "TERMINAL_ID",
    "TERMINAL_ID",
    "X_TERMINAL_ID",
    "Y_TERMINAL_ID",
  ],
};
const GIVEN_UP = '{"TRANSACTION_ID":-1}';

type Json = Record<string, unknown>;

/** A record as Python gives it. */
interface PythonRecord {
  readonly key: string;
  readonly value: Json;
  readonly timestamp: number;
}

/** Runs the script and gives what it printed. */
async function python<T>(...args: readonly string[]): Promise<T[]> {
  const interpreter = await pythonWithClients();
  const { success, output } = await runTool(interpreter, [SCRIPT, ...args]);
  assert.ok(success, output);
  return output.split("\n").filter((line) => line.startsWith("{"))
    .map((line) => JSON.parse(line));
}

/** The roles at work on topics and a table with their own names; gives Kafka's and Cassandra's address. */
async function runStream(): Promise<{ kafka: string; cassandra: string }> {
  // No other test uses names without a prefix on this one.
  const { address: kafka } = await sharedProxied();
  const { address: cassandra } = await sharedCassandra();
  await using log = await openLog({
    kind: "kafka",
    brokers: [kafka],
    prefix: "",
    replication: undefined,
    tls: undefined,
    sasl: undefined,
    sessionTimeoutMs: 3000,
  }, () => {});
  await log.createTopics(topicSpecs(PARTITIONS));
  await python("give-up", kafka, TRANSACTION_TOPIC, GIVEN_UP);
  const parameters = parametersOf(PARTITIONS);
  await new Control(log).agree(parameters);
  await using store = await openStore(
    settingsOf(cassandra, { keyspace: KEYSPACE }),
  );
  const own = () => ({
    log,
    control: new Control(log),
    parameters,
    logger: QUIET,
    signal: never,
  });
  await runProducer(own(), { data: DATA, pace: { kind: "max" } });
  await runProcessor(own(), undefined);
  await runWriter(own(), { store, startSeconds: undefined });
  return { kafka, cassandra };
}

/** Asserts that records are as their readers know them. */
function assertForm(topic: string, records: readonly PythonRecord[]): void {
  const [keyName, ...names] = KEYS[topic];
  for (const { key, value, timestamp } of records) {
    assert.deepEqual(Object.keys(value), names, topic);
    assert.equal(key, String(value[keyName]));
    for (const [name, field] of Object.entries(value)) {
      const type = name === "TX_DATETIME" ? "string" : "number";
      assert.equal(typeof field, type, `${topic}: ${name}`);
    }
    if (!names.includes("TX_DATETIME")) continue;
    assert.match(
      String(value.TX_DATETIME),
      /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/,
    );
    // The record's time is the payment's.
    const time = Date.parse(String(value.TX_DATETIME).replace(" ", "T") + "Z");
    assert.equal(timestamp, time);
  }
}

const byId = (a: Json, b: Json) =>
  Number(a.TRANSACTION_ID) - Number(b.TRANSACTION_ID);

const problem = serverProblem ?? pythonProblem;

/** A test that needs the servers and Python. */
function testPython(
  name: string,
  fn: (t: Deno.TestContext) => Promise<void>,
): void {
  Deno.test({
    name: problem ? `${name} (${problem})` : name,
    ignore: problem !== undefined,
    sanitizeOps: false,
    sanitizeResources: false,
    fn,
  });
}

testPython(
  "what other programs compress is read, by any of the five codecs",
  async () => {
    const settings = await freshSettings();
    const [address] = settings.brokers;
    await using log = await openLog(settings, () => {});
    const valuesBy = async (codec: string) => {
      await log.createTopics([{
        name: codec,
        partitions: 1,
        compacted: false,
      }]);
      await python("compress", address, settings.prefix + codec, codec);
      const values: string[] = [];
      for await (const batch of readRange(log, codec, 0, 0, 500)) {
        values.push(...valuesOf(batch));
      }
      return values;
    };
    for (const codec of ["none", "gzip", "snappy", "lz4", "zstd"]) {
      const expected = Array.from(
        { length: 500 },
        (_, i) => `record ${i} by ${codec}, `.repeat(3),
      );
      assert.deepEqual(await valuesBy(codec), expected);
    }
  },
);

testPython(
  "Python's clients read topics and table as they always did",
  async (t) => {
    const { kafka, cassandra } = await runStream();
    let payments: Json[] = [];
    for (const client of ["kafka-python", "confluent-kafka"]) {
      for (const isolation of ["read_committed", "read_uncommitted"]) {
        await t.step(`${client}, ${isolation}`, async () => {
          const read = async (topic: string) =>
            await python<PythonRecord>(client, kafka, isolation, topic);
          const all = await read(TRANSACTION_TOPIC);
          const isGivenUp = ({ value }: PythonRecord) =>
            value.TRANSACTION_ID === -1;
          // Whoever reads what is not committed sees what was given up.
          assert.equal(
            all.filter(isGivenUp).length,
            isolation === "read_committed" ? 0 : 1,
          );
          const committed = all.filter((record) => !isGivenUp(record));
          assertForm(TRANSACTION_TOPIC, committed);
          payments = committed.map(({ value }) => value).sort(byId);
          assert.ok(payments.length > 200, `${payments.length} payments`);
          assert.deepEqual(
            payments.map(({ TRANSACTION_ID }) => TRANSACTION_ID),
            payments.map((_, i) => i),
          );
          const sink = await read(SINK_TOPIC);
          assertForm(SINK_TOPIC, sink);
          const paid = sink.map(({ value }) =>
            Object.fromEntries(PAYMENT_KEYS.map((name) => [name, value[name]]))
          );
          assert.deepEqual(paid.sort(byId), payments);
          const { customers, terminals } = DATA.parameters;
          const tables = [[CUSTOMER_TOPIC, customers], [
            TERMINAL_TOPIC,
            terminals,
          ]] as const;
          for (const [topic, count] of tables) {
            const records = await read(topic);
            assertForm(topic, records);
            assert.equal(new Set(records.map(({ key }) => key)).size, count);
          }
        });
      }
    }
    await t.step("cassandra-driver", async () => {
      const rows = await python<Json>("cassandra", cassandra, KEYSPACE);
      const upper = rows.map((row) =>
        Object.fromEntries(
          Object.entries(row).map(([name, value]) => [
            name.toUpperCase(),
            value,
          ]),
        )
      );
      assert.deepEqual(upper.sort(byId), payments);
    });
  },
);
