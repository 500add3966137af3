/** What all code that works on a stream gets, and when a topic is complete. */
import type { FeatureParameters } from "../features/parameters.ts";
import type { Commit, Log } from "../log/log.ts";
import type { Logger } from "../base/logger.ts";
import type { Control, StreamParameters } from "./control.ts";
import { takenOffset } from "./commit.ts";
import {
  LABEL_INTAKE_GROUP,
  LABEL_TOPIC,
  LABEL_WRITER_GROUP,
  PIPELINE,
  PREDICTION_GROUP,
  REPARTITION_TOPIC,
  SCORING,
  TRANSACTION_LABEL_TOPIC,
  WRITER_GROUP,
} from "./topics.ts";

/** What a role works with. */
export interface StreamContext {
  /** The log. */
  readonly log: Log;
  /** The control topic, refreshed once. */
  readonly control: Control;
  /** What all roles agreed on. */
  readonly parameters: StreamParameters;
  /** The role's log. */
  readonly logger: Logger;
  /** Ends the role after the current step. */
  readonly signal: AbortSignal;
  /** Whether the label intake runs in this process: nothing is complete before it has taken all of its topic. */
  readonly awaitsLabels?: boolean;
  /** Whether what is stored must be on the disk in the log before: where a commit does not wait for the disk, and answers are given from the store. */
  readonly storesSynced?: boolean;
  /** The folder of the stages' snapshots, where any are kept. */
  readonly snapshotFolder?: string | undefined;
  /** Called with the rows that a stage had emitted before it lost its position, which are not this run's work. */
  readonly recovered?: (group: string, rows: number) => void;
}

/** The features of a context, for short. */
export function featuresOf(context: StreamContext): FeatureParameters {
  return context.parameters.features;
}

/**
 * Whether a group has read all of a finished topic: its end is marked, and the
 * group has reached the end offsets, which were fetched after the mark was
 * seen.
 */
export async function isDone(
  context: StreamContext,
  group: string,
  topic: string,
): Promise<boolean> {
  return await isComplete(context, topic) &&
    await hasTaken(context.log, group, topic);
}

/**
 * Whether a topic gets no more records: its end is marked, and the stages
 * before it have read all their input. (A dead letter that is requeued into a
 * stream which had ended already goes through all of them.)
 */
export async function isComplete(
  { log, control, awaitsLabels }: StreamContext,
  topic: string,
): Promise<boolean> {
  await control.refresh();
  // The first stage writes labels beside its output.
  const output = topic === TRANSACTION_LABEL_TOPIC ? REPARTITION_TOPIC : topic;
  if (!control.end(output)) return false;
  if (awaitsLabels && !await hasTaken(log, LABEL_INTAKE_GROUP, LABEL_TOPIC)) {
    return false;
  }
  for (const stage of [...PIPELINE, ...SCORING]) {
    if (stage.topic === output) break;
    if (stage.group === WRITER_GROUP) continue; // nothing comes after it
    if (!await hasTaken(log, stage.group, stage.topic)) return false;
  }
  return true;
}

/** How far a group has come. A writer takes an offset that another program has set. */
function taken(commit: Commit | undefined, group: string): number {
  const isWriter = group === WRITER_GROUP || group === PREDICTION_GROUP ||
    group === LABEL_WRITER_GROUP;
  return isWriter ? commit?.offset ?? 0 : takenOffset(commit);
}

/** Whether a group has reached the end offsets of a topic. */
export async function hasTaken(
  log: Log,
  group: string,
  topic: string,
): Promise<boolean> {
  const ends = await log.endOffsets(topic) ?? [];
  const commits = await log.committed(group, topic);
  return ends.every((end, i) => taken(commits[i], group) >= end);
}
