/**
 * Takes another program's topic: which process does, and from where on. One
 * process at a time has the source, the others of the group stand by, and each
 * continues exactly where the one before has ended.
 */
import { isCount, isObject, parsedJson } from "../base/json_shape.ts";
import { ConfigError, LogError } from "../base/error.ts";
import type { Commit, Log, TopicState } from "../log/log.ts";
import { noCounters } from "./commit.ts";
import { remadeSource } from "./source_partition.ts";
import type { SourcePosition } from "./source_position.ts";
import {
  type SourceSettings,
  SourceTask,
  type SourceTaskOptions,
} from "./source_task.ts";
import { definitionOfStream } from "./stream_definition.ts";
import type { StreamContext } from "./stream_context.ts";
import { CONTROL_TOPIC, INGEST_GROUP } from "./topics.ts";

/** How a source is taken. */
export interface SourceRunOptions {
  /** What is read, and how. */
  readonly settings: SourceSettings;
  /** The key of pseudonyms, where the stream's definition has any. */
  readonly hmacKey: Uint8Array | undefined;
  /** The log that holds the source, under its own names. */
  readonly source: Log;
  /** See SourceTaskOptions; for tests. */
  readonly clock?: SourceTaskOptions["clock"] | undefined;
  /** See SourceTaskOptions; for tests. */
  readonly timeOfDay?: SourceTaskOptions["timeOfDay"] | undefined;
}

/** One record of the control topic is enough to be called: none is taken. */
const LIMIT = { records: 1, bytes: 1 };

/** How often it looks for a position that is committed but cannot be read yet, and the pause in between, milliseconds. */
const LOOKS_MAX = 1200;
const LOOK_MS = 50;

/** Takes the source until the context's signal. Throws ConfigError if the stream, or the cluster, has no such source. */
export async function runSource(
  context: StreamContext,
  options: SourceRunOptions,
): Promise<void> {
  const { log, control, parameters, logger, signal } = context;
  const { settings, source, ...others } = options;
  const { topic } = settings;
  const definition = definitionOfStream(parameters);
  await control.refresh();
  control.requireSource();
  if (control.origin) {
    throw new ConfigError(
      `--source-topic=${topic} needs another stream: this one has ` +
        `the payments of ${control.origin.fingerprint}; choose another ` +
        "--topic-prefix",
    );
  }
  await log.consume({
    group: INGEST_GROUP,
    topic: CONTROL_TOPIC,
    limit: LIMIT,
    signal,
    open: async (_, commit) => {
      const known = await findPosition(context, commit);
      const position = await checkSource(source, topic, known);
      logger.info("taking payments of another program", {
        topic,
        partitions: position.offsets.length,
        records: position.counters.read,
      });
      return new SourceTask({
        ...others,
        settings,
        definition,
        source,
        parameters,
        position,
        signal,
      });
    },
    idle: () => Promise.resolve(false),
  });
}

/**
 * The newest position. A commit says how many steps there were. The record of
 * the last one may still be hidden behind another producer's transaction.
 */
async function findPosition(
  { log, control, signal }: StreamContext,
  commit: Commit | undefined,
): Promise<SourcePosition | undefined> {
  const committed: unknown = commit && parsedJson(commit.metadata);
  const steps = isObject(committed) && isCount(committed.steps)
    ? committed.steps
    : 0;
  for (let looks = 1;; looks++) {
    await control.refresh();
    if ((control.source?.steps ?? 0) >= steps) return control.source;
    if (looks === LOOKS_MAX || signal.aborted) break;
    await log.changed(LOOK_MS, signal);
  }
  if (signal.aborted) throw signal.reason;
  throw new LogError(
    `${CONTROL_TOPIC} does not hold the position in the source after ` +
      `${steps} steps, which are committed: its records were deleted, or ` +
      "another program's transaction has been open for a minute",
  );
}

/** The topic that is to be read. Throws ConfigError if there is none. */
export async function requireTopic(
  source: Log,
  topic: string,
): Promise<TopicState> {
  const [state] = await source.topics([topic]);
  if (state) return state;
  throw new ConfigError(
    `--source-topic=${topic}: the cluster has no such topic, or this user ` +
      "may not read it",
  );
}

/** The position, or the first one, in the source as it is now. */
async function checkSource(
  source: Log,
  topic: string,
  position: SourcePosition | undefined,
): Promise<SourcePosition> {
  if (position && position.topic !== topic) {
    throw new ConfigError(
      `this stream takes its payments from --source-topic=${position.topic}, ` +
        `not from ${topic}; start a new stream with another --topic-prefix`,
    );
  }
  const state = await requireTopic(source, topic);
  if (position) {
    const isOther = position.id !== undefined && state.id !== undefined &&
      position.id !== state.id;
    if (isOther) throw remadeSource(topic);
    return position;
  }
  return {
    topic,
    id: state.id,
    steps: 0,
    offsets: state.startOffsets,
    reached: state.startOffsets.map(() => null),
    newest: null,
    startSeconds: null,
    lag: 0,
    counters: noCounters(),
  };
}
