/**
 * The log on Apache Kafka, 3.6 or later. The connections (TCP, TLS, SASL) are
 * kafkajs's. The requests are written in the other kafka_*.ts files, which do
 * not know kafkajs: its producer and consumer lose or repeat records in ways
 * that cannot be fixed from outside (concurrent sends of an idempotent
 * producer, a lost answer to EndTxn, offsets that are reset or committed
 * without being asked, zombies that are not fenced), and create an object per
 * record.
 */
import { Buffer } from "node:buffer";
// @ts-types="./kafkajs_connection.d.ts"
import Connection from "kafkajs/src/network/connection.js";
// @ts-types="./kafkajs_socket_factory.d.ts"
import openSocketFactory from "kafkajs/src/network/socketFactory.js";
import { ConfigError, LogError } from "../../base/error.ts";
import { KafkaCluster, type KafkaConnection } from "./kafka_cluster.ts";
import { KafkaConnectionError, KafkaError } from "./kafka_error.ts";
import { KafkaLog } from "./kafka_log.ts";
import {
  apiVersionsRequest,
  type BrokerNode,
  type KafkaRequest,
} from "./kafka_requests.ts";
import type { KafkaSettings } from "./kafka_settings.ts";
import { WireReader } from "./kafka_wire.ts";
import type { Log, LogReport } from "../log.ts";

const CONNECT_MS = 5000;
const REQUEST_MS = 30_000;
/** How long the first answer may take, in milliseconds. A starting cluster needs some seconds. */
const OPEN_MS = 10_000;

/** Connects to the cluster; throws LogError if it cannot be reached. */
export async function openKafkaLog(
  settings: KafkaSettings,
  report: LogReport,
): Promise<Log> {
  const closed = new AbortController();
  const cluster = new KafkaCluster({
    brokers: settings.brokers,
    connect: (node) => connectToBroker(node, settings),
    report,
    signal: closed.signal,
  });
  try {
    await cluster.retry(() => cluster.metadata([]), { deadlineMs: OPEN_MS });
  } catch (error) {
    cluster.close();
    if (error instanceof LogError || error instanceof ConfigError) throw error;
    throw new LogError(
      `no Kafka broker answers at ${settings.brokers.join(", ")}: ` +
        `${(error as Error).message}; start it or give its address by ` +
        `--brokers, and ${securityAdvice(settings)}`,
      { cause: error },
    );
  }
  return new KafkaLog({ settings, cluster, report, closed });
}

/** A broker that expects TLS or SASL closes the connection without an answer. */
function securityAdvice({ tls, sasl }: KafkaSettings): string {
  if (!tls) return "see --kafka-tls if it wants TLS";
  return sasl
    ? "see whether it wants TLS (--kafka-tls) and a password (--kafka-sasl)"
    : "see whether it wants TLS (--kafka-tls), and --kafka-sasl if it wants a password";
}

/** The logger that kafkajs's classes need; it is silent, since callers report what matters. */
const SILENT = {
  namespace: () => SILENT,
  debug: () => {},
  info: () => {},
  warn: () => {},
  error: () => {},
};

/**
 * Connects to a broker; throws KafkaConnectionError if there is no answer. An
 * answer may take `answerMs` milliseconds, or longer where the request says so.
 */
export async function connectToBroker(
  node: BrokerNode,
  settings: KafkaSettings,
  answerMs = REQUEST_MS,
): Promise<KafkaConnection> {
  const place = `${node.host}:${node.port}`;
  const connection = newConnection(node, settings, answerMs);
  silenceQueue(connection.requestQueue);
  const open = {
    send: <T>(request: KafkaRequest<T>) =>
      send(connection, request, place, answerMs),
    close: () => {
      connection.rejectRequests(new KafkaConnectionError("closed"));
      connection.disconnect();
    },
  };
  try {
    await connection.connect();
    if (settings.sasl) {
      const versions = await open.send(apiVersionsRequest());
      connection.setVersions(
        Object.fromEntries(
          versions.map((version) => [version.apiKey, version]),
        ),
      );
      connection.setSupportAuthenticationProtocol(true);
      await connection.authenticate();
    }
    return open;
  } catch (error) {
    open.close();
    throw translated(error, place);
  }
}

