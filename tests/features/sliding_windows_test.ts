import assert from "node:assert/strict";
import fc from "fast-check";
import {
  SlidingWindows,
  type WindowLayout,
} from "../../src/features/sliding_windows.ts";
import { SeededSource } from "../../src/simulator/random/seeded_source.ts";
import { forEachSeed } from "../long.ts";

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

/** A whole number from 0 to below `limit`. */
function below(limit: number, random: SeededSource): number {
  return Math.floor(random.double() * limit);
}

/**
 * Payments of a few busy keys as they come from several partitions that drift
 * apart: runs in order of time, each beginning anywhere within the slack.
 */
function busyStream(slack: number, length: number, seed: number): Event[] {
  const random = new SeededSource(String(seed));
  const keys = 1 + below(2, random);
  const longestRun = 500 + below(1000, random);
  const seconds = [0.002, 0.01, 0.1][below(3, random)];
  const events: Event[] = [];
  let progress = 1000;
  while (events.length < length) {
    let time = Math.max(0, progress - below(slack + 1, random));
    for (let left = below(longestRun, random); left >= 0; left--) {
      time += random.double() < seconds ? 1 : 0;
      progress = Math.max(progress, time);
      const value = below(random.double() < 0.01 ? 1e11 : 1e5, random);
      events.push({ key: below(keys, random), time, value });
    }
    // Now and then all is idle for so long that everything expires.
    if (random.double() < 0.1) progress += 1000;
  }
  return events.slice(0, length);
}

for (const layout of layouts.slice(0, 2)) {
  const { lagSeconds: lag, slackSeconds: slack } = layout;
  Deno.test(`add() and recent() stay exact for busy keys out of order, lag ${lag}, slack ${slack}`, () =>
    forEachSeed(4, 100, (seed) => {
      const events = busyStream(slack, 3000, seed);
      const windows = new SlidingWindows(layout);
      const width = layout.windowSeconds.length;
      const out = new Float64Array(2 * width);
      const times = new Float64Array(64);
      const values = new Float64Array(64);
      const expected = oracle(layout, events);
      const newest = newestOf(layout, events, 64);
      let progress = 0;
      events.forEach(({ key, time, value }, i) => {
        progress = Math.max(progress, time);
        windows.add(key, time, value, progress, out, 0);
        assert.deepEqual([...out], expected[i], `event ${i}`);
        const count = windows.recent(lag === 0 ? 1 : 0, times, values);
        const found = Array.from(
          { length: count },
          (_, at) => [times[at], values[at]],
        );
        assert.deepEqual(found, newest[i], `event ${i}`);
      });
    }));
}

const DAY = 86_400;

/** Cells that adding an event moves on average, in layouts like those of the stream. */
function movedPerEvent(events: Iterable<Event>): number {
  const windows = new SlidingWindows({
    lagSeconds: 7 * DAY,
    windowSeconds: [DAY, 7 * DAY, 30 * DAY],
    slackSeconds: 7 * DAY,
  });
  const out = new Float64Array(6);
  let progress = 0;
  let count = 0;
  for (const { key, time, value } of events) {
    progress = Math.max(progress, time);
    windows.add(key, time, value, progress, out, 0);
    count++;
  }
  return windows.movedCells / count;
}

/** Streams of `length` events that could cost each event the more the more there are. */
const crowds: Record<string, (length: number) => Iterable<Event>> = {
  "one key, from four partitions that are read in turn": (length) =>
    drifting(length, 1, 4, 6 * DAY),
  "one key, from two partitions one of which is far ahead": (length) =>
    drifting(length, 1, 2, 6 * DAY),
  "three keys, from four partitions": (length) =>
    drifting(length, 3, 4, 6 * DAY),
  "one key, each event up to a day late": function* (length) {
    const random = new SeededSource("late");
    for (let i = 0; i < length; i++) {
      const time = 2 * DAY + Math.floor(i / length * 20 * DAY);
      yield { key: 7, time: time - below(DAY, random), value: 1 };
    }
  },
  "one key, from the newest to the oldest": function* (length) {
    for (let i = 0; i < length; i++) {
      yield { key: 7, time: length - i, value: 1 };
    }
  },
  "one key in order": (length) => drifting(length, 1, 1, 0),
  "many keys that all grow": (length) => drifting(length, 1000, 1, 0),
  "keys that come and go": function* (length) {
    for (let i = 0; i < length; i++) {
      yield { key: i >> 4, time: i * 600, value: 1 };
    }
  },
};

/** `partitions` parts of 20 days one day after another, each day's part as a whole, and of them the first up to `ahead` seconds before the last. */
function* drifting(
  length: number,
  keys: number,
  partitions: number,
  ahead: number,
): Iterable<Event> {
  const steps = 20;
  const each = Math.ceil(length / steps / partitions);
  for (let step = 0; step < steps; step++) {
    for (let partition = 0; partition < partitions; partition++) {
      const lead = Math.round(ahead * (partitions - partition) / partitions);
      for (let i = 0; i < each; i++) {
        const time = step * DAY + lead + Math.floor(i / each * DAY);
        yield { key: (i * 31) % keys, time, value: i & 1 };
      }
    }
  }
}

for (const [name, stream] of Object.entries(crowds)) {
  Deno.test(`add() moves as few cells for many events as for some: ${name}`, () => {
    const some = movedPerEvent(stream(25_000));
    const many = movedPerEvent(stream(200_000));
    assert.ok(some < 600, `${some} cells an event`);
    assert.ok(many < some + 50, `${some} and then ${many} cells an event`);
  });
}

Deno.test("a busy key is let go with all its memory once it is idle", () => {
  const windows = new SlidingWindows(layouts[1]);
  const out = new Float64Array(6);
  for (let i = 0; i < 20_000; i++) {
    windows.add(1, 1000 + 60 * (i & 1), 1, 1060, out, 0);
  }
  assert.ok(windows.bytes > 200_000, `${windows.bytes}`);
  for (let i = 0; i < 10_000; i++) {
    windows.add(2, 5000 + i, 1, 5000 + i, out, 0);
  }
  assert.equal(windows.keys, 1);
  assert.ok(windows.bytes < 50_000, `${windows.bytes}`);
});

Deno.test("a busy key's memory follows its events in reach, not the history", () => {
  const windows = new SlidingWindows(layouts[1]);
  const out = new Float64Array(6);
  let early = 0;
  for (let i = 0; i < 400_000; i++) {
    const time = 1000 + Math.floor(i / 20);
    windows.add(1, time - 60 * (i & 1), 1, time, out, 0);
    if (i === 40_000) early = windows.bytes;
  }
  assert.ok(windows.bytes < 1.2 * early, `${early}, then ${windows.bytes}`);
});
