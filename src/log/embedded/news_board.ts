/**
 * Tells the tasks of one connection that something was appended or committed.
 * A task that waits for some topics sleeps through the others' news. What the connection itself has written wakes them at once; what others have
 * written is found by looking every few milliseconds while a task waits.
 */

/** How often others' writes are looked for, in milliseconds. */
const POLL_MS = 4;

interface Waiter {
  readonly deadline: number;
  /** The topics whose news it waits for; undefined for all. */
  readonly topics: readonly number[] | undefined;
  wake(): void;
}

/** The news of one connection. */
export class NewsBoard {
  readonly #look: () => void;
  readonly #waiters = new Set<Waiter>();
  #count = 0;
  /** News that concern all topics. */
  #common = 0;
  readonly #byTopic = new Map<number, number>();
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** `look` calls add() if others have written. */
  constructor(look: () => void) {
    this.#look = look;
  }

  /** A number that grows with the news: of some topics, or all. */
  count(topics?: readonly number[]): number {
    if (topics === undefined) return this.#count;
    let count = this.#common;
    for (const topic of topics) count += this.#byTopic.get(topic) ?? 0;
    return count;
  }

  /** Counts news, of some topics or what concerns all, and wakes all who wait for them, so that nobody waits for news that are counted. */
  add(topics?: ReadonlySet<number>): void {
    this.#count++;
    if (topics === undefined) this.#common++;
    else {
      for (const topic of topics) {
        this.#byTopic.set(topic, (this.#byTopic.get(topic) ?? 0) + 1);
      }
    }
    for (const waiter of [...this.#waiters]) {
      const concerns = topics === undefined || waiter.topics === undefined ||
        waiter.topics.some((topic) => topics.has(topic));
      if (concerns) waiter.wake();
    }
  }

  /**
   * Waits until the count is another than `seen`, for the timeout or the signal.
   * From the comparison to the waiting there is no await: no own news come in
   * between, and those of others are found by the next look.
   */
  async since(
    seen: number,
    { timeoutMs, signal, topics }: {
      readonly timeoutMs: number;
      readonly signal: AbortSignal;
      readonly topics?: readonly number[] | undefined;
    },
  ): Promise<void> {
    if (signal.aborted || this.count(topics) !== seen) return;
    await new Promise<void>((resolve) => {
      const waiter = {
        deadline: performance.now() + timeoutMs,
        topics,
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
