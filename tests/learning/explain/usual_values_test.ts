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
