import assert from "node:assert/strict";
import {
  check,
  CODES,
  isAbortable,
  isFenced,
  isKafkaError,
  isTransient,
  KafkaConnectionError,
  KafkaError,
} from "../../../src/log/kafka/kafka_error.ts";

/** The protocol's numbers of those refusals that decide what happens next. */
const NUMBERS = {
  OFFSET_OUT_OF_RANGE: 1,
  UNKNOWN_TOPIC_OR_PARTITION: 3,
  NOT_LEADER_OR_FOLLOWER: 6,
  COORDINATOR_LOAD_IN_PROGRESS: 14,
  COORDINATOR_NOT_AVAILABLE: 15,
  NOT_COORDINATOR: 16,
  ILLEGAL_GENERATION: 22,
  UNKNOWN_MEMBER_ID: 25,
  REBALANCE_IN_PROGRESS: 27,
  TOPIC_AUTHORIZATION_FAILED: 29,
  OUT_OF_ORDER_SEQUENCE_NUMBER: 45,
  INVALID_PRODUCER_EPOCH: 47,
  INVALID_TXN_STATE: 48,
  CONCURRENT_TRANSACTIONS: 51,
  UNKNOWN_PRODUCER_ID: 59,
  FENCED_INSTANCE_ID: 82,
  UNSTABLE_OFFSET_COMMIT: 88,
  PRODUCER_FENCED: 90,
  TRANSACTION_ABORTABLE: 120,
};

/** What is done about a refusal. */
function kindOf(code: number): string {
  const error = new KafkaError(code, "");
  const kinds = [
    isTransient(error) && "again",
    isAbortable(error) && "new transaction",
    isFenced(error) && "fenced",
  ].filter((kind) => kind !== false);
  assert.ok(kinds.length <= 1, `${code}: ${kinds}`);
  return kinds[0] ?? "the caller's";
}

Deno.test("every refusal has one way to be dealt with, no two", () => {
  const kinds = Object.entries(NUMBERS).map(([name, code]) =>
    [name, kindOf(code)] as const
  );
  assert.deepEqual(Object.fromEntries(kinds), {
    OFFSET_OUT_OF_RANGE: "the caller's",
    UNKNOWN_TOPIC_OR_PARTITION: "again",
    NOT_LEADER_OR_FOLLOWER: "again",
    COORDINATOR_LOAD_IN_PROGRESS: "again",
    COORDINATOR_NOT_AVAILABLE: "again",
    NOT_COORDINATOR: "again",
    ILLEGAL_GENERATION: "the caller's",
    UNKNOWN_MEMBER_ID: "the caller's",
    REBALANCE_IN_PROGRESS: "the caller's",
    TOPIC_AUTHORIZATION_FAILED: "the caller's",
    OUT_OF_ORDER_SEQUENCE_NUMBER: "new transaction",
    INVALID_PRODUCER_EPOCH: "fenced",
    INVALID_TXN_STATE: "new transaction",
    CONCURRENT_TRANSACTIONS: "again",
    UNKNOWN_PRODUCER_ID: "new transaction",
    FENCED_INSTANCE_ID: "the caller's",
    UNSTABLE_OFFSET_COMMIT: "again",
    PRODUCER_FENCED: "fenced",
    TRANSACTION_ABORTABLE: "new transaction",
  });
  for (let code = -1; code <= 130; code++) kindOf(code);
});

Deno.test("messages say what was refused, the protocol's name for it and the broker's words", () => {
  for (const [name, code] of Object.entries(NUMBERS)) {
    const { message } = new KafkaError(code, "reading a partition 0");
    assert.equal(message, `reading a partition 0: ${name}`);
  }
  assert.equal(
    new KafkaError(44, "topic a", "too many partitions").message,
    "topic a: POLICY_VIOLATION (too many partitions)",
  );
  assert.equal(new KafkaError(999, "topic a").message, "topic a: error 999");
});

Deno.test("the codes that are told apart have the protocol's names", () => {
  for (const [name, code] of Object.entries(CODES)) {
    const words = new KafkaError(code, "x").message.replace("x: ", "");
    const camel = words.toLowerCase().replaceAll(
      /_(.)/g,
      (_, letter) => letter.toUpperCase(),
    );
    assert.ok(camel.startsWith(name), `${name} is ${words}`);
  }
});

Deno.test("check() throws for every code but 0", () => {
  check(0, "nothing");
  assert.throws(() => check(-1, "it"), /^KafkaError: it: UNKNOWN_SERVER_ERROR/);
  assert.throws(() => check(16, "it"), (error) => isKafkaError(error, 16));
});

Deno.test("a broken connection is tried again; errors of other kinds are not", () => {
  assert.ok(isTransient(new KafkaConnectionError("closed")));
  for (const error of [new RangeError("no"), undefined, { code: 16 }]) {
    assert.equal(isTransient(error), false);
    assert.equal(isAbortable(error), false);
    assert.equal(isFenced(error), false);
    assert.equal(isKafkaError(error, 16), false);
  }
});
