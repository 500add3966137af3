/**
 * Topics on Kafka: those that are made here keep payments of any date, those
 * that others have made are checked and told, and never altered.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { ConfigError } from "../../src/base/error.ts";
import type { LogReport } from "../../src/log/log.ts";
import { openLog } from "../../src/log/open_log.ts";
import { topicSpecs } from "../../src/stream/topics.ts";
import { jarsOf } from "../services/jar_cache.ts";
import { runTool } from "../services/java.ts";
import { testServing } from "../services/testing_servers.ts";
import { freshSettings } from "./servers.ts";
import { sharedKafka } from "./servers.ts";

const TOPIC = { name: "letters", partitions: 2, compacted: false };

/** Runs one of Kafka's own tools on the shared broker and gives what it says. */
export async function kafkaTool(
  tool: string,
  ...args: string[]
): Promise<string> {
  const { address } = await sharedKafka();
  const { success, output } = await runTool("java", [
    "-XX:TieredStopAtLevel=1",
    "-cp",
    join(await jarsOf("kafka"), "*"),
    tool,
    "--bootstrap-server",
    address,
    ...args,
  ]);
  assert.ok(success, output);
  return output;
}

const create = (name: string, ...settings: string[]) =>
  kafkaTool(
    "org.apache.kafka.tools.TopicCommand",
    ...["--create", "--topic", name, "--partitions", "2"],
    ...settings.flatMap((setting) => ["--config", setting]),
  );

testServing(
  "nothing is told of a Kafka that keeps its promises",
  async () => {
    const told: string[] = [];
    const report: LogReport = (_, message) => told.push(message);
    await using log = await openLog(await freshSettings(), report);
    await log.createTopics([TOPIC]);
    assert.deepEqual(told, []);
  },
);

testServing(
  "topics of a stream keep payments of any date, as Kafka's own tool tells",
  async () => {
    const settings = await freshSettings();
    await using log = await openLog(settings, () => {});
    await log.createTopics(topicSpecs(3));
    const output = await kafkaTool(
      "org.apache.kafka.tools.TopicCommand",
      ...["--describe", "--topic", `${settings.prefix}.*`],
    );
    for (const { name, partitions, compacted } of topicSpecs(3)) {
      const topic = `Topic: ${settings.prefix}${name}\t`;
      const line = output.split("\n").find((line) => line.startsWith(topic));
      assert.ok(line, `${name} is not in ${output}`);
      assert.match(line, new RegExp(`PartitionCount: ${partitions}\\t`));
      const wanted = compacted
        ? ["cleanup.policy=compact"]
        : ["cleanup.policy=delete", "retention.ms=-1"];
      for (const setting of wanted) assert.ok(line.includes(setting), line);
      if (compacted) continue;
      assert.match(
        line,
        /message\.timestamp\.after\.max\.ms=9223372036854775807/,
      );
    }
  },
);

testServing(
  "a topic whose retention would delete payments is refused and left as it is",
  async () => {
    const settings = await freshSettings();
    await create(settings.prefix + TOPIC.name, "retention.ms=86400000");
    await using log = await openLog(settings, () => {});
    const refused = (error: unknown) => {
      assert.ok(error instanceof ConfigError);
      assert.match(error.message, /letters has retention\.ms=86400000: .*-1/);
      assert.ok(!error.message.includes("\n"));
      return true;
    };
    await assert.rejects(log.createTopics([TOPIC]), refused);
    await assert.rejects(log.createTopics([TOPIC]), refused);
    const [{ problems = [], settings: told = {} }] = await log.topics([
      TOPIC.name,
    ]);
    assert.equal(problems.length, 1);
    assert.match(problems[0], /retention\.ms=86400000/);
    assert.equal(told["retention.ms"], "86400000");
  },
);

testServing(
  "a topic of others that keeps everything is used as it is",
  async () => {
    const settings = await freshSettings();
    const others = ["retention.ms=-1", "max.message.bytes=2000000"];
    await create(settings.prefix + TOPIC.name, ...others);
    await using log = await openLog(settings, () => {});
    await log.createTopics([TOPIC]);
    const output = await kafkaTool(
      "org.apache.kafka.tools.TopicCommand",
      ...["--describe", "--topic", settings.prefix + TOPIC.name],
    );
    for (const setting of others) assert.ok(output.includes(setting), output);
    assert.ok(!output.includes("cleanup.policy"), output);
  },
);
