import assert from "node:assert/strict";
import { Gate, type GateOptions } from "../../src/base/gate.ts";
import { listenTls } from "../../src/base/tls_listener.ts";
import { selfSigned } from "../api/self_signed.ts";
import { endless, until, USUAL } from "./gates.ts";

const TEXT = new TextEncoder();
const HEAD = "GET / HTTP/1.1\r\nHost: x\r\n";
const PLACE = { hostname: "127.0.0.1", port: 0, ...selfSigned() };

/** Whether this Deno has no TLS of node's that serves. */
const IS_OLD = /^2\.[0-8]\./.test(Deno.version.deno);

/** A gate that speaks TLS. */
async function openGate(over: Partial<GateOptions> = {}) {
  const listener = await listenTls(PLACE);
  const gate = new Gate({
    listener,
    ...USUAL,
    ...over,
  });
  const { port } = listener.addr;
  const hostname = "127.0.0.1";
  return {
    gate,
    port,
    address: `https://${hostname}:${port}`,
    connect: () => Deno.connectTls({ hostname, port, caCerts: [PLACE.cert] }),
    connectPlainly: () => Deno.connect({ hostname, port }),
    [Symbol.asyncDispose]: () => gate[Symbol.asyncDispose](),
  };
}

/** Reads so many bytes, or to the end. */
async function readSome(
  connection: Deno.Conn,
  count: number,
): Promise<string> {
  const all: Uint8Array[] = [];
  const block = new Uint8Array(65_536);
  for (let read = 0; read < count;) {
    const some = await connection.read(block).catch(() => null);
    if (some === null) break;
    all.push(block.slice(0, some));
    read += some;
  }
  return await new Blob(all as Uint8Array<ArrayBuffer>[]).text();
}

Deno.test("requests and answers of any size pass by TLS, with the address of who asks", async () => {
  await using served = await openGate({
    fetch: async (request, address) =>
      new Response(`${address} ${await request.text()}`),
  });
  using client = Deno.createHttpClient({ caCerts: [PLACE.cert] });
  const bodies = ["", "x", "y".repeat(30_000), "z".repeat(1_000_000)];
  const answers = bodies.map(async (body) => {
    const init = { method: "POST", body, client };
    return await (await fetch(served.address, init)).text();
  });
  assert.deepEqual(
    await Promise.all(answers),
    bodies.map((body) => `127.0.0.1 ${body}`),
  );
});

Deno.test({
  name: "no block of an answer waits for the client to acknowledge the last",
  ignore: IS_OLD,
  fn: async () => {
    const body = "x".repeat(30_000);
    await using served = await openGate({ fetch: () => new Response(body) });
    const connection = await served.connect();
    const times: number[] = [];
    for (let i = 0; i < 20; i++) {
      const began = performance.now();
      await connection.write(TEXT.encode(`${HEAD}\r\n`));
      await readSome(connection, body.length + 50);
      times.push(performance.now() - began);
    }
    connection.close();
    // Systems acknowledge after 40 ms what nobody answers.
    times.sort((a, b) => a - b);
    assert.ok(times[5] < 30, `${times[5]} ms`);
  },
});

Deno.test({
  name: "who says nothing is closed",
  // Older ones keep the connection until the client closes it.
  ignore: IS_OLD,
  fn: async () => {
    await using served = await openGate({ quietMs: 60 });
    const silent = await served.connectPlainly();
    assert.equal(await readSome(silent, 1), "");
    await until(() => served.gate.connections === 0);
    silent.close();
  },
});

Deno.test("who speaks no TLS, or sends half a request, is closed", async () => {
  await using served = await openGate({ quietMs: 60 });
  const plain = await served.connectPlainly();
  await plain.write(TEXT.encode(`${HEAD}\r\n`));
  assert.doesNotMatch(await readSome(plain, 1000), /HTTP/);
  const half = await served.connect();
  await half.write(TEXT.encode(HEAD));
  assert.equal(await readSome(half, 1), "");
  const whole = await served.connect();
  await whole.write(TEXT.encode(`${HEAD}\r\n`));
  assert.match(await readSome(whole, 100_000), /127\.0\.0\.1$/);
  await until(() => served.gate.connections === 0);
  for (const connection of [plain, half, whole]) connection.close();
});

Deno.test("a client that has begun TLS and goes away is forgotten", async () => {
  await using served = await openGate();
  const gone = await served.connectPlainly();
  await until(() => served.gate.connections === 1);
  gone.close();
  await until(() => served.gate.connections === 0);
  const other = await served.connect();
  await other.handshake();
  assert.equal(served.gate.connections, 1);
  other.close();
  await until(() => served.gate.connections === 0);
});

Deno.test({
  name: "connections are counted before they have spoken TLS",
  ignore: IS_OLD,
  fn: async () => {
    await using served = await openGate({ perAddressMax: 2 });
    const first = await Promise.all([1, 2].map(served.connectPlainly));
    await until(() => served.gate.connections === 2);
    const refused = await served.connectPlainly();
    assert.equal(await readSome(refused, 1), "");
    for (const connection of [...first, refused]) connection.close();
    await until(() => served.gate.connections === 0);
  },
});

Deno.test("a reader that does not read is closed", async () => {
  await using served = await openGate({
    quietMs: 200,
    fetch: endless,
  });
  const idle = await served.connect();
  await idle.write(TEXT.encode(`${HEAD}\r\n`));
  await until(() => served.gate.connections === 1);
  await until(() => served.gate.connections === 0);
  // What has been sent by then arrives, and nothing more.
  assert.match(await readSome(idle, Infinity), /^HTTP\/1\.1 200/);
  idle.close();
});

Deno.test("a gate with open TLS connections can be closed", async () => {
  const served = await openGate();
  const connection = await served.connect();
  await connection.write(TEXT.encode(HEAD));
  const plain = await served.connectPlainly();
  await until(() => served.gate.connections === 2);
  await served[Symbol.asyncDispose]();
  assert.equal(await readSome(connection, 1), "");
  for (const one of [connection, plain]) one.close();
});

Deno.test("a port that is taken, or a certificate that is none, is refused", async () => {
  using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = taken.addr;
  await assert.rejects(listenTls({ ...PLACE, port }), Deno.errors.AddrInUse);
  await assert.rejects(listenTls({ ...PLACE, cert: "" }));
});
