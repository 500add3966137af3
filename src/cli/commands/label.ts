/** `label`: takes labels from a file into a stream whose labels arrive later. */
import { type CommandDeclaration, defineCommand } from "../command.ts";
import type { FlagGroup, FlagValues } from "../flags/flag.ts";
import { ConfigError, DataError } from "../../base/error.ts";
import { fileError } from "../../base/file_error.ts";
import { formatOfName } from "../../files/day_source.ts";
import { smallTable } from "../../files/small_table.ts";
import { TABLE_FORMATS } from "../../files/table_encoder.ts";
import { IdPartitioner } from "../../log/partitioner.ts";
import { RecordBatchBuilder } from "../../log/record_batch.ts";
import { formatDatetime } from "../../payment/calendar.ts";
import type { PaymentShape } from "../../payment/payment_shape.ts";
import { type SaidLabel, saidLabel } from "../../payment/said_label.ts";
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
import { counted, writeError } from "../output/terminal.ts";
import { warnings } from "../output/warnings.ts";

/** The flags of this command alone. */
const FLAGS = {
  flags: {
    inputFormat: {
      value: "<format>",
      help: "csv, jsonl or parquet",
      read: oneOf(TABLE_FORMATS),
      default: "by the name of the file",
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

A file needs TRANSACTION_ID and TX_FRAUD (1: fraud, 0: no fraud, empty: the
labels before are withdrawn). It may have KNOWN_AT, when that was known in the
time of the payments, 'YYYY-MM-DD HH:MM:SS' in UTC; without it a label is known
at the stream's newest payment. A repeated label changes nothing.
`;

/** The command. */
export const LABEL_COMMAND: CommandDeclaration = defineCommand({
  name: "label",
  summary: "take labels from a file into a stream",
  description:
    "Appends the labels of a file to the stream's label_topic. A run with " +
    "the role labels looks their payments up and passes them on.",
  operand: { key: "file", help: "the file of labels" },
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
        "need a stream made with --labels=stream",
    );
  }
  const labels = await readLabels(file, options, shape);
  for (let at = 0; at < labels.length; at += APPEND_LABELS) {
    await append(stream, labels.slice(at, at + APPEND_LABELS));
  }
  writeError(`${counted(labels.length, "label")} taken\n`);
}

/** The labels of a file. Throws DataError for the first row that holds none. */
async function readLabels(
  path: string,
  { inputFormat }: LabelOptions,
  shape: PaymentShape,
): Promise<SaidLabel[]> {
  const format = inputFormat ?? formatOfName(path) ?? "csv";
  let bytes: Uint8Array<ArrayBuffer>;
  try {
    bytes = await Deno.readFile(path);
  } catch (error) {
    throw fileError(error, "read", path);
  }
  const fields = ["TRANSACTION_ID", "TX_FRAUD", "KNOWN_AT"];
  const otherwise = "take another copy";
  const rows = await smallTable(bytes, format, { fields, path, otherwise });
  return rows.map((row, index) => {
    const { TRANSACTION_ID, TX_FRAUD, KNOWN_AT } = row;
    const isMissing = KNOWN_AT === "" || KNOWN_AT === null;
    const said = saidLabel({
      TRANSACTION_ID,
      TX_FRAUD: TX_FRAUD === "" ? null : TX_FRAUD,
      KNOWN_AT: isMissing ? undefined : KNOWN_AT,
    }, shape);
    if (!("reason" in said)) return said;
    throw new DataError(
      `${path}: row ${index + 1}: ${said.message}; nothing was taken`,
    );
  });
}

/** Appends labels, each to the partition of its payment's id. */
async function append(
  { log, parameters }: StoredStream,
  labels: readonly SaidLabel[],
): Promise<void> {
  const partitions = parameters?.partitions ?? 1;
  const partitioner = new IdPartitioner(partitions);
  const encoder = new TextEncoder();
  const builders = new Map<number, RecordBatchBuilder>();
  for (const { transactionId, fraud, knownAt } of labels) {
    const key = encoder.encode(String(transactionId));
    const partition = typeof transactionId === "string"
      ? partitioner.partitionOfText(key)
      : partitioner.partition(transactionId);
    const records = builders.get(partition) ?? new RecordBatchBuilder();
    builders.set(partition, records);
    records.writer.bytes(key);
    records.endKey();
    const json = JSON.stringify({
      TRANSACTION_ID: transactionId,
      TX_FRAUD: fraud,
      KNOWN_AT: knownAt === undefined ? undefined : formatDatetime(knownAt),
      SOURCE: "file",
    });
    records.writer.bytes(encoder.encode(json));
    records.endRecord(Date.now());
  }
  const producer = await log.producer("fraudstream-labels");
  await producer.append(
    [...builders].map(([partition, records]) => ({
      topic: LABEL_TOPIC,
      partition,
      records,
    })),
  );
}
