/**
 * `fraudstream topics`: the topics of a stream as they are and as they should
 * be. It can create missing ones; it never alters existing ones.
 */
import { type CommandDeclaration, defineCommand } from "../command.ts";
import type { FlagGroup, FlagValues } from "../flags/flag.ts";
import { ConfigError, DataError } from "../../base/error.ts";
import type { TopicSpec, TopicState } from "../../log/log.ts";
import { makeDataFolder } from "../../roles/supervisor.ts";
import { topicSpecs, TRANSACTION_TOPIC } from "../../stream/topics.ts";
import {
  CONNECTION_FLAGS,
  type ConnectionOptions,
  readConnection,
} from "../flags/connection_flags.ts";
import {
  type Connection,
  openStoredStream,
  openStream,
} from "../../stream/stored_stream.ts";
import { wholeNumber } from "../flags/flag_value.ts";
import { warnings } from "../output/warnings.ts";
import { PARTITIONS_DEFAULT, PARTITIONS_MAX } from "../flags/stream_flags.ts";
import { textTable } from "../../base/text_table.ts";
import { writeResult } from "../output/terminal.ts";
import { counted, thousands } from "../../base/counted.ts";

const EXAMPLES = `
Examples:
  ./fraudstream topics
  ./fraudstream topics --log=kafka --brokers=127.0.0.1:9092
  ./fraudstream topics --log=kafka --brokers=127.0.0.1:9092 --create \\
      --partitions=12 --replication=3
`;

/** The flags of this command alone. */
const FLAGS = {
  flags: {
    create: { help: "create missing topics" },
    partitions: {
      value: "<n>",
      help: "partitions of new topics",
      read: wholeNumber(1, PARTITIONS_MAX),
      default: `the stream's, else ${PARTITIONS_DEFAULT}`,
    },
    json: { help: "print one JSON object" },
  },
} as const satisfies FlagGroup;

type TopicsOptions = FlagValues<typeof FLAGS> & ConnectionOptions;

/** A topic as it should be, as it is, and the differences. */
interface Topic {
  readonly spec: TopicSpec;
  readonly state: TopicState | undefined;
  readonly problems: readonly string[];
}

/** The command. */
export const TOPICS_COMMAND: CommandDeclaration = defineCommand({
  name: "topics",
  summary: "show the topics of a stream, and create missing ones",
  description:
    "Shows the topics of a stream, and what is missing or wrong; then the " +
    "exit code is 1. An existing topic is never altered. Kafka counts the " +
    "ends of transactions as records.",
  flags: [FLAGS, ...CONNECTION_FLAGS],
  examples: EXAMPLES,
  run: topics,
});

async function topics(options: TopicsOptions): Promise<void> {
  const connection = readConnection(options);
  const found = await lookAt(connection, options);
  if (options.json) {
    const list = found.map(({ spec, state, problems }) => ({
      ...spec,
      ...state,
      exists: state !== undefined,
      problems,
    }));
    writeResult(JSON.stringify({ topics: list }, null, 2) + "\n");
  } else writeResult(topicTable(found));
  throwIfWrong(found);
}

/** The topics, after missing ones have been created if that is requested. */
async function lookAt(
  connection: Connection,
  options: TopicsOptions,
): Promise<Topic[]> {
  const report = warnings("topics");
  const { log: settings } = connection;
  const makes = options.create ?? false;
  if (makes && settings.kind === "embedded") makeDataFolder(settings.folder);
  await using stream = makes
    ? await openStream(connection, report)
    : await openStoredStream(connection, report);
  const { log, parameters } = stream;
  const agreed = parameters?.partitions;
  if (options.partitions !== undefined && agreed !== undefined) {
    if (options.partitions !== agreed) {
      throw new ConfigError(
        `this stream was created with --partitions=${agreed}, not ` +
          `${options.partitions}: leave --partitions out`,
      );
    }
  }
  const hasLabels = parameters?.features.graceSeconds !== undefined;
  const names = topicSpecs(1, hasLabels).map(({ name }) => name);
  const before = await log.topics(names);
  const payments = before.find(({ name }) => name === TRANSACTION_TOPIC);
  const partitions = agreed ?? options.partitions ?? payments?.partitions ??
    PARTITIONS_DEFAULT;
  const specs = topicSpecs(partitions, hasLabels);
  const isThere = (spec: TopicSpec) =>
    before.some(({ name }) => name === spec.name);
  const missing = specs.filter((spec) => !isThere(spec));
  if (makes && missing.length > 0) await log.createTopics(missing);
  const states = makes ? await log.topics(names) : before;
  return specs.map((spec) => {
    const state = states.find(({ name }) => name === spec.name);
    return { spec, state, problems: problemsOf(spec, state) };
  });
}

function problemsOf(spec: TopicSpec, state: TopicState | undefined): string[] {
  if (!state) return ["missing"];
  const found: string[] = [];
  if (state.partitions !== spec.partitions) {
    found.push(`should have ${counted(spec.partitions, "partition")}`);
  }
  if (state.compacted !== spec.compacted) {
    found.push(`should ${spec.compacted ? "" : "not "}be compacted`);
  }
  return [...found, ...state.problems ?? []];
}

function topicTable(topics: readonly Topic[]): string {
  const rows = topics.map(({ spec, state, problems }) => {
    const cells = state
      ? [`${state.partitions}`, state.compacted ? "yes" : "no", held(state)]
      : ["-", "-", "-"];
    const settings = Object.entries(state?.settings ?? {}).map(([key, value]) =>
      `${key}=${value}`
    );
    const told = problems.length > 0 ? problems.join(", ") : "ok";
    return [spec.name, ...cells, [told, ...settings].join("  ")];
  });
  const head = ["topic", "partitions", "compacted", "records", "state"];
  return textTable(head, rows, [2]);
}

function held({ startOffsets, endOffsets }: TopicState): string {
  const sum = (offsets: readonly number[]) =>
    offsets.reduce((total, offset) => total + offset, 0);
  return thousands(sum(endOffsets) - sum(startOffsets));
}

/** Throws DataError if a topic is missing or wrong, with what to do. */
function throwIfWrong(topics: readonly Topic[]): void {
  const missing = topics.filter(({ state }) => !state).length;
  if (missing > 0) {
    throw new DataError(
      `${counted(missing, "topic")} missing; 'run' or './fraudstream topics ` +
        "--create' creates them",
    );
  }
  const wrong = topics.filter(({ problems }) => problems.length > 0);
  if (wrong.length === 0) return;
  const names = wrong.map(({ spec }) => spec.name).join(", ");
  throw new DataError(
    `wrong settings: ${names}; this command alters nothing: fix them with ` +
      "the log's own tools, or start another stream (--topic-prefix, --data)",
  );
}
