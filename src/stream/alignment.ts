/**
 * Keeps the source partitions together in event time. The second stage takes
 * rows in log order; its windows end at the label delay, so that is exact as
 * long as every row that is older by the delay precedes a row in its log. The
 * first stage sees to it: it hands a row on only while its time is less than
 * the alignment bound ahead of the head of every other partition: the row at
 * its committed offset, or its progress while that row has not been seen. The
 * partition with the oldest head is never held back, so nothing can get stuck.
 *
 * What comes behind a head may be older than it by the lateness. So the bound
 * is at most the delay less the lateness; and at most the delay less a day,
 * which is what the second stage keeps room for.
 */
import type { Log } from "../log/log.ts";
import { DAY_SECONDS } from "../payment/payment.ts";
import type { CommitReader } from "./commit.ts";

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
    const { log, group, topic, partition, aheadSeconds, commits } =
      this.#options;
    const views = await partitionViews(log, group, topic, commits);
    const undrained = views.map((view) => ({ ...view, drained: false }));
    this.#sure = alignmentBound(undrained, partition, aheadSeconds);
    return alignmentBound(views, partition, aheadSeconds);
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
  /** How far rows may be ahead of the other partitions, alignmentSeconds(). */
  readonly aheadSeconds: number;
  /** Reads the commits of all partitions. */
  readonly commits: CommitReader;
}

/**
 * How far a partition may be ahead of the others in event time: less than so
 * many seconds. Not positive where no number would keep the windows exact.
 */
export function alignmentSeconds(
  delayDays: number,
  latenessSeconds: number,
): number {
  const delaySeconds = delayDays * DAY_SECONDS;
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
  // The ends first: a partition may only then count as drained.
  const ends = await log.endOffsets(topic) ?? [];
  const commits = await log.committed(group, topic);
  return ends.map((end, partition) => {
    const commit = commits[partition];
    const read = reader.read(partition, commit);
    // Where the stage stands is not known: it may have taken nothing yet.
    if (!commit || !read) {
      return { head: null, progress: 0, drained: end === 0 };
    }
    const { head, progress } = read;
    return { head, progress, drained: commit.offset >= end };
  });
}
