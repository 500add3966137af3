/**
 * How much random tests try. An ordinary run tries a small fixed set of seeds;
 * `deno task test:long`, which sets FRAUDSTREAM_LONG=1, tries many more. A
 * failure names its seed, and FRAUDSTREAM_SEED=<seed> repeats that one alone;
 * FRAUDSTREAM_SEED=<first>-<last> tries a part of many.
 */

/** Whether this is a long run (FRAUDSTREAM_LONG=1). */
export const isLong: boolean = variable("FRAUDSTREAM_LONG") === "1";

/**
 * The seeds to try: 1 to `few`, in a long run 1 to `many`, or only those in
 * FRAUDSTREAM_SEED. Throws RangeError if that is no whole number, nor two.
 */
export function seeds(few: number, many: number): number[] {
  const given = variable("FRAUDSTREAM_SEED");
  if (given !== undefined) {
    const found = /^(\d{1,15})(?:-(\d{1,15}))?$/.exec(given);
    if (found) return upTo(Number(found[1]), Number(found[2] ?? found[1]));
    throw new RangeError(`FRAUDSTREAM_SEED=${given} is no whole number`);
  }
  return upTo(1, isLong ? many : few);
}

function upTo(first: number, last: number): number[] {
  const length = Math.max(0, last - first + 1);
  return Array.from({ length }, (_, at) => first + at);
}

/**
 * Runs `check` with each of seeds(few, many), one after another. Throws, at
 * the first failure, an Error that names the seed and how to repeat it.
 */
export async function forEachSeed(
  few: number,
  many: number,
  check: (seed: number) => void | Promise<void>,
): Promise<void> {
  for (const seed of seeds(few, many)) {
    try {
      await check(seed);
    } catch (cause) {
      const message = cause instanceof Error ? cause.message : String(cause);
      throw new Error(
        `seed ${seed} (repeat with FRAUDSTREAM_SEED=${seed}): ${message}`,
        { cause },
      );
    }
  }
}

/** Numbers from 0 to below 1, the same for the same seed (mulberry32). */
export function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** An environment variable; undefined too where Deno may not read it. */
function variable(name: string): string | undefined {
  const { state } = Deno.permissions.querySync({ name: "env", variable: name });
  return state === "granted" ? Deno.env.get(name) : undefined;
}
