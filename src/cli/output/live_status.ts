/**
 * The progress of a run: one live line on a terminal, a JSON log line every few
 * seconds in a pipe.
 */
import { rest } from "../../base/clock.ts";
import {
  readStatus,
  scorerStatus,
  type StreamStatus,
} from "../../stream/status.ts";
import type { Stream } from "../../roles/supervisor.ts";
import { unlessStopped } from "../../base/unless_stopped.ts";
import type { LatencyMeter } from "../../base/latency.ts";
import type { Logger } from "../../base/logger.ts";
import { formatDatetime } from "../../payment/calendar.ts";
import { rewriteLine, thousands } from "./terminal.ts";

const LIVE_MS = 500;
const LOG_MS = 5000;

/** What a live status shows, and where. */
export interface LiveStatusOptions {
  /** The stream of the run. */
  readonly stream: Stream;
  /** Times from published to stored. */
  readonly latency: LatencyMeter;
  /** Where the log lines go. */
  readonly logger: Logger;
  /** Whether the output is a terminal. */
  readonly live: boolean;
}

/** A live status. */
export interface LiveStatus {
  /** Ends it and removes the line. */
  close(): Promise<void>;
}

/** Starts showing. */
export function openLiveStatus(options: LiveStatusOptions): LiveStatus {
  const { stream, live, logger } = options;
  const end = new AbortController();
  const show = async () => {
    let last = { produced: NaN, at: performance.now() };
    for (;;) {
      await rest(live ? LIVE_MS : LOG_MS, end.signal);
      if (end.signal.aborted) break;
      const reading = readStatus(stream.log, stream.control)
        .catch((error) => error as Error);
      const status = await unlessStopped(reading, end.signal);
      if (status === null) break;
      if (status instanceof Error) {
        // The roles wait for the server or fail by themselves.
        logger.warn("status unknown", { error: status.message });
        continue;
      }
      const at = performance.now();
      const rate = (status.produced - last.produced) * 1000 / (at - last.at);
      last = { produced: status.produced, at };
      if (live) rewriteLine(liveLine(status, rate, options.latency));
      else logLine(status, rate, options);
    }
    if (live) rewriteLine("");
  };
  const shown = show();
  return {
    close: () => {
      end.abort();
      return shown;
    },
  };
}

/** Event time that the writer, or the furthest running stage, has reached. */
function eventTime(status: StreamStatus): string | undefined {
  const [, terminal, writer] = status.stages;
  const progress = writer.progress || terminal.progress ||
    status.stages[0].progress;
  if (status.startSeconds === undefined) return undefined;
  return formatDatetime(status.startSeconds + progress);
}

function liveLine(
  status: StreamStatus,
  rate: number,
  latency: LatencyMeter,
): string {
  const [customer, terminal, writer] = status.stages;
  const scorer = scorerStatus(status);
  const p99 = latency.summary()?.p99;
  const parts = [
    eventTime(status)?.slice(0, 16) ?? "waiting for payments",
    Number.isNaN(rate) || !status.simulated
      ? ""
      : `${thousands(Math.round(rate))}/s`,
    status.simulated ? `produced ${thousands(status.produced)}` : "",
    `processed ${thousands(terminal.counters.emitted)}`,
    `stored ${thousands(writer.counters.emitted)}`,
    `frauds ${thousands(writer.counters.frauds)}`,
    scorer?.scoring
      ? `scored ${thousands(scorer.counters.emitted)}  ` +
        `alerts ${thousands(scorer.scoring.alerts)}`
      : "",
    `lag ${customer.lag}+${terminal.lag}+${writer.lag}`,
    status.deadLetters > 0
      ? `dead letters ${thousands(status.deadLetters)}`
      : "",
    p99 === undefined ? "" : `p99 ${Math.ceil(p99)} ms`,
  ].filter((part) => part !== "");
  const line = parts.join("  ");
  return line.slice(0, columns() - 1);
}

function columns(): number {
  try {
    return Deno.consoleSize().columns;
  } catch {
    return 80; // stderr is a terminal, but not one that has a size
  }
}

function logLine(
  status: StreamStatus,
  rate: number,
  { logger, latency }: LiveStatusOptions,
): void {
  const [customer, terminal, writer] = status.stages;
  const scorer = scorerStatus(status);
  logger.info("progress", {
    eventTime: eventTime(status),
    ratePerSecond: Number.isNaN(rate) || !status.simulated
      ? undefined
      : Math.round(rate),
    produced: status.simulated ? status.produced : undefined,
    processed: terminal.counters.emitted,
    stored: writer.counters.emitted,
    frauds: writer.counters.frauds,
    scored: scorer?.counters.emitted,
    alerts: scorer?.scoring?.alerts,
    unscored: scorer?.scoring?.unscored,
    lag: {
      customerWindows: customer.lag,
      terminalWindows: terminal.lag,
      writer: writer.lag,
      scorer: scorer?.lag,
    },
    deadLetters: status.deadLetters,
    latencyMsP99: latency.summary()?.p99,
  });
}
