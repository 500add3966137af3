/**
 * What a stage stores with every offset: the progress of event time, where a
 * replay must begin, the counters, and what the scorer and the writers add. It
 * is written in the same atomic step as the offset, so it describes exactly the
 * records before it. This is the only reader of commits: it treats one that it
 * cannot verify as missing.
 */
import {
  isCount,
  isObject,
  isOptional,
  parsedJson,
} from "../base/json_shape.ts";
import type { Commit } from "../log/log.ts";
import type { RecordMark } from "../log/record_batch.ts";
import type { Checkpoint } from "./replay_marks.ts";

/** Counters of one partition of a stage; only atomic steps move them. */
export interface StageCounters {
  /** Rows read, whatever their outcome. */
  read: number;
  /** Rows handed on. */
  emitted: number;
  /** Rows that went to the dead letters. */
  deadLettered: number;
  /** Rows that had been accepted before. */
  duplicates: number;
  /** Frauds among the emitted. */
  frauds: number;
  /** Labels taken, which are handed on to the next stage and not emitted; left out for none. */
  labels?: number;
}

/** Counters of one partition of the scorer, besides a stage's. */
export interface ScoringCounters {
  /** Predictions that are alerts. */
  alerts: number;
  /** Rows read before there was a model: neither emitted nor dead letters. */
  unscored: number;
  /** Payments to be reviewed; left out where no rules decide. */
  reviews?: number;
  /** Payments declined; left out where no rules decide. */
  declines?: number;
  /** What shadow models would have done, by their versions, the newest last; left out where there are none. */
  shadows?: ShadowCounters[];
}

/** What a shadow model would have done. */
export interface ShadowCounters {
  /** Its version. */
  readonly version: string;
  /** Payments that it scored. */
  scored: number;
  /** Those that it makes alerts. */
  alerts: number;
  /** Those of them that are no alerts of the live model. */
  gained: number;
  /** Alerts of the live model that are none of its. */
  lost: number;
}

/** Most shadow models whose counters a commit keeps. */
const SHADOWS_KEPT = 8;

/** The counters of a shadow model, which begin with its first payment; those of the oldest go where there are many. */
function shadowCounters(
  scoring: ScoringCounters,
  version: string,
): ShadowCounters {
  const shadows = scoring.shadows ??= [];
  const known = shadows.find((one) => one.version === version);
  if (known) return known;
  if (shadows.length >= SHADOWS_KEPT) shadows.shift();
  const counters = { version, scored: 0, alerts: 0, gained: 0, lost: 0 };
  shadows.push(counters);
  return counters;
}

/** Counts a payment that a shadow model scored: whether it is an alert of that model, and of the live one. */
export function countShadow(
  scoring: ScoringCounters,
  version: string,
  { own, live }: { readonly own: boolean; readonly live: boolean },
): void {
  const counters = shadowCounters(scoring, version);
  counters.scored++;
  if (own) counters.alerts++;
  if (own && !live) counters.gained++;
  if (live && !own) counters.lost++;
}

