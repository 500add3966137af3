import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { join } from "node:path";
import { ConfigError, LogError } from "../../src/base/error.ts";
import { EmbeddedLog } from "../../src/log/embedded/embedded_log.ts";
import { RecordBatchBuilder } from "../../src/log/record_batch.ts";
import {
  Control,
  controlRecords,
  customerReplaySeconds,
  rememberedSeconds,
  type StreamParameters,
} from "../../src/stream/control.ts";
import {
  CONTROL_TOPIC,
  SINK_TOPIC,
  topicSpecs,
  TRANSACTION_TOPIC,
} from "../../src/stream/topics.ts";
import { ScriptedKafka } from "../log/kafka/scripted/scripted_kafka.ts";
import { openScripted } from "../log/kafka/scripted/scripted_log.ts";
import { VirtualClock } from "../virtual_clock.ts";
import { testWriting } from "../permission.ts";
import { temporaryFolder } from "../temporary_folder.ts";
import { parametersOf } from "../roles/pipeline.ts";
import { TEXT_DEFINITION } from "./text_stream.ts";

async function openLog(path = ":memory:"): Promise<EmbeddedLog> {
  const log = new EmbeddedLog({ path, durable: false });
  await log.createTopics(topicSpecs(1));
  return log;
}

const PARAMETERS: StreamParameters = {
  ...parametersOf(3),
  dedupeSeconds: 172_800,
  partitioner: "murmur2",
};

Deno.test("agree() makes the first role's parameters the stream's", async () => {
  await using log = await openLog();
  const control = new Control(log);
  assert.equal(control.parameters, undefined);
  await control.agree(PARAMETERS);
  assert.deepEqual(control.parameters, PARAMETERS);
  const other = new Control(log);
  await other.refresh();
  assert.deepEqual(other.parameters, PARAMETERS);
});

Deno.test("agree() of the same parameters writes nothing more", async () => {
  await using log = await openLog();
  await new Control(log).agree(PARAMETERS);
  const ends = await log.endOffsets(CONTROL_TOPIC);
  const { partitioner: _, ...others } = PARAMETERS;
  await new Control(log).agree(others);
  assert.deepEqual(await log.endOffsets(CONTROL_TOPIC), ends);
});

const { features } = PARAMETERS;
const others: [flag: string, found: string, StreamParameters][] = [
  ["--partitions", "3, not 4", { ...PARAMETERS, partitions: 4 }],
  ["--windows", "1,7,30, not 1,7", {
    ...PARAMETERS,
    features: { ...features, windowDays: [1, 7] },
  }],
  ["--delay", "7, not 8", {
    ...PARAMETERS,
    features: { ...features, delayDays: 8 },
  }],
  ["--feature-set", "handbook, not extended", {
    ...PARAMETERS,
    features: { ...features, set: "extended" },
  }],
  ["--partitioner", "murmur2, not crc32", {
    ...PARAMETERS,
    partitioner: "crc32",
  }],
  ["--lateness", "1h, not 1m", { ...PARAMETERS, latenessSeconds: 60 }],
  ["--max-gap", "400d, not 1d", {
    ...PARAMETERS,
    maxGapSeconds: 86_400,
  }],
  ["--dedupe", "2d, not 2h", { ...PARAMETERS, dedupeSeconds: 7200 }],
];

Deno.test("a stream from before there was --dedupe keeps its horizon, and no other", async () => {
  await using log = await openLog();
  const { dedupeSeconds: _, ...older } = PARAMETERS;
  await new Control(log).agree(older);
  const control = new Control(log);
  await control.agree(older);
  assert.deepEqual(control.parameters, older);
  assert.equal(rememberedSeconds(older), 30 * 86_400 + 3600);
  assert.equal(customerReplaySeconds(older), 2 * (30 * 86_400 + 3600));
  await assert.rejects(
    new Control(log).agree({ ...older, dedupeSeconds: 172_800 }),
    /was created by a version without --dedupe: leave it out, or choose/,
  );
});

Deno.test("a replay begins behind what windows and ledger reach by the ledger's reach", () => {
  const day = 86_400;
  assert.equal(rememberedSeconds(PARAMETERS), 2 * day + 1);
  assert.equal(customerReplaySeconds(PARAMETERS), 32 * day + 3600 + 1);
  const long = { ...PARAMETERS, dedupeSeconds: 60 * day };
  assert.equal(customerReplaySeconds(long), 2 * (60 * day + 1));
});

