import assert from "node:assert/strict";
import fc from "fast-check";
import { SlidingWindows } from "../../src/features/sliding_windows.ts";
import type {
  WindowGroup,
  WindowLayout,
} from "../../src/features/window_layout.ts";
import { SeededSource } from "../../src/simulator/random/seeded_source.ts";
import { forEachSeed } from "../long.ts";
import { StatePieces } from "./state_pieces.ts";

interface Event {
  key: number;
  time: number;
  flag: number;
  value: number;
}

/** A piece of a row of windows: its windows' sums of one column. */
function windowsOf(
  { lagSeconds, windowSeconds, sum }: WindowGroup,
  { time }: Event,
  events: Event[],
): number[] {
  const end = time - lagSeconds;
  return windowSeconds.flatMap((length) => {
    const inside = events.filter((other) =>
      other.time <= end && other.time > end - length
    );
    return [inside.length, inside.reduce((total, e) => total + e[sum], 0)];
  });
}

/** What add() and write() promise, by filtering the whole history for every event. */
function oracle({ groups }: WindowLayout, events: Event[]): number[][] {
  return events.map((event, i) => {
    const same = events.slice(0, i + 1).filter(({ key }) => key === event.key);
    return groups.flatMap((group) => windowsOf(group, event, same));
  });
}

function widthOf({ groups }: WindowLayout): number {
  return groups.reduce(
    (sum, { windowSeconds }) => sum + 2 * windowSeconds.length,
    0,
  );
}

/** Everything that the windows say after each event. */
function run(
  windows: SlidingWindows,
  layout: WindowLayout,
  events: Event[],
  progress = 0,
) {
  const out = new Float64Array(widthOf(layout));
  return events.map(({ key, time, flag, value }) => {
    progress = Math.max(progress, time);
    windows.add(key, time, flag, value, progress);
    let at = 0;
    for (const [group, { windowSeconds }] of layout.groups.entries()) {
      windows.write(group, out, at);
      at += 2 * windowSeconds.length;
    }
    return [...out];
  });
}

/** Windows of one group that sum up the value. */
function valueWindows(
  lagSeconds: number,
  windowSeconds: number[],
  slackSeconds: number,
): WindowLayout {
  const groups = [{ lagSeconds, windowSeconds, sum: "value" as const }];
  return { columns: ["value"], groups, slackSeconds, hasHint: false };
}

const layouts: Record<string, WindowLayout> = {
  "lag 0": valueWindows(0, [10, 70, 300], 5),
  "lag 70": valueWindows(70, [10, 70, 300], 70),
  "lag 3, one window": valueWindows(3, [4], 0),
  "flags alone": {
    columns: ["flag"],
    groups: [{ lagSeconds: 70, windowSeconds: [10, 300], sum: "flag" }],
    slackSeconds: 70,
    hasHint: false,
  },
  "flags that change behind a window's end": {
    columns: ["flag"],
    groups: [{ lagSeconds: 3, windowSeconds: [10, 300], sum: "flag" }],
    slackSeconds: 60,
    hasHint: false,
  },
  "two groups": {
    columns: ["flag", "value"],
    groups: [
      { lagSeconds: 0, windowSeconds: [10, 70, 300], sum: "value" },
      { lagSeconds: 70, windowSeconds: [300], sum: "flag" },
    ],
    slackSeconds: 60,
    hasHint: true,
  },
};

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
    flag: fc.nat(1),
    // Mostly cents, sometimes beyond 32 bits, refunds among them.
    value: fc.oneof(
      { weight: 30, arbitrary: fc.integer({ min: 0, max: 1_000_000 }) },
      { weight: 1, arbitrary: fc.integer({ min: -1e11, max: 1e11 }) },
      { weight: 1, arbitrary: fc.constantFrom(-1, 2 ** 31 - 1, -(2 ** 31)) },
    ),
  });
  return fc.array(step, { maxLength: 200 }).map((steps) => {
    let progress = 1000;
    return steps.map(({ step, back, ...event }) => {
      progress += step;
      return { ...event, time: progress - back };
    });
  });
}

for (const [name, layout] of Object.entries(layouts)) {
  Deno.test(`add() equals the filter over the whole history: ${name}`, () => {
    fc.assert(
      fc.property(stream(layout.slackSeconds), (events) => {
        const windows = new SlidingWindows(layout);
        assert.deepEqual(run(windows, layout, events), oracle(layout, events));
      }),
      { numRuns: 300 },
    );
  });
}

