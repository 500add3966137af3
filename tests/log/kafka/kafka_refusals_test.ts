/**
 * What the log on Kafka makes of refusals, of topics that are not as they
 * should be, and of the word to stop: on the scripted Kafka, so each of them at
 * every moment.
 */
import assert from "node:assert/strict";
import { ConfigError, LogError } from "../../../src/base/error.ts";
import type { TopicSpec } from "../../../src/log/log.ts";
import { VirtualClock } from "../../virtual_clock.ts";
import { appendOf } from "../records.ts";
import {
  appendRest,
  assertExactlyOnce,
  INPUT,
  jobOn,
  OUTPUT,
  prepareJob,
  runJob,
} from "./scripted/scripted_job.ts";
import { ScriptedKafka } from "./scripted/scripted_kafka.ts";
import { openScripted } from "./scripted/scripted_log.ts";

/** A cluster, and the log on it. */
function fresh() {
  const clock = new VirtualClock(1);
  const kafka = new ScriptedKafka(clock);
  const reports: string[] = [];
  const log = openScripted(kafka, clock, (_, text) => reports.push(text));
  return { clock, kafka, log, reports };
}

/** Asserts an error of a class, with one line that says what and what to do. */
function told(
  kind: typeof LogError | typeof ConfigError,
  ...parts: readonly RegExp[]
) {
  return (error: unknown) => {
    assert.ok(error instanceof kind, String(error));
    for (const part of parts) assert.match(error.message, part);
    assert.doesNotMatch(error.message, /\n/);
    return true;
  };
}

/** The coordinator does not know what went wrong, the transaction is in no state to end, or is to be given up. */
for (const code of [-1, 48, 120]) {
  for (const api of ["AddOffsetsToTxn", "EndTxn"]) {
    Deno.test(`a transaction that ${api} refuses with ${code}, whichever it is, is given up and done again`, async () => {
      await refuseEach(api, code, 0);
    });
  }
}

Deno.test("a step that fails after its generation has ended is not kept for the next", async () => {
  // The heartbeats, a second apart, tell of the other consumer while the first steps wait.
  await refuseEach("AddOffsetsToTxn", 120, 1500);
});

/** Runs the job once for each request of a name, which is refused in that run. */
async function refuseEach(
  api: string,
  code: number,
  stepMs: number,
): Promise<void> {
  const { names } = await runJob({ seed: 1, faults: new Map(), stepMs });
  const numbers = names.flatMap((name, i) => name === api ? [i + 1] : []);
  assert.ok(numbers.length >= 3);
  for (const number of numbers) {
    await runJob({ seed: 1, faults: new Map([[number, { code }]]), stepMs });
  }
}

Deno.test("a transaction that is refused on and on ends consume() with the reason", async () => {
  const { kafka, log } = fresh();
  await using _log = log;
  await prepareJob(log);
  kafka.play(({ name }) => name === "EndTxn" ? { code: 48 } : undefined);
  await assert.rejects(
    log.consume(jobOn(log)),
    told(LogError, /INVALID_TXN_STATE/),
  );
});

for (const api of ["Heartbeat", "LeaveGroup"]) {
  Deno.test(`a member whose ${api} is refused for want of a right ends consume() with the reason`, async () => {
    const { kafka, log } = fresh();
    await using _log = log;
    await appendRest(await prepareJob(log), log);
    kafka.play(({ name }) => name === api ? { code: 30 } : undefined);
    const idle = jobOn(log).idle;
    await assert.rejects(
      log.consume({
        ...jobOn(log),
        idle: () => api === "Heartbeat" ? Promise.resolve(false) : idle(),
      }),
      told(LogError, /GROUP_AUTHORIZATION_FAILED/, /docs\/SECURED_CLUSTERS/),
    );
  });
}

