/**
 * `fraudstream status`: what a stream holds, in a data folder or on Kafka and
 * Cassandra, as text or JSON. The stream may be running meanwhile.
 */
import { join, resolve } from "node:path";
import { type CommandDeclaration, defineCommand } from "../command.ts";
import type { FlagGroup, FlagValues } from "../flags/flag.ts";
import { ConfigError, StoreError } from "../../base/error.ts";
import type { StoredCounts } from "../../stream/end_check.ts";
import type { Control } from "../../stream/control.ts";
import { readRegistry } from "../../scoring/model_registry.ts";
import {
  labelsTaken,
  readStatus,
  scorerStatus,
  type StreamStatus,
} from "../../stream/status.ts";
import { type Follower, recordsBehind } from "../../stream/follow_position.ts";
import { recordFollower } from "../../stream/followed_stream.ts";
import { TOPICS, topicSpecs, TRANSACTION_TOPIC } from "../../stream/topics.ts";
import {
  isRight,
  type StoreVerification,
  type TableVerification,
  verifyStore,
} from "../../stream/verify_store.ts";
import type { Log, TopicState } from "../../log/log.ts";
import type { LabelStatus } from "../../store/labels.ts";
import type { PredictionStatus } from "../../store/predictions.ts";
import type { Store, StoreStatus } from "../../store/store.ts";
import { formatDatetime } from "../../payment/calendar.ts";
import {
  CONNECTION_FLAGS,
  type ConnectionOptions,
  readConnection,
} from "../flags/connection_flags.ts";
import {
  checkEnd,
  type Connection,
  countStored,
  openStoredRows,
  openStoredStream,
  requireAgreement,
  type StoredStream,
} from "../../stream/stored_stream.ts";
import {
  completeText,
  labelText,
  publishedText,
  scoredText,
  shadowTexts,
  stageTable,
  trainedText,
} from "../output/run_summary.ts";
import { warnings } from "../output/warnings.ts";
import { textTable } from "../../base/text_table.ts";
import { openProgress } from "../output/progress.ts";
import { listenForStop, throwIfStopped } from "../signals.ts";
import { writeResult } from "../output/terminal.ts";
import { counted, thousands } from "../../base/counted.ts";

const EXAMPLES = `
Examples:
  ./fraudstream status
  ./fraudstream status --data=./shop --json
  ./fraudstream status --data=./shop --verify
  ./fraudstream status --data=./shop --forget-follower=./shop-new
`;

/** The flags of this command alone. */
const FLAGS = {
  flags: {
    json: { help: "print one JSON object" },
    forgetFollower: {
      value: "<place>",
      help: "first forget a stream that follows this one and will not go on: " +
        "--keep then removes what it has not taken",
    },
    verify: { help: "also compare every row of the store with the log" },
  },
} as const satisfies FlagGroup;

type StatusOptions = FlagValues<typeof FLAGS> & ConnectionOptions;

/** The command. */
export const STATUS_COMMAND: CommandDeclaration = defineCommand({
  name: "status",
  summary: "show what a stream holds, and check it",
  description:
    "Shows what a stream holds: topics with their offsets, consumer groups " +
    "with their lag, stored rows. The stream may be running. Once all " +
    "stages have reached the end, it compares their counts and those of " +
    "the store. A difference is an error.",
  flags: [FLAGS, ...CONNECTION_FLAGS],
  examples: EXAMPLES,
  run: status,
});

