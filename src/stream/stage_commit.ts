/**
 * What a stage stores with every offset: how far event time has come, where a
 * replay has to begin, and the counters. It is written in the same atomic
 * step as the offset, so all of it is true of exactly the rows before it.
 */
import type { Commit } from "../log/log.ts";
import type { RecordMark } from "../log/record_batch.ts";

/** Counters of one partition of a stage; only atomic steps move them. */
export interface StageCounters {
  /** Rows read, one way or another. */
  read: number;
  /** Rows handed on. */
  emitted: number;
  /** Rows that went to the dead letters. */
  deadLettered: number;
  /** Rows that had been accepted before. */
  duplicates: number;
  /** Frauds among the emitted. */
  frauds: number;
}

/** A place in a partition from which a replay can begin. */
export interface Checkpoint {
  /** Offset of the record to begin with. */
  readonly offset: number;
  /** Greatest TX_TIME_SECONDS of the rows accepted before it; 0 before the first. */
  readonly progress: number;
}

/** The form of the metadata; commits of versions before this one name none. */
const FORMAT = 2;

/** What stands in a commit's metadata. */
export interface StageCommit {
  /** The form that it has. */
  readonly version?: number;
  /** The offset that it belongs to: one that somebody has moved since differs from it. */
  readonly offset?: number;
  /** The last record before the offset, where there is one: a topic that was made again holds another. */
  readonly last?: RecordMark | null;
  /** Greatest TX_TIME_SECONDS of the accepted rows up to the offset; 0 before the first. */
  readonly progress: number;
  /** TX_TIME_SECONDS of the row at the offset, if it has been read and must wait. */
  readonly head: number | null;
  /** Where a replay that restores the state begins. */
  readonly replay: Checkpoint;
  /** What has been done up to the offset. */
  readonly counters: StageCounters;
}

/** What a stage commits at an offset, in the form of this version. */
export function stageCommit(
  offset: number,
  commit: Omit<StageCommit, "version" | "offset">,
): StageCommit {
  return { version: FORMAT, offset, ...commit };
}

/** The commit of a stage that keeps no state: a replay has nothing to restore and begins at the offset. */
export function statelessCommit(
  offset: number,
  progress: number,
  counters: StageCounters,
  last: RecordMark | null = null,
): StageCommit {
  const replay = { offset, progress };
  return stageCommit(offset, { last, progress, head: null, replay, counters });
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
}

/**
 * The metadata of a commit. Undefined where a stage cannot go on from it: there
 * is none, another program has set the offset, or it is damaged.
 */
export function readCommit(
  commit: Commit | undefined,
): StageCommit | undefined {
  if (!commit) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(commit.metadata);
  } catch {
    return undefined;
  }
  return isStageCommit(value) && isOf(value, commit) ? value : undefined;
}

/** The metadata of a commit; the initial state where readCommit() finds none. */
export function parseCommit(commit: Commit | undefined): StageCommit {
  return readCommit(commit) ?? initialCommit();
}

/** How far a stage has come in a partition: the offset of a commit that it has made itself, else 0. */
export function takenOffset(commit: Commit | undefined): number {
  return commit && readCommit(commit) ? commit.offset : 0;
}

function isStageCommit(value: unknown): value is StageCommit {
  if (typeof value !== "object" || value === null) return false;
  const { version, offset, last, progress, head, replay, counters } =
    value as Partial<StageCommit>;
  return (version ?? 1) <= FORMAT &&
    (offset === undefined || isCount(offset)) &&
    (last === undefined || last === null ||
      isCount(last.offset) && isCount(last.check)) &&
    isCount(progress) && (head === null || isCount(head)) &&
    isCount(replay?.offset) && isCount(replay?.progress) &&
    COUNTERS.every((name) => isCount(counters?.[name]));
}

/** Whether a stage has written this at the commit's offset. */
function isOf({ offset, last, replay }: StageCommit, commit: Commit): boolean {
  return (offset ?? commit.offset) === commit.offset &&
    replay.offset <= commit.offset &&
    (!last || last.offset < commit.offset);
}

const COUNTERS = Object.keys(noCounters()) as (keyof StageCounters)[];

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/**
 * Reads the commits of a topic's partitions, each only once as long as it
 * stays: every step looks at those of all partitions.
 */
export class CommitReader {
  readonly #read: { commit: Commit; read: StageCommit | undefined }[] = [];

  /** What readCommit() gives for a partition's commit, not to be changed. */
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

/**
 * Remembers from where a replay must begin so that it sees every row younger
 * than `replaySeconds` behind the progress, and knows the progress before it.
 */
export class ReplayMarks {
  readonly #replaySeconds: number;
  readonly #stepSeconds: number;
  #marks: Checkpoint[];

  /** Continues from the checkpoint of a commit. */
  constructor(replaySeconds: number, from: Checkpoint) {
    this.#replaySeconds = replaySeconds;
    this.#stepSeconds = Math.max(3600, Math.floor(replaySeconds / 64));
    this.#marks = [from];
  }

  /** Call before a row is accepted that moves the progress from `before` to `after`. */
  advance(offset: number, before: number, after: number): void {
    const last = this.#marks[this.#marks.length - 1];
    const step = this.#stepSeconds;
    if (Math.floor(after / step) === Math.floor(before / step)) return;
    if (offset > last.offset) this.#marks.push({ offset, progress: before });
    const horizon = after - this.#replaySeconds;
    let first = 0;
    while (
      first + 1 < this.#marks.length &&
      this.#marks[first + 1].progress < horizon
    ) first++;
    if (first > 0) this.#marks = this.#marks.slice(first);
  }

  /**
   * Call when the record at offset `to` was judged by what was accepted at
   * `from`: a replay must not begin in between, for it would judge otherwise.
   */
  bridge(from: number, to: number): void {
    this.#marks = this.#marks.filter(({ offset }) =>
      offset <= from || offset > to
    );
  }

  /** Where a replay begins now. */
  get checkpoint(): Checkpoint {
    return this.#marks[0];
  }
}
