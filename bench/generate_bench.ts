/**
 * How fast payments are made: the handbook's default data set in memory, the
 * endless stream, and, with --peer, the handbook's own way with pandas.
 *
 *     deno run --allow-env=PYTHON --allow-run bench/generate_bench.ts --peer
 *
 * --runs=N            runs of each (default 7)
 * --peer              runs the pandas code too, on the same data set (minutes)
 * --peer-customers=N  the same for N customers, both for pandas and for us
 */
import { simulateHandbook } from "../src/simulator/handbook.ts";
import {
  HANDBOOK_PARAMETERS,
  type SimulatorParameters,
} from "../src/simulator/parameters.ts";
import { streamSimulation } from "../src/simulator/stream.ts";
import { readFlags } from "./bench_flags.ts";
import { print } from "./figures.ts";

const PEER = new URL("peers/handbook_generate.py", import.meta.url);
const STREAM_DAYS = 60;

/** Sorted measurements as 'min, median, max'. */
function spread(sorted: number[], digits: number): string {
  const median = sorted[Math.floor(sorted.length / 2)];
  const [min, mid, max] = [sorted[0], median, sorted[sorted.length - 1]]
    .map((value) => value.toFixed(digits));
  return `min ${min}, median ${mid}, max ${max}`;
}

function sortedRuns(runs: number, measure: () => number): number[] {
  return Array.from({ length: runs }, measure).sort((a, b) => a - b);
}

function generationSeconds(parameters: SimulatorParameters): number {
  const begun = performance.now();
  simulateHandbook(parameters);
  return (performance.now() - begun) / 1000;
}

function streamRate(): number {
  const stream = streamSimulation({ ...HANDBOOK_PARAMETERS, days: 0 }, "bench");
  const begun = performance.now();
  let id = 0;
  for (let day = 0; day < STREAM_DAYS; day++) id += stream.day(day, id).length;
  return id / (performance.now() - begun) * 1000;
}

/** Seconds that pandas takes, or undefined where it cannot run. */
function peerSeconds(customers: number): number | undefined {
  const python = Deno.env.get("PYTHON") ?? "python3";
  try {
    const { success, stdout, stderr } = new Deno.Command(python, {
      args: [PEER.pathname, `--customers=${customers}`],
    }).outputSync();
    if (!success) {
      const reason = new TextDecoder().decode(stderr).trim().split("\n").at(-1);
      print(`pandas: not measured, ${python} failed: ${reason}`);
      return undefined;
    }
    const text = new TextDecoder().decode(stdout).trim();
    print(`pandas, ${customers} customers: ${text}`);
    return JSON.parse(text).seconds;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    print(`pandas: not measured, there is no ${python} here`);
    return undefined;
  }
}

function main(): void {
  const flags = readFlags({ runs: 7, peer: false, "peer-customers": 0 });
  const { runs } = flags;
  const whole = sortedRuns(runs, () => generationSeconds(HANDBOOK_PARAMETERS));
  print(
    `default data set, generated and labelled: ${spread(whole, 3)} s`,
  );
  const rates = sortedRuns(runs, streamRate);
  print(`stream, default parameters: ${spread(rates, 0)} payments/s`);
  const scaled = flags["peer-customers"];
  if (!flags.peer && scaled === 0) return;
  const customers = scaled || HANDBOOK_PARAMETERS.customers;
  const peer = peerSeconds(customers);
  if (peer === undefined) return;
  const parameters = { ...HANDBOOK_PARAMETERS, customers };
  const own = sortedRuns(runs, () => generationSeconds(parameters));
  const median = own[Math.floor(own.length / 2)];
  print(`fraudstream, ${customers} customers: ${spread(own, 3)} s`);
  print(`ratio of pandas to the median: ${(peer / median).toFixed(0)}`);
}

main();
