/**
 * The ring of Cassandra's Murmur3 partitioner cut into ranges of tokens, so
 * that a whole table can be read or counted in pieces that stay small.
 */

/** The tokens above `from`, up to and with `to`. */
export interface TokenRange {
  /** The token before the first. */
  readonly from: bigint;
  /** The last token. */
  readonly to: bigint;
}

/** No row has this token: the ring begins after it. */
const RING_START = -(2n ** 63n);
const RING_END = 2n ** 63n - 1n;

/** The whole ring, in ranges of the same size but for the last. */
export function tokenRanges(count: number): TokenRange[] {
  const size = (RING_END - RING_START) / BigInt(count);
  return Array.from({ length: count }, (_, index) => ({
    from: RING_START + BigInt(index) * size,
    to: index === count - 1 ? RING_END : RING_START + BigInt(index + 1) * size,
  }));
}

/** A range as two halves; undefined if it cannot be divided. */
export function halves(
  { from, to }: TokenRange,
): [TokenRange, TokenRange] | undefined {
  if (to - from < 2n) return undefined;
  const middle = from + (to - from) / 2n;
  return [{ from, to: middle }, { from: middle, to }];
}

/** How a ring is processed. */
export interface RingOptions {
  /** Ranges to begin with. */
  readonly ranges: number;
  /** Ranges that are processed concurrently. */
  readonly atOnce: number;
  /** Consecutive ranges that may be too large before it gives up. */
  readonly missesMax: number;
}

/**
 * Does `work` for the whole ring, range by range. A range for which it returns
 * false is too large, and is repeated as two halves. Returns false if that does
 * not help.
 */
export async function overRing(
  work: (range: TokenRange) => Promise<boolean>,
  { ranges, atOnce, missesMax }: RingOptions,
): Promise<boolean> {
  const left = tokenRanges(ranges);
  let misses = 0;
  let givenUp = false;
  const lane = async () => {
    for (let range = left.pop(); range && !givenUp; range = left.pop()) {
      if (await work(range)) {
        misses = 0;
        continue;
      }
      const parts = halves(range);
      if (!parts || ++misses > missesMax) givenUp = true;
      else left.push(...parts);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
  return !givenUp;
}
