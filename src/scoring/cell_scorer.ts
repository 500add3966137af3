/**
 * Scores payments with their features in rows of cells. Streams and files
 * share it, so that the same payment has the same score in both, bit for bit.
 */
import { ModelError } from "../base/error.ts";
import { CELL } from "../payment/payment_cells.ts";
import type { ModelInUse } from "./open_model.ts";

/** Scores rows of one width, in memory that it keeps. */
export class CellScorer {
  readonly #width: number;
  #model: ModelInUse | undefined;
  #values = new Float64Array(0);
  #scores = new Float64Array(0);
  #contributions = new Float64Array(0);

  /** For rows of a payment's cells and its features', `width` in all. */
  constructor(width: number) {
    this.#width = width;
  }

  /** The scores of the first `rows` rows, valid until the next call. Throws ModelError for a score that is not in 0…1. */
  async score(
    model: ModelInUse,
    cells: Float64Array,
    rows: number,
  ): Promise<Float64Array> {
    const { scorer, cells: places, version } = model;
    const width = places.length;
    if (this.#values.length < rows * width) {
      this.#values = new Float64Array(rows * width);
    }
    if (this.#scores.length < rows) this.#scores = new Float64Array(rows);
    const values = this.#values;
    for (let row = 0; row < rows; row++) {
      const at = row * this.#width;
      const to = row * width;
      for (let i = 0; i < width; i++) values[to + i] = cells[at + places[i]];
    }
    const scores = this.#scores.subarray(0, rows);
    // A scorer within this program answers at once.
    const pending = scorer.score(values, rows, scores);
    if (pending) await pending;
    for (let row = 0; row < rows; row++) {
      const score = scores[row];
      if (score >= 0 && score <= 1) continue;
      const id = cells[row * this.#width + CELL.id];
      throw new ModelError(
        `the model ${version} gives payment ${id} the score ${score}, ` +
          "which is not in 0…1; use another model",
      );
    }
    this.#model = model;
    return scores;
  }

  /** What each input added to the margin of row `row` of those scored last, valid until the next call; undefined where the model does not tell. */
  explain(row: number): Float64Array | undefined {
    const { scorer, cells } = this.#model ?? {};
    if (!scorer?.explain || !cells) return undefined;
    const width = cells.length;
    if (this.#contributions.length !== width) {
      this.#contributions = new Float64Array(width);
    }
    scorer.explain(this.#values, row * width, this.#contributions);
    return this.#contributions;
  }
}
