/** What models learn from: the payments of a source as columns, with the features of every other command. */
import {
  featureNames,
  type FeatureParameters,
  nullableNames,
} from "../features/parameters.ts";
import {
  AMOUNT_INPUT,
  type LabelledPayments,
  PaymentsBuilder,
  paymentsUntil,
} from "../learning/data/payments.ts";
import { emptyPayment } from "../payment/payment.ts";
import { FRAUD_UNKNOWN } from "../payment/payment_cells.ts";
import { FeatureBlocks } from "./payment_features.ts";
import type { PaymentSource } from "./payment_source.ts";

/** Which days are needed. */
export interface DayChoice {
  /** Day behind the last one that is read; Infinity for all. */
  readonly endDay: number;
  /** How many of the last days are kept; the windows see all days. */
  readonly spanDays: number;
}

/** How payments are gathered. */
export interface GatherOptions {
  /** Their features. */
  readonly features: FeatureParameters;
  /** Which days are needed. */
  readonly days: DayChoice;
  /** Ends the reading by throwing its reason. */
  readonly signal: AbortSignal;
  /** Called with the number of rows read, where all are read first. */
  readonly reading?: (rows: number) => void;
  /** Called after each batch with the number of payments read. */
  readonly gathered: (payments: number) => void;
}

/** Payments to learn from. */
export interface GatheredPayments {
  /** Those whose labels are known. */
  readonly payments: LabelledPayments;
  /** How many at the end of the data were left out: some of theirs are not known yet. */
  readonly unknown: number;
}

/**
 * Reads the days that are needed, with the inputs of models: the amount, then
 * the features. A payment without a label is genuine if that must be known when
 * the data end. Of later payments, where some have no label, none is taken: the
 * others are those of which a label came early, most of them frauds. Throws
 * DataError.
 */
export async function gatherPayments(
  source: PaymentSource,
  options: GatherOptions,
): Promise<GatheredPayments> {
  const { features, days: { endDay, spanDays }, signal, gathered } = options;
  const { shape } = source;
  const blocks = new FeatureBlocks(features, shape);
  const inputs = [AMOUNT_INPUT, ...featureNames(features)];
  const nullable = nullableNames(features);
  const empty = () =>
    new PaymentsBuilder(inputs, source.startSeconds ?? 0, {
      ...{ spanDays, shape, nullable },
    });
  const row = emptyPayment();
  let builder: PaymentsBuilder | undefined;
  let payments = 0;
  let pending = 0;
  for await (const batch of source.batches(signal, options.reading)) {
    if (batch.day >= endDay) break;
    // The first payment may determine the start.
    builder ??= empty();
    builder.startDay(batch.day, batch.length);
    const { matureSeconds = -Infinity } = source;
    for (const block of blocks.values(batch)) {
      const { count, read, values, first, width, texts } = block;
      for (let index = 0; index < count; index++) {
        read(index, row);
        if (row.fraud === FRAUD_UNKNOWN) {
          if (row.timeSeconds > matureSeconds) {
            pending++;
            continue;
          }
          row.fraud = 0;
        }
        builder.add(row, values, first + index * width, texts);
      }
    }
    payments += batch.length;
    gathered(payments);
  }
  signal.throwIfAborted();
  const all = (builder ?? empty()).finish();
  const { matureSeconds } = source;
  if (pending === 0 || matureSeconds === undefined) {
    return { payments: all, unknown: 0 };
  }
  const known = paymentsUntil(all, matureSeconds);
  return { payments: known, unknown: pending + all.rows - known.rows };
}
