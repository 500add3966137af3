/**
 * Latency from published to stored, by numbers that grow with the payments: the
 * simulator's TRANSACTION_ID, or TX_TIME_SECONDS of payments in files. The
 * publisher reports the numbers that it has published and when, the writer those
 * that it has stored.
 */

const MARKS_MAX = 65_536;
const SAMPLES_MAX = 20_000;

/** Percentiles in milliseconds. */
export interface LatencySummary {
  /** Number of payments measured. */
  readonly samples: number;
  /** Half were faster. */
  readonly p50: number;
  /** 95 of 100 samples were faster. */
  readonly p95: number;
  /** 99 of 100 samples were faster. */
  readonly p99: number;
  /** The slowest. */
  readonly max: number;
}

/** Collects times and gives percentiles of the newest. */
export class LatencyMeter {
  // Marks ascending: payments below #nextIds[i] (and not below the one
  // before) were published at #times[i].
  #nextIds: number[] = [];
  #times: number[] = [];
  #samples: number[] = [];
  #count = 0;
  #max = 0;

  /** The payments below `nextId` have been published by `at` (milliseconds). */
  published(nextId: number, at: number): void {
    this.#nextIds.push(nextId);
    this.#times.push(at);
    if (this.#nextIds.length > MARKS_MAX) {
      this.#nextIds.splice(0, MARKS_MAX / 2);
      this.#times.splice(0, MARKS_MAX / 2);
    }
  }

  /** The payment has been stored at `at` (milliseconds). */
  stored(id: number, at: number): void {
    const mark = this.#markOf(id);
    if (mark === undefined) return;
    const latency = Math.max(0, at - this.#times[mark]);
    this.#samples[this.#count % SAMPLES_MAX] = latency;
    this.#count++;
    this.#max = Math.max(this.#max, latency);
  }

  /** Percentiles of the newest samples; undefined if there are none. */
  summary(): LatencySummary | undefined {
    if (this.#count === 0) return undefined;
    const sorted = Float64Array.from(this.#samples).sort();
    const at = (share: number) =>
      sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
    return {
      samples: this.#count,
      p50: at(0.5),
      p95: at(0.95),
      p99: at(0.99),
      max: this.#max,
    };
  }

  /** First mark above an id; undefined if it was published before the first or is unknown. */
  #markOf(id: number): number | undefined {
    let low = 0;
    let high = this.#nextIds.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#nextIds[middle] <= id) low = middle + 1;
      else high = middle;
    }
    if (low === this.#nextIds.length || low === 0) return undefined;
    return low;
  }
}
