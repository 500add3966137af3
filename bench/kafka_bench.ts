/**
 * Payments a second from a preloaded transaction_topic to the sink topic,
 * exactly once, on a real Kafka: the processor with 1 and with 2 workers,
 * beside a Kafka Streams program with 2 threads (bench/peers/streams) that
 * reads the very same topic, one after the other on the same broker. Measured
 * from the start of the process to the last commit in the sink; both outputs
 * are then read by Kafka's own console consumer and compared with the features
 * that the operator for files computes. Beside it the broker's own limit.
 *
 *   deno task bench:kafka [--runs=N] [--days=N] [--workers=1,2] [--threads=2]
 *     [--no-peer] [--partitions=4] [--broker-records=N] [--brokers=host:port]
 *
 * --days           days of the handbook's default data set: 52 are 499,394
 *                  payments, 183 (the default) all 1,754,155
 * --broker-records records of the broker's own benchmark; 0 leaves it out
 * --brokers        a Kafka that is there, instead of one that is started here
 *
 * Results go to stdout as Markdown, what is being done to stderr.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Log } from "../src/log/log.ts";
import { openLog } from "../src/log/open_log.ts";
import { SINK_TOPIC, TRANSACTION_TOPIC } from "../src/stream/topics.ts";
import { simulateHandbook } from "../src/simulator/handbook.ts";
import { HANDBOOK_PARAMETERS } from "../src/simulator/parameters.ts";
import { ByteWriter } from "../src/base/byte_writer.ts";
import {
  emptyPayment,
  type PaymentTable,
  readTableRow,
} from "../src/payment/payment.ts";
import { PaymentJsonWriter } from "../src/payment/payment_json.ts";
import reference from "../tests/data/reference.json" with { type: "json" };
import { jarsOf } from "../tests/services/jar_cache.ts";
import { WITH_JAVA_HOME } from "../tests/services/java.ts";
import { startKafka } from "../tests/services/kafka_server.ts";
import { readFlags } from "./bench_flags.ts";
import {
  figure,
  markdownTable,
  median,
  print,
  range,
  tell,
} from "./figures.ts";
import {
  fraudstream,
  outputOf,
  processorSeconds,
  readOutput,
  startTimed,
} from "./program.ts";
import {
  isRight,
  type ReferenceFeatures,
  referenceFeatures,
  SinkCheck,
  type SinkVerdict,
} from "./sink_check.ts";

const PEER_SOURCE = fileURLToPath(
  new URL("peers/streams/Peer.java", import.meta.url),
);
const TOOLS = "org.apache.kafka.tools";
/** Starts a program of Java as the servers are started. */
const OF_JAVA = ["sh", "-c", `${WITH_JAVA_HOME}exec "$@"`, "sh"];
/** The end of the sink is looked at so often. */
const POLL_MS = 20;
/** A program that does not end by itself is done when the sink is full and quiet for so long. */
const QUIET_MS = 5000;
/** The sink may stand still for so long at most. */
const STALL_MS = 120_000;
/** The console consumer ends when nothing has come for so long. */
const READ_QUIET_MS = 30_000;
const PAYLOAD_ROWS = 100_000;

/** Where everything happens. */
interface Bench {
  readonly brokers: string;
  /** The broker's process, if it is ours. */
  readonly brokerPid: number | undefined;
  readonly folder: string;
  /** Class path of Kafka's own programs. */
  readonly kafkaJars: string;
  readonly partitions: number;
  readonly days: number;
  readonly rows: number;
  readonly reference: ReferenceFeatures;
  readonly log: Log;
}

/** What one run of one program gave. */
interface Measured {
  readonly seconds: number;
  /** Seconds of processor time. */
  readonly ownSeconds: number;
  readonly brokerSeconds: number;
  readonly verdict: SinkVerdict;
}

