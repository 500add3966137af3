/**
 * Work on Kafka that is interrupted: told to stop at the worst moments, fenced,
 * refused, without its topics or its broker. It goes on exactly once, or ends
 * soon with one clear error.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { LogError } from "../../src/base/error.ts";
import type { ConsumeOptions, Log, LogReport } from "../../src/log/log.ts";
import { openLog } from "../../src/log/open_log.ts";
import { appendOf } from "../log/records.ts";
import type { ApiName, Fault } from "../services/faulty_proxy.ts";
import { jarsOf } from "../services/jar_cache.ts";
import { runTool } from "../services/java.ts";
import { testServing } from "../services/testing_servers.ts";
import {
  assertExactlyOnce,
  GROUP,
  INPUT,
  jobOn,
  OUTPUT,
  prepare,
  type ProxiedKafka,
  settingsOf,
  settledValues,
  soon,
  startProxied,
} from "./proxied_kafka.ts";
import { sharedProxied } from "./servers.ts";

/** A step in hand has 5 s after the word to stop; more than that and some is too long. */
const STOP_MS_MAX = 12_000;
/** Where no step is in hand nothing is waited for. */
const AT_ONCE_MS_MAX = 4000;
const REASON = new Error("told to stop");

/** A promise and who keeps it. */
function gate(): PromiseWithResolvers<void> {
  return Promise.withResolvers<void>();
}

/** Runs until it ends, and tells how long it took from the word to stop. */
async function stopped(
  what: string,
  work: Promise<unknown>,
  stop: AbortSignal,
  mostMs = STOP_MS_MAX,
): Promise<void> {
  let since = 0;
  stop.addEventListener("abort", () => since = performance.now());
  await soon(what, work);
  if (!stop.aborted) return;
  const took = performance.now() - since;
  assert.ok(took < mostMs, `${what}: ${Math.round(took)} ms to stop`);
}

// The scripted Kafka stops a consumer at every exchange (tests/log/kafka);
// here those that leave most behind at a real one.
for (const kind of ["answer", "request"] as const) {
  const apis: ApiName[] = ["JoinGroup", "Produce", "EndTxn"];
  for (const api of apis) {
    testServing(
      `the word to stop while one ${kind} is lost (${api}) ends consume(), and the next goes on`,
      async () => {
        const { proxy, address } = await sharedProxied();
        for (let nth = 1; nth <= 3; nth++) {
          await using log = await openLog(settingsOf(address), () => {});
          await prepare(log);
          const stop = new AbortController();
          const met = () => stop.abort(REASON);
          proxy.arm({ api, nth, kind, met });
          const { signal } = stop;
          await stopped(
            `${api} ${nth}`,
            log.consume(jobOn(log, { signal })),
            signal,
          );
          proxy.disarm();
          await soon("the next", log.consume(jobOn(log)));
          await assertExactlyOnce(log, `${api} ${nth}`);
        }
      },
    );
  }
}

/** Kafka's coordinator does not know what went wrong, the transaction is in no state to end, or is to be given up. */
const REFUSALS = [-1, 48, 120];

for (const code of REFUSALS) {
  for (const api of ["EndTxn", "AddOffsetsToTxn"] as const) {
    testServing(
      `a transaction that is refused by ${api} with ${code} is given up and done again`,
      async () => {
        const { proxy, address } = await sharedProxied();
        const consumer = await openLog(settingsOf(address), () => {});
        {
          await using log = consumer;
          await prepare(log);
          const fault: Fault = { api, nth: 2, kind: { code } };
          proxy.arm(fault);
          await soon("consume()", log.consume(jobOn(log)));
          assert.ok(proxy.disarm());
          await assertExactlyOnce(log, api);
        }
      },
    );
  }
  // It cannot tell whether an unknown error came before or after the work.
  if (code === -1) continue;
  testServing(
    `an append that is refused by EndTxn with ${code} is given up and done again`,
    async () => {
      const { proxy, address } = await sharedProxied();
      await using log = await openLog(settingsOf(address), () => {});
      await log.createTopics([OUTPUT]);
      const producer = await log.producer("writer");
      await producer.append([appendOf(OUTPUT.name, 0, ["a"])]);
      proxy.arm({ api: "EndTxn", nth: 1, kind: { code } });
      await soon(
        "append()",
        producer.append([appendOf(OUTPUT.name, 0, ["b"])]),
      );
      assert.ok(proxy.disarm());
      await producer.append([appendOf(OUTPUT.name, 0, ["c"])]);
      assert.deepEqual(await settledValues(log, OUTPUT.name), [
        ["a", "b", "c"],
        [],
      ]);
    },
  );
}

