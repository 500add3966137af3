/**
 * Tells the tasks of one connection that something was appended or committed.
 * What the connection itself has written wakes them at once; what others have
 * written is found by looking every few milliseconds while somebody waits.
 */

/** How often others' writes are looked for, in milliseconds. */
const POLL_MS = 4;

interface Waiter {
  readonly deadline: number;
  wake(): void;
}

/** The news of one connection. */
export class NewsBoard {
  readonly #look: () => number;
  readonly #waiters = new Set<Waiter>();
  #count = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `look` calls add() if others have written, and returns the count. */
  constructor(look: () => number) {
    this.#look = look;
  }

  /** A number that grows with the news. */
  get count(): number {
    return this.#count;
  }

  /** Counts news and wakes all who wait, so that nobody waits for news that are counted. */
  add(): void {
    this.#count++;
    for (const waiter of [...this.#waiters]) waiter.wake();
  }

  /**
   * Waits until the count is another than `seen`, for the timeout or the signal.
   * From the look to the waiting there is no await: no news come in between.
   */
  async since(
    seen: number,
    timeoutMs: number,
    signal: AbortSignal,
  ): Promise<void> {
    if (signal.aborted || this.#look() !== seen) return;
    await new Promise<void>((resolve) => {
      const waiter = {
        deadline: performance.now() + timeoutMs,
        wake: () => {
          this.#waiters.delete(waiter);
          signal.removeEventListener("abort", waiter.wake);
          if (this.#waiters.size === 0) this.#stop();
          resolve();
        },
      };
      this.#waiters.add(waiter);
      signal.addEventListener("abort", waiter.wake);
      this.#timer ??= setTimeout(() => this.#poll(), POLL_MS);
    });
  }

  #poll(): void {
    this.#timer = undefined;
    try {
      this.#look();
    } catch {
      this.add(); // who wakes looks again, and gets the error
    }
    const now = performance.now();
    for (const waiter of [...this.#waiters]) {
      if (now >= waiter.deadline) waiter.wake();
    }
    if (this.#waiters.size === 0) return;
    this.#timer ??= setTimeout(() => this.#poll(), POLL_MS);
  }

  #stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
