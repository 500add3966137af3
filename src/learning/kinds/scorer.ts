/** From a model as data to a model that scores. */
import { linearScorer } from "./linear.ts";
import type { ModelBody, Scorer } from "./model.ts";
import { treesScorer } from "./trees.ts";

/**
 * A scorer of `body` for rows of `inputs`. Throws ModelError if the body is
 * broken or not one for so many inputs; so does the scorer if a value is NaN or
 * infinite.
 */
export function scorerOf(body: ModelBody, inputs: readonly string[]): Scorer {
  return body.kind === "logistic-regression"
    ? linearScorer(body.linear, inputs)
    : treesScorer(body.ensemble, inputs);
}
