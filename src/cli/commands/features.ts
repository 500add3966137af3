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
import { toCells } from "../../payment/payment_cells.ts";
import {
  FEATURE_FLAGS,
  type FeatureOptions,
  readFeatureFlags,
} from "../flags/feature_flags.ts";
import { partsOf, PaymentTable } from "../output/payment_table.ts";
import { checkOutput, tableFormat } from "../output/table_output.ts";
import { oneOf, readDate, requireFlag, someOf } from "../flags/flag_value.ts";
import { INPUT_FLAGS, readInputFlags } from "../flags/payment_flags.ts";
import { openProgress } from "../output/progress.ts";
import { listenForStop, throwIfStopped } from "../signals.ts";
import { skippedRows } from "../output/skipped_rows.ts";
import { counted, elapsed, writeError } from "../output/terminal.ts";

/** The flags of this command alone. */
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
    with: {
      value: "<list>",
      help: "also write the payment's fields and its label: payment,label",
      read: someOf(["payment", "label"]),
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
  ./fraudstream features --in data --out features.csv
  ./fraudstream features --in data --out features.parquet --windows=1,7
  ./fraudstream features --in data --out notebook.parquet --with=payment,label
  ./fraudstream features --in payments.csv --out - --skip-bad-rows | head
  cat data/2018-04-*.jsonl |
    ./fraudstream features --in - --input-format=jsonl --out april.csv
`;

/** The command. */
export const FEATURES_COMMAND: CommandDeclaration = defineCommand({
  name: "features",
  summary: "compute the features of payments in files",
  description:
    "Computes the features of payments in files and writes one table with " +
    "TRANSACTION_ID and the features, day by day in order of " +
    "TRANSACTION_ID. CSV has averages and risks to 6 decimals; JSON lines " +
    "and Parquet have the full doubles, and times as timestamps in UTC. " +
    "Payments count in order of TX_DATETIME, whatever the order of the rows in a file. docs/FILES.md " +
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
  const table = new PaymentTable({
    parts: ["features", ...(options.with ?? []).flatMap(partsOf)],
    features: parameters,
    format,
  });
  await using writer = await table.open(out, format);
  try {
    const rows = await fillTable(parameters, table, source, writer, {
      sortFolder,
      signal,
    });
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
  table: PaymentTable,
  source: PaymentSource,
  writer: TableWriter,
  { sortFolder, signal }: {
    readonly sortFolder: string | undefined;
    readonly signal: AbortSignal;
  },
): Promise<number> {
  const blocks = new FeatureBlocks(parameters);
  const width = featureCount(parameters);
  // The totals follow the fields of the payment that the table has.
  const head = table.paymentCells;
  const cells = new Float64Array(head + width);
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
      await writeRows(rowsOfDay, table, writer);
      currentDay = batch.day;
    }
    for (const { count, read, values } of blocks.totals(batch)) {
      for (let index = 0; index < count; index++) {
        read(index, row);
        if (head === 1) cells[0] = row.transactionId;
        else toCells(row, cells, 0);
        for (let at = 0; at < width; at++) {
          cells[head + at] = values[index * width + at];
        }
        rowsOfDay.add(cells);
      }
    }
    rows += batch.length;
    progress.update(source.progress.done, counted(rows, "payment"));
  }
  await writeRows(rowsOfDay, table, writer);
  return rows;
}

/** Writes a day's rows in order of TRANSACTION_ID, and forgets them. */
async function writeRows(
  sorter: RowSorter,
  table: PaymentTable,
  writer: TableWriter,
): Promise<void> {
  if (sorter.length === 0) return;
  for (const { cells, count } of sorter.sorted()) {
    const width = sorter.width;
    table.clear(count);
    for (let at = 0; at < count * width; at += width) {
      table.add(cells, at, cells, at + table.paymentCells);
    }
    await table.write(writer);
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
