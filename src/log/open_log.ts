/**
 * Opens the log that the settings ask for. The Kafka client is loaded only
 * where it is needed, so that a run without a server starts at once.
 */
import { join } from "node:path";
import { EmbeddedLog } from "./embedded/embedded_log.ts";
import type { KafkaSettings } from "./kafka/kafka_settings.ts";
import { WalSync } from "./embedded/wal_sync.ts";
import type { Log, LogReport, LogSync } from "./log.ts";
import { PrefixedLog, withoutPrefix } from "./prefixed_log.ts";

/** Where the log is and how it is reached. */
export type LogSettings =
  | {
    /** A SQLite file in a folder. */
    readonly kind: "embedded";
    /** The data folder, which exists. */
    readonly folder: string;
    /** Whether every commit waits for the disk. */
    readonly durable: boolean;
    /** Whether checkpoints of the file are left to other connections, as far as possible: they would make who waits for a commit wait longer. */
    readonly leavesCheckpoints?: boolean;
  }
  | KafkaSettings;

/** Where checkpoints are left to others: in case that nobody makes any. */
const CHECKPOINT_PAGES_LATE = 40_000;

/** The SQLite file of an embedded log. */
export function logPath(folder: string): string {
  return join(folder, "log.db");
}

/**
 * Opens the log; the caller closes it. Throws ConfigError or LogError if it
 * cannot be reached as the settings say. A wait for the lock of an embedded log
 * throws the reason of `signal` a while after the abort.
 */
export async function openLog(
  settings: LogSettings,
  report: LogReport,
  signal?: AbortSignal,
): Promise<Log> {
  if (settings.kind === "embedded") {
    const { folder, durable, leavesCheckpoints = false } = settings;
    return new EmbeddedLog({
      path: logPath(folder),
      durable,
      checkpointPages: leavesCheckpoints ? CHECKPOINT_PAGES_LATE : undefined,
      signal,
      report,
    });
  }
  const { openKafkaLog } = await import("./kafka/kafka_client.ts");
  const { prefix } = settings;
  const log = await openKafkaLog(settings, withoutPrefix(report, prefix));
  return prefix === "" ? log : new PrefixedLog(log, prefix);
}

/**
 * What syncs the log for a thread that does nothing else with it. Another
 * connection to an embedded log must be open for as long.
 */
export function openLogSync(settings: LogSettings): LogSync {
  if (settings.kind === "embedded") {
    return new WalSync(logPath(settings.folder));
  }
  // As KafkaLog.sync(): what is acknowledged is on all replicas in sync.
  return {
    syncs: { count: 0, milliseconds: 0 },
    sync: () => Promise.resolve(),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}
