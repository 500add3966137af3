/**
 * In which order the records of a source's partitions are taken: the oldest
 * first. A partition without a record could still bring an older one. It holds
 * the others once they are ahead of it by half the lateness. The other half is
 * for the disorder within a partition: what comes as late as that is still
 * accepted.
 *
 * Nobody waits for a partition that is idle, nor for one that the stream has
 * left behind: what it brings may be late.
 *
 * Where the stream begins follows from the times of all records that have been
 * read, so that a single wrong one, such as 1970-01-01, decides nothing.
 */

/** A partition as the merge sees it. Times are TX_DATETIME in seconds since 1970. */
export interface MergePartition {
  /** Time of its next record; undefined where it has none. */
  readonly headSeconds: number | undefined;
  /** Greatest time that it has delivered; null before the first. */
  readonly reachedSeconds: number | null;
  /** Whether it has got no record for so long that nobody waits for one. */
  readonly isIdle: boolean;
}

/**
 * Index of the partition whose record is next; undefined where there is none,
 * or another partition has to be waited for. `newestSeconds` is the greatest
 * time taken so far, null before the first.
 */
export function nextPartition(
  partitions: readonly MergePartition[],
  newestSeconds: number | null,
  latenessSeconds: number,
): number | undefined {
  let next: number | undefined;
  let oldest = Infinity;
  let bound = Infinity;
  for (let at = 0; at < partitions.length; at++) {
    const { headSeconds, reachedSeconds, isIdle } = partitions[at];
    if (headSeconds !== undefined) {
      if (headSeconds >= oldest) continue;
      oldest = headSeconds;
      next = at;
    } else if (!isIdle) {
      const limit = (reachedSeconds ?? -Infinity) +
        Math.floor(latenessSeconds / 2);
      const isLeftBehind = newestSeconds !== null && limit < newestSeconds;
      if (!isLeftBehind && limit < bound) bound = limit;
    }
  }
  return oldest <= bound ? next : undefined;
}

/**
 * The least of some times that has company: of the groups between which there is
 * a gap of more than `gapSeconds`, the first with a tenth of the times and more
 * than one; the last group if there is none. Undefined for no times.
 */
export function firstInCompany(
  times: readonly number[],
  gapSeconds: number,
): number | undefined {
  const sorted = times.toSorted((a, b) => a - b);
  const least = Math.max(2, sorted.length / 10);
  let first = 0;
  for (let at = 1; at < sorted.length; at++) {
    if (sorted[at] - sorted[at - 1] <= gapSeconds) continue;
    if (at - first >= least) break;
    first = at;
  }
  return sorted[first];
}
