/**
 * What is usual for each input of a model: mean and median of the payments it
 * was trained on. The model file keeps them, so that a person who sees a value
 * can tell whether it is out of the ordinary.
 */
import type { CheckedJson } from "../../base/checked_json.ts";
import type { Examples } from "../kinds/model.ts";

/** What is usual for one input. */
export interface UsualValue {
  /** Mean of all values: of a flag or a share, how often it occurs. NaN where all are missing. */
  readonly mean: number;
  /** The value that half of the payments with one, rounded up, are not above. NaN where all are missing. */
  readonly median: number;
  /** Share of the payments without a value; only of inputs that may be missing. */
  readonly missing?: number;
}

/** What is usual for each input, by its name. */
export type UsualValues = Readonly<Record<string, UsualValue>>;

/** Significant digits that are kept: these numbers are read by people. */
const DIGITS = 6;

/** What is usual among some examples. */
export function usualOf(
  { inputs, columns, nullable = [] }: Examples,
): UsualValues {
  return Object.fromEntries(inputs.map((input, at) => {
    const sorted = columns[at].toSorted();
    // NaN stands behind all numbers.
    const end = sorted.findIndex(Number.isNaN);
    const values = end < 0 ? sorted : sorted.subarray(0, end);
    // Summed in ascending order: the mean does not depend on that of the rows.
    const sum = values.reduce((sum, value) => sum + value, 0);
    return [input, {
      mean: rounded(sum / values.length),
      median: rounded(values[(values.length - 1) >> 1] ?? NaN),
      ...nullable.includes(input) &&
        { missing: rounded(1 - values.length / sorted.length) },
    }];
  }));
}

function rounded(value: number): number {
  return Number(value.toPrecision(DIGITS));
}

/** Reads what a model file says is usual for its inputs, in their order. Throws the file's error. */
export function readUsual(
  file: CheckedJson,
  value: unknown,
  inputs: readonly string[],
): UsualValues {
  const fields = file.object(value, "usual");
  const foreign = Object.keys(fields).find((name) => !inputs.includes(name));
  file.check(foreign === undefined, `usual.${foreign} is not an input`);
  return Object.fromEntries(inputs.map((input) => {
    const what = `usual.${input}`;
    const { mean, median, missing } = file.object(fields[input], what);
    // JSON has no NaN.
    const number = (value: unknown, name: string) =>
      value === null && missing === 1 ? NaN : file.number(value, name);
    return [input, {
      mean: number(mean, `${what}.mean`),
      median: number(median, `${what}.median`),
      ...missing !== undefined &&
        { missing: file.number(missing, `${what}.missing`) },
    }];
  }));
}
