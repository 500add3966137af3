/**
 * A bound on the number of concurrent requests. Further requests wait in order
 * until one ends.
 */

/** Counts the requests that are in. */
export class InFlight {
  readonly #waiting: (() => void)[] = [];
  #free: number;

  /** Lets `limit` in. */
  constructor(limit: number) {
    this.#free = limit;
  }

  /** Enters; returns a promise to await, or undefined if there is room. */
  enter(): Promise<void> | undefined {
    if (this.#free > 0) {
      this.#free--;
      return undefined;
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Goes out. */
  leave(): void {
    const next = this.#waiting.shift();
    if (next) next();
    else this.#free++;
  }
}
