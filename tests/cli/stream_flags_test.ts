/** Where labels come from: what --labels, --grace and definitions make of a stream. */
import assert from "node:assert/strict";
import {
  readStreamFlags,
  type StreamOptions,
} from "../../src/cli/flags/stream_flags.ts";
import {
  openDefinition,
  readDefinition,
} from "../../src/definition/read_definition.ts";
import { labelSeconds } from "../../src/roles/label_feed.ts";
import { DAY_SECONDS } from "../../src/payment/payment.ts";
import {
  HANDBOOK_SHAPE,
  UNLABELLED_SHAPE,
} from "../../src/payment/payment_shape.ts";
import { labelDays, type StreamParameters } from "../../src/stream/control.ts";
import { shapeOfStream } from "../../src/stream/stream_definition.ts";

const DEFINITION = `version: 1
payment:
  TRANSACTION_ID: id
  TX_DATETIME: time
  CUSTOMER_ID: card
  TERMINAL_ID: shop
  TX_AMOUNT: amount
labels: { from: stream, delay: 5d, grace: 2h }
`;

/** What the flags make of a new stream, or of one that was found, as its control topic holds it. */
function read(options: StreamOptions, found?: StreamParameters) {
  const parameters = readStreamFlags(options, found);
  return JSON.parse(JSON.stringify(parameters)) as StreamParameters;
}

Deno.test("labels come with the payments unless a flag says otherwise", () => {
  for (const labels of [undefined, "payment", true] as const) {
    const parameters = read({ labels });
    assert.ok(!("graceSeconds" in parameters.features));
    assert.equal(shapeOfStream(parameters), HANDBOOK_SHAPE);
  }
});

Deno.test("--labels=stream counts a label a day after it is known, or after half of a shorter delay", () => {
  const parameters = read({ labels: "stream" });
  assert.equal(parameters.features.graceSeconds, DAY_SECONDS);
  assert.equal(shapeOfStream(parameters), UNLABELLED_SHAPE);
  const short = read({ labels: "stream", delay: 1 });
  assert.equal(short.features.graceSeconds, DAY_SECONDS / 2);
  const own = read({ labels: "stream", grace: 7200 });
  assert.equal(own.features.graceSeconds, 7200);
});

Deno.test("a stream of labels is continued without flags, as it was made", () => {
  const found = read({ labels: "stream", grace: 7200, delay: 3 });
  assert.deepEqual(read({}, found), found);
  assert.deepEqual(read({ labels: "stream" }, found), found);
  const { features } = read({ labels: "payment" }, found);
  assert.ok(!("graceSeconds" in features));
});

Deno.test("a payment without a label is genuine after the delay, or after --mature", () => {
  const parameters = read({ labels: "stream", delay: 5 });
  assert.equal(labelDays(parameters), 5);
  const own = read({ labels: "stream", mature: 45 * DAY_SECONDS });
  assert.equal(labelDays(own), 45);
  assert.deepEqual(read({}, own), own);
  const text = DEFINITION.replace("grace: 2h", "grace: 2h, mature: 45d");
  const defined = read({ definition: readDefinition(text, "tests") });
  assert.equal(labelDays(defined), 45);
  assert.equal(labelDays(read({}, defined)), 45);
  assert.equal(labelDays(read({ delay: 9 })), 9, "labels in the payments");
});

Deno.test("the built-in definition live is --labels=stream, and handbook is --labels=payment", () => {
  const [live, handbook] = ["live", "handbook"].map(openDefinition);
  assert.deepEqual(read({ definition: live }), read({ labels: "stream" }));
  assert.deepEqual(read({ definition: handbook }), read({}));
  const found = read({ labels: "stream" });
  assert.ok(
    !("graceSeconds" in read({ definition: handbook }, found).features),
  );
  assert.throws(
    () => read({ definition: live, labels: "payment" }),
    /--labels=payment cannot be given with --definition=live/,
  );
});

Deno.test("a definition says itself whether labels arrive later, and how long until they count", () => {
  const definition = readDefinition(DEFINITION, "tests");
  const parameters = read({ definition });
  const { delayDays, graceSeconds, useLabels } = parameters.features;
  assert.deepEqual([delayDays, graceSeconds, useLabels], [5, 7200, true]);
  assert.ok(shapeOfStream(parameters).hasLabels);
  assert.deepEqual(read({}, parameters), parameters);
  const flags = [{ grace: 7200 }, { labels: "stream" }, { mature: 1 }] as const;
  for (const given of flags) {
    assert.throws(() => read({ definition, ...given }), /leave the flag out/);
  }
  assert.throws(
    () => read({ definition, lateness: 7200 }),
    /labels { grace: 2h } must be longer than --lateness=2h/,
  );
});

Deno.test("a definition without features allows any delay and any number of partitions", () => {
  const text = DEFINITION.replace("5d, grace: 2h", "30m, grace: 10m") +
    "features: { include: none }\n";
  const definition = readDefinition(text, "tests");
  const parameters = read({ definition, partitions: 3 });
  assert.deepEqual(parameters.features, {
    set: "none",
    windowDays: [],
    delayDays: 1,
    useLabels: true,
    graceSeconds: 600,
  });
  assert.equal(labelSeconds(parameters), 1200);
  assert.deepEqual(read({}, parameters), parameters);
  for (const found of [undefined, parameters]) {
    const given = found ? {} : { definition };
    assert.throws(
      () => read({ ...given, windows: [1] }, found),
      /--windows cannot be given/,
    );
  }
});

Deno.test("an own delay that the alignment does not allow is named as the definition has it", () => {
  const text = DEFINITION.replace("TX_AMOUNT: amount", "$&\n  TX_FRAUD: fraud")
    .replace("stream, delay: 5d, grace: 2h", "payment, delay: 1d");
  assert.throws(
    () => read({ definition: readDefinition(text, "tests") }),
    /labels { delay: 1d } must be longer than a day/,
  );
});

Deno.test("labels that cannot make exact features are refused with what to change", () => {
  const wrong: [StreamOptions, RegExp][] = [
    [{ grace: 7200 }, /--grace has no effect without --labels=stream/],
    [{ labels: "stream", grace: 1800 }, /longer than --lateness=1h/],
    [
      { labels: "stream", grace: 3 * DAY_SECONDS, delay: 3 },
      /shorter than --d/,
    ],
    [{ mature: DAY_SECONDS }, /--mature has no effect without --labels=stream/],
    [{ labels: "stream", mature: 130_000 }, /--mature must be whole days/],
    [
      { labels: "stream", grace: 2 * DAY_SECONDS, mature: DAY_SECONDS },
      /--mature=1d must not be shorter than --grace=2d/,
    ],
    [{ labels: "stream", featureSet: "extended" }, /needs labels in the pay/],
  ];
  for (const [options, message] of wrong) {
    assert.throws(() => read(options), message);
  }
});
