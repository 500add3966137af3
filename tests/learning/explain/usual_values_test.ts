import assert from "node:assert/strict";
import { usualOf } from "../../../src/learning/explain/usual_values.ts";

function usual(values: readonly number[]) {
  return usualOf({
    inputs: ["A"],
    rows: values.length,
    columns: [Float64Array.from(values)],
    labels: new Uint8Array(values.length),
  }).A;
}

Deno.test("usualOf() gives mean and median to six digits, whatever the order", () => {
  assert.deepEqual(usual([3, 1, 2]), { mean: 2, median: 2 });
  assert.deepEqual(usual([10, 1, 2, 3]), { mean: 4, median: 2 });
  assert.deepEqual(usual([0, 0, 1]), { mean: 0.333333, median: 0 });
  const values = Array.from({ length: 1000 }, (_, at) => (at * 7919 % 997) / 7);
  assert.deepEqual(usual(values), usual(values.toReversed()));
});

Deno.test("usualOf() takes the values that there are, and says how many are missing", () => {
  const among = (values: readonly number[]) =>
    usualOf({
      inputs: ["A", "B"],
      nullable: ["B"],
      rows: values.length,
      columns: [
        new Float64Array(values.length),
        Float64Array.from(values),
      ],
      labels: new Uint8Array(values.length),
    });
  assert.deepEqual(among([NaN, 3, 1, 2]), {
    A: { mean: 0, median: 0 },
    B: { mean: 2, median: 2, missing: 0.25 },
  });
  assert.deepEqual(among([1, 2]).B, { mean: 1.5, median: 1, missing: 0 });
  assert.deepEqual(among([NaN]).B, { mean: NaN, median: NaN, missing: 1 });
});
