/**
 * Latency from published to stored at --rate=1000 with all roles, exactly
 * once: on a real Kafka and a real Cassandra, beside the embedded log and
 * store.
 *
 *   deno task bench:latency [--seconds=60] [--warmup=60] [--rate=1000]
 *
 * A first run of --warmup seconds makes topics and tables and has the servers
 * compile what they run; the second, which goes on from there, is measured. It
 * begins with what was left over and the groups' joining, as every start does.
 */
import { join } from "node:path";
import { startCassandra } from "../tests/services/cassandra_server.ts";
import { startKafka } from "../tests/services/kafka_server.ts";
import { readFlags } from "./bench_flags.ts";
import { print, tell } from "./figures.ts";
import { latencyOf, runPipeline } from "./program.ts";

async function main(): Promise<void> {
  const flags = readFlags({ seconds: 60, warmup: 60, rate: 1000 });
  const { seconds, warmup, rate } = flags;
  await using held = new AsyncDisposableStack();
  const folder = await Deno.makeTempDir({ prefix: "fraudstream-bench-" });
  held.defer(() => Deno.remove(folder, { recursive: true }));
  const data = `--data=${join(folder, "data")}`;
  const common = [`--rate=${rate}`, "--no-model", data];
  const measure = async (name: string, flags: string[]) => {
    tell(`${name}, ${warmup} s and ${seconds} s`);
    await runPipeline([...common, ...flags], warmup);
    const { stdout } = await runPipeline([...common, ...flags], seconds);
    print(`${name}, ${rate} a second, ${seconds} s: ${latencyOf(stdout)}`);
  };
  await measure("embedded", []);
  const [kafka, cassandra] = await Promise.all([
    startKafka({ throughput: true }),
    startCassandra({ throughput: true }),
  ]);
  held.use(kafka);
  held.use(cassandra);
  await measure("Kafka and Cassandra", [
    "--log=kafka",
    `--brokers=${kafka.address}`,
    "--store=cassandra",
    `--contact-points=${cassandra.address}`,
    "--local-dc=datacenter1",
    "--consistency=one",
  ]);
}

if (import.meta.main) await main();
