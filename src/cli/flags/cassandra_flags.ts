/**
 * The flags that say how a Cassandra cluster is reached, and the settings that
 * they make. The password has no flag: it comes from the environment or a file,
 * so that it never appears in a list of processes or a shell history.
 */
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
  type FlagGroup,
  flagName,
  type FlagReader,
  type FlagValues,
} from "./flag.ts";
import { oneOf, serverList, wholeNumber } from "./flag_value.ts";
import { readAuthorities, readPassword } from "./secret.ts";

const REPLICATION_MAX = 16;

const readConsistency: FlagReader<string> = (text, flag) =>
  oneOf(CONSISTENCY_LEVELS)(text.toUpperCase(), flag);

/** The flags that the schema depends on. */
export const SCHEMA_FLAGS = {
  flags: {
    localDc: { value: "<name>", help: "required: the data centre to use" },
    keyspace: {
      value: "<name>",
      help: "keyspace of the tables",
      default: DEFAULT_KEYSPACE,
    },
    storeReplication: {
      value: "<n>",
      help: "replicas of a new keyspace",
      read: wholeNumber(1, REPLICATION_MAX),
      default: "1",
    },
    bigintIds: { help: "no effect; new tables always use bigint ids" },
  },
} as const satisfies FlagGroup;

/** The Cassandra flags. */
export const CASSANDRA_FLAGS = {
  title: "Flags of --store=cassandra",
  needs: "--store=cassandra",
  environment: true,
  flags: {
    contactPoints: {
      value: "<list>",
      help: "required: some of the nodes, host or host:port,…",
      read: serverList("optional"),
    },
    consistency: {
      value: "<level>",
      help: "consistency level of reads and writes",
      read: readConsistency,
      default: "LOCAL_QUORUM",
    },
    ...SCHEMA_FLAGS.flags,
    cassandraTls: { help: "encrypt the connection with TLS" },
    cassandraCaFile: {
      value: "<file>",
      help: "certificate authorities to trust, PEM",
      needs: "--cassandra-tls",
    },
    cassandraUsername: { value: "<name>", help: "user name" },
    cassandraPasswordFile: {
      value: "<file>",
      help: "the password",
      instead: "FRAUDSTREAM_CASSANDRA_PASSWORD",
    },
  },
} as const satisfies FlagGroup;

/** The values of the schema's flags. */
export type SchemaOptions = FlagValues<typeof SCHEMA_FLAGS>;

/** The values of the Cassandra flags. */
export type CassandraOptions = FlagValues<typeof CASSANDRA_FLAGS>;

/** The schema's settings from the flags, in the given data centre. */
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
    variable: CASSANDRA_FLAGS.flags.cassandraPasswordFile.instead,
    flag: flagName("cassandraPasswordFile"),
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