function newConnection(
  { host, port }: BrokerNode,
  { tls, sasl }: KafkaSettings,
  answerMs: number,
): Connection {
  try {
    return new Connection({
      host,
      port,
      logger: SILENT,
      socketFactory: openSocketFactory(),
      clientId: "fraudstream",
      ssl: tls ? { ...(tls.ca === undefined ? {} : { ca: [tls.ca] }) } : null,
      sasl: sasl ? { ...sasl } : null,
      connectionTimeout: CONNECT_MS,
      requestTimeout: answerMs,
      enforceRequestTimeout: true,
      maxInFlightRequests: null,
    });
  } catch (error) {
    throw translated(error, `${host}:${port}`); // it reads the environment
  }
}

/**
 * kafkajs looks every millisecond whether requests are waiting to be sent, on
 * every connection: 25 ms of CPU per second. This is unnecessary while none
 * are.
 */
function silenceQueue(queue: Connection["requestQueue"]): void {
  const schedule = queue.scheduleCheckPendingRequests.bind(queue);
  queue.scheduleCheckPendingRequests = () => {
    if (queue.pending.length > 0) schedule();
  };
}

async function send<T>(
  connection: Connection,
  request: KafkaRequest<T>,
  place: string,
  answerMs: number,
): Promise<T> {
  const { name, apiKey, apiVersion, body, extraMs = 0, decode } = request;
  const { buffer, byteOffset, length } = body;
  const bytes = Buffer.from(buffer, byteOffset, length);
  let answer: Uint8Array;
  try {
    answer = await connection.send<Uint8Array>({
      request: {
        apiKey,
        apiVersion,
        apiName: name,
        encode: () => Promise.resolve({ buf: bytes, buffer: bytes }),
      },
      response: {
        decode: (payload) =>
          Promise.resolve({ payload, clientSideThrottleTime: 0 }),
        // A plain view: a Buffer's slice() does not copy, unlike that of a
        // Uint8Array.
        parse: ({ payload: { buffer, byteOffset, length } }) =>
          Promise.resolve(new Uint8Array(buffer, byteOffset, length)),
      },
      requestTimeout: answerMs + extraMs,
      logResponseError: false,
    });
  } catch (error) {
    throw translated(error, place);
  }
  try {
    return decode(new WireReader(answer));
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    throw new LogError(
      `the answer of ${place} to ${name} cannot be read; is it a Kafka broker?`,
      { cause: error },
    );
  }
}

/** An error of kafkajs as one of ours. */
function translated(error: unknown, place: string): Error {
  if (error instanceof KafkaError || error instanceof KafkaConnectionError) {
    return error;
  }
  const { name, message } = error as Error;
  const reason = message.replace(/^(Connection error|Failed to connect): /, "");
  if (name === "NotCapable" || /^Requires \w+ access/.test(reason)) {
    return new ConfigError(
      `Kafka at ${place} cannot be used: ${reason}; or start the program by ` +
        `'./fraudstream', which has the permissions for a cluster`,
      { cause: error },
    );
  }
  if (name === "KafkaJSSASLAuthenticationError") {
    return new LogError(
      `the broker ${place} does not accept the user name and password: ` +
        `${message}; check --kafka-sasl, --kafka-username and ` +
        `FRAUDSTREAM_KAFKA_PASSWORD`,
      { cause: error },
    );
  }
  if (/certificate/i.test(message)) {
    return new LogError(
      `the broker ${place} cannot be trusted: ${message}; check ` +
        `--kafka-ca-file, and give the address that its certificate names`,
      { cause: error },
    );
  }
  const said = reason.includes(place) ? reason : `${place}: ${reason}`;
  return new KafkaConnectionError(said, { cause: error });
}
