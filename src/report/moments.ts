/**
 * Mean and variance of numbers that come one by one, and the correlation of a
 * number with a label that is 0 or 1, from the two classes' moments.
 */

/** Count, mean and variance so far (Welford's method, which does not cancel). */
export class Moments {
  /** Number of numbers. */
  count = 0;
  /** Their mean; 0 if there are none. */
  mean = 0;
  /** Sum of the squared distances from the mean. */
  squares = 0;

  /** Takes a number. */
  add(value: number): void {
    this.count++;
    const distance = value - this.mean;
    this.mean += distance / this.count;
    this.squares += distance * (value - this.mean);
  }

  /** Population standard deviation; NaN if there are no numbers. */
  get deviation(): number {
    return this.count === 0 ? NaN : Math.sqrt(this.squares / this.count);
  }
}

/**
 * Pearson's correlation of a number with the label, which for a label of 0 and
 * 1 is the point-biserial one; NaN where number or label is constant.
 */
export function labelCorrelation(genuine: Moments, fraud: Moments): number {
  const count = genuine.count + fraud.count;
  if (genuine.count === 0 || fraud.count === 0) return NaN;
  const between = fraud.mean - genuine.mean;
  const weight = genuine.count * fraud.count / count;
  const squares = genuine.squares + fraud.squares + weight * between * between;
  if (!(squares > 0)) return NaN;
  return between * Math.sqrt(weight / squares);
}
