/**
 * Fills a store again from the log: its rows of any stream are removed, then
 * the writers store what the log holds, as they always do, and end.
 */
import { counted, thousands } from "../base/counted.ts";
import { DataError } from "../base/error.ts";
import { type Log, readRange } from "../log/log.ts";
import type { Store } from "../store/store.ts";
import { formatDate } from "../payment/calendar.ts";
import { runPredictionWriter } from "./prediction_writer.ts";
import { shapeOfStream } from "../stream/stream_definition.ts";
import type { StreamContext } from "../stream/stream_context.ts";
import { readCommit } from "../stream/commit.ts";
import {
  CUSTOMER_GROUP,
  LABEL_WRITER_GROUP,
  PREDICTION_GROUP,
  PREDICTION_TOPIC,
  REPARTITION_TOPIC,
  SCORER_GROUP,
  SINK_TOPIC,
  TERMINAL_GROUP,
  TRANSACTION_LABEL_TOPIC,
  TRANSACTION_TOPIC,
  WRITER_GROUP,
} from "../stream/topics.ts";
import { runLabelWriter } from "./label_writer.ts";
import { runWriter } from "./writer.ts";

/** How a store is filled again. */
export interface RebuildOptions {
  /** The store; no other process may write to it meanwhile. */
  readonly store: Store;
  /** Midnight of the first day, for payments of another program. */
  readonly startSeconds: number | undefined;
  /** Whether the store may lack what the log no longer holds. */
  readonly acceptMissingStart: boolean;
  /** Called with the number of rows stored so far. */
  readonly stored: (rows: number) => void;
}

/**
 * Clears the store and fills it with what the log holds now, unless the
 * context's signal ends it. Throws DataError, and leaves the store as it is, if
 * the log no longer holds everything and that is not accepted, or if a writer
 * of the stream is running.
 */
export async function rebuild(
  context: StreamContext,
  options: RebuildOptions,
): Promise<void> {
  const { log, control, parameters } = context;
  const { store, startSeconds, acceptMissingStart } = options;
  const { hasLabels } = shapeOfStream(parameters);
  await requireNoWriter(log);
  await control.refresh();
  const topics = [
    SINK_TOPIC,
    ...control.isScored ? [PREDICTION_TOPIC] : [],
    ...hasLabels ? [TRANSACTION_LABEL_TOPIC] : [],
  ];
  await requireThere(log, topics);
  await control.requireTopics(topics);
  if (!acceptMissingStart) {
    await requireWhole(log, topics);
    await requireWritten(log, TERMINAL_STAGE);
    if (hasLabels) await requireWritten(log, LABEL_STAGE);
    if (control.isScored) await requireWritten(log, SCORER_STAGE);
  }
  const predictions = store.predictions();
  await store.clear(SINK_TOPIC);
  await predictions.clear(PREDICTION_TOPIC);
  const labels = store.labels();
  await labels.clear(TRANSACTION_LABEL_TOPIC);
  const fill = { startSeconds, acceptMissingStart, onlyPresent: true };
  let rows = 0;
  await runWriter(context, {
    ...fill,
    store,
    stored: (_cells, _width, count) => options.stored(rows += count),
  });
  await runLabelWriter(context, { ...fill, store: labels });
  if (!control.isScored) return;
  const stored = AbortSignal.abort(); // a scorer has declared itself already
  await runPredictionWriter(context, { ...fill, store: predictions, stored });
}

async function requireNoWriter(log: Log): Promise<void> {
  for (const group of [WRITER_GROUP, PREDICTION_GROUP, LABEL_WRITER_GROUP]) {
    const members = await log.members(group);
    if (members === 0) continue;
    throw new DataError(
      `a writer of this stream is running (${members} in the group ${group}): ` +
        `stop it, and start it again when the store is filled`,
    );
  }
}

/** Throws DataError unless the log has all these topics. */
async function requireThere(
  log: Log,
  topics: readonly string[],
): Promise<void> {
  const there = (await log.topics(topics)).map(({ name }) => name);
  const missing = topics.find((topic) => !there.includes(topic));
  if (missing === undefined) return;
  throw new DataError(
    `there is no topic ${missing} in the log, so the store cannot be filled ` +
      `from it; it was left as it is`,
  );
}

/** A stage whose output the store is filled from. */
interface Source {
  readonly group: string;
  readonly input: string;
  readonly output: string;
  /** What it counts of its output. */
  readonly counter: "emitted" | "labels";
}

const TERMINAL_STAGE: Source = {
  group: TERMINAL_GROUP,
  input: REPARTITION_TOPIC,
  output: SINK_TOPIC,
  counter: "emitted",
};
const LABEL_STAGE: Source = {
  group: CUSTOMER_GROUP,
  input: TRANSACTION_TOPIC,
  output: TRANSACTION_LABEL_TOPIC,
  counter: "labels",
};
const SCORER_STAGE: Source = {
  group: SCORER_GROUP,
  input: SINK_TOPIC,
  output: PREDICTION_TOPIC,
  counter: "emitted",
};

/** Throws DataError if a topic holds fewer records than the stage before it has written: then the store may be the only copy. */
async function requireWritten(
  log: Log,
  { group, input, output, counter }: Source,
): Promise<void> {
  const commits = await log.committed(group, input);
  const written = commits.reduce(
    (sum, commit) => sum + (readCommit(commit)?.counters[counter] ?? 0),
    0,
  );
  let held = 0;
  for (
    const [partition, end] of (await log.endOffsets(output) ?? []).entries()
  ) {
    for await (const { count } of readRange(log, output, partition, 0, end)) {
      held += count;
    }
  }
  if (held >= written) return;
  throw new DataError(
    `${output} holds ${counted(held, "record")}, but ${group} has written ` +
      `${thousands(written)}: ` +
      `the log has lost some, and the store would lack them; to clear it and ` +
      `fill it with what remains, add --accept-missing-start`,
  );
}

/** Throws DataError unless the log holds topics from their beginning. */
async function requireWhole(
  log: Log,
  topics: readonly string[],
): Promise<void> {
  for (const { name, startOffsets } of await log.topics(topics)) {
    const partition = startOffsets.findIndex((start) => start > 0);
    if (partition < 0) continue;
    const start = startOffsets[partition];
    const limit = { records: 1, bytes: 1 };
    const { timestamps } = await log.read(name, partition, start, limit);
    const since = timestamps.length === 0
      ? "nothing"
      : `only what came from ${formatDate(timestamps[0] / 1000)} on`;
    throw new DataError(
      `${name} partition ${partition} begins at offset ${start}, so the log ` +
        `holds ${since}: the store would lack what came before; to ` +
        `clear it and fill it with what remains, add --accept-missing-start`,
    );
  }
}
