import assert from "node:assert/strict";
import { join } from "node:path";
import { defineCommand, parserOf } from "../../src/cli/command.ts";
import {
  CONNECTION_FLAGS,
  readConnection,
} from "../../src/cli/flags/connection_flags.ts";
import { type Connection } from "../../src/stream/stored_stream.ts";
import { ConfigError, DataError } from "../../src/base/error.ts";
import { testWriting } from "../permission.ts";
import { temporaryFolder } from "../temporary_folder.ts";

const KAFKA = ["--log=kafka", "--brokers=a:9092,b:9093"];
const CASSANDRA = [
  "--store=cassandra",
  "--contact-points=c1,c2:9043",
  "--local-dc=datacenter1",
];

/** What the flags and the environment lead to. */
function connect(
  flags: readonly string[],
  environment: Record<string, string> = {},
): Connection {
  let connection: Connection | undefined;
  const declaration = defineCommand({
    name: "test",
    summary: "",
    description: "",
    flags: CONNECTION_FLAGS,
    examples: "",
    run: (options) => {
      connection = readConnection(options, true, (name) => environment[name]);
    },
  });
  parserOf(declaration, undefined, () => undefined)
    .exitOverride().parse([...flags], { from: "user" });
  assert.ok(connection);
  return connection;
}

/** Asserts wrong use, whose message must match all the patterns. */
function refused(
  flags: readonly string[],
  patterns: readonly RegExp[],
  environment: Record<string, string> = {},
): void {
  assert.throws(() => connect(flags, environment), (error) => {
    assert.ok(error instanceof ConfigError, String(error));
    for (const pattern of patterns) assert.match(error.message, pattern);
    return true;
  });
}

Deno.test("without flags log and store are embedded in the usual folder", () => {
  const embedded = {
    kind: "embedded",
    folder: "./fraudstream-data",
  };
  assert.deepEqual(connect([]), {
    folder: "./fraudstream-data",
    log: { ...embedded, durable: true },
    store: { ...embedded, durable: false },
  });
});

Deno.test("--log=kafka needs brokers alone, the rest has defaults", () => {
  assert.deepEqual(connect(KAFKA).log, {
    kind: "kafka",
    brokers: ["a:9092", "b:9093"],
    prefix: "",
    replication: undefined,
    tls: undefined,
    sasl: undefined,
    sessionTimeoutMs: 30_000,
  });
});

Deno.test("every Kafka flag has its place in the settings", () => {
  const flags = [
    ...KAFKA,
    "--topic-prefix=shop-",
    "--replication=3",
    "--session-timeout=3s",
    "--kafka-tls",
    "--kafka-sasl=scram-sha-512",
    "--kafka-username=me",
  ];
  assert.deepEqual(connect(flags, { FRAUDSTREAM_KAFKA_PASSWORD: "pw" }).log, {
    kind: "kafka",
    brokers: ["a:9092", "b:9093"],
    prefix: "shop-",
    replication: 3,
    tls: { ca: undefined },
    sasl: { mechanism: "scram-sha-512", username: "me", password: "pw" },
    sessionTimeoutMs: 3000,
  });
});

Deno.test("every Cassandra flag has its place in the settings", () => {
  assert.deepEqual(connect(CASSANDRA).store, {
    kind: "cassandra",
    contactPoints: ["c1", "c2:9043"],
    localDataCenter: "datacenter1",
    keyspace: "detectionfraud",
    replication: 1,
    consistency: "LOCAL_QUORUM",
    tls: undefined,
    user: undefined,
  });
  const more = [
    ...CASSANDRA,
    "--keyspace=shop",
    "--store-replication=3",
    "--consistency=one",
    "--cassandra-tls",
    "--cassandra-username=me",
    "--bigint-ids",
  ];
  const environment = { FRAUDSTREAM_CASSANDRA_PASSWORD: "pw" };
  assert.deepEqual(connect(more, environment).store, {
    kind: "cassandra",
    contactPoints: ["c1", "c2:9043"],
    localDataCenter: "datacenter1",
    keyspace: "shop",
    replication: 3,
    consistency: "ONE",
    tls: { ca: undefined },
    user: { name: "me", password: "pw" },
  });
});

Deno.test("there is a folder as long as log or store are in one", () => {
  assert.equal(connect([...KAFKA, "--data=d"]).folder, "d");
  assert.equal(connect([...CASSANDRA, "--data=d"]).folder, "d");
  assert.equal(connect([...KAFKA, ...CASSANDRA, "--data=d"]).folder, undefined);
});

