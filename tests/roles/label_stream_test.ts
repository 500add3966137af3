/**
 * Streams whose labels arrive later than their payments: the stages take them
 * among the payments, and the handbook's features come out of them.
 */
import assert from "node:assert/strict";
import { HANDBOOK_FEATURES } from "../../src/features/parameters.ts";
import { DAY_SECONDS } from "../../src/payment/payment.ts";
import type { StreamParameters } from "../../src/stream/control.ts";
import {
  openMemory,
  parametersOf,
  produce,
  referenceSum,
  runBehind,
  SET_A,
  sinkSum,
} from "./pipeline.ts";

/** A stream whose labels count a day after they are known. */
function labelParameters(partitions: number): StreamParameters {
  return {
    ...parametersOf(partitions),
    features: { ...HANDBOOK_FEATURES, graceSeconds: DAY_SECONDS },
  };
}

Deno.test("the simulator's labels among the payments give the handbook's features, on 1, 3 and 4 partitions", async () => {
  for (const partitions of [1, 3, 4]) {
    const parameters = labelParameters(partitions);
    await using folder = await openMemory(parameters);
    await produce(folder, SET_A);
    await runBehind(folder);
    assert.equal(
      await sinkSum(folder.log, parameters),
      referenceSum("A"),
      `${partitions} partitions`,
    );
  }
});
