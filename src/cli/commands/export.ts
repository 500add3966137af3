/** `fraudstream export`: the stored features or predictions as a file, ascending TRANSACTION_ID. */
import { type CommandDeclaration, defineCommand } from "../command.ts";
import type { FlagGroup, FlagValues } from "../flags/flag.ts";
import { PAYMENT_CELLS } from "../../payment/payment_cells.ts";
import {
  featureCount,
  type FeatureParameters,
  hasFeatures,
  totalsLayout,
  valuesToTotals,
} from "../../features/parameters.ts";
import { featureRowCells } from "../../features/feature_row.ts";
import {
  formatDatetime,
  parseDatetime,
  parseIsoDatetime,
} from "../../payment/calendar.ts";
import type { PaymentShape } from "../../payment/payment_shape.ts";
import { fillLabels } from "../../store/labels.ts";
import { IdCursor } from "../../store/id_cursor.ts";
import type { PredictionStore } from "../../store/predictions.ts";
import type { Store } from "../../store/store.ts";
import {
  CONNECTION_FLAGS,
  type ConnectionOptions,
  readConnection,
} from "../flags/connection_flags.ts";
import {
  partsOf,
  PaymentTable,
  type TableSink,
} from "../output/payment_table.ts";
import { checkOutput, tableFormat } from "../output/table_output.ts";
import { BAD_ROWS_FLAGS, BadRows } from "../output/bad_rows.ts";
import { ConfigError } from "../../base/error.ts";
import { PREDICTION_CELLS } from "../../payment/prediction.ts";
import { oneOf, requireFlag, someOf } from "../flags/flag_value.ts";
import {
  predictionParts,
  requireAllStored,
  requireStoredRows,
} from "./stored_rows.ts";
import { openProgress, type Progress } from "../output/progress.ts";
import { listenForStop, throwIfStopped } from "../signals.ts";
import { readDecisions } from "../../stream/case_events.ts";
import { shapeOfStream } from "../../stream/stream_definition.ts";
import { openStoredStream } from "../../stream/stored_stream.ts";
import { verdictRecords } from "../../stream/verdict_records.ts";
import { openVerdictTable, writeVerdicts } from "../output/verdict_table.ts";
import { warnings } from "../output/warnings.ts";
import { elapsed, writeError } from "../output/terminal.ts";
import { counted } from "../../base/counted.ts";
import { TABLE_FLAGS } from "./files_to_table.ts";

/** The flags of this command alone. */
const FLAGS = {
  flags: {
    out: TABLE_FLAGS.out,
    format: TABLE_FLAGS.format,
    force: TABLE_FLAGS.force,
    table: {
      value: "<name>",
      help: "features, predictions or verdicts",
      read: oneOf(["features", "predictions", "verdicts"]),
      default: "features",
      fallback: "features",
    },
    with: {
      value: "<list>",
      help: "also write beside the features: payment, label, prediction " +
        "(TX_DATETIME and so on; TX_FRAUD; SCORE and so on); label is always " +
        "written where labels arrive later",
      read: someOf(["payment", "label", "prediction"]),
    },
    asOf: {
      value: "<time>",
      help: "the labels that were known by then, such as 2018-08-01 or " +
        "'2018-08-01 12:00:00', where labels arrive later",
      read: readMoment,
      default: "all labels",
    },
  },
} as const satisfies FlagGroup;

/** A time in UTC as stores write it; a day is its midnight. */
function readMoment(text: string, flag: string): string {
  const seconds = parseDatetime(text) ?? parseDatetime(`${text} 00:00:00`) ??
    parseIsoDatetime(text);
  if (seconds !== undefined) return formatDatetime(seconds);
  throw new ConfigError(
    `${flag} must be a day or a time, like 2018-08-01 or ` +
      `'2018-08-01 12:00:00', not '${text.slice(0, 60)}'`,
  );
}

type ExportOptions =
  & FlagValues<typeof FLAGS>
  & FlagValues<typeof BAD_ROWS_FLAGS>
  & ConnectionOptions;

