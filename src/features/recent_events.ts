/**
 * The newest events of each key with a value each, for what cannot be kept as a
 * running sum: least and greatest value, number of distinct values, time since
 * the last one. A question looks at no more than 1,024 events, so it has a
 * bounded cost however busy a key is.
 *
 * A key's events are ordered by time, then by arrival, in a chain of small
 * blocks of one pool. All blocks but the newest are full. An event that comes
 * late costs its displacement; blocks that no question can reach are used again.
 */
import {
  readInts,
  type StateSink,
  type StateSource,
  writeView,
} from "../base/state_stream.ts";
import { SLOT_KEY_BYTES, SlotTable } from "./slot_table.ts";

/** Events that a question looks at. */
export const RECENT_EVENTS_MAX = 1024;

/** What the value of an event is: nothing, a double (two words), or a digest (four words, see id_digest.ts). */
export type RecentValue = "none" | "number" | "digest";

const VALUE_WORDS: Readonly<Record<RecentValue, number>> = {
  none: 0,
  number: 2,
  digest: 4,
};

// A block: the next older one and the next newer one, each one more than its
// number or 0; its events, 0 in a free block; right in a key's newest block
// only, the key, the oldest block and the number of all events. Of numbers then,
// right in all other blocks, the least and the greatest, which stand for all of
// them in most questions. Then the times of the events, and from a whole double
// on their values.
const OLDER = 0;
const NEWER = 1;
const COUNT = 2;
const KEY = 3;
const OLDEST = 4;
const TOTAL = 5;
const LEAST = 6;
const GREATEST = LEAST + 2;

/** Events of a block. */
const BLOCK_EVENTS = 8;
/** Blocks that are allocated at once. */
const CHUNK_BITS = 8;
const CHUNK_BLOCKS = 1 << CHUNK_BITS;
const SWEEP_MASK = 31;
const STATE_VERSION = 2;

/** The newest events of many keys. */
export class RecentEvents {
  readonly #valueWords: number;
  readonly #timesAt: number;
  readonly #valuesAt: number;
  readonly #blockWords: number;
  readonly #keepSeconds: number;
  readonly #freed: (key: number) => void;
  // From a key to one more than its newest block.
  #table = new SlotTable();
  #chunks: Int32Array[] = [];
  // The same words in pairs.
  #doubles: Float64Array[] = [];
  #blocks = 0;
  // One more than the first free block; 0 for none.
  #free = 0;
  #adds = 0;
  readonly #distinct: DistinctValues;
  readonly #double = new Float64Array(1);
  readonly #doubleWords = new Int32Array(this.#double.buffer);

  /**
   * Keeps events for `keepSeconds` behind the greatest event time. `freed` is
   * called with each key that no longer has an event; it may be the one that is
   * being added.
   */
  constructor(
    value: RecentValue,
    keepSeconds: number,
    freed: (key: number) => void = () => {},
  ) {
    this.#valueWords = VALUE_WORDS[value];
    this.#timesAt = value === "number" ? GREATEST + 2 : LEAST;
    this.#valuesAt = this.#timesAt + BLOCK_EVENTS;
    this.#blockWords = this.#valuesAt + BLOCK_EVENTS * this.#valueWords;
    this.#keepSeconds = keepSeconds;
    this.#freed = freed;
    this.#distinct = new DistinctValues(this.#valueWords);
  }

  /** Number of keys that have events. */
  get keys(): number {
    return this.#table.size;
  }

  /** Bytes held in typed arrays. */
  get bytes(): number {
    return this.#table.bytes +
      this.#chunks.length * CHUNK_BLOCKS * this.#blockWords * 4;
  }

