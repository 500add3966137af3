/**
 * The core of a model file: coefficients or trees, with everything checked
 * that scoring relies on, above all the links of the trees.
 */
import { type CheckedJson } from "../../base/checked_json.ts";
import type {
  LinearBody,
  ModelBody,
  ModelKind,
  Tree,
  TreesBody,
} from "../kinds/model.ts";

/** A body with its fields in one order, whoever made it. */
export function bodyContent(body: ModelBody): ModelBody {
  if (body.kind === "logistic-regression") {
    const { mean, deviation, intercept, coefficients } = body.linear;
    return {
      kind: body.kind,
      linear: { mean, deviation, intercept, coefficients },
    };
  }
  const { link, base, trees } = body.ensemble;
  return {
    kind: body.kind,
    ensemble: {
      link,
      base,
      trees: trees.map(({ input, threshold, left, right, value, cover }) => {
        return { input, threshold, left, right, value, cover };
      }),
    },
  };
}

/** Reads the body of a model of `kind` with so many inputs. Throws ModelError. */
export function readBody(
  file: CheckedJson,
  value: unknown,
  kind: ModelKind,
  inputs: number,
): ModelBody {
  const fields = file.object(value, "body");
  file.check(fields.kind === kind, `body.kind must be ${kind}`);
  if (kind === "logistic-regression") {
    return { kind, linear: readLinear(file, fields.linear, inputs) };
  }
  return { kind, ensemble: readEnsemble(file, fields.ensemble, inputs) };
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

function readEnsemble(
  file: CheckedJson,
  value: unknown,
  inputs: number,
): TreesBody {
  const fields = file.object(value, "body.ensemble");
  const { link, trees } = fields;
  if (link !== "logistic" && link !== "identity") {
    throw file.error("body.ensemble.link must be logistic or identity");
  }
  if (!Array.isArray(trees)) {
    throw file.error("body.ensemble.trees must be a list");
  }
  return {
    link,
    base: file.number(fields.base, "body.ensemble.base"),
    trees: trees.map((tree, at) => {
      return readTree(file, tree, `body.ensemble.trees[${at}]`, inputs);
    }),
  };
}

function readTree(
  file: CheckedJson,
  value: unknown,
  what: string,
  inputs: number,
): Tree {
  const fields = file.object(value, what);
  const input = file.numbers(fields.input, `${what}.input`);
  const each = (name: string) =>
    file.numbers(fields[name], `${what}.${name}`, input.length);
  const tree: Tree = {
    input,
    threshold: each("threshold"),
    left: each("left"),
    right: each("right"),
    value: each("value"),
    cover: each("cover"),
  };
  const wrong = brokenLink(tree, inputs);
  if (wrong !== undefined) throw file.error(`${what}: ${wrong}`);
  return tree;
}

/** What is wrong with the shape of a tree; undefined if it is one. */
function brokenLink(tree: Tree, inputs: number): string | undefined {
  const nodes = tree.input.length;
  if (nodes === 0) return "it has no node";
  // Every node has one parent, the root none: so it is a tree, and no walk
  // can go round in a circle.
  const reached = new Uint8Array(nodes);
  reached[0] = 1;
  const pending = [0];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    const input = tree.input[node];
    if (input === -1) continue;
    if (!(Number.isInteger(input) && input >= 0 && input < inputs)) {
      return `node ${node} splits by input ${input} of ${inputs}`;
    }
    for (const child of [tree.left[node], tree.right[node]]) {
      if (!(Number.isInteger(child) && child >= 0 && child < nodes)) {
        return `node ${node} leads to node ${child} of ${nodes}`;
      }
      if (reached[child] === 1) {
        return `node ${child} is reached twice, so it is no tree`;
      }
      reached[child] = 1;
      pending.push(child);
    }
  }
  const lost = reached.indexOf(0);
  return lost < 0 ? undefined : `node ${lost} is never reached`;
}
