/**
 * The rule which label of a payment counts at a time, as plainly as it can be
 * said, and random labels to ask it about.
 */
import fc from "fast-check";
import { FRAUD_UNKNOWN } from "../../../src/payment/payment_cells.ts";

/** A label record, in the order of its partition; times as TX_TIME_SECONDS. */
export interface OracleLabel<Id> {
  readonly id: Id;
  readonly knownAt: number;
  readonly knownTime: number;
  /** 0 or 1; null withdraws the labels before. */
  readonly fraud: number | null;
}

/**
 * The label of a payment of that time at `asOf`: 0, 1, or undefined where it is
 * unknown. `labels` are all records of the stream.
 */
export function labelAt<Id>(
  labels: readonly OracleLabel<Id>[],
  payment: { readonly id: Id; readonly time: number },
  { asOf, matureSeconds }: {
    readonly asOf: number;
    readonly matureSeconds: number;
  },
): number | undefined {
  let newest: OracleLabel<Id> | undefined;
  for (const label of labels) {
    if (label.id !== payment.id || label.knownTime > asOf) continue;
    if (newest === undefined || label.knownAt >= newest.knownAt) newest = label;
  }
  if (newest !== undefined && newest.fraud !== null) return newest.fraud;
  return payment.time + matureSeconds <= asOf ? 0 : undefined;
}

/** A payment and what becomes known of it. */
export interface RandomPayment {
  readonly id: number;
  readonly card: number;
  readonly time: number;
  readonly labels: readonly {
    /** When the record comes, after its payment. */
    readonly after: number;
    /** How long before that it was known; negative for a KNOWN_AT in the future. */
    readonly before: number;
    readonly fraud: number | null;
  }[];
}

/** All times are multiples of this, so that many are equal. */
export const TICK = 86_400 / 4;

/** Payments of some days with labels that are late, corrected, doubled, withdrawn and out of order. */
export function randomPayments(days: number): fc.Arbitrary<RandomPayment[]> {
  const ticks = (from: number, to: number) =>
    fc.integer({ min: 4 * from, max: 4 * to }).map((n) => n * TICK);
  const label = fc.record({
    after: ticks(0, days),
    before: ticks(-1, 3),
    fraud: fc.constantFrom(0, 1, 1, null),
  });
  return fc.uniqueArray(
    fc.record({
      id: fc.nat(200),
      card: fc.nat(5),
      time: ticks(0, days - 1),
      labels: fc.array(label, { maxLength: 4 }),
    }),
    { selector: ({ id }: RandomPayment) => id, maxLength: 40 },
  );
}

/** The label records of payments as the first stage writes them, in the order of their coming. */
export function labelRecords(
  payments: readonly RandomPayment[],
): (OracleLabel<number> & { readonly payment: RandomPayment })[] {
  return payments
    .flatMap((payment) =>
      payment.labels.map(({ after, before, fraud }) => {
        const comes = payment.time + after;
        const knownAt = Math.max(0, comes - before);
        const knownTime = Math.max(knownAt, comes);
        return { id: payment.id, comes, knownAt, knownTime, fraud, payment };
      })
    )
    .sort((a, b) => a.comes - b.comes)
    .map(({ comes: _, ...label }) => label);
}

/** FRAUD_UNKNOWN for a label that withdraws those before. */
export function fraudCell(fraud: number | null): number {
  return fraud ?? FRAUD_UNKNOWN;
}
