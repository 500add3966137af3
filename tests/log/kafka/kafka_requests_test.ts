import assert from "node:assert/strict";
import createTopicsByKafkajs from "kafkajs/src/protocol/requests/createTopics/v3/request.js";
import deleteRecordsByKafkajs from "kafkajs/src/protocol/requests/deleteRecords/v1/request.js";
import describeConfigsByKafkajs from "kafkajs/src/protocol/requests/describeConfigs/v1/request.js";
import fetchByKafkajs from "kafkajs/src/protocol/requests/fetch/v10/request.js";
import findCoordinatorByKafkajs from "kafkajs/src/protocol/requests/findCoordinator/v2/request.js";
import listOffsetsByKafkajs from "kafkajs/src/protocol/requests/listOffsets/v2/request.js";
import metadataByKafkajs from "kafkajs/src/protocol/requests/metadata/v4/request.js";
import {
  isKafkaError,
  KafkaError,
} from "../../../src/log/kafka/kafka_error.ts";
import {
  apiVersionsRequest,
  createTopicsRequest,
  deleteRecordsRequest,
  describeTopicRequest,
  EARLIEST,
  featuresRequest,
  fetchRequest,
  findCoordinatorRequest,
  knowsTopicIds,
  LATEST,
  listOffsetsRequest,
  losesMarkers,
  metadataRequest,
  produceRequest,
  topicIdsRequest,
} from "../../../src/log/kafka/kafka_requests.ts";
import { WireWriter } from "../../../src/log/kafka/kafka_wire.ts";
import { answered, assertBytes, assertSame, hexOf } from "./kafka_answers.ts";

const NO_LIMIT = { waitMs: 50, bytesMax: 9000, partitionBytesMax: 3000 };

Deno.test("Metadata is kafkajs's, and creates no topics", async () => {
  // No topics are none; kafkajs asks for all.
  assertBytes(metadataRequest([]), "00000000 00");
  for (const topics of [["a"], ["a", "größe"]]) {
    await assertSame(
      metadataRequest(topics),
      metadataByKafkajs({ topics, allowAutoTopicCreation: false }),
    );
  }
});

Deno.test("Metadata tells brokers, controller and leaders, in whatever order", () => {
  const metadata = answered(metadataRequest(["a"]), (w) => {
    w.int32(0).array([1, 2], (id) => {
      w.int32(id).string(`host${id}`).int32(9000 + id).string(null);
    }).string("cluster").int32(2);
    return w.array(["a"], (name) => {
      w.int16(0).string(name).boolean(false).array([1, 0], (partition) => {
        w.int16(0).int32(partition).int32(partition + 1);
        w.array([1], (id) => w.int32(id)).array([], () => {});
      });
    });
  });
  assert.deepEqual(metadata, {
    brokers: [
      { nodeId: 1, host: "host1", port: 9001 },
      { nodeId: 2, host: "host2", port: 9002 },
    ],
    controller: 2,
    topics: [{ code: 0, name: "a", leaders: [1, 2] }],
  });
});

Deno.test("ApiVersions tells the newest levels of a broker's features", () => {
  const request = featuresRequest();
  assertBytes(request, `00 0c${hexOf("fraudstream")} 02${hexOf("1")} 00`);
  const levels = answered(request, (w) => {
    w.int16(0).compactArray([0, 3], (key) => {
      w.int16(key).int16(0).int16(9).noTags();
    }).int32(0);
    const features = new WireWriter();
    features.compactArray(["group.version", "metadata.version"], (name) => {
      features.compactString(name).int16(1).int16(name.length).noTags();
    });
    const bytes = features.bytes();
    // Tag 1 is how new the levels in force are, 8 bytes.
    w.varuint(2).varuint(0).varuint(bytes.length).raw(bytes);
    return w.varuint(1).varuint(8).int64(7);
  });
  assert.deepEqual([...levels], [
    ["group.version", 13],
    ["metadata.version", 16],
  ]);
});

Deno.test("ApiVersions: a broker that knows no such form has no levels", () => {
  const levels = answered(featuresRequest(), (w) => w.int16(35).int32(0));
  assert.equal(levels.size, 0);
});

Deno.test("Metadata tells the ids of topics that are there, to brokers that speak the form", () => {
  const request = topicIdsRequest(["a", "gone"]);
  const none = "00".repeat(16);
  assertBytes(
    request,
    `00 03 ${none} 02${hexOf("a")} 00 ${none} 05${hexOf("gone")} 00 00 00 00`,
  );
  const ids = answered(request, (w) => {
    w.noTags().int32(0).compactArray([1], (id) => {
      w.int32(id).compactString("host").int32(9).compactString(null).noTags();
    });
    w.compactString("cluster").int32(1);
    w.compactArray(["a", "gone"], (name) => {
      const isThere = name === "a";
      w.int16(isThere ? 0 : 3).compactString(name);
      w.raw(new Uint8Array(16).fill(isThere ? 0xa7 : 0)).boolean(false);
      w.compactArray(isThere ? [0, 1] : [], (partition) => {
        w.int16(0).int32(partition).int32(1).int32(5);
        for (const list of [[1, 2], [1], []]) {
          w.compactArray(list, (node) => w.int32(node));
        }
        w.noTags();
      });
      w.int32(-2147483648).noTags();
    });
    return w.noTags();
  });
  assert.deepEqual([...ids], [["a", "a7".repeat(16)]]);
  const speaks = (maxVersion: number) =>
    knowsTopicIds([{ apiKey: 3, minVersion: 0, maxVersion }]);
  assert.deepEqual([11, 12, 13].map(speaks), [false, true, true]);
});

