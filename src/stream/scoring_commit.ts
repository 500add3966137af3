/**
 * What the scorer stores with every offset: a stage's commit, how many rows
 * were alerts or had no model, and from where what was judged lately can be
 * read again.
 */
import type { Commit } from "../log/log.ts";
import { initialCommit, readCommit, type StageCommit } from "./stage_commit.ts";

/** Counters of one partition of the scorer, besides a stage's. */
export interface ScoringCounters {
  /** Predictions that are alerts. */
  alerts: number;
  /** Rows read before there was a model: neither emitted nor dead letters. */
  unscored: number;
}

/**
 * A day that is being judged and where it began, as an array since it is kept
 * in every commit: the day, its cut, an offset of the prediction partition
 * before or at the day's first prediction, that prediction's TRANSACTION_ID,
 * and the number of predictions before it.
 */
export type JudgedDay = readonly [
  day: number,
  cut: number,
  offset: number,
  firstId: number,
  emitted: number,
];

/** What stands in the metadata of the scorer's commits. */
export interface ScoringCommit extends StageCommit {
  /** Counters of its own. */
  readonly scoring: ScoringCounters;
  /** The days that are being judged; none where the policy needs no memory. */
  readonly judged: readonly JudgedDay[];
}

/** The metadata of a scorer's commit; undefined where readCommit() gives none, or what the scorer adds is damaged. */
export function readScoringCommit(
  commit: Commit | undefined,
): ScoringCommit | undefined {
  const read: Partial<ScoringCommit> & StageCommit | undefined = readCommit(
    commit,
  );
  if (!read) return undefined;
  const { scoring = { alerts: 0, unscored: 0 }, judged = [] } = read;
  const isSound = Number.isSafeInteger(scoring?.alerts) &&
    Number.isSafeInteger(scoring?.unscored) &&
    Array.isArray(judged) && judged.every(isJudgedDay);
  return isSound ? { ...read, scoring, judged } : undefined;
}

/** The metadata of a scorer's commit; the initial state where readScoringCommit() finds none. */
export function parseScoringCommit(commit: Commit | undefined): ScoringCommit {
  return readScoringCommit(commit) ?? {
    ...initialCommit(),
    scoring: { alerts: 0, unscored: 0 },
    judged: [],
  };
}

function isJudgedDay(value: unknown): value is JudgedDay {
  return Array.isArray(value) && value.length === 5 &&
    value.every(Number.isFinite);
}
