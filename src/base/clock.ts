/**
 * Time and chance, passed to everything that waits, so that tests can let hours
 * pass in a moment and repeat random choices.
 */

/** A source of time and chance. */
export interface Clock {
  /** Milliseconds since a fixed moment; never decreases. */
  now(): number;
  /** Waits this many milliseconds; throws the signal's reason if it aborts first. */
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

/** Waits this many milliseconds, or until the signal aborts. */
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
  /** The first pause, in milliseconds; each further one is twice as long. */
  readonly min: number;
  /** The longest pause, in milliseconds. */
  readonly max: number;
}

/**
 * How long to wait after this many failures (0 for the first), in milliseconds.
 * Half of it is random, so that not all clients of a server return at once.
 */
export function backoffMs(
  failures: number,
  { min, max }: PauseRange,
  clock: Clock,
): number {
  return Math.min(max, min * 2 ** failures) * (0.5 + clock.random() / 2);
}
