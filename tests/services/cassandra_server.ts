/**
 * A real Cassandra of one node on free ports of 127.0.0.1, with the settings
 * that let a node without neighbours start at once.
 */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { freePort } from "./free_port.ts";
import { jarsOf } from "./jar_cache.ts";
import { launch, type Server } from "./java_server.ts";
import { type KeyStore, makeKeyStore } from "./key_store.ts";
import { type Ask, converse } from "./wire.ts";

/** A running Cassandra; what is optional is there if it is secured. */
export interface CassandraServer extends Server {
  /** PEM file with the authority that signed the server's certificate. */
  readonly caFile?: string;
  /** Who may log in. */
  readonly username?: string;
  /** And with what. */
  readonly password?: string;
}

/** How Cassandra is to be started, where not as usual. */
export interface CassandraOptions {
  /** Clients need TLS, a user and a password, and permissions are checked. */
  readonly secured?: boolean;
  /** Java's heap in MiB; 1024 as usual. */
  readonly heapMb?: number;
  /** Compiles Java thoroughly, longer to start and faster under load, and syncs its commit log as an installed node does. */
  readonly throughput?: boolean;
}

const HOST = "127.0.0.1";
/** Every new Cassandra has this user, with the name as its password. */
const SUPERUSER = "cassandra";

/** What Cassandra 5 reaches into, of Java 17's own modules. */
const EXPORTED = [
  "java.base/java.lang.ref",
  "java.base/jdk.internal.misc",
  "java.management.rmi/com.sun.jmx.remote.internal.rmi",
  "java.rmi/sun.rmi.registry",
  "java.rmi/sun.rmi.server",
  "java.sql/java.sql",
  "jdk.attach/sun.tools.attach",
  "jdk.compiler/com.sun.tools.javac.file",
  "jdk.unsupported/sun.misc",
];
const OPENED = [
  "java.base/java.io",
  "java.base/java.lang",
  "java.base/java.lang.module",
  "java.base/java.lang.reflect",
  "java.base/java.util",
  "java.base/jdk.internal.loader",
  "java.base/jdk.internal.math",
  "java.base/jdk.internal.module",
  "java.base/jdk.internal.ref",
  "java.base/jdk.internal.reflect",
  "java.base/jdk.internal.util.jar",
  "java.base/sun.nio.ch",
  "jdk.compiler/com.sun.tools.javac",
  "jdk.management/com.sun.management.internal",
];

/** Starts Cassandra on a new folder and waits until it answers. */
export async function startCassandra(
  options: CassandraOptions = {},
): Promise<CassandraServer> {
  const jars = await jarsOf("cassandra");
  const port = freePort();
  let keys: KeyStore | undefined;
  const server = await launch("Cassandra", async (folder) => {
    keys = options.secured ? await makeKeyStore(folder) : undefined;
    const caCert = keys && await Deno.readTextFile(keys.caFile);
    const flags = await javaFlags(folder, port, options, keys);
    const main = "org.apache.cassandra.service.CassandraDaemon";
    return {
      address: `${HOST}:${port}`,
      javaArgs: [...flags, "-cp", join(jars, "*"), main],
      answers: () =>
        converse(port, caCert === undefined ? answersOptions : logsIn, caCert),
    };
  });
  return Object.assign(
    server,
    keys && {
      caFile: keys.caFile,
      username: SUPERUSER,
      password: SUPERUSER,
    },
  );
}

/** Writes the configuration and gives the flags that lead Java to it. */
async function javaFlags(
  folder: string,
  port: number,
  options: CassandraOptions,
  keys: KeyStore | undefined,
): Promise<string[]> {
  const { heapMb = 1024, throughput } = options;
  const yaml = join(folder, "cassandra.yaml");
  const logback = join(folder, "logback.xml");
  // JSON is YAML too.
  const config = {
    ...plainConfig(folder, port),
    ...options.throughput ? INSTALLED_SYNC : SAFE_SYNC,
    ...keys && secured(keys),
  };
  await Deno.writeTextFile(yaml, JSON.stringify(config, null, 2));
  await Deno.writeTextFile(logback, LOGBACK);
  return [
    ...throughput ? [] : ["-XX:TieredStopAtLevel=1"],
    `-Xmx${heapMb}m`,
    `-Xms${heapMb / 2}m`,
    "-Xss512k",
    `-Dcassandra.config=${pathToFileURL(yaml)}`,
    `-Dcassandra.storagedir=${join(folder, "data")}`,
    `-Dlogback.configurationFile=${logback}`,
    "-Dcassandra.skip_wait_for_gossip_to_settle=0",
    "-Dcassandra.ring_delay_ms=1",
    "-Dcassandra.superuser_setup_delay_ms=0",
    "-Djdk.attach.allowAttachSelf=true",
    "-Dio.netty.tryReflectionSetAccessible=true",
    ...EXPORTED.map((name) => `--add-exports=${name}=ALL-UNNAMED`),
    ...OPENED.map((name) => `--add-opens=${name}=ALL-UNNAMED`),
  ];
}

