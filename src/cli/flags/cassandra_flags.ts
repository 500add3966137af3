/**
 * The flags that say how a Cassandra cluster is reached, and the settings that
 * they make. The password has no flag: it comes from the environment or a
 * file, so that no list of processes and no shell history shows it.
 */
import type { Command } from "commander";
import { ConfigError } from "../../base/error.ts";
import {
  type CassandraSettings,
  checkCassandraSettings,
  CONSISTENCY_LEVELS,
  DEFAULT_KEYSPACE,
  type SchemaSettings,
} from "../../store/cassandra/cassandra_settings.ts";
import type { Environment } from "./environment.ts";
import {
  type FlagReader,
  oneOf,
  serverList,
  wholeNumber,
} from "./flag_value.ts";
import { readAuthorities, readPassword } from "./secret.ts";

/** The flags of the schema as commander hands them over; absent if not given. */
export interface SchemaOptions {
  /** --local-dc */
  readonly localDc?: string;
  /** --keyspace */
  readonly keyspace?: string;
  /** --store-replication */
  readonly storeReplication?: number;
  /** --bigint-ids: has no effect; kept for scripts that give it */
  readonly bigintIds?: boolean;
}

/** The Cassandra flags as commander hands them over; absent if not given. */
export interface CassandraOptions extends SchemaOptions {
  /** --contact-points */
  readonly contactPoints?: readonly string[];
  /** --consistency */
  readonly consistency?: string;
  /** --cassandra-tls */
  readonly cassandraTls?: boolean;
  /** --cassandra-ca-file */
  readonly cassandraCaFile?: string;
  /** --cassandra-username */
  readonly cassandraUsername?: string;
  /** --cassandra-password-file */
  readonly cassandraPasswordFile?: string;
}

/** The flag of each option. */
export const CASSANDRA_FLAGS: Readonly<
  Record<keyof CassandraOptions, string>
> = {
  contactPoints: "--contact-points",
  localDc: "--local-dc",
  keyspace: "--keyspace",
  consistency: "--consistency",
  storeReplication: "--store-replication",
  bigintIds: "--bigint-ids",
  cassandraTls: "--cassandra-tls",
  cassandraCaFile: "--cassandra-ca-file",
  cassandraUsername: "--cassandra-username",
  cassandraPasswordFile: "--cassandra-password-file",
};

const REPLICATION_MAX = 16;

/**
 * Adds the Cassandra flags to a command.
 *
 * @internal (deno doc --lint would want commander documented)
 */
export function addCassandraFlags(command: Command): void {
  command.optionsGroup("Flags of --store=cassandra:")
    .option(
      "--contact-points <list>",
      "needed: some of the nodes, host or host:port,…",
      serverList("--contact-points", "optional"),
    )
    .option(
      "--consistency <level>",
      "of reads and writes (default: LOCAL_QUORUM)",
      readConsistency,
    );
  addSchemaFlags(command)
    .option("--cassandra-tls", "encrypt the connection")
    .option("--cassandra-ca-file <file>", "authorities to trust, PEM")
    .option("--cassandra-username <name>", "who logs in")
    .option(
      "--cassandra-password-file <file>",
      "the password (or FRAUDSTREAM_CASSANDRA_PASSWORD)",
    );
}

/**
 * Adds the flags that the schema depends on to a command, which it returns.
 *
 * @internal
 */
export function addSchemaFlags(command: Command): Command {
  return command
    .option("--local-dc <name>", "needed: the data centre to work in")
    .option("--keyspace <name>", `(default: ${DEFAULT_KEYSPACE})`)
    .option(
      "--store-replication <n>",
      "replicas of a new keyspace (default: 1)",
      wholeNumber("--store-replication", 1, REPLICATION_MAX),
    )
    .option("--bigint-ids", "no effect: new tables always take bigint ids");
}

/** What the flags say of the schema, in the data centre given. */
export function readSchemaFlags(
  options: SchemaOptions,
  localDataCenter: string,
): SchemaSettings {
  return {
    localDataCenter,
    keyspace: options.keyspace ?? DEFAULT_KEYSPACE,
    replication: options.storeReplication ?? 1,
  };
}

/** The settings that the flags make. Throws ConfigError where they contradict each other. */
export function readCassandraFlags(
  options: CassandraOptions,
  environment: Environment,
): CassandraSettings {
  const { contactPoints, localDc, cassandraTls, cassandraCaFile } = options;
  if (contactPoints === undefined) {
    throw new ConfigError(
      "--store=cassandra needs --contact-points (or " +
        "FRAUDSTREAM_CONTACT_POINTS); for example: --contact-points=127.0.0.1",
    );
  }
  if (localDc === undefined) {
    throw new ConfigError(
      "--store=cassandra needs --local-dc (or FRAUDSTREAM_LOCAL_DC), the " +
        "data centre as 'nodetool status' shows it; often --local-dc=" +
        "datacenter1",
    );
  }
  if (cassandraCaFile !== undefined && !cassandraTls) {
    throw new ConfigError(
      "--cassandra-ca-file has no effect without --cassandra-tls; add it",
    );
  }
  const ca = cassandraCaFile === undefined
    ? undefined
    : readAuthorities("--cassandra-ca-file", cassandraCaFile);
  const settings: CassandraSettings = {
    kind: "cassandra",
    ...readSchemaFlags(options, localDc),
    contactPoints,
    consistency: options.consistency ?? "LOCAL_QUORUM",
    tls: cassandraTls ? { ca } : undefined,
    user: readUser(options, environment),
  };
  checkCassandraSettings(settings);
  return settings;
}

function readUser(
  { cassandraUsername, cassandraPasswordFile }: CassandraOptions,
  environment: Environment,
): CassandraSettings["user"] {
  const source = {
    variable: "FRAUDSTREAM_CASSANDRA_PASSWORD",
    flag: "--cassandra-password-file",
    file: cassandraPasswordFile,
  };
  const password = readPassword(source, environment);
  if (cassandraUsername === undefined) {
    if (password === undefined) return undefined;
    throw new ConfigError(
      "a password of Cassandra has no effect without --cassandra-username; " +
        "give it",
    );
  }
  if (password !== undefined) return { name: cassandraUsername, password };
  throw new ConfigError(
    `--cassandra-username needs a password; put it in ${source.variable} or ` +
      `in a file that ${source.flag} names`,
  );
}

const readConsistency: FlagReader<string> = (text) =>
  oneOf("--consistency", CONSISTENCY_LEVELS)(text.toUpperCase());