Deno.test("only Kafka 4.3 is taken for one that loses transaction markers", () => {
  const loses = (...levels: [string, number][]) =>
    losesMarkers(new Map(levels));
  assert.ok(loses(["group.version", 1], ["metadata.version", 30]));
  for (const level of [25, 29, 31]) {
    assert.ok(!loses(["metadata.version", level]), String(level));
  }
  assert.ok(!loses());
});

Deno.test("FindCoordinator is kafkajs's, for groups and transactional ids", async () => {
  await assertSame(
    findCoordinatorRequest("group", "readers"),
    findCoordinatorByKafkajs({
      coordinatorKey: "readers",
      coordinatorType: 0,
    }),
  );
  await assertSame(
    findCoordinatorRequest("transaction", "writer"),
    findCoordinatorByKafkajs({ coordinatorKey: "writer", coordinatorType: 1 }),
  );
});

Deno.test("FindCoordinator tells the broker, or its sentence of refusal", () => {
  const request = findCoordinatorRequest("group", "readers");
  const node = answered(
    request,
    (w) => w.int32(0).int16(0).string(null).int32(3).string("host").int32(9),
  );
  assert.deepEqual(node, { nodeId: 3, host: "host", port: 9 });
  assert.throws(
    () =>
      answered(
        request,
        (w) => w.int32(0).int16(15).string("not yet").int32(-1),
      ),
    /coordinator of group readers: COORDINATOR_NOT_AVAILABLE \(not yet\)/,
  );
});

Deno.test("ApiVersions is empty and tells ranges", () => {
  assertBytes(apiVersionsRequest(), "");
  const versions = answered(
    apiVersionsRequest(),
    (w) => w.int16(0).array([1], () => w.int16(18).int16(0).int16(4)),
  );
  assert.deepEqual(versions, [{ apiKey: 18, minVersion: 0, maxVersion: 4 }]);
});

Deno.test("CreateTopics is kafkajs's, but for the version", async () => {
  const request = createTopicsRequest([
    {
      name: "a",
      partitions: 4,
      replication: undefined,
      settings: { "retention.ms": "-1", "cleanup.policy": "delete" },
    },
    { name: "b", partitions: 1, replication: 3, settings: {} },
  ]);
  assert.equal(request.apiVersion, 4);
  await assertSame(
    { ...request, apiVersion: 3 },
    createTopicsByKafkajs({
      topics: [
        {
          topic: "a",
          numPartitions: 4,
          configEntries: [
            { name: "retention.ms", value: "-1" },
            { name: "cleanup.policy", value: "delete" },
          ],
        },
        { topic: "b", numPartitions: 1, replicationFactor: 3 },
      ],
      validateOnly: false,
      timeout: 15_000,
    }),
  );
  const results = answered(
    request,
    (w) =>
      w.int32(0).array(["a", "b"], (name) => {
        w.string(name).int16(name === "a" ? 36 : 0);
        w.string(name === "a" ? "there is one" : null);
      }),
  );
  assert.deepEqual(results, [
    { name: "a", code: 36, detail: "there is one" },
    { name: "b", code: 0, detail: null },
  ]);
});

Deno.test("DescribeConfigs is kafkajs's and tells settings by name", async () => {
  const request = describeTopicRequest("a");
  await assertSame(
    request,
    describeConfigsByKafkajs({
      resources: [{ type: 2, name: "a", configNames: [] }],
    }),
  );
  const settings = answered(
    request,
    (w) =>
      w.int32(0).array([1], () => {
        w.int16(0).string(null).int8(2).string("a").array(
          ["x", "y"],
          (name) => {
            w.string(name).string(name === "x" ? "1" : null).boolean(false);
            w.int8(5).boolean(false).array([name], () => {
              w.string(name).string("synonym").int8(5);
            });
          },
        );
      }),
  );
  assert.deepEqual([...settings], [["x", "1"], ["y", ""]]);
});

Deno.test("DeleteRecords is kafkajs's", async () => {
  const place = { topic: "a", partition: 2 };
  const request = deleteRecordsRequest(place, 2 ** 40);
  await assertSame(
    request,
    deleteRecordsByKafkajs({
      topics: [{
        topic: "a",
        partitions: [{ partition: 2, offset: String(2 ** 40) }],
      }],
      timeout: 15_000,
    }),
  );
  const answer = (code: number) =>
    answered(
      request,
      (w) =>
        w.int32(0).array([1], () => {
          w.string("a").array([1], () => w.int32(2).int64(9).int16(code));
        }),
    );
  answer(0);
  assert.throws(() => answer(1), /trimming of a partition 2: OFFSET_OUT_OF/);
});

