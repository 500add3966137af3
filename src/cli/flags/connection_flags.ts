/**
 * The flags that say where a stream is: in a data folder, or its log on Kafka
 * and its store in Cassandra, in any combination. All of them may come from
 * the environment instead, for containers.
 */
import type { Connection } from "../../stream/stored_stream.ts";
import {
  CASSANDRA_FLAGS,
  type CassandraOptions,
  readCassandraFlags,
} from "./cassandra_flags.ts";
import { type Environment, processEnvironment } from "./environment.ts";
import { checkNeeds, type FlagGroup, type FlagValues } from "./flag.ts";
import { oneOf } from "./flag_value.ts";
import {
  KAFKA_FLAGS,
  type KafkaOptions,
  readKafkaFlags,
} from "./kafka_flags.ts";

/** The default data folder. */
const DATA_FOLDER = "./fraudstream-data";

/** The flags that choose log and store. */
export const PLACE_FLAGS = {
  title: "Where the stream is",
  environment: true,
  flags: {
    data: {
      value: "<dir>",
      help: "data folder of an embedded log or store",
      default: DATA_FOLDER,
    },
    log: {
      value: "<kind>",
      help: "embedded (in the data folder) or kafka",
      read: oneOf(["embedded", "kafka"]),
      default: "embedded",
    },
    store: {
      value: "<kind>",
      help: "embedded (in the data folder) or cassandra",
      read: oneOf(["embedded", "cassandra"]),
      default: "embedded",
    },
  },
} as const satisfies FlagGroup;

/** The flags that say where a stream is. */
export const CONNECTION_FLAGS = [
  PLACE_FLAGS,
  KAFKA_FLAGS,
  CASSANDRA_FLAGS,
] as const;

/** The values of the connection flags. */
export type ConnectionOptions =
  & FlagValues<typeof PLACE_FLAGS>
  & KafkaOptions
  & CassandraOptions;

/**
 * Where the flags say that the stream is; `durable` is whether an embedded log
 * waits for the disk. A store never does: after a power cut the writer stores
 * lost rows again, from the position that it finds there. Throws ConfigError
 * for flags that contradict each other, DataError for a file that cannot be
 * read.
 */
export function readConnection(
  options: ConnectionOptions,
  durable = true,
  environment: Environment = processEnvironment,
): Connection {
  const { log = "embedded", store = "embedded" } = options;
  for (const group of CONNECTION_FLAGS) checkNeeds(group, options);
  const folder = options.data ?? DATA_FOLDER;
  const embedded = { kind: "embedded", folder } as const;
  const connection = {
    log: log === "kafka"
      ? readKafkaFlags(options, environment)
      : { ...embedded, durable },
    store: store === "cassandra"
      ? readCassandraFlags(options, environment)
      : { ...embedded, durable: false },
  };
  const usesFolder = log === "embedded" || store === "embedded";
  return { folder: usesFolder ? folder : undefined, ...connection };
}

/** Where the log is, for messages. */
export function logPlace({ log }: Pick<Connection, "log">): string {
  return log.kind === "embedded"
    ? log.folder
    : `Kafka at ${log.brokers.join(", ")}`;
}

/** Where the rows are, for messages. */
export function storePlace({ store }: Pick<Connection, "store">): string {
  return store.kind === "embedded"
    ? store.folder
    : `keyspace ${store.keyspace} of ${store.contactPoints.join(", ")}`;
}
