/** The log on a real Kafka: what every log keeps to. */
import { openLog } from "../../src/log/open_log.ts";
import type { KafkaSettings } from "../../src/log/kafka/kafka_settings.ts";
import type { Log } from "../../src/log/log.ts";
import { logContract } from "../log/log_contract.ts";
import { serverProblem } from "../services/testing_servers.ts";
import { sharedKafka } from "./servers.ts";

let streams = 0;

/** Settings for a stream of its own on the shared Kafka. */
export async function freshSettings(): Promise<KafkaSettings> {
  const { address } = await sharedKafka();
  return {
    kind: "kafka",
    brokers: [address],
    prefix: `test${++streams}-`,
    replication: undefined,
    tls: undefined,
    sasl: undefined,
    sessionTimeoutMs: 3000,
  };
}

logContract("the Kafka log", async () => {
  const settings = await freshSettings();
  const open = () => openLog(settings, () => {});
  const log = await open();
  const more: Log[] = [];
  return {
    log,
    connect: open,
    [Symbol.asyncDispose]: async () => {
      for (const each of [log, ...more]) await each[Symbol.asyncDispose]();
    },
  };
}, serverProblem);