/** What recent() promises after the last of some events of one key: [time, value] of the newest, by sorting the whole history. */
function newestOf(
  { lagSeconds, windowSeconds, sum }: WindowGroup,
  events: Event[],
  most: number,
) {
  const end = events[events.length - 1].time - lagSeconds;
  const longest = Math.max(...windowSeconds);
  const known = lagSeconds === 0 ? events.slice(0, -1) : events;
  const inside = known
    .filter(({ time }) => time <= end && time > end - longest)
    .sort((a, b) => a.time - b.time);
  const cut = inside.at(-1 - most)?.time ?? -Infinity;
  return inside.filter(({ time }) => time > cut)
    .map((event) => [event.time, event[sum]]);
}

/** Adds events one after another and compares each one's windows and newest events with the filter over the history. */
function check(
  windows: SlidingWindows,
  layout: WindowLayout,
  events: Event[],
  most: number,
) {
  const times = new Float64Array(most);
  const values = new Float64Array(most);
  const histories = new Map<number, Event[]>();
  let progress = 0;
  for (const [i, event] of events.entries()) {
    const history = histories.get(event.key) ?? [];
    histories.set(event.key, history);
    history.push(event);
    const [found] = run(windows, layout, [event], progress);
    progress = Math.max(progress, event.time);
    const expected = layout.groups.flatMap((group) =>
      windowsOf(group, event, history)
    );
    assert.deepEqual(found, expected, `event ${i}`);
    for (const [at, group] of layout.groups.entries()) {
      const skip = group.lagSeconds === 0 ? 1 : 0;
      const count = windows.recent(at, group.sum, skip, values);
      assert.equal(windows.recent(at, "time", skip, times), count);
      const newest = Array.from(
        { length: count },
        (_, place) => [times[place], values[place]],
      );
      const wanted = newestOf(group, history, most);
      const all = newestOf(group, history, history.length);
      const newestTime = windows.newestTime(at, skip);
      assert.equal(newestTime, all.at(-1)?.[0] ?? -1, `event ${i}`);
      assert.deepEqual(newest, wanted, `event ${i}, group ${at}`);
    }
  }
}

for (const [name, layout] of Object.entries(layouts)) {
  Deno.test(`recent() gives the newest events of the longest window, one second all or none: ${name}`, () => {
    fc.assert(
      fc.property(
        stream(layout.slackSeconds),
        fc.constantFrom(1, 3, 500),
        (events, most) =>
          check(new SlidingWindows(layout), layout, events, most),
      ),
      { numRuns: 200 },
    );
  });
}

Deno.test("add() counts an event exactly a window's length back no more", () => {
  const layout = valueWindows(0, [100], 0);
  const at = (time: number) => ({ key: 1, time, flag: 0, value: 5 });
  const windows = new SlidingWindows(layout);
  assert.deepEqual(run(windows, layout, [at(0), at(99), at(100)]), [
    [1, 5],
    [2, 10],
    [2, 10],
  ]);
});

Deno.test("add() stays exact over jumps back and forth by most of the slack", () => {
  const layout = layouts["lag 70"];
  const events: Event[] = [];
  for (let i = 0; i < 3000; i++) {
    const block = Math.floor(i / 100) % 2 === 0 ? 0 : 65;
    events.push({ key: i % 2, time: 1000 + i - block, flag: 0, value: i });
  }
  const windows = new SlidingWindows(layout);
  assert.deepEqual(run(windows, layout, events), oracle(layout, events));
});

Deno.test("add() stays exact when values outgrow 32 bits, before and after", () => {
  const layout = layouts["lag 0"];
  const events: Event[] = [];
  for (let i = 0; i < 900; i++) {
    const value = i < 300 ? 40_000_000 + i : i < 600 ? 1e11 - i : i - 1e11;
    events.push({ key: i % 3, time: i, flag: 0, value });
  }
  const windows = new SlidingWindows(layout);
  assert.deepEqual(run(windows, layout, events), oracle(layout, events));
});

Deno.test("a key's windows stay exact when all its events ever sum up to more than 2^53", () => {
  const layout = valueWindows(0, [3], 0);
  const windows = new SlidingWindows(layout);
  const event = (time: number) => ({ key: 1, time, flag: 0, value: 1e11 - 1 });
  const found = run(
    windows,
    layout,
    Array.from({ length: 200_000 }, (_, time) => event(time)),
  );
  assert.deepEqual(found.at(-1), [3, 3e11 - 3]);
});

