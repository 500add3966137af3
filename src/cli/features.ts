/** `features`: the features of payments in files, by the operator of the stream. */
import type { Command } from "commander";
import { ConfigError } from "../error/error.ts";
import { FeatureOperator } from "../features/feature_operator.ts";
import {
  featureCount,
  featureNames,
  type FeatureParameters,
  totalsToCanonical,
  totalsToValues,
} from "../features/parameters.ts";
import { DayReader } from "../files/day_reader.ts";
import { formatOfName } from "../files/day_source.ts";
import { fileError } from "../files/file_error.ts";
import { STANDARD_STREAM } from "../files/output_file.ts";
import {
  TABLE_FORMATS,
  type TableColumn,
  type TableFormat,
} from "../files/table_encoder.ts";
import { TableWriter } from "../files/table_writer.ts";
import type { TransactionDay } from "../files/transaction_day.ts";
import { emptyTransaction } from "../transaction/transaction.ts";
import {
  addFeatureFlags,
  type FeatureOptions,
  readFeatureFlags,
} from "./feature_flags.ts";
import { dateFlag, oneOf, requireFlag } from "./flag_value.ts";
import { openProgress } from "./progress.ts";
import { listenForStop, throwIfStopped } from "./signals.ts";
import { counted, elapsed, thousands, writeError } from "./terminal.ts";

interface FeaturesOptions extends FeatureOptions {
  readonly in?: string;
  readonly out?: string;
  readonly format?: TableFormat;
  readonly inputFormat?: TableFormat;
  readonly start?: number;
  readonly skipBadRows?: boolean;
  readonly force?: boolean;
}

const EXAMPLES = `
Examples:
  fraudstream features --in data --out features.csv
  fraudstream features --in data --out features.parquet --windows=1,7
  fraudstream features --in payments.csv --out - --skip-bad-rows | head
  cat data/2018-04-*.jsonl |
    fraudstream features --in - --input-format=jsonl --out april.csv
`;

/** Adds the command to the program. */
export function addFeaturesCommand(program: Command): void {
  const command = program.command("features")
    .summary("compute the features of payments in files")
    .description(
      "Computes the features of payments in files and writes one table: " +
        "TRANSACTION_ID and the features. CSV has averages and risks to 6 " +
        "decimals, JSON lines and Parquet the full doubles.",
    )
    .option(
      "--in <path>",
      "needed: folder of day files (YYYY-MM-DD), a file, or - for stdin",
    )
    .option("--out <file>", "needed: file to write, or - for stdout")
    .option(
      "--format <format>",
      "csv, jsonl or parquet (default: by the name of --out, else csv)",
      oneOf("--format", TABLE_FORMATS),
    )
    .option(
      "--input-format <format>",
      "csv, jsonl or parquet (default: by the name of --in, else csv)",
      oneOf("--input-format", TABLE_FORMATS),
    )
    .option(
      "--start <date>",
      "first day of the data (default: as the first row says)",
      dateFlag("--start"),
    )
    .option(
      "--skip-bad-rows",
      "leave out and count rows that can't be used; overlook a byte order " +
        "mark and CR LF line ends",
    )
    .option("--force", "overwrite the file that is there");
  addFeatureFlags(command);
  command.addHelpText("after", EXAMPLES)
    .action((options: FeaturesOptions) => features(options));
}

async function features(options: FeaturesOptions): Promise<void> {
  const startMs = performance.now();
  const parameters = readFeatureFlags(options);
  const input = requireFlag("--in", options.in, "features --in data");
  const out = requireFlag("--out", options.out, "features --out data.csv");
  const format = options.format ?? formatOfName(out) ?? "csv";
  await checkOut(out, format, options.force ?? false);
  using stop = listenForStop();
  const { signal } = stop;
  const reader = await DayReader.open(input, {
    startSeconds: options.start,
    skipBadRows: options.skipBadRows ?? false,
    inputFormat: options.inputFormat,
    signal,
  });
  const columns = tableColumns(parameters);
  await using writer = await TableWriter.open(out, format, columns);
  const table = new FeatureTable(parameters, format);
  try {
    const rows = await fillTable(table, reader, writer);
    signal.throwIfAborted();
    await writer.close();
    writeError(summary(rows, reader, startMs));
  } catch (error) {
    throwIfStopped(signal, () => `nothing was written to ${out}`);
    throw error;
  }
}

