/**
 * The catch-up of a stream that follows another one, beside a plain run of the
 * same payments from a file: the default simulation's payments and 14 features,
 * from the log of the followed stream to the own store. They run in turn, so
 * that both meet the same minutes of the machine; compare their processor time.
 *
 *     deno run --allow-read --allow-write --allow-run=sh bench/follow_bench.ts [--rows=N] [--runs=N]
 *
 * - plain: `run --in` with the definition of the followed stream;
 * - copy: `run --follow` with the same kept fields, so that records are copied;
 * - mapped: with another kept field, so that each record is mapped again;
 * - live: copied while payments come to the followed stream, 1,000 per second.
 *
 * Copy and mapped are also measured without processor and writer.
 */
import { join } from "node:path";
import { readFlags } from "./bench_flags.ts";
import { figure, markdownTable, print, range, tell } from "./figures.ts";
import { measureCommand, type MeasuredRun, runCommand } from "./program.ts";

const OLD = `version: 1
payment:
  TRANSACTION_ID: { from: TRANSACTION_ID, type: number }
  TX_DATETIME: TX_DATETIME
  CUSTOMER_ID: { from: CUSTOMER_ID, type: number }
  TERMINAL_ID: { from: TERMINAL_ID, type: number }
  TX_AMOUNT: TX_AMOUNT
  TX_FRAUD: TX_FRAUD
labels: { from: payment, delay: 7d }
`;

/** Keeps a field that passed through the followed stream unnamed. */
const MAPPED = OLD.replace("labels:", "  keep: { kind: text }\nlabels:");

/** Payments that come to the followed stream per second while it runs. */
const LIVE_RATE = 1000;
/** For how much of the time of a plain run the followed stream runs before that, and the other one then catches up. */
const LIVE_SHARE = 0.75;
/** How much longer payments come, seconds: the programs start at once. */
const LIVE_MORE_SECONDS = 10;

/** The kinds of run. */
const KINDS = [
  "plain",
  "copy",
  "mapped",
  "copy alone",
  "mapped alone",
] as const;

/** The first `rows` payments of the default simulation and a field more, as CSV. */
async function writePayments(folder: string, rows: number): Promise<void> {
  const days = join(folder, "days");
  // The default set has some 9,590 payments per day.
  await runCommand([
    "generate",
    `--days=${Math.ceil(rows / 9500)}`,
    `--out=${days}`,
  ]);
  const names = [...Deno.readDirSync(days)].map(({ name }) => name)
    .filter((name) => /^\d.*\.csv$/.test(name)).sort();
  using file = await Deno.open(join(folder, "payments.csv"), {
    write: true,
    create: true,
  });
  const writer = file.writable.getWriter();
  let left = rows;
  for (const [at, name] of names.entries()) {
    const text = await Deno.readTextFile(join(days, name));
    const [header, ...lines] = text.trimEnd().split("\n");
    const taken = lines.slice(0, left);
    left -= taken.length;
    const kept = taken.map((line, row) => `${line},kind ${row % 7}\n`).join("");
    const named = at === 0 ? `${header},kind\n${kept}` : kept;
    await writer.write(new TextEncoder().encode(named));
  }
  await writer.close();
  await Deno.remove(days, { recursive: true });
}

/** The arguments of a kind of run in a folder. */
function argumentsOf(kind: string, folder: string): string[] {
  const name = kind.split(" ")[0];
  const definition = name === "mapped" ? "mapped.yaml" : "old.yaml";
  const source = name === "plain"
    ? [`--in=${join(folder, "payments.csv")}`, "--rate=max"]
    : [`--follow=${join(folder, "old")}`];
  return [
    "run",
    ...kind.endsWith("alone") ? ["--role=producer"] : ["--no-model"],
    `--definition=${join(folder, definition)}`,
    ...source,
    `--data=${join(folder, "data")}`,
  ];
}

