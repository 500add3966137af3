/**
 * `fraudstream status`: what a stream holds, in a data folder or on Kafka and
 * Cassandra, for people and for programs. It may be running meanwhile.
 */
import type { Command } from "commander";
import {
  readStatus,
  scorerStatus,
  type StreamStatus,
} from "../roles/status.ts";
import { TOPICS } from "../roles/topics.ts";
import type { TopicState } from "../log/log.ts";
import type { PredictionStatus } from "../store/predictions.ts";
import type { StoreStatus } from "../store/store.ts";
import { formatDatetime } from "../transaction/calendar.ts";
import {
  addConnectionFlags,
  type ConnectionOptions,
  ENVIRONMENT_HELP,
  readConnection,
} from "./connection_flags.ts";
import { publishedText, scoredText, stageTable } from "./run_summary.ts";
import {
  checkEnd,
  openStoredRows,
  openStoredStream,
  requireAgreement,
  warnings,
} from "./stored_stream.ts";
import { thousands, writeResult } from "./terminal.ts";

const EXAMPLES = `
Examples:
  fraudstream status
  fraudstream status --data=./shop --json
`;

interface StatusOptions extends ConnectionOptions {
  readonly json?: boolean;
}

/**
 * Adds the command to the program.
 *
 * @internal
 */
export function addStatusCommand(program: Command): void {
  const command = program.command("status")
    .summary("say what a stream holds")
    .description(
      "Says what a stream holds: topics with their offsets, consumer " +
        "groups with their lag, rows stored. It may be running. Once all " +
        "stages are at the end, compares their counts and the store's: a " +
        "difference is an error.",
    );
  command.option("--json", "as one JSON object");
  addConnectionFlags(command);
  command.addHelpText("after", ENVIRONMENT_HELP + EXAMPLES)
    .action((options: StatusOptions) => status(options));
}

async function status(options: StatusOptions): Promise<void> {
  const connection = readConnection(options, false);
  const report = warnings("status");
  await using stored = await openStoredStream(connection, report);
  const { log, control } = stored;
  const topics = await log.topics(TOPICS);
  const stream = control && await readStatus(log, control);
  const opened = await openStoredRows(connection, stored, report);
  await using rows = opened ?? null;
  const store = await rows?.status();
  const predictions = stream && scorerStatus(stream) &&
    await rows?.predictions().status();
  const ended = control && await checkEnd(connection, log, opened);
  if (options.json) {
    writeResult(
      JSON.stringify(
        { topics, stream, store, predictions, endCheck: ended },
        null,
        2,
      ) + "\n",
    );
  } else writeStatus(topics, stream, store, predictions);
  if (ended) requireAgreement(ended);
}

function writeStatus(
  topics: readonly TopicState[],
  stream: StreamStatus | undefined,
  store: StoreStatus | undefined,
  predictions: PredictionStatus | undefined,
): void {
  writeResult(topicTable(topics));
  if (stream) writeResult(`\n${stageTable(stream)}\n${streamText(stream)}`);
  writeResult(
    store
      ? `store      ${thousands(store.rows)} payments, ` +
        `${thousands(store.frauds)} of them frauds\n`
      : "store      nothing yet\n",
  );
  if (!predictions) return;
  writeResult(
    `           ${thousands(predictions.rows)} predictions, ` +
      `${thousands(predictions.alerts)} of them alerts\n`,
  );
}

function topicTable(topics: readonly TopicState[]): string {
  const width = Math.max(5, ...topics.map(({ name }) => name.length));
  const lines = topics.map(({ name, startOffsets, endOffsets, compacted }) => {
    const end = endOffsets.reduce((sum, offset) => sum + offset, 0);
    const start = startOffsets.reduce((sum, offset) => sum + offset, 0);
    const records = compacted ? "compacted" : `${thousands(end - start)}`;
    return `${name.padEnd(width)}  ${records.padStart(11)}  ${
      endOffsets.join(" ")
    }`;
  });
  const head = `${"topic".padEnd(width)}  ${"records".padStart(11)}  ` +
    "end offset of each partition";
  return [head, ...lines].join("\n") + "\n";
}

function streamText(stream: StreamStatus): string {
  const { startSeconds, stages, deadLetters } = stream;
  const published = publishedText(stream);
  const reached = stages[2].progress;
  const time = startSeconds === undefined
    ? "unknown"
    : formatDatetime(startSeconds + reached);
  const scored = scoredText(stream);
  return (published === undefined ? "" : `${published}\n`) +
    `event time ${time}\n` +
    (scored === undefined ? "" : `scored     ${scored}\n`) +
    `rejected   ${thousands(deadLetters)} dead letters\n`;
}