async function status(options: StatusOptions): Promise<void> {
  const connection = readConnection(options);
  const report = warnings("status");
  await using stored = await openStoredStream(connection, report);
  const { log, control } = stored;
  const { forgetFollower } = options;
  if (forgetFollower !== undefined) {
    await forget(log, control?.followers ?? [], forgetFollower);
  }
  const topics = await log.topics(TOPICS);
  const stream = control && await readStatus(log, control);
  const opened = await openStoredRows(connection, stored, report);
  await using rows = opened ?? null;
  const store = await rows?.status();
  const labels = await rows?.labels().status();
  const predictions = stream && scorerStatus(stream) &&
    await rows?.predictions().status();
  const ended = control && await checkEnd(
    connection,
    stored,
    opened ? () => countStored(opened) : nothingStored(connection),
  );
  const verified = options.verify && opened
    ? await verify(stored, opened)
    : undefined;
  if (options.json) {
    writeResult(
      JSON.stringify(
        {
          topics,
          stream,
          store,
          labels,
          predictions,
          endCheck: ended,
          verified,
        },
        null,
        2,
      ) + "\n",
    );
  } else {
    writeStatus(topics, stream, { store, labels, predictions });
    const models = modelsFolder(connection, control);
    if (stream && models !== undefined) {
      const text = trainedText(readRegistry(models), {
        after: stream,
        stored: store,
      });
      writeResult(`trained    ${text}\n`);
    }
    if (verified) writeResult(verificationText(verified));
  }
  // Records in a partition that no role reads appear in no stage's lag.
  const { parameters } = stored;
  if (parameters) {
    const { partitions, features: { graceSeconds } } = parameters;
    const specs = topicSpecs(partitions, graceSeconds !== undefined);
    await log.checkPartitions(specs);
  }
  if (ended) requireAgreement(ended);
  if (verified) requireRight(verified);
}

/** Forgets the followers at a place. Throws ConfigError if there are none. */
async function forget(
  log: Log,
  followers: readonly Follower[],
  place: string,
): Promise<void> {
  const known = followers.filter((one) =>
    one.place === place || one.place === resolve(place)
  );
  if (known.length === 0) {
    const places = followers.map((one) => one.place).join(", ");
    throw new ConfigError(
      `--forget-follower=${place}: no such stream follows this one; ` +
        (places === "" ? "none does" : `these do: ${places}`),
    );
  }
  for (const follower of known) {
    await recordFollower(log, { ...follower, isOver: true });
  }
}

/** Which streams follow this one, as text. */
function followersText(
  followers: readonly Follower[],
  topics: readonly TopicState[],
): string {
  const ends = topics.find(({ name }) => name === TRANSACTION_TOPIC)
    ?.endOffsets ?? [];
  return followers.map(({ place, offsets, at }) => {
    const left = recordsBehind(ends, offsets);
    return `follower   ${place || "the empty prefix"}: ` +
      `${counted(left, "record")} to take, heard of at ` +
      `${at.slice(0, 19).replace("T", " ")}\n`;
  }).join("");
}

/** Where the last run of all roles kept the models that it trained; undefined if it trained none, or no folder is known. */
function modelsFolder(
  { folder }: Connection,
  control: Control | undefined,
): string | undefined {
  const { retrain, models } = control?.scoringFlags ?? {};
  if (retrain === undefined) return undefined;
  return models ?? (folder === undefined ? undefined : join(folder, "models"));
}

/** The counts of a missing store in a folder that should have one; undefined if it may be elsewhere. */
function nothingStored(
  { log, store }: Connection,
): (() => Promise<StoredCounts>) | undefined {
  if (log.kind !== "embedded" || store.kind !== "embedded") return undefined;
  const predictions = { rows: 0, alerts: 0 };
  const payments = { rows: 0, frauds: 0 };
  return () => Promise.resolve({ payments, predictions });
}

/** Compares the store's rows with the log, until Ctrl-C. */
async function verify(
  { log, control, parameters }: StoredStream,
  store: Store,
): Promise<StoreVerification | undefined> {
  if (!control || !parameters) return undefined;
  using stop = listenForStop();
  using progress = openProgress("verify", 0);
  const { signal } = stop;
  try {
    return await verifyStore({
      log,
      control,
      parameters,
      store,
      signal,
      compared: (rows) => progress.update(0, counted(rows, "row")),
    });
  } catch (error) {
    throwIfStopped(signal, () => "the rows have not all been compared");
    throw error;
  }
}

