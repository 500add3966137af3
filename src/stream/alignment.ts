/**
 * Keeps the source partitions together in event time. The second stage takes
 * rows in log order; its windows end at the label delay, so that is exact as
 * long as every row that is older by the delay precedes a row in its log. The
 * first stage ensures this: it passes a row on only while its time is less than
 * the alignment bound ahead of the head of every other partition. The head is
 * the row at the committed offset, or the partition's progress while that row
 * has not been seen. The partition with the oldest head is never held back, so
 * nothing can get stuck.
 *
 * Rows after a head may be older than it by the lateness. So the bound is at
 * most the delay less the lateness. It is also at most the delay less a day,
 * for which the second stage keeps room.
 */
import {
  type FeatureParameters,
  hasHandbook,
  hasLaterKey,
} from "../features/parameters.ts";
import type { Log } from "../log/log.ts";
import { DAY_SECONDS } from "../payment/payment.ts";
import type { CommitReader } from "./commit.ts";

/** What one partition's state means for the others. */
export interface PartitionView {
  /** TX_TIME_SECONDS of the row at the committed offset, if it is known. */
  readonly head: number | null;
  /** Greatest TX_TIME_SECONDS up to the committed offset. */
  readonly progress: number;
  /** Whether the committed offset has reached the end of the partition. */
  readonly drained: boolean;
}

/**
 * How far the rows of a partition may be passed on. Reading the other
 * partitions costs a request or two, so it is only done for a row beyond the
 * last known bound: heads and progress only grow, and a drained partition,
 * which may fill again, does not raise the bound.
 */
export class Alignment {
  readonly #options: AlignmentOptions;
  #sure = -Infinity;

  /** Starts without knowing the others. */
  constructor(options: AlignmentOptions) {
    this.#options = options;
  }

  /** The time below which rows may be passed on whatever the others do, in TX_TIME_SECONDS. */
  get sure(): number {
    return this.#sure;
  }

  /** The time below which rows that have been read by now may be passed on. */
  async look(): Promise<number> {
    const { log, group, topic, partition, aheadSeconds, commits } =
      this.#options;
    const views = await partitionViews(log, group, topic, commits);
    const undrained = views.map((view) => ({ ...view, drained: false }));
    this.#sure = alignmentBound(undrained, partition, aheadSeconds);
    return alignmentBound(views, partition, aheadSeconds);
  }
}

/** What the bound follows from, see FeatureParameters. */
export type AlignedFeatures = Pick<
  FeatureParameters,
  "set" | "delayDays" | "graceSeconds" | "declared"
>;

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
  /** How far rows may be ahead of the other partitions, alignmentSeconds(). */
  readonly aheadSeconds: number;
  /** Reads the commits of all partitions. */
  readonly commits: CommitReader;
}

/**
 * The bound, in seconds, below which a partition may be ahead of the others in
 * event time. Not positive if no bound keeps the windows exact; infinite
 * where the second stage has no windows, so that nothing depends on it. Without
 * the handbook's features a short label delay does not make it shorter.
 *
 * Where labels arrive on their own, a label that is known at K and not later
 * than the lateness behind that finds no payment later than K + grace before
 * it, so that it counts from K + grace on. (A partition that has no records
 * left holds no other back. A label that is its next record then also needs
 * that no partition has a payment from K + grace on when it comes.)
 */
export function alignmentSeconds(
  features: AlignedFeatures,
  latenessSeconds: number,
): number {
  if (!hasLaterKey(features)) return Infinity;
  const { delayDays, graceSeconds } = features;
  if (graceSeconds !== undefined) return graceSeconds - latenessSeconds;
  const delaySeconds = DAY_SECONDS *
    (hasHandbook(features) ? delayDays : Math.max(7, delayDays));
  return delaySeconds - Math.max(DAY_SECONDS, latenessSeconds);
}

/**
 * The time that rows of `partition` must stay below, in TX_TIME_SECONDS. The
 * views must be newer than the reading of the rows.
 */
export function alignmentBound(
  views: readonly PartitionView[],
  partition: number,
  aheadSeconds: number,
): number {
  let bound = Infinity;
  for (const [other, { head, progress, drained }] of views.entries()) {
    if (other === partition || drained) continue;
    bound = Math.min(bound, (head ?? progress) + aheadSeconds);
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
  // The ends are read first: only then may a partition count as drained.
  const ends = await log.endOffsets(topic) ?? [];
  const commits = await log.committed(group, topic);
  return ends.map((end, partition) => {
    const commit = commits[partition];
    const read = reader.read(partition, commit);
    // The stage's position is unknown: it may have read nothing yet.
    if (!commit || !read) {
      return { head: null, progress: 0, drained: end === 0 };
    }
    const { head, progress } = read;
    return { head, progress, drained: commit.offset >= end };
  });
}
