/**
 * The labels of payments that a producer knows from the start, to be published
 * when they would be known: a fixed time after the payment, each right before
 * the first payment that is later. So what has been published follows from the
 * last payment published, and a producer that starts again needs to keep no
 * more than that.
 */
import type { PaymentBatch } from "../files/payment_source.ts";
import { emptyPayment, type Payment } from "../payment/payment.ts";

/** Payments whose labels are not published yet, in order of time. */
export class LabelFeed {
  readonly #knownAfterSeconds: number;
  readonly #row = emptyPayment();
  #batches: PaymentBatch[] = [];
  #at = 0;

  /** Labels are known `knownAfterSeconds` after their payments. */
  constructor(knownAfterSeconds: number) {
    this.#knownAfterSeconds = knownAfterSeconds;
  }

  /** Takes payments that are being published; none may be earlier than those before. */
  add(batch: PaymentBatch): void {
    if (batch.length > 0) this.#batches.push(batch);
  }

  /** Passes on the labels that are known before `timeSeconds`, each once, in order: the payment, which is reused, and KNOWN_AT as TX_TIME_SECONDS. */
  due(
    timeSeconds: number,
    take: (payment: Payment, knownSeconds: number) => void,
  ): void {
    for (let batch = this.#batches[0]; batch; batch = this.#batches[0]) {
      for (; this.#at < batch.length; this.#at++) {
        const known = batch.timeSeconds[this.#at] + this.#knownAfterSeconds;
        if (known >= timeSeconds) return;
        batch.read(this.#at, this.#row);
        take(this.#row, known);
      }
      this.#batches.shift();
      this.#at = 0;
    }
  }
}
