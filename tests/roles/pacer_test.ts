import assert from "node:assert/strict";
import { openPacer } from "../../src/roles/pacer.ts";
import { VirtualClock } from "../virtual_clock.ts";

const never = new AbortController().signal;

/** Times of rows, `step` seconds apart. */
function timesOf(rows: number, step: number): Int32Array {
  return Int32Array.from({ length: rows }, (_, i) => 1000 + i * step);
}

Deno.test("pace max gives all that is wanted at once", async () => {
  const pacer = openPacer({ kind: "max" }, never);
  assert.equal(await pacer.take(timesOf(9, 1), 0, 9), 9);
  assert.equal(await pacer.take(timesOf(9, 1), 4, 5), 5);
});

for (const perSecond of [500, 4000]) {
  Deno.test(`pace rate of ${perSecond} a second never gives more than are due`, async () => {
    const clock = new VirtualClock(1);
    const pacer = openPacer({ kind: "rate", perSecond }, never, clock);
    const times = timesOf(60, 1);
    for (let row = 0; row < times.length;) {
      const rows = await pacer.take(times, row, times.length - row);
      assert.ok(rows > 0);
      row += rows;
      const due = clock.now() * perSecond / 1000;
      assert.ok(row <= due, `${row} rows after ${due}`);
    }
  });
}

Deno.test("pace rate gives no more than is wanted", async () => {
  const pacer = openPacer({ kind: "rate", perSecond: 1e6 }, never);
  for (let i = 0; i < 5; i++) {
    assert.equal(await pacer.take(timesOf(9, 1), i, 1), 1);
  }
});

Deno.test("pace speedup gives no row before its time", async () => {
  const clock = new VirtualClock(1);
  const factor = 86_400;
  const pacer = openPacer({ kind: "speedup", factor }, never, clock);
  const times = timesOf(50, 100);
  for (let row = 0; row < times.length;) {
    const rows = await pacer.take(times, row, times.length - row);
    assert.ok(rows > 0);
    row += rows;
    const reached = times[0] + clock.now() * factor / 1000;
    assert.ok(times[row - 1] <= reached, `row ${row - 1} came early`);
  }
});

Deno.test("pace speedup gives rows of the same time together", async () => {
  const pacer = openPacer({ kind: "speedup", factor: 1000 }, never);
  const times = Int32Array.from([5, 5, 5, 1_000_000_000]);
  let row = 0;
  while (row < 3) row += await pacer.take(times, row, 4 - row);
  assert.equal(row, 3);
});

const slow = [
  { kind: "max" },
  { kind: "rate", perSecond: 0.001 },
  { kind: "speedup", factor: 0.001 },
] as const;

for (const pace of slow) {
  Deno.test(`pace ${pace.kind} gives nothing once it is stopped`, async () => {
    const stop = new AbortController();
    stop.abort();
    const pacer = openPacer(pace, stop.signal);
    assert.equal(await pacer.take(timesOf(3, 1000), 0, 3), 0);
  });
}

for (const pace of slow.slice(1)) {
  Deno.test(`pace ${pace.kind} stops waiting when it is stopped`, async () => {
    const stop = new AbortController();
    const pacer = openPacer(pace, stop.signal);
    const times = Int32Array.from([0, 2_000_000_000]);
    if (pace.kind === "speedup") await pacer.take(times, 0, 1);
    const waiting = pacer.take(times, 1, 1);
    stop.abort();
    assert.equal(await waiting, 0);
  });
}
