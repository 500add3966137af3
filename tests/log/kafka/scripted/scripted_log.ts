/** The log on a scripted Kafka, as programs of its own would open it. */
import { KafkaCluster } from "../../../../src/log/kafka/kafka_cluster.ts";
import { KafkaLog } from "../../../../src/log/kafka/kafka_log.ts";
import type { Log, LogReport } from "../../../../src/log/log.ts";
import {
  PrefixedLog,
  withoutPrefix,
} from "../../../../src/log/prefixed_log.ts";
import type { VirtualClock } from "../../../virtual_clock.ts";
import type { ScriptedKafka } from "./scripted_kafka.ts";

/** How long a consumer may be silent, milliseconds. */
const SESSION_MS = 3000;

/** The cluster, for who asks it himself. */
export function clusterOf(
  kafka: ScriptedKafka,
  clock: VirtualClock,
  report: LogReport = () => {},
  signal: AbortSignal = new AbortController().signal,
): KafkaCluster {
  return new KafkaCluster({
    brokers: [kafka.address],
    connect: (node) => Promise.resolve(kafka.connect(node)),
    report,
    signal,
    clock,
  });
}

const PREFIX = "p-";

/** Opens the log; the caller closes it. Without a prefix its names are those of other programs. */
export function openScripted(
  kafka: ScriptedKafka,
  clock: VirtualClock,
  told: LogReport = () => {},
  prefix: string = PREFIX,
): Log {
  const closed = new AbortController();
  const report = withoutPrefix(told, prefix);
  const cluster = clusterOf(kafka, clock, report, closed.signal);
  const settings = {
    kind: "kafka",
    brokers: [kafka.address],
    prefix,
    replication: undefined,
    tls: undefined,
    sasl: undefined,
    sessionTimeoutMs: SESSION_MS,
  } as const;
  const log = new KafkaLog({ settings, cluster, report, closed });
  return prefix === "" ? log : new PrefixedLog(log, prefix);
}
