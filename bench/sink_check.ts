/**
 * Whether a sink topic holds what it should: every payment of a data set once,
 * with the features that the batch operator computes.
 */
import { createHash } from "node:crypto";
import { FeatureOperator } from "../src/features/feature_operator.ts";
import { FeatureJsonReader } from "../src/features/feature_row.ts";
import { PAYMENT_CELLS } from "../src/payment/payment_cells.ts";
import {
  featureCount,
  featureNames,
  HANDBOOK_FEATURES,
  totalsLayout,
  totalsToCanonical,
  totalsToValues,
} from "../src/features/parameters.ts";
import { type PaymentTable, readTableRow } from "../src/payment/payment.ts";

const WIDTH = featureCount(HANDBOOK_FEATURES);
const NAMES = featureNames(HANDBOOK_FEATURES);
const LAYOUT = totalsLayout(HANDBOOK_FEATURES);
const BLOCK_ROWS = 4096;
/** A peer may sum amounts as doubles. */
const TOLERANCE = 1e-6;
const NEWLINE = 10;

/** Features by TRANSACTION_ID. */
export interface ReferenceFeatures {
  /** Number of payments; their ids are 0 to below it. */
  readonly rows: number;
  /** The values of payment i from i times the number of features on. */
  readonly values: Float64Array;
  /** SHA-256 of their canonical CSV. */
  readonly sum: string;
  /** Midnight of the first day, seconds since 1970. */
  readonly startSeconds: number;
}

/** The features of a data set by the operator for files. */
export function referenceFeatures(
  table: PaymentTable,
  startSeconds: number,
): ReferenceFeatures {
  const operator = new FeatureOperator(HANDBOOK_FEATURES);
  const { length: rows } = table;
  const values = new Float64Array(rows * WIDTH);
  const totals = new Float64Array(BLOCK_ROWS * WIDTH);
  const canonical = new Float64Array(WIDTH);
  const hash = createHash("sha256");
  hash.update(["TRANSACTION_ID", ...NAMES].join(",") + "\n");
  for (let from = 0; from < rows; from += BLOCK_ROWS) {
    const length = Math.min(BLOCK_ROWS, rows - from);
    operator.processBlock(
      length,
      {
        read: (index, row) =>
          readTableRow(table, from + index, startSeconds, row),
      },
      totals,
    );
    let text = "";
    for (let index = 0; index < length; index++) {
      const row = totals.subarray(index * WIDTH, (index + 1) * WIDTH);
      const at = (from + index) * WIDTH;
      totalsToValues(row, LAYOUT, values.subarray(at, at + WIDTH));
      totalsToCanonical(row, LAYOUT, canonical);
      text += `${from + index},${canonical.join(",")}\n`;
    }
    hash.update(text);
  }
  return { rows, values, sum: hash.digest("hex"), startSeconds };
}

/** What a sink topic turned out to hold. */
export interface SinkVerdict {
  /** Payments that are not there. */
  readonly missing: number;
  /** Records of payments that are there already. */
  readonly repeated: number;
  /** Records that are no payments of the data set. */
  readonly foreign: number;
  /** Payments with a wrong value, by the feature's name, where there are some. */
  readonly wrong: ReadonlyMap<string, number>;
}

/** Whether nothing is wrong. */
export function isRight(verdict: SinkVerdict): boolean {
  const { missing, repeated, foreign, wrong } = verdict;
  return missing === 0 && repeated === 0 && foreign === 0 && wrong.size === 0;
}

/** Compares the records of a sink topic, given as lines in any order, with the reference. */
export class SinkCheck {
  readonly #reference: ReferenceFeatures;
  readonly #reader = new FeatureJsonReader(HANDBOOK_FEATURES);
  readonly #cells = new Float64Array(PAYMENT_CELLS + WIDTH);
  readonly #seen: Uint8Array;
  readonly #wrong = new Int32Array(WIDTH);
  #rest = new Uint8Array(0);
  #found = 0;
  #repeated = 0;
  #foreign = 0;

  /** Begins with nothing seen. */
  constructor(reference: ReferenceFeatures) {
    this.#reference = reference;
    this.#seen = new Uint8Array(reference.rows);
  }

  /** Takes the next bytes of the lines. */
  take(chunk: Uint8Array): void {
    let bytes = chunk;
    if (this.#rest.length > 0) {
      bytes = new Uint8Array(this.#rest.length + chunk.length);
      bytes.set(this.#rest);
      bytes.set(chunk, this.#rest.length);
    }
    let from = 0;
    for (;;) {
      const end = bytes.indexOf(NEWLINE, from);
      if (end < 0) break;
      this.#record(bytes, from, end);
      from = end + 1;
    }
    this.#rest = bytes.slice(from);
  }

  #record(bytes: Uint8Array, from: number, end: number): void {
    const { rows, values, startSeconds } = this.#reference;
    const cells = this.#cells;
    const defect = this.#reader.read(bytes, from, end, startSeconds, cells, 0);
    const [id] = cells;
    if (defect || id >= rows) {
      this.#foreign++;
    } else if (this.#seen[id]) {
      this.#repeated++;
    } else {
      this.#seen[id] = 1;
      this.#found++;
      for (let i = 0; i < WIDTH; i++) {
        const apart = cells[PAYMENT_CELLS + i] - values[id * WIDTH + i];
        if (!(Math.abs(apart) <= TOLERANCE)) this.#wrong[i]++;
      }
    }
  }

  /** The verdict on all lines so far. */
  verdict(): SinkVerdict {
    const wrong = NAMES.map((name, i) => [name, this.#wrong[i]] as const);
    return {
      missing: this.#reference.rows - this.#found,
      repeated: this.#repeated,
      foreign: this.#foreign,
      wrong: new Map(wrong.filter(([, rows]) => rows > 0)),
    };
  }
}