  /** About how many bytes it holds with keys that have these numbers of events. */
  bytesFor(events: Iterable<number>): number {
    let bytes = 0;
    for (const count of events) {
      const held = Math.min(count, RECENT_EVENTS_MAX + BLOCK_EVENTS / 2);
      // The oldest block is rarely all needed, nor the newest full.
      const blocks = 1 + (held - 1) / BLOCK_EVENTS;
      bytes += SLOT_KEY_BYTES + blocks * this.#blockWords * 4;
    }
    return bytes;
  }

  /** Whether anything is held for a key. */
  holds(key: number): boolean {
    return this.#table.get(key) !== 0;
  }

  /**
   * Adds an event whose value begins at `words[at]`. `progress` is the greatest
   * event time so far, this one included. Keys are 0 … 2^31 - 1, times seconds
   * below 2^31.
   */
  add(
    key: number,
    time: number,
    words: Int32Array,
    at: number,
    progress: number,
  ): void {
    const expired = progress - this.#keepSeconds;
    if ((++this.#adds & SWEEP_MASK) === 0) this.#sweep(expired);
    let newest = this.#table.get(key) - 1;
    if (newest < 0) {
      // Idle keys are freed along the way, two for each new one.
      this.#sweep(expired);
      this.#sweep(expired);
      newest = this.#begin(key);
    }
    if (this.#chunkOf(newest)[this.#placeOf(newest) + COUNT] === BLOCK_EVENTS) {
      newest = this.#extend(newest, key);
    }
    this.#insert(newest, time, words, at);
    this.#trim(newest, expired);
  }

  /** The same for an event whose value is a double. */
  addNumber(key: number, time: number, value: number, progress: number): void {
    this.#double[0] = value;
    this.add(key, time, this.#doubleWords, 0, progress);
  }

  /**
   * Of the newest events, the least and the greatest value in each window
   * (from, to]; NaN where there is none. `from` descends: `from[i]` is the
   * bound of window i.
   */
  extremes(
    key: number,
    from: ArrayLike<number>,
    to: number,
    least: Float64Array,
    greatest: Float64Array,
  ): void {
    let [low, high] = [NaN, NaN];
    let window = 0;
    let left = RECENT_EVENTS_MAX;
    scan: for (let block = this.#table.get(key) - 1; block >= 0;) {
      const chunk = this.#chunkOf(block);
      const base = this.#placeOf(block);
      const doubles = this.#doubles[block >> CHUNK_BITS];
      const times = base + this.#timesAt;
      block = chunk[base + OLDER] - 1;
      const isInside = chunk[base + NEWER] !== 0 && left >= BLOCK_EVENTS &&
        chunk[times] > from[window] && chunk[times + BLOCK_EVENTS - 1] <= to;
      if (isInside) {
        left -= BLOCK_EVENTS;
        const [lowest, highest] = [(base + LEAST) >> 1, (base + GREATEST) >> 1];
        if (!(doubles[lowest] >= low)) low = doubles[lowest];
        if (!(doubles[highest] <= high)) high = doubles[highest];
        continue;
      }
      const values = (base + this.#valuesAt) >> 1;
      for (let at = chunk[base + COUNT] - 1; at >= 0; at--) {
        if (left-- === 0) break scan;
        const time = chunk[times + at];
        if (time > to) continue;
        while (time <= from[window]) {
          least[window] = low;
          greatest[window++] = high;
        }
        if (window === from.length) return;
        const value = doubles[values + at];
        if (!(value >= low)) low = value;
        if (!(value <= high)) high = value;
      }
    }
    for (; window < from.length; window++) {
      least[window] = low;
      greatest[window] = high;
    }
  }

  /** Of the newest events, the number of distinct values in each window (from, to]; for `from` see extremes(). */
  distinct(
    key: number,
    from: ArrayLike<number>,
    to: number,
    counts: Float64Array,
  ): void {
    const distinct = this.#distinct;
    distinct.clear();
    let window = 0;
    let left = RECENT_EVENTS_MAX;
    scan: for (let block = this.#table.get(key) - 1; block >= 0;) {
      const chunk = this.#chunkOf(block);
      const base = this.#placeOf(block);
      for (let at = chunk[base + COUNT] - 1; at >= 0; at--) {
        if (left-- === 0) break scan;
        const time = chunk[base + this.#timesAt + at];
        if (time > to) continue;
        while (time <= from[window]) counts[window++] = distinct.size;
        if (window === from.length) return;
        distinct.add(chunk, base + this.#valuesAt + at * this.#valueWords);
      }
      block = chunk[base + OLDER] - 1;
    }
    while (window < from.length) counts[window++] = distinct.size;
  }

  /** The time of the newest event of a key up to time `to`, of the newest ones; -1 for none. */
  newest(key: number, to: number): number {
    let left = RECENT_EVENTS_MAX;
    for (let block = this.#table.get(key) - 1; block >= 0;) {
      const chunk = this.#chunkOf(block);
      const base = this.#placeOf(block);
      for (let at = chunk[base + COUNT] - 1; at >= 0; at--) {
        if (left-- === 0) return -1;
        const time = chunk[base + this.#timesAt + at];
        if (time <= to) return time;
      }
      block = chunk[base + OLDER] - 1;
    }
    return -1;
  }

  /** Writes all events. */
  save(sink: StateSink): void {
    const head = [STATE_VERSION, this.#valueWords, this.#keepSeconds];
    writeView(sink, Int32Array.of(...head, this.#table.size));
    for (let block = 0; block < this.#blocks; block++) {
      const chunk = this.#chunkOf(block);
      const base = this.#placeOf(block);
      if (chunk[base + COUNT] === 0 || chunk[base + NEWER] !== 0) continue;
      writeView(sink, Int32Array.of(chunk[base + KEY], chunk[base + TOTAL]));
      for (let next = chunk[base + OLDEST] - 1; next >= 0;) {
        const one = this.#chunkOf(next);
        const from = this.#placeOf(next);
        const count = one[from + COUNT];
        const [times, values] = [from + this.#timesAt, from + this.#valuesAt];
        writeView(sink, one.subarray(times, times + count));
        const words = count * this.#valueWords;
        writeView(sink, one.subarray(values, values + words));
        next = one[from + NEWER] - 1;
      }
    }
  }

  /** Loads what save() wrote, in place of what there is. Throws an Error if it is of another layout or cannot be valid. */
  load(source: StateSource): void {
    const [version, valueWords, keepSeconds, keys] = readInts(source, 4);
    const isSame = version === STATE_VERSION &&
      valueWords === this.#valueWords && keepSeconds === this.#keepSeconds;
    if (!isSame) throw new Error("the saved events have another layout");
    this.#table = new SlotTable();
    this.#chunks = [];
    this.#doubles = [];
    this.#blocks = 0;
    this.#free = 0;
    for (let at = 0; at < keys; at++) {
      const [key, total] = readInts(source, 2);
      const isRight = key >= 0 && total > 0 && this.#table.get(key) === 0 &&
        total <= RECENT_EVENTS_MAX + BLOCK_EVENTS;
      if (!isRight) throw new Error("the saved events have a damaged key");
      this.#loadKey(key, total, source);
    }
  }

  #loadKey(key: number, total: number, source: StateSource): void {
    let newest = this.#begin(key);
    for (let left = total; left > 0; left -= BLOCK_EVENTS) {
      const count = Math.min(left, BLOCK_EVENTS);
      if (left < total) newest = this.#extend(newest, key);
      const chunk = this.#chunkOf(newest);
      const base = this.#placeOf(newest);
      chunk.set(readInts(source, count), base + this.#timesAt);
      const words = readInts(source, count * this.#valueWords);
      chunk.set(words, base + this.#valuesAt);
      chunk[base + COUNT] = count;
      chunk[base + TOTAL] += count;
    }
  }

  /** Puts an event into its place; the newest block has room for one more. */
  #insert(newest: number, time: number, words: Int32Array, at: number): void {
    let chunk = this.#chunkOf(newest);
    let base = this.#placeOf(newest);
    const valueWords = this.#valueWords;
    let index = chunk[base + COUNT]++;
    chunk[base + TOTAL]++;
    for (;;) {
      const isFirst = index === 0;
      const older = isFirst ? chunk[base + OLDER] - 1 : -1;
      if (isFirst && older < 0) break;
      const from = isFirst ? this.#chunkOf(older) : chunk;
      const fromBase = isFirst ? this.#placeOf(older) : base;
      const fromIndex = isFirst ? BLOCK_EVENTS - 1 : index - 1;
      const moved = from[fromBase + this.#timesAt + fromIndex];
      if (moved <= time) break;
      chunk[base + this.#timesAt + index] = moved;
      const source = fromBase + this.#valuesAt + fromIndex * valueWords;
      const target = base + this.#valuesAt + index * valueWords;
      for (let i = 0; i < valueWords; i++) chunk[target + i] = from[source + i];
      [chunk, base, index] = [from, fromBase, fromIndex];
    }
    chunk[base + this.#timesAt + index] = time;
    const place = base + this.#valuesAt + index * valueWords;
    for (let i = 0; i < valueWords; i++) chunk[place + i] = words[at + i];
    // A late event has changed this block and all that are newer.
    for (let next = chunk[base + NEWER]; next !== 0;) {
      const changed = this.#chunkOf(next - 1)[this.#placeOf(next - 1) + OLDER];
      this.#summarize(changed - 1);
      next = this.#chunkOf(next - 1)[this.#placeOf(next - 1) + NEWER];
    }
  }

  /** Notes the least and the greatest of the numbers of a full block. */
  #summarize(block: number): void {
    if (this.#timesAt === LEAST) return;
    const base = this.#placeOf(block);
    const doubles = this.#doubles[block >> CHUNK_BITS];
    const values = (base + this.#valuesAt) >> 1;
    let low = doubles[values];
    let high = low;
    for (let at = values + 1; at < values + BLOCK_EVENTS; at++) {
      if (doubles[at] < low) low = doubles[at];
      if (doubles[at] > high) high = doubles[at];
    }
    doubles[(base + LEAST) >> 1] = low;
    doubles[(base + GREATEST) >> 1] = high;
  }

  /** Frees a key's oldest blocks that hold only expired events, or that no question reaches. */
  #trim(newest: number, expired: number): void {
    const head = this.#chunkOf(newest);
    const at = this.#placeOf(newest);
    for (;;) {
      const oldest = head[at + OLDEST] - 1;
      if (oldest === newest) return;
      const chunk = this.#chunkOf(oldest);
      const base = this.#placeOf(oldest);
      const last = base + this.#timesAt + BLOCK_EVENTS - 1;
      const isNeeded = chunk[last] > expired &&
        head[at + TOTAL] - BLOCK_EVENTS < RECENT_EVENTS_MAX;
      if (isNeeded) return;
      const next = chunk[base + NEWER];
      head[at + OLDEST] = next;
      head[at + TOTAL] -= BLOCK_EVENTS;
      this.#chunkOf(next - 1)[this.#placeOf(next - 1) + OLDER] = 0;
      this.#release(oldest);
    }
  }

  /** Looks at one more key, and frees it if all its events have expired. */
  #sweep(expired: number): void {
    const newest = this.#table.next() - 1;
    if (newest < 0) return;
    const chunk = this.#chunkOf(newest);
    const base = this.#placeOf(newest);
    if (chunk[base + this.#timesAt + chunk[base + COUNT] - 1] > expired) return;
    const key = chunk[base + KEY];
    this.#table.delete(key);
    for (let block = newest; block >= 0;) {
      const older = this.#chunkOf(block)[this.#placeOf(block) + OLDER] - 1;
      this.#release(block);
      block = older;
    }
    this.#freed(key);
  }

  /** Makes the first block of a key, without events. */
  #begin(key: number): number {
    const block = this.#allocate();
    const chunk = this.#chunkOf(block);
    const base = this.#placeOf(block);
    chunk[base + OLDER] = 0;
    chunk[base + NEWER] = 0;
    chunk[base + KEY] = key;
    chunk[base + OLDEST] = block + 1;
    chunk[base + TOTAL] = 0;
    this.#table.set(key, block + 1);
    return block;
  }

  /** Puts an empty block behind the newest of a key. */
  #extend(newest: number, key: number): number {
    this.#summarize(newest);
    const block = this.#allocate();
    const from = this.#chunkOf(newest);
    const source = this.#placeOf(newest);
    const chunk = this.#chunkOf(block);
    const base = this.#placeOf(block);
    from[source + NEWER] = block + 1;
    chunk[base + OLDER] = newest + 1;
    chunk[base + NEWER] = 0;
    chunk[base + KEY] = key;
    chunk[base + OLDEST] = from[source + OLDEST];
    chunk[base + TOTAL] = from[source + TOTAL];
    this.#table.set(key, block + 1);
    return block;
  }

  #allocate(): number {
    if (this.#free === 0) {
      if (this.#blocks % CHUNK_BLOCKS === 0) {
        const chunk = new Int32Array(CHUNK_BLOCKS * this.#blockWords);
        this.#chunks.push(chunk);
        this.#doubles.push(new Float64Array(chunk.buffer));
      }
      return this.#blocks++;
    }
    const block = this.#free - 1;
    this.#free = this.#chunkOf(block)[this.#placeOf(block) + OLDER];
    return block;
  }

  #release(block: number): void {
    const chunk = this.#chunkOf(block);
    const base = this.#placeOf(block);
    chunk[base + COUNT] = 0;
    chunk[base + OLDER] = this.#free;
    this.#free = block + 1;
  }

  #chunkOf(block: number): Int32Array {
    return this.#chunks[block >> CHUNK_BITS];
  }

  #placeOf(block: number): number {
    return (block & (CHUNK_BLOCKS - 1)) * this.#blockWords;
  }
}

/** Places for the values of one question: twice as many as it looks at. */
const DISTINCT_PLACES = 2 * RECENT_EVENTS_MAX;

/** Counts the distinct values of one question. */
class DistinctValues {
  readonly #valueWords: number;
  readonly #values: Int32Array;
  // Of each place, the question that has filled it.
  readonly #questions = new Int32Array(DISTINCT_PLACES);
  #question = 0;
  #size = 0;

  constructor(valueWords: number) {
    this.#valueWords = valueWords;
    this.#values = new Int32Array(DISTINCT_PLACES * valueWords);
  }

  get size(): number {
    return this.#size;
  }

  clear(): void {
    this.#size = 0;
    this.#question = (this.#question + 1) | 0;
    if (this.#question !== 0) return;
    this.#questions.fill(0); // after 2^32 questions
    this.#question = 1;
  }

  add(words: Int32Array, at: number): void {
    const valueWords = this.#valueWords;
    let hash = 0;
    for (let i = 0; i < valueWords; i++) {
      hash = Math.imul(hash ^ words[at + i], 0x9e37_79b1);
      hash ^= hash >>> 15;
    }
    let place = hash & (DISTINCT_PLACES - 1);
    for (;; place = (place + 1) & (DISTINCT_PLACES - 1)) {
      if (this.#questions[place] !== this.#question) break;
      let same = 0;
      while (
        same < valueWords &&
        this.#values[place * valueWords + same] === words[at + same]
      ) same++;
      if (same === valueWords) return;
    }
    this.#questions[place] = this.#question;
    for (let i = 0; i < valueWords; i++) {
      this.#values[place * valueWords + i] = words[at + i];
    }
    this.#size++;
  }
}
