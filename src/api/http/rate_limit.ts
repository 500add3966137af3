/** How many requests per second each client may make: a token bucket per client. */

/** A client's bucket. */
interface Bucket {
  /** Requests that it may make at once. */
  left: number;
  /** When that was, in milliseconds of the clock. */
  at: number;
}

/** Clients that are remembered; a client that is forgotten has a full bucket again. */
const CLIENTS_MAX = 10_000;

/** Counts the requests of clients. A client that was quiet for a second may make a second's requests at once. */
export class RateLimit {
  readonly #perMs: number;
  readonly #burst: number;
  readonly #now: () => number;
  /** The client that came first stands first. */
  readonly #buckets = new Map<string, Bucket>();

  /** Allows so many requests per second; `now` is a clock in milliseconds. */
  constructor(perSecond: number, now: () => number) {
    this.#perMs = perSecond / 1000;
    this.#burst = Math.max(1, perSecond);
    this.#now = now;
  }

  /** Counts a request; returns 0, or the whole seconds after which the client may try again. */
  take(client: string): number {
    const bucket = this.#bucketOf(client);
    if (bucket.left >= 1) {
      bucket.left--;
      return 0;
    }
    return Math.max(1, Math.ceil((1 - bucket.left) / this.#perMs / 1000));
  }

  #bucketOf(client: string): Bucket {
    const now = this.#now();
    const found = this.#buckets.get(client);
    if (found) {
      const gained = (now - found.at) * this.#perMs;
      found.left = Math.min(this.#burst, found.left + gained);
      found.at = now;
      return found;
    }
    if (this.#buckets.size >= CLIENTS_MAX) this.#forgetOldest();
    const bucket = { left: this.#burst, at: now };
    this.#buckets.set(client, bucket);
    return bucket;
  }

  #forgetOldest(): void {
    for (const client of this.#buckets.keys()) {
      this.#buckets.delete(client);
      return;
    }
  }
}
