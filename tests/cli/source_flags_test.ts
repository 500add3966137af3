import assert from "node:assert/strict";
import { ConfigError } from "../../src/base/error.ts";
import { readDefinition } from "../../src/definition/read_definition.ts";
import {
  readSourceFlags,
  refuseEarlyLabels,
  type SourceOptions,
} from "../../src/cli/flags/source_flags.ts";
import type { LogSettings } from "../../src/log/open_log.ts";

const KAFKA: LogSettings = {
  kind: "kafka",
  brokers: ["127.0.0.1:9092"],
  prefix: "shop.",
  replication: undefined,
  tls: undefined,
  sasl: undefined,
  sessionTimeoutMs: 10_000,
};

function read(options: Partial<SourceOptions>, log = KAFKA) {
  const given = { idleAfter: 30, ahead: 60, log: log.kind, ...options };
  return readSourceFlags(given, { log, hasApi: false, acceptsGaps: false });
}

Deno.test("a source has its topic, its definition's key and its bounds", () => {
  assert.deepEqual(read({ sourceTopic: "orders", hmacKeyFile: "key" }), {
    topic: "orders",
    hmacKeyFile: "key",
    idleAfterSeconds: 30,
    aheadSeconds: 60,
    acceptsGaps: false,
  });
  assert.equal(read({}), undefined);
  // Another stream's topic is as good as any other.
  assert.equal(
    read({ sourceTopic: "transaction_topic" })?.topic,
    "transaction_topic",
  );
});

Deno.test("what contradicts a source is refused, with what to do", () => {
  const refusals: readonly (readonly [Partial<SourceOptions>, RegExp])[] = [
    [{ idleAfter: 5 }, /^--idle-after has no effect without --source-topic/],
    [
      { ahead: 5 },
      /^--ahead has no effect without --source-topic or --api-port/,
    ],
    [
      { sourceTopic: "shop.transaction_topic" },
      /is a topic of this stream; name the topic of the program/,
    ],
    [
      { sourceTopic: "orders", definition: "tabformer" },
      /^the definition numbers rows .* name a field that is unique$/,
    ],
    [
      { sourceTopic: "orders", in: "payments.csv" },
      /^--in=payments.csv and --source-topic=orders both bring payments/,
    ],
    [
      { sourceTopic: "orders", rate: { kind: "max" } },
      /^--rate has no effect with --source-topic=orders/,
    ],
    [
      { sourceTopic: "orders", speedup: 60 },
      /^--speedup has no effect with --source-topic=orders/,
    ],
    [
      { sourceTopic: "orders", days: 3 },
      /^--days says what to simulate, but --source-topic=orders reads payments/,
    ],
  ];
  for (const [options, message] of refusals) {
    assert.throws(() => read(options), (error) => {
      assert.ok(error instanceof ConfigError);
      assert.match(error.message, message);
      return true;
    });
  }
});

Deno.test("payments of a topic have no TX_FRAUD where labels arrive later", () => {
  const definition = (labels: string, fraud = "") =>
    readDefinition(
      "version: 1\npayment: { TRANSACTION_ID: a, TX_DATETIME: b, " +
        `CUSTOMER_ID: c, TERMINAL_ID: d, TX_AMOUNT: e${fraud} }\n` +
        `labels: { from: ${labels}, delay: 7d }\n`,
      "tests",
    );
  const fraud = ", TX_FRAUD: f";
  assert.throws(
    () => refuseEarlyLabels(definition("stream", fraud), "orders"),
    /reads TX_FRAUD from .*--source-topic=orders, .* leave TX_FRAUD out and/,
  );
  refuseEarlyLabels(definition("stream"), "orders");
  refuseEarlyLabels(definition("payment", fraud), "orders");
});

Deno.test("a source needs the stream on its cluster", () => {
  const embedded = { kind: "embedded", folder: "data", durable: true } as const;
  assert.throws(
    () => read({ sourceTopic: "orders" }, embedded),
    /^ConfigError: --source-topic=orders needs --log=kafka: .* one transaction$/,
  );
});
