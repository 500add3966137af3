/**
 * One Kafka and one Cassandra for all tests of a test file, started when the
 * first test asks and stopped behind the last. Tests keep apart by names of
 * their own: a topic prefix, a keyspace. A test that harms its server starts
 * one for itself.
 */
import type { KafkaSettings } from "../../src/log/kafka/kafka_settings.ts";
import {
  type CassandraServer,
  startCassandra,
} from "../services/cassandra_server.ts";
import { type KafkaServer, startKafka } from "../services/kafka_server.ts";
import { type ProxiedKafka, startProxied } from "./proxied_kafka.ts";

let kafka: Promise<KafkaServer> | undefined;
let proxied: Promise<ProxiedKafka> | undefined;
let cassandra: Promise<CassandraServer> | undefined;

/** The Kafka that all tests share. */
export function sharedKafka(): Promise<KafkaServer> {
  return kafka ??= startKafka();
}

let streams = 0;

/** Settings for a stream of its own on the shared Kafka. */
export async function freshSettings(): Promise<KafkaSettings> {
  const { address } = await sharedKafka();
  return {
    kind: "kafka",
    brokers: [address],
    prefix: `test${++streams}-`,
    replication: undefined,
    tls: undefined,
    sasl: undefined,
    sessionTimeoutMs: 3000,
  };
}

/** A Kafka behind a proxy, shared by those that lose requests and answers. */
export function sharedProxied(): Promise<ProxiedKafka> {
  return proxied ??= startProxied();
}

/** The Cassandra that all tests share. */
export function sharedCassandra(): Promise<CassandraServer> {
  return cassandra ??= startCassandra();
}

/** Stops and removes those that were started. */
async function stopShared(): Promise<void> {
  const started = await Promise.allSettled([kafka, proxied, cassandra]);
  kafka = proxied = cassandra = undefined;
  for (const server of started) {
    if (server.status === "fulfilled") {
      await server.value?.[Symbol.asyncDispose]();
    }
  }
}

// Deno 2.4 has no such hook; there the servers end with the process.
const hooks = Deno.test as unknown as {
  afterAll?(end: () => Promise<void>): void;
};
hooks.afterAll?.(stopShared);
