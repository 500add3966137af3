import assert from "node:assert/strict";
import { EmbeddedLog } from "../../src/log/embedded/embedded_log.ts";
import { type Log, READ_LIMIT } from "../../src/log/log.ts";
import { partitionOf } from "../../src/log/partitioner.ts";
import { recordKey } from "../../src/log/record_batch.ts";
import { readLabel } from "../../src/payment/label_json.ts";
import type { CaseEvent } from "../../src/payment/case_json.ts";
import {
  appendCaseSteps,
  readDecisions,
  standingOf,
} from "../../src/stream/case_events.ts";
import { CASE_TOPIC, LABEL_TOPIC } from "../../src/stream/topics.ts";

function event(
  second: number,
  over: Partial<CaseEvent> & Pick<CaseEvent, "kind">,
): CaseEvent {
  return {
    eventId: `event ${second}`,
    transactionId: 7,
    who: "Ada",
    at: `2026-03-01T12:00:0${second}.000Z`,
    note: "",
    ...over,
  };
}

async function openCases(): Promise<EmbeddedLog> {
  const log = new EmbeddedLog({ path: ":memory:", durable: false });
  await log.createTopics([CASE_TOPIC, LABEL_TOPIC].map((name) => {
    return { name, partitions: 3, compacted: false };
  }));
  return log;
}

Deno.test("an append that another page has fenced is tried again", async () => {
  await using log = await openCases();
  let fenced = 0;
  const producer: Log["producer"] = async (id) => {
    const own = await log.producer(id);
    // The first two times another page becomes the writer in between.
    if (fenced++ < 2) await log.producer(id);
    return own;
  };
  const contested = new Proxy(log, {
    get(target, name) {
      if (name === "producer") return producer;
      const value = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
  const verdict = event(1, { kind: "verdict", label: 1 });
  await appendCaseSteps(contested, [{
    event: verdict,
    label: 1,
    timestampMs: 0,
  }]);
  assert.equal(fenced, 3);
  assert.deepEqual(await readDecisions(log), [{
    ...verdict,
    undone: undefined,
  }]);
});

Deno.test("a case stands as its newest events say that were not taken back", () => {
  const claim = event(1, { kind: "claim" });
  const fraud = event(2, { kind: "verdict", label: 1 });
  const other = event(3, { kind: "claim", who: "Grace" });
  const genuine = event(4, { kind: "verdict", label: 0 });
  const undo = (second: number, undoes: string) =>
    event(second, { kind: "undo", undoes });
  const all = [genuine, other, fraud, claim];
  assert.deepEqual(standingOf(all), {
    verdict: genuine,
    assignee: "Grace",
    snoozedUntil: undefined,
  });
  const taken = [undo(5, "event 4"), undo(6, "event 3"), ...all];
  assert.deepEqual(standingOf(taken), {
    verdict: fraud,
    assignee: "Ada",
    snoozedUntil: undefined,
  });
  const released = event(7, { kind: "release" });
  assert.equal(standingOf([released, ...all]).assignee, undefined);
  // A label without an event may withdraw the verdicts before it.
  const withdrawn = event(8, { kind: "verdict" });
  assert.equal(standingOf([withdrawn, ...all]).verdict, undefined);
});

Deno.test("events of payments with text ids lie with their labels by the bytes of the id, and come back as they were", async () => {
  await using log = await openCases();
  const ids = ["<b>", "4999999999999999999", "00", "\u05d0 b", "x".repeat(128)];
  const steps = ids.map((transactionId, at) => ({
    event: event(at, { kind: "verdict", label: 1, transactionId }),
    label: 1 as const,
    timestampMs: 0,
  }));
  await appendCaseSteps(log, steps);
  const found = await readDecisions(log, "text");
  assert.deepEqual(
    found.map(({ transactionId }) => transactionId),
    ids,
  );
  for (const topic of [CASE_TOPIC, LABEL_TOPIC]) {
    const keys: string[] = [];
    for (const partition of [0, 1, 2]) {
      const batch = await log.read(topic, partition, 0, READ_LIMIT);
      for (let i = 0; i < batch.count; i++) {
        const key = recordKey(batch, i);
        assert.equal(partitionOf(key, 3), partition);
        keys.push(new TextDecoder().decode(key));
      }
    }
    assert.deepEqual(keys.sort(), ids.toSorted());
  }
});

Deno.test("a text id that another program wrote as a number keeps its digits", () => {
  const read = (id: string, kind: "text" | "number") => {
    const text = `{"TRANSACTION_ID":${id},"LABEL":1}`;
    const bytes = new TextEncoder().encode(text);
    return readLabel(bytes, 0, bytes.length, kind)?.transactionId;
  };
  const long = "4999999999999999999";
  assert.equal(read(long, "text"), long);
  assert.equal(read("17", "text"), "17");
  assert.equal(read("17", "number"), 17);
  assert.equal(read('"17"', "number"), undefined);
  assert.equal(read('"a\\u0000"', "text"), undefined);
  assert.equal(read(`"${"x".repeat(129)}"`, "text"), undefined);
});
