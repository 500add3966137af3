/** Patience with a cluster: what is told of requests that fail again and again. */
import assert from "node:assert/strict";
import { KafkaCluster } from "../../../src/log/kafka/kafka_cluster.ts";
import { CODES, KafkaError } from "../../../src/log/kafka/kafka_error.ts";

/** A cluster that is never connected to; what it reports goes into `reports`. */
function clusterTelling(reports: unknown[]): KafkaCluster {
  return new KafkaCluster({
    brokers: ["nowhere:1"],
    connect: () => Promise.reject(new Error("nobody connects")),
    report: (level, message, fields) => {
      reports.push({ level, message, ...fields });
    },
    signal: new AbortController().signal,
  });
}

/** Lets the clock be ahead by as much as the body says. */
async function withClock(
  body: (advance: (ms: number) => void) => Promise<void>,
): Promise<void> {
  const { now } = performance;
  let ahead = 0;
  performance.now = () => now.call(performance) + ahead;
  try {
    await body((ms) => ahead += ms);
  } finally {
    performance.now = now;
  }
}

Deno.test("a request that is refused on and on while others succeed is told", async () => {
  const reports: Record<string, unknown>[] = [];
  const cluster = clusterTelling(reports);
  await withClock(async (advance) => {
    let attempts = 0;
    await cluster.retry(async () => {
      await cluster.retry(() => Promise.resolve());
      advance(10_000);
      if (++attempts === 5) return;
      throw new KafkaError(CODES.concurrentTransactions, "producer x");
    });
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
  const reports: unknown[] = [];
  const cluster = clusterTelling(reports);
  let attempts = 0;
  await cluster.retry(() => {
    if (++attempts === 5) return Promise.resolve();
    throw new KafkaError(CODES.concurrentTransactions, "producer x");
  });
  assert.deepEqual(reports, []);
});
