/**
 * The connection to a broker, which is kafkajs's: what we call of it is there,
 * with the parameters that we give (its modules are private, so nobody promises
 * that), and does over a socket what we need.
 */
import assert from "node:assert/strict";
// @ts-types="../../../src/log/kafka/kafkajs_connection.d.ts"
import Connection from "kafkajs/src/network/connection.js";
// @ts-types="../../../src/log/kafka/kafkajs_socket_factory.d.ts"
import openSocketFactory from "kafkajs/src/network/socketFactory.js";
import config from "../../../deno.json" with { type: "json" };
import { LogError } from "../../../src/base/error.ts";
import { connectToBroker } from "../../../src/log/kafka/kafka_client.ts";
import {
  KafkaConnectionError,
  KafkaError,
} from "../../../src/log/kafka/kafka_error.ts";
import { apiVersionsRequest } from "../../../src/log/kafka/kafka_requests.ts";
import type { KafkaSettings } from "../../../src/log/kafka/kafka_settings.ts";
import { WireWriter } from "../../../src/log/kafka/kafka_wire.ts";

const SETTINGS: KafkaSettings = {
  kind: "kafka",
  brokers: [],
  prefix: "",
  replication: undefined,
  tls: undefined,
  sasl: undefined,
  sessionTimeoutMs: 3000,
};

/** Answers the requests of one connection with these bodies, in turn; after the last it hangs up. */
function playBroker(bodies: readonly Uint8Array[]) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const served = (async () => {
    using connection = await listener.accept();
    for (const body of bodies) {
      const frame = new Uint8Array(1024);
      const size = await connection.read(frame);
      if (size === null) return;
      const correlation = new DataView(frame.buffer).getInt32(8);
      const answer = new WireWriter().int32(4 + body.length)
        .int32(correlation).raw(body).bytes();
      await connection.write(answer);
    }
    await connection.read(new Uint8Array(1024));
  })().finally(() => listener.close());
  return { node: { nodeId: 1, host: "127.0.0.1", port }, served };
}

/** An answer to ApiVersions. */
function versions(code: number): Uint8Array {
  return new WireWriter().int16(code).int32(1).int16(3).int16(0).int16(12)
    .bytes();
}

Deno.test("kafkajs is pinned, and its connection has what we call of it", () => {
  assert.equal(config.imports["kafkajs/"], "npm:/kafkajs@2.2.4/");
  const given = {
    host: "nowhere",
    port: 1,
    logger: { namespace: () => ({ debug() {}, error() {} }) },
    socketFactory: openSocketFactory(),
    clientId: "fraudstream",
    ssl: null,
    sasl: null,
    connectionTimeout: 1,
    requestTimeout: 1,
    enforceRequestTimeout: true,
    maxInFlightRequests: null,
  };
  const read = new Set<PropertyKey>();
  const connection = new Connection(
    new Proxy(given, {
      get: (target, key) => {
        read.add(key);
        return Reflect.get(target, key);
      },
    }),
  );
  for (const option of Object.keys(given)) assert.ok(read.has(option), option);
  assert.equal(openSocketFactory().length, 1);
  const parameters = {
    connect: 0,
    disconnect: 0,
    authenticate: 0,
    rejectRequests: 1,
    setVersions: 1,
    setSupportAuthenticationProtocol: 1,
    send: 1,
  } as const;
  for (const [name, count] of Object.entries(parameters)) {
    const method = connection[name as keyof typeof parameters];
    assert.equal(typeof method, "function", name);
    assert.equal(method.length, count, name);
  }
  const { requestQueue } = connection;
  assert.deepEqual(requestQueue.pending, []);
  assert.equal(requestQueue.scheduleCheckPendingRequests.length, 0);
});

Deno.test("requests are answered in turn, and a refusal is a KafkaError", async () => {
  const { node, served } = playBroker([versions(0), versions(35)]);
  const connection = await connectToBroker(node, SETTINGS);
  const found = await connection.send(apiVersionsRequest());
  assert.deepEqual(found, [{ apiKey: 3, minVersion: 0, maxVersion: 12 }]);
  await assert.rejects(connection.send(apiVersionsRequest()), (error) => {
    assert.ok(error instanceof KafkaError);
    assert.match(error.message, /UNSUPPORTED_VERSION/);
    return true;
  });
  connection.close();
  await served;
});

Deno.test("an answer that is cut off is told with the broker's address", async () => {
  const { node, served } = playBroker([versions(0).subarray(0, 7)]);
  const connection = await connectToBroker(node, SETTINGS);
  await assert.rejects(connection.send(apiVersionsRequest()), (error) => {
    assert.ok(error instanceof LogError);
    assert.match(
      error.message,
      /127\.0\.0\.1:\d+ to ApiVersions cannot be read/,
    );
    return true;
  });
  connection.close();
  await served;
});

Deno.test("a connection that breaks, and one that nobody accepts, may be tried again", async () => {
  const { node, served } = playBroker([]);
  const connection = await connectToBroker(node, SETTINGS);
  const lost = connection.send(apiVersionsRequest());
  await assert.rejects(lost, KafkaConnectionError);
  await served;
  connection.close();
  await assert.rejects(connectToBroker(node, SETTINGS), (error) => {
    assert.ok(error instanceof KafkaConnectionError);
    assert.ok(error.message.includes(`127.0.0.1:${node.port}`), error.message);
    return true;
  });
});

Deno.test("an answer that does not come is waited for as long as the request says, though the connection stays open", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr as Deno.NetAddr;
  const accepted = listener.accept();
  const node = { nodeId: 1, host: "127.0.0.1", port };
  const connection = await connectToBroker(node, SETTINGS, 1);
  using _silent = await accepted;
  const ended: string[] = [];
  const ask = (extraMs: number, name: string) =>
    assert.rejects(
      connection.send({ ...apiVersionsRequest(), extraMs }),
      (error) => {
        ended.push(name);
        assert.ok(error instanceof KafkaConnectionError);
        return /ApiVersions.* timed out/.test(error.message);
      },
    );
  await Promise.all([ask(400, "patient"), ask(0, "usual")]);
  assert.deepEqual(ended, ["usual", "patient"]);
  connection.close();
});
