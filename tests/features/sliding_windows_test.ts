import assert from "node:assert/strict";
import fc from "fast-check";
import {
  SlidingWindows,
  type WindowLayout,
} from "../../src/features/sliding_windows.ts";

interface Event {
  key: number;
  time: number;
  value: number;
}

/** What add() promises, by filtering the whole history for every event. */
function oracle(layout: WindowLayout, events: Event[]): number[][] {
  return events.map((event, i) => {
    const end = event.time - layout.lagSeconds;
    return layout.windowSeconds.flatMap((length) => {
      const inside = events.slice(0, i + 1).filter((other) =>
        other.key === event.key && other.time <= end &&
        other.time > end - length
      );
      return [inside.length, inside.reduce((sum, e) => sum + e.value, 0)];
    });
  });
}

function run(windows: SlidingWindows, width: number, events: Event[]) {
  const out = new Float64Array(2 * width);
  let progress = 0;
  return events.map(({ key, time, value }) => {
    progress = Math.max(progress, time);
    windows.add(key, time, value, progress, out, 0);
    return [...out];
  });
}

const layouts: WindowLayout[] = [
  { lagSeconds: 0, windowSeconds: [10, 70, 300], slackSeconds: 5 },
  { lagSeconds: 70, windowSeconds: [10, 70, 300], slackSeconds: 70 },
  { lagSeconds: 3, windowSeconds: [4], slackSeconds: 0 },
];

/** Streams whose steps are equal times, window edges, long gaps and steps back within the slack. */
function stream(slack: number): fc.Arbitrary<Event[]> {
  const step = fc.record({
    key: fc.integer({ min: 0, max: 3 }),
    step: fc.oneof(
      { weight: 4, arbitrary: fc.integer({ min: 0, max: 3 }) },
      { weight: 2, arbitrary: fc.constantFrom(0, 10, 70, 300) },
      { weight: 1, arbitrary: fc.integer({ min: 300, max: 900 }) },
    ),
    back: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: slack })),
    // Mostly cents, sometimes sums beyond 32 bits.
    value: fc.oneof(
      { weight: 30, arbitrary: fc.integer({ min: 0, max: 1_000_000 }) },
      { weight: 1, arbitrary: fc.integer({ min: 0, max: 100_000_000_000 }) },
    ),
  });
  return fc.array(step, { maxLength: 200 }).map((steps) => {
    let progress = 1000;
    return steps.map(({ key, step, back, value }) => {
      progress += step;
      return { key, time: progress - back, value };
    });
  });
}

for (const layout of layouts) {
  const { lagSeconds: lag, slackSeconds: slack } = layout;
  Deno.test(`add() equals the filter over the whole history, lag ${lag}, slack ${slack}`, () => {
    fc.assert(
      fc.property(stream(slack), (events) => {
        const windows = new SlidingWindows(layout);
        assert.deepEqual(
          run(windows, layout.windowSeconds.length, events),
          oracle(layout, events),
        );
      }),
      { numRuns: 300 },
    );
  });
}

/** What recent() promises after each event: [time, value] of the newest, by sorting the whole history. */
function newestOf(layout: WindowLayout, events: Event[], most: number) {
  const longest = Math.max(...layout.windowSeconds);
  const own = layout.lagSeconds === 0 ? 1 : 0;
  return events.map((event, i) => {
    const end = event.time - layout.lagSeconds;
    const inside = events.slice(0, i + 1 - own).filter((other) =>
      other.key === event.key && other.time <= end &&
      other.time > end - longest
    ).sort((a, b) => a.time - b.time);
    const cut = inside.at(-1 - most)?.time ?? -Infinity;
    return inside.filter(({ time }) => time > cut)
      .map(({ time, value }) => [time, value]);
  });
}