/** How a node syncs as it is installed: with one replica, a SIGKILL loses what it acknowledged last. */
const INSTALLED_SYNC = {
  "commitlog_sync": "periodic",
  "commitlog_sync_period": "10s",
};
/** How it loses nothing that it acknowledged. */
const SAFE_SYNC = {
  "commitlog_sync": "group",
  "commitlog_sync_group_window": "10ms",
};

function plainConfig(folder: string, port: number): Record<string, unknown> {
  const storagePort = freePort();
  const data = (name: string) => join(folder, "data", name);
  return {
    cluster_name: "fraudstream",
    num_tokens: 1,
    initial_token: "0",
    auto_bootstrap: false,
    partitioner: "org.apache.cassandra.dht.Murmur3Partitioner",
    endpoint_snitch: "SimpleSnitch",
    seed_provider: [{
      class_name: "org.apache.cassandra.locator.SimpleSeedProvider",
      parameters: [{ seeds: `${HOST}:${storagePort}` }],
    }],
    listen_address: HOST,
    rpc_address: HOST,
    native_transport_port: port,
    storage_port: storagePort,
    ssl_storage_port: freePort(),
    data_file_directories: [data("data")],
    commitlog_directory: data("commitlog"),
    saved_caches_directory: data("saved_caches"),
    hints_directory: data("hints"),
    cdc_raw_directory: data("cdc_raw"),
    hinted_handoff_enabled: false,
    auto_snapshot: false,
  };
}

function secured(
  { storeFile, storePassword }: KeyStore,
): Record<string, unknown> {
  return {
    authenticator: "PasswordAuthenticator",
    authorizer: "CassandraAuthorizer",
    role_manager: "CassandraRoleManager",
    client_encryption_options: {
      enabled: true,
      optional: false,
      keystore: storeFile,
      keystore_password: storePassword,
      store_type: "PKCS12",
    },
  };
}

const LOGBACK = `<configuration>
  <appender name="out" class="ch.qos.logback.core.ConsoleAppender">
    <encoder><pattern>%date %level %logger{0} %msg%n</pattern></encoder>
  </appender>
  <root level="WARN"><appender-ref ref="out"/></root>
</configuration>
`;

// Frames of CQL's native protocol, version 4.
const REQUEST = 0x04;
const STARTUP = 0x01;
const AUTHENTICATE = 0x03;
const OPTIONS = 0x05;
const SUPPORTED = 0x06;
const AUTH_RESPONSE = 0x0f;
const AUTH_SUCCESS = 0x10;

async function answersOptions(ask: Ask): Promise<boolean> {
  return await answerTo(ask, OPTIONS, []) === SUPPORTED;
}

/** Whether the first user can log in: it is made a little after the port opens. */
async function logsIn(ask: Ask): Promise<boolean> {
  const options = [
    0,
    1,
    ...shortString("CQL_VERSION"),
    ...shortString("3.0.0"),
  ];
  if (await answerTo(ask, STARTUP, options) !== AUTHENTICATE) return false;
  const token = [...new TextEncoder().encode(`\0${SUPERUSER}\0${SUPERUSER}`)];
  const response = [0, 0, 0, token.length, ...token];
  return await answerTo(ask, AUTH_RESPONSE, response) === AUTH_SUCCESS;
}

/** The kind of frame that a frame is answered by. */
async function answerTo(
  ask: Ask,
  opcode: number,
  body: readonly number[],
): Promise<number | undefined> {
  const header = [REQUEST, 0, 0, 0, opcode, 0, 0, 0, body.length];
  return (await ask(Uint8Array.from([...header, ...body])))[4];
}

function shortString(text: string): number[] {
  return [0, text.length, ...new TextEncoder().encode(text)];
}
