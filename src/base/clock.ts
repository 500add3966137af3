/**
 * Time and chance as whatever waits is handed them, so that tests can let
 * hours pass in a moment and repeat what chance did.
 */

/** A source of time and chance. */
export interface Clock {
  /** Milliseconds since some moment; never goes back. */
  now(): number;
  /** Waits so many milliseconds; throws the signal's reason when that comes first. */
  sleep(ms: number, signal?: AbortSignal): Promise<void>;
  /** A number from 0 to below 1. */
  random(): number;
}

/** The machine's. */
export const REAL_CLOCK: Clock = {
  now: () => performance.now(),
  sleep: (ms, signal) =>
    new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const stop = () => {
        clearTimeout(timer);
        reject(signal?.reason);
      };
      const timer = setTimeout(() => {
        signal?.removeEventListener("abort", stop);
        resolve();
      }, ms);
      signal?.addEventListener("abort", stop, { once: true });
    }),
  random: Math.random,
};

/** Waits so many milliseconds, but not longer than until the signal. */
export async function rest(
  ms: number,
  signal: AbortSignal,
  clock: Clock = REAL_CLOCK,
): Promise<void> {
  try {
    await clock.sleep(ms, signal);
  } catch (error) {
    if (error !== signal.reason) throw error;
  }
}

/** The shortest and the longest pause between two tries, milliseconds. */
export interface PauseRange {
  /** The first; each further one is twice as long. */
  readonly min: number;
  /** None is longer. */
  readonly max: number;
}

/**
 * How long to wait after so many failures (0 for the first), milliseconds.
 * Half of it is chance, lest all who wait for one server return at once.
 */
export function backoffMs(
  failures: number,
  { min, max }: PauseRange,
  clock: Clock,
): number {
  return Math.min(max, min * 2 ** failures) * (0.5 + clock.random() / 2);
}
