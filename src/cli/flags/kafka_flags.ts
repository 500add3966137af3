/**
 * The flags that say how a Kafka cluster is reached, and the settings that they
 * make. The password has no flag: it comes from the environment or a file, so
 * that it never appears in a list of processes or a shell history.
 */
import { ConfigError } from "../../base/error.ts";
import type { KafkaSettings } from "../../log/kafka/kafka_settings.ts";
import type { Environment } from "./environment.ts";
import { type FlagGroup, flagName, type FlagValues } from "./flag.ts";
import { duration, oneOf, serverList, wholeNumber } from "./flag_value.ts";
import { readAuthorities, readPassword } from "./secret.ts";

/** A topic has a few copies; more is a typing error. */
const REPLICATION_MAX = 16;
const SESSION_TIMEOUT_SECONDS = 30;
/** Names of topics have at most 249 characters; ours need about 30. */
const PREFIX = /^[A-Za-z0-9._-]{1,200}$/;

/** Reads a prefix of topics. Throws ConfigError for what no topic can begin with. */
export function readPrefix(text: string, flag: string): string {
  if (PREFIX.test(text)) return text;
  throw new ConfigError(
    `${flag} must be letters, digits, dots, dashes or underlines, at ` +
      `most 200, not '${text.slice(0, 60)}'`,
  );
}

/** The Kafka flags. */
export const KAFKA_FLAGS = {
  title: "Flags of --log=kafka",
  needs: "--log=kafka",
  environment: true,
  flags: {
    brokers: {
      value: "<list>",
      help: "required: some of the brokers, host:port,…",
      read: serverList("needed"),
    },
    topicPrefix: {
      value: "<text>",
      help: "prefix of topics, groups and transactional ids",
      read: readPrefix,
    },
    replication: {
      value: "<n>",
      help: "replicas of new topics",
      read: wholeNumber(1, REPLICATION_MAX),
      default: "the brokers'",
    },
    sessionTimeout: {
      value: "<time>",
      help: "time without a sign of life after which others take over",
      read: duration(1),
      default: `${SESSION_TIMEOUT_SECONDS}s`,
    },
    kafkaTls: { help: "encrypt the connection with TLS" },
    kafkaCaFile: {
      value: "<file>",
      help: "certificate authorities to trust, PEM",
      needs: "--kafka-tls",
    },
    kafkaSasl: {
      value: "<how>",
      help: "log in: plain, scram-sha-256 or scram-sha-512",
      read: oneOf(["plain", "scram-sha-256", "scram-sha-512"]),
    },
    kafkaUsername: { value: "<name>", help: "user name" },
    kafkaPasswordFile: {
      value: "<file>",
      help: "the password",
      instead: "FRAUDSTREAM_KAFKA_PASSWORD",
    },
  },
} as const satisfies FlagGroup;

/** The values of the Kafka flags. */
export type KafkaOptions = FlagValues<typeof KAFKA_FLAGS>;

/** The settings that the flags make. Throws ConfigError where they contradict each other. */
export function readKafkaFlags(
  options: KafkaOptions,
  environment: Environment,
): KafkaSettings {
  const { brokers, kafkaTls, kafkaCaFile } = options;
  if (brokers === undefined) {
    throw new ConfigError(
      "--log=kafka needs --brokers (or FRAUDSTREAM_BROKERS); for example: " +
        "--brokers=127.0.0.1:9092",
    );
  }
  const ca = kafkaCaFile === undefined
    ? undefined
    : readAuthorities("--kafka-ca-file", kafkaCaFile);
  return {
    kind: "kafka",
    brokers,
    prefix: options.topicPrefix ?? "",
    replication: options.replication,
    tls: kafkaTls ? { ca } : undefined,
    sasl: readSasl(options, environment),
    sessionTimeoutMs: 1000 *
      (options.sessionTimeout ?? SESSION_TIMEOUT_SECONDS),
  };
}

function readSasl(
  { kafkaSasl, kafkaUsername, kafkaPasswordFile }: KafkaOptions,
  environment: Environment,
): KafkaSettings["sasl"] {
  const source = {
    variable: KAFKA_FLAGS.flags.kafkaPasswordFile.instead,
    flag: flagName("kafkaPasswordFile"),
    file: kafkaPasswordFile,
  };
  const password = readPassword(source, environment);
  if (kafkaSasl === undefined) {
    const given = kafkaUsername !== undefined
      ? "--kafka-username"
      : password !== undefined
      ? "a password of Kafka"
      : undefined;
    if (given === undefined) return undefined;
    throw new ConfigError(
      `${given} has no effect without --kafka-sasl; say how to log in: ` +
        "--kafka-sasl=scram-sha-512, for example",
    );
  }
  if (kafkaUsername === undefined) {
    throw new ConfigError(
      `--kafka-sasl=${kafkaSasl} needs --kafka-username; give it`,
    );
  }
  if (password === undefined) {
    throw new ConfigError(
      `--kafka-sasl=${kafkaSasl} needs a password; put it in ` +
        `${source.variable} or in a file that ${source.flag} names`,
    );
  }
  return { mechanism: kafkaSasl, username: kafkaUsername, password };
}
