/** `diff`: what differs between two exports, or between two streams. */
import { join } from "node:path";
import {
  ConfigError,
  DataError,
  LogError,
  StoreError,
} from "../../base/error.ts";
import { textTable } from "../../base/text_table.ts";
import { openComparedFiles } from "../../files/compared_files.ts";
import type { ComparedTable } from "../../files/compared_rows.ts";
import {
  COLUMN_PARTS,
  compareRows,
  differs,
  type LoneRows,
  type RowDifference,
} from "../../files/row_difference.ts";
import type { FeatureParameters } from "../../features/parameters.ts";
import { openLog } from "../../log/open_log.ts";
import type { PaymentShape } from "../../payment/payment_shape.ts";
import { Control } from "../../stream/control.ts";
import {
  type Connection,
  openStoredStream,
} from "../../stream/stored_stream.ts";
import { shapeOfStream } from "../../stream/stream_definition.ts";
import { predictionRows, sinkRows } from "../../stream/topic_rows.ts";
import { CONTROL_TOPIC } from "../../stream/topics.ts";
import { processEnvironment } from "../flags/environment.ts";
import {
  KAFKA_FLAGS,
  readKafkaFlags,
  readPrefix,
} from "../flags/kafka_flags.ts";
import { type CommandDeclaration, defineCommand } from "../command.ts";
import {
  checkNeeds,
  type FlagGroup,
  type FlagValues,
  refuseGiven,
} from "../flags/flag.ts";
import { positiveNumber } from "../flags/flag_value.ts";
import { BadRows } from "../output/bad_rows.ts";
import {
  partsOf,
  PaymentTable,
  type TablePart,
} from "../output/payment_table.ts";
import { openProgress } from "../output/progress.ts";
import { comparedTable } from "../output/stored_comparison.ts";
import { writeResult } from "../output/terminal.ts";
import { counted, thousands } from "../../base/counted.ts";
import { warnings } from "../output/warnings.ts";
import { listenForStop, StoppedError, throwIfStopped } from "../signals.ts";
import { fillTable, type PaymentRows } from "./export.ts";
import { predictionParts, requireStoredRows } from "./stored_rows.ts";

/** The flags of this command alone. */
const FLAGS = {
  flags: {
    columns: {
      value: "<list>",
      help: "compare these columns alone",
      read: readColumns,
      default: "all that both have",
    },
    tolerance: {
      value: "<number>",
      help: "numbers that are no further apart than this are equal, such as " +
        "1e-6 for CSV beside Parquet",
      read: positiveNumber(1e9),
      default: "0",
      fallback: 0,
    },
    json: { help: "print JSON" },
  },
} as const satisfies FlagGroup;

/** Names of columns, each once. Throws ConfigError. */
function readColumns(text: string, flag: string): string[] {
  const names = text.split(",").map((name) => name.trim());
  if (!names.includes("")) return [...new Set(names)];
  throw new ConfigError(
    `${flag} must be names of columns like SCORE,ALERT, not '${
      text.slice(0, 60)
    }'`,
  );
}

/** How the cluster is reached, where both sides are prefixes of topics. */
const TOPICS_FLAGS = {
  title: "Two streams on Kafka",
  flags: {
    brokers: {
      ...KAFKA_FLAGS.flags.brokers,
      help: "some of the brokers, host:port,…: A and B are the prefixes of " +
        "the topics of two streams",
    },
    kafkaTls: KAFKA_FLAGS.flags.kafkaTls,
    kafkaCaFile: KAFKA_FLAGS.flags.kafkaCaFile,
    kafkaSasl: KAFKA_FLAGS.flags.kafkaSasl,
    kafkaUsername: KAFKA_FLAGS.flags.kafkaUsername,
    kafkaPasswordFile: KAFKA_FLAGS.flags.kafkaPasswordFile,
  },
} as const satisfies FlagGroup;

type DiffOptions =
  & FlagValues<typeof FLAGS>
  & FlagValues<typeof TOPICS_FLAGS>
  & {
    readonly a?: string;
    readonly b?: string;
  };

/** Characters of a value in the table of differences. */
const SHOWN_MAX = 32;

const EXAMPLES = `
Examples:
  ./fraudstream diff before.parquet after.parquet
  ./fraudstream diff before.csv after.parquet --tolerance=1e-6
  ./fraudstream diff ./old ./new --columns=SCORE,ALERT
      two data folders: what two streams have stored
  ./fraudstream diff old. new. --brokers=127.0.0.1:9092
      two streams on Kafka, by the prefixes of their topics
  ./fraudstream diff ./old export-of-new.parquet --json

The exit code is 0 where nothing differs, 1 where something does, and 2 for
wrong use and where the two cannot be compared, as with diff and cmp.
`;

