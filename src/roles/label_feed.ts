/**
 * The labels of payments that a producer knows from the start, to be published
 * when they would be known: a fixed time after the payment, each right before
 * the first payment that is later. So what has been published follows from the
 * last payment published, and a producer that starts again needs to keep no
 * more than that. Labels that are known after the last payment follow it; of
 * them it keeps how many there were.
 */
import type { MappedPayment } from "../definition/payment_mapper.ts";
import type { RowPlace } from "../files/mapped_payments.ts";
import type { PaymentBatch } from "../files/payment_source.ts";
import { DAY_SECONDS, emptyPayment, type Payment } from "../payment/payment.ts";
import { FRAUD_UNKNOWN } from "../payment/payment_cells.ts";
import type { StreamParameters } from "../stream/control.ts";
import { definitionOf } from "../stream/stream_definition.ts";

/** How long after its payment a label is known, so that it counts when the delay has passed; undefined where payments carry their labels. */
export function labelSeconds(
  { features, definition }: StreamParameters,
): number | undefined {
  const { delayDays, graceSeconds } = features;
  if (graceSeconds === undefined) return undefined;
  // Without features a delay need not be whole days.
  const delaySeconds = definition
    ? definitionOf(definition).labels.delaySeconds
    : delayDays * DAY_SECONDS;
  return delaySeconds - graceSeconds;
}

/** Payments whose labels are not published yet, in order of time. */
export class LabelFeed {
  readonly #knownAfterSeconds: number;
  readonly #row = emptyPayment();
  #newestSeconds = 0;
  #batches: PaymentBatch[] = [];
  #at = 0;

  /** Labels are known `knownAfterSeconds` after their payments. */
  constructor(knownAfterSeconds: number) {
    this.#knownAfterSeconds = knownAfterSeconds;
  }

  /** Takes payments that are being published; none may be earlier than those before. */
  add(batch: PaymentBatch): void {
    if (batch.length === 0) return;
    this.#batches.push(batch);
    this.#newestSeconds = batch.timeSeconds[batch.length - 1];
  }

  /** TX_TIME_SECONDS of the newest payment. */
  get newestSeconds(): number {
    return this.#newestSeconds;
  }

  /** Passes on the labels that are known before `timeSeconds`, each once, in order, `limit` of them at most: the payment, which is reused, and KNOWN_AT as TX_TIME_SECONDS. Returns their number. */
  due(
    timeSeconds: number,
    take: (payment: Payment, knownSeconds: number) => void,
    limit = Infinity,
  ): number {
    let count = 0;
    for (let batch = this.#batches[0]; batch; batch = this.#batches[0]) {
      for (; this.#at < batch.length; this.#at++) {
        const known = batch.timeSeconds[this.#at] + this.#knownAfterSeconds;
        if (known >= timeSeconds || count === limit) return count;
        batch.read(this.#at, this.#row);
        take(this.#row, known);
        count++;
      }
      this.#batches.shift();
      this.#at = 0;
    }
    return count;
  }
}

/** The same for payments of files, which may come a little out of order: labels then come in the order of their payments. */
export class MappedLabelFeed {
  readonly #knownAfterSeconds: number;
  #waiting: { readonly payment: MappedPayment; readonly place: RowPlace }[] =
    [];
  #next = 0;
  #newest = -Infinity;

  /** Labels are known `knownAfterSeconds` after their payments. */
  constructor(knownAfterSeconds: number) {
    this.#knownAfterSeconds = knownAfterSeconds;
  }

  /** The place before the first payment whose label has not been passed on; undefined for none. */
  get place(): RowPlace | undefined {
    return this.#waiting[this.#next]?.place;
  }

  /** Takes a payment that is being published, and the place before it. */
  add(payment: MappedPayment, place: RowPlace): void {
    this.#newest = Math.max(this.#newest, payment.datetimeSeconds);
    if (payment.fraud === FRAUD_UNKNOWN) return;
    this.#waiting.push({ payment, place });
  }

  /** TX_DATETIME of the newest payment, seconds since 1970. */
  get newestSeconds(): number {
    return this.#newest;
  }

  /** Passes on the labels that are known before a payment of that time, `limit` of them at most: the payment, and KNOWN_AT; all in seconds since 1970. Returns their number. */
  due(
    datetimeSeconds: number,
    take: (payment: MappedPayment, knownAt: number) => void,
    limit = Infinity,
  ): number {
    const now = Math.max(this.#newest, datetimeSeconds);
    let count = 0;
    for (; this.#next < this.#waiting.length; this.#next++, count++) {
      const { payment } = this.#waiting[this.#next];
      const knownAt = payment.datetimeSeconds + this.#knownAfterSeconds;
      if (knownAt >= now || count === limit) break;
      take(payment, knownAt);
    }
    if (2 * this.#next > this.#waiting.length) {
      this.#waiting.splice(0, this.#next);
      this.#next = 0;
    }
    return count;
  }
}
