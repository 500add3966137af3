/**
 * The progress of a run: one live line on a terminal, a JSON log line every few
 * seconds in a pipe.
 */
import { rest } from "../../base/clock.ts";
import {
  allStages,
  labelsTaken,
  pastScored,
  readStatus,
  scorerStatus,
  type StreamStatus,
} from "../../stream/status.ts";
import type { Stream } from "../../roles/supervisor.ts";
import { unlessStopped } from "../../base/unless_stopped.ts";
import type { LatencyMeter } from "../../base/latency.ts";
import type { Logger } from "../../base/logger.ts";
import { formatDatetime } from "../../payment/calendar.ts";
import { rewriteLine } from "./terminal.ts";
import { thousands } from "../../base/counted.ts";

const LIVE_MS = 500;
const LOG_MS = 5000;

/** What a live status shows, and where. */
export interface LiveStatusOptions {
  /** The stream of the run. */
  readonly stream: Stream;
  /** How far it was when the run began. */
  readonly before: StreamStatus;
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
      const { before, latency } = options;
      const p99 = latency.summary()?.p99;
      if (live) {
        rewriteLine(liveLine({ status, before, rate, p99 }, columns()));
      } else logLine(status, rate, options);
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
  // An API begins the stream at midnight, before there is a payment.
  if (!status.simulated && progress === 0) return undefined;
  return formatDatetime(status.startSeconds + progress);
}

/** A part of the live line. */
interface Part {
  readonly text: string;
  /** Parts of higher ranks are left out first where the terminal is narrow. */
  readonly rank: number;
}

/** What a live line says. */
export interface LiveLine {
  /** How far the stream is. */
  readonly status: StreamStatus;
  /** How far it was when the run began. */
  readonly before: StreamStatus;
  /** Payments published per second; NaN where that is not known. */
  readonly rate: number;
  /** Milliseconds from published to stored within which 99 % were; undefined before one was measured. */
  readonly p99: number | undefined;
}

/** A line for a terminal of that many columns: of 80 and more it always has event time, alerts, lag and p99. */
export function liveLine(
  { status, before, rate, p99 }: LiveLine,
  columns: number,
): string {
  const [, terminal, writer] = status.stages;
  const { scoring, counters } = scorerStatus(status) ?? {};
  const { follow } = status;
  const past = pastScored(before, status);
  const labels = labelsTaken(status);
  const part = (rank: number, text: string, isShown = true): Part[] =>
    isShown ? [{ text, rank }] : [];
  return shownParts([
    // While the past is scored, event time may stand still.
    ...part(
      0,
      eventTime(status)?.slice(0, past === undefined ? 16 : 10) ??
        "waiting for payments",
    ),
    ...part(
      1,
      `${thousands(Math.round(rate))}/s`,
      status.simulated && !status.complete && !Number.isNaN(rate),
    ),
    ...part(4, `produced ${thousands(status.produced)}`, status.simulated),
    ...part(
      1,
      `${thousands(follow?.lag ?? 0)} to follow`,
      follow !== undefined && follow.lag > 0,
    ),
    ...part(5, `processed ${thousands(terminal.counters.emitted)}`),
    ...part(2, `stored ${thousands(writer.counters.emitted)}`),
    ...part(
      3,
      labels === undefined
        ? `frauds ${thousands(writer.counters.frauds)}`
        : `labels ${thousands(labels)}`,
    ),
    ...part(
      0,
      `scoring the past: ${percent(past ?? 0)}`,
      past !== undefined,
    ),
    ...part(4, `scored ${thousands(counters?.emitted ?? 0)}`, !!scoring),
    ...part(0, `alerts ${thousands(scoring?.alerts ?? 0)}`, !!scoring),
    ...part(0, `lag ${thousands(totalLag(status))}`),
    ...part(
      1,
      `dead letters ${thousands(status.deadLetters)}`,
      status.deadLetters > 0,
    ),
    ...part(0, `p99 ${milliseconds(p99 ?? 0)}`, p99 !== undefined),
  ], columns - 1);
}

/** The rank up to which a narrow terminal shows parts, also while they would fit: a line whose parts come and go is hard to read. */
const NARROW_RANK = 2;

/** Columns from which on a terminal is not narrow. */
const WIDE_COLUMNS = 120;

/** The parts that a terminal of that width shows, as a line. */
function shownParts(parts: readonly Part[], width: number): string {
  return fitted(
    width >= WIDE_COLUMNS
      ? parts
      : parts.filter(({ rank }) => rank <= NARROW_RANK),
    width,
  );
}

/** The parts as one line that is not wider. */
function fitted(parts: readonly Part[], width: number): string {
  const line = parts.map(({ text }) => text).join("  ");
  const last = Math.max(...parts.map(({ rank }) => rank));
  if (line.length <= width || last === 0) return line.slice(0, width);
  const at = parts.findLastIndex(({ rank }) => rank === last);
  return fitted(parts.toSpliced(at, 1), width);
}

/** What all stages have not taken yet. */
function totalLag(status: StreamStatus): number {
  return allStages(status).reduce((sum, { lag }) => sum + lag, 0);
}

function milliseconds(duration: number): string {
  return duration < 10_000
    ? `${Math.ceil(duration)} ms`
    : `${Math.round(duration / 1000)} s`;
}

function percent(share: number): string {
  return `${Math.floor(100 * share)} %`;
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
  { logger, latency, before }: LiveStatusOptions,
): void {
  const [customer, terminal, writer] = status.stages;
  const scorer = scorerStatus(status);
  const labels = labelsTaken(status);
  logger.info("progress", {
    eventTime: eventTime(status),
    ratePerSecond: Number.isNaN(rate) || !status.simulated
      ? undefined
      : Math.round(rate),
    produced: status.simulated ? status.produced : undefined,
    ingested: status.ingest?.counters.emitted,
    followed: status.follow?.records,
    processed: terminal.counters.emitted,
    stored: writer.counters.emitted,
    frauds: labels === undefined ? writer.counters.frauds : undefined,
    labels,
    scored: scorer?.counters.emitted,
    alerts: scorer?.scoring?.alerts,
    pastScored: pastScored(before, status),
    unscored: scorer?.scoring?.unscored,
    lag: {
      ingest: status.ingest?.lag,
      follow: status.follow?.lag,
      customerWindows: customer.lag,
      terminalWindows: terminal.lag,
      writer: writer.lag,
      scorer: scorer?.lag,
    },
    deadLetters: status.deadLetters,
    latencyMsP99: latency.summary()?.p99,
  });
}
