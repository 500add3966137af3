/** `features`: the features of payments in files, by the operator of the stream. */
import { dirname } from "node:path";
import { type CommandDeclaration, defineCommand } from "../command.ts";
import type { FlagGroup, FlagValues } from "../flags/flag.ts";
import {
  featureCount,
  type FeatureParameters,
} from "../../features/parameters.ts";
import { FeatureBlocks } from "../../files/payment_features.ts";
import {
  openPayments,
  type PaymentSource,
} from "../../files/payment_source.ts";
import { STANDARD_STREAM } from "../../base/output_file.ts";
import { RowSorter } from "../../files/row_sorter.ts";
import { TABLE_FORMATS } from "../../files/table_encoder.ts";
import type { TableWriter } from "../../files/table_writer.ts";
import { emptyPayment } from "../../payment/payment.ts";
import {
  FEATURE_FLAGS,
  type FeatureOptions,
  readFeatureFlags,
} from "../flags/feature_flags.ts";
import {
  checkOutput,
  FeatureColumns,
  openFeatureTable,
  tableFormat,
} from "../output/feature_table.ts";
import { oneOf, readDate, requireFlag } from "../flags/flag_value.ts";
import { INPUT_FLAGS, readInputFlags } from "../flags/payment_flags.ts";
import { openProgress } from "../output/progress.ts";
import { listenForStop, throwIfStopped } from "../signals.ts";
import { skippedRows } from "../output/skipped_rows.ts";
import { counted, elapsed, writeError } from "../output/terminal.ts";

/** Flags of its own. */
const FLAGS = {
  flags: {
    in: {
      value: "<path>",
      help:
        "required: folder of day files (YYYY-MM-DD), a file, or - for stdin",
    },
    out: { value: "<file>", help: "required: file to write, or - for stdout" },
    format: {
      value: "<format>",
      help: "csv, jsonl or parquet",
      read: oneOf(TABLE_FORMATS),
      default: "by the name of --out",
    },
    ...INPUT_FLAGS.flags,
    start: {
      value: "<date>",
      help: "first day of the data",
      read: readDate,
      default: "from the first row",
    },
    force: { help: "overwrite an existing file" },
  },
} as const satisfies FlagGroup;

type FeaturesOptions = FlagValues<typeof FLAGS> & FeatureOptions;

/** Rows of one day that are put in order in memory; a longer day goes through a temporary file. */
const SORT_ROWS = 2 ** 18;

const EXAMPLES = `
Examples:
  fraudstream features --in data --out features.csv
  fraudstream features --in data --out features.parquet --windows=1,7
  fraudstream features --in payments.csv --out - --skip-bad-rows | head
  cat data/2018-04-*.jsonl |
    fraudstream features --in - --input-format=jsonl --out april.csv
`;

/** The command. */
export const FEATURES_COMMAND: CommandDeclaration = defineCommand({
  name: "features",
  summary: "compute the features of payments in files",
  description:
    "Computes the features of payments in files and writes one table with " +
    "TRANSACTION_ID and the features, day by day in order of " +
    "TRANSACTION_ID. CSV has averages and risks to 6 decimals; JSON lines " +
    "and Parquet have the full doubles. Payments count in order of " +
    "TX_DATETIME, whatever the order of the rows in a file. docs/FILES.md " +
    "lists the accepted forms of CSV, JSON lines and Parquet.",
  flags: [FLAGS, FEATURE_FLAGS],
  examples: EXAMPLES,
  run: features,
});

async function features(options: FeaturesOptions): Promise<void> {
  const startMs = performance.now();
  const parameters = readFeatureFlags(options);
  const input = requireFlag("--in", options.in, "features --in data");
  const out = requireFlag("--out", options.out, "features --out data.csv");
  const format = tableFormat("--out", out, options.format);
  const force = options.force ?? false;
  await checkOutput({ out, force, format, input });
  using stop = listenForStop();
  const { signal } = stop;
  // Beside the table, where there must be room for it.
  const sortFolder = out === STANDARD_STREAM ? undefined : dirname(out);
  const source = await openPayments({
    kind: "files",
    files: { ...readInputFlags(input, options), sortFolder },
  });
  await using writer = await openFeatureTable(out, format, parameters);
  try {
    const rows = await fillTable(
      parameters,
      new FeatureColumns(parameters, format),
      source,
      writer,
      { sortFolder, signal },
    );
    signal.throwIfAborted();
    await writer.close();
    writeError(summary(rows, source, startMs));
  } catch (error) {
    throwIfStopped(signal, () => {
      return out === STANDARD_STREAM
        ? "the rows on stdout are not all"
        : `nothing was written to ${out}`;
    });
    throw error;
  }
}

/** Computes and writes day after day; returns the number of rows. */
async function fillTable(
  parameters: FeatureParameters,
  columns: FeatureColumns,
  source: PaymentSource,
  writer: TableWriter,
  { sortFolder, signal }: {
    readonly sortFolder: string | undefined;
    readonly signal: AbortSignal;
  },
): Promise<number> {
  const blocks = new FeatureBlocks(parameters);
  const width = featureCount(parameters);
  const cells = new Float64Array(1 + width);
  using rowsOfDay = new RowSorter({
    width: cells.length,
    keys: [0],
    memoryRows: SORT_ROWS,
    folder: sortFolder,
  });
  const row = emptyPayment();
  using progress = openProgress("features", source.progress.total);
  let rows = 0;
  let currentDay = NaN;
  for await (const batch of source.batches(signal)) {
    if (batch.day !== currentDay) {
      await writeRows(rowsOfDay, columns, writer);
      currentDay = batch.day;
    }
    for (const { count, read, values } of blocks.totals(batch)) {
      for (let index = 0; index < count; index++) {
        read(index, row);
        cells[0] = row.transactionId;
        for (let at = 0; at < width; at++) {
          cells[1 + at] = values[index * width + at];
        }
        rowsOfDay.add(cells);
      }
    }
    rows += batch.length;
    progress.update(source.progress.done, counted(rows, "payment"));
  }
  await writeRows(rowsOfDay, columns, writer);
  return rows;
}

/** Writes a day's rows of TRANSACTION_ID and totals in order, and forgets them. */
async function writeRows(
  sorter: RowSorter,
  columns: FeatureColumns,
  writer: TableWriter,
): Promise<void> {
  if (sorter.length === 0) return;
  for (const { cells, count } of sorter.sorted()) {
    const width = columns.values.length;
    columns.clear(count);
    for (let at = 0; at < count * width; at += width) {
      columns.add(cells[at], cells, at + 1);
    }
    await writer.write(columns.values, count);
  }
  sorter.clear();
}

function summary(
  rows: number,
  { skipped }: PaymentSource,
  startMs: number,
): string {
  return `${counted(rows, "payment")}, ${elapsed(startMs)}\n` +
    skippedRows(skipped);
}
