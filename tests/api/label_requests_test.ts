import assert from "node:assert/strict";
import { LabelRequests } from "../../src/api/label_requests.ts";
import { Problem } from "../../src/api/problem.ts";
import { HANDBOOK_FEATURES } from "../../src/features/parameters.ts";
import { DAY_SECONDS } from "../../src/payment/payment.ts";
import type { StreamParameters } from "../../src/stream/control.ts";
import { LABEL_TOPIC } from "../../src/stream/topics.ts";
import { openMemory, parametersOf } from "../roles/pipeline.ts";
import { valuesOfTopic } from "../roles/stages.ts";

const LABELLED: StreamParameters = {
  ...parametersOf(2),
  features: { ...HANDBOOK_FEATURES, graceSeconds: DAY_SECONDS },
};

async function openLabels(parameters = LABELLED) {
  const folder = await openMemory(parameters);
  const topic = { name: LABEL_TOPIC, partitions: 2, compacted: false };
  await folder.log.createTopics([topic]);
  const { signal } = new AbortController();
  const { log } = folder;
  const requests = new LabelRequests({ log, parameters, signal });
  const taken = async () =>
    (await valuesOfTopic(log, LABEL_TOPIC)).map((json) => JSON.parse(json));
  return {
    requests,
    taken,
    [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose](),
  };
}

/** The problem that a request ends with. */
async function problemOf(request: Promise<unknown>): Promise<Problem> {
  let found: unknown;
  await assert.rejects(request, (error) => {
    found = error;
    return error instanceof Problem;
  });
  return found as Problem;
}

Deno.test("labels of each format are appended with what they say, and api as their source", async () => {
  await using labels = await openLabels();
  const { requests } = labels;
  assert.equal(
    await requests.add(
      '{\n "TRANSACTION_ID": 1,\n "TX_FRAUD": 1,\n "SOURCE": "bank"\n}',
      "json",
    ),
    '{"ACCEPTED":1}',
  );
  assert.equal(
    await requests.add(
      '{"TRANSACTION_ID":2,"TX_FRAUD":0}\n' +
        '{"TRANSACTION_ID":3,"TX_FRAUD":null}',
      "ndjson",
    ),
    '{"ACCEPTED":2}',
  );
  await requests.add(
    "TX_FRAUD,TRANSACTION_ID,KNOWN_AT,REASON\n" +
      ",4,2018-04-08 12:00:00,wrong card\n",
    "csv",
  );
  const taken = await labels.taken();
  taken.sort((a, b) => a.TRANSACTION_ID - b.TRANSACTION_ID);
  assert.deepEqual(taken, [
    { TRANSACTION_ID: 1, TX_FRAUD: 1, SOURCE: "bank" },
    { TRANSACTION_ID: 2, TX_FRAUD: 0, SOURCE: "api" },
    { TRANSACTION_ID: 3, TX_FRAUD: null, SOURCE: "api" },
    {
      TRANSACTION_ID: 4,
      TX_FRAUD: null,
      KNOWN_AT: "2018-04-08 12:00:00",
      REASON: "wrong card",
      SOURCE: "api",
    },
  ]);
});

Deno.test("a body with a wrong label names its line and reason, and none of it is taken", async () => {
  await using labels = await openLabels();
  const { requests } = labels;
  const good = '{"TRANSACTION_ID":2,"TX_FRAUD":0}';
  const wrong = [
    [`${good}\n{"TX_FRAUD":0}`, "ndjson", 2, "missing field"],
    [`${good}\nno`, "ndjson", 2, "not JSON"],
    ["TRANSACTION_ID,TX_FRAUD\n1,1\n2,maybe\n", "csv", 3, "wrong type"],
    ['{"TRANSACTION_ID":-1,"TX_FRAUD":0}', "json", undefined, "out of range"],
    ["[]", "json", undefined, "not JSON"],
  ] as const;
  for (const [body, format, line, reason] of wrong) {
    const { kind, members } = await problemOf(requests.add(body, format));
    assert.equal(kind, "rejected", body);
    assert.deepEqual(
      members,
      { ...line && { LINE: line }, REASON: reason },
      body,
    );
  }
  for (
    const [body, format] of [
      ["", "csv"],
      ["", "ndjson"],
      ["A,B\n1,2\n", "csv"],
      ["TRANSACTION_ID,TX_FRAUD\n", "csv"],
    ] as const
  ) {
    assert.equal(
      (await problemOf(requests.add(body, format))).kind,
      "bad-request",
    );
  }
  const many = `${good}\n`.repeat(4097);
  assert.equal(
    (await problemOf(requests.add(many, "ndjson"))).kind,
    "too-large",
  );
  assert.deepEqual(await labels.taken(), []);
});

Deno.test("labels are refused where the payments carry theirs, and requests at once are all taken", async () => {
  await using carried = await openLabels(parametersOf(2));
  const body = '{"TRANSACTION_ID":2,"TX_FRAUD":0}';
  const problem = await problemOf(carried.requests.add(body, "json"));
  assert.match(problem.message, /carry their labels/);
  await using labels = await openLabels();
  const ids = Array.from({ length: 20 }, (_, id) => id);
  await Promise.all(
    ids.map((id) =>
      labels.requests.add(`{"TRANSACTION_ID":${id},"TX_FRAUD":1}`, "json")
    ),
  );
  assert.equal((await labels.taken()).length, ids.length);
});
