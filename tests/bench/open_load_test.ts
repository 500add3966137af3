/** The generator of open loads measures what it says. */
import assert from "node:assert/strict";
import { dueTimes, percentilesOf, runLoad } from "../../bench/open_load.ts";
import { Gate } from "../../src/base/gate.ts";
import { chance } from "../long.ts";

Deno.test("percentiles are exact", () => {
  const values = Array.from({ length: 1000 }, (_, i) => 1000 - i);
  assert.deepEqual(percentilesOf(values), {
    ...{ p50: 500, p90: 900, p99: 990, p999: 999 },
    max: 1000,
  });
  assert.deepEqual(percentilesOf([7]), {
    ...{ p50: 7, p90: 7, p99: 7, p999: 7 },
    max: 7,
  });
  assert.equal(percentilesOf([]).p99, null);
});

Deno.test("requests are due at the rate of each phase, evenly or at random", () => {
  const phases = [{ rate: 1000, seconds: 5 }, { rate: 200, seconds: 10 }];
  const fixed = dueTimes(phases, "fixed");
  assert.equal(fixed.length, 7000);
  assert.deepEqual([...fixed.slice(0, 3)], [0, 1, 2]);
  assert.deepEqual([...fixed.slice(5000, 5003)], [5000, 5005, 5010]);
  const random = dueTimes(phases, "poisson", chance(1));
  const inFirst = random.findIndex((time) => time >= 5000);
  assert.ok(Math.abs(inFirst - 5000) < 300, `${inFirst} in 5 s`);
  assert.ok(Math.abs(random.length - 7000) < 400, `${random.length} in all`);
  const gaps = [...random.slice(1, inFirst)].map((at, i) => at - random[i]);
  // The gaps of a Poisson process vary as much as they are long.
  const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length;
  const square = gaps.reduce((sum, gap) => sum + (gap - mean) ** 2, 0);
  const deviation = Math.sqrt(square / gaps.length);
  assert.ok(Math.abs(deviation / mean - 1) < 0.1, `${deviation} of ${mean}`);
});

/** A server that notes the bodies of requests and answers as it is told. */
function serve(answer: (count: number) => Response | Promise<Response>) {
  const bodies: Record<string, unknown>[] = [];
  const server = Deno.serve(
    { hostname: "127.0.0.1", port: 0, onListen: () => {} },
    async (request) => {
      assert.equal(new URL(request.url).pathname, "/v1/score");
      bodies.push(await request.json());
      return await answer(bodies.length);
    },
  );
  return {
    bodies,
    port: server.addr.port,
    [Symbol.asyncDispose]: () => server.shutdown(),
  };
}

const PLAN = { arrivals: "fixed", firstId: 500, connections: 8 } as const;

Deno.test("a load sends each payment once, and counts answers by status", async () => {
  await using server = serve((count) =>
    new Response("{}", { status: count % 10 === 0 ? 503 : 200 })
  );
  const phases = [{ rate: 100, seconds: 1 }, { rate: 50, seconds: 1 }];
  const result = await runLoad({ ...PLAN, port: server.port, phases });
  const ids = server.bodies.map((body) => Number(body.TRANSACTION_ID));
  ids.sort((a, b) => a - b);
  assert.deepEqual(ids, Array.from({ length: 150 }, (_, i) => 500 + i));
  const [payment] = server.bodies;
  assert.match(String(payment.TX_DATETIME), /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/);
  const age = Date.now() - Date.parse(`${payment.TX_DATETIME}Z`);
  assert.ok(age >= 0 && age < 60_000, `${age} ms old`);
  assert.deepEqual(result.phases.map(({ due }) => due), [100, 50]);
  const counts = result.phases.map(({ statuses }) => statuses);
  assert.deepEqual(counts, [{ 200: 90, 503: 10 }, { 200: 45, 503: 5 }]);
  assert.deepEqual(result.seconds.map(({ due }) => due), [100, 50]);
  assert.ok(Number(result.phases[0].others.max) > 0);
});

Deno.test("a stall counts for every request that was due meanwhile", async () => {
  const { promise: over, resolve } = Promise.withResolvers<void>();
  await using server = serve(async (count) => {
    if (count === 20) setTimeout(resolve, 500);
    // From here on all connections are held.
    if (count >= 20) await over;
    return new Response("{}");
  });
  const phases = [{ rate: 100, seconds: 1 }];
  const result = await runLoad({ ...PLAN, port: server.port, phases });
  const [{ statuses, sinceDue, sinceSent }] = result.phases;
  assert.deepEqual(statuses, { 200: 100 });
  // 50 of 100 were due in these 500 ms, but only 8 could be sent.
  assert.ok(
    Number(sinceDue.p90) > 350,
    `${sinceDue.p90} ms since they were due`,
  );
  assert.ok(
    Number(sinceSent.p90) < 350,
    `${sinceSent.p90} ms since they were sent`,
  );
  assert.ok(
    Number(sinceSent.max) > 350,
    `${sinceSent.max} ms since one was sent`,
  );
});

Deno.test("requests without an answer are counted, and the load goes on", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const closing = (async () => {
    for await (const connection of listener) connection.close();
  })();
  const phases = [{ rate: 50, seconds: 0.5 }];
  const { port } = listener.addr as Deno.NetAddr;
  const result = await runLoad({ ...PLAN, port, phases });
  assert.deepEqual(result.phases[0].statuses, { 0: 25 });
  listener.close();
  await closing;
});

Deno.test("a load does not send on a connection that the server may just close", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  let stall = new Promise<void>((resolve) => setTimeout(resolve, 300));
  await using _gate = new Gate({
    listener,
    fetch: async (request) => {
      await request.text();
      await stall;
      return new Response("{}", { headers: { "keep-alive": "timeout=1" } });
    },
    connectionsMax: 100,
    perAddressMax: 100,
    quietMs: 1000,
  });
  // All connections are opened while the first answers are awaited, and only
  // some of them are used until the second time.
  const again = setTimeout(() => {
    stall = new Promise((resolve) => setTimeout(resolve, 300));
  }, 2300);
  const phases = [
    { rate: 100, seconds: 0.3 },
    { rate: 20, seconds: 2 },
    { rate: 100, seconds: 0.3 },
  ];
  const { port } = listener.addr;
  const plan = { ...PLAN, connections: 30, port, phases };
  const result = await runLoad(plan);
  clearTimeout(again);
  assert.deepEqual(
    result.phases.map(({ statuses }) => statuses),
    [{ 200: 30 }, { 200: 40 }, { 200: 30 }],
  );
});
