/** The log on a scripted Kafka, as programs of its own would open it. */
import { KafkaCluster } from "../../../../src/log/kafka/kafka_cluster.ts";
import { KafkaLog } from "../../../../src/log/kafka/kafka_log.ts";
import type { LogReport } from "../../../../src/log/log.ts";
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

/** Opens the log; the caller closes it. */
export function openScripted(
  kafka: ScriptedKafka,
  clock: VirtualClock,
  report: LogReport = () => {},
): KafkaLog {
  const closed = new AbortController();
  const cluster = clusterOf(kafka, clock, report, closed.signal);
  const settings = {
    kind: "kafka",
    brokers: [kafka.address],
    prefix: "p-",
    replication: undefined,
    tls: undefined,
    sasl: undefined,
    sessionTimeoutMs: SESSION_MS,
  } as const;
  return new KafkaLog({ settings, cluster, report, closed });
}