testServing(
  "a partition whose producer is fenced is dropped, and taken again with the next generation",
  async () => {
    const { address } = await sharedProxied();
    const reports: string[] = [];
    const report: LogReport = (_, message) => reports.push(message);
    await using log = await openLog(settingsOf(address), report);
    await prepare(log);
    let isFenced = false;
    const job = jobOn(log);
    await soon(
      "consume()",
      log.consume({
        ...job,
        open: async (partition, commit) => {
          const task = await job.open(partition, commit);
          return {
            step: async (batch) => {
              if (partition === 1 && batch.count > 0 && !isFenced) {
                isFenced = true;
                // As the coordinator does when a transaction takes too long.
                await log.producer(`${GROUP}-1`);
              }
              return await task.step(batch);
            },
          };
        },
      }),
    );
    assert.ok(reports.includes("commit refused"), reports.join("; "));
    await assertExactlyOnce(log, "fenced");
  },
);

testServing(
  "consumers that come, go and are broken share the work exactly once",
  async () => {
    const { proxy, address } = await sharedProxied();
    for (const api of ["JoinGroup", "SyncGroup", "Heartbeat"] as const) {
      for (const nth of [1, 2, 3, 4]) {
        const settings = settingsOf(address);
        await using first = await openLog(settings, () => {});
        await using second = await openLog(settings, () => {});
        await prepare(first);
        proxy.arm({ api, nth, kind: "answer" });
        await soon(
          `${api} ${nth}`,
          Promise.all([first, second].map((log) => log.consume(jobOn(log)))),
        );
        proxy.disarm();
        await assertExactlyOnce(first, `${api} ${nth}`);
      }
    }
  },
);

testServing(
  "the word to stop is heard while the group waits for another member",
  async () => {
    const { address, proxy } = await sharedProxied();
    const settings = settingsOf(address);
    await using busy = await openLog(settings, () => {});
    await using waiting = await openLog(settings, () => {});
    await prepare(busy);
    const inStep = gate();
    const goOn = gate();
    const working = busy.consume(jobAfter(busy, () => {
      inStep.resolve();
      return goOn.promise;
    }));
    await inStep.promise;
    const joining = gate();
    // The first asks for a name, the second joins.
    proxy.arm({ api: "JoinGroup", nth: 2, kind: "pass", met: joining.resolve });
    const stop = new AbortController();
    const { signal } = stop;
    const end = stopped(
      "consume()",
      waiting.consume(jobOn(waiting, { signal })),
      signal,
      AT_ONCE_MS_MAX,
    );
    await joining.promise;
    stop.abort(REASON);
    try {
      await end;
    } finally {
      goOn.resolve();
    }
    await soon("the other", working);
    await assertExactlyOnce(busy, "waiting");
  },
);

testServing(
  "a step that takes longer than the session while others join is not taken for dead",
  async () => {
    const { address, proxy } = await sharedProxied();
    const settings = settingsOf(address);
    const reports: string[] = [];
    const report: LogReport = (_, message) => reports.push(message);
    await using busy = await openLog(settings, report);
    await using other = await openLog(settings, report);
    await prepare(busy);
    const inStep = gate();
    const goOn = gate();
    const working = busy.consume(jobAfter(busy, () => {
      inStep.resolve();
      return goOn.promise;
    }));
    await inStep.promise;
    const joins = other.consume(jobOn(other));
    // A session is three heartbeats long; these all come from the step in hand.
    proxy.arm({ api: "Heartbeat", nth: 8, kind: "pass", met: goOn.resolve });
    await soon("both", Promise.all([working, joins]));
    assert.ok(proxy.disarm(), "no heartbeats came");
    await assertExactlyOnce(busy, "slow");
    assert.deepEqual(
      reports.filter((message) => message !== "partitions assigned"),
      [],
    );
  },
);

testServing(
  "what is refused after a rebalance has begun is not kept for the next generation",
  async () => {
    const { address, proxy } = await sharedProxied();
    const settings = settingsOf(address);
    await using busy = await openLog(settings, () => {});
    await using other = await openLog(settings, () => {});
    await prepare(busy);
    const inStep = gate();
    const goOn = gate();
    const job = jobOn(busy);
    let opened = 0;
    let refused = 0;
    const stepped: number[] = [];
    const working = busy.consume({
      ...job,
      open: async (partition, commit) => {
        const task = await job.open(partition, commit);
        const number = ++opened;
        return {
          step: async (batch) => {
            const step = await task.step(batch);
            if (step.appends.length === 0) return step;
            stepped.push(number);
            if (partition === 0 && refused === 0) {
              refused = number;
              inStep.resolve();
              await goOn.promise;
            }
            return step;
          },
        };
      },
    });
    await inStep.promise;
    await busy.producer(`${GROUP}-0`);
    const joins = other.consume(jobOn(other));
    // By the third from here the one in hand knows of the rebalance.
    proxy.arm({ api: "Heartbeat", nth: 3, kind: "pass", met: goOn.resolve });
    await soon("both", Promise.all([working, joins]));
    proxy.disarm();
    await assertExactlyOnce(busy, "refused");
    assert.equal(stepped.filter((number) => number === refused).length, 1);
  },
);

