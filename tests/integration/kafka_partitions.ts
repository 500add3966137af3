/** What partitions a stream has: agreed on by processes that start at the same moment, and never changed. */
import assert from "node:assert/strict";
import type { KafkaSettings } from "../../src/log/kafka/kafka_settings.ts";
import { openLog } from "../../src/log/open_log.ts";
import { Control } from "../../src/stream/control.ts";
import { topicSpecs } from "../../src/stream/topics.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { testServing } from "../services/testing_servers.ts";
import { freshSettings } from "./servers.ts";
import { kafkaTool } from "./kafka_topics.ts";
import { RoleProcess } from "./role_process.ts";

const SET_A = ["--customers=50", "--terminals=100", "--days=30"];

/** The flags of a stream on the shared broker. */
function flagsOf({ brokers, prefix }: KafkaSettings): string[] {
  return [
    "--log=kafka",
    `--brokers=${brokers[0]}`,
    `--topic-prefix=${prefix}`,
    "--session-timeout=3s",
  ];
}

function start(
  settings: KafkaSettings,
  roles: string,
  ...flags: string[]
): RoleProcess {
  const all = ["run", `--role=${roles}`, ...flagsOf(settings), ...flags];
  return new RoleProcess(roles, all);
}

/** Adds partitions to a topic, or to all that match. */
async function addPartitions(name: string, partitions: number): Promise<void> {
  await kafkaTool(
    "org.apache.kafka.tools.TopicCommand",
    ...["--alter", "--topic", name, "--partitions", `${partitions}`],
  );
}

testServing(
  "roles that start at the same moment take the partitions that the producer is given, also those that start first",
  async () => {
    const settings = await freshSettings();
    await using folder = temporaryFolder();
    const others = ["processor", "processor", "writer"].map((role) =>
      start(settings, role, `--data=${folder.path}`)
    );
    const producer = start(
      settings,
      "producer",
      ...SET_A,
      "--rate=max",
      "--partitions=3",
    );
    for (const process of [producer, ...others]) {
      await using ended = process;
      const { code } = await ended.ended();
      assert.equal(code, 0, ended.tail());
    }
    await using log = await openLog(settings, () => {});
    const control = new Control(log);
    await control.refresh();
    assert.equal(control.parameters?.partitions, 3);
    for (const { name, partitions } of topicSpecs(3)) {
      assert.equal((await log.endOffsets(name))?.length, partitions, name);
    }
    // Who is given others is told, and what the stream has.
    await using refused = start(settings, "processor", "--partitions=4");
    const { code, words } = await refused.ended();
    assert.equal(code, 2);
    assert.equal(words.length, 1, words.join("\n"));
    assert.match(words[0], /created with --partitions=3, not 4/);
  },
);

testServing(
  "partitions that are added to any topic are noticed, at the start and before: the line names the topic, says why, and its advice helps",
  async () => {
    const settings = await freshSettings();
    const specs = topicSpecs(2);
    await using log = await openLog(settings, () => {});
    await log.createTopics(specs);
    await new Control(log).agree({
      partitions: 2,
      features: {
        set: "handbook",
        windowDays: [1, 7, 30],
        delayDays: 7,
        useLabels: true,
      },
      latenessSeconds: 3600,
      maxGapSeconds: 400 * 86_400,
    });
    await using running = start(
      settings,
      "producer,processor",
      ...SET_A,
      "--rate=50",
    );
    await until(running, () => running.said("partitions assigned").length > 1);
    await addPartitions(`${settings.prefix}transaction_topic`, 3);
    const expected = new RegExp(
      `^fraudstream: topic ${settings.prefix}transaction_topic has 3 ` +
        `partitions, but this stream was created with 2: .*--topic-prefix$`,
    );
    const ended = await running.ended();
    assert.equal(ended.code, 2, running.tail());
    assert.equal(ended.words.length, 1, ended.words.join("\n"));
    assert.match(ended.words[0], expected);
    for (const flags of [[], ["--partitions=2"]]) {
      await using again = start(settings, "processor", ...flags);
      const { code, words } = await again.ended();
      assert.equal(code, 2);
      assert.match(words.join("\n"), expected);
    }
    const look = ["status", ...flagsOf(settings)];
    await using status = new RoleProcess("status", look);
    const looked = await status.ended();
    assert.equal(looked.code, 2);
    assert.match(looked.words.join("\n"), expected);
    // As it advises.
    const fresh = await freshSettings();
    await using other = start(
      fresh,
      "producer,processor",
      ...SET_A,
      "--rate=max",
    );
    assert.equal((await other.ended()).code, 0, other.tail());
    await addPartitions(`${settings.prefix}.*`, 5);
    for (const spec of specs) {
      await assert.rejects(
        log.checkPartitions([spec]),
        new RegExp(`topic ${settings.prefix}${spec.name} has 5 partitions`),
      );
    }
  },
);

/** Waits until a process has come so far. */
async function until(process: RoleProcess, holds: () => boolean) {
  while (!holds()) {
    assert.equal(process.unexpectedCode, undefined, process.tail());
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

testServing(
  "topics of others that do not fit are told before any is made, and the advice helps",
  async () => {
    const cases: readonly [
      name: string,
      partitions: number,
      config: string,
      told: RegExp,
      fix: "--partitions" | "alter" | "prefix",
    ][] = [
      [
        "transaction_topic",
        3,
        "retention.ms=-1",
        /has 3 partitions, not 4: give --partitions=3 or choose/,
        "--partitions",
      ],
      [
        "transaction_dead_letter_topic",
        3,
        "retention.ms=-1",
        /has 3 partitions, not 1: choose another --topic-prefix/,
        "prefix",
      ],
      [
        "transaction_topic",
        4,
        "max.message.bytes=2000",
        /max\.message\.bytes=2000: .*set it to 1048588 or more/,
        "alter",
      ],
      [
        "transaction_sink_topic",
        4,
        "message.timestamp.before.max.ms=1000",
        /before\.max\.ms=1000: .*set it to 9223372036854775807/,
        "alter",
      ],
    ];
    for (const [name, partitions, config, told, fix] of cases) {
      const settings = await freshSettings();
      const topic = settings.prefix + name;
      await kafkaTool(
        "org.apache.kafka.tools.TopicCommand",
        ...["--create", "--topic", topic, "--partitions", `${partitions}`],
        ...["--config", "retention.ms=-1", "--config", config],
      );
      const flags = ["producer,processor", ...SET_A, "--rate=max"] as const;
      {
        await using refused = start(settings, ...flags);
        const { code, words } = await refused.ended();
        assert.equal(code, 2);
        assert.match(words.join("\n"), told);
        await using log = await openLog(settings, () => {});
        const names = topicSpecs(1).map(({ name }) => name);
        assert.deepEqual((await log.topics(names)).map(({ name }) => name), [
          name,
        ]);
      }
      const right = /set it to (\d+)/.exec(String(told))?.[1];
      if (fix === "alter") {
        await kafkaTool(
          "kafka.admin.ConfigCommand",
          ...["--alter", "--entity-type", "topics", "--entity-name", topic],
          ...["--add-config", `${config.split("=")[0]}=${right}`],
        );
      }
      const where = fix === "prefix" ? await freshSettings() : settings;
      const more = fix === "--partitions" ? ["--partitions=3"] : [];
      await using again = start(where, ...flags, ...more);
      assert.equal((await again.ended()).code, 0, again.tail());
    }
  },
);