Deno.test("a stream that names no feature set, from before there were any, has the handbook's", async () => {
  await using log = await openLog();
  const { set: _, ...older } = features;
  const records = controlRecords();
  const parameters = { ...PARAMETERS, features: older } as StreamParameters;
  records.put("parameters", parameters);
  await (await log.producer("p")).append(records.appends());
  const control = new Control(log);
  await control.agree(PARAMETERS);
  assert.deepEqual(control.parameters, PARAMETERS);
});

const APRIL = Date.UTC(2018, 3, 1) / 1000;
const MAY = Date.UTC(2018, 4, 1) / 1000;

Deno.test("agree() refuses another --start of a stream of others", async () => {
  await using log = await openLog();
  await new Control(log).agree({ ...PARAMETERS, startSeconds: MAY });
  await new Control(log).agree({ ...PARAMETERS, startSeconds: MAY });
  await assert.rejects(
    new Control(log).agree({ ...PARAMETERS, startSeconds: APRIL }),
    /created with --start=2018-05-01, not 2018-04-01/,
  );
});

Deno.test("agree() to a --start that came late needs a producer with that start", async () => {
  await using log = await openLog();
  const agreement = () =>
    new Control(log).agree({ ...PARAMETERS, startSeconds: MAY });
  await new Control(log).agree(PARAMETERS);
  await assert.rejects(agreement(), /with --start=unknown, not 2018-05-01/);
  const records = controlRecords();
  records.put("origin", { startSeconds: MAY, fingerprint: "" });
  await (await log.producer("p")).append(records.appends());
  await agreement();
});

for (const [flag, found, parameters] of others) {
  Deno.test(`agree() refuses another ${flag}, naming it and both values`, async () => {
    await using log = await openLog();
    await new Control(log).agree(PARAMETERS);
    await assert.rejects(new Control(log).agree(parameters), (error) => {
      assert.ok(error instanceof ConfigError);
      assert.ok(error.message.includes(`${flag}=${found}`), error.message);
      assert.match(error.message, /choose another --data folder/);
      return true;
    });
    const control = new Control(log);
    await control.refresh();
    assert.deepEqual(control.parameters, PARAMETERS);
  });
}

Deno.test("agree() refuses a stream with other use of labels", async () => {
  await using log = await openLog();
  await new Control(log).agree(PARAMETERS);
  const without = {
    ...PARAMETERS,
    features: { ...features, useLabels: false },
  };
  await assert.rejects(new Control(log).agree(without), ConfigError);
  await using other = await openLog();
  await new Control(other).agree(without);
  await assert.rejects(
    new Control(other).agree(PARAMETERS),
    /created with --no-labels: /,
  );
});

Deno.test("a topic that was deleted and created again is refused by its id, and only that one", async () => {
  const clock = new VirtualClock(1);
  const kafka = new ScriptedKafka(clock);
  await using log = openScripted(kafka, clock);
  await log.createTopics(topicSpecs(1));
  const stranger = new Control(log);
  await assert.rejects(
    stranger.agreeTopics([TRANSACTION_TOPIC]),
    /no role has agreed on a stream/,
  );
  const first = new Control(log);
  await first.agree(PARAMETERS);
  await first.agreeTopics([TRANSACTION_TOPIC]);
  const ends = await log.endOffsets(CONTROL_TOPIC);
  await new Control(log).agreeTopics([TRANSACTION_TOPIC]);
  assert.deepEqual(await log.endOffsets(CONTROL_TOPIC), ends);
  for (const name of [TRANSACTION_TOPIC, SINK_TOPIC]) {
    kafka.deleteTopic(`p-${name}`);
  }
  await log.createTopics(topicSpecs(1));
  const remade = (error: unknown) => {
    assert.ok(error instanceof LogError);
    assert.match(error.message, /^transaction_topic was deleted and created/);
    return true;
  };
  await assert.rejects(first.requireTopics([TRANSACTION_TOPIC]), remade);
  const later = new Control(log);
  await assert.rejects(later.agreeTopics([TRANSACTION_TOPIC]), remade);
  // Nobody had recorded that one.
  await later.requireTopics([SINK_TOPIC]);
  await later.agreeTopics([SINK_TOPIC]);
  assert.deepEqual(
    Object.keys(later.identity?.topics ?? {}).toSorted(),
    [SINK_TOPIC, TRANSACTION_TOPIC],
  );
});

testWriting(
  "processes that agree at the same moment all agree, on one set",
  async () => {
    await using folder = temporaryFolder();
    const path = join(folder.path, "log.db");
    for (let round = 0; round < 5; round++) {
      const logs = await Promise.all([1, 2, 3, 4].map(() => openLog(path)));
      await Promise.all(
        logs.map((log) => new Control(log).agree(PARAMETERS)),
      );
      const identities = await Promise.all(logs.map(async (log) => {
        const control = new Control(log);
        await control.refresh();
        assert.deepEqual(control.parameters, PARAMETERS);
        return control.identity;
      }));
      assert.equal(new Set(identities.map((one) => one?.id)).size, 1);
      for (const log of logs) await log[Symbol.asyncDispose]();
      for (const name of ["log.db", "log.db-wal", "log.db-shm"]) {
        await Deno.remove(join(folder.path, name)).catch(() => {});
      }
    }
  },
);

