/** What a stream that follows another one has still to take, and one of a newer version, which none follows. */
import assert from "node:assert/strict";
import { ConfigError } from "../../src/base/error.ts";
import { EmbeddedLog } from "../../src/log/embedded/embedded_log.ts";
import { RecordBatchBuilder } from "../../src/log/record_batch.ts";
import { Control } from "../../src/stream/control.ts";
import { followedOf } from "../../src/stream/followed_stream.ts";
import { CONTROL_TOPIC, topicSpecs } from "../../src/stream/topics.ts";
import { parametersOf } from "../roles/pipeline.ts";
import { recordsBehind } from "../../src/stream/follow_position.ts";

Deno.test("records that came and were taken since the ends were looked up leave nothing to take, and hide nothing of other partitions", () => {
  assert.equal(recordsBehind([5, 9], [3, 9]), 2);
  assert.equal(recordsBehind([5, 9], [7, 10]), 0);
  assert.equal(recordsBehind([5, 9], [9, 4]), 5);
  assert.equal(recordsBehind([5, 9], [1]), 13);
});

Deno.test("a stream of a newer version, whose parameters nobody here knows, is refused by that name", async () => {
  await using log = new EmbeddedLog({ path: ":memory:", durable: false });
  await log.createTopics(topicSpecs(1, false));
  const parameters = parametersOf(1);
  const features = { ...parameters.features, set: "wavelets" };
  const records = new RecordBatchBuilder();
  const encoder = new TextEncoder();
  for (
    const [key, value] of Object.entries({
      parameters: { ...parameters, features },
      identity: { id: "newer" },
    })
  ) {
    const json = JSON.stringify(value);
    records.add(encoder.encode(key), encoder.encode(json), 0);
  }
  const producer = await log.producer("tests");
  await producer.append([{ topic: CONTROL_TOPIC, partition: 0, records }]);
  const control = new Control(log);
  await control.refresh();
  assert.throws(() => followedOf(control, "--follow=old"), (error) => {
    assert.ok(error instanceof ConfigError);
    assert.match(error.message, /^--follow=old: a newer version .* use that/);
    return true;
  });
});
