/**
 * Batches of other producers that are too much for a reader: made to fill the
 * memory, or just very large. Each becomes one dead letter of whoever reads the
 * topic, and the stream goes on behind it.
 */
import assert from "node:assert/strict";
import { HANDBOOK_FEATURES } from "../../src/features/parameters.ts";
import { openLog } from "../../src/log/open_log.ts";
import { Control } from "../../src/stream/control.ts";
import {
  type DeadLetter,
  readDeadLetters,
} from "../../src/stream/dead_letters.ts";
import { runProcessor } from "../../src/roles/processor.ts";
import { runProducer } from "../../src/roles/producer.ts";
import { discrepancies, readStatus } from "../../src/stream/status.ts";
import {
  REPARTITION_TOPIC,
  SINK_TOPIC,
  topicSpecs,
  TRANSACTION_TOPIC,
} from "../../src/stream/topics.ts";
import { runWriter } from "../../src/roles/writer.ts";
import { EmbeddedStore } from "../../src/store/embedded/embedded_store.ts";
import {
  lz4Frame,
  zstdFrame,
} from "../log/kafka/compression/compressed_frames.ts";
import {
  featuresSum,
  parametersOf,
  QUIET,
  referenceSum,
  SET_A,
} from "../roles/pipeline.ts";
import { testServing } from "../services/testing_servers.ts";
import { freshSettings } from "./servers.ts";
import { appendBatch, rawBatch } from "./raw_batches.ts";

const never = new AbortController().signal;
const ROWS_A = 2555;

/** What a foreign producer sends: what it is, the letter it leads to in the first stage, and the batch. */
const BATCHES: readonly (readonly [
  name: string,
  reason: DeadLetter["reason"],
  batch: Uint8Array,
])[] = [
  [
    "a record as large as a broker takes",
    "out of range",
    rawBatch([new Uint8Array(1_040_000).fill(120)]),
  ],
  [
    "900 kB of zeros in zstd",
    "out of range",
    rawBatch([new Uint8Array(900_000)], {
      codec: 4,
      compress: (bytes) => zstdFrame(bytes),
    }),
  ],
  [
    "a bomb in zstd",
    "unreadable batch",
    rawBatch([new Uint8Array(80 << 20)], {
      codec: 4,
      compress: (bytes) => zstdFrame(bytes),
    }),
  ],
  [
    "a bomb in lz4",
    "unreadable batch",
    rawBatch([new Uint8Array(80 << 20)], {
      codec: 3,
      compress: (bytes) => lz4Frame(bytes),
    }),
  ],
];

/** So many records of one batch, each of which leads to a letter as large as they come. */
const MANY_RECORDS = 300;
const MANY = rawBatch(
  Array.from({ length: MANY_RECORDS }, () => new Uint8Array(17_000)),
  { codec: 3, compress: (bytes) => lz4Frame(bytes) },
);

testServing(
  "batches that are too much for a reader are one dead letter each, in every topic, and stop nobody",
  async () => {
    const settings = await freshSettings();
    const [address] = settings.brokers;
    const parameters = parametersOf(2);
    await using log = await openLog(settings, () => {});
    await log.createTopics(topicSpecs(2));
    const control = new Control(log);
    await control.agree(parameters);
    const context = { log, control, parameters, logger: QUIET, signal: never };
    const expected: string[] = [];
    const inject = async (topic: string, wrong?: DeadLetter["reason"]) => {
      for (const [, reason, batch] of BATCHES) {
        const place = { topic: settings.prefix + topic, partition: 1 };
        const offset = await appendBatch(address, place, batch);
        const told = reason === "out of range" ? wrong ?? reason : reason;
        expected.push(`${topic}/1/${offset} ${told}`);
      }
    };
    // Their letters are more than a broker takes in one batch.
    const injectMany = async () => {
      const topic = settings.prefix + TRANSACTION_TOPIC;
      const first = await appendBatch(address, { topic, partition: 0 }, MANY);
      for (let i = 0; i < MANY_RECORDS; i++) {
        expected.push(`${TRANSACTION_TOPIC}/0/${first + i} not JSON`);
      }
    };
    await inject(TRANSACTION_TOPIC);
    await runProducer(context, { data: SET_A, pace: { kind: "max" } });
    await inject(TRANSACTION_TOPIC);
    await injectMany();
    await inject(REPARTITION_TOPIC, "unreadable pack");
    await runProcessor(context, undefined);
    await inject(SINK_TOPIC);
    await using store = new EmbeddedStore({
      path: ":memory:",
      features: HANDBOOK_FEATURES,
      durable: false,
    });
    await runWriter(context, { store, startSeconds: undefined });
    const letters = await Array.fromAsync(readDeadLetters(log));
    const told = letters.map(({ topic, partition, offset, reason }) =>
      `${topic}/${partition}/${offset} ${reason}`
    );
    assert.deepEqual(told.sort(), expected.sort());
    for (const { truncated, reason } of letters) {
      if (reason === "out of range") assert.ok(truncated?.value);
    }
    const status = await readStatus(log, control);
    assert.deepEqual(discrepancies(status), []);
    assert.deepEqual(
      status.stages.map(({ counters, lag }) => [
        counters.emitted,
        counters.deadLettered,
        lag,
      ]),
      [[ROWS_A, 8 + MANY_RECORDS, 0], [ROWS_A, 4, 0], [ROWS_A, 4, 0]],
    );
    assert.equal(await featuresSum(store), referenceSum("A"));
    // A restart reads what led to the state once more, and judges it alike.
    await runProcessor({ ...context, control: new Control(log) }, undefined);
    assert.deepEqual((await readStatus(log, control)).stages, status.stages);
  },
);
