import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import addOffsetsByKafkajs from "kafkajs/src/protocol/requests/addOffsetsToTxn/v1/request.js";
import addPartitionsByKafkajs from "kafkajs/src/protocol/requests/addPartitionsToTxn/v1/request.js";
import endTxnByKafkajs from "kafkajs/src/protocol/requests/endTxn/v1/request.js";
import heartbeatByKafkajs from "kafkajs/src/protocol/requests/heartbeat/v3/request.js";
import joinGroupByKafkajs from "kafkajs/src/protocol/requests/joinGroup/v5/request.js";
import leaveGroupByKafkajs from "kafkajs/src/protocol/requests/leaveGroup/v2/request.js";
import syncGroupByKafkajs from "kafkajs/src/protocol/requests/syncGroup/v3/request.js";
import {
  addOffsetsRequest,
  addPartitionsRequest,
  describeGroupRequest,
  endTransactionRequest,
  heartbeatRequest,
  initProducerRequest,
  joinGroupRequest,
  leaveGroupRequest,
  offsetCommitRequest,
  offsetFetchRequest,
  syncGroupRequest,
  txnOffsetCommitRequest,
} from "../../../src/log/kafka/kafka_group_requests.ts";
import { answered, assertBytes, assertSame, hexOf } from "./kafka_answers.ts";

const MEMBER = { group: "readers", generation: 3, memberId: "m-1" };
const PRODUCER = { transactionalId: "txn", producerId: 2n ** 40n, epoch: 5 };
const THEIR_PRODUCER = {
  transactionalId: "txn",
  producerId: String(2n ** 40n),
  producerEpoch: 5,
};
const COMMIT = { topic: "top", partition: 2, offset: 258, metadata: "{}" };

const join = joinGroupRequest({
  group: "readers",
  memberId: "m-1",
  sessionTimeoutMs: 3000,
  rebalanceTimeoutMs: 60_000,
  protocol: "sticky",
  subscription: Uint8Array.of(1, 2),
});

Deno.test("JoinGroup is kafkajs's, and may take as long as a rebalance", async () => {
  await assertSame(
    join,
    joinGroupByKafkajs({
      groupId: "readers",
      sessionTimeout: 3000,
      rebalanceTimeout: 60_000,
      memberId: "m-1",
      protocolType: "consumer",
      groupProtocols: [{ name: "sticky", metadata: Buffer.from([1, 2]) }],
    }),
  );
  assert.equal(join.extraMs, 60_000);
});

Deno.test("JoinGroup tells the generation, and the leader the members", () => {
  const joined = answered(
    join,
    (w) =>
      w.int32(0).int16(0).int32(7).string("sticky").string("m-1").string("m-1")
        .array(["m-1", "m-2"], (memberId) => {
          w.string(memberId).string(null).data(Uint8Array.of(9));
        }),
  );
  const subscription = Uint8Array.of(9);
  assert.deepEqual(joined, {
    kind: "joined",
    generation: 7,
    memberId: "m-1",
    members: [
      { memberId: "m-1", subscription },
      { memberId: "m-2", subscription },
    ],
  });
});

Deno.test("JoinGroup of a stranger tells the name to join with; refusals are thrown", () => {
  const answer = (code: number) =>
    answered(
      join,
      (w) =>
        w.int32(0).int16(code).int32(-1).string("").string("").string("m-9")
          .int32(0),
    );
  assert.deepEqual(answer(79), { kind: "named", memberId: "m-9" });
  assert.throws(() => answer(25), /joining group readers: UNKNOWN_MEMBER_ID/);
});

Deno.test("SyncGroup is kafkajs's", async () => {
  const assignments = new Map([
    ["m-1", Uint8Array.of(1)],
    ["m-2", Uint8Array.of(2, 3)],
  ]);
  const request = syncGroupRequest(MEMBER, assignments);
  await assertSame(
    request,
    syncGroupByKafkajs({
      groupId: "readers",
      generationId: 3,
      memberId: "m-1",
      groupAssignment: [...assignments].map(([memberId, bytes]) => ({
        memberId,
        memberAssignment: Buffer.from(bytes),
      })),
    }),
  );
  assert.deepEqual(
    answered(request, (w) => w.int32(0).int16(0).data(Uint8Array.of(4))),
    Uint8Array.of(4),
  );
  assert.throws(
    () => answered(request, (w) => w.int32(0).int16(27).data(null)),
    /assignment in group readers: REBALANCE_IN_PROGRESS/,
  );
});

