import assert from "node:assert/strict";
import { Gate, type GateOptions } from "../../src/base/gate.ts";
import { endless, until, USUAL } from "./gates.ts";

const TEXT = new TextEncoder();
const HEAD = "GET / HTTP/1.1\r\nHost: x\r\n";
const POST = "POST / HTTP/1.1\r\nHost: x\r\n";

/** A gate with a server that answers with the address of who asks. */
function openGate(over: Partial<GateOptions> = {}) {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const gate = new Gate({
    listener,
    ...USUAL,
    ...over,
  });
  const { port } = listener.addr;
  return {
    gate,
    port,
    address: `http://127.0.0.1:${port}`,
    connect: () => Deno.connect({ hostname: "127.0.0.1", port }),
    [Symbol.asyncDispose]: () => gate[Symbol.asyncDispose](),
  };
}

/** All that comes until the other side closes. */
async function readToEnd(connection: Deno.TcpConn): Promise<string> {
  try {
    return await new Response(connection.readable).text();
  } catch {
    return ""; // it was reset
  }
}

Deno.test("requests and answers pass a gate, with the address of who asks", async () => {
  await using served = openGate();
  const body = "x".repeat(1_000_000);
  for (let i = 0; i < 3; i++) {
    const answer = await fetch(served.address, { method: "POST", body });
    assert.equal(await answer.text(), "127.0.0.1");
  }
});

for (
  const [what, bytes] of [
    ["nothing", ""],
    ["half a head", HEAD],
    ["half a body", `${POST}Content-Length: 10\r\n\r\nabc`],
    ["half a chunk", `${POST}Transfer-Encoding: chunked\r\n\r\n5\r\nab`],
    ["a request, and nothing more", `${HEAD}\r\n`],
  ]
) {
  Deno.test(`a connection that sends ${what} is closed`, async () => {
    await using served = openGate({ quietMs: 40 });
    const connection = await served.connect();
    await connection.write(TEXT.encode(bytes));
    const answer = await readToEnd(connection);
    assert.equal(
      answer.startsWith("HTTP/1.1 200"),
      bytes.endsWith("x\r\n\r\n"),
    );
    await until(() => served.gate.connections === 0);
  });
}

Deno.test("a connection that sends a byte now and then is closed all the same", async () => {
  await using served = openGate({ quietMs: 60 });
  const connection = await served.connect();
  const closed = Promise.withResolvers<void>();
  await connection.write(TEXT.encode(HEAD));
  const dripping = setInterval(() => {
    connection.write(TEXT.encode("A")).catch(() => closed.resolve());
  }, 5);
  await closed.promise;
  clearInterval(dripping);
  connection.close();
  assert.equal(served.gate.connections, 0);
});

Deno.test("a request that comes just before its connection would be closed is answered", async () => {
  await using served = openGate({
    quietMs: 200,
    fetch: async () => {
      await new Promise((resolve) => setTimeout(resolve, 150));
      return new Response("late");
    },
  });
  const connection = await served.connect();
  await new Promise((resolve) => setTimeout(resolve, 150));
  await connection.write(TEXT.encode(`${HEAD}Connection: close\r\n\r\n`));
  assert.match(await readToEnd(connection), /late$/);
});

Deno.test("who is in and has asked when a gate closes is still answered", async () => {
  const served = openGate({ connectionsMax: 100, perAddressMax: 100 });
  const connections = await Promise.all(
    Array.from({ length: 50 }, () => served.connect()),
  );
  await until(() => served.gate.connections === 50);
  for (const connection of connections) {
    await connection.write(TEXT.encode(`${HEAD}Connection: close\r\n\r\n`));
  }
  const closed = served[Symbol.asyncDispose]();
  for (const answer of await Promise.all(connections.map(readToEnd))) {
    assert.match(answer, /^HTTP\/1.1 200/);
  }
  await closed;
});

Deno.test("a reader that does not read is closed, one that reads is not", async () => {
  await using served = openGate({
    quietMs: 200,
    fetch: endless,
  });
  const idle = await served.connect();
  await idle.write(TEXT.encode(`${HEAD}\r\n`));
  const reading = await served.connect();
  await reading.write(TEXT.encode(`${HEAD}\r\n`));
  const buffer = new Uint8Array(65_536);
  let bytes = 0;
  // So much more than what lies in buffers on the way.
  while (served.gate.connections === 2) {
    bytes += await reading.read(buffer) ?? 0;
  }
  const before = bytes;
  while (bytes < before + 1_000_000) bytes += await reading.read(buffer) ?? 0;
  assert.equal(served.gate.connections, 1);
  idle.close();
  reading.close();
});

Deno.test("so many connections are let in, and others when those have gone", async () => {
  await using served = openGate({ connectionsMax: 20, perAddressMax: 3 });
  const first = await Promise.all([1, 2, 3].map(served.connect));
  await until(() => served.gate.connections === 3);
  const refused = await served.connect();
  assert.equal(await readToEnd(refused), "");
  for (const connection of first) connection.close();
  await until(() => served.gate.connections === 0);
  assert.equal(await (await fetch(served.address)).text(), "127.0.0.1");
});

Deno.test("who finds the server behind the gate gets no answer of the page's", async () => {
  await using served = openGate();
  const { serverPort } = served.gate;
  const answer = await fetch(`http://127.0.0.1:${serverPort}`);
  assert.equal(answer.status, 421);
  assert.doesNotMatch(await answer.text(), /127\.0\.0\.1/);
});

Deno.test("a gate with half-open requests can be closed", async () => {
  const served = openGate();
  const connection = await served.connect();
  await connection.write(TEXT.encode(HEAD));
  await until(() => served.gate.connections === 1);
  await served[Symbol.asyncDispose]();
  assert.equal(await readToEnd(connection), "");
});

Deno.test("other work makes way for who asks, but not for ever", async () => {
  await using served = openGate();
  const { signal } = new AbortController();
  // Nobody has asked yet.
  await served.gate.makeWay(signal);
  const asking = new AbortController();
  const asks = (async () => {
    while (!asking.signal.aborted) await (await fetch(served.address)).text();
  })();
  await until(() => served.gate.connections > 0);
  for (let i = 0; i < 3; i++) await served.gate.makeWay(signal);
  assert.equal(served.gate.connections, 1);
  asking.abort();
  await asks;
});
