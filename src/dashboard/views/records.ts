/**
 * The records that the page reads besides payments and verdicts: predictions
 * and profiles. What is neither is skipped: other programs may write to the
 * topics too.
 */
import { DatetimeFormatter } from "../../payment/calendar.ts";
import { TRANSACTION_ID_MAX } from "../../payment/payment.ts";
import { parseObject } from "../../payment/payment_json.ts";
import { emptyPredictions, PREDICTION_CELL } from "../../payment/prediction.ts";
import { PredictionJsonReader } from "../../payment/prediction_json.ts";

/** What a model says about a payment. */
export interface Prediction {
  /** TRANSACTION_ID. */
  readonly id: number;
  /** TX_DATETIME. */
  readonly datetime: string;
  /** CUSTOMER_ID. */
  readonly customer: number;
  /** TERMINAL_ID. */
  readonly terminal: number;
  /** TX_AMOUNT. */
  readonly amount: number;
  /** TX_TIME_SECONDS. */
  readonly time: number;
  /** How suspicious it is, 0 to 1. */
  readonly score: number;
  /** Whether an alert was raised. */
  readonly alert: 0 | 1;
  /** Version of the model. */
  readonly model: string;
  /** What pushed the score most, by input; empty where that was not computed. */
  readonly contributions: Readonly<Record<string, number>>;
}

/** A card's or a terminal's place. */
export interface ProfilePlace {
  /** CUSTOMER_ID or TERMINAL_ID. */
  readonly id: number;
  /** 0 to 100. */
  readonly x: number;
  /** 0 to 100. */
  readonly y: number;
}

/** Reads predictions for the page, by the rules of the prediction writer. */
export class PredictionReader {
  readonly #reader = new PredictionJsonReader();
  readonly #rows = emptyPredictions(1);
  readonly #datetime = new DatetimeFormatter();

  /** The prediction in bytes `from` to `to` of a record; undefined if it is none. */
  read(bytes: Uint8Array, from: number, to: number): Prediction | undefined {
    const { cells, versions, contributions } = this.#rows;
    if (this.#reader.read(bytes, from, to, this.#rows, 0)) return undefined;
    const why = contributions[0];
    return {
      id: cells[PREDICTION_CELL.id],
      datetime: this.#datetime.format(cells[PREDICTION_CELL.datetime]),
      customer: cells[PREDICTION_CELL.customer],
      terminal: cells[PREDICTION_CELL.terminal],
      amount: cells[PREDICTION_CELL.amount],
      time: cells[PREDICTION_CELL.time],
      score: cells[PREDICTION_CELL.score],
      alert: cells[PREDICTION_CELL.alert] === 1 ? 1 : 0,
      model: versions[0],
      contributions: why === null ? {} : JSON.parse(why),
    };
  }
}

/** The place in the profile in bytes `from` to `to` of a record, whatever else it says; undefined if it is none. */
export function parsePlace(
  kind: "CUSTOMER" | "TERMINAL",
  bytes: Uint8Array,
  from: number,
  to: number,
): ProfilePlace | undefined {
  const { object } = parseObject(bytes, from, to);
  if (!object) return undefined;
  const id = object[`${kind}_ID`];
  const x = object[`X_${kind}_ID`];
  const y = object[`Y_${kind}_ID`];
  const isId = typeof id === "number" && Number.isInteger(id) && id >= 0 &&
    id <= TRANSACTION_ID_MAX;
  return isId && isFinite(x) && isFinite(y) ? { id, x, y } : undefined;
}

function isFinite(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value);
}
