/**
 * Patience with a store that does not answer: tries again with growing,
 * jittered pauses until it does, and says so once at the start, now and then
 * in between, and at the end. Knows no clock and no chance but those it is
 * handed, and nothing of Cassandra.
 */
import { setTimeout as delay } from "node:timers/promises";

/** Told what happens behind the scenes: an outage, a retry. */
export type OutageReport = (
  level: "info" | "warning",
  message: string,
  fields: Readonly<Record<string, unknown>>,
) => void;

/** How long to wait, what to wait for, and whom to tell. */
export interface OutageOptions {
  /** Whether an error may pass by itself. */
  readonly isTransient: (error: unknown) => boolean;
  /** One line on an error, for the report. */
  readonly reasonOf: (error: unknown) => string;
  /** Told of the outage; constant messages, data in fields. */
  readonly report: OutageReport;
  /** Shortest pause, milliseconds; it doubles from try to try. */
  readonly pauseMsMin: number;
  /** Longest pause, milliseconds. */
  readonly pauseMsMax: number;
  /** Milliseconds since some moment. */
  readonly now: () => number;
  /** Chance, from 0 to below 1. */
  readonly random: () => number;
}

/** How one piece of work is tried. */
export interface TryOptions {
  /** Ends the waiting; its reason is thrown. */
  readonly signal: AbortSignal | undefined;
  /** Gives up, throwing the last error, after so many milliseconds of failures. */
  readonly patienceMs: number;
}

/** While an outage lasts it is reported this often. */
const REPORT_MS = 60_000;

/** An outage so soon after the last one is the same one, flickering. */
const FLICKER_MS = 10_000;

/** Watches over all requests to one store. */
export class Outage {
  readonly #options: OutageOptions;
  #sinceMs: number | undefined;
  #reported = false;
  #nextReportMs = -Infinity;

  /** No outage yet. */
  constructor(options: OutageOptions) {
    this.#options = options;
  }

  /** Does `attempt` until it succeeds; throws what is not transient, or the signal's reason. */
  async run<T>(attempt: () => Promise<T>, options: TryOptions): Promise<T> {
    // A try of its own, since nearly all requests go this way.
    try {
      const result = await attempt();
      if (this.#sinceMs !== undefined) this.#succeeded();
      return result;
    } catch (error) {
      this.#failed(error);
    }
    return await this.#again(attempt, options);
  }

  async #again<T>(
    attempt: () => Promise<T>,
    { signal, patienceMs }: TryOptions,
  ): Promise<T> {
    const { pauseMsMin, pauseMsMax, now, random } = this.#options;
    const beganMs = now();
    for (let pauseMs = pauseMsMin;; pauseMs = 2 * pauseMs) {
      const bounded = Math.min(pauseMs, pauseMsMax);
      await pause(bounded * (0.5 + random() / 2), signal);
      try {
        const result = await unlessAborted(attempt(), signal);
        this.#succeeded();
        return result;
      } catch (error) {
        signal?.throwIfAborted();
        this.#failed(error);
        if (now() - beganMs > patienceMs) throw error;
      }
    }
  }

  /** Takes note of an error; throws it if it will not pass. */
  #failed(error: unknown): void {
    const { isTransient, reasonOf, report, now } = this.#options;
    if (!isTransient(error)) throw error;
    const nowMs = now();
    this.#sinceMs ??= nowMs;
    if (nowMs < this.#nextReportMs) return;
    this.#nextReportMs = nowMs + REPORT_MS;
    this.#reported = true;
    report("warning", "the store does not answer, waiting for it", {
      reason: reasonOf(error),
      seconds: Math.round((nowMs - this.#sinceMs) / 1000),
    });
  }

  #succeeded(): void {
    if (this.#sinceMs === undefined) return;
    const { report, now } = this.#options;
    if (this.#reported) {
      this.#reported = false;
      this.#nextReportMs = now() + FLICKER_MS;
      report("info", "the store answers again", {
        seconds: Math.round((now() - this.#sinceMs) / 1000),
      });
    }
    this.#sinceMs = undefined;
  }
}

async function pause(
  ms: number,
  signal: AbortSignal | undefined,
): Promise<void> {
  signal?.throwIfAborted();
  try {
    await delay(ms, undefined, { signal });
  } catch (error) {
    signal?.throwIfAborted();
    throw error;
  }
}

/** The result of work, or the signal's reason as soon as it is aborted. */
async function unlessAborted<T>(
  work: Promise<T>,
  signal: AbortSignal | undefined,
): Promise<T> {
  if (!signal) return await work;
  const stopped = Promise.withResolvers<never>();
  const stop = () => stopped.reject(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  try {
    return await Promise.race([work, stopped.promise]);
  } finally {
    signal.removeEventListener("abort", stop);
  }
}