async function main(): Promise<void> {
  const flags = readFlags({
    runs: 3,
    days: HANDBOOK_PARAMETERS.days,
    workers: "1,2",
    threads: 2,
    "no-peer": false,
    partitions: 4,
    "broker-records": 3_000_000,
    brokers: "",
  });
  await using held = new AsyncDisposableStack();
  const folder = await Deno.makeTempDir({ prefix: "fraudstream-bench-" });
  held.defer(() => Deno.remove(folder, { recursive: true }));
  const config = { "log.segment.delete.delay.ms": "1000" };
  const server = flags.brokers === ""
    ? held.use(await startKafka({ throughput: true, config }))
    : undefined;
  const brokers = server?.address ?? flags.brokers;
  const parameters = { ...HANDBOOK_PARAMETERS, days: flags.days };
  const { table, startSeconds } = simulateHandbook(parameters);
  const features = referenceFeatures(table, startSeconds);
  checkReference(features);
  const bench: Bench = {
    brokers,
    brokerPid: server?.pid,
    folder,
    kafkaJars: join(await jarsOf("kafka"), "*"),
    partitions: flags.partitions,
    days: flags.days,
    rows: table.length,
    reference: features,
    log: held.use(await openKafka(brokers)),
  };
  if (flags["broker-records"] > 0) {
    const payload = join(folder, "payload.jsonl");
    await writePayload(payload, table, startSeconds);
    print(await brokerLimit(bench, payload, flags["broker-records"]));
  }
  const peer = flags["no-peer"] ? undefined : await compilePeer(folder);
  const workers = flags.workers.split(",").map(Number);
  const results = new Map<string, Measured[]>();
  const add = (name: string, measured: Measured) => {
    results.set(name, [...results.get(name) ?? [], measured]);
  };
  for (let run = 0; run < flags.runs; run++) {
    const stamp = `bench-${Date.now()}-`;
    for (const [i, count] of workers.entries()) {
      const prefix = `${stamp}${count}-`;
      await preload(bench, prefix);
      const name = `fraudstream, --workers=${count}`;
      add(name, await ours(bench, prefix, count));
      if (i > 0 || !peer) continue;
      const { threads } = flags;
      const streams = `Kafka Streams, ${threads} threads`;
      const measured = await theirs(bench, prefix, peer, threads);
      add(streams, measured);
    }
    await java(bench, `${TOOLS}.TopicCommand`, [
      "--delete",
      "--topic",
      `${stamp}.*`,
    ]);
  }
  print(resultTable(bench, results));
}

/** All of the default data set has to give the reference's sum. */
function checkReference({ rows, sum }: ReferenceFeatures): void {
  const { n_transactions, features } = reference.sets.DEFAULT;
  if (rows !== n_transactions) return;
  if (sum === features.canonical_csv.sha256) return;
  throw new Error("the operator's features are not the reference's");
}

function openKafka(brokers: string): Promise<Log> {
  return openLog({
    kind: "kafka",
    brokers: brokers.split(","),
    prefix: "",
    replication: undefined,
    tls: undefined,
    sasl: undefined,
    sessionTimeoutMs: 30_000,
  }, () => {});
}

/** Has the producer fill the transaction topic of a prefix. */
async function preload(bench: Bench, prefix: string): Promise<void> {
  const began = performance.now();
  const program = await startTimed(fraudstream([
    "run",
    "--role=producer",
    "--rate=max",
    `--days=${bench.days}`,
    `--partitions=${bench.partitions}`,
    ...streamFlags(bench, prefix),
  ]));
  await program.end();
  const seconds = (performance.now() - began) / 1000;
  const rate = figure(bench.rows / seconds);
  tell(`preloaded in ${seconds.toFixed(1)} s, ${rate} payments/s`);
}

function streamFlags(
  { brokers, folder }: Bench,
  prefix: string,
): string[] {
  return [
    "--log=kafka",
    `--brokers=${brokers}`,
    `--topic-prefix=${prefix}`,
    `--data=${join(folder, "data")}`,
  ];
}

