/** What models learn from: the payments of a source as columns, with the features of every other command. */
import {
  featureNames,
  type FeatureParameters,
} from "../features/parameters.ts";
import {
  AMOUNT_INPUT,
  type LabelledPayments,
  PaymentsBuilder,
} from "../learning/data/payments.ts";
import { emptyPayment } from "../payment/payment.ts";
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
  /** Called after each batch with the number of payments read. */
  readonly gathered: (payments: number) => void;
}

/** Reads the days that are needed, with the inputs of models: the amount, then the features. Throws DataError. */
export async function gatherPayments(
  source: PaymentSource,
  { features, days: { endDay, spanDays }, signal, gathered }: GatherOptions,
): Promise<LabelledPayments> {
  const blocks = new FeatureBlocks(features);
  const inputs = [AMOUNT_INPUT, ...featureNames(features)];
  const empty = () =>
    new PaymentsBuilder(inputs, source.startSeconds ?? 0, { spanDays });
  const row = emptyPayment();
  let builder: PaymentsBuilder | undefined;
  let payments = 0;
  for await (const batch of source.batches(signal)) {
    if (batch.day >= endDay) break;
    // The first payment may determine the start.
    builder ??= empty();
    builder.startDay(batch.day, batch.length);
    for (const { count, read, values, first, width } of blocks.values(batch)) {
      for (let index = 0; index < count; index++) {
        read(index, row);
        builder.add(row, values, first + index * width);
      }
    }
    payments += batch.length;
    gathered(payments);
  }
  signal.throwIfAborted();
  return (builder ?? empty()).finish();
}
