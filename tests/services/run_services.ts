/**
 * `deno task services`: a real Kafka and a real Cassandra for trying things out
 * where there is no Docker, until Ctrl-C. Both begin empty and leave nothing.
 */
import { parseArgs } from "node:util";
import { listenForStop } from "../../src/cli/signals.ts";
import { startCassandra } from "./cassandra_server.ts";
import { lockJars } from "./jar_cache.ts";
import { javaProblem } from "./java.ts";
import { startKafka } from "./kafka_server.ts";

const HELP = `deno task services [flags]

Starts Kafka and Cassandra on free ports of 127.0.0.1, until Ctrl-C.

  --kafka-only      no Cassandra
  --cassandra-only  no Kafka
  --secured         with TLS, users and passwords
  --lock-jars       start nothing; write what Maven has into jars.json
  --help            this text
`;

const EXIT_FAILED = 1;
const EXIT_WRONG_USE = 2;

/** What a server adds to fraudstream's command line and environment. */
interface Connection {
  readonly title: string;
  readonly flags: readonly string[];
  readonly environment: Readonly<Record<string, string | undefined>>;
}

interface Flags {
  readonly "kafka-only": boolean;
  readonly "cassandra-only": boolean;
  readonly secured: boolean;
  readonly "lock-jars": boolean;
  readonly help: boolean;
}

function flagsOf(args: string[]): Flags {
  const flag = { type: "boolean", default: false } as const;
  const options = {
    "kafka-only": flag,
    "cassandra-only": flag,
    secured: flag,
    "lock-jars": flag,
    help: flag,
  };
  const { values } = parseArgs({ args, options });
  if (values["kafka-only"] && values["cassandra-only"]) {
    throw new Error("--kafka-only and --cassandra-only leave nothing to start");
  }
  return values;
}

async function main(args: string[]): Promise<number> {
  let flags: Flags;
  try {
    flags = flagsOf(args);
  } catch (error) {
    complain(error);
    return EXIT_WRONG_USE;
  }
  if (flags.help) {
    print(HELP);
    return 0;
  }
  if (javaProblem !== undefined) {
    complain(`${javaProblem} to start Kafka and Cassandra`);
    return EXIT_WRONG_USE;
  }
  try {
    await (flags["lock-jars"] ? lockJars() : serve(flags));
    return 0;
  } catch (error) {
    complain(error);
    return EXIT_FAILED;
  }
}

/** Starts what is asked for, says where it is and stops it on Ctrl-C. */
async function serve(flags: Flags): Promise<void> {
  using stop = listenForStop();
  const { promise: stopped, resolve } = Promise.withResolvers<void>();
  stop.signal.addEventListener("abort", () => resolve());
  await using servers = new AsyncDisposableStack();
  const starting = Promise.all([
    flags["cassandra-only"] ? [] : kafka(servers, flags.secured),
    flags["kafka-only"] ? [] : cassandra(servers, flags.secured),
  ]);
  const connections = await Promise.race([starting, stopped]);
  if (!connections) {
    // Those that are still starting end with this process.
    starting.catch(() => {});
    return;
  }
  print(guide(connections.flat()));
  await stopped;
  print("stopping\n");
}

async function kafka(
  servers: AsyncDisposableStack,
  secured: boolean,
): Promise<Connection> {
  const server = servers.use(await startKafka({ secured, throughput: true }));
  const address = server.securedAddress ?? server.address;
  return {
    title: `Kafka      ${address}`,
    flags: ["--log=kafka", `--brokers=${address}`],
    environment: secured
      ? {
        FRAUDSTREAM_KAFKA_TLS: "true",
        FRAUDSTREAM_KAFKA_CA_FILE: server.caFile,
        FRAUDSTREAM_KAFKA_SASL: "scram-sha-512",
        FRAUDSTREAM_KAFKA_USERNAME: server.username,
        FRAUDSTREAM_KAFKA_PASSWORD: server.password,
      }
      : {},
  };
}

async function cassandra(
  servers: AsyncDisposableStack,
  secured: boolean,
): Promise<Connection> {
  const server = servers.use(
    await startCassandra({ secured, throughput: true }),
  );
  return {
    title: `Cassandra  ${server.address}`,
    flags: [
      "--store=cassandra",
      `--contact-points=${server.address}`,
      "--local-dc=datacenter1",
    ],
    environment: secured
      ? {
        FRAUDSTREAM_CASSANDRA_TLS: "true",
        FRAUDSTREAM_CASSANDRA_CA_FILE: server.caFile,
        FRAUDSTREAM_CASSANDRA_USERNAME: server.username,
        FRAUDSTREAM_CASSANDRA_PASSWORD: server.password,
      }
      : {},
  };
}

function guide(connections: readonly Connection[]): string {
  const titles = connections.map(({ title }) => `${title}\n`);
  const exported = connections.flatMap(({ environment }) =>
    Object.entries(environment)
  ).map(([name, value]) => `  export ${name}=${value}\n`);
  const flags = connections.flatMap(({ flags }) => flags).join(" ");
  return [
    ...titles,
    "\nIn another terminal:\n\n",
    ...exported,
    `  ./fraudstream run ${flags}\n`,
    "\nCtrl-C stops and deletes what is here.\n",
  ].join("");
}

function print(text: string): void {
  Deno.stdout.writeSync(new TextEncoder().encode(text));
}

function complain(error: unknown): void {
  const message = error instanceof Error ? error.message : String(error);
  Deno.stderr.writeSync(new TextEncoder().encode(`services: ${message}\n`));
}

// Whatever is still starting or being stopped ends with this process.
if (import.meta.main) Deno.exit(await main(Deno.args));
