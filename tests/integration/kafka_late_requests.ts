/**
 * Requests that Kafka reads late: the connection broke, we have asked again on
 * another one and gone on, and only then does the broker come to the first, as
 * one that hung does with what stands in its sockets. Kafka takes it for a part
 * of the transaction that is under way by then, unless that has a newer epoch.
 */
import assert from "node:assert/strict";
import { openLog } from "../../src/log/open_log.ts";
import { appendOf } from "../log/records.ts";
import type { ApiName } from "../services/faulty_proxy.ts";
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

/** A request that comes late, and when: before that one of the requests that follow. */
interface Late {
  readonly api: ApiName;
  readonly nth: number;
  readonly before: ApiName;
  readonly beforeNth: number;
}

/** Keeps the request back when it comes, and lets the broker have it when it is time; tells whether both has happened. */
function arm({ proxy }: ProxiedKafka, late: Late): () => boolean {
  let isDelivered = false;
  const deliver = async () => {
    await proxy.deliverLate();
    isDelivered = true;
  };
  const { before, beforeNth } = late;
  const meet = () =>
    proxy.arm({ api: before, nth: beforeNth, kind: "pass", met: deliver });
  proxy.arm({ api: late.api, nth: late.nth, kind: "late", met: meet });
  return () => {
    proxy.disarm();
    return isDelivered;
  };
}

/** A record so long that three of them need two requests. */
const LONG = "x".repeat(300_000);
const BEGINNING = 3;

/** Appends five times with a late request on the way; tells whether there was one. */
async function runProducer(kafka: ProxiedKafka, late: Late): Promise<boolean> {
  const what = JSON.stringify(late);
  await using log = await openLog(settingsOf(kafka.address), () => {});
  await log.createTopics([OUTPUT]);
  const producer = await log.producer("writer");
  const isDelivered = arm(kafka, late);
  const values: string[] = [];
  for (let i = 0; i < 5; i++) {
    const more = [`${i}a ${LONG}`, `${i}b ${LONG}`];
    values.push(...more);
    await soon(what, producer.append([appendOf(OUTPUT.name, 0, more)]));
  }
  const isMet = isDelivered();
  const [found] = await settledValues(log, OUTPUT.name);
  const begin = (value: string) => value.slice(0, BEGINNING);
  assert.deepEqual(found.map(begin), values.map(begin), what);
  return isMet;
}

/** Consumes, processes and produces with a late request on the way; tells whether there was one. */
function runConsumer(kafka: ProxiedKafka, late: Late): Promise<boolean> {
  return runDisturbed(kafka, JSON.stringify(late), () => arm(kafka, late));
}

/** Before which requests late ones come, and before how many of each. */
type Times = readonly (readonly [before: ApiName, most: number])[];

/** Lets the first, the second and the fourth of a request come late, each at several times. */
async function delayEach(
  api: ApiName,
  times: Times,
  run: (late: Late) => Promise<boolean>,
): Promise<void> {
  for (const nth of [1, 2, 4]) {
    let met = 0;
    for (const [before, most] of times) {
      for (let beforeNth = 1; beforeNth <= most; beforeNth++) {
        if (await run({ api, nth, before, beforeNth })) met++;
      }
    }
    if (nth < 4) assert.ok(met > 2, `${api} ${nth} came late ${met} times`);
  }
}

for (const api of ["Produce", "AddPartitionsToTxn", "EndTxn"] as const) {
  testServing(
    `append() is whole and once, whatever ${api} comes late`,
    async () => {
      const kafka = await sharedProxied();
      const times: Times = [["Produce", 4], ["EndTxn", 3]];
      await delayEach(api, times, (late) => runProducer(kafka, late));
    },
  );
}

const OF_CONSUMER: readonly ApiName[] = [
  "Produce",
  "AddPartitionsToTxn",
  "AddOffsetsToTxn",
  "TxnOffsetCommit",
  "EndTxn",
  "OffsetCommit",
  "InitProducerId",
];

for (const api of OF_CONSUMER) {
  testServing(
    `consume() is exactly once, whatever ${api} comes late`,
    async () => {
      const kafka = await sharedProxied();
      const times: Times = [
        ["Produce", 3],
        ["TxnOffsetCommit", 3],
        ["EndTxn", 3],
        ["LeaveGroup", 1],
      ];
      await delayEach(api, times, (late) => runConsumer(kafka, late));
    },
  );
}
