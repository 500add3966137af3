/** The scoring flags of a run, and those that a stream keeps for the next. */
import assert from "node:assert/strict";
import { isAbsolute } from "node:path";
import {
  completeScoring,
  SCORING_FLAGS,
  type ScoringOptions,
  scoringTexts,
} from "../../src/cli/flags/scoring_flags.ts";
import { readModels } from "../../src/cli/flags/model_flags.ts";
import { ConfigError } from "../../src/base/error.ts";
import { HANDBOOK_FEATURES } from "../../src/features/parameters.ts";

const features = HANDBOOK_FEATURES;

/** The flags of the next run, after a run with some. */
function next(before: ScoringOptions, given: ScoringOptions): ScoringOptions {
  const recorded = scoringTexts(before);
  return completeScoring(given, { isNew: false, recorded, features });
}

Deno.test("a new stream is scored by the built-in model where none is named", () => {
  const complete = (options: ScoringOptions, isNew = true) =>
    completeScoring(options, { isNew, recorded: undefined, features });
  assert.deepEqual(complete({}), { model: "built-in" });
  assert.deepEqual(complete({ retrain: 86_400 }), {
    retrain: 86_400,
    model: "built-in",
  });
  assert.deepEqual(complete({ model: "m.json" }), { model: "m.json" });
  assert.deepEqual(complete({ models: "m" }), { models: "m" });
  assert.deepEqual(complete({ noModel: true }), { noModel: true });
  assert.deepEqual(complete({}, false), {});
  const others = { ...features, delayDays: 8 };
  assert.deepEqual(
    completeScoring({}, { isNew: true, recorded: undefined, features: others }),
    {},
  );
});

Deno.test("what is not given is as in the run before", () => {
  const [retrainKind] = readModels("random-forest:trees=5:depth=3");
  assert.ok("kind" in retrainKind);
  const before = {
    model: "built-in",
    retrain: 7 * 86_400,
    retrainKind,
    alertCards: 9,
    explain: "all",
    trainDays: 14,
  } as const;
  assert.deepEqual(next(before, {}), before);
  // One way to alert, and one source of models, replaces another.
  const { alertCards: _, ...others } = before;
  assert.deepEqual(next(before, { alertThreshold: 0 }), {
    ...others,
    alertThreshold: 0,
  });
  const chosen = next(before, { models: "registry" });
  assert.equal(chosen.model, undefined);
  assert.equal(chosen.retrain, undefined);
  assert.equal(
    next({ model: "built-in" }, { retrain: 86_400 }).model,
    "built-in",
  );
  assert.deepEqual(next(before, { noModel: true }), { noModel: true });
  assert.ok(isAbsolute(next({ model: "m.json" }, {}).model ?? ""));
});

Deno.test("flags that another version kept are left out, and broken ones refused", () => {
  const read = (recorded: Record<string, string>) =>
    completeScoring({}, { isNew: false, recorded, features });
  assert.deepEqual(read({ model: "built-in", later: "x" }), {
    model: "built-in",
  });
  assert.throws(() => read({ retrain: "soon" }), ConfigError);
});

Deno.test("shadow models go on in the next run until none ends them", () => {
  const { read } = SCORING_FLAGS.flags.shadowModel;
  const first = read("a.json", "--shadow-model");
  const both = read("built-in", "--shadow-model", first);
  assert.deepEqual(both, ["a.json", "built-in"]);
  const before = { model: "built-in", shadowModel: both, shadowThreshold: 0.4 };
  const { shadowModel = [], shadowThreshold } = next(before, {});
  assert.equal(shadowThreshold, 0.4);
  assert.ok(isAbsolute(shadowModel[0]) && shadowModel[0].endsWith("/a.json"));
  assert.equal(shadowModel[1], "built-in");
  const ended = next(before, { shadowModel: read("none", "--shadow-model") });
  assert.deepEqual(ended.shadowModel, ["none"]);
  assert.equal(next(ended, {}).shadowModel, undefined);
  for (const wrong of ["", "a\nb\nc\nd\ne", "a\nnone"]) {
    assert.throws(() => read(wrong, "--shadow-model"), ConfigError);
  }
});