/** The command. */
export const DIFF_COMMAND: CommandDeclaration = defineCommand({
  name: "diff",
  summary: "compare two exports or two streams",
  description:
    "Compares two tables of payments row by row: rows and columns that only " +
    "one has, and of each column how many rows differ, by how much, and the " +
    "first of them. A and B are files (CSV, JSON lines, Parquet), folders of " +
    "such files, or data folders of streams, whose stored payments, labels, " +
    "features and predictions are compared. With --brokers they are the prefixes " +
    "of the topics of two streams. Where both are in order of TRANSACTION_ID, " +
    "or both of TX_DATETIME, memory does not grow with the number of rows; in " +
    "other orders up to 1,000,000 rows wait for their partners.",
  flags: [FLAGS, TOPICS_FLAGS],
  operands: [
    {
      key: "a",
      help: "a file, a folder of files, or a data folder; with --brokers a " +
        "prefix of topics",
    },
    { key: "b", help: "what it is compared with" },
  ],
  examples: EXAMPLES,
  run: diff,
});

async function diff(options: DiffOptions): Promise<void> {
  const { a, b } = options;
  if (a === undefined || b === undefined) {
    throw new ConfigError(
      "diff needs two tables or two streams; for example: " +
        "diff before.parquet after.parquet",
    );
  }
  checkNeeds(TOPICS_FLAGS, options);
  if (options.brokers === undefined) {
    refuseGiven(TOPICS_FLAGS, options, "--brokers");
  }
  const difference = await differenceOf(a, b, options).catch(asTrouble);
  writeResult(
    options.json
      ? JSON.stringify(differenceObject(a, b, difference), null, 2) + "\n"
      : differenceText(a, b, difference),
  );
  if (differs(difference)) throw new DataError(`${a} and ${b} differ`);
}

/** Whatever keeps a comparison from its end is exit code 2, as with diff and cmp: 1 says that something differs. */
function asTrouble(error: unknown): never {
  const isTrouble = [DataError, LogError, StoreError, StoppedError]
    .some((kind) => error instanceof kind);
  if (!isTrouble || !(error instanceof Error)) throw error;
  throw new ConfigError(error.message, { cause: error });
}

async function differenceOf(
  a: string,
  b: string,
  options: DiffOptions,
): Promise<RowDifference> {
  const { tolerance, columns } = options;
  using stop = listenForStop();
  const { signal } = stop;
  using progress = openProgress("diff", 0);
  await using one = await openSide(a, options, signal);
  await using other = await openSide(b, options, signal);
  try {
    return await compareRows(one.table, other.table, {
      tolerance,
      columns,
      onRows: (rows) => progress.update(0, counted(rows, "row")),
    });
  } catch (error) {
    throwIfStopped(signal, () => "the comparison did not reach the end");
    throw error;
  }
}

/** One side of a comparison, open until it is disposed of. */
interface Side extends AsyncDisposable {
  readonly table: ComparedTable;
}

async function openSide(
  path: string,
  options: DiffOptions,
  signal: AbortSignal,
): Promise<Side> {
  if (options.brokers !== undefined) {
    return await openTopics(path, options, signal);
  }
  if (await isDataFolder(path)) return await openStream(path, signal);
  const table = await openComparedFiles(path, signal);
  return { table, [Symbol.asyncDispose]: () => table[Symbol.asyncDispose]() };
}

async function isDataFolder(path: string): Promise<boolean> {
  for (const name of ["log.db", "store.db"]) {
    try {
      if ((await Deno.stat(join(path, name))).isFile) return true;
    } catch {
      // Reading it as files says what is wrong.
    }
  }
  return false;
}

/** The stored payments of a data folder. */
async function openStream(
  folder: string,
  signal: AbortSignal,
): Promise<Side> {
  const embedded = { kind: "embedded", folder } as const;
  const connection: Connection = {
    folder,
    log: { ...embedded, durable: true },
    store: { ...embedded, durable: false },
  };
  const report = warnings("diff");
  const stream = await openStoredStream(connection, report);
  const close = () => stream[Symbol.asyncDispose]();
  const rows = await requireStoredRows(connection, stream, report)
    .catch(async (error) => {
      await close();
      throw error;
    });
  const { store, features, shape } = rows;
  const extras = await predictionParts(stream);
  return {
    table: sideTable(folder, { store, features, shape, extras }, signal),
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await close();
    },
  };
}

