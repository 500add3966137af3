/**
 * What every model requires of its rows: the announced number and width, and a
 * number for each value, or NaN where the model has learned what a missing one
 * says. Elsewhere it would take an arbitrary path through a tree and give a
 * meaningless score.
 */
import { ModelError } from "../../base/error.ts";

/** Throws ModelError unless `values` holds `rows` rows of finite values, or NaN for `nullable` inputs, and `scores` has room for them. */
export function checkRows(
  inputs: readonly string[],
  values: Float64Array,
  rows: number,
  scores: Float64Array,
  nullable: readonly number[] = [],
): void {
  const length = rows * inputs.length;
  if (values.length < length || scores.length < rows) {
    throw new ModelError(
      `${rows} rows of ${inputs.length} inputs were announced, but there are ` +
        `${values.length} values and room for ${scores.length} scores`,
    );
  }
  checkFinite(inputs, values, 0, length, nullable);
}

/** Throws ModelError, naming the input, if a value from `from` up to `to`, where a row begins, is infinite, or NaN and not one of the `nullable` inputs. */
export function checkFinite(
  inputs: readonly string[],
  values: Float64Array,
  from: number,
  to: number,
  nullable: readonly number[] = [],
): void {
  // A finite number minus itself is 0, any other is NaN, so one check at the
  // end is enough.
  let sum = 0;
  for (let at = from; at < to; at++) sum += values[at] - values[at];
  if (sum === 0) return;
  const width = inputs.length;
  for (let at = from; at < to; at++) {
    if (Number.isFinite(values[at])) continue;
    const input = (at - from) % width;
    if (Number.isNaN(values[at]) && nullable.includes(input)) continue;
    throw new ModelError(
      `${inputs[input]} of row ${Math.floor((at - from) / width)} is ${
        values[at]
      }; a model needs a number for every input`,
    );
  }
}
