/**
 * Payments with 60 declared features (20 aggregates of each of three keys) from
 * their file to the store, `run --in --definition`, beside the same payments with
 * the handbook's 14 features. Both read the simulator's default payments with one
 * definition but for its features, and run in turn, so that both meet the same
 * minutes of the machine. No model scores them, and no page is served.
 *
 *     deno run --allow-read --allow-write --allow-run=sh bench/declared_bench.ts [--days=N] [--runs=N]
 *
 * On a machine that does other work, compare the processor time.
 */
import { join } from "node:path";
import {
  SIMULATED_PAYMENT,
  SIXTY_FEATURES,
} from "../tests/definition/sixty_features.ts";
import { readFlags } from "./bench_flags.ts";
import {
  figure,
  markdownTable,
  median,
  print,
  range,
  tell,
} from "./figures.ts";
import { measureCommand, type MeasuredRun, runCommand } from "./program.ts";

const DEFINITIONS: Readonly<Record<string, string>> = {
  "60 declared": SIXTY_FEATURES,
  "14 built in": `${SIMULATED_PAYMENT}features: { include: handbook }\n`,
};

/** A run, and what its summary says. */
interface StreamRun extends MeasuredRun {
  readonly payments: number;
  readonly storedSeconds: number;
}

/** Streams the payments with a definition into an empty folder. Throws if not all are stored. */
async function runDefinition(
  folder: string,
  definition: string,
): Promise<StreamRun> {
  const path = join(folder, "stream.yaml");
  await Deno.writeTextFile(path, definition);
  const data = join(folder, "data");
  const run = await measureCommand([
    ...["run", `--definition=${path}`, `--in=${join(folder, "sim")}`],
    ...["--rate=max", "--no-model", "--role=producer,processor,writer"],
    `--data=${data}`,
  ]);
  await Deno.remove(data, { recursive: true });
  const all = /published +([\d,]+) payments, complete; stored ([\d,]+),/
    .exec(run.stdout);
  const seconds = /stored in ([\d.,]+) s/.exec(run.stdout)?.[1];
  if (!all || all[1] !== all[2] || seconds === undefined) {
    throw new Error(`not all payments are stored: ${run.stdout}`);
  }
  return {
    ...run,
    payments: numberOf(all[2]),
    storedSeconds: numberOf(seconds),
  };
}

function numberOf(text: string): number {
  return Number(text.replaceAll(",", ""));
}

/** A row of the table, of all runs of one definition. */
function shown(name: string, runs: readonly StreamRun[]): string[] {
  const of = (value: (run: StreamRun) => number, digits = 0) =>
    range(runs.map(value), (number) => figure(number, digits));
  return [
    name,
    of(({ payments, storedSeconds }) => payments / storedSeconds),
    of(({ processorSeconds }) => processorSeconds, 1),
    of(({ payments, processorSeconds }) => 1e6 * processorSeconds / payments),
    of(({ peakMiB }) => peakMiB),
  ];
}

async function main(): Promise<void> {
  const { days, runs } = readFlags({ days: 183, runs: 3 });
  const folder = await Deno.makeTempDir({ prefix: "fraudstream-bench-" });
  const names = Object.keys(DEFINITIONS);
  const measured = new Map<string, StreamRun[]>();
  try {
    tell(`writing the payments of ${days} days`);
    await runCommand([
      ...["generate", `--days=${days}`, "--format=csv"],
      `--out=${join(folder, "sim")}`,
    ]);
    for (let run = 0; run < runs; run++) {
      for (const name of names) {
        tell(`${name}, run ${run + 1} of ${runs}`);
        const one = await runDefinition(folder, DEFINITIONS[name]);
        measured.set(name, [...measured.get(name) ?? [], one]);
      }
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  const header = ["features", "payments/s", "CPU s", "CPU µs/payment", "MiB"];
  const rows = names.map((name) => shown(name, measured.get(name) ?? []));
  print(markdownTable([header, ...rows]));
  const [declared, builtIn] = names.map((name) =>
    median((measured.get(name) ?? []).map((run) => run.processorSeconds))
  );
  print(
    `${names.join(" : ")} by processor time: ${
      (declared / builtIn).toFixed(2)
    }`,
  );
}

if (import.meta.main) await main();