testServing(
  "a partition that is lost while it is opened fences nobody later",
  async () => {
    const { address, proxy } = await sharedProxied();
    const settings = settingsOf(address);
    const reports: string[] = [];
    const report: LogReport = (_, message) => reports.push(message);
    await using first = await openLog(settings, report);
    await using second = await openLog(settings, report);
    await prepare(first);
    const opening = gate();
    proxy.arm({
      api: "InitProducerId",
      nth: 1,
      times: 2,
      kind: "silence",
      met: opening.resolve,
    });
    const stop = new AbortController();
    const { signal } = stop;
    const opens = first.consume(jobOn(first, { signal }));
    await opening.promise;
    // The second is given one of them, works on it, and the first has to go.
    const idle = async () => {
      const commits = await second.committed(GROUP, INPUT.name);
      if (commits.some((commit) => commit !== undefined)) stop.abort(REASON);
      return await jobOn(second).idle();
    };
    const works = second.consume(jobOn(second, { idle }));
    await soon("both", Promise.all([opens, works]));
    proxy.disarm();
    await assertExactlyOnce(second, "opening");
    assert.ok(!reports.includes("commit refused"), reports.join("; "));
  },
);

/** Deletes a topic, as an operator would. */
async function deleteTopic(kafka: ProxiedKafka, name: string): Promise<void> {
  const { success, output } = await runTool("java", [
    "-XX:TieredStopAtLevel=1",
    "-cp",
    join(await jarsOf("kafka"), "*"),
    "org.apache.kafka.tools.TopicCommand",
    ...["--bootstrap-server", kafka.address, "--delete", "--topic", name],
  ]);
  assert.ok(success, output);
}

for (const topic of [INPUT.name, OUTPUT.name]) {
  testServing(
    `consume() ends with one clear error when its ${topic} topic is deleted`,
    async () => {
      const kafka = await sharedProxied();
      const settings = settingsOf(kafka.address);
      await using log = await openLog(settings, () => {});
      await prepare(log);
      const harm = () => deleteTopic(kafka, settings.prefix + topic);
      const consuming = log.consume(
        jobAfter(log, harm, { idle: () => Promise.resolve(false) }),
      );
      await assert.rejects(soon("consume()", consuming), (error) => {
        assert.ok(error instanceof LogError, String(error));
        assert.match(error.message, new RegExp(`${topic}`));
        assert.doesNotMatch(error.message, /\n/);
        return true;
      });
    },
  );
}

/** The job, but what it does in its first step is done after `before`. */
function jobAfter(
  log: Log,
  before: () => Promise<void>,
  more: Partial<ConsumeOptions> = {},
): ConsumeOptions {
  const job = jobOn(log, more);
  let done: Promise<void> | undefined;
  return {
    ...job,
    open: async (partition, commit) => {
      const task = await job.open(partition, commit);
      return {
        step: async (batch) => {
          await (done ??= before());
          return await task.step(batch);
        },
      };
    },
  };
}

testServing(
  "a broker that is killed and comes back is waited for, and nothing is lost or twice",
  async () => {
    await using kafka = await startProxied();
    await using log = await openLog(settingsOf(kafka.address), () => {});
    await prepare(log);
    await log.createTopics([{
      name: "other",
      partitions: 1,
      compacted: false,
    }]);
    const producer = await log.producer("writer");
    await producer.append([appendOf("other", 0, ["before"])]);
    const restart = async () => {
      await kafka.server.kill();
      kafka.proxy.breakAll();
      await kafka.server.start();
    };
    await soon("consume()", log.consume(jobAfter(log, restart)));
    await assertExactlyOnce(log, "killed");
    await soon("append()", producer.append([appendOf("other", 0, ["after"])]));
    assert.deepEqual(await settledValues(log, "other"), [["before", "after"]]);
  },
);

for (const where of ["in a step", "while idle"] as const) {
  testServing(
    `the word to stop is heard when the broker hangs ${where}`,
    async () => {
      const kafka = await sharedProxied();
      await using log = await openLog(settingsOf(kafka.address), () => {});
      await prepare(log);
      const stop = new AbortController();
      const { signal } = stop;
      const hang = () => {
        kafka.server.pause();
        // Fetches wait already; the next heartbeat will as well.
        const met = () => stop.abort(REASON);
        kafka.proxy.arm({ api: "Heartbeat", nth: 1, kind: "pass", met });
        return Promise.resolve();
      };
      try {
        if (where === "in a step") {
          const work = log.consume(jobAfter(log, hang, { signal }));
          await stopped(where, work, signal);
        } else {
          await log.consume(jobOn(log));
          let hangs: Promise<void> | undefined;
          const idle = async () => {
            await (hangs ??= hang());
            return false;
          };
          const work = log.consume(jobOn(log, { signal, idle }));
          await stopped(where, work, signal);
        }
        assert.ok(signal.aborted);
      } finally {
        kafka.server.resume();
      }
      await soon("the next", log.consume(jobOn(log)));
      await assertExactlyOnce(log, where);
    },
  );
}