Deno.test("a flag without the one that it needs is refused, naming both", () => {
  refused(["--brokers=a:1"], [/^--brokers /, /--log=kafka/]);
  refused(["--session-timeout=5s"], [/^--session-timeout /, /--log=kafka/]);
  refused(["--kafka-tls"], [/^--kafka-tls /, /FRAUDSTREAM_KAFKA_TLS/]);
  refused(["--keyspace=k"], [/^--keyspace /, /--store=cassandra/]);
  refused(["--log=kafka"], [/needs --brokers/]);
  refused(["--store=cassandra"], [/needs --contact-points/]);
  refused(["--store=cassandra", "--contact-points=c"], [/needs --local-dc/]);
  refused([...KAFKA, "--kafka-ca-file=x"], [/^--kafka-ca-file/, /--kafka-tls/]);
  refused([...CASSANDRA, "--cassandra-ca-file=x"], [/--cassandra-tls/]);
});

Deno.test("a login that is not complete is refused with what is missing", () => {
  const sasl = "--kafka-sasl=plain";
  const password = { FRAUDSTREAM_KAFKA_PASSWORD: "pw" };
  refused([...KAFKA, sasl], [/needs --kafka-username/], password);
  refused([...KAFKA, sasl, "--kafka-username=me"], [
    /FRAUDSTREAM_KAFKA_PASSWORD/,
    /--kafka-password-file/,
  ]);
  refused([...KAFKA, "--kafka-username=me"], [/without --kafka-sasl/]);
  refused(KAFKA, [/without --kafka-sasl/], password);
  refused([...CASSANDRA, "--cassandra-username=me"], [
    /FRAUDSTREAM_CASSANDRA_PASSWORD/,
  ]);
  refused(CASSANDRA, [/without --cassandra-username/], {
    FRAUDSTREAM_CASSANDRA_PASSWORD: "pw",
  });
});

Deno.test("no flag takes a password, and no message quotes one", () => {
  const keys = CONNECTION_FLAGS.flatMap(({ flags }) => Object.keys(flags));
  assert.deepEqual(
    keys.filter((key) => /password|secret/i.test(key)),
    ["kafkaPasswordFile", "cassandraPasswordFile"],
  );
  const environment = { FRAUDSTREAM_KAFKA_PASSWORD: "swordfish" };
  assert.throws(
    () => connect([...KAFKA, "--kafka-username=me"], environment),
    (error) => !String(error).includes("swordfish"),
  );
});

Deno.test("servers that are none are refused, IPv6 with the reason", () => {
  for (const brokers of ["a", "a:", "a:0", "a:70000", "", "a:1,", "a b:1"]) {
    refused(["--log=kafka", `--brokers=${brokers}`], [/^--brokers must be/]);
  }
  refused(["--log=kafka", "--brokers=[::1]:9092"], [/IPv6/]);
  const store = ["--store=cassandra", "--local-dc=d"];
  refused([...store, "--contact-points=::1"], [/IPv6/]);
  refused([...store, "--contact-points=a:x"], [/^--contact-points must be/]);
});

Deno.test("values out of range are refused, naming the flag", () => {
  for (
    const flag of [
      "--session-timeout=0s",
      "--session-timeout=900",
      "--replication=0",
      "--topic-prefix=a/b",
      "--kafka-sasl=gssapi",
    ]
  ) refused([...KAFKA, flag], [new RegExp(`^${flag.split("=")[0]} must be`)]);
  refused([...CASSANDRA, "--consistency=SOME"], [/^--consistency must be/]);
  refused([...CASSANDRA, "--keyspace=Shop"], [/keyspace/]);
});

testWriting("passwords and authorities are read from files", async () => {
  await using folder = temporaryFolder();
  const password = join(folder.path, "password");
  const ca = join(folder.path, "ca.pem");
  Deno.writeTextFileSync(password, " pass word \r\n");
  Deno.writeTextFileSync(ca, "-----BEGIN CERTIFICATE-----\n");
  const login = [
    "--kafka-sasl=plain",
    "--kafka-username=me",
    `--kafka-password-file=${password}`,
  ];
  const files = [...login, "--kafka-tls", `--kafka-ca-file=${ca}`];
  const { log } = connect([...KAFKA, ...files]);
  assert.ok(log.kind === "kafka");
  assert.equal(log.sasl?.password, " pass word ");
  assert.equal(log.tls?.ca, "-----BEGIN CERTIFICATE-----\n");
  refused([...KAFKA, ...login], [/give one of the two/], {
    FRAUDSTREAM_KAFKA_PASSWORD: "pw",
  });
  Deno.writeTextFileSync(password, "\n");
  refused([...KAFKA, ...login], [/is empty/]);
  Deno.writeTextFileSync(ca, "what?");
  refused([...KAFKA, "--kafka-tls", `--kafka-ca-file=${ca}`], [/no certifi/]);
  Deno.removeSync(password);
  assert.throws(() => connect([...KAFKA, ...login]), DataError);
});