Deno.test("ListOffsets is kafkajs's, for reader of all records", async () => {
  for (const time of [EARLIEST, LATEST, 1_522_540_800_000]) {
    await assertSame(
      listOffsetsRequest("a", [0, 3], time),
      listOffsetsByKafkajs({
        replicaId: -1,
        isolationLevel: 0,
        topics: [{
          topic: "a",
          partitions: [0, 3].map((partition) => ({
            partition,
            timestamp: String(time),
          })),
        }],
      }),
    );
  }
  const offsets = answered(
    listOffsetsRequest("a", [0, 3], LATEST),
    (w) =>
      w.int32(0).array([1], () => {
        w.string("a").array([3, 0], (partition) => {
          w.int32(partition).int16(0).int64(-1).int64(100 + partition);
        });
      }),
  );
  assert.deepEqual([...offsets], [[3, 103], [0, 100]]);
});

Deno.test("Fetch is kafkajs's, for a reader of committed records", async () => {
  const request = fetchRequest([
    { topic: "a", partition: 0, offset: 5 },
    { topic: "b", partition: 1, offset: 2 ** 33 },
    { topic: "a", partition: 2, offset: 0 },
  ], NO_LIMIT);
  const partition = (partition: number, fetchOffset: number) => ({
    partition,
    fetchOffset: String(fetchOffset),
    maxBytes: 3000,
  });
  await assertSame(
    request,
    fetchByKafkajs({
      replicaId: -1,
      maxWaitTime: 50,
      minBytes: 1,
      maxBytes: 9000,
      isolationLevel: 1,
      topics: [
        { topic: "a", partitions: [partition(0, 5), partition(2, 0)] },
        { topic: "b", partitions: [partition(1, 2 ** 33)] },
      ],
    }),
  );
  assert.equal(request.extraMs, 50);
});

Deno.test("Fetch tells records, transactions given up, and refusals of a partition", () => {
  const request = fetchRequest(
    [{ topic: "a", partition: 0, offset: 5 }],
    NO_LIMIT,
  );
  const [first, second] = answered(
    request,
    (w) =>
      w.int32(0).int16(0).int32(0).array([1], () => {
        w.string("a").array([0, 1], (partition) => {
          w.int32(partition).int16(partition).int64(30).int64(20).int64(10);
          if (partition === 0) {
            w.array([1], () => w.bigint(2n ** 40n).int64(12));
            w.data(Uint8Array.of(1, 2));
          } else w.int32(-1).data(null);
        });
      }),
  );
  assert.deepEqual(first, {
    topic: "a",
    partition: 0,
    code: 0,
    stableOffset: 20,
    startOffset: 10,
    records: {
      bytes: Uint8Array.of(1, 2),
      aborted: [{ producerId: 2n ** 40n, firstOffset: 12 }],
    },
  });
  assert.equal(second.code, 1);
  assert.equal(second.records.bytes.length, 0);
  assert.deepEqual(second.records.aborted, []);
  assert.throws(
    () => answered(request, (w) => w.int32(0).int16(70).int32(0)),
    (error) => isKafkaError(error, 70),
  );
});

Deno.test("Produce has the transactional id, waits for all replicas, and puts batches under their topics", () => {
  const request = produceRequest("id", [
    { topic: "a", partition: 1, bytes: Uint8Array.of(7, 8) },
    { topic: "b", partition: 0, bytes: Uint8Array.of(9) },
    { topic: "a", partition: 2, bytes: Uint8Array.of(6) },
  ]);
  assert.deepEqual([request.apiKey, request.apiVersion], [0, 7]);
  assertBytes(
    request,
    `0002${hexOf("id")} ffff 00003a98`,
    `00000002 0001${hexOf("a")}`,
    "00000002 00000001 00000002 0708 00000002 00000001 06",
    `0001${hexOf("b")} 00000001 00000000 00000001 09`,
  );
});

Deno.test("Produce tells the offset of each batch, and which place refuses", () => {
  const batches = [0, 1].map((partition) => ({
    topic: "a",
    partition,
    bytes: new Uint8Array(1),
  }));
  const answer = (code: number, id: string | null = "id") =>
    answered(
      produceRequest(id, batches),
      (w) =>
        w.array([1], () => {
          w.string("a").array([1, 0], (partition) => {
            w.int32(partition).int16(partition === 1 ? code : 0)
              .int64(50 + partition).int64(-1).int64(0);
          });
        }).int32(0),
    );
  assert.deepEqual(answer(0), [50, 51]);
  for (const id of ["id", null]) {
    const [first, second] = answer(45, id);
    assert.equal(first, 50);
    assert.match(String(second), /appending to a partition 1: OUT_OF_ORDER/);
  }
  // Without a transaction a repetition that the broker knows is there.
  assert.deepEqual(answer(46, null), [50, 51]);
  assert.match(String(answer(46)[1]), /DUPLICATE_SEQUENCE_NUMBER/);
  const [unanswered] = answered(
    produceRequest("id", batches),
    (w) => w.array([], () => {}).int32(0),
  );
  assert.ok(unanswered instanceof KafkaError && unanswered.retriable);
});
