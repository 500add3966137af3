/** `label`: takes labels from a file into a stream whose labels arrive later. */
import { type CommandDeclaration, defineCommand } from "../command.ts";
import type { FlagGroup, FlagValues } from "../flags/flag.ts";
import { rest } from "../../base/clock.ts";
import { ConfigError, LogError } from "../../base/error.ts";
import { fileError } from "../../base/file_error.ts";
import { STANDARD_STREAM } from "../../base/output_file.ts";
import { type DaySource, findDaySources } from "../../files/day_source.ts";
import { type LabelRow, labelRows } from "../../files/label_rows.ts";
import { TABLE_FORMATS } from "../../files/table_encoder.ts";
import type { LogProducer } from "../../log/log.ts";
import { formatDatetime } from "../../payment/calendar.ts";
import { idAppends, type IdRecord } from "../../stream/id_records.ts";
import { shapeOfStream } from "../../stream/stream_definition.ts";
import {
  openStoredStream,
  type StoredStream,
} from "../../stream/stored_stream.ts";
import { LABEL_TOPIC } from "../../stream/topics.ts";
import {
  CONNECTION_FLAGS,
  type ConnectionOptions,
  readConnection,
} from "../flags/connection_flags.ts";
import { oneOf } from "../flags/flag_value.ts";
import { writeError } from "../output/terminal.ts";
import { counted } from "../../base/counted.ts";
import { warnings } from "../output/warnings.ts";
import { listenForStop, throwIfStopped } from "../signals.ts";

/** The flags of this command alone. */
const FLAGS = {
  flags: {
    inputFormat: {
      value: "<format>",
      help: "csv, jsonl or parquet",
      read: oneOf(TABLE_FORMATS),
      default: "by the name of the file or its first bytes",
    },
  },
} as const satisfies FlagGroup;

type LabelOptions =
  & FlagValues<typeof FLAGS>
  & ConnectionOptions
  & { readonly file?: string };

const EXAMPLES = `
Examples:
  ./fraudstream label chargebacks.csv --data=./shop
  zcat chargebacks.jsonl.gz | ./fraudstream label - --data=./shop

A file needs TRANSACTION_ID and TX_FRAUD: 1, true or yes for a fraud, 0, false
or no for none, and nothing (in JSON null) where the labels before are
withdrawn. It may have KNOWN_AT, when that was known in the time of the
payments, 'YYYY-MM-DD HH:MM:SS' in UTC; without it a label is known at the
stream's newest payment. REASON and SOURCE stay with the label in label_topic.
A file that is taken again changes nothing where it has KNOWN_AT. A label waits
until everything is stored that was published before it was read. If its payment
is not among that, it becomes a dead letter, which dead-letters can requeue.
`;

/** The command. */
export const LABEL_COMMAND: CommandDeclaration = defineCommand({
  name: "label",
  summary: "take labels from a file into a stream",
  description:
    "Appends the labels of a file, or of stdin (-), to the stream's " +
    "label_topic. A run with the role labels looks their payments up and " +
    "passes them on.",
  operands: [{ key: "file", help: "the file of labels" }],
  flags: [FLAGS, ...CONNECTION_FLAGS],
  examples: EXAMPLES,
  run: label,
});

/** Labels of one append. */
const APPEND_LABELS = 4096;

async function label(options: LabelOptions): Promise<void> {
  const { file } = options;
  if (file === undefined) {
    throw new ConfigError("name the file of labels: label chargebacks.csv");
  }
  const connection = readConnection(options);
  await using stream = await openStoredStream(connection, warnings("label"));
  const shape = stream.parameters && shapeOfStream(stream.parameters);
  if (!shape?.hasLabels) {
    throw new ConfigError(
      "the payments of this stream carry their labels; labels from a file " +
        "need another stream, whose definition has 'labels: { from: stream }' " +
        "(for the handbook's payments, a run with --labels=stream)",
    );
  }
  const source = await findSource(file, options.inputFormat);
  using stop = listenForStop();
  const { signal } = stop;
  let taken = 0;
  const took = () => `${counted(taken, "label")} before were taken`;
  const otherwise = () =>
    taken === 0 ? "nothing was taken" : `${took()}; fix the row and repeat`;
  const rows = () => labelRows(source, { shape, signal, otherwise });
  try {
    // What can be read twice is taken whole or not at all.
    if (await isFile(file)) {
      for await (const _ of rows());
    }
    const appender = new LabelAppender(stream, signal);
    for await (const batch of rows()) {
      for (let at = 0; at < batch.length; at += APPEND_LABELS) {
        const some = batch.slice(at, at + APPEND_LABELS);
        await appender.append(some);
        taken += some.length;
      }
    }
  } catch (error) {
    throwIfStopped(signal, () => took());
    throw error;
  }
  writeError(`${counted(taken, "label")} taken\n`);
  if (taken === 0) return;
  writeError(
    "'./fraudstream run' passes them on, unless a run does already; " +
      "'./fraudstream status' shows how many are left, the lag of the label " +
      "intake\n",
  );
}

/** The file, or stdin. Throws DataError. */
async function findSource(
  file: string,
  format: LabelOptions["inputFormat"],
): Promise<DaySource> {
  if (await isFolder(file)) {
    throw new ConfigError(`${file} is a folder; name one file of labels`);
  }
  const [source] = await findDaySources(file, format);
  return source;
}

/** The id of the process that appends labels: a newer one fences the one before. */
const PRODUCER = "fraudstream-labels";
/** The longest pause before another try, in milliseconds. */
const PAUSE_MS = 100;

/** Appends labels beside other processes that do the same. */
class LabelAppender {
  readonly #stream: StoredStream;
  readonly #signal: AbortSignal;
  #producer: LogProducer | undefined;

  constructor(stream: StoredStream, signal: AbortSignal) {
    this.#stream = stream;
    this.#signal = signal;
  }

  /** Appends all or nothing, once. Throws LogError, or the signal's reason. */
  async append(labels: readonly LabelRow[]): Promise<void> {
    const { log, parameters } = this.#stream;
    const partitions = parameters?.partitions ?? 1;
    const appends = idAppends(LABEL_TOPIC, partitions, labels.map(recordOf));
    for (;;) {
      this.#signal.throwIfAborted();
      try {
        this.#producer ??= await log.producer(PRODUCER, this.#signal);
        await this.#producer.append(appends);
        return;
      } catch (error) {
        // Another process appends, and this append was refused.
        if (!(error instanceof LogError && error.isFenced)) throw error;
        this.#producer = undefined;
      }
      await rest(Math.random() * PAUSE_MS, this.#signal);
    }
  }
}

/** A label as a record of the label topic. */
function recordOf(
  { transactionId, fraud, knownAt, reason, source }: LabelRow,
): IdRecord {
  const json = JSON.stringify({
    TRANSACTION_ID: transactionId,
    TX_FRAUD: fraud,
    KNOWN_AT: knownAt === undefined ? undefined : formatDatetime(knownAt),
    REASON: reason,
    SOURCE: source ?? "file",
  });
  return { id: transactionId, json, timestampMs: Date.now() };
}

/** Whether a path is a plain file, which can be read again. */
async function isFile(path: string): Promise<boolean> {
  return path !== STANDARD_STREAM && (await statOf(path)).isFile;
}

async function isFolder(path: string): Promise<boolean> {
  return path !== STANDARD_STREAM && (await statOf(path)).isDirectory;
}

async function statOf(path: string): Promise<Deno.FileInfo> {
  try {
    return await Deno.stat(path);
  } catch (error) {
    throw fileError(error, "read", path);
  }
}