testWriting(
  "of processes that want different parameters at the same moment one prevails",
  async () => {
    await using folder = temporaryFolder();
    const path = join(folder.path, "log.db");
    const logs = await Promise.all([1, 2, 3].map(() => openLog(path)));
    const outcomes = await Promise.allSettled(
      logs.map((log, i) =>
        new Control(log).agree({ ...PARAMETERS, latenessSeconds: 60 * i })
      ),
    );
    const agreed = outcomes.filter(({ status }) => status === "fulfilled");
    assert.equal(agreed.length, 1);
    for (const outcome of outcomes) {
      if (outcome.status === "rejected") {
        assert.ok(outcome.reason instanceof ConfigError, outcome.reason);
      }
    }
    for (const log of logs) await log[Symbol.asyncDispose]();
  },
);

Deno.test("a view moves on with refresh(), and the newest record of a key counts", async () => {
  await using log = await openLog();
  const reader = new Control(log);
  const producer = await log.producer("p");
  for (let day = 0; day < 3; day++) {
    const records = controlRecords();
    records.put("position", { nextId: day * 10, day, row: 0 });
    await producer.append(records.appends());
    await reader.refresh();
    assert.deepEqual(reader.position, { nextId: day * 10, day, row: 0 });
  }
  const late = new Control(log);
  await late.refresh();
  assert.equal(late.position?.day, 2);
});

Deno.test("the end of a topic is that topic's alone", async () => {
  await using log = await openLog();
  const records = controlRecords();
  records.putEnd("one", { rows: 7 });
  await (await log.producer("p")).append(records.appends());
  const control = new Control(log);
  await control.refresh();
  assert.deepEqual(control.end("one"), { rows: 7 });
  assert.equal(control.end("two"), undefined);
});

Deno.test("startSeconds() is the given start until a producer has begun, then its start", async () => {
  await using log = await openLog();
  const control = new Control(log);
  assert.equal(await control.startSeconds(undefined), undefined);
  assert.equal(await control.startSeconds(5), 5);
  const records = controlRecords();
  records.put("origin", { startSeconds: 86_400, fingerprint: "f" });
  await (await log.producer("p")).append(records.appends());
  assert.equal(await control.startSeconds(5), 86_400);
  assert.equal(await control.startSeconds(undefined), 86_400);
});

const encoder = new TextEncoder();

/** A log whose control topic has not been compacted yet, as it is in Kafka for long. */
async function openUncompacted(): Promise<EmbeddedLog> {
  const log = new EmbeddedLog({ path: ":memory:", durable: false });
  await log.createTopics([
    { name: CONTROL_TOPIC, partitions: 1, compacted: false },
  ]);
  return log;
}

/** Appends records as any program might. */
async function appendForeign(
  log: EmbeddedLog,
  ...entries: readonly (readonly [key: string, value: string])[]
): Promise<void> {
  const records = new RecordBatchBuilder();
  for (const [key, value] of entries) {
    records.add(encoder.encode(key), encoder.encode(value), 0);
  }
  const append = { topic: CONTROL_TOPIC, partition: 0, records };
  await (await log.producer("foreign")).append([append]);
}

/** Values of each key as a role writes them. */
const OURS: Readonly<Record<string, unknown>> = {
  parameters: PARAMETERS,
  identity: { id: "an id" },
  origin: { startSeconds: 86_400, fingerprint: "f" },
  position: { nextId: 7, day: 1, row: 2 },
  scoring: { on: true },
  threshold: {
    value: 0.25,
    changes: [{ value: 0.25, timeSeconds: 7 }],
  },
  "end:transaction_topic": { rows: 7 },
  "requeued:transaction_topic/0/1": {
    topic: "transaction_topic",
    partition: 0,
    fromOffset: 9,
  },
};

/** All that a view shows. */
function shown(control: Control): unknown[] {
  return [
    control.parameters,
    control.identity,
    control.origin,
    control.position,
    control.isScored,
    control.alertThreshold,
    control.end("transaction_topic"),
    control.requeued("transaction_topic/0/1"),
  ];
}

