/**
 * Examples as ranks: each input's distinct values in ascending order, and for
 * each row the place of its value among them. Sums by rank are sums in sorted
 * order, so that splits found on them are exact, without a sort in any node.
 */
import { ModelError } from "../error/error.ts";
import type { Examples } from "./model.ts";

/** Examples by rank. */
export interface RankedColumns {
  /** Number of rows. */
  readonly rows: number;
  /** Distinct values of each input, ascending. */
  readonly values: readonly Float64Array[];
  /** Rank of each row's value, for each input. */
  readonly ranks: readonly Int32Array[];
}

/** Ranks the values of each input; throws ModelError for one that is NaN or infinite. */
export function rankColumns(examples: Examples): RankedColumns {
  const { rows, inputs } = examples;
  const values: Float64Array[] = [];
  const ranks: Int32Array[] = [];
  examples.columns.forEach((column, input) => {
    const bad = column.findIndex((value) => !Number.isFinite(value));
    if (bad >= 0) {
      throw new ModelError(
        `${inputs[input]} of row ${bad} is ${column[bad]}; ` +
          "training needs a number for every input",
      );
    }
    const distinct = distinctValues(column);
    const ofRows = new Int32Array(rows);
    for (let row = 0; row < rows; row++) {
      ofRows[row] = rankOf(column[row], distinct);
    }
    values.push(distinct);
    ranks.push(ofRows);
  });
  return { rows, values, ranks };
}

function distinctValues(column: Float64Array): Float64Array {
  // A sorted array has -0 before 0; they are the same value.
  const sorted = Float64Array.from(column, (value) => value + 0).sort();
  let count = 0;
  for (let at = 0; at < sorted.length; at++) {
    if (at > 0 && sorted[at] === sorted[count - 1]) continue;
    sorted[count++] = sorted[at];
  }
  return sorted.slice(0, count);
}

function rankOf(value: number, distinct: Float64Array): number {
  let low = 0;
  let high = distinct.length - 1;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (distinct[middle] < value) low = middle + 1;
    else high = middle;
  }
  return low;
}
