/**
 * The flags that say how a Kafka cluster is reached, and the settings that
 * they make. The password has no flag: it comes from the environment or a
 * file, so that no list of processes and no shell history shows it.
 */
import type { Command } from "commander";
import { ConfigError } from "../../base/error.ts";
import type { KafkaSettings } from "../../log/kafka/kafka_settings.ts";
import type { Environment } from "./environment.ts";
import {
  duration,
  type FlagReader,
  oneOf,
  serverList,
  wholeNumber,
} from "./flag_value.ts";
import { readAuthorities, readPassword } from "./secret.ts";

/** How a password is shown to Kafka. */
export type SaslMechanism = NonNullable<KafkaSettings["sasl"]>["mechanism"];

/** The Kafka flags as commander hands them over; absent if not given. */
export interface KafkaOptions {
  /** --brokers */
  readonly brokers?: readonly string[];
  /** --topic-prefix */
  readonly topicPrefix?: string;
  /** --replication */
  readonly replication?: number;
  /** --session-timeout, seconds. */
  readonly sessionTimeout?: number;
  /** --kafka-tls */
  readonly kafkaTls?: boolean;
  /** --kafka-ca-file */
  readonly kafkaCaFile?: string;
  /** --kafka-sasl */
  readonly kafkaSasl?: SaslMechanism;
  /** --kafka-username */
  readonly kafkaUsername?: string;
  /** --kafka-password-file */
  readonly kafkaPasswordFile?: string;
}

/** The flag of each option. */
export const KAFKA_FLAGS: Readonly<Record<keyof KafkaOptions, string>> = {
  brokers: "--brokers",
  topicPrefix: "--topic-prefix",
  replication: "--replication",
  sessionTimeout: "--session-timeout",
  kafkaTls: "--kafka-tls",
  kafkaCaFile: "--kafka-ca-file",
  kafkaSasl: "--kafka-sasl",
  kafkaUsername: "--kafka-username",
  kafkaPasswordFile: "--kafka-password-file",
};

/** A topic has a few copies; more is a slip of the keyboard. */
const REPLICATION_MAX = 16;
const SESSION_TIMEOUT_SECONDS = 30;
/** Names of topics have at most 249 characters; ours need about 30. */
const PREFIX = /^[A-Za-z0-9._-]{1,200}$/;

/**
 * Adds the Kafka flags to a command.
 *
 * @internal (deno doc --lint would want commander documented)
 */
export function addKafkaFlags(command: Command): void {
  command.optionsGroup("Flags of --log=kafka:")
    .option(
      "--brokers <list>",
      "needed: some of the brokers, host:port,…",
      serverList("--brokers", "needed"),
    )
    .option(
      "--topic-prefix <text>",
      "put before each topic and group, for several streams",
      readPrefix,
    )
    .option(
      "--replication <n>",
      "replicas of new topics (default: the brokers')",
      wholeNumber("--replication", 1, REPLICATION_MAX),
    )
    .option(
      "--session-timeout <time>",
      `silence after which others take over (default: ${SESSION_TIMEOUT_SECONDS}s)`,
      duration("--session-timeout", 1),
    )
    .option("--kafka-tls", "encrypt the connection")
    .option("--kafka-ca-file <file>", "authorities to trust, PEM")
    .option(
      "--kafka-sasl <how>",
      "log in: plain, scram-sha-256 or scram-sha-512",
      oneOf<SaslMechanism>("--kafka-sasl", [
        "plain",
        "scram-sha-256",
        "scram-sha-512",
      ]),
    )
    .option("--kafka-username <name>", "who logs in")
    .option(
      "--kafka-password-file <file>",
      "the password (or FRAUDSTREAM_KAFKA_PASSWORD)",
    );
}

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
  if (kafkaCaFile !== undefined && !kafkaTls) {
    throw new ConfigError(
      "--kafka-ca-file has no effect without --kafka-tls; add it",
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
    variable: "FRAUDSTREAM_KAFKA_PASSWORD",
    flag: "--kafka-password-file",
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

const readPrefix: FlagReader<string> = (text) => {
  if (PREFIX.test(text)) return text;
  throw new ConfigError(
    "--topic-prefix must be letters, digits, dots, dashes or underlines, at " +
      `most 200, not '${text.slice(0, 60)}'`,
  );
};
