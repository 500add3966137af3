/** Waiting: how long, and what ends it; on the machine's clock and on a test's. */
import assert from "node:assert/strict";
import {
  backoffMs,
  type Clock,
  REAL_CLOCK,
  rest,
} from "../../src/base/clock.ts";
import { VirtualClock } from "../virtual_clock.ts";

const clocks: [string, () => Clock][] = [
  ["the machine's clock", () => REAL_CLOCK],
  ["a clock of a test", () => new VirtualClock(1)],
];

for (const [name, make] of clocks) {
  Deno.test(`${name} goes on while somebody sleeps, and sleepers wake in order`, async () => {
    const clock = make();
    const began = clock.now();
    const woken: number[] = [];
    await Promise.all([20, 1, 10].map(async (ms) => {
      await clock.sleep(ms);
      woken.push(ms);
    }));
    assert.deepEqual(woken, [1, 10, 20]);
    assert.ok(clock.now() - began >= 19);
  });

  Deno.test(`${name} ends a sleep with the signal, by its reason; rest() by itself`, async () => {
    const clock = make();
    const reason = new Error("told to stop");
    const stop = new AbortController();
    const sleeping = clock.sleep(60_000, stop.signal);
    const resting = rest(60_000, stop.signal, clock);
    stop.abort(reason);
    await assert.rejects(sleeping, reason);
    await resting;
    await assert.rejects(clock.sleep(60_000, stop.signal), reason);
    await rest(60_000, stop.signal, clock);
    await rest(1, new AbortController().signal, clock);
  });
}

Deno.test("pauses double up to the longest, half of each by chance", () => {
  const range = { min: 10, max: 50 };
  const at = (failures: number, chance: number) =>
    backoffMs(failures, range, { ...REAL_CLOCK, random: () => chance });
  assert.deepEqual([0, 1, 2, 3, 99].map((n) => at(n, 1)), [10, 20, 40, 50, 50]);
  assert.deepEqual([0, 1, 2, 3, 99].map((n) => at(n, 0)), [5, 10, 20, 25, 25]);
});
