/** Shadow models that fail: the others and the caller go on, and each failure is reported once. */
import assert from "node:assert/strict";
import { join } from "node:path";
import {
  featureCount,
  HANDBOOK_FEATURES,
} from "../../src/features/parameters.ts";
import type { ModelSource } from "../../src/scoring/model_source.ts";
import { modelInUse, openModel } from "../../src/scoring/open_model.ts";
import { ShadowModels } from "../../src/scoring/shadow_models.ts";
import { testWriting } from "../permission.ts";
import { linearModel, modelOf, writeModel } from "../roles/models.ts";
import { temporaryFolder } from "../temporary_folder.ts";

const WIDTH = 8 + featureCount(HANDBOOK_FEATURES);
const CELLS = new Float64Array(2 * WIDTH).fill(1);

/** A logger that keeps the messages of its warnings with their errors. */
class Warnings {
  readonly found: string[] = [];
  info(): void {}
  error(): void {}
  warn(message: string, fields: Record<string, unknown> = {}): void {
    this.found.push(`${message}: ${fields.error}`);
  }
}

/** Versions of the models that score now. */
async function versions(shadows: ShadowModels): Promise<string[]> {
  return (await shadows.score(CELLS, 2, WIDTH)).map(({ version }) => version);
}

Deno.test("a shadow model that throws is left out, reported once, and the others score", async () => {
  const model = await modelInUse(openModel("built-in"), HANDBOOK_FEATURES);
  const source = (version: string, thrown?: unknown): ModelSource => ({
    async refresh() {},
    at: () =>
      Promise.resolve({
        model: {
          ...model,
          version,
          scorer: {
            ...model.scorer,
            score(values, rows, scores) {
              if (thrown !== undefined) throw thrown;
              return model.scorer.score(values, rows, scores);
            },
          },
        },
        from: -Infinity,
        until: Infinity,
      }),
  });
  const logger = new Warnings();
  const sources = [source("a", new TypeError("odd")), source("b")];
  const shadows = new ShadowModels([...sources, source("c", "text")], logger);
  for (let step = 0; step < 3; step++) {
    assert.deepEqual(await versions(shadows), ["b"]);
  }
  assert.deepEqual(logger.found, [
    "a shadow model failed; its scores are left out: odd",
    "a shadow model failed; its scores are left out: text",
  ]);
});

testWriting(
  "a shadow model whose file cannot be used is reported once, and taken when the file is replaced",
  async () => {
    await using files = temporaryFolder();
    const path = (name: string) => join(files.path, name);
    const other = { ...HANDBOOK_FEATURES, delayDays: 3 };
    writeModel(path("other.json"), modelOf(linearModel().body, other));
    Deno.writeTextFileSync(path("broken.json"), "{");
    writeModel(path("good.json"), linearModel());
    const names = ["missing.json", "broken.json", "other.json", "good.json"];
    const logger = new Warnings();
    const { now } = performance;
    let waited = 0;
    // The clock that the watches of files wait for.
    performance.now = () => now.call(performance) + waited;
    try {
      const shadows = await ShadowModels.open(
        names.map(path),
        HANDBOOK_FEATURES,
        logger,
      );
      const refresh = async (times: number) => {
        for (let time = 0; time < times; time++) {
          waited += 1000;
          await shadows.refresh();
        }
      };
      await refresh(3);
      assert.deepEqual(await versions(shadows), [linearModel().version]);
      assert.equal(logger.found.length, 3, logger.found.join("\n"));
      for (
        const [at, reason] of [/no such file/, /broken/, /trained/].entries()
      ) {
        assert.match(logger.found[at], /^the shadow model cannot be used/);
        assert.match(logger.found[at], reason);
      }
      // One that scores is kept when its file is broken or gone.
      Deno.writeTextFileSync(path("good.json"), "[");
      await refresh(3);
      Deno.removeSync(path("good.json"));
      await refresh(3);
      assert.deepEqual(await versions(shadows), [linearModel().version]);
      assert.equal(logger.found.length, 4, logger.found.join("\n"));
      assert.match(
        logger.found[3],
        /^the new shadow model was rejected; keeping the model in use: .*good/,
      );
      writeModel(path("missing.json"), linearModel(0.5));
      writeModel(path("good.json"), linearModel(0.25));
      await refresh(1);
      assert.deepEqual(await versions(shadows), [
        linearModel(0.5).version,
        linearModel(0.25).version,
      ]);
      assert.equal(logger.found.length, 4);
    } finally {
      performance.now = now;
    }
  },
);
