/** The records of a followed stream under another definition: fields that pass through, labels, what no stage takes; and whom a stream may not follow. */
import assert from "node:assert/strict";
import { featuresOfDefinition } from "../../src/cli/flags/stream_flags.ts";
import { readDefinition } from "../../src/definition/read_definition.ts";
import { EmbeddedLog } from "../../src/log/embedded/embedded_log.ts";
import type { StreamParameters } from "../../src/stream/control.ts";
import { FollowedRecords } from "../../src/stream/followed_records.ts";
import { requireFollowable } from "../../src/stream/followed_stream.ts";
import { recordedDefinition } from "../../src/stream/stream_definition.ts";
import { topicSpecs, TRANSACTION_TOPIC } from "../../src/stream/topics.ts";
import { parametersOf } from "../roles/pipeline.ts";
import { appendPayments, valuesOfTopic } from "../roles/stages.ts";

const FLAG = "--follow=old";
const START = Date.UTC(2024, 0, 1) / 1000;

/** The parameters of a stream whose definition has these fields and features. */
function parametersWith(more: string): StreamParameters {
  const definition = readDefinition(
    `version: 1
payment:
  TRANSACTION_ID: { from: id, type: number }
  TX_DATETIME: time
  CUSTOMER_ID: card
  TERMINAL_ID: { from: shop, type: number }
  TX_AMOUNT: amt
${more}
labels: { from: stream, delay: 7d, grace: 1d }
`,
    "tests",
  );
  return {
    ...parametersOf(1),
    features: featuresOfDefinition(definition),
    partitioner: "murmur2",
    definition: recordedDefinition(definition),
  };
}

const OLD = parametersWith("  keep: { age: number }\n  drop: [zip]");

function followed(parameters: StreamParameters) {
  return requireFollowable(
    {
      id: "old",
      parameters: OLD,
      startSeconds: START,
      hasOrigin: true,
    },
    parameters,
    FLAG,
  );
}

const CORE = '"TRANSACTION_ID":1,"TX_DATETIME":"2024-01-01 00:01:00",' +
  '"CUSTOMER_ID":"k","TERMINAL_ID":7,"TX_AMOUNT":1.5,"TX_TIME_SECONDS":60,' +
  '"TX_TIME_DAYS":0';
const LABEL = '"TX_FRAUD":null,"TX_FRAUD_SCENARIO":0,' +
  '"KNOWN_AT":"2024-01-05 00:00:00"';

/** What becomes of records in a stream with other parameters. */
async function follow(
  parameters: StreamParameters,
  records: readonly string[],
  unseen: readonly string[] = [],
): Promise<string[]> {
  await using log = new EmbeddedLog({ path: ":memory:", durable: false });
  await log.createTopics(topicSpecs(1, true));
  await appendPayments(log, 0, records);
  const limit = { records: 100, bytes: 1 << 20 };
  const batch = await log.read(TRANSACTION_TOPIC, 0, 0, limit);
  const { mapping } = followed(parameters);
  const taken = new FollowedRecords({ old: OLD, parameters, mapping });
  taken.add(batch, 0);
  assert.deepEqual(taken.unseen, unseen);
  await using own = new EmbeddedLog({ path: ":memory:", durable: false });
  await own.createTopics(topicSpecs(1, true));
  const producer = await own.producer("tests");
  await producer.append(taken.appends());
  return await valuesOfTopic(own, TRANSACTION_TOPIC);
}

Deno.test("a field that passed through unnamed can be kept; labels come along", async () => {
  const records = [
    `{${CORE},"age":30,"city":"Ulm","more":[1]}`,
    `{${CORE},"age":null,"more":2}`,
    `{${CORE},"age":30,${LABEL}}`,
  ];
  const parameters = parametersWith(
    "  keep: { town: { from: city, type: text }, years: { from: age, type: number } }",
  );
  assert.deepEqual(await follow(parameters, records), [
    `{${CORE},"town":"Ulm","years":30,"more":[1]}`,
    `{${CORE},"town":null,"years":null,"more":2}`,
    `{${CORE},"town":null,"years":30,${LABEL}}`,
  ]);
});

Deno.test("what the stages refuse is taken as it is, and so is everything where the same is kept", async () => {
  const records = [
    "no JSON",
    `{${CORE.replace('"CUSTOMER_ID":"k"', '"CUSTOMER_ID":"other"')},"age":1}`,
    `{${CORE.replace("00:01:00", "00:02:00")},"age":1}`,
  ];
  const mapped = parametersWith("  keep: { city: text }");
  assert.deepEqual(await follow(mapped, records, ["city"]), records);
  const same = parametersWith("  keep: { age: number }");
  const all = [...records, `{ ${CORE},"age":30,"city":"Ulm"}`];
  assert.deepEqual(await follow(same, all), all);
});

Deno.test("a value that cannot be kept is left for the first stage to refuse", async () => {
  const records = [`{${CORE},"age":1,"size":"large"}`];
  const parameters = parametersWith(
    "  keep: { units: { from: size, type: number } }",
  );
  const [record] = await follow(parameters, records);
  assert.equal(JSON.parse(record).units, "large");
});

Deno.test("a stream that has other partitions, another start or fields without labels is refused", () => {
  assert.throws(
    () => followed({ ...OLD, partitions: 2 }),
    /--partitions=1.* not 2/,
  );
  assert.throws(
    () => followed({ ...OLD, partitioner: "crc32" }),
    /--partitioner=murmur2.* not crc32/,
  );
  assert.throws(
    () => followed({ ...OLD, startSeconds: START + 86_400 }),
    /--start=2024-01-01.* not 2024-01-02/,
  );
  const withRisk = (where: string) =>
    parametersWith(
      `  keep: { age: number, city: text }
features:
  include: none
  RISK: { share: TX_FRAUD, by: TERMINAL_ID, over: 30d, where: "${where}" }`,
    );
  assert.throws(
    () => followed(withRisk("city == 'Ulm'")),
    /RISK is made of labels by 'city'/,
  );
  assert.deepEqual(followed(withRisk("age > 3")).passed, ["city"]);
  assert.throws(
    () => followed(parametersWith("  keep: { zip: text }")),
    /'zip'.*drops it/,
  );
});