Deno.test("reading behind the end gives nothing, and stays there", async () => {
  const { log } = fresh();
  await using _log = log;
  await prepareJob(log);
  const limit = { records: 10, bytes: 1000 };
  const { count, next } = await log.read(INPUT.name, 0, 1000, limit);
  assert.deepEqual([count, next], [0, 1000]);
});

Deno.test("topics with another number of partitions are refused, and the number is advised where all have it", async () => {
  const { kafka, log } = fresh();
  await using _log = log;
  const single = { name: "single", partitions: 1, compacted: false };
  const existing = [INPUT, OUTPUT, single];
  await log.createTopics(existing);
  const wanted = [INPUT, OUTPUT].map((spec) => ({ ...spec, partitions: 5 }));
  await assert.rejects(
    log.createTopics([...wanted, single]),
    told(ConfigError, /has 2 partitions, not 5: give --partitions=2 or choose/),
  );
  kafka.addPartition("p-output");
  await assert.rejects(
    log.createTopics(wanted),
    told(ConfigError, /has 2 partitions, not 5: choose another --topic-prefix/),
  );
});

Deno.test("a producer that is refused gives advice that fits", async () => {
  const advice = [
    [29, /docs\/SECURED_CLUSTERS/],
    [10, /raise max\.message\.bytes/],
    [32, /message\.timestamp\.after\.max\.ms/],
    [42, /INVALID_REQUEST$/],
  ] as const;
  const { kafka, log } = fresh();
  await using _log = log;
  await log.createTopics([OUTPUT]);
  for (const [code, expected] of advice) {
    kafka.play(() => undefined);
    const producer = await log.producer(`writer ${code}`);
    kafka.play(({ name }) => name === "EndTxn" ? { code } : undefined);
    await assert.rejects(
      producer.append([appendOf(OUTPUT.name, 0, ["a"])]),
      told(LogError, /^Kafka refuses: /, expected),
    );
  }
});

Deno.test("the word to stop ends consume() soon, whichever answer no longer comes, and the next goes on", async () => {
  for (let n = 1;; n++) {
    const { clock, kafka, log } = fresh();
    await using _log = log;
    const producer = await prepareJob(log);
    await appendRest(producer, log);
    const stop = new AbortController();
    let stopped = 0;
    kafka.play(({ number }) => {
      if (number < n) return undefined;
      stopped ||= clock.now();
      stop.abort();
      return "silence";
    });
    await log.consume({ ...jobOn(log), signal: stop.signal });
    const took = clock.now() - stopped;
    assert.ok(stopped === 0 || took < 6000, `exchange ${n}: ${took} ms`);
    kafka.play(() => undefined);
    // A member that could not say that it leaves is waited for.
    await log.consume(jobOn(log));
    await clock.sleep(100_000);
    await assertExactlyOnce(log);
    if (stopped === 0) return assert.ok(n > 20, `${n} exchanges`);
  }
});

Deno.test("records that are gone before they were taken end consume()", async () => {
  const { kafka, log } = fresh();
  await using _log = log;
  await prepareJob(log);
  const commit = { offset: 0, metadata: "" };
  const job = jobOn(log);
  await log.consume({
    ...job,
    open: () =>
      Promise.resolve({
        step: ({ offsets: [first = 0] }) => ({
          next: first,
          metadata: "looked",
          appends: [],
        }),
        start: commit,
      }),
    idle: () => Promise.resolve(true),
  });
  await log.trim(INPUT.name, 0, 2);
  assert.ok(kafka.exchanges > 0);
  await assert.rejects(
    log.consume(job),
    told(
      LogError,
      /offset 0 of p-input no longer exists/,
      /retention\.ms to -1/,
    ),
  );
});

for (const { name } of [INPUT, OUTPUT]) {
  Deno.test(`consume() ends with one clear error when its ${name} topic is deleted`, async () => {
    const { kafka, log } = fresh();
    await using _log = log;
    await prepareJob(log);
    const job = jobOn(log, () => kafka.deleteTopic(`p-${name}`));
    await assert.rejects(
      log.consume({ ...job, idle: () => Promise.resolve(false) }),
      told(LogError, new RegExp(name)),
    );
  });
}

