/**
 * Retries while a store does not answer, with growing, jittered pauses. Reports
 * the start of an outage, its duration now and then, and its end. Knows nothing
 * of Cassandra.
 */
import { backoffMs, type Clock, type PauseRange } from "./clock.ts";
import { unlessAborted } from "./unless_stopped.ts";

/** Gets reports of an outage or a retry. */
export type OutageReport = (
  level: "info" | "warning",
  message: string,
  fields: Readonly<Record<string, unknown>>,
) => void;

/** How long to wait, for which errors, and where to report. */
export interface OutageOptions {
  /** Whether an error is transient. */
  readonly isTransient: (error: unknown) => boolean;
  /** One line about an error, for the report. */
  readonly reasonOf: (error: unknown) => string;
  /** Gets reports of the outage: constant messages, data in fields. */
  readonly report: OutageReport;
  /** How long it pauses between two tries. */
  readonly pauseMs: PauseRange;
  /** Time and chance. */
  readonly clock: Clock;
}

/** How one operation is retried. */
export interface TryOptions {
  /** Ends the waiting; its reason is thrown. */
  readonly signal: AbortSignal | undefined;
  /** Gives up after this many milliseconds of failures, and throws the last error. */
  readonly patienceMs: number;
}

/** How often an outage is reported while it lasts. */
const REPORT_MS = 60_000;

/** An outage this soon after the last one counts as the same. */
const FLICKER_MS = 10_000;

/** Watches all requests to one store. */
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
    // A separate try, since nearly all requests take this path.
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
    const { pauseMs, clock } = this.#options;
    const beganMs = clock.now();
    for (let failures = 0;; failures++) {
      await clock.sleep(backoffMs(failures, pauseMs, clock), signal);
      try {
        const trying = attempt();
        const result = await (signal ? unlessAborted(trying, signal) : trying);
        this.#succeeded();
        return result;
      } catch (error) {
        signal?.throwIfAborted();
        this.#failed(error);
        if (clock.now() - beganMs > patienceMs) throw error;
      }
    }
  }

  /** Records an error; throws it unless it is transient. */
  #failed(error: unknown): void {
    const { isTransient, reasonOf, report, clock } = this.#options;
    if (!isTransient(error)) throw error;
    const nowMs = clock.now();
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
    const { report, clock } = this.#options;
    if (this.#reported) {
      this.#reported = false;
      this.#nextReportMs = clock.now() + FLICKER_MS;
      report("info", "the store answers again", {
        seconds: Math.round((clock.now() - this.#sinceMs) / 1000),
      });
    }
    this.#sinceMs = undefined;
  }
}
