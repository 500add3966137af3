/** `generate`: a simulated data set as files. */
import { type CommandDeclaration, defineCommand } from "../command.ts";
import type { FlagValues } from "../flags/flag.ts";
import {
  makeFolder,
  markFinished,
  markUnfinished,
  removeDataSet,
  writeCustomers,
  writeDay,
  writeTerminals,
} from "../../files/data_set.ts";
import type { TableFormat } from "../../files/table_encoder.ts";
import { openSimulation, type Simulation } from "../../simulator/simulation.ts";
import { dateSeconds, formatDate } from "../../payment/calendar.ts";
import { DAY_SECONDS } from "../../payment/payment.ts";
import {
  DATA_FLAGS,
  type DataFlags,
  type DataOptions,
  DAYS_MAX,
  readDataFlags,
} from "../flags/data_flags.ts";
import { FOLDER_FLAGS, readFolderFlags } from "../flags/folder_flags.ts";
import { openProgress } from "../output/progress.ts";
import { listenForStop, throwIfStopped } from "../signals.ts";
import { elapsed, writeResult } from "../output/terminal.ts";
import { counted, thousands } from "../../base/counted.ts";

type GenerateOptions = FlagValues<typeof FOLDER_FLAGS> & DataOptions;

/** What has been written so far. */
interface Written {
  days: number;
  payments: number;
  /** Payments of each scenario; 0 is genuine. */
  readonly ofScenario: number[];
}

const EXAMPLES = `
Examples:
  ./fraudstream generate --out data
      the handbook's data set, 1,754,155 payments
  ./fraudstream generate --out data --preset=seed --format=parquet
  ./fraudstream generate --out data --rng=seedrandom --seed=mine --days=0
      other data, a day after another until Ctrl-C
`;

/** The command. */
export const GENERATE_COMMAND: CommandDeclaration = defineCommand({
  name: "generate",
  summary: "write a simulated data set to files",
  description: "Writes customers, terminals and one file of payments per day " +
    "(YYYY-MM-DD) to a folder.",
  flags: [FOLDER_FLAGS, DATA_FLAGS],
  examples: EXAMPLES,
  run: generate,
});

async function generate(options: GenerateOptions): Promise<void> {
  const startMs = performance.now();
  const flags = readDataFlags(options);
  const { folder, format } = await readFolderFlags(
    options,
    "generate --out data",
  );
  // Made before the long simulation, to fail early where it can't be made.
  await makeFolder(folder);
  const simulation = simulate(flags);
  using stop = listenForStop();
  await markUnfinished(folder);
  await removeDataSet(folder);
  const written: Written = { days: 0, payments: 0, ofScenario: [0] };
  await writeCustomers(folder, format, simulation.customers);
  await writeTerminals(folder, format, simulation.terminals);
  await writeDays(simulation, { folder, format, signal: stop.signal }, written);
  // An endless set ends by the signal; it is as complete as can be.
  if (written.days < simulation.days) {
    throwIfStopped(stop.signal, () => {
      return `${folder} holds ${counted(written.days, "complete day")} of ` +
        `${thousands(simulation.days)}, and is marked as unfinished`;
    });
  }
  await markFinished(folder);
  writeResult(summary(simulation, written, folder, startMs));
}

function simulate(flags: DataFlags): Simulation {
  using progress = openProgress("simulating", 100);
  return openSimulation({
    ...flags,
    onProgress: (done) => progress.update(Math.round(100 * done)),
  });
}

/** Writes day after day until the last or the signal. */
async function writeDays(
  simulation: Simulation,
  target: { folder: string; format: TableFormat; signal: AbortSignal },
  written: Written,
): Promise<void> {
  const { startSeconds } = simulation;
  const days = simulation.days > 0
    ? simulation.days
    : daysUntilEnd(startSeconds);
  using progress = openProgress("writing", simulation.days);
  for (let day = 0; day < days && !target.signal.aborted; day++) {
    const date = formatDate(startSeconds + day * DAY_SECONDS);
    const table = simulation.day(day, written.payments);
    await writeDay(target.folder, date, target.format, table, startSeconds);
    written.days++;
    written.payments += table.length;
    for (const scenario of table.scenario) {
      written.ofScenario[scenario] = (written.ofScenario[scenario] ?? 0) + 1;
    }
    progress.update(written.days, date);
  }
}

/** Days that an endless stream can have: until its times or the years run out. */
function daysUntilEnd(startSeconds: number): number {
  const lastMidnight = dateSeconds(9999, 12, 31) ?? startSeconds;
  return Math.min(DAYS_MAX, (lastMidnight - startSeconds) / DAY_SECONDS + 1);
}

function summary(
  simulation: Simulation,
  written: Written,
  folder: string,
  startMs: number,
): string {
  const { days, payments, ofScenario } = written;
  const frauds = payments - ofScenario[0];
  const scenarios = [1, 2, 3].map((scenario) => {
    return `scenario ${scenario}: ${thousands(ofScenario[scenario] ?? 0)}`;
  });
  const share = payments === 0 ? 0 : 100 * frauds / payments;
  return `${counted(payments, "payment")} of ${counted(days, "day")}, ` +
    `${counted(simulation.customers.length, "customer")}, ` +
    `${counted(simulation.terminals.length, "terminal")}\n` +
    `${counted(frauds, "fraud")} (${share.toFixed(2)} %): ` +
    `${scenarios.join(", ")}\n` +
    `${counted(days + 2, "file")} in ${folder}, ${elapsed(startMs)}\n`;
}
