/**
 * `fraudstream import`: your payments to a folder of day files, by a stream
 * definition. Rows that are no payments stand in a file with the reasons.
 */
import { join, relative, resolve } from "node:path";
import { ConfigError } from "../../base/error.ts";
import { OutputFile, STANDARD_STREAM } from "../../base/output_file.ts";
import { textTable } from "../../base/text_table.ts";
import {
  definitionText,
  readDefinition,
} from "../../definition/read_definition.ts";
import {
  definitionHash,
  type StreamDefinition,
} from "../../definition/stream_definition.ts";
import {
  IMPORT_FILES,
  listFolder,
  makeFolder,
  markFinished,
  markUnfinished,
  removeDataSet,
} from "../../files/data_set.ts";
import type { DaySource } from "../../files/day_source.ts";
import {
  IMPORT_FORMAT,
  IMPORT_VERSION,
  readingDefinition,
} from "../../files/import_folder.ts";
import {
  type ImportOutcome,
  importPayments,
} from "../../files/payment_import.ts";
import { findRawSources } from "../../files/raw_sources.ts";
import { TABLE_FORMATS } from "../../files/table_encoder.ts";
import { formatDate } from "../../payment/calendar.ts";
import { type CommandDeclaration, defineCommand } from "../command.ts";
import { HMAC_KEY_FLAG, readHmacKey } from "../flags/definition_flags.ts";
import type { FlagGroup, FlagValues } from "../flags/flag.ts";
import { oneOf, readDate, requireFlag } from "../flags/flag_value.ts";
import { FOLDER_FLAGS, readFolderFlags } from "../flags/folder_flags.ts";
import { openProgress } from "../output/progress.ts";
import { elapsed, writeResult } from "../output/terminal.ts";
import { counted, thousands } from "../../base/counted.ts";
import { listenForStop, throwIfStopped } from "../signals.ts";

const EXAMPLES = `
Examples:
  ./fraudstream import --definition=stream.yaml --in=payments.csv --out=data
  ./fraudstream import --definition=sparkov --in=raw --out=data --format=parquet
  zcat *.csv.gz | ./fraudstream import --definition=s.yaml --in=- --out=data
`;

const FLAGS = {
  flags: {
    definition: {
      value: "<file>",
      help:
        "required: the file of the definition, or handbook, live, sparkov " +
        "or tabformer",
    },
    in: {
      value: "<path>",
      help: "required: a file, a folder of files, or - for stdin",
    },
    ...FOLDER_FLAGS.flags,
    inputFormat: {
      value: "<format>",
      help: "csv, jsonl or parquet",
      read: oneOf(TABLE_FORMATS),
      default: "by the name of --in, else by its first bytes",
    },
    start: {
      value: "<date>",
      help: "first day; earlier payments are rejected",
      read: readDate,
      default: "the day of the first payment",
    },
    ...HMAC_KEY_FLAG.flags,
  },
} as const satisfies FlagGroup;

type ImportOptions = FlagValues<typeof FLAGS>;

/** The command. */
export const IMPORT_COMMAND: CommandDeclaration = defineCommand({
  name: "import",
  summary: "write your payments to day files, sorted by time",
  description:
    "Maps your payments by a stream definition, sorts them by time and writes " +
    "one file per day (YYYY-MM-DD), with the definition. Rows that are no " +
    "payments go to rejects.csv, each with its place and the reason. Memory " +
    "is bounded: 20 million rows need less than 1 GiB. What does not fit is " +
    "sorted in a temporary file in --out.",
  flags: [FLAGS],
  examples: EXAMPLES,
  run: importCommand,
});

const USE = "import --definition=stream.yaml --in=payments.csv --out=data";

