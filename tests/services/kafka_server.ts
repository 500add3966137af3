/**
 * A real Kafka of one node, broker and controller in one process, on free ports
 * of 127.0.0.1. Everything is replicated once, since there is nobody else.
 */
import { join } from "node:path";
import { freePort } from "./free_port.ts";
import { jarsOf } from "./jar_cache.ts";
import { runTool } from "./java.ts";
import { launch, type Server } from "./java_server.ts";
import { type KeyStore, makeKeyStore } from "./key_store.ts";
import { converse } from "./wire.ts";

/** A running Kafka. `address` is plain text; the others are there if it is secured. */
export interface KafkaServer extends Server {
  /** TLS with SASL, any of PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512. */
  readonly securedAddress?: string;
  /** TLS without SASL. */
  readonly tlsAddress?: string;
  /** PEM file with the authority that signed the server's certificate. */
  readonly caFile?: string;
  /** Who may log in. */
  readonly username?: string;
  /** And with what. */
  readonly password?: string;
}

/** How Kafka is to be started, where not as usual. */
export interface KafkaOptions {
  /** Adds listeners with TLS and SASL. */
  readonly secured?: boolean;
  /** Further lines of server.properties; they win over those that are there. */
  readonly config?: Readonly<Record<string, string>>;
  /** The port that clients are told to connect to, for a proxy in front. */
  readonly advertisedPort?: number;
  /** The folder in which its own is made; that of temporary files as usual. */
  readonly parent?: string;
  /** Compiles Java thoroughly: twice as long to start, faster under load. */
  readonly throughput?: boolean;
}

const USERNAME = "fraudstream";
const PASSWORD = "stream-secret";
const HOST = "127.0.0.1";
const CLUSTER_ID = "ZnJhdWRzdHJlYW0tdGVzdA";
const API_VERSIONS = 18;

/** Formats a new folder, starts Kafka on it and waits until it answers. */
export async function startKafka(
  options: KafkaOptions = {},
): Promise<KafkaServer> {
  const jars = await jarsOf("kafka");
  const ports = { plain: freePort(), tls: freePort(), secured: freePort() };
  let keys: KeyStore | undefined;
  const prepare = async (folder: string) => {
    keys = options.secured ? await makeKeyStore(folder) : undefined;
    const properties = join(folder, "server.properties");
    const config = {
      ...plainConfig(folder, ports.plain, options.advertisedPort),
      ...options.config,
    };
    if (keys) addSecured(config, keys, ports.tls, ports.secured);
    await Deno.writeTextFile(properties, propertiesOf(config));
    const javaArgs = [
      // A short life is over before the second compiler pays off.
      ...options.throughput ? [] : ["-XX:TieredStopAtLevel=1"],
      "-Xmx1g",
      "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
      "-Dorg.slf4j.simpleLogger.showDateTime=true",
      "-Dorg.slf4j.simpleLogger.dateTimeFormat=HH:mm:ss.SSS",
      "-cp",
      join(jars, "*"),
    ];
    await format(javaArgs, properties, options.secured === true);
    return {
      address: `${HOST}:${ports.plain}`,
      javaArgs: [...javaArgs, "kafka.Kafka", properties],
      answers: () => answersKafka(ports.plain),
    };
  };
  const server = await launch("Kafka", prepare, options.parent);
  return Object.assign(
    server,
    keys && {
      securedAddress: `${HOST}:${ports.secured}`,
      tlsAddress: `${HOST}:${ports.tls}`,
      caFile: keys.caFile,
      username: USERNAME,
      password: PASSWORD,
    },
  );
}

function plainConfig(
  folder: string,
  port: number,
  advertisedPort: number = port,
): Record<string, string> {
  const controller = `${HOST}:${freePort()}`;
  // What the broker says to itself must not pass through a proxy in front.
  const internal = `INTERNAL://${HOST}:${freePort()}`;
  return {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.quorum.voters": `1@${controller}`,
    "controller.listener.names": "CONTROLLER",
    "listeners":
      `PLAINTEXT://${HOST}:${port},CONTROLLER://${controller},${internal}`,
    "advertised.listeners": `PLAINTEXT://${HOST}:${advertisedPort},${internal}`,
    "listener.security.protocol.map":
      "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,INTERNAL:PLAINTEXT",
    "inter.broker.listener.name": "INTERNAL",
    "log.dirs": join(folder, "data"),
    "auto.create.topics.enable": "false",
    "default.replication.factor": "1",
    "min.insync.replicas": "1",
    "offsets.topic.num.partitions": "4",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.num.partitions": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    // A killed broker may come back only after its old session is over.
    "broker.heartbeat.interval.ms": "500",
    "broker.session.timeout.ms": "3000",
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
  };
}

function addSecured(
  config: Record<string, string>,
  { storeFile, storePassword }: KeyStore,
  tlsPort: number,
  securedPort: number,
): void {
  const added = `,TLS://${HOST}:${tlsPort},SECURED://${HOST}:${securedPort}`;
  config["listeners"] += added;
  config["advertised.listeners"] += added;
  config["listener.security.protocol.map"] += ",TLS:SSL,SECURED:SASL_SSL";
  config["ssl.keystore.type"] = "PKCS12";
  config["ssl.keystore.location"] = storeFile;
  config["ssl.keystore.password"] = storePassword;
  config["ssl.key.password"] = storePassword;
  config["sasl.enabled.mechanisms"] = "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512";
  const modules = "org.apache.kafka.common.security";
  config["listener.name.secured.plain.sasl.jaas.config"] =
    `${modules}.plain.PlainLoginModule required user_${USERNAME}="${PASSWORD}";`;
  for (const hash of ["256", "512"]) {
    config[`listener.name.secured.scram-sha-${hash}.sasl.jaas.config`] =
      `${modules}.scram.ScramLoginModule required;`;
  }
}

async function format(
  javaArgs: readonly string[],
  properties: string,
  secured: boolean,
): Promise<void> {
  const users = ["SCRAM-SHA-256", "SCRAM-SHA-512"].flatMap((mechanism) => [
    "--add-scram",
    `${mechanism}=[name=${USERNAME},password=${PASSWORD}]`,
  ]);
  const { success, output } = await runTool("java", [
    ...javaArgs,
    "kafka.tools.StorageTool",
    "format",
    ...["-t", CLUSTER_ID, "-c", properties],
    ...secured ? users : [],
  ]);
  if (!success) throw new Error(`Kafka's folder was not formatted: ${output}`);
}

/** Whether an ApiVersions request is answered without an error. */
function answersKafka(port: number): Promise<boolean> {
  const request = new DataView(new ArrayBuffer(14));
  request.setInt32(0, 10);
  request.setInt16(4, API_VERSIONS);
  request.setInt16(6, 0);
  request.setInt32(8, 1);
  request.setInt16(12, -1);
  return converse(port, async (ask) => {
    const answer = await ask(new Uint8Array(request.buffer));
    // Length and correlation id, then the error code.
    return answer.length > 10 && answer[8] === 0 && answer[9] === 0;
  });
}

function propertiesOf(config: Readonly<Record<string, string>>): string {
  return Object.entries(config).map(([key, value]) => `${key}=${value}\n`)
    .join("");
}
