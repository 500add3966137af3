/**
 * What the windows of both stages cost as their state grows: bytes for each
 * payment in reach and for each key, the longest step, and how long the state
 * takes to save and to load. Keys have as many payments as in the default set:
 * 58 in the 30 days of a card, 42 in the 44 days of a terminal.
 *
 *   deno run --allow-read --allow-write bench/state_windows.ts [--payments=N]
 *
 * Without --payments it measures 10 thousand and 1 million payments; 100
 * million need about 3 GB of memory and 5 minutes. A step counts as long as
 * the shorter of its times in two runs, since other programs interrupt one.
 */
import type { StateSink, StateSource } from "../src/base/state_stream.ts";
import {
  CustomerOperator,
  TerminalOperator,
} from "../src/features/feature_operator.ts";
import { featureCount, HANDBOOK_FEATURES } from "../src/features/parameters.ts";
import type { SlidingWindows } from "../src/features/sliding_windows.ts";
import {
  DAY_SECONDS,
  emptyPayment,
  type Payment,
} from "../src/payment/payment.ts";
import { readFlags } from "./bench_flags.ts";
import { figure, print } from "./figures.ts";

/** Payments are added until so many times the state has passed through. */
const TURNS = 1.25;
/** Payments above which one run has to do. */
const TWICE_MAX = 2_000_000;

/** One of the two stages. */
interface Operator extends Readonly<{ windows: SlidingWindows }> {
  process(row: Payment, progress: number, totals: Float64Array): void;
  save(sink: StateSink): void;
  load(source: StateSource): void;
}

/** What is measured of a stage. */
interface Stage {
  readonly name: string;
  readonly keepSeconds: number;
  readonly paymentsPerKey: number;
  open(): Operator;
}

const LATENESS_SECONDS = 3600;
const SLACK_SECONDS = 7 * DAY_SECONDS;

const STAGES: readonly Stage[] = [
  {
    name: "card",
    keepSeconds: 30 * DAY_SECONDS + LATENESS_SECONDS,
    paymentsPerKey: 58,
    open: () => new CustomerOperator(HANDBOOK_FEATURES, LATENESS_SECONDS),
  },
  {
    name: "terminal",
    keepSeconds: 37 * DAY_SECONDS + SLACK_SECONDS,
    paymentsPerKey: 42,
    open: () => new TerminalOperator(HANDBOOK_FEATURES, SLACK_SECONDS),
  },
];

/** Measures both stages with so many payments in reach and prints a line for each. */
export function measureWindows(payments: number): void {
  for (const stage of STAGES) {
    fill(stage, 1000, undefined); // warms up
    const steps = payments <= TWICE_MAX
      ? new Float32Array(Math.ceil(payments * TURNS)).fill(Infinity)
      : undefined;
    if (steps) fill(stage, payments, steps);
    const first = fill(stage, payments, steps);
    const { operator } = first;
    const longest = steps
      ? steps.reduce((a, b) => Math.max(a, b))
      : first.longest;
    const { bytes, keys } = operator.windows;
    const { save, load, size } = saveAndLoad(operator, stage);
    print(
      `${stage.name.padEnd(8)} ${figure(payments)} payments, ` +
        `${figure(keys)} keys: ${figure(bytes / payments, 1)} bytes per ` +
        `payment, ${figure(bytes / keys)} per key, ` +
        `${figure(first.seconds / first.added * 1e9)} ns per step, longest ` +
        `${figure(longest, 2)} ms${steps ? "" : " (one run)"}; ` +
        `${figure(size / 1e6, 1)} MB saved in ${figure(save, 2)} s, loaded ` +
        `in ${figure(load, 2)} s`,
    );
  }
}

/** Adds payments until the state has passed through; each step's time is kept in `steps` where it is shorter. */
function fill(stage: Stage, payments: number, steps?: Float32Array) {
  const operator = stage.open();
  const keys = Math.max(1, Math.round(payments / stage.paymentsPerKey));
  const totals = new Float64Array(featureCount(HANDBOOK_FEATURES));
  const row = emptyPayment();
  const added = Math.ceil(payments * TURNS);
  let random = 1;
  let longest = 0;
  const began = performance.now();
  let then = began;
  for (let i = 0; i < added; i++) {
    random = (Math.imul(random, 1664525) + 1013904223) >>> 0;
    const key = Math.floor(random / 2 ** 32 * keys);
    row.customerId = key;
    row.terminalId = key;
    row.amount = (random & 0xffff) / 100;
    row.fraud = (random & 0x7f00) === 0 ? 1 : 0;
    row.timeSeconds = Math.floor(i / payments * stage.keepSeconds);
    operator.process(row, row.timeSeconds, totals);
    const now = performance.now();
    const took = now - then;
    then = now;
    if (took > longest) longest = took;
    if (steps && took < steps[i]) steps[i] = took;
  }
  return { operator, longest, added, seconds: (then - began) / 1000 };
}

/** Saves a state to a file and loads it from there; seconds taken and bytes written. */
function saveAndLoad(operator: Operator, stage: Stage) {
  const path = Deno.makeTempFileSync();
  try {
    const began = performance.now();
    const size = writeState(path, operator);
    const saved = performance.now();
    readState(path, stage.open());
    const loaded = performance.now();
    const [save, load] = [saved - began, loaded - saved].map((ms) => ms / 1000);
    return { save, load, size };
  } finally {
    Deno.removeSync(path);
  }
}

function writeState(path: string, operator: Operator): number {
  using file = Deno.openSync(path, { write: true });
  let size = 0;
  operator.save({
    write(bytes) {
      size += bytes.length;
      for (let at = 0; at < bytes.length;) {
        at += file.writeSync(bytes.subarray(at));
      }
    },
  });
  return size;
}

function readState(path: string, operator: Operator): void {
  using file = Deno.openSync(path);
  operator.load({
    read(length) {
      const bytes = new Uint8Array(length);
      for (let at = 0; at < length;) {
        const read = file.readSync(bytes.subarray(at));
        if (read === null) throw new Error("the state is too short");
        at += read;
      }
      return bytes;
    },
  });
}

if (import.meta.main) {
  const { payments } = readFlags({ payments: 0 });
  const sizes = payments > 0 ? [payments] : [10_000, 1_000_000];
  for (const size of sizes) measureWindows(size);
}
