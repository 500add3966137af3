/**
 * Scores of a linear model, and what each input added to them. Exact: the
 * contribution of an input is its coefficient times its distance from the mean
 * in deviations, and the margin of the mean row is the intercept.
 */
import type { CheckedJson } from "../../base/checked_json.ts";
import { ModelError } from "../../base/error.ts";
import { checkFinite, checkRows } from "../data/rows.ts";
import {
  constant,
  FLOAT,
  integerAttribute,
  likelierLabel,
  node,
  type OnnxNodes,
} from "../onnx/onnx_writer.ts";
import type { Scorer } from "./model.ts";
import type { ModelForm } from "./model_kind.ts";

/** A linear model on scaled inputs: margin = intercept + sum of coefficient · (value − mean) / deviation. */
export interface LinearBody {
  /** Mean of each input in the training rows. */
  readonly mean: readonly number[];
  /** Population standard deviation of each input, 1 where it is constant. */
  readonly deviation: readonly number[];
  /** Margin of a row of means. */
  readonly intercept: number;
  /** A coefficient for each scaled input. */
  readonly coefficients: readonly number[];
}

/** The data of a linear model, besides the name of its kind. */
export interface LinearPart {
  /** The coefficients. */
  readonly linear: LinearBody;
}

/** Linear models of any kind. */
export const linearForm: ModelForm<LinearPart> = {
  takesMissing: false,
  read: (file, { linear }, inputs) => ({
    linear: readLinear(file, linear, inputs),
  }),
  scorer: ({ linear }, inputs) => linearScorer(linear, inputs),
  onnx: ({ linear }) => linearNodes(linear),
};

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

function readLinear(
  file: CheckedJson,
  value: unknown,
  inputs: number,
): LinearBody {
  const fields = file.object(value, "body.linear");
  const each = (name: string) =>
    file.numbers(fields[name], `body.linear.${name}`, inputs);
  const deviation = each("deviation");
  file.check(
    deviation.every((number) => number > 0),
    "body.linear.deviation must be greater than 0",
  );
  return {
    mean: each("mean"),
    deviation,
    intercept: file.number(fields.intercept, "body.linear.intercept"),
    coefficients: each("coefficients"),
  };
}

function linearNodes(linear: LinearBody): OnnxNodes {
  const { mean, deviation, coefficients, intercept } = linear;
  const slope = coefficients.map((value, at) => value / deviation[at]);
  return {
    nodes: [
      node("Sub", ["values", "mean"], ["centred"]),
      node("MatMul", ["centred", "slope"], ["sum"]),
      node("Add", ["sum", "intercept"], ["margin"]),
      node("Neg", ["margin"], ["against"]),
      node("Concat", ["against", "margin"], ["margins"], [
        integerAttribute("axis", 1),
      ]),
      node("Sigmoid", ["margins"], ["both"]),
      node("Cast", ["both"], ["probabilities"], [
        integerAttribute("to", FLOAT),
      ]),
      likelierLabel("margins"),
    ],
    constants: [
      constant("mean", mean, [mean.length]),
      constant("slope", slope, [slope.length, 1]),
      constant("intercept", [intercept], [1]),
    ],
  };
}