/** Runs the processor over a preloaded topic. */
async function ours(
  bench: Bench,
  prefix: string,
  workers: number,
): Promise<Measured> {
  tell(`fraudstream, ${workers} workers`);
  return await measure(bench, prefix + SINK_TOPIC, [
    ...fraudstream([
      "run",
      "--role=processor",
      `--workers=${workers}`,
      ...streamFlags(bench, prefix),
    ]),
  ]);
}

/** Runs Kafka Streams over the same topic. */
async function theirs(
  bench: Bench,
  prefix: string,
  classPath: string,
  threads: number,
): Promise<Measured> {
  tell(`Kafka Streams, ${threads} threads`);
  const sink = `${prefix}peer_sink`;
  const { partitions } = bench;
  await bench.log.createTopics([{ name: sink, partitions, compacted: false }]);
  return await measure(bench, sink, [
    ...OF_JAVA,
    "java",
    "-Xmx2g",
    "-cp",
    classPath,
    "Peer",
    bench.brokers,
    prefix + TRANSACTION_TOPIC,
    sink,
    `${prefix}peer`,
    String(threads),
    String(partitions),
    join(bench.folder, "peer-state"),
  ]);
}

/** Fetches Kafka Streams and compiles the program; gives its class path. */
async function compilePeer(folder: string): Promise<string> {
  const jars = join(await jarsOf("streams"), "*");
  const classes = join(folder, "peer");
  await outputOf([
    ...OF_JAVA,
    "javac",
    "-cp",
    jars,
    "-d",
    classes,
    PEER_SOURCE,
  ]);
  return `${classes}:${jars}`;
}

/**
 * Runs a program until the sink is complete. The end offsets count the ends of
 * transactions as well, so the last time that they move is the last commit.
 */
async function measure(
  bench: Bench,
  sink: string,
  command: readonly string[],
): Promise<Measured> {
  const brokerBefore = await brokerSeconds(bench);
  const began = performance.now();
  const program = await startTimed(command);
  let end = 0;
  let last = began;
  for (;;) {
    const { hasEnded } = program;
    const offsets = await bench.log.endOffsets(sink) ?? [];
    const now = performance.now();
    const moved = offsets.reduce((sum, offset) => sum + offset, 0);
    if (moved !== end) {
      end = moved;
      last = now;
    }
    if (hasEnded || end >= bench.rows && now - last > QUIET_MS) break;
    if (now - last > STALL_MS) throw new Error(`${sink} stands at ${end}`);
    await delay(POLL_MS);
  }
  const brokerTook = await brokerSeconds(bench) - brokerBefore;
  const ownSeconds = await program.end();
  const seconds = (last - began) / 1000;
  const verdict = await checkSink(bench, sink);
  const rate = figure(bench.rows / seconds);
  tell(`  ${seconds.toFixed(1)} s, ${rate} payments/s; ${sentence(verdict)}`);
  return { seconds, ownSeconds, brokerSeconds: brokerTook, verdict };
}

async function brokerSeconds({ brokerPid }: Bench): Promise<number> {
  return brokerPid === undefined ? NaN : await processorSeconds(brokerPid);
}

/** Compares what a consumer of committed records sees with the reference. */
async function checkSink(bench: Bench, topic: string): Promise<SinkVerdict> {
  const check = new SinkCheck(bench.reference);
  const command = javaCommand(bench, `${TOOLS}.consumer.ConsoleConsumer`, [
    "--topic",
    topic,
    "--from-beginning",
    "--isolation-level",
    "read_committed",
    "--timeout-ms",
    String(READ_QUIET_MS),
  ]);
  await readOutput(command, (chunk) => check.take(chunk));
  return check.verdict();
}

function sentence(verdict: SinkVerdict): string {
  if (isRight(verdict)) return "all right";
  const { missing, repeated, foreign, wrong } = verdict;
  const rows = [...wrong].map(([name, rows]) => `${name} ${figure(rows)}`);
  return `${missing} missing, ${repeated} twice, ${foreign} foreign; wrong: ${
    rows.join(", ") || "none"
  }`;
}

