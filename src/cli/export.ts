/** `fraudstream export`: the stored features as a file, ascending TRANSACTION_ID. */
import type { Command } from "commander";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { DataError } from "../error/error.ts";
import { TRANSACTION_CELLS } from "../features/feature_row.ts";
import {
  featureCount,
  type FeatureParameters,
  valuesToTotals,
} from "../features/parameters.ts";
import { formatOfName } from "../files/day_source.ts";
import { TABLE_FORMATS, type TableFormat } from "../files/table_encoder.ts";
import { EmbeddedStore } from "../store/embedded.ts";
import type { Store } from "../store/store.ts";
import {
  checkOutput,
  FeatureColumns,
  openFeatureTable,
} from "./feature_table.ts";
import { oneOf, requireFlag } from "./flag_value.ts";
import { openProgress } from "./progress.ts";
import { listenForStop, throwIfStopped } from "./signals.ts";
import {
  addFolderFlag,
  folderParameters,
  openFolderLog,
} from "./stream_flags.ts";
import { counted, elapsed, writeError } from "./terminal.ts";

interface ExportOptions {
  readonly data: string;
  readonly out?: string;
  readonly format?: TableFormat;
  readonly force?: boolean;
}

const EXAMPLES = `
Examples:
  fraudstream export --out features.csv
  fraudstream export --data=./shop --out features.parquet
  fraudstream export --out - | head
`;

/**
 * Adds the command to the program.
 *
 * @internal
 */
export function addExportCommand(program: Command): void {
  const command = program.command("export")
    .summary("write the stored features to a file")
    .description(
      "Writes the stored features as one table, ascending TRANSACTION_ID: " +
        "the same bytes that 'features' gives for the same payments in files.",
    )
    .option("--out <file>", "needed: file to write, or - for stdout")
    .option(
      "--format <format>",
      "csv, jsonl or parquet (default: by the name of --out, else csv)",
      oneOf("--format", TABLE_FORMATS),
    )
    .option("--force", "overwrite the file that is there");
  addFolderFlag(command);
  command.addHelpText("after", EXAMPLES)
    .action((options: ExportOptions) => exportFeatures(options));
}

async function exportFeatures(options: ExportOptions): Promise<void> {
  const startMs = performance.now();
  const { data } = options;
  const out = requireFlag("--out", options.out, "export --out features.csv");
  const format = options.format ?? formatOfName(out) ?? "csv";
  await checkOutput({ out, force: options.force ?? false, format });
  const { features, store } = await openStore(data);
  await using _closed = store;
  using stop = listenForStop();
  await using writer = await openFeatureTable(out, format, features);
  const columns = new FeatureColumns(features, format);
  const width = TRANSACTION_CELLS + featureCount(features);
  const totals = new Float64Array(featureCount(features));
  const windows = features.windowDays.length;
  let rows = 0;
  using progress = openProgress("export", 0);
  for await (const { cells, count } of store.rows()) {
    throwIfStopped(stop.signal, () => "nothing was written");
    columns.clear(count);
    for (let at = 0; at < count * width; at += width) {
      const values = cells.subarray(at + TRANSACTION_CELLS, at + width);
      valuesToTotals(values, windows, totals);
      columns.add(cells[at], totals);
    }
    await writer.write(columns.values, count);
    rows += count;
    progress.update(0, counted(rows, "payment"));
  }
  await writer.close();
  progress[Symbol.dispose]();
  writeError(`${counted(rows, "payment")}, ${elapsed(startMs)}\n`);
}

async function openStore(
  folder: string,
): Promise<{ features: FeatureParameters; store: Store & AsyncDisposable }> {
  const parameters = await folderParameters(folder);
  const path = join(folder, "store.db");
  if (!parameters || !existsSync(path)) {
    await openFolderLog(folder)[Symbol.asyncDispose](); // says if there is none
    throw new DataError(
      `nothing is stored in ${folder} yet; run the writer first: ` +
        `fraudstream run --data=${folder}`,
    );
  }
  const { features } = parameters;
  return {
    features,
    store: new EmbeddedStore({ path, features, durable: false }),
  };
}
