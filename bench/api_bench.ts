/**
 * How long a customer waits for POST /v1/score: the latency of answers under an
 * open load, on an embedded log and store, beside a server that answers every
 * payment with the same text through the same generator.
 *
 *   deno task bench:api [--rate=200] [--seconds=60] [--warmup=15] [--fixed]
 *                       [--connections=480] [--lines] [--servers]
 *   deno task bench:api --overload [--rate=N] [--limit-ms=10]
 *
 * --servers adds a real Kafka and a real Cassandra. --lines prints every
 * second. --overload finds the highest rate with a p99 of --limit-ms at most
 * (or takes --rate), sends twice that for a minute, then half of it, and shows
 * what became of requests and memory. Requests are due at random times (a
 * Poisson process), with --fixed evenly. Server and load share the machine.
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { startCassandra } from "../tests/services/cassandra_server.ts";
import { freePort } from "../tests/services/free_port.ts";
import { startKafka } from "../tests/services/kafka_server.ts";
import { readFlags } from "./bench_flags.ts";
import { figure, markdownTable, print, tell } from "./figures.ts";
import {
  type LoadPhase,
  type LoadPlan,
  type LoadResult,
  type LoadSpan,
  percentilesOf,
} from "./open_load.ts";
import {
  fraudstream,
  outputOf,
  processorSeconds,
  residentMiB,
  type ServerProgram,
  startServer,
} from "./program.ts";

const READY_MS = 120_000;
const POLL_MS = 100;
const PROBES = 300;
const PROBE_BYTES = 4096;
const OVERLOAD_SECONDS = 60;
const STEP_SECONDS = 10;
/** After an overload; the load is half of what the server can take. */
const RECOVERY_SECONDS = 30;
/** This many seconds in a row make a recovery. */
const STEADY_SECONDS = 3;
const FIRST_RATE = 25;
const RATE_MAX = 6400;
const BISECTIONS = 3;
const OK = "200";
const REFUSED = "503";

const FLAGS = {
  rate: 0,
  seconds: 60,
  warmup: 15,
  connections: 480,
  fixed: false,
  lines: false,
  overload: false,
  servers: false,
  "limit-ms": 10,
};
const DEFAULT_RATE = 200;

type Flags = ReturnType<typeof readFlags<typeof FLAGS>>;

/** A server that takes payments, and where its data are. */
interface Target extends AsyncDisposable {
  readonly name: string;
  readonly program: ServerProgram;
  readonly port: number;
  /** Where it syncs files; undefined if it does not. */
  readonly folder?: string;
}

/** A target with the ids that it has had. */
class Bench {
  readonly target: Target;
  readonly #flags: Flags;
  #nextId = 1;

  constructor(target: Target, flags: Flags) {
    this.target = target;
    this.#flags = flags;
  }

  /** Sends phases of load from a separate process. */
  async load(phases: readonly LoadPhase[]): Promise<LoadResult> {
    const { connections, fixed } = this.#flags;
    const firstId = this.#nextId;
    const requests = phases.reduce((sum, { rate, seconds }) => {
      return sum + rate * seconds;
    }, 0);
    this.#nextId += 2 * requests + 1000;
    const plan: LoadPlan = {
      ...{ phases, firstId, connections, port: this.target.port },
      arrivals: fixed ? "fixed" : "poisson",
    };
    const result = await outputOf([
      Deno.execPath(),
      ...["run", "--quiet", "--no-prompt", "--allow-net=127.0.0.1"],
      fileURLToPath(new URL("open_load.ts", import.meta.url)),
      JSON.stringify(plan),
    ]);
    await this.target.program.requireRunning();
    return JSON.parse(result);
  }
}

async function startApi(
  name: string,
  flags: readonly string[],
): Promise<Target> {
  const folder = await Deno.makeTempDir({ prefix: "fraudstream-bench-" });
  const port = freePort();
  const program = startServer(fraudstream([
    "run",
    "--definition=live",
    "--model=built-in",
    `--api-port=${port}`,
    `--data=${join(folder, "data")}`,
    ...flags,
  ]));
  const dispose = async () => {
    await program[Symbol.asyncDispose]();
    await Deno.remove(folder, { recursive: true });
  };
  const target = { ...{ name, program, port, folder } };
  return await whenReady({ ...target, [Symbol.asyncDispose]: dispose });
}

