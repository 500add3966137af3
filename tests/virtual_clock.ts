/**
 * A clock that goes on only when nobody has anything else to do, and then at
 * once to the next moment that somebody waits for: what takes minutes is over
 * in milliseconds, and comes in the same order each time.
 */
import { setImmediate } from "node:timers/promises";
import type { Clock } from "../src/base/clock.ts";
import { chance } from "./long.ts";

interface Sleeper {
  readonly at: number;
  readonly number: number;
  readonly wake: () => void;
}

/** A clock of its own, and chance from a seed. */
export class VirtualClock implements Clock {
  /** See Clock. */
  readonly random: () => number;
  #now = 0;
  #sleepers: Sleeper[] = [];
  #slept = 0;
  #isGoing = false;

  /** Begins at 0. */
  constructor(seed: number) {
    this.random = chance(seed);
  }

  /** See Clock. */
  now(): number {
    return this.#now;
  }

  /** See Clock. */
  sleep(ms: number, signal?: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason);
      const stop = () => {
        this.#sleepers = this.#sleepers.filter((other) => other !== sleeper);
        reject(signal?.reason);
      };
      const sleeper = {
        at: this.#now + Math.max(0, ms),
        number: this.#slept++,
        wake: () => {
          signal?.removeEventListener("abort", stop);
          resolve();
        },
      };
      signal?.addEventListener("abort", stop, { once: true });
      this.#add(sleeper);
      this.#go();
    });
  }

  /** Keeps them in the order in which they wake. */
  #add(sleeper: Sleeper): void {
    let at = this.#sleepers.length;
    while (at > 0 && this.#sleepers[at - 1].at > sleeper.at) at--;
    this.#sleepers.splice(at, 0, sleeper);
  }

  /** Wakes one after the other, each once all that the one before led to is done. */
  async #go(): Promise<void> {
    if (this.#isGoing) return;
    this.#isGoing = true;
    // Nothing is left waiting when nobody sleeps: a test may end there.
    while (this.#sleepers.length > 0) {
      await setImmediate(); // promises come first
      const next = this.#sleepers.shift();
      if (!next) break; // its signal stopped it
      this.#now = Math.max(this.#now, next.at);
      next.wake();
    }
    this.#isGoing = false;
  }
}
