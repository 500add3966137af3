/** Scores payments as they pass and keeps what the curves of a model need: a label, a score and an amount each. */
import type { Scorer } from "../learning/kinds/model.ts";
import type { PricedScores } from "../learning/judge/thresholds.ts";
import { FRAUD_UNKNOWN } from "../payment/payment_cells.ts";
import { DAY_SECONDS, type Payment } from "../payment/payment.ts";

/** Payments that are scored at once. */
const BATCH_ROWS = 4096;

/** Scores of the payments from some time on. */
export class ScoreCollector {
  readonly #scorer: Scorer;
  readonly #fromSeconds: number;
  readonly #width: number;
  readonly #places: readonly number[];
  readonly #batch: Float64Array;
  #batched = 0;
  #rows = 0;
  #labels = new Uint8Array(BATCH_ROWS);
  #scores = new Float64Array(BATCH_ROWS);
  #amount = new Float64Array(BATCH_ROWS);
  readonly #days = new Set<number>();

  /** Makes a collector of payments from `fromSeconds` since 1970 on; the scorer's inputs are among TX_AMOUNT and these features. */
  constructor(
    scorer: Scorer,
    features: readonly string[],
    fromSeconds: number,
  ) {
    this.#scorer = scorer;
    this.#places = scorer.inputs.map((name) => features.indexOf(name));
    this.#fromSeconds = fromSeconds;
    this.#width = scorer.inputs.length;
    this.#batch = new Float64Array(BATCH_ROWS * this.#width);
  }

  /** Takes a payment, whose features stand in `values` from `at` on; waits where a batch is full. */
  async add(row: Payment, values: Float64Array, at: number): Promise<void> {
    if (this.#batched === BATCH_ROWS) await this.flush();
    this.#days.add(Math.floor(row.timeSeconds / DAY_SECONDS));
    const start = this.#batched++ * this.#width;
    for (let input = 0; input < this.#width; input++) {
      const place = this.#places[input]; // -1 is TX_AMOUNT
      const value = place < 0 ? row.amount : values[at + place];
      this.#batch[start + input] = value;
    }
    if (this.#rows === this.#labels.length) this.#grow();
    this.#labels[this.#rows] = row.fraud;
    this.#amount[this.#rows++] = row.amount;
  }

  /** Whether a payment is of a day that is judged, and its outcome known. */
  wants(row: Payment): boolean {
    return row.datetimeSeconds >= this.#fromSeconds &&
      row.fraud !== FRAUD_UNKNOWN;
  }

  /** Number of days that payments came from. */
  get days(): number {
    return this.#days.size;
  }

  /** Scores what has not been scored yet. */
  async flush(): Promise<void> {
    if (this.#batched === 0) return;
    const scores = this.#scores.subarray(
      this.#rows - this.#batched,
      this.#rows,
    );
    await this.#scorer.score(this.#batch, this.#batched, scores);
    this.#batched = 0;
  }

  /** All payments so far, scored. */
  async finish(): Promise<PricedScores> {
    await this.flush();
    return {
      labels: this.#labels.subarray(0, this.#rows),
      scores: this.#scores.subarray(0, this.#rows),
      amount: this.#amount.subarray(0, this.#rows),
    };
  }

  #grow(): void {
    const rows = 2 * this.#labels.length;
    const { labels, scores, amount } = {
      labels: new Uint8Array(rows),
      scores: new Float64Array(rows),
      amount: new Float64Array(rows),
    };
    labels.set(this.#labels);
    scores.set(this.#scores);
    amount.set(this.#amount);
    this.#labels = labels;
    this.#scores = scores;
    this.#amount = amount;
  }
}
