/** The newest events of keys, against lists that are sorted and cut plainly. */
import assert from "node:assert/strict";
import {
  RECENT_EVENTS_MAX,
  RecentEvents,
} from "../../src/features/recent_events.ts";
import { chance, forEachSeed } from "../long.ts";
import { StatePieces } from "./state_pieces.ts";

const KEEP = 1000;
const SLACK = 100;

/** Everything that was added, ordered by time, then by arrival. */
class PlainEvents {
  readonly #events = new Map<number, { time: number; value: number }[]>();

  add(key: number, time: number, value: number): void {
    const events = this.#events.get(key) ?? [];
    let at = events.length;
    while (at > 0 && events[at - 1].time > time) at--;
    events.splice(at, 0, { time, value });
    this.#events.set(key, events);
  }

  within(key: number, from: number, to: number): number[] {
    return (this.#events.get(key) ?? []).slice(-RECENT_EVENTS_MAX)
      .filter(({ time }) => time > from && time <= to)
      .map(({ value }) => value);
  }

  newest(key: number, to: number): number {
    return (this.#events.get(key) ?? []).slice(-RECENT_EVENTS_MAX)
      .findLast(({ time }) => time <= to)?.time ?? -1;
  }

  newestOf(key: number): number {
    return this.newest(key, Infinity);
  }

  get keys(): IterableIterator<number> {
    return this.#events.keys();
  }
}

Deno.test("questions about the newest events have the answers of plain lists, through saves and loads", async () => {
  await forEachSeed(6, 300, (seed) => {
    const random = chance(seed);
    const kind = seed % 2 === 0 ? "number" : "digest";
    let events = new RecentEvents(kind, KEEP + SLACK);
    const plain = new PlainEvents();
    const keys = seed % 3 === 0 ? 2 : 200;
    const words = new Int32Array(5);
    let progress = 0;
    for (let step = 0; step < 4000; step++) {
      const key = Math.floor(random() ** 2 * keys);
      if (random() < 0.3) progress += Math.floor(random() ** 4 * 40);
      const late = random() < 0.2 ? Math.floor(random() * SLACK) : 0;
      const time = Math.max(0, progress - late);
      const value = Math.floor(random() ** 3 * 60) - 8;
      if (kind === "number") {
        events.addNumber(key, time, value, progress);
      } else {
        words.fill(value >> 2, 1);
        words[3] = value;
        events.add(key, time, words, 1, progress);
      }
      plain.add(key, time, value);
      if (random() < 0.002) {
        const pieces = new StatePieces();
        events.save(pieces);
        events = new RecentEvents(kind, KEEP + SLACK);
        events.load(pieces);
        assert.ok(pieces.isAtEnd);
      }
      if (random() > 0.2) continue;
      const to = time - (random() < 0.3 ? 50 : 0);
      const from = [0, 10, KEEP / 4, KEEP / 4, KEEP - 50]
        .map((over) => to - over);
      const counts = new Float64Array(from.length);
      events.distinct(key, from, to, counts);
      assert.deepEqual(
        [...counts],
        from.map((one) => new Set(plain.within(key, one, to)).size),
      );
      const wanted = plain.newest(key, to);
      if (wanted > progress - KEEP) {
        assert.equal(events.newest(key, to), wanted);
      }
      if (kind === "digest") continue;
      const least = new Float64Array(from.length);
      const greatest = new Float64Array(from.length);
      events.extremes(key, from, to, least, greatest);
      const values = from.map((one) => plain.within(key, one, to));
      const extreme = (of: (...all: number[]) => number) =>
        values.map((all) => all.length === 0 ? NaN : of(...all));
      assert.deepEqual([...least], extreme(Math.min));
      assert.deepEqual([...greatest], extreme(Math.max));
    }
  });
});

Deno.test("keys whose events have all expired are freed, and their memory is used again", () => {
  const free: number[] = [];
  let freed = 0;
  const events = new RecentEvents("number", KEEP, (key) => {
    free.push(key);
    freed++;
  });
  let most = 0;
  for (let time = 0; time < 200_000; time++) {
    events.addNumber(free.pop() ?? time, time, 1, time);
    most = Math.max(most, events.keys);
  }
  assert.ok(most < 3 * KEEP, `${most} keys`);
  assert.equal(freed + events.keys, 200_000);
  assert.ok(events.bytes < 3 * KEEP * 150 + 100_000, `${events.bytes} bytes`);
});

Deno.test("a busy key keeps no more events than questions look at", () => {
  const events = new RecentEvents("none", 1e9);
  const nothing = new Int32Array(0);
  for (let time = 0; time < 100_000; time++) {
    events.add(7, time, nothing, 0, time);
  }
  assert.ok(events.bytes < 60_000, `${events.bytes} bytes`);
  assert.equal(events.newest(7, 99_999), 99_999);
  assert.equal(events.newest(7, 99_999 - RECENT_EVENTS_MAX), -1);
});

Deno.test("a state that is damaged or of another layout is not loaded", () => {
  const events = new RecentEvents("number", KEEP);
  events.addNumber(1, 5, 2.5, 5);
  const pieces = new StatePieces();
  events.save(pieces);
  assert.throws(
    () => new RecentEvents("digest", KEEP).load(copy(pieces)),
    /another layout/,
  );
  const damaged = copy(pieces);
  damaged.bytes[4 * 5] = 0; // the number of the first key's events
  assert.throws(
    () => new RecentEvents("number", KEEP).load(damaged),
    /damaged key/,
  );
});

function copy({ bytes }: StatePieces): StatePieces {
  const pieces = new StatePieces();
  pieces.write(bytes);
  return pieces;
}
