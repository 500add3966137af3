/**
 * Keeps the source partitions together in event time. The second stage takes
 * rows in log order; its windows end at the label delay, so that is exact as
 * long as every row that is older by the delay precedes a row in its log. The
 * first stage sees to it: it hands a row on only while its time is less than
 * (delay - 1 day) ahead of the head of every other partition: the row at its
 * committed offset, or its progress while that row has not been seen. The
 * partition with the oldest head is never held back, so nothing can get stuck.
 */
import type { Log } from "../log/log.ts";
import { DAY_SECONDS } from "../transaction/transaction.ts";
import type { CommitReader } from "./stage_commit.ts";

/** What of one partition decides about the others. */
export interface PartitionView {
  /** TX_TIME_SECONDS of the row at the committed offset, if it is known. */
  readonly head: number | null;
  /** Greatest TX_TIME_SECONDS up to the committed offset. */
  readonly progress: number;
  /** Whether the committed offset has reached the end of the partition. */
  readonly drained: boolean;
}

/**
 * How far the rows of a partition may be handed on. Looking at the others costs
 * a question or two to the log, so it is only done for a row that is ahead of
 * what was sure at the last look: heads and progress only grow, and whether a
 * partition is drained, which may change, does not make anything sure.
 */
export class Alignment {
  readonly #options: AlignmentOptions;
  #sure = -Infinity;

  /** Begins with nothing known of the others. */
  constructor(options: AlignmentOptions) {
    this.#options = options;
  }

  /** The time below which rows may be handed on whatever the others have done since, in TX_TIME_SECONDS. */
  get sure(): number {
    return this.#sure;
  }

  /** The time below which rows may be handed on that have been read by now. */
  async look(): Promise<number> {
    const { log, group, topic, partition, delayDays, commits } = this.#options;
    const views = await partitionViews(log, group, topic, commits);
    const undrained = views.map((view) => ({ ...view, drained: false }));
    this.#sure = alignmentBound(undrained, partition, delayDays);
    return alignmentBound(views, partition, delayDays);
  }
}

/** Whose rows are aligned. */
export interface AlignmentOptions {
  /** The log. */
  readonly log: Log;
  /** Group that reads the source. */
  readonly group: string;
  /** The source. */
  readonly topic: string;
  /** Its partition. */
  readonly partition: number;
  /** Days between a payment and its label. */
  readonly delayDays: number;
  /** Reads the commits of all partitions. */
  readonly commits: CommitReader;
}

/**
 * The time that rows of `partition` must stay below, in TX_TIME_SECONDS. The
 * views must be newer than the reading of the rows.
 */
export function alignmentBound(
  views: readonly PartitionView[],
  partition: number,
  delayDays: number,
): number {
  let bound = Infinity;
  for (const [other, { head, progress, drained }] of views.entries()) {
    if (other === partition || drained) continue;
    bound = Math.min(bound, (head ?? progress) + (delayDays - 1) * DAY_SECONDS);
  }
  return bound;
}

/** Views of all partitions of a group's topic as committed now. */
export async function partitionViews(
  log: Log,
  group: string,
  topic: string,
  reader: CommitReader,
): Promise<PartitionView[]> {
  // The ends first: a partition may only then count as drained.
  const ends = await log.endOffsets(topic) ?? [];
  const commits = await log.committed(group, topic);
  return ends.map((end, partition) => {
    const commit = commits[partition];
    const { head, progress } = reader.parse(partition, commit);
    return { head, progress, drained: (commit?.offset ?? 0) >= end };
  });
}