async function importCommand(options: ImportOptions): Promise<void> {
  const startMs = performance.now();
  const named = requireFlag("--definition", options.definition, USE);
  const input = requireFlag("--in", options.in, USE);
  const out = requireFlag("--out", options.out, USE);
  const text = definitionText(named);
  const definition = readDefinition(text, named);
  const sources = await findRawSources(input, options.inputFormat);
  const reading = readingDefinition(input, definition);
  const hmacKey = readHmacKey(reading, options);
  checkApart(out, sources, named);
  const { folder, format } = await readFolderFlags(options, USE);
  await makeFolder(folder);
  using stop = listenForStop();
  await markUnfinished(folder);
  await removeDataSet(folder);
  const outcome = await importing(
    stop.signal,
    folder,
    (onProgress) =>
      importPayments({
        sources,
        definition: reading,
        hmacKey,
        folder,
        format,
        startSeconds: options.start,
        signal: stop.signal,
        onProgress,
      }),
  );
  await writeWhole(join(folder, IMPORT_FILES.definition), text);
  await writeWhole(
    join(folder, IMPORT_FILES.manifest),
    manifestText(outcome, definition, sources),
  );
  await markFinished(folder);
  writeResult(summary(outcome, folder, startMs));
}

/** Throws ConfigError where the output would replace what is read. */
function checkApart(
  folder: string,
  sources: readonly DaySource[],
  definition: string,
): void {
  const root = resolve(folder);
  const inside = [...sources.map(({ path }) => path), definition].find((path) =>
    path !== STANDARD_STREAM && !relative(root, resolve(path)).startsWith("..")
  );
  if (inside === undefined) return;
  throw new ConfigError(
    `${inside} is read and lies in --out=${folder}, where files are replaced; ` +
      "choose another folder",
  );
}

/** Imports with a progress bar, and says what is left when it is stopped. */
async function importing(
  signal: AbortSignal,
  folder: string,
  run: (
    onProgress: (step: string, rows: number) => void,
  ) => Promise<ImportOutcome>,
): Promise<ImportOutcome> {
  using progress = openProgress("importing", 0);
  try {
    return await run((step, rows) =>
      progress.update(0, `${step}: ${counted(rows, "row")}`)
    );
  } catch (error) {
    throwIfStopped(signal, () => {
      return `${folder} is not complete, and is marked as unfinished`;
    });
    const left = await listFolder(folder);
    // Nothing was written: the corrected command needs no --force.
    if (left.length === 1) await markFinished(folder);
    throw error;
  }
}

async function writeWhole(path: string, text: string): Promise<void> {
  await using file = await OutputFile.open(path);
  await file.write(new TextEncoder().encode(text));
  await file.close();
}

/** What the folder holds, for programs. */
function manifestText(
  outcome: ImportOutcome,
  definition: StreamDefinition,
  sources: readonly DaySource[],
): string {
  const { rows, payments, frauds, startSeconds, columns, files } = outcome;
  return JSON.stringify(
    {
      format: IMPORT_FORMAT,
      formatVersion: IMPORT_VERSION,
      definitionSha256: definitionHash(definition),
      start: formatDate(startSeconds),
      rows,
      payments,
      frauds: definition.payment.fraud === null ? null : frauds,
      rejected: Object.fromEntries(outcome.rejected),
      columns,
      sources: sources.map(({ name }) => name),
      files,
    },
    null,
    2,
  ) + "\n";
}

function summary(
  { rows, payments, frauds, rejected, startSeconds, files }: ImportOutcome,
  folder: string,
  startMs: number,
): string {
  const last = files[files.length - 1].name.slice(0, 10);
  const seconds = (performance.now() - startMs) / 1000;
  const text = `${counted(rows, "row")} read, ${counted(payments, "payment")}` +
    `, ${counted(frauds, "fraud")}, ${thousands(rows - payments)} rejected\n` +
    `${formatDate(startSeconds)} to ${last}: ` +
    `${counted(files.length, "day file")} in ${folder}, ${elapsed(startMs)}, ` +
    `${thousands(Math.round(rows / seconds))} rows per second\n`;
  if (rejected.size === 0) return text;
  const reasons = [...rejected].sort(([, a], [, b]) => b - a)
    .map(([reason, count]) => [reason, thousands(count)]);
  return text + "\n" + textTable(["rejected", "rows"], reasons) +
    `(each with its place in ${join(folder, IMPORT_FILES.rejects)})\n`;
}
