/**
 * Scores of a linear model, and what each input added to them. Exact: the
 * contribution of an input is its coefficient times its distance from the mean
 * in deviations, and the margin of the mean row is the intercept.
 */
import { ModelError } from "../../base/error.ts";
import type { LinearBody, Scorer } from "./model.ts";
import { checkFinite, checkRows } from "../data/rows.ts";

/** The logistic function: the probability whose log odds are `margin`. */
export function logistic(margin: number): number {
  return 1 / (1 + Math.exp(-margin));
}

/** A scorer of `body`; throws ModelError if it is not one for these inputs. */
export function linearScorer(
  body: LinearBody,
  inputs: readonly string[],
): Scorer {
  checkBody(body, inputs);
  const width = inputs.length;
  const mean = Float64Array.from(body.mean);
  const slope = Float64Array.from(
    body.coefficients,
    (coefficient, input) => coefficient / body.deviation[input],
  );
  return {
    inputs,
    score(values, rows, scores) {
      checkRows(inputs, values, rows, scores);
      let at = 0;
      for (let row = 0; row < rows; row++) {
        let margin = body.intercept;
        for (let input = 0; input < width; input++, at++) {
          margin += slope[input] * (values[at] - mean[input]);
        }
        scores[row] = logistic(margin);
      }
    },
    explain(values, at, into) {
      checkFinite(inputs, values, at, at + width);
      for (let input = 0; input < width; input++) {
        into[input] = slope[input] * (values[at + input] - mean[input]);
      }
      return body.intercept;
    },
  };
}

function checkBody(body: LinearBody, inputs: readonly string[]): void {
  for (const part of ["mean", "deviation", "coefficients"] as const) {
    const numbers = body[part];
    if (numbers.length !== inputs.length) {
      throw new ModelError(
        `the linear model has ${numbers.length} values of ${part} for ` +
          `${inputs.length} inputs; train it again`,
      );
    }
    const wrong = numbers.findIndex((value) =>
      !Number.isFinite(value) || part === "deviation" && value <= 0
    );
    if (wrong >= 0) {
      throw new ModelError(
        `the linear model's ${part} of ${inputs[wrong]} is ` +
          `${numbers[wrong]}; train it again`,
      );
    }
  }
  if (!Number.isFinite(body.intercept)) {
    throw new ModelError(
      `the linear model's intercept is ${body.intercept}; train it again`,
    );
  }
}
