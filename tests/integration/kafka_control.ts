/** What other programs write into the control topic of a stream in Kafka while it runs. */
import assert from "node:assert/strict";
import { openLog } from "../../src/log/open_log.ts";
import { RecordBatchBuilder } from "../../src/log/record_batch.ts";
import { Control } from "../../src/stream/control.ts";
import { CONTROL_TOPIC, SINK_TOPIC } from "../../src/stream/topics.ts";
import { testServing } from "../services/testing_servers.ts";
import { freshSettings } from "./servers.ts";
import { RoleProcess } from "./role_process.ts";

const SET_A = ["--customers=50", "--terminals=100", "--days=30"];
const FOREIGN: readonly (readonly [key: string, value: string])[] = [
  ["hello", '{"a":1}'],
  ["hello", "hello"],
  ["parameters", ""], // a tombstone
  ["parameters", "null"],
  ["parameters", "{}"],
  ["position", '{"a":1}'],
  ["end:transaction_topic", '{"a":1}'],
  ["threshold", '{"value":7}'],
];

testServing(
  "foreign records in the control topic are ignored with one warning each, by who runs and by who starts after",
  async () => {
    const settings = await freshSettings();
    const flags = [
      "run",
      "--role=producer,processor",
      "--log=kafka",
      `--brokers=${settings.brokers[0]}`,
      `--topic-prefix=${settings.prefix}`,
      "--partitions=2",
      ...SET_A,
    ];
    await using running = new RoleProcess("roles", [...flags, "--rate=1500"]);
    await using log = await openLog(settings, () => {});
    const control = new Control(log);
    const deadline = AbortSignal.timeout(60_000);
    while (control.position === undefined) {
      if (await log.endOffsets(CONTROL_TOPIC)) await control.refresh();
      await log.changed(20, deadline);
      assert.ok(!deadline.aborted, running.tail());
    }
    const records = new RecordBatchBuilder();
    const encoder = new TextEncoder();
    for (const [key, value] of FOREIGN) {
      records.add(encoder.encode(key), encoder.encode(value), 0);
    }
    const producer = await log.producer("foreign");
    await producer.append([{ topic: CONTROL_TOPIC, partition: 0, records }]);
    const first = await running.ended();
    assert.equal(first.code, 0, running.tail());
    await using again = new RoleProcess("again", [...flags, "--rate=max"]);
    const second = await again.ended();
    assert.equal(second.code, 0, again.tail());
    for (const process of [running, again]) {
      const warned = process.said("a record of the control topic was ignored");
      assert.deepEqual(
        warned.map(({ key }) => key),
        FOREIGN.map(([key]) => key),
      );
      for (const { topic, then } of warned) {
        assert.equal(topic, CONTROL_TOPIC);
        assert.equal(then, "what was there before counts");
      }
    }
    await control.refresh();
    assert.equal(control.parameters?.partitions, 2);
    const rows = control.end(SINK_TOPIC)?.rows;
    assert.ok(rows !== undefined && rows > 1000);
    assert.equal(control.position?.nextId, rows);
  },
);
