import assert from "node:assert/strict";
import { InFlight } from "../../../src/store/cassandra/in_flight.ts";

Deno.test("no more are in than the limit, who waits comes in by turns", async () => {
  const inFlight = new InFlight(2);
  assert.equal(inFlight.enter(), undefined);
  assert.equal(inFlight.enter(), undefined);
  const came: string[] = [];
  const third = inFlight.enter()?.then(() => came.push("third"));
  const fourth = inFlight.enter()?.then(() => came.push("fourth"));
  assert.ok(third && fourth);
  await Promise.resolve();
  assert.deepEqual(came, []);
  inFlight.leave();
  await third;
  assert.deepEqual(came, ["third"]);
  inFlight.leave();
  await fourth;
  inFlight.leave();
  inFlight.leave();
  assert.equal(inFlight.enter(), undefined);
});