Deno.test("Heartbeat and LeaveGroup are kafkajs's", async () => {
  await assertSame(
    heartbeatRequest(MEMBER),
    heartbeatByKafkajs({
      groupId: "readers",
      groupGenerationId: 3,
      memberId: "m-1",
      groupInstanceId: null,
    }),
  );
  await assertSame(
    leaveGroupRequest(MEMBER),
    leaveGroupByKafkajs({ groupId: "readers", memberId: "m-1" }),
  );
  for (const request of [heartbeatRequest(MEMBER), leaveGroupRequest(MEMBER)]) {
    answered(request, (w) => w.int32(0).int16(0));
    assert.throws(
      () => answered(request, (w) => w.int32(0).int16(25)),
      /group readers: UNKNOWN_MEMBER_ID/,
    );
  }
});

Deno.test("the requests of a transaction are kafkajs's", async () => {
  await assertSame(
    addPartitionsRequest(PRODUCER, [
      { topic: "a", partition: 0 },
      { topic: "b", partition: 1 },
      { topic: "a", partition: 2 },
    ]),
    addPartitionsByKafkajs({
      ...THEIR_PRODUCER,
      topics: [
        { topic: "a", partitions: [0, 2] },
        { topic: "b", partitions: [1] },
      ],
    }),
  );
  await assertSame(
    addOffsetsRequest(PRODUCER, "readers"),
    addOffsetsByKafkajs({ ...THEIR_PRODUCER, groupId: "readers" }),
  );
  for (const outcome of ["commit", "abort"] as const) {
    await assertSame(
      endTransactionRequest(PRODUCER, outcome),
      endTxnByKafkajs({
        ...THEIR_PRODUCER,
        transactionResult: outcome === "commit",
      }),
    );
  }
});

Deno.test("refusals of a transaction are thrown; of several partitions the one that is to blame", () => {
  const places = [0, 1, 2].map((partition) => ({ topic: "a", partition }));
  const add = addPartitionsRequest(PRODUCER, places);
  const answer = (codes: number[]) =>
    answered(
      add,
      (w) =>
        w.int32(0).array([1], () => {
          w.string("a").array(codes, (code) => w.int32(0).int16(code));
        }),
    );
  answer([0, 0, 0]);
  assert.throws(
    () => answer([55, 29, 55]),
    /producer txn: TOPIC_AUTHORIZATION/,
  );
  assert.throws(() => answer([0, 0, 51]), /producer txn: CONCURRENT_TRANSACT/);
  const requests = [
    addOffsetsRequest(PRODUCER, "readers"),
    endTransactionRequest(PRODUCER, "commit"),
  ];
  for (const request of requests) {
    answered(request, (w) => w.int32(0).int16(0));
    assert.throws(
      () => answered(request, (w) => w.int32(0).int16(90)),
      /producer txn: PRODUCER_FENCED/,
    );
  }
});

// From here on, requests that kafkajs has in older versions only. The bytes are
// those of Kafka's message definitions; in flexible versions the first byte
// ends the request's header.

Deno.test("OffsetCommit (7) has no static name and no leader epoch", () => {
  const request = offsetCommitRequest(MEMBER, COMMIT);
  assert.deepEqual([request.apiKey, request.apiVersion], [8, 7]);
  assertBytes(
    request,
    `0007${hexOf("readers")} 00000003 0003${hexOf("m-1")} ffff`,
    `00000001 0003${hexOf("top")} 00000001`,
    `00000002 0000000000000102 ffffffff 0002${hexOf("{}")}`,
  );
  const answer = (code: number) =>
    answered(
      request,
      (w) =>
        w.int32(0).array([1], () => {
          w.string("top").array([1], () => w.int32(2).int16(code));
        }),
    );
  answer(0);
  assert.throws(() => answer(22), /group readers on top: ILLEGAL_GENERATION/);
});

Deno.test("OffsetFetch (7) says whether it waits for transactions", () => {
  const bytes = (stable: string) => [
    `00 08${hexOf("readers")} 02 04${hexOf("top")}`,
    `03 00000000 00000002 00 ${stable} 00`,
  ];
  const waits = offsetFetchRequest("readers", "top", [0, 2], true);
  assert.deepEqual([waits.apiKey, waits.apiVersion], [9, 7]);
  assertBytes(waits, ...bytes("01"));
  const looks = offsetFetchRequest("readers", "top", [0, 2], false);
  assertBytes(looks, ...bytes("00"));
});

