/**
 * The answer to a payment: its prediction and the place of that record, as
 * JSON. It is made of what the record says, or of what the store holds of it,
 * by the same code, so that it never changes.
 */
import type { MappedPayment } from "../definition/payment_mapper.ts";
import type { TransactionId } from "../payment/payment.ts";
import { idOf, type PaymentShape } from "../payment/payment_shape.ts";
import {
  PREDICTION_CELL,
  PREDICTION_CELLS,
  type PredictionRows,
} from "../payment/prediction.ts";

/** Where a record of prediction_topic is. */
export interface RecordPlace {
  /** Its partition. */
  readonly partition: number;
  /** Its offset. */
  readonly offset: number;
}

/** A payment that was decided about. */
export interface Answer {
  /** The core fields of the payment, as coreOf() gives them. */
  readonly core: string;
  /** The JSON object. */
  readonly json: string;
  /** Partition of the prediction. */
  readonly partition: number;
  /** Offset of the prediction; negative where a store of an earlier release does not know it. */
  readonly offset: number;
}

/** What row `index` of predictions answers, and to which payment. */
export function answerOf(
  rows: PredictionRows,
  index: number,
  place: RecordPlace,
  shape: PaymentShape,
): Answer & { readonly id: TransactionId } {
  const { cells, texts, versions, contributions, decisions, shadowScores } =
    rows;
  const at = index * PREDICTION_CELLS;
  const id = idOf(shape.transactionId, cells[at + PREDICTION_CELL.id], texts);
  const score = cells[at + PREDICTION_CELL.score];
  const alert = cells[at + PREDICTION_CELL.alert];
  const decision = decisions[index];
  const { partition, offset } = place;
  const json = `{"TRANSACTION_ID":${JSON.stringify(id)}` +
    // Without rules an alert waits for a person, and everything else passes.
    `,"DECISION":${
      JSON.stringify(decision?.decision ?? (alert ? "review" : "approve"))
    }` +
    `,"SCORE":${Number.isNaN(score) ? "null" : JSON.stringify(score)}` +
    `,"ALERT":${alert}` +
    `,"REASONS":${decision?.reasons ?? "[]"}` +
    `,"RULES":${decision?.rules ?? "[]"}` +
    `,"SHADOW_RULES":${decision?.shadowRules ?? "[]"}` +
    `,"CONTRIBUTIONS":${contributions[index] ?? "null"}` +
    `,"SHADOW_SCORES":${shadowScores[index] ?? "null"}` +
    `,"MODEL_VERSION":${JSON.stringify(versions[index])}` +
    `,"RULES_VERSION":${JSON.stringify(decision?.rulesVersion ?? null)}` +
    `,"LISTS_VERSION":${JSON.stringify(decision?.listsVersion ?? null)}` +
    `,"THRESHOLD":${JSON.stringify(decision?.threshold ?? null)}` +
    `,"RECORD":${
      offset < 0 ? "null" : `{"PARTITION":${partition},"OFFSET":${offset}}`
    }}`;
  const core = coreText(
    cells[at + PREDICTION_CELL.datetime],
    idOf(shape.customerId, cells[at + PREDICTION_CELL.customer], texts),
    idOf(shape.terminalId, cells[at + PREDICTION_CELL.terminal], texts),
    cells[at + PREDICTION_CELL.amount],
  );
  return { id, core, json, partition, offset };
}

/** The core fields of a payment besides its id: two payments are the same if these are equal. */
export function coreOf(payment: MappedPayment, shape: PaymentShape): string {
  return coreText(
    payment.datetimeSeconds,
    payment.customerId,
    payment.terminalId,
    payment.amountUnits / 10 ** shape.decimals,
  );
}

function coreText(
  datetimeSeconds: number,
  customerId: TransactionId,
  terminalId: TransactionId,
  amount: number,
): string {
  // No text holds a NUL.
  return `${datetimeSeconds}\0${customerId}\0${terminalId}\0${amount}`;
}

/** An answer with the payment's features, by their names. */
export function withFeatures(
  json: string,
  names: readonly string[],
  values: ArrayLike<number>,
): string {
  const features = names.map((name, i) =>
    `${JSON.stringify(name)}:${
      Number.isNaN(values[i]) ? "null" : JSON.stringify(values[i])
    }`
  );
  return `${json.slice(0, -1)},"FEATURES":{${features.join(",")}}}`;
}