/** The comparison as text: one line per table, and the first differences. */
function verificationText(
  { payments, labels, predictions }: StoreVerification,
): string {
  const lines = (table: TableVerification | undefined, noun: string) =>
    table
      ? [
        `${thousands(table.equal)} ${noun} are as the log says` +
        othersText(table),
        ...table.first,
      ]
      : [];
  const all = [
    ...lines(payments, "payments"),
    ...lines(labels, "labels"),
    ...lines(predictions, "predictions"),
  ];
  return all.map((line, at) =>
    `${at === 0 ? "verified" : ""}`.padEnd(11) + line + "\n"
  )
    .join("");
}

function othersText(table: TableVerification): string {
  const { missing, different, unknown, notVerifiable, pending } = table;
  return ([
    [missing, "missing"],
    [different, "different"],
    [unknown, "unknown to the log"],
    [notVerifiable, "older than the log"],
    [pending, "not stored yet"],
  ] as const).filter(([count]) => count > 0)
    .map(([count, what]) => `, ${thousands(count)} ${what}`).join("");
}

/** Throws StoreError if a row differs from the log. */
function requireRight(
  { payments, labels, predictions }: StoreVerification,
): void {
  const wrong = [payments, labels, predictions].filter((table) =>
    table && !isRight(table)
  );
  if (wrong.length === 0) return;
  throw new StoreError(
    "the store differs from the log: " +
      wrong.flatMap((table) => table?.first ?? []).join("; ") +
      "; './fraudstream rebuild' fills it again",
  );
}

function writeStatus(
  topics: readonly TopicState[],
  stream: StreamStatus | undefined,
  { store, labels, predictions }: {
    readonly store: StoreStatus | undefined;
    readonly labels: LabelStatus | undefined;
    readonly predictions: PredictionStatus | undefined;
  },
): void {
  writeResult(topicTable(topics));
  if (stream?.followers) {
    writeResult(`\n${followersText(stream.followers, topics)}`);
  }
  if (stream) {
    writeResult(`\n${stageTable(stream)}\n${streamText(stream, store)}`);
  }
  const hasLabels = stream && labelsTaken(stream) !== undefined;
  writeResult(
    store
      ? `store      ${counted(store.rows, "payment")}` +
        (!hasLabels ? `, ${thousands(store.frauds)} of them frauds\n` : "\n")
      : "store      nothing yet\n",
  );
  if (labels) writeResult(`           ${counted(labels.rows, "label")}\n`);
  if (!predictions) return;
  writeResult(
    `           ${counted(predictions.rows, "prediction")}, ` +
      `${thousands(predictions.alerts)} of them alerts\n`,
  );
}

function topicTable(topics: readonly TopicState[]): string {
  const rows = topics.map(({ name, startOffsets, endOffsets, compacted }) => {
    const end = endOffsets.reduce((sum, offset) => sum + offset, 0);
    const start = startOffsets.reduce((sum, offset) => sum + offset, 0);
    const records = compacted ? "compacted" : thousands(end - start);
    return [name, records, endOffsets.join(" ")];
  });
  const head = ["topic", "records", "end offset of each partition"];
  return textTable(head, rows, [1]);
}

function streamText(
  stream: StreamStatus,
  stored: StoreStatus | undefined,
): string {
  const { startSeconds, stages, deadLetters } = stream;
  const published = publishedText(stream);
  const reached = stages[2].progress;
  const time = startSeconds === undefined
    ? "unknown"
    : formatDatetime(startSeconds + reached);
  const labels = labelText(stream, stored);
  const scored = scoredText(stream);
  const complete = completeText(stream);
  return (published === undefined ? "" : `${published}\n`) +
    (complete === undefined ? "" : `features   complete ${complete}\n`) +
    `event time ${time}\n` +
    (labels === undefined ? "" : `labels     ${labels}\n`) +
    (scored === undefined ? "" : `scored     ${scored}\n`) +
    shadowTexts(stream).map((text) => `shadow     ${text}\n`).join("") +
    `rejected   ${counted(deadLetters, "dead letter")}\n`;
}
