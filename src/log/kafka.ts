/**
 * The log on Apache Kafka. (Under construction: the command line does not
 * offer it before it works.)
 */
import { LogError } from "../error/error.ts";
import type { KafkaSettings } from "./kafka_settings.ts";
import type { Log, LogReport } from "./log.ts";

/** Connects to the cluster; throws LogError if it cannot be reached. */
export function openKafkaLog(
  settings: KafkaSettings,
  _report: LogReport,
): Promise<Log> {
  throw new LogError(`no connection to ${settings.brokers.join(", ")} yet`);
}
