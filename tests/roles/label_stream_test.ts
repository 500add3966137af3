/**
 * Streams whose labels arrive later than their payments: the stages take them
 * among the payments, and the handbook's features come out of them.
 */
import assert from "node:assert/strict";
import { HANDBOOK_FEATURES } from "../../src/features/parameters.ts";
import { DAY_SECONDS } from "../../src/payment/payment.ts";
import { runProducer } from "../../src/roles/producer.ts";
import type { RunSettings } from "../../src/roles/role.ts";
import { Control, type StreamParameters } from "../../src/stream/control.ts";
import { TRANSACTION_TOPIC } from "../../src/stream/topics.ts";
import { valuesOfTopic } from "./stages.ts";
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

/** Publishes as a producer that is stopped again and again: its topic's records, partition by partition. */
async function published(data: RunSettings["data"], stops: boolean) {
  const parameters = labelParameters(3);
  await using folder = await openMemory(parameters);
  const { log, context } = folder;
  const control = new Control(log);
  let runs = 0;
  do {
    const stop = new AbortController();
    let appends = 0;
    await runProducer({ ...context, control, signal: stop.signal }, {
      data,
      pace: { kind: "max" },
      published: () => {
        if (stops && ++appends > 1 + runs % 3) stop.abort();
      },
    });
    runs++;
  } while (!control.end(TRANSACTION_TOPIC) && runs < 1000);
  return { runs, values: await valuesOfTopic(log, TRANSACTION_TOPIC) };
}

Deno.test("a producer that is stopped again and again publishes each label once, where it belongs", async () => {
  const { parameters } = SET_A;
  const sets: RunSettings["data"][] = [
    SET_A,
    // Days without payments.
    { ...SET_A, parameters: { ...parameters, customers: 3, days: 120 } },
    { parameters, rng: "seedrandom", seed: "labels" },
    // More labels after the last payment than one append takes.
    {
      parameters: { ...parameters, customers: 1500, days: 8 },
      rng: "seedrandom",
      seed: "labels",
    },
  ];
  for (const data of sets) {
    const whole = await published(data, false);
    const pieces = await published(data, true);
    assert.ok(pieces.runs > 5, `${pieces.runs} runs`);
    assert.deepEqual(pieces.values, whole.values);
    const labels = whole.values.filter((json) => json.includes("KNOWN_AT"));
    assert.ok(labels.length > 0);
    assert.equal(2 * labels.length, whole.values.length);
  }
});