Deno.test("settings that would lose records or refuse them are refused, and shown", async () => {
  const wrong = {
    "max.message.bytes": "1000",
    "message.timestamp.before.max.ms": "3600000",
    "retention.ms": "604800000",
    "retention.bytes": "1",
  };
  for (const [key, value] of Object.entries(wrong)) {
    const { kafka, log } = fresh();
    await using _log = log;
    await log.createTopics([INPUT]);
    kafka.configure("p-input", { [key]: value });
    await assert.rejects(
      log.checkTopics([INPUT]),
      told(ConfigError, new RegExp(`^topic p-input has ${key}=${value}: `)),
    );
    const [{ problems }] = await log.topics([INPUT.name]);
    assert.equal(problems?.length, 1, key);
  }
});

Deno.test("a compacted topic may forget what is old, and must be compacted", async () => {
  const spec = { ...INPUT, compacted: true };
  const { kafka, log } = fresh();
  await using _log = log;
  await log.createTopics([spec]);
  kafka.configure("p-input", {
    "retention.ms": "1",
    "cleanup.policy": "compact,delete",
  });
  await log.checkTopics([spec]);
  await assert.rejects(
    log.checkTopics([INPUT]),
    told(ConfigError, /is compacted \(cleanup\.policy\)/),
  );
});

Deno.test("a topic that has got partitions since the stream began is refused", async () => {
  const { kafka, log } = fresh();
  await using _log = log;
  await log.createTopics([INPUT, OUTPUT]);
  kafka.addPartition("p-output");
  await log.checkPartitions([INPUT]);
  await assert.rejects(
    log.checkPartitions([INPUT, OUTPUT]),
    told(ConfigError, /p-output has 3 partitions, but .* created with 2/),
  );
});

Deno.test("who checks partitions patiently waits for brokers that do not answer", async () => {
  const { kafka, log } = fresh();
  await using _log = log;
  await log.createTopics([INPUT]);
  let lost = 0;
  kafka.play(({ name }) =>
    name === "Metadata" && lost++ < 10 ? "answer lost" : undefined
  );
  await assert.rejects(log.checkPartitions([INPUT]));
  assert.ok(lost < 10);
  await log.checkPartitions([INPUT], true);
  assert.ok(lost > 10);
});

Deno.test("a release that loses the ends of transactions is told", async () => {
  const topics: TopicSpec[] = [INPUT];
  const { kafka, log, reports } = fresh();
  await using _log = log;
  await log.createTopics(topics);
  assert.deepEqual(reports, []);
  kafka.metadataVersion = 30;
  await log.createTopics(topics);
  assert.match(reports.join(), /4\.3\.0 and 4\.3\.1 may lose the end/);
});

Deno.test("topics are made though no answer comes, or another makes them first", async () => {
  const { kafka, log } = fresh();
  await using _log = log;
  kafka.play(({ number, name }) =>
    name === "CreateTopics" && number < 20 ? "answer lost" : undefined
  );
  await log.createTopics([INPUT]);
  assert.ok((kafka.asked.get("CreateTopics") ?? 0) > 1);
  const [{ partitions }] = await log.topics([INPUT.name]);
  assert.equal(partitions, INPUT.partitions);
});

Deno.test("a group's members are counted", async () => {
  const { log } = fresh();
  await using _log = log;
  await prepareJob(log);
  assert.equal(await log.members("job"), 0);
  assert.equal(await log.isAttended("job"), false);
  let members = 0;
  let isAttended = false;
  const idle = async () => {
    members = await log.members("job");
    isAttended = await log.isAttended("job");
    return true;
  };
  await log.consume({ ...jobOn(log), idle });
  assert.equal(members, 1);
  assert.ok(isAttended);
  assert.equal(await log.members("job"), 0);
});
