/**
 * The trimmer: removes records from the log that are older in event time than
 * --keep, but none that are still needed by a stage to restore its state, or by
 * the writer or the files role to continue. Accepted labels go with the payments
 * of their time: none is known before its payment, so those of payments that
 * stay, stay too. What people and programs say (the label topic, the case
 * topic), dead letters, profiles and the control topic stay whole.
 */
import { rest } from "../base/clock.ts";
import { type Log, offsetAt } from "../log/log.ts";
import { DAY_SECONDS } from "../payment/payment.ts";
import { manifestOffsets } from "../files/day_manifest.ts";
import { isDone, type StreamContext } from "../stream/stream_context.ts";
import {
  parseCommit,
  readScoringCommit,
  takenOffset,
} from "../stream/commit.ts";
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

/** How the trimmer is run. */
export interface TrimmerOptions {
  /** Days of event time behind the newest payment that are kept. */
  readonly keepDays: number;
  /** The folder of the files role, where it runs beside this. */
  readonly filesFolder: string | undefined;
  /** Midnight of the first day, for payments of another program. */
  readonly startSeconds: number | undefined;
  /** Waits until stored rows are on disk; called before records are deleted that a power cut could otherwise remove from both. */
  readonly syncStore?: () => void;
}

/** Time between two trims. */
const TRIM_MS = 5000;
/** How often the trimmer checks whether the stream is complete. */
const LOOK_MS = 200;

/** Trims at intervals until both stages of the processor are done, then once more; the context's signal ends it earlier. */
export async function runTrimmer(
  context: StreamContext,
  options: TrimmerOptions,
): Promise<void> {
  const { signal } = context;
  let next = performance.now();
  while (!signal.aborted) {
    const done = await isDone(context, TERMINAL_GROUP, REPARTITION_TOPIC);
    const began = performance.now();
    if (done || began >= next) {
      await trimStream(context, options);
      next = began + TRIM_MS;
    }
    if (done) return;
    await rest(LOOK_MS, signal);
  }
}

/** Trims once. */
export async function trimStream(
  context: StreamContext,
  options: TrimmerOptions,
): Promise<void> {
  const { log, control, logger } = context;
  const start = await control.startSeconds(options.startSeconds);
  if (start === undefined) return; // the event time is not known yet
  const commits = await log.committed(CUSTOMER_GROUP, TRANSACTION_TOPIC);
  const progress = Math.max(...commits.map((c) => parseCommit(c).progress));
  const oldest = start + progress - options.keepDays * DAY_SECONDS;
  await control.refresh();
  const needed = await neededOffsets(
    log,
    options.filesFolder,
    control.isScored,
  );
  let synced = false;
  for (const { name, startOffsets } of await log.topics([...needed.keys()])) {
    for (const [partition, need] of needed.get(name)?.entries() ?? []) {
      const first = startOffsets[partition];
      if (need <= first) continue;
      const kept = await offsetAt(log, name, partition, oldest * 1000);
      const before = Math.min(kept, need);
      if (before <= first) continue;
      if (!synced) options.syncStore?.();
      synced = true;
      await log.trim(name, partition, before);
      logger.info("log trimmed", { topic: name, partition, first, before });
    }
  }
}

/**
 * The first offset of each partition that is still needed, by topic. Commits
 * only move forward, so a commit read before the trim is safe.
 */
async function neededOffsets(
  log: Log,
  filesFolder: string | undefined,
  isScored: boolean,
): Promise<Map<string, readonly number[]>> {
  const replays = async (group: string, topic: string) => {
    const commits = await log.committed(group, topic);
    return commits.map((commit) => parseCommit(commit).replay.offset);
  };
  const stored = await log.committed(WRITER_GROUP, SINK_TOPIC);
  const kept = filesFolder === undefined
    ? undefined
    : manifestOffsets(filesFolder) ?? [];
  const scored = await log.committed(SCORER_GROUP, SINK_TOPIC);
  const predicted = await log.committed(PREDICTION_GROUP, PREDICTION_TOPIC);
  const labelled = await log.committed(
    LABEL_WRITER_GROUP,
    TRANSACTION_LABEL_TOPIC,
  );
  return new Map([
    [TRANSACTION_LABEL_TOPIC, labelled.map(takenOffset)],
    [
      PREDICTION_TOPIC,
      // The scorer reads the predictions of the days that it still judges.
      predicted.map((commit, partition) => {
        const judged = readScoringCommit(scored[partition])?.judged;
        const needed = judged?.map(([, , offset]) => offset) ?? [0];
        return Math.min(takenOffset(commit), ...needed);
      }),
    ],
    [TRANSACTION_TOPIC, await replays(CUSTOMER_GROUP, TRANSACTION_TOPIC)],
    [REPARTITION_TOPIC, await replays(TERMINAL_GROUP, REPARTITION_TOPIC)],
    [
      SINK_TOPIC,
      stored.map((commit, partition) => {
        const written = Math.min(
          takenOffset(commit),
          isScored ? takenOffset(scored[partition]) : Infinity,
        );
        return kept ? Math.min(written, kept[partition] ?? 0) : written;
      }),
    ],
  ]);
}