Deno.test("keys whose windows are empty are let go, and their memory too", () => {
  const windows = new SlidingWindows(valueWindows(0, [1000], 0));
  const out = new Float64Array(2);
  for (let key = 0; key < 50_000; key++) {
    for (let i = 0; i < 5; i++) windows.add(key, 1, 0, 1, 1);
  }
  assert.equal(windows.keys, 50_000);
  const full = windows.bytes;
  for (let i = 0; i < 2_000_000; i++) {
    windows.add(7, 5000 + i, 0, 1, 5000 + i);
  }
  assert.equal(windows.keys, 1);
  windows.write(0, out, 0);
  assert.equal(out[0], 1000);
  assert.ok(windows.bytes < full / 20, `${windows.bytes} of ${full}`);
});

Deno.test("keys that never come again do not pile up", () => {
  const windows = new SlidingWindows(valueWindows(0, [1000], 0));
  for (let key = 0; key < 200_000; key++) {
    windows.add(key, key, 0, 1, key);
  }
  assert.ok(windows.keys <= 3000, `${windows.keys} keys`);
});

Deno.test("memory follows the events in reach, not the history", () => {
  const windows = new SlidingWindows(valueWindows(0, [1000], 0));
  let early = 0;
  for (let time = 1; time <= 500_000; time++) {
    windows.add(time % 100, time, 0, 1, time);
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
      const flag = below(2, random);
      events.push({ key: below(keys, random), time, flag, value });
    }
    // Now and then all is idle for so long that everything expires.
    if (random.double() < 0.1) progress += 1000;
  }
  return events.slice(0, length);
}

const outOfOrder = Object.entries(layouts).filter(([, l]) =>
  l.slackSeconds > 0
);

for (const [name, layout] of outOfOrder) {
  Deno.test(`add() and recent() stay exact for busy keys out of order: ${name}`, () =>
    forEachSeed(3, 100, (seed) => {
      const events = busyStream(layout.slackSeconds, 4000, seed);
      check(new SlidingWindows(layout), layout, events, 64);
    }));
}

/** Payments of many keys, from rare to busy ones, in any order within the slack, with idle times. */
function manyKeys(slack: number, length: number, seed: number): Event[] {
  const random = new SeededSource(String(seed));
  const keys = 1 + below(200, random);
  const perSecond = [0.2, 1, 10][below(3, random)];
  const events: Event[] = [];
  let progress = 1000;
  for (let i = 0; i < length; i++) {
    const isIdle = random.double() < 0.001;
    progress += isIdle ? below(1000, random) : below(2, random) / perSecond;
    const time = Math.floor(progress) -
      (random.double() < 0.5 ? 0 : below(slack + 1, random));
    const key = Math.floor(keys * random.double() ** 3) * 1_000_003 % 2 ** 31;
    const value = below(random.double() < 0.01 ? 1e11 : 1e5, random) - 100;
    events.push({ key, time, flag: below(2, random), value });
  }
  return events;
}

for (const [name, layout] of outOfOrder) {
  Deno.test(`add() and recent() stay exact for many keys in any order: ${name}`, () =>
    forEachSeed(3, 100, (seed) => {
      const events = manyKeys(layout.slackSeconds, 5000, seed);
      check(new SlidingWindows(layout), layout, events, 8);
    }));
}

function saved(windows: SlidingWindows): StatePieces {
  const pieces = new StatePieces();
  windows.save(pieces);
  return pieces;
}

for (const [name, layout] of outOfOrder) {
  for (const [kind, made] of Object.entries({ busyStream, manyKeys })) {
    Deno.test(`windows that were saved and loaded go on as if nothing had been: ${kind}, ${name}`, () =>
      forEachSeed(5, 200, (seed) => {
        const events = made(layout.slackSeconds, 4000, seed);
        const cut = below(events.length, new SeededSource(`cut ${seed}`));
        const whole = run(new SlidingWindows(layout), layout, events);
        const first = new SlidingWindows(layout);
        run(first, layout, events.slice(0, cut));
        const second = new SlidingWindows(layout);
        // What it held before is gone.
        run(second, layout, events.slice(0, 50));
        const pieces = saved(first);
        second.load(pieces);
        assert.ok(pieces.isAtEnd);
        assert.equal(second.keys, first.keys);
        const progress = Math.max(
          0,
          ...events.slice(0, cut).map((e) => e.time),
        );
        assert.deepEqual(
          run(second, layout, events.slice(cut), progress),
          whole.slice(cut),
        );
      }));
  }
}