/** Computes and writes day after day; returns the number of rows. */
async function fillTable(
  table: FeatureTable,
  reader: DayReader,
  writer: TableWriter,
): Promise<number> {
  const files = reader.sources.length;
  using progress = openProgress("features", files > 1 ? files : 0);
  let rows = 0;
  for await (const day of reader.days()) {
    table.compute(day);
    await writer.write(table.values, day.length);
    rows += day.length;
    progress.update(reader.sourcesRead, counted(rows, "payment"));
  }
  return rows;
}

/** The columns of the table, computed day after day in the same memory. */
class FeatureTable {
  /** One column for TRANSACTION_ID and for each feature, of the last day computed. */
  values: Float64Array[];
  readonly #operator: FeatureOperator;
  readonly #windows: number;
  readonly #finish: typeof totalsToValues;
  readonly #row = emptyTransaction();
  readonly #totals: Float64Array;
  readonly #features: Float64Array;

  constructor(parameters: FeatureParameters, format: TableFormat) {
    const count = featureCount(parameters);
    this.#operator = new FeatureOperator(parameters);
    this.#windows = parameters.windowDays.length;
    this.#finish = format === "csv" ? totalsToCanonical : totalsToValues;
    this.#totals = new Float64Array(count);
    this.#features = new Float64Array(count);
    this.values = Array.from({ length: 1 + count }, () => new Float64Array());
  }

  compute(day: TransactionDay): void {
    if (day.length > this.values[0].length) {
      const room = 2 * day.length;
      this.values = this.values.map(() => new Float64Array(room));
    }
    for (let index = 0; index < day.length; index++) {
      day.read(index, this.#row);
      this.#operator.process(this.#row, this.#totals);
      this.#finish(this.#totals, this.#windows, this.#features);
      this.values[0][index] = this.#row.transactionId;
      for (let at = 0; at < this.#features.length; at++) {
        this.values[1 + at][index] = this.#features[at];
      }
    }
  }
}

function tableColumns(parameters: FeatureParameters): TableColumn[] {
  const whole = /_NB_TX_|^TX_DURING_/;
  const columns = featureNames(parameters).map((name): TableColumn => {
    return { name, kind: whole.test(name) ? "int32" : "double" };
  });
  return [{ name: "TRANSACTION_ID", kind: "int64" }, ...columns];
}

async function checkOut(
  out: string,
  format: TableFormat,
  force: boolean,
): Promise<void> {
  if (out === STANDARD_STREAM) {
    if (format === "parquet" && Deno.stdout.isTerminal()) {
      throw new ConfigError(
        "--format=parquet is not for a terminal; send it to a file with --out",
      );
    }
    return;
  }
  let info: Deno.FileInfo;
  try {
    info = await Deno.stat(out);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw fileError(error, "write", out);
  }
  if (info.isDirectory) {
    throw new ConfigError(`--out=${out} is a folder; name a file in it`);
  }
  if (force) return;
  throw new ConfigError(
    `--out=${out} exists; choose another name, or overwrite it with --force`,
  );
}

function summary(rows: number, reader: DayReader, startMs: number): string {
  const lines = [`${counted(rows, "payment")}, ${elapsed(startMs)}`];
  let skipped = 0;
  for (const count of reader.skippedRows.values()) skipped += count;
  if (skipped > 0) {
    const reasons = [...reader.skippedRows].map(([reason, count]) => {
      return `${reason}: ${thousands(count)}`;
    });
    lines.push(`skipped ${counted(skipped, "bad row")}; ${reasons.join(", ")}`);
  }
  for (const [oddity, files] of reader.oddities) {
    lines.push(`overlooked in ${counted(files, "file")}: ${oddity}`);
  }
  return lines.join("\n") + "\n";
}
