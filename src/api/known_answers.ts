/**
 * The newest answers, in memory. Every prediction that the API has read is here
 * or in the store: an answer is forgotten only when the store holds it. So a
 * payment that neither has was not decided about when that was looked up.
 */
import type { TransactionId } from "../payment/payment.ts";
import type { Answer } from "./answer.ts";

/** Answers that are kept although the store has them: a client asks again soon. */
const KEPT = 20_000;
/** Answers that the store does not have yet, at most. */
const UNSTORED_MAX = 200_000;

/** The newest answers, by TRANSACTION_ID. */
export class KnownAnswers {
  readonly #answers = new Map<TransactionId, Answer>();

  /** How many there are. */
  get size(): number {
    return this.#answers.size;
  }

  /** Whether more than the usual number are kept, so that forget() has something to do. */
  get isLarge(): boolean {
    return this.#answers.size > KEPT;
  }

  /** Whether the store is so far behind that no more can be kept. */
  get isFull(): boolean {
    return this.#answers.size >= KEPT + UNSTORED_MAX;
  }

  /** The answer to a payment, if it is one of the newest. */
  get(id: TransactionId): Answer | undefined {
    return this.#answers.get(id);
  }

  /** Keeps an answer. */
  add(id: TransactionId, answer: Answer): void {
    this.#answers.set(id, answer);
  }

  /** Forgets the oldest answers, as far as the store holds them: predictions below an offset, by partition. */
  forget(storedBelow: ReadonlyMap<number, number>): void {
    for (const [id, { partition, offset }] of this.#answers) {
      if (this.#answers.size <= KEPT) return;
      if (offset >= (storedBelow.get(partition) ?? 0)) return;
      this.#answers.delete(id);
    }
  }
}
