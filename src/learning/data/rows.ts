/**
 * What every model asks of the rows it is given: that they are as many and as
 * wide as was said, and that each value is a number. A missing value would take
 * some way through a tree and give a score that means nothing.
 */
import { ModelError } from "../../base/error.ts";

/** Throws ModelError unless `values` holds `rows` rows of finite values and `scores` has room for them. */
export function checkRows(
  inputs: readonly string[],
  values: Float64Array,
  rows: number,
  scores: Float64Array,
): void {
  const length = rows * inputs.length;
  if (values.length < length || scores.length < rows) {
    throw new ModelError(
      `${rows} rows of ${inputs.length} inputs were announced, but there are ` +
        `${values.length} values and room for ${scores.length} scores`,
    );
  }
  checkFinite(inputs, values, 0, length);
}

/** Throws ModelError, naming the input, if a value from `from` up to `to` is NaN or infinite. */
export function checkFinite(
  inputs: readonly string[],
  values: Float64Array,
  from: number,
  to: number,
): void {
  // A finite number less itself is 0, any other NaN: one look at the end.
  let sum = 0;
  for (let at = from; at < to; at++) sum += values[at] - values[at];
  if (sum === 0) return;
  for (let at = from; at < to; at++) {
    if (Number.isFinite(values[at])) continue;
    const width = inputs.length;
    throw new ModelError(
      `${inputs[(at - from) % width]} of row ${
        Math.floor((at - from) / width)
      } is ${values[at]}; a model needs a number for every input`,
    );
  }
}
