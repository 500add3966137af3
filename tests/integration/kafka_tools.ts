/** Kafka's own tools know our groups: their members, what each has, and how far they are. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { READ_LIMIT } from "../../src/log/log.ts";
import { openLog } from "../../src/log/open_log.ts";
import { appendOf } from "../log/records.ts";
import { jarsOf } from "../services/jar_cache.ts";
import { runTool } from "../services/java.ts";
import { testServing } from "../services/testing_servers.ts";
import { freshSettings } from "./servers.ts";

const TOPIC = { name: "letters", partitions: 3, compacted: false };

/** The table that kafka-consumer-groups --describe prints, by the names of its columns. */
async function describe(
  address: string,
  group: string,
  ...flags: readonly string[]
): Promise<Record<string, string>[]> {
  const { success, output } = await runTool("java", [
    "-XX:TieredStopAtLevel=1",
    "-Dorg.slf4j.simpleLogger.defaultLogLevel=warn",
    "-cp",
    join(await jarsOf("kafka"), "*"),
    "org.apache.kafka.tools.consumer.group.ConsumerGroupCommand",
    ...["--bootstrap-server", address, "--describe", "--group", group],
    ...flags,
  ]);
  assert.ok(success, output);
  const lines = output.split("\n").map((line) => line.trim().split(/\s+/));
  const at = lines.findIndex(([first]) => first === "GROUP");
  assert.ok(at >= 0, output);
  const [names, ...rows] = lines.slice(at);
  return rows.filter(([first]) => first === group).map((row) =>
    Object.fromEntries(names.map((name, i) => [name, row[i]]))
  );
}

testServing(
  "kafka-consumer-groups shows members, partitions and offsets of our groups",
  async () => {
    const settings = await freshSettings();
    const [address] = settings.brokers;
    await using log = await openLog(settings, () => {});
    await log.createTopics([TOPIC]);
    const producer = await log.producer("writer");
    await producer.append([
      appendOf(TOPIC.name, 0, ["a", "b"]),
      appendOf(TOPIC.name, 2, ["c"]),
    ]);
    const group = `${settings.prefix}readers`;
    const topic = settings.prefix + TOPIC.name;
    const stop = new AbortController();
    const described = Promise.withResolvers<Record<string, string>[][]>();
    let isDescribed = false;
    await log.consume({
      group: "readers",
      topic: TOPIC.name,
      limit: READ_LIMIT,
      signal: stop.signal,
      open: () =>
        Promise.resolve({
          step: ({ next }) => ({ next, metadata: "far", appends: [] }),
        }),
      idle: () => {
        if (!isDescribed) {
          isDescribed = true;
          const tables = [["--offsets"], ["--members", "--verbose"]];
          Promise.all(tables.map((flags) => describe(address, group, ...flags)))
            .then(described.resolve, described.reject)
            .finally(() => stop.abort());
        }
        return Promise.resolve(false);
      },
    });
    const [offsets, members] = await described.promise;
    const ends = await log.endOffsets(TOPIC.name) ?? [];
    assert.deepEqual(
      offsets.map((row) => [
        row.GROUP,
        row.TOPIC,
        row.PARTITION,
        row["CURRENT-OFFSET"],
        row.LAG,
      ]).sort(),
      [0, 1, 2].map((partition) => [
        group,
        topic,
        String(partition),
        ends[partition] === 0 ? "-" : String(ends[partition]),
        ends[partition] === 0 ? "-" : "0",
      ]),
    );
    assert.equal(members.length, 1);
    assert.equal(members[0].GROUP, group);
    assert.equal(members[0]["#PARTITIONS"], "3");
    assert.equal(members[0]["CURRENT-ASSIGNMENT"], `${topic}:0,1,2`);
  },
);
