/**
 * The most frequent texts of a field and how many of their payments are frauds,
 * in bounded memory. As long as few different texts come, counts are exact.
 * Beyond that those that can be the rarest are forgotten, in batches (after the
 * Space-Saving of Metwally and others, 2005); of a text that comes afterwards it
 * is known how many of its payments may be missing. A text is never forgotten
 * that more than one in REMEMBERED payments has.
 */
import type { Outcome } from "./feature_statistics.ts";

/** Texts that are remembered when others are forgotten; twice as many at most. */
const REMEMBERED = 4096;

/** Counts of a text. */
export interface ValueCount {
  /** The text. */
  readonly value: string;
  /** Payments with it that were counted. */
  readonly payments: number;
  /** At most this many more were not. */
  readonly missed: number;
  /** How many of those counted have a known outcome. */
  readonly known: number;
  /** How many of those are frauds. */
  readonly frauds: number;
}

type OpenCount = { -readonly [key in keyof ValueCount]: ValueCount[key] };

/** Counts texts. */
export class FrequentValues {
  readonly #remembered: number;
  #counts = new Map<number, OpenCount>();
  /** What a forgotten text had at most. */
  #missed = 0;

  /** Remembers this many texts when it forgets others. */
  constructor(remembered: number = REMEMBERED) {
    this.#remembered = remembered;
  }

  /** Takes a payment whose text has a key; `text` gives the text of one that is new. */
  add(key: number, outcome: Outcome, text: () => string): void {
    let open = this.#counts.get(key);
    if (!open) {
      if (this.#counts.size === 2 * this.#remembered) this.#forget();
      const missed = this.#missed;
      open = { value: text(), payments: 0, missed, known: 0, frauds: 0 };
      this.#counts.set(key, open);
    }
    open.payments++;
    if (outcome === "unknown") return;
    open.known++;
    if (outcome === "fraud") open.frauds++;
  }

  /** The most frequent texts, at most this many, the most frequent first. */
  top(count: number): ValueCount[] {
    return [...this.#counts.values()].sort(byPayments).slice(0, count);
  }

  #forget(): void {
    // By what they may have: a text that often comes again must not always lose.
    const most = ({ payments, missed }: OpenCount) => payments + missed;
    const entries = [...this.#counts].sort(([, a], [, b]) => most(b) - most(a));
    for (const [, open] of entries.splice(this.#remembered)) {
      this.#missed = Math.max(this.#missed, most(open));
    }
    this.#counts = new Map(entries);
  }
}

/** The more frequent first, equal ones by their text. */
function byPayments(a: ValueCount, b: ValueCount): number {
  return b.payments - a.payments ||
    (a.value < b.value ? -1 : a.value > b.value ? 1 : 0);
}
