/**
 * The newest answers, in memory. Every prediction that the API has read is here
 * or in the store: an answer is forgotten only when the store holds it. So a
 * payment that neither has was not decided about when that was looked up.
 */
import type { TransactionId } from "../payment/payment.ts";
import type { Answer } from "./answer.ts";

/** How many answers are kept. */
export interface AnswerLimits {
  /** Those that are kept although the store has them: a client asks again soon. */
  readonly kept: number;
  /** Those that the store does not have yet, at most. */
  readonly unstored: number;
}

const LIMITS: AnswerLimits = { kept: 5000, unstored: 200_000 };

/** The newest answers, by TRANSACTION_ID. */
export class KnownAnswers {
  readonly #answers = new Map<TransactionId, Answer>();
  readonly #limits: AnswerLimits;

  /** Keeps none yet. */
  constructor(limits: AnswerLimits = LIMITS) {
    this.#limits = limits;
  }

  /** How many there are. */
  get size(): number {
    return this.#answers.size;
  }

  /** Whether more than the usual number are kept, so that forget() has something to do. */
  get isLarge(): boolean {
    return this.#answers.size > this.#limits.kept;
  }

  /** Whether the store is so far behind that no more can be kept. */
  get isFull(): boolean {
    const { kept, unstored } = this.#limits;
    return this.#answers.size >= kept + unstored;
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
      if (this.#answers.size <= this.#limits.kept) return;
      if (offset >= (storedBelow.get(partition) ?? 0)) return;
      this.#answers.delete(id);
    }
  }
}