const EXAMPLES = `
Examples:
  ./fraudstream export --out features.csv
  ./fraudstream export --data=./shop --out features.parquet
  ./fraudstream export --out - | head
  ./fraudstream export --out notebook.parquet --with=payment,label,prediction
  ./fraudstream export --out known.csv --as-of=2018-08-01
  ./fraudstream export --table=predictions --out predictions.parquet
  ./fraudstream export --table=verdicts --out verdicts.csv
`;

/** The command. */
export const EXPORT_COMMAND: CommandDeclaration = defineCommand({
  name: "export",
  summary: "write the stored features, predictions or verdicts to a file",
  description:
    "Writes the stored features, or the predictions of a scored stream, as " +
    "one table in order of TRANSACTION_ID. The features are the same rows " +
    "that 'features' computes from files, and the same bytes if ids ascend " +
    "with time. Where labels arrive later, TX_FRAUD is what is known of a " +
    "payment by now, or by --as-of, and empty where nothing is. In Parquet " +
    "and JSON lines, times are timestamps in UTC and " +
    "missing values are null. --table=verdicts has who decided what and " +
    "when, withdrawn verdicts included; 'verdicts' takes it into a stream.",
  flags: [FLAGS, BAD_ROWS_FLAGS, ...CONNECTION_FLAGS],
  examples: EXAMPLES,
  run: exportFeatures,
});

async function exportFeatures(options: ExportOptions): Promise<void> {
  const startMs = performance.now();
  const out = requireFlag("--out", options.out, "export --out features.csv");
  const format = tableFormat("--out", out, options.format);
  const extra = options.with ? "--with" : options.asOf ? "--as-of" : undefined;
  if (extra !== undefined && options.table !== "features") {
    throw new ConfigError(
      `${extra} has no effect on the ${options.table}, only on the features; ` +
        `leave out one of --table and ${extra}`,
    );
  }
  await checkOutput({ out, force: options.force ?? false, format });
  const connection = readConnection(options);
  const report = warnings("export");
  await using stream = await openStoredStream(connection, report);
  if (options.table === "verdicts") {
    const { transactionId } = shapeOfStream(stream.parameters ?? {});
    const decisions = await readDecisions(stream.log, transactionId);
    const records = verdictRecords(decisions);
    await using writer = await openVerdictTable(out, format, transactionId);
    await writeVerdicts(records, writer, transactionId);
    await writer.close();
    writeError(`${counted(records.length, "verdict")}, ${elapsed(startMs)}\n`);
    return;
  }
  const { store, features, shape } = await requireStoredRows(
    connection,
    stream,
    report,
  );
  await using _closed = store;
  const { asOf } = options;
  if (asOf !== undefined && !shape.hasLabels) {
    throw new ConfigError(
      "--as-of has no effect: the labels of this stream stand in its " +
        "payments; leave it out",
    );
  }
  using stop = listenForStop();
  const scored = options.table === "predictions";
  // Without features there is nothing else to export.
  const columns = options.with ?? (hasFeatures(features) ? [] : ["payment"]);
  const added = new Set(columns);
  if (shape.hasLabels) added.add("label");
  const extras = await predictionParts(stream);
  const table = new PaymentTable({
    parts: scored
      ? ["payment", "prediction", ...extras]
      : ["features", ...[...added].flatMap(partsOf), ...extras],
    features,
    shape,
    format,
    ...!scored && { partlyPredicted: true },
  });
  await using writer = await table.open(out, format);
  const badRows = new BadRows(options.skipBadRows ?? false);
  using progress = openProgress("export", 0);
  const pass = {
    ...{ store, table, writer, badRows, progress },
    signal: stop.signal,
    known: 0,
  };
  const written = scored
    ? await fillPredictions(pass)
    : await fillTable(pass, features, shape, asOf);
  await writer.close();
  writeError(`${written}, ${elapsed(startMs)}\n`);
  badRows.tell();
  if (asOf !== undefined && pass.known === 0) await tellLate(store, asOf);
  // The table holds what the store holds; that may not be what it should.
  if (options.skipBadRows) return; // what is left out has been named
  await requireAllStored(connection, stream, store);
}