for (const layout of layouts) {
  const { lagSeconds: lag, slackSeconds: slack } = layout;
  Deno.test(`recent() gives the newest events of the longest window, one second all or none, lag ${lag}, slack ${slack}`, () => {
    fc.assert(
      fc.property(stream(slack), fc.constantFrom(1, 3, 500), (events, most) => {
        const windows = new SlidingWindows(layout);
        const out = new Float64Array(6);
        const times = new Float64Array(most);
        const values = new Float64Array(most);
        let progress = 0;
        const found = events.map(({ key, time, value }) => {
          progress = Math.max(progress, time);
          windows.add(key, time, value, progress, out, 0);
          const count = windows.recent(lag === 0 ? 1 : 0, times, values);
          return Array.from({ length: count }, (_, i) => [times[i], values[i]]);
        });
        assert.deepEqual(found, newestOf(layout, events, most));
      }),
      { numRuns: 200 },
    );
  });
}

Deno.test("add() counts an event exactly a window's length back no more", () => {
  const windows = new SlidingWindows({
    lagSeconds: 0,
    windowSeconds: [100],
    slackSeconds: 0,
  });
  const at = (time: number) => ({ key: 1, time, value: 5 });
  assert.deepEqual(run(windows, 1, [at(0), at(99), at(100)]), [
    [1, 5],
    [2, 10],
    [2, 10],
  ]);
});

Deno.test("add() stays exact over jumps back and forth by most of the slack", () => {
  const layout = layouts[1];
  const events: Event[] = [];
  for (let i = 0; i < 3000; i++) {
    const block = Math.floor(i / 100) % 2 === 0 ? 0 : 65;
    events.push({ key: i % 2, time: 1000 + i - block, value: i });
  }
  const windows = new SlidingWindows(layout);
  assert.deepEqual(run(windows, 3, events), oracle(layout, events));
});

Deno.test("add() stays exact when sums outgrow 32 bits, and before", () => {
  const layout = layouts[0];
  const events: Event[] = [];
  for (let i = 0; i < 600; i++) {
    const value = i < 300 ? 40_000_000 + i : 100_000_000_000 - i;
    events.push({ key: i % 3, time: i, value });
  }
  const windows = new SlidingWindows(layout);
  assert.deepEqual(run(windows, 3, events), oracle(layout, events));
});

Deno.test("keys whose windows are empty are let go, and their memory too", () => {
  const windows = new SlidingWindows({
    lagSeconds: 0,
    windowSeconds: [1000],
    slackSeconds: 0,
  });
  const out = new Float64Array(2);
  for (let key = 0; key < 50_000; key++) {
    for (let i = 0; i < 5; i++) windows.add(key, 1, 1, 1, out, 0);
  }
  assert.equal(windows.keys, 50_000);
  const full = windows.bytes;
  for (let i = 0; i < 2_000_000; i++) {
    windows.add(7, 5000 + i, 1, 5000 + i, out, 0);
  }
  assert.equal(windows.keys, 1);
  assert.equal(out[0], 1000);
  assert.ok(windows.bytes < full / 20, `${windows.bytes} of ${full}`);
});

Deno.test("keys that never come again do not pile up", () => {
  const windows = new SlidingWindows({
    lagSeconds: 0,
    windowSeconds: [1000],
    slackSeconds: 0,
  });
  const out = new Float64Array(2);
  for (let key = 0; key < 200_000; key++) {
    windows.add(key, key, 1, key, out, 0);
  }
  assert.ok(windows.keys <= 3000, `${windows.keys} keys`);
});

Deno.test("memory follows the events in reach, not the history", () => {
  const windows = new SlidingWindows({
    lagSeconds: 0,
    windowSeconds: [1000],
    slackSeconds: 0,
  });
  const out = new Float64Array(2);
  let early = 0;
  for (let time = 1; time <= 500_000; time++) {
    windows.add(time % 100, time, 1, time, out, 0);
    if (time === 5000) early = windows.bytes;
  }
  assert.equal(windows.bytes, early);
});