Deno.test("load() refuses what is cut off or damaged, and then goes on with what it had", () => {
  const layout = layouts["two groups"];
  const events = [
    ...manyKeys(60, 500, 1),
    ...busyStream(60, 4000, 2).map((e) => ({ ...e, time: e.time + 1000 })),
  ];
  const windows = new SlidingWindows(layout);
  run(windows, layout, events.slice(0, -1));
  const { bytes } = saved(windows);
  const state = new DataView(bytes.buffer);
  const random = new SeededSource("damage");
  let refused = 0;
  for (let i = 0; i < 400; i++) {
    const pieces = new StatePieces();
    const at = below(bytes.length / 4, random) * 4;
    if (i % 2 === 0) pieces.bytes = bytes.slice(0, at);
    else {
      pieces.bytes = bytes.slice();
      const word = state.getInt32(at, true) ^ (1 << below(32, random));
      new DataView(pieces.bytes.buffer).setInt32(at, word, true);
    }
    const other = new SlidingWindows(layout);
    try {
      other.load(pieces);
    } catch (error) {
      assert.ok(error instanceof Error && !(error instanceof RangeError));
      assert.equal(other.keys, 0);
      refused++;
      continue;
    }
    // A time or an amount may be another one, which the file's checksum finds.
    assert.equal(i % 2, 1);
    run(other, layout, events.slice(-1));
  }
  assert.ok(refused > 200, `${refused} refused`);
});

/** The words of a state of windows, and where behind the layout they begin: with the number of busy keys. */
function stateOf(layout: WindowLayout, windows: SlidingWindows) {
  const { columns, groups } = layout;
  const boundaries = groups.reduce((n, g) => n + 1 + g.windowSeconds.length, 0);
  const { bytes } = saved(windows);
  return { bytes, at: 4 + columns.length + 2 * boundaries };
}

/** Changes a state, has it loaded, and gives what is said of it. */
function refusal(
  layout: WindowLayout,
  state: Uint8Array,
  damage: (ints: Int32Array, halves: Uint16Array) => void,
): string {
  const pieces = new StatePieces();
  pieces.bytes = state.slice();
  const { buffer } = pieces.bytes;
  damage(new Int32Array(buffer), new Uint16Array(buffer));
  const windows = new SlidingWindows(layout);
  try {
    windows.load(pieces);
  } catch (error) {
    assert.equal(windows.keys, 0);
    return (error as Error).message;
  }
  return "";
}

Deno.test("load() refuses a ring with any number beyond its bounds, and a key that is there twice", () => {
  const layout = layouts["lag 0"];
  const windows = new SlidingWindows(layout);
  const events = [1, 2].map((key) => ({ key, time: 9, flag: 0, value: 5 }));
  run(windows, layout, events);
  const { bytes, at } = stateOf(layout, windows);
  const rings = new Int32Array(bytes.buffer).indexOf(2, at);
  const first = rings + 1;
  const damaged = /damaged ring/;
  // The key has two halves; then come place, number, room, size, width, cursors.
  for (let half = 2; half < 7 + 4; half++) {
    const change = (_: Int32Array, halves: Uint16Array) => {
      halves[2 * first + half] = 0xffff;
    };
    assert.match(refusal(layout, bytes, change), damaged, `half ${half}`);
  }
  const none = (_: Int32Array, halves: Uint16Array) => {
    halves[2 * first + 3] = 0;
  };
  assert.match(refusal(layout, bytes, none), damaged);
  const key = (value: number) => (ints: Int32Array) => ints[first] = value;
  assert.match(refusal(layout, bytes, key(2)), /key 2 twice/);
  assert.match(refusal(layout, bytes, key(-1)), /key -1 twice/);
  const count = (ints: Int32Array) => ints[rings] = -1;
  assert.match(refusal(layout, bytes, count), /-1 rings/);
  assert.equal(refusal(layout, bytes, () => {}), "");
});

Deno.test("load() refuses a busy key whose blocks cannot be right", () => {
  const layout = layouts["lag 0"];
  const windows = new SlidingWindows(layout);
  for (let i = 0; i < 1200; i++) windows.add(3, 1000, 0, 1, 1000);
  const { bytes, at } = stateOf(layout, windows);
  assert.deepEqual([...new Int32Array(bytes.buffer, 4 * at, 2)], [1, 3]);
  const set = (place: number, value: number) => (ints: Int32Array) =>
    ints[at + place] = value;
  // Behind the key: the number of blocks, then of the first its bounds.
  assert.match(refusal(layout, bytes, set(2, 0)), /0 blocks of events/);
  assert.match(refusal(layout, bytes, set(3, -1)), /events -1 to/);
  assert.match(refusal(layout, bytes, set(4, 513)), /to 513 of a block/);
  assert.match(refusal(layout, bytes, set(3, 512)), /of a block/);
  assert.equal(refusal(layout, bytes, () => {}), "");
});

