/** The conditions on the rows that a model of any kind is fitted to. */
import { ModelError } from "../../base/error.ts";
import type { Examples } from "../kinds/model.ts";

/**
 * Throws ModelError unless the columns are as long as there are rows, every
 * value is finite (or NaN in a nullable input), and both frauds and genuine payments are among them: from
 * one class alone nothing can be learned, and a score of always 0 or 1 would
 * look like a model.
 */
export function checkExamples(examples: Examples): void {
  const { inputs, rows, columns, labels } = examples;
  if (
    columns.length !== inputs.length || labels.length !== rows ||
    columns.some(({ length }) => length !== rows)
  ) {
    throw new ModelError(
      `the examples' columns do not fit ${inputs.length} inputs and ${rows} rows`,
    );
  }
  const frauds = countFrauds(examples);
  if (frauds === 0 || frauds === rows) {
    throw new ModelError(
      `there are ${frauds} frauds in ${rows} rows to learn from; a model ` +
        "needs both kinds: choose a longer training window",
    );
  }
  checkFinite(examples);
}

/** Number of rows that are labelled as frauds; throws ModelError at a label other than 0 and 1. */
export function countFrauds({ rows, labels }: Examples): number {
  let frauds = 0;
  for (let row = 0; row < rows; row++) {
    if (labels[row] > 1) {
      throw new ModelError(`the label of row ${row} is ${labels[row]}`);
    }
    frauds += labels[row];
  }
  return frauds;
}

function checkFinite({ inputs, columns, nullable }: Examples): void {
  columns.forEach((column, input) => {
    const isNullable = nullable?.includes(inputs[input]) ?? false;
    let sum = 0;
    for (let row = 0; row < column.length; row++) {
      sum += column[row] - column[row];
    }
    if (sum === 0) return;
    const row = column.findIndex((value) => {
      return !Number.isFinite(value) && !(isNullable && Number.isNaN(value));
    });
    if (row < 0) return;
    throw new ModelError(
      `${inputs[input]} of row ${row} is ${column[row]}; ` +
        "training needs a number for every input",
    );
  });
}
