/**
 * What happened to the stream besides its payments, for the charts over time:
 * other champions, other thresholds, and the last restart.
 */
import { readRegistry, type Registry } from "../../scoring/model_registry.ts";
import { DAY_SECONDS } from "../../payment/payment.ts";
import type { Control } from "../../stream/control.ts";
import { parseCommit } from "../../stream/commit.ts";
import { SINK_TOPIC, WRITER_GROUP } from "../../stream/topics.ts";
import type { Log } from "../../log/log.ts";
import type { Page } from "./page_view.ts";
import type { ScoredDay } from "./score_counts.ts";

/** Something that happened. */
export interface StreamEvent {
  /** Event time in days: 3.5 is noon of day 3. */
  readonly x: number;
  /** Clock time, seconds since 1970; undefined where no record says it. */
  readonly at?: number;
  /** What it was, by its sign. */
  readonly sign: "champion" | "threshold" | "restart";
  /** The same in words. */
  readonly text: string;
}

/** Reads the events of a page's stream, in no order; the moment of this call is that of the restart, if there was one. */
export function streamEvents(
  { log, control, models, state }: Page,
): () => Promise<StreamEvent[]> {
  const restart = restartOf(log, control);
  return async () => {
    await control.refresh();
    const registry = models === undefined ? undefined : readRegistry(models);
    const last = await restart;
    return [
      ...registry && registry.history.length > 0
        ? promotionsOf(registry)
        : versionsOf(state.scores.days()),
      ...control.thresholdChanges.map((change): StreamEvent => ({
        x: change.timeSeconds / DAY_SECONDS,
        ...clockOf(change.at),
        sign: "threshold",
        text: `Alerts from a score of ${change.value} on`,
      })),
      ...last ? [last] : [],
    ];
  };
}

/** The version that scored most of a day. */
export function mainVersion({ versions }: ScoredDay): string {
  const [version] = [...versions].reduce((most, next) =>
    next[1] > most[1] ? next : most
  );
  return version;
}

/** A clock time of ISO 8601 in seconds; nothing where none is known. */
function clockOf(at: string | undefined): { readonly at?: number } {
  const seconds = Date.parse(at ?? "") / 1000;
  return Number.isNaN(seconds) ? {} : { at: seconds };
}

/** The changes of the champion that a registry knows. */
function promotionsOf({ history }: Registry): StreamEvent[] {
  return history.filter(({ champion }, at) => {
    return at > 0 && champion !== history[at - 1].champion;
  }).map(({ day, at, champion, action }) => ({
    x: day,
    ...clockOf(at),
    sign: "champion",
    text: `Champion ${champion}: ${action}`,
  }));
}

/** The same without a registry: the days from which on another version scored most payments. */
function versionsOf(days: readonly ScoredDay[]): StreamEvent[] {
  const versions = days.map(mainVersion);
  return days.flatMap(({ day }, at) => {
    return at === 0 || versions[at] === versions[at - 1] ? [] : [{
      x: day,
      sign: "champion" as const,
      text: `Version ${versions[at]} scores`,
    }];
  });
}

/**
 * The event time from which this process goes on with the stream, as the
 * writer had committed when it started; undefined for a new stream, and for
 * one that is complete. No record says when earlier processes started.
 */
async function restartOf(
  log: Log,
  control: Control,
): Promise<StreamEvent | undefined> {
  const at = Date.now() / 1000;
  if (control.end(SINK_TOPIC)) return undefined;
  try {
    const commits = await log.committed(WRITER_GROUP, SINK_TOPIC);
    const progress = commits.map((commit) => parseCommit(commit).progress);
    const seconds = Math.max(0, ...progress.filter(Number.isFinite));
    if (seconds === 0) return undefined;
    return { x: seconds / DAY_SECONDS, at, sign: "restart", text: "Restart" };
  } catch {
    // A mark that is missing must not keep the view from opening.
    return undefined;
  }
}
