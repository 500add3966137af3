/**
 * The state that the two stages keep: bytes per payment and per key, the
 * longest step while it grows, and what it takes to save it in a snapshot and
 * to load it again, in processor time.
 *
 *   deno run --allow-read --allow-write bench/state_bench.ts
 *       [--payments=N] [--only=ledger|customer|terminal] [--horizon=DAYS]
 *       [--restart]
 *
 * By default with 10 thousand and 1 million payments in each state; with
 * --payments=100000000 with these (some 10 GiB). --restart measures the program
 * instead: from its start until the default data set's state is restored, with
 * and without snapshots.
 */
import { join } from "node:path";
import process from "node:process";
import {
  CustomerOperator,
  TerminalOperator,
} from "../src/features/feature_operator.ts";
import { featureCount, HANDBOOK_FEATURES } from "../src/features/parameters.ts";
import type { StateSink, StateSource } from "../src/base/state_stream.ts";
import { DAY_SECONDS, emptyPayment } from "../src/payment/payment.ts";
import { Ledger } from "../src/stream/ledger.ts";
import {
  SnapshotFile,
  writeSnapshotFile,
} from "../src/stream/snapshot_file.ts";
import { readFlags } from "./bench_flags.ts";
import { figure, markdownTable, print, tell } from "./figures.ts";
import { fraudstream, outputOf, runPipeline } from "./program.ts";

const LATENESS_SECONDS = 3600;
/** A step of a stage takes so many payments. */
const STEP = 4096;
/** The default data set's payments of a card and of a terminal a day. */
const PAYMENTS_PER_CARD = 1.92;
const PAYMENTS_PER_TERMINAL = 0.96;

/** A state that is measured. */
interface Measured {
  /** Takes the next payment. */
  take(): void;
  save(sink: StateSink): void;
  load(source: StateSource): void;
  readonly bytes: number;
  readonly keys: number;
}

/** A kind of state. */
interface StateKind {
  readonly name: string;
  /** Days of event time that a payment is kept. */
  readonly days: number;
  /** Makes an empty one that keeps about so many payments. */
  readonly open: (payments: number) => Measured;
}

/** Numbers that look like chance and cost little: a permutation of 0 … 2^31 - 1, taken in order. */
function scattered(index: number): number {
  return Math.imul(index, 0x9e37_79b1) >>> 1;
}

function ledgerKind(days: number): StateKind {
  return {
    name: "ledger",
    days,
    open: (payments) => {
      const ledger = new Ledger(days * DAY_SECONDS);
      const row = emptyPayment();
      let taken = 0;
      return {
        take: () => {
          row.transactionId = taken;
          row.customerId = scattered(taken);
          row.timeSeconds = Math.floor(taken / payments * days * DAY_SECONDS);
          row.datetimeSeconds = 1_500_000_000 + row.timeSeconds;
          row.amount = scattered(taken) % 10_000 / 100;
          if (ledger.compare(row, row.timeSeconds) === "new") {
            ledger.add(row, row.timeSeconds, taken);
          }
          taken++;
        },
        save: (sink) => ledger.save(sink),
        load: (source) => ledger.load(source),
        get bytes() {
          return ledger.bytes;
        },
        keys: 0,
      };
    },
  };
}

function windowKind(
  name: string,
  days: number,
  perKey: number,
  make: () => CustomerOperator | TerminalOperator,
): StateKind {
  return {
    name,
    days,
    open: (payments) => {
      const operator = make();
      const totals = new Float64Array(featureCount(HANDBOOK_FEATURES));
      const row = emptyPayment();
      const keys = Math.max(1, Math.round(payments / days / perKey));
      let taken = 0;
      return {
        take: () => {
          row.transactionId = taken;
          row.customerId = row.terminalId = scattered(taken) % keys;
          row.timeSeconds = Math.floor(taken / payments * days * DAY_SECONDS);
          row.amount = scattered(taken) % 10_000 / 100;
          row.fraud = taken % 100 === 0 ? 1 : 0;
          operator.process(row, row.timeSeconds, totals);
          taken++;
        },
        save: (sink) => operator.save(sink),
        load: (source) => operator.load(source),
        get bytes() {
          return operator.windows.bytes;
        },
        get keys() {
          return operator.windows.keys;
        },
      };
    },
  };
}