Deno.test("OffsetFetch (7) tells commits; a partition without one is left out", () => {
  const request = offsetFetchRequest("readers", "top", [0, 1, 2], true);
  const answer = (code: number) =>
    answered(
      request,
      (w) =>
        w.noTags().int32(0).compactArray([1], () => {
          w.compactString("top").compactArray([0, 1, 2], (partition) => {
            w.int32(partition).int64(partition === 1 ? -1 : 70 + partition);
            w.int32(-1).compactString(partition === 2 ? null : "{}");
            w.int16(partition === 2 ? code : 0).noTags();
          }).noTags();
        }).int16(0).noTags(),
    );
  assert.deepEqual([...answer(0)], [
    [0, { offset: 70, metadata: "{}" }],
    [2, { offset: 72, metadata: "" }],
  ]);
  assert.throws(() => answer(88), /group readers on top: UNSTABLE_OFFSET/);
});

Deno.test("InitProducerId (4) names the producer that renews itself", () => {
  const stranger = initProducerRequest("txn", 60_000, undefined);
  assert.deepEqual([stranger.apiKey, stranger.apiVersion], [22, 4]);
  assertBytes(
    stranger,
    `00 04${hexOf("txn")} 0000ea60 ffffffffffffffff ffff 00`,
  );
  assertBytes(
    initProducerRequest("txn", 60_000, PRODUCER),
    `00 04${hexOf("txn")} 0000ea60 0000010000000000 0005 00`,
  );
  const renewed = answered(
    stranger,
    (w) => w.noTags().int32(0).int16(0).bigint(2n ** 40n).int16(6).noTags(),
  );
  assert.deepEqual(renewed, { ...PRODUCER, epoch: 6 });
});

Deno.test("TxnOffsetCommit (3) names producer and member, so that either can be refused", () => {
  const request = txnOffsetCommitRequest(PRODUCER, MEMBER, COMMIT);
  assert.deepEqual([request.apiKey, request.apiVersion], [28, 3]);
  assertBytes(
    request,
    `00 04${hexOf("txn")} 08${hexOf("readers")}`,
    `0000010000000000 0005 00000003 04${hexOf("m-1")} 00`,
    `02 04${hexOf("top")} 02 00000002 0000000000000102 ffffffff`,
    `03${hexOf("{}")} 00 00 00`,
  );
  const answer = (code: number) =>
    answered(
      request,
      (w) =>
        w.noTags().int32(0).compactArray([1], () => {
          w.compactString("top").compactArray([2], (partition) => {
            w.int32(partition).int16(code).noTags();
          }).noTags();
        }).noTags(),
    );
  answer(0);
  assert.throws(() => answer(22), /group readers on top: ILLEGAL_GENERATION/);
});

Deno.test("a commit can have metadata of any length", () => {
  for (let length = 0; length < 600; length++) {
    const commit = { ...COMMIT, metadata: "x".repeat(length) };
    const { body } = txnOffsetCommitRequest(PRODUCER, MEMBER, commit);
    assert.ok(
      Buffer.from(body).toString("hex").endsWith(
        `${"78".repeat(length)}000000`,
      ),
    );
  }
});

Deno.test("DescribeGroups (1) tells who is in a group", () => {
  const request = describeGroupRequest("readers");
  assert.deepEqual([request.apiKey, request.apiVersion], [15, 1]);
  assertBytes(request, `00000001 0007${hexOf("readers")}`);
  const answer = (code: number, members: readonly string[], state = "Stable") =>
    answered(
      request,
      (w) =>
        w.int32(0).array([1], () => {
          w.int16(code).string("readers").string(state);
          w.string("consumer").string("sticky");
          w.array([...members], (member) => {
            w.string(member).string("client").string("/127.0.0.1");
            w.data(Uint8Array.of(1, 2)).data(new Uint8Array(0));
          });
        }),
    );
  assert.deepEqual(answer(0, [], "Dead"), { members: 0, isStable: false });
  const two = ["m-1", "m-2"];
  assert.deepEqual(answer(0, two), { members: 2, isStable: true });
  const joining = answer(0, two, "PreparingRebalance");
  assert.deepEqual(joining, { members: 2, isStable: false });
  assert.throws(() => answer(30, []), /group readers: GROUP_AUTHORIZATION/);
});
