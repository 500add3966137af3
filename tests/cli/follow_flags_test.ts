/** What --follow takes from the followed stream, and where its first payments are gone. */
import assert from "node:assert/strict";
import {
  followedDefaults,
  followingParameters,
  readFollowFlag,
} from "../../src/cli/flags/follow_flags.ts";
import type { FollowedStream } from "../../src/stream/followed_stream.ts";
import { HANDBOOK_FEATURES } from "../../src/features/parameters.ts";
import { DAY_SECONDS } from "../../src/payment/payment.ts";
import { parametersOf } from "../roles/pipeline.ts";

const LOG = { kind: "embedded", folder: "new", durable: true } as const;
const SETTINGS = { log: LOG, place: "old" };

/** A followed stream whose first payment that is left came so many days after its start. */
function streamFrom(days: number | undefined): FollowedStream {
  return {
    id: "old",
    parameters: {
      ...parametersOf(3),
      partitioner: "crc32",
      latenessSeconds: 60,
      features: { ...HANDBOOK_FEATURES, windowDays: [2] },
    },
    startSeconds: 0,
    firstSeconds: days === undefined ? undefined : days * DAY_SECONDS,
    hasOrigin: true,
  };
}

Deno.test("a stream has the parameters of the one that it follows, and the features of its definition", () => {
  const stream = streamFrom(undefined);
  assert.deepEqual(followedDefaults(stream, false), stream.parameters);
  const { features, ...others } = followedDefaults(stream, true);
  assert.deepEqual(features, HANDBOOK_FEATURES);
  assert.equal(others.latenessSeconds, 60);
  assert.equal(others.partitions, 3);
  const own = followingParameters(parametersOf(3), stream, SETTINGS, undefined);
  assert.equal(own.partitioner, "crc32");
  assert.equal(own.maxGapSeconds, 400 * DAY_SECONDS);
});

Deno.test("the first payment that is left is no implausible jump", () => {
  const stream = streamFrom(700);
  const parameters = { ...parametersOf(3), latenessSeconds: 3600 };
  const { maxGapSeconds } = followingParameters(
    parameters,
    stream,
    SETTINGS,
    undefined,
  );
  assert.equal(maxGapSeconds, 701 * DAY_SECONDS);
  assert.throws(
    () => followingParameters(parameters, stream, SETTINGS, 500 * DAY_SECONDS),
    /--max-gap=500d; leave --max-gap out/,
  );
});

Deno.test("--follow brings payments alone, and needs the producer", () => {
  const roles = ["producer", "processor"] as const;
  const read = (more: object, log = LOG) =>
    readFollowFlag({ follow: "old", ...more }, log, roles);
  assert.equal(readFollowFlag({}, LOG, roles), undefined);
  assert.match(read({})?.place ?? "", /\/old$/);
  for (
    const [more, message] of [
      [{ in: "x.csv" }, /--in cannot be given with --follow=old/],
      [{ sourceTopic: "t" }, /--source-topic cannot be given/],
      [{ speedup: 3 }, /--speedup cannot be given/],
      [{ days: 3 }, /--days says what to simulate/],
    ] as const
  ) assert.throws(() => read(more), message);
  assert.throws(
    () => readFollowFlag({ follow: "old" }, LOG, ["processor"]),
    /--follow=old has no effect without --role=producer/,
  );
  assert.throws(() => read({ follow: "new" }), /names the stream itself/);
});