/** Adds what shadow models would have done in a partition. */
export function addShadows(
  sum: ScoringCounters,
  { shadows }: Pick<ScoringCounters, "shadows">,
): void {
  for (const one of shadows ?? []) {
    const own = shadowCounters(sum, one.version);
    own.scored += one.scored;
    own.alerts += one.alerts;
    own.gained += one.gained;
    own.lost += one.lost;
  }
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

/** The metadata of a commit. */
export interface StageCommit {
  /** The form that it has. */
  readonly version?: number;
  /** The offset that it belongs to. If another program has moved the group since, its offset differs. */
  readonly offset?: number;
  /** The last record before the offset, where there is one: a topic that was created again holds another. */
  readonly last?: RecordMark | null;
  /** Greatest TX_TIME_SECONDS of the accepted rows up to the offset; 0 before the first. */
  readonly progress: number;
  /** TX_TIME_SECONDS of the row at the offset, if it has been read and must wait. */
  readonly head: number | null;
  /** Where a replay that restores the state begins; the offset itself where there is none. */
  readonly replay: Checkpoint;
  /** What has been done up to the offset. */
  readonly counters: StageCounters;
  /** Of a writer: the counters, and the dead letters, hold the records below this offset though their rows are being stored again; left out where that is the commit's own offset. */
  readonly counted?: number;
  /** Of a writer: records that the log had lost before they were stored, and that were accepted as missing; left out for none. */
  readonly missing?: number;
  /** Of the scorer: its own counters. */
  readonly scoring?: ScoringCounters;
  /** Of the scorer: the days that are being judged; none where the policy needs no memory. */
  readonly judged?: readonly JudgedDay[];
}

/** The scorer's commit, with all that it adds. */
export type ScoringCommit =
  & StageCommit
  & Required<Pick<StageCommit, "scoring" | "judged">>;

/** The form of the metadata; commits of versions before this one name none. */
const FORMAT = 2;

/** What a stage commits at an offset, in the form of this version. */
export function stageCommit(
  offset: number,
  commit: Omit<StageCommit, "version" | "offset">,
): StageCommit {
  return { version: FORMAT, offset, ...commit };
}

/** The state before anything has been read of a topic whose first record is at `offset`. */
export function initialCommit(offset = 0): StageCommit {
  return {
    progress: 0,
    head: null,
    replay: { offset, progress: 0 },
    counters: noCounters(),
  };
}

/** Counters at 0. */
export function noCounters(): StageCounters {
  return { read: 0, emitted: 0, deadLettered: 0, duplicates: 0, frauds: 0 };
}

/** Adds counters to others. */
export function addCounters(sum: StageCounters, more: StageCounters): void {
  sum.read += more.read;
  sum.emitted += more.emitted;
  sum.deadLettered += more.deadLettered;
  sum.duplicates += more.duplicates;
  sum.frauds += more.frauds;
  if (more.labels) sum.labels = (sum.labels ?? 0) + more.labels;
}

/**
 * The metadata of a commit. Undefined if a stage cannot continue from it: there
 * is none, another program has set the offset, or it is damaged.
 */
export function readCommit(
  commit: Commit | undefined,
): StageCommit | undefined {
  if (!commit) return undefined;
  const value = parsedJson(commit.metadata);
  return isStageCommit(value) && isOf(value, commit) ? value : undefined;
}

/** The metadata of a commit; the initial state where readCommit() finds none. */
export function parseCommit(commit: Commit | undefined): StageCommit {
  return readCommit(commit) ?? initialCommit();
}

/** The metadata of a scorer's commit; undefined where readCommit() returns none. */
export function readScoringCommit(
  commit: Commit | undefined,
): ScoringCommit | undefined {
  const read = readCommit(commit);
  return read && scoringCommit(read);
}

/** The metadata of a scorer's commit; the initial state where readCommit() finds none. */
export function parseScoringCommit(commit: Commit | undefined): ScoringCommit {
  return scoringCommit(parseCommit(commit));
}

/** A commit with what the scorer adds: at 0 where it has added nothing yet. */
export function scoringCommit(commit: StageCommit): ScoringCommit {
  const { scoring = { alerts: 0, unscored: 0 }, judged = [] } = commit;
  return { ...commit, scoring, judged };
}

/** How far a stage has come in a partition: the offset of a commit that it has made itself, else 0. */
export function takenOffset(commit: Commit | undefined): number {
  return commit && readCommit(commit) ? commit.offset : 0;
}

function isStageCommit(value: unknown): value is StageCommit {
  if (!isObject(value)) return false;
  const { version, offset, last, progress, head, replay, counters, ...more } =
    value as Partial<StageCommit>;
  return (version ?? 1) <= FORMAT &&
    isOptional(offset, isCount) &&
    (last === undefined || last === null ||
      isCount(last.offset) && isCount(last.check)) &&
    isCount(progress) && (head === null || isCount(head)) &&
    isCount(replay?.offset) && isCount(replay?.progress) &&
    COUNTERS.every((name) => isCount(counters?.[name])) &&
    isOptional(counters?.labels, isCount) && isAddition(more);
}

/** Whether what the writers and the scorer add is absent or sound. */
function isAddition(
  { counted, missing, scoring, judged }: Partial<StageCommit>,
): boolean {
  return isOptional(counted, isCount) && isOptional(missing, isCount) &&
    (scoring === undefined ||
      isCount(scoring?.alerts) && isCount(scoring?.unscored) &&
        isOptional(scoring?.reviews, isCount) &&
        isOptional(scoring?.declines, isCount) &&
        isOptional(scoring?.shadows, areShadows)) &&
    (judged === undefined ||
      Array.isArray(judged) && judged.every(isJudgedDay));
}

function areShadows(value: unknown): boolean {
  return Array.isArray(value) &&
    value.every((one: Partial<ShadowCounters>) =>
      isObject(one) && typeof one.version === "string" &&
      isCount(one.scored) && isCount(one.alerts) && isCount(one.gained) &&
      isCount(one.lost)
    );
}

function isJudgedDay(value: unknown): value is JudgedDay {
  return Array.isArray(value) && value.length === 5 &&
    value.every(Number.isFinite);
}

/** Whether a stage has written this at the commit's offset. */
function isOf({ offset, last, replay }: StageCommit, commit: Commit): boolean {
  return (offset ?? commit.offset) === commit.offset &&
    replay.offset <= commit.offset &&
    (!last || last.offset < commit.offset);
}

const COUNTERS = Object.keys(noCounters()) as (keyof StageCounters)[];

/**
 * Reads the commits of a topic's partitions, each only once as long as it
 * stays: every step looks at those of all partitions.
 */
export class CommitReader {
  readonly #read: { commit: Commit; read: StageCommit | undefined }[] = [];

  /** The result of readCommit() for a partition's commit; do not change it. */
  read(
    partition: number,
    commit: Commit | undefined,
  ): StageCommit | undefined {
    if (!commit) return undefined;
    const known = this.#read[partition];
    const { offset, metadata } = commit;
    const isSame = known?.commit.metadata === metadata &&
      known.commit.offset === offset;
    if (isSame) return known.read;
    const read = readCommit(commit);
    this.#read[partition] = { commit, read };
    return read;
  }
}