const FOREIGN = [
  "",
  "{",
  "hello",
  "null",
  "[]",
  "{}",
  "7",
  '"text"',
  '{"rows":-1,"value":2,"on":false,"id":7,"nextId":"1"}',
  JSON.stringify({ ...PARAMETERS, partitions: 0 }),
  JSON.stringify({ ...PARAMETERS, features: 7 }),
  JSON.stringify({ ...PARAMETERS, features: { windowDays: [7, 1] } }),
];

Deno.test("what another program writes into the control topic is ignored with a warning each, and what was there before counts", async () => {
  await using log = await openUncompacted();
  const ours = Object.entries(OURS);
  await appendForeign(
    log,
    ...ours.map(([key, value]) => [key, JSON.stringify(value)] as const),
  );
  const before = new Control(log);
  await before.refresh();
  const foreign = ours.flatMap(([key]) =>
    FOREIGN.map((value) => [key, value] as const)
  );
  const strange = ["hello", "", "__proto__", "constructor", "end", "\x1b[2J"]
    .map((key) => [key, '{"a":1}'] as const);
  await appendForeign(log, ...foreign, ...strange);
  const warnings: Readonly<Record<string, unknown>>[] = [];
  const after = new Control(log, (level, _, fields) => {
    assert.equal(level, "warning");
    warnings.push(fields);
  });
  await after.refresh();
  await after.refresh();
  assert.deepEqual(shown(after), shown(before));
  assert.ok(shown(after).every((value) => value !== undefined));
  assert.deepEqual(
    warnings.map(({ key }) => key),
    [...foreign, ...strange].map(([key]) => key),
  );
  for (const { topic, offset, reason } of warnings) {
    assert.equal(topic, CONTROL_TOPIC);
    assert.ok(Number.isInteger(offset));
    assert.match(
      String(reason),
      /^(no role writes|its value is (empty or )?not)/,
    );
  }
});

Deno.test("parameters that another program has overwritten are written again, for compaction keeps the newest only", async () => {
  await using log = await openUncompacted();
  const first = new Control(log);
  await first.agree(PARAMETERS);
  const { identity } = first;
  for (const value of ["", "null", "{}"]) {
    await appendForeign(log, ["parameters", value], ["identity", value]);
    await new Control(log).agree(PARAMETERS);
    const ends = await log.endOffsets(CONTROL_TOPIC);
    const control = new Control(log);
    await control.refresh();
    assert.deepEqual(control.parameters, first.parameters);
    assert.deepEqual(control.identity, identity);
    await new Control(log).agree(PARAMETERS);
    assert.deepEqual(await log.endOffsets(CONTROL_TOPIC), ends);
  }
});

Deno.test("applyThreshold() keeps the newest changes with their event times", async () => {
  await using log = await openLog();
  const control = new Control(log);
  await appendForeign(log, ["threshold", `{"value":0.25}`]);
  await control.refresh();
  assert.deepEqual(control.thresholdChanges, []);
  for (let at = 0; at < 60; at++) {
    await control.applyThreshold(at / 100, 1000 * at);
  }
  // Nothing changes, so nothing is written.
  await control.applyThreshold(0.59, 70_000);
  const other = new Control(log);
  await other.refresh();
  const changes = other.thresholdChanges;
  assert.equal(changes.length, 50);
  assert.deepEqual(changes[0], { value: 0.1, timeSeconds: 10_000 });
  assert.deepEqual(changes.at(-1), { value: 0.59, timeSeconds: 59_000 });
});

Deno.test("agree() refuses another definition, naming both, and takes a stream's own", async () => {
  await using log = await openLog();
  const defined = { ...PARAMETERS, definition: TEXT_DEFINITION };
  await new Control(log).agree(defined);
  const control = new Control(log);
  await control.agree(defined);
  assert.deepEqual(control.parameters?.definition, TEXT_DEFINITION);
  const json = TEXT_DEFINITION.json.replace('"card"', '"cc_num"');
  const sha256 = createHash("sha256").update(json).digest("hex");
  const others = [{ sha256, json }, undefined];
  for (const definition of others) {
    await assert.rejects(
      new Control(log).agree({ ...PARAMETERS, definition }),
      (error: Error) =>
        error instanceof ConfigError &&
        error.message.includes(TEXT_DEFINITION.sha256) &&
        error.message.includes(definition?.sha256 ?? "handbook") &&
        !error.message.includes("\n"),
    );
  }
});

Deno.test("a record that no reader would take cannot be put", () => {
  const follow = {
    place: "old",
    stream: "id",
    startSeconds: null,
    offsets: [5, 7],
    sinceSeconds: null,
    records: 12,
    lag: 0,
  };
  const records = controlRecords();
  records.put("follow", follow);
  // Then a restart would take again what is taken.
  assert.throws(
    () => records.put("follow", { ...follow, lag: -2 }),
    /control record follow: its value is not of the shape/,
  );
});
