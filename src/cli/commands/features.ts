/** `features`: the features of payments in files, by the operator of the stream. */
import { type CommandDeclaration, defineCommand } from "../command.ts";
import type { FlagGroup, FlagValues } from "../flags/flag.ts";
import {
  featureCount,
  type FeatureParameters,
} from "../../features/parameters.ts";
import { FeatureBlocks } from "../../files/payment_features.ts";
import type { PaymentSource } from "../../files/payment_source.ts";
import { RowSorter } from "../../files/row_sorter.ts";
import type { TableWriter } from "../../files/table_writer.ts";
import { emptyPayment } from "../../payment/payment.ts";
import { PAYMENT_CELLS, toCells } from "../../payment/payment_cells.ts";
import { DEFINITION_FLAGS } from "../flags/definition_flags.ts";
import { FEATURE_FLAGS, type FeatureOptions } from "../flags/feature_flags.ts";
import { partsOf, PaymentTable } from "../output/payment_table.ts";
import { checkOutput, tableFormat } from "../output/table_output.ts";
import { requireFlag, someOf } from "../flags/flag_value.ts";
import {
  featuresOfPayments,
  INPUT_FLAGS,
  readFileFlags,
} from "../flags/payment_flags.ts";
import { openProgress } from "../output/progress.ts";
import { listenForStop } from "../signals.ts";
import { skippedRows } from "../output/skipped_rows.ts";
import { elapsed, writeError } from "../output/terminal.ts";
import { counted } from "../../base/counted.ts";
import {
  openInput,
  TABLE_FLAGS,
  throwIfTableStopped,
} from "./files_to_table.ts";

/** The flags of this command alone. */
const FLAGS = {
  flags: {
    in: TABLE_FLAGS.in,
    out: TABLE_FLAGS.out,
    format: TABLE_FLAGS.format,
    with: {
      value: "<list>",
      help: "also write the payment's fields and its label: payment,label",
      read: someOf(["payment", "label"]),
    },
    ...DEFINITION_FLAGS.flags,
    ...INPUT_FLAGS.flags,
    start: TABLE_FLAGS.start,
    force: TABLE_FLAGS.force,
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
  ./fraudstream features --in fraudTrain.csv --definition=sparkov --out f.csv
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
    "TRANSACTION_ID; with --definition in order of TX_DATETIME, and of the " +
    "rows where times are equal. CSV has averages and risks to 6 decimals; JSON lines " +
    "and Parquet have the full doubles, and times as timestamps in UTC. " +
    "Payments count in order of TX_DATETIME, whatever the order of the rows in a file. docs/FILES.md " +
    "lists the accepted forms of CSV, JSON lines and Parquet.",
  flags: [FLAGS, FEATURE_FLAGS],
  examples: EXAMPLES,
  run: features,
});

async function features(options: FeaturesOptions): Promise<void> {
  const startMs = performance.now();
  const input = requireFlag("--in", options.in, "features --in data");
  const out = requireFlag("--out", options.out, "features --out data.csv");
  const format = tableFormat("--out", out, options.format);
  const choice = readFileFlags(input, options);
  const parameters = featuresOfPayments(choice, options);
  const force = options.force ?? false;
  await checkOutput({ out, force, format, input });
  using stop = listenForStop();
  const { signal } = stop;
  const { source, sortFolder } = await openInput(choice, out);
  const parts = (options.with ?? []).flatMap(partsOf);
  const table = new PaymentTable({
    parts: [
      "features",
      ...parts.filter((part) => source.isLabelled || part !== "label"),
    ],
    features: parameters,
    shape: source.shape,
    format,
  });
  await using writer = await table.open(out, format);
  try {
    const pass = { parameters, table, source, writer, signal };
    const rows = choice.kind === "raw"
      ? await fillInOrder(pass)
      : await fillSorted(pass, sortFolder);
    signal.throwIfAborted();
    await writer.close();
    writeError(summary(rows, source, startMs));
  } catch (error) {
    throwIfTableStopped(signal, out);
    throw error;
  }
}

/** What one pass over the payments works with. */
interface Pass {
  readonly parameters: FeatureParameters;
  readonly table: PaymentTable;
  readonly source: PaymentSource;
  readonly writer: TableWriter;
  readonly signal: AbortSignal;
}

/** Computes and writes payments of any shape in the order of the source; returns the number of rows. */
async function fillInOrder(
  { parameters, table, source, writer, signal }: Pass,
): Promise<number> {
  const { shape } = source;
  const blocks = new FeatureBlocks(parameters, shape);
  const keptAt = PAYMENT_CELLS + featureCount(parameters);
  const cells = new Float64Array(keptAt + shape.kept.length);
  const row = emptyPayment();
  using progress = openProgress("features", 0);
  const reading = (rows: number) =>
    progress.update(0, `${counted(rows, "row")} read`);
  let rows = 0;
  for await (const batch of source.batches(signal, reading)) {
    for (const block of blocks.totals(batch)) {
      const { count, values, width, texts } = block;
      table.clear(count);
      for (let index = 0; index < count; index++) {
        block.read(index, row);
        toCells(row, cells, 0);
        block.readKept(index, cells, keptAt);
        table.add(cells, 0, values, index * width, texts);
      }
      await table.write(writer);
    }
    rows += batch.length;
    progress.update(0, counted(rows, "payment"));
  }
  return rows;
}

/** Computes and writes the handbook's payments day after day, sorted by TRANSACTION_ID; returns the number of rows. */
async function fillSorted(
  { parameters, table, source, writer, signal }: Pass,
  sortFolder: string | undefined,
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
