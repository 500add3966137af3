import assert from "node:assert/strict";
import { usualValues } from "../../../src/dashboard/server/model_usual.ts";
import { BUILT_IN_MODEL, openModel } from "../../../src/scoring/open_model.ts";

Deno.test("a page without a model in its settings knows what is usual for the built-in one", () => {
  const { version, trained } = openModel(BUILT_IN_MODEL);
  const usualOf = usualValues({ models: undefined, file: undefined });
  assert.ok(trained?.usual);
  assert.deepEqual(usualOf(version), trained.usual);
  assert.equal(usualOf("another"), undefined);
});
