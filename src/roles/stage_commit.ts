/**
 * What a stage stores with every offset: how far event time has come, where a
 * replay has to begin, and the counters. It is written in the same atomic
 * step as the offset, so all of it is true of exactly the rows before it.
 */
import type { Commit } from "../log/log.ts";

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

/** What stands in a commit's metadata. */
export interface StageCommit {
  /** Greatest TX_TIME_SECONDS of the accepted rows up to the offset; 0 before the first. */
  readonly progress: number;
  /** TX_TIME_SECONDS of the row at the offset, if it has been read and must wait. */
  readonly head: number | null;
  /** Where a replay that restores the state begins. */
  readonly replay: Checkpoint;
  /** What has been done up to the offset. */
  readonly counters: StageCounters;
}

/** The commit of a stage that keeps no state: a replay has nothing to restore and begins at the offset. */
export function statelessCommit(
  offset: number,
  progress: number,
  counters: StageCounters,
): StageCommit {
  return { progress, head: null, replay: { offset, progress }, counters };
}

/** The state before anything has been read. */
export function initialCommit(): StageCommit {
  return {
    progress: 0,
    head: null,
    replay: { offset: 0, progress: 0 },
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

/** The metadata of a commit; the initial state where there is none. */
export function parseCommit(commit: Commit | undefined): StageCommit {
  return commit ? JSON.parse(commit.metadata) as StageCommit : initialCommit();
}

/**
 * Parses the commits of a topic's partitions, each only once as long as it
 * stays: every step looks at those of all partitions.
 */
export class CommitReader {
  readonly #read: { metadata: string; parsed: StageCommit }[] = [];

  /** The metadata of a partition's commit, not to be changed; the initial state where there is none. */
  parse(partition: number, commit: Commit | undefined): StageCommit {
    if (!commit) return initialCommit();
    const known = this.#read[partition];
    if (known?.metadata === commit.metadata) return known.parsed;
    const parsed = parseCommit(commit);
    this.#read[partition] = { metadata: commit.metadata, parsed };
    return parsed;
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