/** The payments and predictions in the topics of a prefix. */
async function openTopics(
  prefix: string,
  options: DiffOptions,
  signal: AbortSignal,
): Promise<Side> {
  const topicPrefix = readPrefix(prefix, "the prefix of topics");
  const log = await openLog(
    readKafkaFlags({ ...options, topicPrefix }, processEnvironment),
    warnings("diff"),
  );
  const close = () => log[Symbol.asyncDispose]();
  try {
    const control = new Control(log);
    if (await log.endOffsets(CONTROL_TOPIC)) await control.refresh();
    const { parameters, begun: startSeconds } = control;
    if (parameters === undefined || startSeconds === undefined) {
      throw new DataError(
        `there is no stream with the topic prefix ${prefix} at ` +
          `${options.brokers?.join(", ")}; name the prefix that ` +
          "run --topic-prefix has",
      );
    }
    const stream = { log, parameters, startSeconds };
    const store: PaymentRows = {
      rows: (signal) => sinkRows(stream, signal),
      predictions: () => ({ rows: (signal) => predictionRows(stream, signal) }),
    };
    const { features } = parameters;
    const shape = shapeOfStream(parameters);
    const extras = await predictionParts({ log, control });
    return {
      table: sideTable(prefix, { store, features, shape, extras }, signal),
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The rows of a stream as a table, with everything that export can write. */
function sideTable(
  name: string,
  { store, features, shape, extras }: {
    readonly store: PaymentRows;
    readonly features: FeatureParameters;
    readonly shape: PaymentShape;
    readonly extras: readonly TablePart[];
  },
  signal: AbortSignal,
): ComparedTable {
  const table = new PaymentTable({
    parts: [
      "features",
      "label",
      ...partsOf("payment"),
      ...partsOf("prediction"),
      ...extras,
    ],
    features,
    shape,
    format: "parquet", // full doubles
    partlyPredicted: true,
  });
  const badRows = new BadRows(false);
  const progress = { update() {}, [Symbol.dispose]() {} };
  return comparedTable(name, table, (writer) => {
    const pass = {
      ...{ store, table, writer, badRows, progress, signal },
      known: 0,
    };
    return fillTable(pass, features, shape, undefined);
  });
}

/** The difference as JSON has it, with null where there is nothing. */
function differenceObject(a: string, b: string, difference: RowDifference) {
  const { rows, order, compared, onlyA, onlyB, columns, parts } = difference;
  const { columnsOnlyA, columnsOnlyB } = difference;
  const lone = ({ rows, first }: LoneRows) => ({ rows, first: first ?? null });
  return {
    a,
    b,
    equal: !differs(difference),
    rows,
    order: order ?? null,
    compared,
    onlyA: lone(onlyA),
    onlyB: lone(onlyB),
    columnsOnlyA,
    columnsOnlyB,
    parts,
    columns: columns.map(({ greatest, ...found }) => {
      return { ...found, greatest: greatest ?? null };
    }),
  };
}

function differenceText(
  a: string,
  b: string,
  difference: RowDifference,
): string {
  const { rows, onlyA, onlyB, columns, columnsOnlyA, columnsOnlyB } =
    difference;
  const lines = [
    `A: ${a}: ${counted(rows.a, "row")}`,
    `B: ${b}: ${counted(rows.b, "row")}`,
    `${counted(rows.both, "row")} in both, ` +
    `${counted(difference.compared, "column")} compared`,
    `only in A: ${loneText(onlyA)}`,
    `only in B: ${loneText(onlyB)}`,
    ...columnsOnlyA.length > 0
      ? [`columns only in A: ${columnsOnlyA.join(", ")}`]
      : [],
    ...columnsOnlyB.length > 0
      ? [`columns only in B: ${columnsOnlyB.join(", ")}`]
      : [],
    `rows that differ: ${partsText(difference)}`,
  ];
  const table = columns.map((found) => [
    found.column,
    thousands(found.rows),
    found.missing > 0 ? thousands(found.missing) : "–",
    found.greatest === undefined ? "–" : `${found.greatest}`,
    found.first.transactionId,
    shortened(found.first.a ?? "none"),
    shortened(found.first.b ?? "none"),
  ]);
  return lines.map((line) => `${line}\n`).join("") +
    (table.length === 0 ? "" : "\n" + textTable(
      [
        "column",
        "rows",
        "one side empty",
        "greatest difference",
        "first TRANSACTION_ID",
        "A",
        "B",
      ],
      table,
      [1, 2, 3],
    )) + (isRounding(difference) ? ROUNDING_HINT : "");
}

/** Digits that CSV has of averages and shares make this difference. */
const ROUNDING = 1e-6;
const ROUNDING_HINT = "\nNothing differs by more than the rounding of CSV: " +
  "--tolerance=1e-6 ignores that.\n";

function isRounding({ columns, onlyA, onlyB }: RowDifference): boolean {
  return columns.length > 0 && onlyA.rows + onlyB.rows === 0 &&
    columns.every(({ missing, greatest, part }) =>
      part === "features" && missing === 0 && (greatest ?? 1) <= ROUNDING
    );
}

/** A value that fits in a table; --json has all of it. */
function shortened(text: string): string {
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX - 1)}…` : text;
}

function loneText({ rows, first }: LoneRows): string {
  return first === undefined
    ? "no row"
    : `${counted(rows, "row")}, first TRANSACTION_ID ${first}`;
}

function partsText({ parts }: RowDifference): string {
  const found = COLUMN_PARTS.filter((part) => parts[part] > 0);
  return found.length === 0
    ? "none"
    : found.map((part) => `${counted(parts[part], "row")} in ${part}`)
      .join(", ");
}
