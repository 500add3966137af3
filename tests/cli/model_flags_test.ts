import assert from "node:assert/strict";
import { collectModels, readModels } from "../../src/cli/flags/model_flags.ts";
import { ConfigError } from "../../src/base/error.ts";

Deno.test("readModels() reads kinds with settings, and files", () => {
  assert.deepEqual(
    readModels("random-forest:trees=50:depth=10, logistic-regression:c=1e-1"),
    [
      {
        kind: "random-forest",
        settings: { trees: 50, depthMax: 10 },
        name: "random-forest:trees=50:depth=10",
      },
      {
        kind: "logistic-regression",
        settings: { lossWeight: 0.1 },
        name: "logistic-regression:c=0.1",
      },
    ],
  );
  assert.deepEqual(readModels("a,b:c.json"), [{ path: "a,b:c.json" }]);
  assert.equal(
    collectModels("decision-tree", "--model", readModels("m.json")).length,
    2,
  );
});

Deno.test("readModels() refuses kinds, settings and values that there are not", () => {
  const wrong: [string, RegExp][] = [
    ["", /--model must be logistic-regression, /],
    ["decision-tree,", /--model must be /],
    ["decision-tree:", /decision-tree has no setting ''; it has depth, /],
    ["decision-tree:toString=1", /has no setting 'toString'/],
    ["decision-tree:c=1", /has no setting 'c'/],
    [
      "random-forest:trees=1.5",
      /: trees of random-forest must be a whole number from 1 to \d+, not '1\.5'$/,
    ],
    ["random-forest:trees=0x10", /must be a whole .*, not '0x10'$/],
    ["decision-tree:depth=1e9", /: depth of decision-tree must be .*'1e9'$/],
    ["random-forest:trees=", /must be a whole .*, not ''$/],
  ];
  for (const [text, message] of wrong) {
    assert.throws(
      () => readModels(text),
      (error) => error instanceof ConfigError && message.test(error.message),
      text,
    );
  }
});
