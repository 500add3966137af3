/** Predictions of a store as they are read back: checked like the payments (see stored_row.ts). */
import { emptyPayment } from "../payment/payment.ts";
import {
  PREDICTION_CELLS,
  type PredictionRows,
} from "../payment/prediction.ts";
import { CellCheck, CHECK_PROBLEM, isDamaged, textCheck } from "./row_check.ts";
import {
  type BadRow,
  badRow,
  shown,
  StoredPaymentReader,
  type StoredRow,
} from "./stored_row.ts";

const CELL_CHECK = new CellCheck(PREDICTION_CELLS);

/** The checksum of a prediction: its cells `at` …, and its texts. */
export function predictionCheck(
  cells: Float64Array,
  at: number,
  { model_version: version, contributions }: StoredRow,
): number {
  const why = typeof contributions === "string" ? contributions : null;
  return textCheck([CELL_CHECK.of(cells, at), String(version), why]);
}

/** Columns of a payment that a prediction lacks. */
const LACKS = ["tx_time_days", "tx_fraud", "tx_fraud_scenario"];

/** Reads predictions. */
export class StoredPredictionReader {
  readonly #table: string;
  readonly #payments: StoredPaymentReader;
  readonly #row = emptyPayment();

  /** Reads rows of a table; its name is for messages. */
  constructor(table: string) {
    this.#table = table;
    this.#payments = new StoredPaymentReader(table, LACKS);
  }

  /** Puts a row into place `index`, or says what is wrong with it. */
  read(
    row: StoredRow,
    { cells, versions, contributions }: PredictionRows,
    index: number,
  ): BadRow | undefined {
    const bad = this.#payments.read(row, this.#row) ?? this.#scoreOf(row);
    if (bad) return bad;
    const at = index * PREDICTION_CELLS;
    cells[at] = this.#row.transactionId;
    cells[at + 1] = this.#row.datetimeSeconds;
    cells[at + 2] = this.#row.customerId;
    cells[at + 3] = this.#row.terminalId;
    cells[at + 4] = this.#row.amount;
    cells[at + 5] = this.#row.timeSeconds;
    cells[at + 6] = Number(row.score);
    cells[at + 7] = Number(row.alert);
    versions[index] = String(row.model_version);
    contributions[index] = typeof row.contributions === "string"
      ? row.contributions
      : null;
    if (isDamaged(row, predictionCheck(cells, at, row))) {
      return badRow(this.#table, row, CHECK_PROBLEM);
    }
    return undefined;
  }

  /** What is wrong with what a model has said. */
  #scoreOf(row: StoredRow): BadRow | undefined {
    const { score, alert, model_version: version } = row;
    const wrong = !(typeof score === "number" && Number.isFinite(score))
      ? `score ${shown(score)} is not a number`
      : alert !== 0 && alert !== 1
      ? `alert ${shown(alert)} is not 0 or 1`
      : typeof version !== "string"
      ? `model_version ${shown(version)} is not a text`
      : undefined;
    return wrong === undefined ? undefined : badRow(this.#table, row, wrong);
  }
}
