/**
 * How a Cassandra cluster is reached and used, and which settings are valid.
 * Pure: nothing here knows the driver, so that flags can be read and the schema
 * printed without loading it.
 */
import { ConfigError } from "../../base/error.ts";

/** What a schema depends on, besides the features. */
export interface SchemaSettings {
  /** The data centre that is written to and read from. */
  readonly localDataCenter: string;
  /** The keyspace, in lower case. */
  readonly keyspace: string;
  /** Replicas of a new keyspace; an existing one keeps its own. */
  readonly replication: number;
}

/** How a Cassandra cluster is reached and used. */
export interface CassandraSettings extends SchemaSettings {
  /** Distinguishes these settings from the embedded store's. */
  readonly kind: "cassandra";
  /** Nodes to ask first, as host or host:port; the others are found by them. */
  readonly contactPoints: readonly string[];
  /** Consistency level of all reads and writes, one of CONSISTENCY_LEVELS. */
  readonly consistency: string;
  /** TLS, verified against these authorities (PEM) or, if undefined, the system's. */
  readonly tls: { readonly ca: string | undefined } | undefined;
  /** The user that logs in; undefined where the cluster needs none. */
  readonly user:
    | { readonly name: string; readonly password: string }
    | undefined;
}

/** Keyspace where none is named. */
export const DEFAULT_KEYSPACE = "detectionfraud";

/** Data centre of a single node with Cassandra's default snitch. */
export const DEFAULT_DATA_CENTER = "datacenter1";

/** Consistency levels that make sense for both reads and writes. */
export const CONSISTENCY_LEVELS = [
  "LOCAL_QUORUM",
  "LOCAL_ONE",
  "ONE",
  "TWO",
  "THREE",
  "QUORUM",
  "ALL",
] as const;

/** More replicas than this are a typing error. */
const REPLICATION_MAX = 16;

/** Throws ConfigError for settings that cannot work. */
export function checkCassandraSettings(settings: CassandraSettings): void {
  const { contactPoints, consistency } = settings;
  if (contactPoints.length === 0 || contactPoints.some((point) => !point)) {
    throw new ConfigError(
      "a contact point of the Cassandra cluster is needed, as host or " +
        "host:port: --contact-points=10.0.0.1,10.0.0.2",
    );
  }
  if (!(CONSISTENCY_LEVELS as readonly string[]).includes(consistency)) {
    throw new ConfigError(
      `the consistency level must be one of ${
        CONSISTENCY_LEVELS.join(", ")
      }, not '${consistency}'`,
    );
  }
  checkSchemaSettings(settings);
}

/** Throws ConfigError for names or numbers that are invalid in a schema. */
export function checkSchemaSettings(
  settings: SchemaSettings,
): void {
  const { keyspace, replication, localDataCenter } = settings;
  if (!/^[a-z][a-z0-9_]{0,47}$/.test(keyspace)) {
    throw new ConfigError(
      "a keyspace is a lower-case letter and then at most 47 letters, digits " +
        `or _, not '${keyspace.slice(0, 60)}'`,
    );
  }
  if (
    !(replication >= 1 && replication <= REPLICATION_MAX) || replication % 1
  ) {
    throw new ConfigError(
      `the number of replicas must be from 1 to ${REPLICATION_MAX}, not ` +
        `${replication}`,
    );
  }
  if (!/^[\w.:-]{1,64}$/.test(localDataCenter)) {
    throw new ConfigError(
      "the local data centre must be a name as 'nodetool status' shows it, " +
        `not '${localDataCenter.slice(0, 60)}'`,
    );
  }
}
