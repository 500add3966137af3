/**
 * Requests and answers that get lost between us and Kafka, each in its turn:
 * the first of its kind, the second, and so on until a run meets none. Whatever
 * is lost, every record's output is there once, the offsets are right, and
 * nothing hangs.
 */
import assert from "node:assert/strict";
import { CODES } from "../../src/log/kafka/kafka_error.ts";
import { openLog } from "../../src/log/open_log.ts";
import { type Log, offsetIn, READ_LIMIT } from "../../src/log/log.ts";
import { appendOf, valuesOf } from "../log/records.ts";
import type { ApiName, Fault } from "../services/faulty_proxy.ts";
import { testServing } from "../services/testing_servers.ts";
import {
  OUTPUT,
  type ProxiedKafka,
  runDisturbed,
  settingsOf,
  settledValues,
  soon,
} from "./proxied_kafka.ts";
import { sharedProxied } from "./servers.ts";

/** Requests that go on for as long as a job does are lost so often. */
const ENDLESS_MAX = 8;

/** Consumes, processes and produces with one fault on the way; tells whether it was met. */
function runConsumer(kafka: ProxiedKafka, fault: Fault): Promise<boolean> {
  return runDisturbed(kafka, `${fault.api} ${fault.nth}`, () => {
    kafka.proxy.arm(fault);
    return () => kafka.proxy.disarm();
  });
}

/** Appends to two partitions several times with one fault on the way; tells whether it was met. */
async function runProducer(
  kafka: ProxiedKafka,
  fault: Fault,
  open = (log: Log) => log.producer("writer"),
) {
  const what = `${fault.api} ${fault.nth}`;
  await using log = await openLog(settingsOf(kafka.address), () => {});
  await log.createTopics([OUTPUT]);
  kafka.proxy.arm(fault);
  const values: string[] = [];
  const offsets: { partition: number; offset: number; value: string }[] = [];
  await soon(
    what,
    (async () => {
      const producer = await open(log);
      for (let i = 0; i < 4; i++) {
        const more = [`${i}a`, `${i}b`];
        values.push(...more);
        const runs = await producer.append(
          [0, 1].map((partition) => appendOf(OUTPUT.name, partition, more)),
        );
        for (const partition of [0, 1]) {
          // Also where a repeated batch was known.
          const offset = offsetIn(runs[partition], 1) ?? assert.fail(what);
          offsets.push({ partition, offset, value: `${i}b` });
        }
      }
    })(),
  );
  const isMet = kafka.proxy.disarm();
  const found = await soon(`${what}, then`, settledValues(log, OUTPUT.name));
  assert.deepEqual(found, [values, values], what);
  for (const { partition, offset, value } of offsets) {
    const batch = await log.read(OUTPUT.name, partition, offset, READ_LIMIT);
    assert.equal(batch.offsets[0], offset, what);
    assert.equal(valuesOf(batch)[0], value, what);
  }
  return isMet;
}

/** Loses the first, the second and so on; tells how many there were. */
async function loseEach(
  api: ApiName,
  kind: Fault["kind"],
  run: (fault: Fault) => Promise<boolean>,
  most = Infinity,
): Promise<number> {
  for (let nth = 1; nth <= most; nth++) {
    if (!await run({ api, nth, kind })) return nth - 1;
  }
  return most;
}

const OF_CONSUMER: readonly ApiName[] = [
  "Produce",
  "EndTxn",
  "TxnOffsetCommit",
  "AddPartitionsToTxn",
  "AddOffsetsToTxn",
  "OffsetCommit",
  "OffsetFetch",
  "InitProducerId",
  "JoinGroup",
  "SyncGroup",
  "FindCoordinator",
  "LeaveGroup",
  "ListOffsets",
];
const OF_PRODUCER: readonly ApiName[] = [
  "Produce",
  "EndTxn",
  "AddPartitionsToTxn",
  "InitProducerId",
  "FindCoordinator",
];

testServing(
  "append() asks again where a coordinator gives no reason for not ending a transaction",
  async () => {
    const kafka = await sharedProxied();
    const kind = { code: CODES.unknownServerError };
    const run = (fault: Fault) => runProducer(kafka, fault);
    assert.ok(await loseEach("EndTxn", kind, run) > 0);
  },
);

for (const kind of ["answer", "request"] as const) {
  for (const api of OF_CONSUMER) {
    testServing(`a lost ${kind}: consume() survives any ${api}`, async () => {
      const kafka = await sharedProxied();
      const met = await loseEach(
        api,
        kind,
        (fault) => runConsumer(kafka, fault),
      );
      assert.ok(met > 0);
    });
  }
  for (const api of ["Fetch", "Heartbeat", "Metadata"] as const) {
    testServing(
      `a lost ${kind}: consume() survives the first of ${api}`,
      async () => {
        const kafka = await sharedProxied();
        const run = (fault: Fault) => runConsumer(kafka, fault);
        await loseEach(api, kind, run, ENDLESS_MAX);
      },
    );
  }
  for (const api of OF_PRODUCER) {
    testServing(`a lost ${kind}: append() survives any ${api}`, async () => {
      const kafka = await sharedProxied();
      const met = await loseEach(
        api,
        kind,
        (fault) => runProducer(kafka, fault),
      );
      assert.ok(met > 0);
    });
  }
  for (const api of ["Produce", "InitProducerId"] as const) {
    testServing(`a lost ${kind}: an appender survives any ${api}`, async () => {
      const kafka = await sharedProxied();
      const met = await loseEach(
        api,
        kind,
        (fault) => runProducer(kafka, fault, (log) => log.appender()),
      );
      assert.ok(met > 0);
    });
  }
}
