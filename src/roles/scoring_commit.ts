/**
 * What the scorer stores with every offset: a stage's commit, how many rows
 * were alerts or had no model, and from where what was judged today can be
 * read again.
 */
import type { AlertCheckpoint } from "../learning/alert_policy.ts";
import type { Commit } from "../log/log.ts";
import { parseCommit, type StageCommit } from "./stage_commit.ts";

/** Counters of one partition of the scorer, besides a stage's. */
export interface ScoringCounters {
  /** Predictions that are alerts. */
  alerts: number;
  /** Rows read before there was a model: neither emitted nor dead letters. */
  unscored: number;
}

/** Where the day began that is being judged. */
export interface JudgedDay extends AlertCheckpoint {
  /** Predictions of the partition before the day's lie before this offset, at the latest behind it. */
  readonly offset: number;
  /** TRANSACTION_ID of the day's first payment. */
  readonly firstId: number;
  /** Rows emitted before it. */
  readonly emitted: number;
}

/** What stands in the metadata of the scorer's commits. */
export interface ScoringCommit extends StageCommit {
  /** Counters of its own. */
  readonly scoring: ScoringCounters;
  /** The day that is being judged; null where the policy needs no memory. */
  readonly judged: JudgedDay | null;
}

/** The metadata of a scorer's commit; the initial state where there is none. */
export function parseScoringCommit(commit: Commit | undefined): ScoringCommit {
  const parsed: Partial<ScoringCommit> & StageCommit = parseCommit(commit);
  return {
    ...parsed,
    scoring: parsed.scoring ?? { alerts: 0, unscored: 0 },
    judged: parsed.judged ?? null,
  };
}