/** Runs a kind into a new data folder. */
async function measure(kind: string, folder: string): Promise<MeasuredRun> {
  const run = await measureCommand(argumentsOf(kind, folder));
  await Deno.remove(join(folder, "data"), { recursive: true });
  return run;
}

const STORED = /stored in ([\d.,]+) s/;

/** The payments per second that a summary says. */
function rateOf(kind: string, rows: number, { stdout }: MeasuredRun): number {
  const what = kind.endsWith("alone") ? /followed in ([\d.,]+) s/ : STORED;
  const seconds = what.exec(stdout)?.[1];
  if (seconds === undefined) throw new Error(`no rate: ${stdout}`);
  return rows / Number(seconds.replaceAll(",", ""));
}

/**
 * Catches up with a stream while payments come to it, for some seconds; returns
 * the payments per second. `plainSeconds` is the time of a plain run.
 */
async function measureLive(
  folder: string,
  plainSeconds: number,
): Promise<number> {
  const live = join(folder, "live");
  const definition = `--definition=${join(folder, "old.yaml")}`;
  const source = `--in=${join(folder, "payments.csv")}`;
  const old = ["run", "--no-model", definition, source, `--data=${live}`];
  // Most of the payments come first, the others while it is followed.
  const seconds = LIVE_SHARE * plainSeconds;
  await runCommand([...old, "--rate=max"], seconds);
  const running = runCommand(
    [...old, `--rate=${LIVE_RATE}`],
    seconds + LIVE_MORE_SECONDS,
  );
  const data = join(folder, "data");
  const { stdout } = await runCommand(
    ["run", "--no-model", definition, `--follow=${live}`, `--data=${data}`],
    seconds,
  );
  await running;
  await Deno.remove(live, { recursive: true });
  await Deno.remove(data, { recursive: true });
  // On a busy machine nothing may be stored by then.
  const rate = /stored in [\d.,]+ s, ([\d,]+) per second/.exec(stdout)?.[1];
  return Number((rate ?? "0").replaceAll(",", ""));
}

async function main(): Promise<void> {
  const { rows, runs } = readFlags({ rows: 1_000_000, runs: 3 });
  const folder = await Deno.makeTempDir({ prefix: "fraudstream-bench-" });
  const measured = new Map<string, MeasuredRun[]>();
  const live: number[] = [];
  try {
    tell(`writing ${figure(rows)} payments`);
    await writePayments(folder, rows);
    await Deno.writeTextFile(join(folder, "old.yaml"), OLD);
    await Deno.writeTextFile(join(folder, "mapped.yaml"), MAPPED);
    await runCommand([
      ...["run", "--role=producer", `--definition=${join(folder, "old.yaml")}`],
      ...[`--in=${join(folder, "payments.csv")}`, "--rate=max"],
      `--data=${join(folder, "old")}`,
    ]);
    for (let run = 0; run < runs; run++) {
      for (const kind of KINDS) {
        tell(`${kind}, run ${run + 1} of ${runs}`);
        const known = measured.get(kind) ?? [];
        measured.set(kind, [...known, await measure(kind, folder)]);
      }
      tell(`live, run ${run + 1} of ${runs}`);
      const plain = measured.get("plain")?.at(-1)?.seconds ?? 0;
      live.push(await measureLive(folder, plain));
    }
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
  const table = [["run", "payments/s", "CPU s", "peak MiB"]];
  for (const [kind, all] of measured) {
    const of = (value: (run: MeasuredRun) => number, digits = 0) =>
      range(all.map(value), (number) => figure(number, digits));
    table.push([
      kind,
      of((run) => rateOf(kind, rows, run)),
      of(({ processorSeconds }) => processorSeconds, 1),
      of(({ peakMiB }) => peakMiB),
    ]);
  }
  table.push(["live", range(live, (rate) => figure(rate)), "", ""]);
  print(markdownTable(table));
}

if (import.meta.main) await main();
