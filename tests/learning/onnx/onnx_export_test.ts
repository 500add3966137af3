import assert from "node:assert/strict";
import fc from "fast-check";
import { ModelError } from "../../../src/base/error.ts";
import type {
  LinearBody,
  LinearPart,
} from "../../../src/learning/kinds/linear.ts";
import type { TreesPart } from "../../../src/learning/kinds/trees.ts";
import type { ModelBody } from "../../../src/learning/kinds/model.ts";
import { toOnnx } from "../../../src/learning/onnx/onnx_export.ts";
import type { InputNumbers } from "../../../src/learning/onnx/onnx_writer.ts";
import { VERSION_PROPERTY } from "../../../src/learning/onnx/onnx_file.ts";
import { readOnnxGraph } from "../../../src/learning/onnx/onnx_graph.ts";
import { openOnnxModel } from "../../../src/learning/onnx/onnx_model.ts";
import { HANDBOOK_FEATURES } from "../../../src/features/parameters.ts";
import { offeredInputs } from "../../../src/scoring/open_model.ts";
import { openSession } from "../../../src/learning/onnx/onnx_runtime.ts";
import { fitModel, scorerOf } from "../../../src/learning/kinds/kinds.ts";
import { testReading } from "../../permission.ts";
import {
  nestedTree,
  toColumns,
  toNullableColumns,
  VALUE,
} from "../random_trees.ts";

const IS_WHOLE = offeredInputs(HANDBOOK_FEATURES).isWhole;

const INPUTS = ["TX_AMOUNT", "A", "B"];
const WIDTH = INPUTS.length;

const METADATA = { [VERSION_PROPERTY]: "0123456789ab" };

const ALL_NUMBERS = ["float64", "float32"] as const;

/** Rows of values that meet thresholds, and of any others that such numbers can be, NaN where `missing` says so. */
function rowsOf(
  numbers: InputNumbers,
  missing: "none" | "some" = "none",
): fc.Arbitrary<number[][]> {
  const limits = { min: -1e4, max: 1e4, noNaN: true };
  const any = numbers === "float64" ? fc.double(limits) : fc.float(limits);
  const gap = missing === "some" ? [fc.constant(NaN)] : [];
  const row = fc.array(fc.oneof(VALUE, any, ...gap), {
    minLength: WIDTH,
    maxLength: WIDTH,
  });
  return fc.array(row, { minLength: 1, maxLength: 20 });
}

const NUMBER = fc.double({ min: -5, max: 5, noNaN: true });
const NUMBERS = fc.array(NUMBER, { minLength: WIDTH, maxLength: WIDTH });

const LINEAR = fc.record<LinearBody>({
  mean: NUMBERS,
  deviation: fc.array(fc.double({ min: 0.1, max: 1e3, noNaN: true }), {
    minLength: WIDTH,
    maxLength: WIDTH,
  }),
  intercept: NUMBER,
  coefficients: NUMBERS,
});

function treesBody(
  link: "logistic" | "identity",
  nullable?: readonly number[],
): fc.Arbitrary<ModelBody<TreesPart>> {
  return fc.record({
    base: fc.double({ min: 0, max: 1, noNaN: true }),
    nested: fc.array(nestedTree(WIDTH, 3), { maxLength: 8 }),
  }).map(({ base, nested }) => {
    const trees = nested.map(nullable ? toNullableColumns : toColumns);
    const inputs = nullable && { nullable };
    if (link === "logistic") {
      return {
        kind: "gradient-boosting",
        ensemble: { link, base, ...inputs, trees },
      };
    }
    // An average of probabilities.
    const averaged = trees.map((tree) => ({
      ...tree,
      value: tree.value.map((value) => Math.abs(value) / trees.length),
    }));
    return {
      kind: "random-forest",
      ensemble: {
        ...{ link, base: trees.length ? 0 : base, ...inputs },
        trees: averaged,
      },
    };
  });
}

