/** `fraudstream export`: the stored features or predictions as a file, ascending TRANSACTION_ID. */
import { type CommandDeclaration, defineCommand } from "../command.ts";
import type { FlagGroup, FlagValues } from "../flags/flag.ts";
import { PAYMENT_CELLS } from "../../payment/payment_cells.ts";
import {
  featureCount,
  type FeatureParameters,
  totalsLayout,
  valuesToTotals,
} from "../../features/parameters.ts";
import { TABLE_FORMATS, type TableFormat } from "../../files/table_encoder.ts";
import type { TableWriter } from "../../files/table_writer.ts";
import type { Store } from "../../store/store.ts";
import {
  CONNECTION_FLAGS,
  type ConnectionOptions,
  readConnection,
} from "../flags/connection_flags.ts";
import {
  checkOutput,
  FeatureColumns,
  openFeatureTable,
  tableFormat,
} from "../output/feature_table.ts";
import { BAD_ROWS_FLAGS, BadRows } from "../output/bad_rows.ts";
import { oneOf, requireFlag } from "../flags/flag_value.ts";
import {
  fillPredictionTable,
  openPredictionTable,
} from "../output/prediction_table.ts";
import { requireAllStored, requireStoredRows } from "./stored_rows.ts";
import { openProgress } from "../output/progress.ts";
import { listenForStop, throwIfStopped } from "../signals.ts";
import { openStoredStream } from "../../stream/stored_stream.ts";
import { warnings } from "../output/warnings.ts";
import { counted, elapsed, writeError } from "../output/terminal.ts";

/** The flags of this command alone. */
const FLAGS = {
  flags: {
    out: { value: "<file>", help: "required: file to write, or - for stdout" },
    format: {
      value: "<format>",
      help: "csv, jsonl or parquet",
      read: oneOf(TABLE_FORMATS),
      default: "by the name of --out",
    },
    force: { help: "overwrite an existing file" },
    table: {
      value: "<name>",
      help: "features or predictions",
      read: oneOf(["features", "predictions"]),
      default: "features",
      fallback: "features",
    },
  },
} as const satisfies FlagGroup;

type ExportOptions =
  & FlagValues<typeof FLAGS>
  & FlagValues<typeof BAD_ROWS_FLAGS>
  & ConnectionOptions;

const EXAMPLES = `
Examples:
  fraudstream export --out features.csv
  fraudstream export --data=./shop --out features.parquet
  fraudstream export --out - | head
  fraudstream export --table=predictions --out predictions.parquet
`;

/** The command. */
export const EXPORT_COMMAND: CommandDeclaration = defineCommand({
  name: "export",
  summary: "write the stored features or predictions to a file",
  description:
    "Writes the stored features, or the predictions of a scored stream, as " +
    "one table in order of TRANSACTION_ID. The features are the same rows " +
    "that 'features' computes from files, and the same bytes if ids ascend " +
    "with time.",
  flags: [FLAGS, BAD_ROWS_FLAGS, ...CONNECTION_FLAGS],
  examples: EXAMPLES,
  run: exportFeatures,
});

async function exportFeatures(options: ExportOptions): Promise<void> {
  const startMs = performance.now();
  const out = requireFlag("--out", options.out, "export --out features.csv");
  const format = tableFormat("--out", out, options.format);
  await checkOutput({ out, force: options.force ?? false, format });
  const connection = readConnection(options);
  const report = warnings("export");
  await using stream = await openStoredStream(connection, report);
  const { store, features } = await requireStoredRows(
    connection,
    stream,
    report,
  );
  await using _closed = store;
  using stop = listenForStop();
  const scored = options.table === "predictions";
  await using writer = scored
    ? await openPredictionTable(out, format)
    : await openFeatureTable(out, format, features);
  const badRows = new BadRows(options.skipBadRows ?? false);
  const pass = { store, writer, badRows, signal: stop.signal };
  const rows = scored
    ? await fillPredictions(pass)
    : await fillTable(pass, features, format);
  await writer.close();
  const what = scored ? "prediction" : "payment";
  writeError(`${counted(rows, what)}, ${elapsed(startMs)}\n`);
  badRows.tell();
  // The table holds what the store holds; that may not be what it should.
  if (options.skipBadRows) return; // what is left out has been named
  await requireAllStored(connection, stream, store);
}

/** What one pass over the store works with. */
interface Pass {
  readonly store: Store;
  readonly writer: TableWriter;
  readonly badRows: BadRows;
  readonly signal: AbortSignal;
}

/** Writes all predictions; returns their number. */
async function fillPredictions(
  { store, writer, badRows, signal }: Pass,
): Promise<number> {
  using progress = openProgress("export", 0);
  const rows = store.predictions().rows(signal, badRows.handle);
  return await fillPredictionTable(rows, writer, (count) => {
    throwIfStopped(signal, () => "nothing was written");
    progress.update(0, counted(count, "prediction"));
  });
}

/** Writes all rows; returns their number. */
async function fillTable(
  { store, writer, badRows, signal }: Pass,
  features: FeatureParameters,
  format: TableFormat,
): Promise<number> {
  const columns = new FeatureColumns(features, format);
  const width = PAYMENT_CELLS + featureCount(features);
  const totals = new Float64Array(featureCount(features));
  const layout = totalsLayout(features);
  using progress = openProgress("export", 0);
  let rows = 0;
  for await (const { cells, count } of store.rows(signal, badRows.handle)) {
    throwIfStopped(signal, () => "nothing was written");
    columns.clear(count);
    for (let at = 0; at < count * width; at += width) {
      const values = cells.subarray(at + PAYMENT_CELLS, at + width);
      valuesToTotals(values, layout, totals);
      columns.add(cells[at], totals);
    }
    await writer.write(columns.values, count);
    rows += count;
    progress.update(0, counted(rows, "payment"));
  }
  return rows;
}
