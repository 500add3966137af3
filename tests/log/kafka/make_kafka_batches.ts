/**
 * Makes tests/data/kafka_batches.json: batches as they lie in a real Kafka,
 * compressed by librdkafka, and by the broker itself, which is Java. Each holds
 * the records "record i by CODEC, " three times over, CODEC being the producer's.
 *
 *     deno run --allow-all tests/log/kafka/make_kafka_batches.ts
 */
import { Buffer } from "node:buffer";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { jarsOf } from "../../services/jar_cache.ts";
import { runTool } from "../../services/java.ts";
import { startKafka } from "../../services/kafka_server.ts";
import { pythonWithClients } from "../../services/python.ts";

const COUNT = "1500";
const CODECS = ["gzip", "snappy", "lz4", "zstd"];
const CLIENTS = fileURLToPath(
  new URL("../../integration/python_clients.py", import.meta.url),
);
const RESULT = new URL("../../data/kafka_batches.json", import.meta.url);

const folder = await Deno.makeTempDir();
await using kafka = await startKafka({ config: { "log.dirs": folder } });
const { address } = kafka;

async function run(command: string, ...args: string[]): Promise<void> {
  const { success, output } = await runTool(command, args);
  if (!success) throw new Error(output);
}

/** The bytes of a topic of one partition, made and filled. */
async function batches(
  topic: string,
  { producer, broker }: { producer: string; broker: string },
): Promise<string> {
  await run(
    "java",
    "-cp",
    join(await jarsOf("kafka"), "*"),
    "org.apache.kafka.tools.TopicCommand",
    ...["--bootstrap-server", address, "--create", "--topic", topic],
    ...["--partitions", "1", "--config", `compression.type=${broker}`],
  );
  const python = await pythonWithClients();
  await run(python, CLIENTS, "compress", address, topic, producer, COUNT);
  const path = join(folder, `${topic}-0`, "00000000000000000000.log");
  const bytes = await Deno.readFile(path);
  return Buffer.from(bytes).toString("base64");
}

const made: Record<string, string> = {};
for (const codec of CODECS) {
  const names = { librdkafka: `by-${codec}`, broker: `to-${codec}` };
  made[`librdkafka ${codec}`] = await batches(names.librdkafka, {
    producer: codec,
    broker: "producer",
  });
  made[`broker ${codec}`] = await batches(names.broker, {
    producer: "none",
    broker: codec,
  });
}
await Deno.writeTextFile(RESULT, JSON.stringify(made, null, 1) + "\n");
await Deno.remove(folder, { recursive: true });