/** Scores by what was trained here and by its ONNX file. */
async function bothScores(
  body: ModelBody,
  numbers: InputNumbers,
  rows: readonly (readonly number[])[],
): Promise<{ own: Float64Array; onnx: Float64Array }> {
  const values = Float64Array.from(rows.flat());
  const own = new Float64Array(rows.length);
  const onnx = new Float64Array(rows.length);
  scorerOf(body, INPUTS).score(values, rows.length, own);
  const bytes = toOnnx(body, INPUTS, numbers, METADATA);
  const { scorer } = await openOnnxModel(bytes, "m.onnx", {
    names: INPUTS,
    nullable: scorerOf(body, INPUTS).nullable ?? [],
    isWhole: IS_WHOLE,
  });
  await scorer.score(values, rows.length, onnx);
  return { own, onnx };
}

async function assertSameScores(
  body: ModelBody,
  numbers: InputNumbers,
  rows: readonly (readonly number[])[],
): Promise<void> {
  const { own, onnx } = await bothScores(body, numbers, rows);
  own.forEach((score, row) => {
    assert.ok(Math.abs(onnx[row] - score) <= 1e-6, `${onnx[row]}, ${score}`);
  });
}

for (const numbers of ALL_NUMBERS) {
  testReading(
    `an exported linear model (${numbers}) scores as before`,
    async () => {
      await fc.assert(
        fc.asyncProperty(LINEAR, rowsOf(numbers), async (linear, rows) => {
          const body: ModelBody<LinearPart> = {
            kind: "logistic-regression",
            linear,
          };
          await assertSameScores(body, numbers, rows);
        }),
        { numRuns: 30 },
      );
    },
  );

  testReading(
    `exported trees score rows that lack values as before (${numbers})`,
    async () => {
      const bodies = fc.oneof(
        treesBody("logistic", [0, 1, 2]),
        treesBody("identity", [0, 1, 2]),
      );
      await fc.assert(
        fc.asyncProperty(bodies, rowsOf(numbers, "some"), (body, rows) => {
          return assertSameScores(body, numbers, rows);
        }),
        { numRuns: 40 },
      );
      const some = fitModel("random-forest", {
        inputs: INPUTS,
        nullable: ["A"],
        rows: 8,
        columns: [
          Float64Array.of(1, 2, 3, 4, 5, 6, 7, 8),
          Float64Array.of(NaN, NaN, NaN, NaN, 1, 2, 3, 4),
          Float64Array.of(1, 1, 2, 2, 1, 1, 2, 2),
        ],
        labels: Uint8Array.of(1, 1, 1, 1, 0, 0, 0, 0),
      }, { trees: 5, leafRowsMin: 1 });
      await assertSameScores(some, numbers, [
        [1, NaN, 1],
        [8, 1e30, 2],
        [3, -7, 0],
      ]);
    },
  );

  for (const link of ["logistic", "identity"] as const) {
    testReading(
      `exported trees (${link}, ${numbers}) score as before`,
      async () => {
        await fc.assert(
          fc.asyncProperty(treesBody(link), rowsOf(numbers), (body, rows) => {
            return assertSameScores(body, numbers, rows);
          }),
          { numRuns: 40 },
        );
      },
    );
  }
}

/** One split of the first input at a threshold: 0.25 to the left, 0.75 to the right. */
function stump(threshold: number): ModelBody<TreesPart> {
  return {
    kind: "decision-tree",
    ensemble: {
      link: "identity",
      base: 0,
      trees: [{
        input: [0, -1, -1],
        threshold: [threshold, 0, 0],
        left: [1, 0, 0],
        right: [2, 0, 0],
        value: [0, 0.25, 0.75],
        cover: [2, 1, 1],
      }],
    },
  };
}

testReading(
  "a float64 takes the way that it takes here, however near",
  async () => {
    const { own, onnx } = await bothScores(stump(39.3), "float64", [
      [39.3, 0, 0],
      [39.300000000000004, 0, 0],
    ]);
    assert.deepEqual([...own], [0.25, 0.75]);
    assert.deepEqual([...onnx], [0.25, 0.75]);
  },
);