async function startFloor(): Promise<Target> {
  const port = freePort();
  const program = startServer([
    Deno.execPath(),
    ...["run", "--quiet", "--no-prompt", "--allow-net=127.0.0.1"],
    fileURLToPath(new URL("http_floor.ts", import.meta.url)),
    `${port}`,
  ]);
  return await whenReady({
    ...{ name: "fixed answer", program, port },
    [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
  });
}

/** Waits until a target is ready to answer. */
async function whenReady(target: Target): Promise<Target> {
  const deadline = performance.now() + READY_MS;
  while (performance.now() < deadline) {
    await target.program.requireRunning();
    const response = await get(target, "/readyz");
    if (response?.ok) return target;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  await target[Symbol.asyncDispose]();
  throw new Error(`${target.name} was not ready after ${READY_MS / 1000} s`);
}

async function get(
  { port }: Target,
  path: string,
): Promise<{ readonly ok: boolean; readonly text: string } | undefined> {
  try {
    const response = await fetch(`http://127.0.0.1:${port}${path}`);
    return { ok: response.ok, text: await response.text() };
  } catch {
    return undefined; // it does not listen yet
  }
}

/** How long a small write waits for the disk of a target: 'median, p99'. */
async function syncTime({ folder }: Target): Promise<string> {
  if (folder === undefined) return "–";
  const path = join(folder, "probe");
  using file = await Deno.open(path, { create: true, write: true });
  const bytes = new Uint8Array(PROBE_BYTES);
  const times: number[] = [];
  for (let probe = 0; probe < PROBES; probe++) {
    const began = performance.now();
    await file.write(bytes);
    await file.syncData();
    times.push(performance.now() - began);
  }
  await Deno.remove(path);
  const { p50, p99 } = percentilesOf(times);
  return `${ms(p50)}, ${ms(p99)}`;
}

function ms(value: number | null): string {
  return value === null ? "–" : figure(value, value < 10 ? 2 : 1);
}

const HEADS = [
  "server",
  "requests per s",
  "p50",
  "p90",
  "p99",
  "p99.9",
  "max",
  "p99 since sent",
  "statuses",
  "server, ms of processor per request",
  "generator, likewise",
  "sync before: median, p99",
  "sync after",
];

function statusesOf({ statuses }: LoadSpan): string {
  return Object.entries(statuses).map(([status, count]) =>
    `${status === "0" ? "no answer" : status}: ${figure(count)}`
  ).join(", ");
}

function secondLine(span: LoadSpan, second: number): string {
  return `second ${second}: ${figure(span.due)} due, ${statusesOf(span)}; ` +
    `p50 ${ms(span.sinceDue.p50)}, p99 ${ms(span.sinceDue.p99)}, ` +
    `max ${ms(span.sinceDue.max)} ms`;
}

/** Measures a target at one rate: a row of the table. */
async function measure(target: Target, flags: Flags): Promise<string[]> {
  const { seconds, warmup, lines } = flags;
  const rate = flags.rate || DEFAULT_RATE;
  const bench = new Bench(target, flags);
  tell(`${target.name}: warming up for ${warmup} s`);
  await bench.load([{ rate, seconds: warmup }]);
  const syncBefore = await syncTime(target);
  const before = await processorSeconds(target.program.pid);
  tell(`${target.name}: ${rate} requests per second for ${seconds} s`);
  const result = await bench.load([{ rate, seconds }]);
  const used = await processorSeconds(target.program.pid) - before;
  const syncAfter = await syncTime(target);
  if (lines) result.seconds.forEach((span, i) => tell(secondLine(span, i)));
  await tellSyncMetrics(target);
  const [span] = result.phases;
  const { lateness } = result;
  tell(
    `${target.name}: the generator sent its requests ${ms(lateness.p50)} ms ` +
      `(median) and ${ms(lateness.p99)} ms (p99) after they were due`,
  );
  const { p50, p90, p99, p999, max } = span.sinceDue;
  return [
    target.name,
    figure(rate),
    ...[p50, p90, p99, p999, max, span.sinceSent.p99].map(ms),
    statusesOf(span),
    figure(1000 * used / span.due, 2),
    figure(1000 * result.processorSeconds / span.due, 2),
    syncBefore,
    syncAfter,
  ];
}

/** Shows what the server itself says about the time of syncs. */
async function tellSyncMetrics(target: Target): Promise<void> {
  const metrics = await get(target, "/metrics");
  if (!metrics?.ok) return;
  const lines = metrics.text.split("\n")
    .filter((line) => /sync/i.test(line) && !line.startsWith("#"));
  for (const line of lines) tell(`${target.name}: ${line}`);
}

/** The highest rate at which nearly all answers are quick enough: doubled until it fails, then bisected. */
async function highestRate(bench: Bench, limitMs: number): Promise<number> {
  const isGood = async (rate: number) => {
    const { phases: [span] } = await bench.load([
      { rate, seconds: STEP_SECONDS },
    ]);
    const answered = span.statuses[OK] ?? 0;
    const good = answered === span.due &&
      (span.sinceDue.p99 ?? Infinity) <= limitMs;
    tell(
      `${rate} per second: p99 ${ms(span.sinceDue.p99)} ms, ` +
        `${statusesOf(span)}: ${good ? "good" : "too much"}`,
    );
    return good;
  };
  let good = 0;
  let bad = FIRST_RATE;
  while (bad <= RATE_MAX && await isGood(bad)) {
    good = bad;
    bad *= 2;
  }
  if (good === 0) {
    throw new Error(
      `not even ${FIRST_RATE} per second have a p99 of ${limitMs} ms; give ` +
        "another --limit-ms, or --rate",
    );
  }
  for (let i = 0; i < BISECTIONS && bad <= RATE_MAX; i++) {
    const middle = Math.round((good + bad) / 2);
    if (await isGood(middle)) good = middle;
    else bad = middle;
  }
  return good;
}

/** Samples the resident memory of a process every second until `work` is done; returns its greatest. */
async function greatestMemory<T>(
  pid: number,
  work: Promise<T>,
): Promise<{ readonly result: T; readonly greatestMiB: number }> {
  let greatestMiB = NaN;
  let isOver = false;
  work.finally(() => isOver = true).catch(() => {});
  while (!isOver) {
    const now = await residentMiB(pid);
    if (!(now <= greatestMiB)) greatestMiB = now || greatestMiB;
    const wait = new Promise((resolve) => setTimeout(resolve, 1000));
    await Promise.race([wait, work.catch(() => {})]);
  }
  return { result: await work, greatestMiB };
}

/** Overloads a target and prints what became of it. */
async function overload(target: Target, flags: Flags): Promise<void> {
  const limitMs = flags["limit-ms"];
  const bench = new Bench(target, flags);
  const warmRate = flags.rate || FIRST_RATE;
  tell(`${target.name}: warming up for ${flags.warmup} s`);
  await bench.load([{ rate: warmRate, seconds: flags.warmup }]);
  const highest = flags.rate || await highestRate(bench, limitMs);
  const { pid } = target.program;
  const beforeMiB = await residentMiB(pid);
  const rate = 2 * highest;
  const calm = Math.max(1, Math.round(highest / 2));
  tell(`${rate} per second for ${OVERLOAD_SECONDS} s, then ${calm}`);
  const { result, greatestMiB } = await greatestMemory(
    pid,
    bench.load([
      { rate, seconds: OVERLOAD_SECONDS },
      { rate: calm, seconds: RECOVERY_SECONDS },
    ]),
  );
  if (flags.lines) {
    result.seconds.forEach((span, i) => tell(secondLine(span, i)));
  }
  const [span, after] = result.phases;
  const recovered = recoverySeconds(result.seconds, limitMs);
  const { sinceDue, others } = span;
  for (
    const line of [
      `${target.name}: ${figure(highest)} payments per second ` +
      (flags.rate ? "(given)" : `have a p99 of ${limitMs} ms at most`),
      `${figure(rate)} per second for ${OVERLOAD_SECONDS} s: ` +
      `${statusesOf(span)}`,
      `  answered ${OK}, since due: p50 ${ms(sinceDue.p50)}, ` +
      `p99 ${ms(sinceDue.p99)}, max ${ms(sinceDue.max)} ms`,
      `  others (${REFUSED} among them), since due: p50 ${ms(others.p50)}, ` +
      `p99 ${ms(others.p99)}, max ${ms(others.max)} ms`,
      `memory: ${figure(beforeMiB)} MiB before, at most ` +
      `${figure(greatestMiB)} MiB, ${figure(await residentMiB(pid))} MiB after`,
      `${figure(calm)} per second from then on: ${statusesOf(after)}; ` +
      (recovered === undefined
        ? `the p99 did not return to ${limitMs} ms in ${RECOVERY_SECONDS} s`
        : `the p99 is ${limitMs} ms or less from second ${recovered} on`),
    ]
  ) print(line);
}

/** How many seconds after the overload the p99 is good, for some seconds in a row. */
function recoverySeconds(
  seconds: readonly LoadSpan[],
  limitMs: number,
): number | undefined {
  const after = seconds.slice(OVERLOAD_SECONDS);
  const isGood = ({ statuses, due, sinceDue }: LoadSpan) =>
    (statuses[OK] ?? 0) === due && (sinceDue.p99 ?? 0) <= limitMs;
  for (let at = 0; at + STEADY_SECONDS <= after.length; at++) {
    if (after.slice(at, at + STEADY_SECONDS).every(isGood)) return at;
  }
  return undefined;
}

async function startOnServers(held: AsyncDisposableStack): Promise<Target> {
  const [kafka, cassandra] = await Promise.all([
    startKafka({ throughput: true }),
    startCassandra({ throughput: true }),
  ]);
  held.use(kafka);
  held.use(cassandra);
  return await startApi("Kafka and Cassandra", [
    "--log=kafka",
    `--brokers=${kafka.address}`,
    "--store=cassandra",
    `--contact-points=${cassandra.address}`,
    "--local-dc=datacenter1",
    "--consistency=one",
  ]);
}

async function main(): Promise<void> {
  const flags = readFlags(FLAGS);
  const rows = [HEADS];
  const work = async (start: () => Promise<Target>) => {
    await using target = await start();
    if (flags.overload) await overload(target, flags);
    else rows.push(await measure(target, flags));
  };
  await work(() => startApi("embedded", []));
  if (flags.servers) {
    await using held = new AsyncDisposableStack();
    await work(() => startOnServers(held));
  }
  if (flags.overload) return;
  await work(startFloor);
  const arrivals = flags.fixed ? "evenly" : "at random (Poisson)";
  print(
    `Milliseconds from when a request was due; requests came ${arrivals} ` +
      `for ${flags.seconds} s.\n`,
  );
  print(markdownTable(rows));
}

if (import.meta.main) await main();
