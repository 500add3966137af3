/** `fraudstream status`: what a data folder holds. */
import type { Command } from "commander";
import { Control } from "../roles/control.ts";
import { readStatus, type StreamStatus } from "../roles/status.ts";
import { CONTROL_TOPIC, TOPICS } from "../roles/topics.ts";
import type { TopicState } from "../log/log.ts";
import { formatDatetime } from "../transaction/calendar.ts";
import { stageTable } from "./run_summary.ts";
import {
  addFolderFlag,
  openFolderLog,
  openFolderStore,
} from "./stream_flags.ts";
import { thousands, writeResult } from "./terminal.ts";

const EXAMPLES = `
Examples:
  fraudstream status
  fraudstream status --data=./shop --json
`;

/**
 * Adds the command to the program.
 *
 * @internal
 */
export function addStatusCommand(program: Command): void {
  const command = program.command("status")
    .summary("say what a data folder holds")
    .description(
      "Says what a data folder holds: topics with their offsets, consumer " +
        "groups with their lag, rows stored. It may be running.",
    );
  addFolderFlag(command);
  command.option("--json", "as one JSON object")
    .addHelpText("after", EXAMPLES)
    .action((options: { data: string; json?: boolean }) => status(options));
}

async function status(
  options: { data: string; json?: boolean },
): Promise<void> {
  await using log = openFolderLog(options.data);
  const topics = await log.topics(TOPICS);
  const control = new Control(log);
  const begun = topics.some(({ name }) => name === CONTROL_TOPIC);
  const stream = begun ? await readStatus(log, control) : undefined;
  await using open = openFolderStore(options.data, control.parameters) ?? null;
  const store = await open?.status();
  if (options.json) {
    writeResult(JSON.stringify({ topics, stream, store }, null, 2) + "\n");
    return;
  }
  writeResult(topicTable(topics));
  if (stream) writeResult(`\n${stageTable(stream)}\n${streamText(stream)}`);
  writeResult(
    store
      ? `store      ${thousands(store.rows)} payments, ` +
        `${thousands(store.frauds)} of them frauds\n`
      : "store      nothing yet\n",
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
  const { produced, complete, startSeconds, stages, deadLetters } = stream;
  const reached = stages[2].progress;
  const time = startSeconds === undefined
    ? "unknown"
    : formatDatetime(startSeconds + reached);
  return `published  ${thousands(produced)} payments` +
    (complete ? ", all there are" : "") + `\n` +
    `event time ${time}\n` +
    `rejected   ${thousands(deadLetters)} dead letters\n`;
}