/** Payments with their features and predictions in order of TRANSACTION_ID, such as those of a store. */
export interface PaymentRows
  extends Pick<Store, "rows">, Partial<Pick<Store, "labels">> {
  /** The predictions. */
  predictions(): Pick<PredictionStore, "rows">;
}

/** What one pass over the store works with. */
export interface StorePass {
  /** The store, or what else has its rows. */
  readonly store: PaymentRows;
  /** The table that is filled, page after page. */
  readonly table: PaymentTable;
  /** Where its rows go. */
  readonly writer: TableSink;
  /** What becomes of rows that cannot be read. */
  readonly badRows: BadRows;
  /** Shows the number of rows. */
  readonly progress: Progress;
  /** Ends the pass. */
  readonly signal: AbortSignal;
  /** Labels that were known at --as-of. */
  known: number;
}

/** Says why no label was known at a time, where the store has labels. */
async function tellLate(store: Store, asOf: string): Promise<void> {
  const { rows } = await store.labels().status() ?? { rows: 0 };
  if (rows === 0) return;
  writeError(
    `no label was known by ${asOf}, though the stream has ` +
      `${
        counted(rows, "label")
      }: one is known from its KNOWN_AT on or, if it ` +
      "came later, from the time of the newest payment then; see 'Labels as " +
      "of a day' in docs/YOUR_DATA.md\n",
  );
}

/** Writes all predictions; returns how many they are, in words. */
async function fillPredictions(
  { store, table, writer, badRows, progress, signal }: StorePass,
): Promise<string> {
  const none = new Float64Array();
  let rows = 0;
  for await (const page of store.predictions().rows(signal, badRows.handle)) {
    throwIfStopped(signal, () => "nothing was written");
    table.clear(page.count);
    for (let row = 0; row < page.count; row++) {
      // What a prediction repeats of its payment lies in the same cells.
      const at = row * PREDICTION_CELLS;
      table.add(page.cells, at, none, 0, page.texts);
      table.predict(page, row);
    }
    await table.write(writer);
    rows += page.count;
    progress.update(0, counted(rows, "prediction"));
  }
  return counted(rows, "prediction");
}

/** Writes all payments; returns how many they are, in words. */
export async function fillTable(
  pass: StorePass,
  features: FeatureParameters,
  shape: PaymentShape,
  asOf: string | undefined,
): Promise<string> {
  const { store, table, writer, badRows, progress, signal } = pass;
  const width = featureRowCells(features, shape);
  const totals = new Float64Array(featureCount(features));
  const layout = totalsLayout(features);
  const predictions = table.predicts
    ? new IdCursor(
      store.predictions().rows(signal, badRows.handle),
      PREDICTION_CELLS,
      shape,
    )
    : undefined;
  let rows = 0;
  let predicted = 0;
  for await (const page of store.rows(signal, badRows.handle)) {
    const { cells, count, texts } = page;
    throwIfStopped(signal, () => "nothing was written");
    if (asOf !== undefined && store.labels) {
      const form = { width, shape };
      pass.known += await fillLabels(store.labels(), page, form, asOf);
    }
    table.clear(count);
    for (let at = 0; at < count * width; at += width) {
      const values = cells.subarray(at + PAYMENT_CELLS, at + width);
      valuesToTotals(values, layout, totals);
      table.add(cells, at, totals, 0, texts);
      if (!predictions) continue;
      if (await predictions.find(cells[at], texts)) predicted++;
      table.predict(predictions.page, predictions.row);
    }
    await table.write(writer);
    rows += count;
    progress.update(0, counted(rows, "payment"));
  }
  const found = predictions ? `, ${counted(predicted, "prediction")}` : "";
  return counted(rows, "payment") + found;
}