function kinds(horizonDays: number): StateKind[] {
  const slackDays = 7;
  const { delayDays, windowDays } = HANDBOOK_FEATURES;
  const longest = Math.max(...windowDays);
  return [
    ledgerKind(horizonDays),
    windowKind(
      "customer windows",
      longest + LATENESS_SECONDS / DAY_SECONDS,
      PAYMENTS_PER_CARD,
      () => new CustomerOperator(HANDBOOK_FEATURES, LATENESS_SECONDS),
    ),
    windowKind(
      "terminal windows",
      delayDays + longest + slackDays,
      PAYMENTS_PER_TERMINAL,
      () => new TerminalOperator(HANDBOOK_FEATURES, slackDays * DAY_SECONDS),
    ),
  ];
}

/** Seconds of processor time so far: on a machine with other load the clock says little. */
function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** Fills a state with so many payments, lets a tenth more come and go, saves it and loads it. */
function measure(kind: StateKind, payments: number, folder: string): string[] {
  tell(`${kind.name}, ${figure(payments)} payments`);
  let state = kind.open(payments);
  const steps: number[] = [];
  let bytes = 0;
  for (let taken = 0; taken < 1.1 * payments; taken += STEP) {
    const began = cpuSeconds();
    for (let i = 0; i < STEP; i++) state.take();
    steps.push(1000 * (cpuSeconds() - began));
    if (taken + STEP >= payments) bytes = Math.max(bytes, state.bytes);
  }
  steps.sort((a, b) => a - b);
  const path = join(folder, "state.snapshot");
  let began = cpuSeconds();
  writeSnapshotFile(path, {}, (sink) => state.save(sink));
  const saved = cpuSeconds() - began;
  const fileBytes = Deno.statSync(path).size;
  const { keys } = state;
  state = kind.open(payments); // the other must not be in memory beside it
  began = cpuSeconds();
  using file = SnapshotFile.open(path);
  if (file) state.load(file);
  file?.end();
  const load = cpuSeconds() - began;
  if (state.keys !== keys) throw new Error("it is not the same state");
  return [
    kind.name,
    figure(payments),
    figure(bytes / payments, 1),
    keys === 0 ? "" : figure(bytes / keys),
    figure(steps[steps.length >> 1], 1),
    figure(steps[steps.length - 1], 1),
    figure(fileBytes / payments, 1),
    figure(saved, 2),
    figure(load, 2),
  ];
}

const HEAD = [
  "state",
  "payments",
  "bytes per payment",
  "bytes per key",
  "median step, CPU ms",
  "longest step, CPU ms",
  "bytes per payment in the snapshot",
  "save, CPU s",
  "load, CPU s",
];

/** Starts the processor of a stream that is complete, with and without its snapshots. */
async function measureRestart(folder: string): Promise<void> {
  const data = join(folder, "data");
  tell("the default data set, once");
  await runPipeline(["--rate=max", `--data=${data}`]);
  const snapshots = join(data, "snapshots");
  const start = fraudstream(["--role=processor", `--data=${data}`]);
  for (let round = 0; round < 3; round++) {
    for (const isWith of [true, false]) {
      if (!isWith) await Deno.remove(snapshots, { recursive: true });
      const began = performance.now();
      await outputOf(start);
      const seconds = (performance.now() - began) / 1000;
      print(
        `${isWith ? "with" : "without"} snapshots: ${figure(seconds, 2)} s ` +
          "from the start of the program to its end, all partitions restored",
      );
    }
  }
}

async function main(): Promise<void> {
  const { payments, only, horizon, restart } = readFlags({
    payments: 0,
    only: "",
    horizon: 2,
    restart: false,
  });
  const folder = await Deno.makeTempDir({ prefix: "fraudstream-bench-" });
  try {
    if (restart) return await measureRestart(folder);
    const sizes = payments > 0 ? [payments] : [10_000, 1_000_000];
    const chosen = kinds(horizon).filter(({ name }) => name.startsWith(only));
    const rows = chosen.flatMap((kind) =>
      sizes.map((size) => measure(kind, size, folder))
    );
    print(markdownTable([HEAD, ...rows]));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

if (import.meta.main) await main();
