/**
 * The flags that say where a stream is: in a data folder, or its log on Kafka
 * and its store in Cassandra, in any combination. All of them may come from
 * the environment instead, for containers.
 */
import type { Command } from "commander";
import { ConfigError } from "../../base/error.ts";
import type { LogSettings } from "../../log/open_log.ts";
import type { StoreSettings } from "../../store/open_store.ts";
import {
  addCassandraFlags,
  CASSANDRA_FLAGS,
  type CassandraOptions,
  readCassandraFlags,
} from "./cassandra_flags.ts";
import {
  type Environment,
  processEnvironment,
  takeFromEnvironment,
  variableOf,
} from "./environment.ts";
import { oneOf } from "./flag_value.ts";
import {
  addKafkaFlags,
  KAFKA_FLAGS,
  type KafkaOptions,
  readKafkaFlags,
} from "./kafka_flags.ts";

/** The connection flags as commander hands them over; absent if not given. */
export interface ConnectionOptions extends KafkaOptions, CassandraOptions {
  /** --data */
  readonly data?: string;
  /** --log */
  readonly log?: LogSettings["kind"];
  /** --store */
  readonly store?: StoreSettings["kind"];
}

/** Where a stream is. */
export interface Connection {
  /** The data folder, where log or store are in one. */
  readonly folder: string | undefined;
  /** Where the log is. */
  readonly log: LogSettings;
  /** Where the store is. */
  readonly store: StoreSettings;
}

/** Where the data folder is if --data does not say. */
const DATA_FOLDER = "./fraudstream-data";

/**
 * Adds the connection flags to a command, and the environment as their second
 * source.
 *
 * @internal (deno doc --lint would want commander documented)
 */
export function addConnectionFlags(command: Command): void {
  const before = command.options.length;
  command.optionsGroup("Where the stream is:")
    .option(
      "--data <dir>",
      `data folder of an embedded log or store (default: ${DATA_FOLDER})`,
    )
    .option(
      "--log <kind>",
      "embedded (in the data folder) or kafka (default: embedded)",
      oneOf<LogSettings["kind"]>("--log", ["embedded", "kafka"]),
    )
    .option(
      "--store <kind>",
      "embedded (in the data folder) or cassandra (default: embedded)",
      oneOf<StoreSettings["kind"]>("--store", ["embedded", "cassandra"]),
    );
  addKafkaFlags(command);
  addCassandraFlags(command);
  const options = command.options.slice(before);
  command.hook("preAction", (_, action) => {
    takeFromEnvironment(action, options, processEnvironment);
  });
}

/** The end of a help text that tells of the environment. */
export const ENVIRONMENT_HELP = `
Flags that say where the stream is, and all flags of run, may stand in the
environment instead: --log as FRAUDSTREAM_LOG, --local-dc as
FRAUDSTREAM_LOCAL_DC and so on; the flag wins.
`;

/**
 * Where the flags say that the stream is; `durable` is whether an embedded log
 * waits for the disk. A store never does: what a power cut takes from it the
 * writer stores again, from the position that it finds there. Throws ConfigError for flags that contradict each other,
 * DataError for a file that cannot be read.
 */
export function readConnection(
  options: ConnectionOptions,
  durable = true,
  environment: Environment = processEnvironment,
): Connection {
  const { log = "embedded", store = "embedded" } = options;
  if (log !== "kafka") refuse(options, KAFKA_FLAGS, "--log=kafka");
  if (store !== "cassandra") {
    refuse(options, CASSANDRA_FLAGS, "--store=cassandra");
  }
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

/** Refuses flags that need another one. */
function refuse<K extends string>(
  options: Readonly<Partial<Record<K, unknown>>>,
  flags: Readonly<Record<K, string>>,
  needed: string,
): void {
  for (const option of Object.keys(flags) as K[]) {
    if (options[option] === undefined) continue;
    const flag = flags[option];
    throw new ConfigError(
      `${flag} (or ${variableOf(flag)}) has no effect without ${needed}; add ` +
        `that or leave ${flag} out`,
    );
  }
}

/** The flags that lead another command to the same stream, for messages; no secrets. */
export function sameStreamFlags({ folder, log, store }: Connection): string {
  const flags: string[] = [];
  if (log.kind === "kafka") {
    flags.push("--log=kafka", `--brokers=${log.brokers.join()}`);
    if (log.prefix !== "") flags.push(`--topic-prefix=${log.prefix}`);
  }
  if (store.kind === "cassandra") flags.push("--store=cassandra …");
  if (folder !== undefined) flags.push(`--data=${folder}`);
  return flags.join(" ");
}

/** Where the log is, for people. */
export function logPlace({ log }: Pick<Connection, "log">): string {
  return log.kind === "embedded"
    ? log.folder
    : `Kafka at ${log.brokers.join(", ")}`;
}

/** Where the rows are, for people. */
export function storePlace({ store }: Pick<Connection, "store">): string {
  return store.kind === "embedded"
    ? store.folder
    : `keyspace ${store.keyspace} of ${store.contactPoints.join(", ")}`;
}
