/**
 * The 14 features of the handbook's default data set, and those of the extended
 * set, from rows in memory on one thread; the handbook's beside Polars and DuckDB where Python is at hand.
 *
 *   deno run --allow-env=PYTHON --allow-run --allow-read --allow-write \
 *     bench/features_bench.ts [--peer] [--runs=N]
 *
 * --peer runs bench/peers/features_{polars,duckdb,pandas}.py on one thread
 * with the Python of the variable PYTHON (default python3), which needs the
 * packages polars, duckdb, pandas and pyarrow.
 */
import { FeatureOperator } from "../src/features/feature_operator.ts";
import {
  featureCount,
  type FeatureParameters,
  HANDBOOK_FEATURES,
  totalsLayout,
  totalsToValues,
  wholeFeatures,
} from "../src/features/parameters.ts";
import { SlidingWindows } from "../src/features/sliding_windows.ts";
import { simulateHandbook } from "../src/simulator/handbook.ts";
import { HANDBOOK_PARAMETERS } from "../src/simulator/parameters.ts";
import {
  emptyPayment,
  type PaymentTable,
  readTableRow,
} from "../src/payment/payment.ts";
import { readFlags } from "./bench_flags.ts";
import { print } from "./figures.ts";

const SECONDS_MIN = 1e-3;

/** Rows computed at once, as `fraudstream features` does. */
const BLOCK_ROWS = 4096;

/** Computes all rows' features into one column each; seconds taken. */
function run(
  table: PaymentTable,
  startSeconds: number,
  parameters: FeatureParameters,
): number {
  const began = performance.now();
  const operator = new FeatureOperator(parameters);
  const width = featureCount(parameters);
  const layout = totalsLayout(parameters);
  const columns = wholeFeatures(parameters).map((whole, at) => {
    if (at < 2) return new Uint8Array(table.length);
    return new (whole ? Int32Array : Float64Array)(table.length);
  });
  const totals = new Float64Array(BLOCK_ROWS * width);
  const values = new Float64Array(width);
  for (let from = 0; from < table.length; from += BLOCK_ROWS) {
    const length = Math.min(BLOCK_ROWS, table.length - from);
    operator.processBlock(
      length,
      {
        read: (index, row) =>
          readTableRow(table, from + index, startSeconds, row),
      },
      totals,
    );
    for (let index = 0; index < length; index++) {
      totalsToValues(totals, layout, values, index * width);
      for (let at = 0; at < width; at++) columns[at][from + index] = values[at];
    }
  }
  return Math.max(SECONDS_MIN, (performance.now() - began) / 1000);
}

/** Runs a peer; the seconds that it prints last, or undefined if it cannot run. */
async function peer(name: string, input: string): Promise<number | undefined> {
  const python = Deno.env.get("PYTHON") ?? "python3";
  const script = new URL(`./peers/features_${name}.py`, import.meta.url);
  const { success, stdout, stderr } = await new Deno.Command(python, {
    args: [script.pathname, input],
    env: { POLARS_MAX_THREADS: "1" },
  }).output();
  if (!success) {
    const why = new TextDecoder().decode(stderr).trim().split("\n").pop();
    print(`${name.padEnd(8)} not measured: ${why}`);
    return undefined;
  }
  return Number(new TextDecoder().decode(stdout).trim().split("\n").pop());
}

/** Seconds that the windows of one terminal take whose payments come from two partitions that drift apart. */
function busyTerminal(rows: number): number {
  const day = 86_400;
  const windows = new SlidingWindows({
    columns: ["flag"],
    groups: [{
      lagSeconds: 7 * day,
      windowSeconds: [day, 7 * day, 30 * day],
      sum: "flag",
    }],
    slackSeconds: 7 * day,
    hasHint: false,
  });
  const out = new Float64Array(6);
  const began = performance.now();
  for (let row = 0; row < rows; row++) {
    const time = Math.floor(row / rows * 10 * day);
    const behind = row % 20_000 < 10_000 ? 0 : 5 * day;
    windows.add(1, Math.max(0, time - behind), row & 1, 0, time);
    windows.write(0, out, 0);
  }
  return (performance.now() - began) / 1000;
}

async function main(): Promise<void> {
  const { runs, peer: withPeer } = readFlags({ runs: 5, peer: false });
  const { table, startSeconds } = simulateHandbook(HANDBOOK_PARAMETERS);
  const medianOf = (parameters: FeatureParameters) => {
    run(table, startSeconds, parameters); // warms up
    const once = () => run(table, startSeconds, parameters);
    const seconds = Array.from({ length: runs }, once).sort((a, b) => a - b);
    const median = seconds[seconds.length >> 1];
    print(
      `ours     ${parameters.set} set, ${table.length} rows, one thread, ` +
        `${runs} runs: min ${seconds[0].toFixed(2)} s, median ` +
        `${median.toFixed(2)} s, max ${seconds[runs - 1].toFixed(2)} s`,
    );
    return median;
  };
  const median = medianOf(HANDBOOK_FEATURES);
  medianOf({ ...HANDBOOK_FEATURES, set: "extended" });
  for (const rows of [250_000, 500_000, 1_000_000]) {
    print(
      `ours     one terminal, ${rows} rows of 10 days, one half 5 days behind ` +
        `the other: ${busyTerminal(rows).toFixed(2)} s`,
    );
  }
  if (!withPeer) return;
  const input = await Deno.makeTempFile({ suffix: ".csv" });
  await writeCsv(input, table, startSeconds);
  for (const name of ["polars", "duckdb", "pandas"]) {
    const took = await peer(name, input);
    if (took === undefined) continue;
    print(
      `${name.padEnd(8)} one thread: ${took.toFixed(2)} s, ` +
        `${(took / median).toFixed(1)} times ours`,
    );
  }
  await Deno.remove(input);
}

async function writeCsv(
  path: string,
  table: PaymentTable,
  startSeconds: number,
): Promise<void> {
  using file = await Deno.open(path, { write: true, truncate: true });
  const encoder = new TextEncoder();
  let text = "TRANSACTION_ID,TX_EPOCH,CUSTOMER_ID,TERMINAL_ID,TX_AMOUNT," +
    "TX_TIME_SECONDS,TX_FRAUD\n";
  const row = emptyPayment();
  for (let index = 0; index < table.length; index++) {
    readTableRow(table, index, startSeconds, row);
    text += `${row.transactionId},${row.datetimeSeconds},${row.customerId},` +
      `${row.terminalId},${row.amount},${row.timeSeconds},${row.fraud}\n`;
    if (text.length < 1 << 20 && index < table.length - 1) continue;
    const bytes = encoder.encode(text);
    for (let at = 0; at < bytes.length;) {
      at += await file.write(bytes.subarray(at));
    }
    text = "";
  }
}

if (import.meta.main) await main();