testReading("a value at most the threshold stays so in float32", async () => {
  const values = fc.double({ min: -1e9, max: 1e9, noNaN: true });
  await fc.assert(
    fc.asyncProperty(values, values, async (one, other) => {
      const threshold = Math.max(one, other);
      const value = Math.min(one, other);
      const { onnx } = await bothScores(stump(threshold), "float32", [
        [threshold, 0, 0],
        [value, 0, 0],
      ]);
      assert.deepEqual([...onnx], [0.25, 0.25]);
    }),
    { numRuns: 40 },
  );
  // And one above it goes right, where float32 can tell them apart.
  const { onnx } = await bothScores(stump(39.3), "float32", [
    [39.30001, 0, 0],
    [39.300000000000004, 0, 0],
  ]);
  assert.deepEqual([...onnx], [0.75, 0.25]);
});

testReading(
  "a threshold beyond float32 is refused where that is asked for",
  () => {
    toOnnx(stump(1e39), INPUTS, "float64", {});
    assert.throws(() => toOnnx(stump(1e39), INPUTS, "float32", {}), (error) => {
      assert.ok(error instanceof ModelError);
      assert.match(error.message, /compares with 1e\+39, which float32 cannot/);
      return true;
    });
  },
);

testReading("the file tells its inputs and its version", async () => {
  const bytes = toOnnx(stump(1), INPUTS, "float64", METADATA);
  assert.deepEqual(toOnnx(stump(1), INPUTS, "float64", METADATA), bytes);
  assert.deepEqual(Object.fromEntries(readOnnxGraph(bytes).metadata), {
    "fraudstream.inputs": '["TX_AMOUNT","A","B"]',
    "fraudstream.version": "0123456789ab",
  });
  // Whatever the stream has besides, and in whatever order.
  const offered = ["Z", ...INPUTS.toReversed()];
  const { scorer } = await openOnnxModel(bytes, "m.onnx", {
    names: offered,
    isWhole: IS_WHOLE,
  });
  assert.deepEqual(scorer.inputs, INPUTS);
});

testReading(
  "the file has the inputs and outputs that others expect",
  async () => {
    const bodies: ModelBody<TreesPart | LinearPart>[] = [stump(1), {
      kind: "logistic-regression",
      linear: {
        mean: [1, 0, 0],
        deviation: [1, 1, 1],
        intercept: 0,
        coefficients: [1, 0, 0],
      },
    }];
    const cases = bodies.flatMap((body) => {
      return ALL_NUMBERS.map((numbers) => ({ body, numbers }));
    });
    for (const { body, numbers } of cases) {
      const { Tensor } = await import("onnxruntime-web");
      const session = await openSession(
        toOnnx(body, INPUTS, numbers, METADATA),
      );
      const [input] = session.inputMetadata;
      assert.ok(input.isTensor);
      assert.deepEqual([input.name, input.type], ["X", numbers]);
      assert.deepEqual([...session.outputNames], ["label", "probabilities"]);
      const rows = [0, 0, 0, 2, 0, 0];
      const data = numbers === "float64"
        ? Float64Array.from(rows)
        : Float32Array.from(rows);
      const { label, probabilities } = await session.run({
        X: new Tensor(numbers, data, [2, WIDTH]),
      });
      assert.deepEqual([label.type, label.dims], ["int64", [2]]);
      assert.deepEqual([...label.data as BigInt64Array], [0n, 1n]);
      assert.equal(probabilities.type, "float32");
      assert.deepEqual(probabilities.dims, [2, 2]);
      const found = probabilities.data as Float32Array;
      for (const at of [0, 2]) {
        assert.ok(Math.abs(found[at] + found[at + 1] - 1) < 1e-6);
      }
      await session.release();
    }
  },
);
