/** Where a replay that restores a stage's memory must begin. */

/** A place in a partition from which a replay can begin. */
export interface Checkpoint {
  /** Offset of the record to begin with. */
  readonly offset: number;
  /** Greatest TX_TIME_SECONDS of the rows accepted before it; 0 before the first. */
  readonly progress: number;
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

  /** All places where a replay may begin later, the present one first. */
  get all(): readonly Checkpoint[] {
    return this.#marks;
  }

  /** Continues with saved marks. */
  load(marks: readonly Checkpoint[]): void {
    this.#marks = [...marks];
  }

  /** Where a replay begins now. */
  get checkpoint(): Checkpoint {
    return this.#marks[0];
  }
}