Deno.test("load() refuses a state of other windows", () => {
  const windows = new SlidingWindows(layouts["lag 0"]);
  const other = new SlidingWindows(layouts["lag 70"]);
  assert.throws(() => other.load(saved(windows)), /version or layout/);
});

const DAY = 86_400;

/** Cells that adding an event moves on average, in layouts like those of the stream. */
function movedPerEvent(events: Iterable<Event>): number {
  const windows = new SlidingWindows(
    valueWindows(7 * DAY, [DAY, 7 * DAY, 30 * DAY], 7 * DAY),
  );
  let progress = 0;
  let count = 0;
  for (const { key, time, value } of events) {
    progress = Math.max(progress, time);
    windows.add(key, time, 0, value, progress);
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
      yield { key: 7, time: time - below(DAY, random), flag: 0, value: 1 };
    }
  },
  "one key, from the newest to the oldest": function* (length) {
    for (let i = 0; i < length; i++) {
      yield { key: 7, time: length - i, flag: 0, value: 1 };
    }
  },
  "one key in order": (length) => drifting(length, 1, 1, 0),
  "many keys that all grow": (length) => drifting(length, 1000, 1, 0),
  "keys that come and go": function* (length) {
    for (let i = 0; i < length; i++) {
      yield { key: i >> 4, time: i * 600, flag: 0, value: 1 };
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
        yield { key: (i * 31) % keys, time, flag: 0, value: i & 1 };
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
  const windows = new SlidingWindows(layouts["lag 70"]);
  for (let i = 0; i < 20_000; i++) {
    windows.add(1, 1000 + 60 * (i & 1), 0, 1, 1060);
  }
  assert.ok(windows.bytes > 300_000, `${windows.bytes}`);
  for (let i = 0; i < 10_000; i++) {
    windows.add(2, 5000 + i, 0, 1, 5000 + i);
  }
  assert.equal(windows.keys, 1);
  assert.ok(windows.bytes < 150_000, `${windows.bytes}`);
});

Deno.test("a busy key's memory follows its events in reach, not the history", () => {
  const windows = new SlidingWindows(layouts["lag 70"]);
  let early = 0;
  for (let i = 0; i < 400_000; i++) {
    const time = 1000 + Math.floor(i / 20);
    windows.add(1, time - 60 * (i & 1), 0, 1, time);
    if (i === 40_000) early = windows.bytes;
  }
  assert.ok(windows.bytes < 1.2 * early, `${early}, then ${windows.bytes}`);
});

for (const [name, layout] of outOfOrder) {
  Deno.test(`a busy key goes back to a ring with what is in reach, and stays exact: ${name}`, () => {
    const random = new SeededSource("quiet");
    const crowd = 1100;
    const events = Array.from({ length: crowd + 200 }, (_, i) => ({
      key: 5,
      time: i < crowd
        ? 1000 + Math.floor(i / 40)
        : 1030 + 5 * (i - crowd) - below(layout.slackSeconds, random),
      flag: below(2, random),
      value: below(1e5, random),
    }));
    const busyKeys = (events: Event[]) => {
      const windows = new SlidingWindows(layout);
      check(windows, layout, events, 64);
      const { bytes, at } = stateOf(layout, windows);
      return new Int32Array(bytes.buffer)[at];
    };
    assert.equal(busyKeys(events.slice(0, crowd)), 1);
    assert.equal(busyKeys(events), 0);
  });
}

Deno.test("the number kept with a key is that key's, in a ring and in blocks, or 0 again", () => {
  const windows = new SlidingWindows(layouts["two groups"]);
  let again = 0;
  for (let i = 0; i < 3000; i++) {
    const key = i % 2;
    windows.add(key, 1000, 0, 1, 1000);
    const { hint } = windows;
    if (hint === 0) again++;
    else assert.equal(hint, 2 * Math.floor(i / 2) - 1 + key);
    windows.hint = 2 * Math.floor(i / 2) + 1 + key;
  }
  // At first, and when the key went to blocks.
  assert.ok(again <= 4, `${again} times`);
});
