/** What a stream that follows another one has still to take. */
import assert from "node:assert/strict";
import { recordsBehind } from "../../src/stream/follow_position.ts";

Deno.test("records that came and were taken since the ends were looked up leave nothing to take, and hide nothing of other partitions", () => {
  assert.equal(recordsBehind([5, 9], [3, 9]), 2);
  assert.equal(recordsBehind([5, 9], [7, 10]), 0);
  assert.equal(recordsBehind([5, 9], [9, 4]), 5);
  assert.equal(recordsBehind([5, 9], [1]), 13);
});
