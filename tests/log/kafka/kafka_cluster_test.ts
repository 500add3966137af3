/** Patience with a cluster: what is told of requests that fail again and again. */
import assert from "node:assert/strict";
import { KafkaCluster } from "../../../src/log/kafka/kafka_cluster.ts";
import {
  CODES,
  KafkaConnectionError,
  KafkaError,
} from "../../../src/log/kafka/kafka_error.ts";
import { VirtualClock } from "../../virtual_clock.ts";

/** A cluster that is never connected to, its clock, and what it reports. */
function unconnected() {
  const reports: Record<string, unknown>[] = [];
  const clock = new VirtualClock(1);
  const cluster = new KafkaCluster({
    brokers: ["nowhere:1"],
    connect: () => Promise.reject(new Error("nobody connects")),
    report: (level, message, fields) => {
      reports.push({ level, message, ...fields });
    },
    signal: new AbortController().signal,
    clock,
  });
  return { cluster, clock, reports };
}

Deno.test("a request that is refused on and on while others succeed is told", async () => {
  const { cluster, clock, reports } = unconnected();
  let attempts = 0;
  await cluster.retry(async () => {
    await cluster.retry(() => Promise.resolve());
    await clock.sleep(10_000);
    if (++attempts === 5) return;
    throw new KafkaError(CODES.concurrentTransactions, "producer x");
  });
  assert.deepEqual(
    reports.map(({ level, message, seconds }) => [level, message, seconds]),
    [
      ["warning", "a request fails again and again", 20],
      ["warning", "a request fails again and again", 40],
    ],
  );
  assert.equal(reports[0].error, "producer x: CONCURRENT_TRANSACTIONS");
});

Deno.test("a request that succeeds soon is nobody's concern", async () => {
  const { cluster, reports } = unconnected();
  let attempts = 0;
  await cluster.retry(() => {
    if (++attempts === 5) return Promise.resolve();
    throw new KafkaError(CODES.concurrentTransactions, "producer x");
  });
  assert.equal(attempts, 5);
  assert.deepEqual(reports, []);
});

Deno.test("an outage is told once it lasts, and its end", async () => {
  const { cluster, reports } = unconnected();
  let attempts = 0;
  await cluster.retry(() => {
    if (++attempts === 10) return Promise.resolve();
    throw new KafkaConnectionError("nobody answers");
  });
  const [began, ended] = reports;
  assert.equal(reports.length, 2);
  assert.equal(began.message, "Kafka answers with errors");
  assert.equal(began.error, "nobody answers");
  assert.equal(ended.message, "Kafka answers again");
});

Deno.test("tries end with the deadline, the signal, and an error that does not pass", async () => {
  const { cluster, clock } = unconnected();
  const fails = () => Promise.reject(new KafkaConnectionError("no answer"));
  await assert.rejects(cluster.retry(fails, { deadlineMs: 5000 }), /no answer/);
  assert.ok(clock.now() > 5000 && clock.now() < 8000, `${clock.now()}`);
  const reason = new Error("told to stop");
  const stop = new AbortController();
  const hangs = cluster.retry(() => new Promise(() => {}), stop);
  stop.abort(reason);
  await assert.rejects(hangs, reason);
  await assert.rejects(cluster.retry(fails, stop), reason);
  const refused = () => Promise.reject(new KafkaError(29, "topic x"));
  await assert.rejects(cluster.retry(refused), /TOPIC_AUTHORIZATION_FAILED/);
});