function javaCommand(
  { kafkaJars, brokers }: Bench,
  main: string,
  args: readonly string[],
): string[] {
  const silent = "-Dorg.slf4j.simpleLogger.defaultLogLevel=off";
  const server = ["--bootstrap-server", brokers];
  const flags = ["-Xmx1g", silent, "-cp", kafkaJars];
  return [...OF_JAVA, "java", ...flags, main, ...server, ...args];
}

async function java(
  bench: Bench,
  main: string,
  args: readonly string[],
): Promise<string> {
  return await outputOf(javaCommand(bench, main, args));
}

/** Payments as JSON lines, for the broker's own benchmark. */
async function writePayload(
  path: string,
  table: PaymentTable,
  startSeconds: number,
): Promise<void> {
  const writer = new ByteWriter(1 << 20);
  const json = new PaymentJsonWriter();
  const row = emptyPayment();
  for (let i = 0; i < Math.min(PAYLOAD_ROWS, table.length); i++) {
    readTableRow(table, i, startSeconds, row);
    json.write(writer, row);
    writer.ascii("\n");
  }
  await Deno.writeFile(path, writer.view());
}

/** What Kafka's own producer and consumer reach with records of this size, nothing computed. */
async function brokerLimit(
  bench: Bench,
  payload: string,
  records: number,
): Promise<string> {
  tell("the broker's own limit");
  const name = `bench-${Date.now()}-limit`;
  const { partitions } = bench;
  await bench.log.createTopics([{ name, partitions, compacted: false }]);
  const produced = await java(bench, `${TOOLS}.ProducerPerformance`, [
    "--topic",
    name,
    "--num-records",
    String(records),
    "--payload-file",
    payload,
    "--throughput",
    "-1",
    "--command-property",
    "acks=all",
    "linger.ms=5",
    "batch.size=262144",
  ]);
  const consumed = await java(bench, `${TOOLS}.ConsumerPerformance`, [
    "--topic",
    name,
    "--num-records",
    String(records),
  ]);
  await java(bench, `${TOOLS}.TopicCommand`, ["--delete", "--topic", name]);
  const into = produced.match(/([\d.]+) records\/sec/g)?.at(-1);
  const out = consumed.trim().split("\n").at(-1)?.split(",")[5];
  return `the broker's own limit, ${figure(records)} payments: ` +
    `${figure(parseFloat(into ?? ""))}/s in, ${figure(Number(out))}/s out\n`;
}

/** The medians and ranges of all runs. */
function resultTable(
  { rows }: Bench,
  results: ReadonlyMap<string, readonly Measured[]>,
): string {
  const perPayment = (seconds: number) => `${figure(seconds / rows * 1e6, 1)}`;
  const cells = [...results].map(([name, runs]) => {
    const rates = runs.map(({ seconds }) => rows / seconds);
    return [
      name,
      figure(median(rates)),
      range(rates, (rate) => figure(rate)),
      perPayment(median(runs.map(({ ownSeconds }) => ownSeconds))),
      perPayment(median(runs.map(({ brokerSeconds }) => brokerSeconds))),
      rightness(rows, runs.map(({ verdict }) => verdict)),
    ];
  });
  const head = [
    `${figure(rows)} payments`,
    "payments/s, median",
    "range",
    "its CPU, µs a payment",
    "the broker's",
    "wrong rows",
  ];
  return markdownTable([head, ...cells]);
}

function rightness(rows: number, verdicts: readonly SinkVerdict[]): string {
  if (verdicts.every(isRight)) return "0";
  const lost = verdicts.some((verdict) =>
    verdict.missing + verdict.repeated + verdict.foreign > 0
  );
  const names = new Set(verdicts.flatMap(({ wrong }) => [...wrong.keys()]));
  const shares = [...names].map((name) => {
    const wrong = verdicts.map((verdict) => verdict.wrong.get(name) ?? 0);
    const percent = range(wrong, (n) => figure(100 * n / rows, 2));
    return `${name} ${percent} %`;
  });
  return [...lost ? ["rows missing or repeated"] : [], ...shares].join("; ");
}

function delay(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

if (import.meta.main) await main();
