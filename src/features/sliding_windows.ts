/**
 * Exact counts and sums over sliding windows of event time, for many keys at
 * once: the one structure behind every window feature.
 *
 * A key's events lie in a ring ordered by time: in one word of 32 bits the time
 * and the flag, in one or two more the value, as wide as this key needs. Before
 * them come, for each boundary of the windows, the number and the sum of the
 * events before it. A boundary moves on from where it was and passes each event
 * once if they come in order, so that a window is the difference of two
 * boundaries. An older event costs its displacement. Rings fit their keys
 * within an eighth (see ring_memory.ts): nothing else is allocated, and memory
 * follows the events still in reach of a window. A key with more events than
 * the largest ring holds moves to EventBlocks, so no step takes longer because
 * there are more keys or more events.
 */
import {
  readInts,
  type StateSink,
  type StateSource,
  writeView,
} from "../base/state_stream.ts";
import { EventBlocks } from "./event_blocks.ts";
import { KEY_BYTES, KeyTable } from "./key_table.ts";
import { RingMemory } from "./ring_memory.ts";
import { SLOT_KEY_BYTES, SlotTable } from "./slot_table.ts";
import {
  boundariesOf,
  type Boundary,
  type Column,
  type WindowLayout,
} from "./window_layout.ts";

// A ring begins with its key, then come numbers of 16 bits, then, from a whole
// double on, the sum before each boundary and the hint, then the events.
const KEY = 0; // in words
const HEAD = 2; // in halves: place of the oldest event
const COUNT = 3; // number of events
const CAPACITY = 4; // events that fit
const SIZE_CLASS = 5;
const WIDE = 6; // 1 if values have two words
const CURSOR = 7; // of each boundary, the number of events before it

/** In the table: the key's events are in blocks. */
const BUSY = -1;
/** Most events in a ring; a step never moves or passes more. */
const RING_EVENTS_MAX = 1024;
/** Number of events below which a busy key returns to a ring. */
const BUSY_MIN = RING_EVENTS_MAX / 4;
const SUM_MAX = 2 ** 52;
const SWEEP_MASK = 31;
const STATE_VERSION = 1;

/** Sliding windows over events (key, time, flag, value) of whole numbers. */
export class SlidingWindows {
  readonly #columns: readonly Column[];
  readonly #boundaries: readonly Boundary[];
  readonly #distances: Float64Array;
  readonly #touched: Int32Array;
  // Of each boundary, 1 if it sums up the flag.
  readonly #sumsFlag: Uint8Array;
  // Of each group, its boundaries: the first is the windows' end.
  readonly #groups: readonly { first: number; last: number }[];
  // The boundary furthest behind, before which events may be forgotten.
  readonly #furthest: number;
  readonly #keepSeconds: number;
  // Where sums begin, in doubles, and events, in words.
  readonly #sumsAt: number;
  readonly #hintAt: number;
  readonly #eventsAt: number;
  // Of narrow and of wide rings: words of an event, events in each size class.
  readonly #strides: readonly [number, number];
  readonly #capacities: readonly [number[], number[]];
  readonly #hasSlots: boolean;
  #table: KeyTable | SlotTable;
  #memory: RingMemory;
  #busy = new Map<number, EventBlocks>();
  #busySweep = this.#busy.entries();
  readonly #freed: (key: number) => void;
  #adds = 0;
  #moved = 0;
  // Where the event added last is.
  #latest = 0;
  #latestBusy: EventBlocks | undefined;

  /** Makes empty windows of the given layout. `freed` is called with each key that no longer has an event; it may be the one that is being added. */
  constructor(
    { columns, groups, slackSeconds, hasHint, hasSlots = false }: WindowLayout,
    freed: (key: number) => void = () => {},
  ) {
    this.#hasSlots = hasSlots;
    this.#table = hasSlots ? new SlotTable() : new KeyTable();
    this.#memory = memoryOf(this.#table);
    this.#freed = freed;
    this.#columns = columns;
    let first = 0;
    this.#groups = groups.map(({ windowSeconds }) => {
      const last = first + windowSeconds.length;
      const group = { first, last };
      first = last + 1;
      return group;
    });
    this.#boundaries = groups.flatMap(boundariesOf);
    const distances = this.#boundaries.map(({ distance }) => distance);
    this.#distances = Float64Array.from(distances);
    this.#touched = new Int32Array(distances.length);
    this.#sumsFlag = Uint8Array.from(
      this.#boundaries,
      ({ sum }) => sum === "flag" ? 1 : 0,
    );
    const furthest = Math.max(...distances);
    this.#furthest = distances.indexOf(furthest);
    this.#keepSeconds = furthest + slackSeconds;
    this.#sumsAt = Math.ceil((CURSOR + distances.length) / 4);
    this.#hintAt = this.#sumsAt + distances.length;
    this.#eventsAt = 2 * (this.#hintAt + (hasHint ? 1 : 0));
    this.#strides = columns.includes("value") ? [2, 3] : [1, 1];
    const capacities = (stride: number) =>
      this.#memory.sizes.map((words) =>
        Math.min(RING_EVENTS_MAX, Math.floor((words - this.#eventsAt) / stride))
      );
    this.#capacities = [
      capacities(this.#strides[0]),
      capacities(this.#strides[1]),
    ];
  }

  /** How long an event is kept, in seconds behind the greatest event time. */
  get keepSeconds(): number {
    return this.#keepSeconds;
  }

  /** Number of keys that hold state. */
  get keys(): number {
    return this.#table.size;
  }

  /** Bytes held in typed arrays. */
  get bytes(): number {
    let bytes = this.#memory.bytes + this.#table.bytes;
    for (const blocks of this.#busy.values()) bytes += blocks.bytes;
    return bytes;
  }

  /** About how many bytes windows of this layout hold with keys that have these numbers of events. */
  bytesFor(events: Iterable<number>): number {
    const rings = new Map<number, number>();
    let bytes = 0;
    for (const count of events) {
      bytes += this.#hasSlots ? SLOT_KEY_BYTES : KEY_BYTES;
      // An event is forgotten with its key's next one, and a ring becomes
      // smaller only when it is larger than it must be by a sixteenth.
      const sizeClass = this.#classFor(Math.ceil(1 + count * 33 / 32), 0);
      if (sizeClass < 0) bytes += count * this.#busyBytes;
      else rings.set(sizeClass, 1 + (rings.get(sizeClass) ?? 0));
    }
    return bytes + this.#memory.bytesFor(rings);
  }

  /** Bytes of an event of a busy key: its time and the sums of its columns, in blocks that are three quarters full. */
  get #busyBytes(): number {
    const columns = this.#columns.map((column) => column === "flag" ? 2 : 8);
    return columns.reduce((sum, bytes) => sum + bytes, 4) * 4 / 3;
  }

  /**
   * Cells moved or passed so far to keep events in order, to make room or to
   * free it: the whole cost of an event besides a search. It grows with the
   * number of events added, whatever their keys and order.
   */
  get movedCells(): number {
    let moved = this.#moved;
    for (const blocks of this.#busy.values()) moved += blocks.movedCells;
    return moved;
  }

  /**
   * Adds an event. `progress` is the greatest event time so far, this one
   * included; `time` may lie up to the layout's slack behind it. Keys are 0 …
   * 2^31 - 1, times and progress seconds below 2^31; values without a column in
   * the layout are ignored.
   */
  add(
    key: number,
    time: number,
    flag: number,
    value: number,
    progress: number,
  ): void {
    const expired = progress - this.#keepSeconds;
    let ring = this.#place(key, expired);
    if (ring !== BUSY) ring = this.#insert(ring, time, flag, value);
    if (ring !== BUSY) {
      this.#pass(ring, time);
      this.#latest = this.#evict(ring, expired);
      this.#latestBusy = undefined;
      return;
    }
    const blocks = this.#busy.get(key);
    blocks?.insert(time, flag, value);
    blocks?.query(time);
    this.#latestBusy = blocks;
  }

  /** Adds an event as add() does, but only to be seen: write() and the others speak of the event that was added or looked from last. */
  insert(
    key: number,
    time: number,
    flag: number,
    value: number,
    progress: number,
  ): void {
    let ring = this.#place(key, progress - this.#keepSeconds);
    if (ring !== BUSY) ring = this.#insert(ring, time, flag, value);
    if (ring === BUSY) this.#busy.get(key)?.insert(time, flag, value);
  }

  /** Lets write() and the others speak of an event of that key and time that is not added; false, and they must not be asked, if the key has no events. */
  look(key: number, time: number, progress: number): boolean {
    const expired = progress - this.#keepSeconds;
    if ((++this.#adds & SWEEP_MASK) === 0) this.#sweep(expired);
    const ring = this.#table.get(key);
    if (ring === 0) return false;
    const blocks = ring === BUSY ? this.#busy.get(key) : undefined;
    if ((blocks ? blocks.newest : this.#newest(ring)) <= expired) {
      this.#table.delete(key);
      if (blocks) this.#dropBusy(key, blocks);
      else this.#release(ring);
      this.#freed(key);
      return false;
    }
    this.#latestBusy = blocks;
    if (blocks) {
      blocks.evict(expired);
      blocks.query(time);
    } else {
      this.#pass(ring, time);
      this.#latest = this.#evict(ring, expired);
    }
    return true;
  }

  /** Whether anything is held for a key. */
  holds(key: number): boolean {
    return this.#table.get(key) !== 0;
  }

  /** Whether a key has an event of that time among those that are kept. */
  has(key: number, time: number): boolean {
    const ring = this.#table.get(key);
    if (ring === BUSY) return this.#busy.get(key)?.has(time) ?? false;
    if (ring === 0) return false;
    let low = 0;
    let high = this.#memory.shorts[ring >>> 15][2 * (ring & 0x7fff) + COUNT];
    while (low < high) {
      const middle = (low + high) >>> 1;
      const found = this.#timeAt(ring, middle);
      if (found === time) return true;
      if (found < time) low = middle + 1;
      else high = middle;
    }
    return false;
  }

  /**
   * Writes the windows of a group as the event added last sees them: for
   * window w of length N, out[at + 2w] is the number and out[at + 2w + 1] the
   * sum of the key's events so far with time - lag - N < t <= time - lag, in
   * the order of the layout.
   */
  write(group: number, out: Float64Array, at: number): void {
    const { first, last } = this.#groups[group];
    if (this.#latestBusy) {
      this.#latestBusy.write(first, last, out, at);
      return;
    }
    const ring = this.#latest;
    const shorts = this.#memory.shorts[ring >>> 15];
    const doubles = this.#memory.doubles[ring >>> 15];
    const cursors = 2 * (ring & 0x7fff) + CURSOR;
    const sums = ((ring & 0x7fff) >>> 1) + this.#sumsAt;
    const end = shorts[cursors + first];
    const endSum = doubles[sums + first];
    for (let bound = first + 1; bound <= last; bound++) {
      out[at++] = end - shorts[cursors + bound];
      out[at++] = endSum - doubles[sums + bound];
    }
  }

  /**
   * The newest events of a group's longest window, as the event added last
   * sees it, oldest first: writes one column of them, or their times, and
   * returns their number. `skip` of the newest are left out: 1 leaves out the
   * event itself where its windows end at it. There are at most as many as fit
   * into `out`; where there were more, only those later than the newest that
   * does not fit, so that events of equal times are all in or all out.
   */
  recent(
    group: number,
    column: Column | "time",
    skip: number,
    out: Float64Array,
  ): number {
    const { first, last } = this.#groups[group];
    if (this.#latestBusy) {
      return this.#latestBusy.recent(first, last, column, skip, out);
    }
    const ring = this.#latest;
    const words = this.#memory.words[ring >>> 15];
    const shorts = this.#memory.shorts[ring >>> 15];
    const base = ring & 0x7fff;
    const head = shorts[2 * base + HEAD];
    const capacity = shorts[2 * base + CAPACITY];
    const wide = shorts[2 * base + WIDE];
    const stride = this.#strides[wide];
    const cells = base + this.#eventsAt;
    const end = shorts[2 * base + CURSOR + first] - skip;
    let number = shorts[2 * base + CURSOR + last];
    if (end - number > out.length) {
      number = end - out.length;
      const cut = words[cells + (head + number - 1) % capacity * stride] >>> 1;
      while (
        number < end &&
        words[cells + (head + number) % capacity * stride] >>> 1 === cut
      ) number++;
    }
    const length = Math.max(0, end - number);
    let place = head + number;
    if (place >= capacity) place -= capacity;
    if (column === "value" && wide === 0) {
      // The usual case, without a branch in its loop.
      for (let i = 0; i < length; i++) {
        out[i] = words[cells + place * stride + 1];
        if (++place === capacity) place = 0;
      }
      return length;
    }
    const ofFlag = column === "flag" ? 1 : 0;
    for (let i = 0; i < length; i++) {
      const cell = cells + place * stride;
      out[i] = column === "time"
        ? words[cell] >>> 1
        : valueAt(words, cell, ofFlag, wide);
      if (++place === capacity) place = 0;
    }
    return length;
  }

  /** The time of the newest event before a group's end, as the event added last sees it; `skip` of them are left out. -1 if there is none in the longest window. */
  newestTime(group: number, skip: number): number {
    const { first, last } = this.#groups[group];
    if (this.#latestBusy) return this.#latestBusy.newestTime(first, last, skip);
    const ring = this.#latest;
    const shorts = this.#memory.shorts[ring >>> 15];
    const base = ring & 0x7fff;
    const number = shorts[2 * base + CURSOR + first] - skip - 1;
    if (number < shorts[2 * base + CURSOR + last]) return -1;
    return this.#timeAt(ring, number);
  }

  /** A number that the caller may keep with a key, here that of the event added last. It is 0 at first and may become 0 at any time. */
  get hint(): number {
    if (this.#latestBusy) return this.#latestBusy.hint;
    const doubles = this.#memory.doubles[this.#latest >>> 15];
    return doubles[((this.#latest & 0x7fff) >>> 1) + this.#hintAt];
  }

  /** Keeps a number with the key of the event added last; the layout must have room for it. */
  set hint(value: number) {
    if (this.#latestBusy) {
      this.#latestBusy.hint = value;
      return;
    }
    const doubles = this.#memory.doubles[this.#latest >>> 15];
    doubles[((this.#latest & 0x7fff) >>> 1) + this.#hintAt] = value;
  }

  /** Writes all events and where the boundaries are. */
  save(sink: StateSink): void {
    const { sizes } = this.#memory;
    writeView(sink, this.#fingerprint());
    writeView(sink, Int32Array.of(this.#busy.size));
    for (const [key, blocks] of this.#busy) {
      writeView(sink, Int32Array.of(key));
      blocks.save(sink);
    }
    for (let sizeClass = 0; sizeClass < sizes.length; sizeClass++) {
      writeView(sink, Int32Array.of(this.#memory.countOf(sizeClass)));
      for (const words of this.#memory.wordsOf(sizeClass)) {
        writeView(sink, words);
      }
    }
  }

  /**
   * Replaces the state by one that save() wrote. Throws an Error, and keeps its
   * own, if that has another version or layout, is damaged or too short.
   */
  load(source: StateSource): void {
    const expected = this.#fingerprint();
    const found = readInts(source, expected.length);
    if (found.some((word, i) => word !== expected[i])) {
      throw new Error("the saved windows have another version or layout");
    }
    const table = this.#hasSlots ? new SlotTable() : new KeyTable();
    const busy = new Map<number, EventBlocks>();
    const memory = memoryOf(table);
    const own = (key: number, value: number) => {
      if (key < 0 || table.get(key) !== 0) {
        throw new Error(`the saved windows have key ${key} twice`);
      }
      table.set(key, value);
    };
    const [busyKeys] = readInts(source, 1);
    for (let left = busyKeys; left !== 0; left--) {
      const [key] = readInts(source, 1);
      const blocks = new EventBlocks(this.#columns, this.#boundaries);
      blocks.load(source);
      own(key, BUSY);
      busy.set(key, blocks);
    }
    for (let sizeClass = 0; sizeClass < memory.sizes.length; sizeClass++) {
      const [count] = readInts(source, 1);
      for (const ring of memory.load(sizeClass, count, source)) {
        this.#check(memory, ring, sizeClass);
        own(memory.words[ring >>> 15][(ring & 0x7fff) + KEY], ring);
      }
    }
    this.#table = table;
    this.#memory = memory;
    this.#busy = busy;
    this.#busySweep = busy.entries();
  }

  /** What a saved state must have in common with this one. */
  #fingerprint(): Int32Array {
    return Int32Array.of(
      STATE_VERSION,
      RING_EVENTS_MAX,
      this.#keepSeconds,
      this.#eventsAt,
      ...this.#columns.map((column) => column === "flag" ? 1 : 2),
      ...this.#boundaries.flatMap(({ distance }, bound) => [
        distance,
        this.#sumsFlag[bound],
      ]),
    );
  }

  /** Throws an Error unless a ring's numbers are within their bounds. */
  #check(memory: RingMemory, ring: number, sizeClass: number): void {
    const shorts = memory.shorts[ring >>> 15];
    const doubles = memory.doubles[ring >>> 15];
    const base = ring & 0x7fff;
    const at = 2 * base;
    const wide = shorts[at + WIDE];
    const capacity = this.#capacities[wide === 0 ? 0 : 1][sizeClass];
    const count = shorts[at + COUNT];
    let isRight = wide <= 1 && shorts[at + CAPACITY] === capacity &&
      shorts[at + SIZE_CLASS] === sizeClass && shorts[at + HEAD] < capacity &&
      count > 0 && count <= capacity;
    for (let bound = 0; bound < this.#distances.length; bound++) {
      isRight = isRight && shorts[at + CURSOR + bound] <= count &&
        Number.isSafeInteger(doubles[(base >>> 1) + this.#sumsAt + bound]);
    }
    if (!isRight) throw new Error("the saved windows have a damaged ring");
  }

  /** Where a key's events are, in a ring or BUSY, now that some others may have been freed. */
  #place(key: number, expired: number): number {
    // Idle keys are freed along the way: each new key looks at two others, so
    // that idle keys never outnumber active ones.
    if ((++this.#adds & SWEEP_MASK) === 0) this.#sweep(expired);
    const ring = this.#table.get(key);
    if (ring === BUSY) return this.#settle(key, expired);
    if (ring !== 0) return ring;
    this.#sweep(expired);
    this.#sweep(expired);
    return this.#open(key, this.#classFor(1, 0), 0);
  }

  /** Adds an event to a key's ring. Returns where that is now, or BUSY if the key has gone to blocks without the event. */
  #insert(ring: number, time: number, flag: number, value: number): number {
    ring = this.#makeRoom(ring, value);
    if (ring === BUSY) return BUSY;
    const words = this.#memory.words[ring >>> 15];
    const shorts = this.#memory.shorts[ring >>> 15];
    const base = ring & 0x7fff;
    const capacity = shorts[2 * base + CAPACITY];
    const wide = shorts[2 * base + WIDE];
    const stride = this.#strides[wide];
    const cells = base + this.#eventsAt;
    const count = shorts[2 * base + COUNT]++;
    let place = shorts[2 * base + HEAD] + count;
    if (place >= capacity) place -= capacity;
    let number = count;
    let cell = cells + place * stride;
    for (; number > 0; number--) {
      place = place === 0 ? capacity - 1 : place - 1;
      const before = cells + place * stride;
      if (words[before] >>> 1 <= time) break;
      for (let word = 0; word < stride; word++) {
        words[cell + word] = words[before + word];
      }
      cell = before;
    }
    words[cell] = time << 1 | flag;
    if (stride > 1) words[cell + 1] = value;
    if (stride > 2) words[cell + 2] = Math.floor(value / 2 ** 32);
    if (number < count) this.#shift(ring, number, flag, value);
    this.#moved += count - number;
    return ring;
  }

  /** Counts an event that lies at `number` before the boundaries that are behind it. */
  #shift(ring: number, number: number, flag: number, value: number): void {
    const shorts = this.#memory.shorts[ring >>> 15];
    const doubles = this.#memory.doubles[ring >>> 15];
    const base = ring & 0x7fff;
    for (let bound = 0; bound < this.#distances.length; bound++) {
      if (shorts[2 * base + CURSOR + bound] <= number) continue;
      shorts[2 * base + CURSOR + bound]++;
      doubles[(base >>> 1) + this.#sumsAt + bound] +=
        this.#sumsFlag[bound] === 1 ? flag : value;
    }
  }

  /** Moves the boundaries to where an event of that time sees them. */
  #pass(ring: number, time: number): void {
    const words = this.#memory.words[ring >>> 15];
    const shorts = this.#memory.shorts[ring >>> 15];
    const doubles = this.#memory.doubles[ring >>> 15];
    const base = ring & 0x7fff;
    const head = shorts[2 * base + HEAD];
    const count = shorts[2 * base + COUNT];
    const capacity = shorts[2 * base + CAPACITY];
    const wide = shorts[2 * base + WIDE];
    const stride = this.#strides[wide];
    const cells = base + this.#eventsAt;
    const distances = this.#distances;
    const sumsFlag = this.#sumsFlag;
    // Reads the cells that will be needed, all at once: they lie far apart, and
    // a processor waits for them side by side only if no branch is in between.
    const touched = this.#touched;
    for (let bound = 0; bound < touched.length; bound++) {
      const place = head + shorts[2 * base + CURSOR + bound];
      touched[bound] = words[cells + place * stride];
    }
    for (let bound = 0; bound < distances.length; bound++) {
      const limit = time - distances[bound];
      const ofFlag = sumsFlag[bound];
      const start = shorts[2 * base + CURSOR + bound];
      let cursor = start;
      let change = 0;
      let place = head + cursor;
      if (place >= capacity) place -= capacity;
      let cell = cells + place * stride;
      while (cursor < count && words[cell] >>> 1 <= limit) {
        change += valueAt(words, cell, ofFlag, wide);
        cursor++;
        if (++place === capacity) place = 0;
        cell = cells + place * stride;
      }
      while (cursor > 0) {
        place = place === 0 ? capacity - 1 : place - 1;
        cell = cells + place * stride;
        if (words[cell] >>> 1 <= limit) break;
        change -= valueAt(words, cell, ofFlag, wide);
        cursor--;
      }
      if (cursor === start) continue;
      shorts[2 * base + CURSOR + bound] = cursor;
      doubles[(base >>> 1) + this.#sumsAt + bound] += change;
      this.#moved += Math.abs(cursor - start);
    }
  }

  /** Drops a key's events up to and including time `expired`; returns where its ring is now. */
  #evict(ring: number, expired: number): number {
    const words = this.#memory.words[ring >>> 15];
    const shorts = this.#memory.shorts[ring >>> 15];
    const at = 2 * (ring & 0x7fff);
    const wide = shorts[at + WIDE];
    const stride = this.#strides[wide];
    const cells = (ring & 0x7fff) + this.#eventsAt;
    const capacity = shorts[at + CAPACITY];
    const passed = shorts[at + CURSOR + this.#furthest];
    let head = shorts[at + HEAD];
    let gone = 0;
    while (gone < passed && words[cells + head * stride] >>> 1 <= expired) {
      gone++;
      if (++head === capacity) head = 0;
    }
    if (gone === 0) return ring;
    shorts[at + HEAD] = head;
    const count = shorts[at + COUNT] -= gone;
    for (let bound = 0; bound < this.#distances.length; bound++) {
      shorts[at + CURSOR + bound] -= gone;
    }
    // Once per turn is enough: sums stay far below their limit.
    if (head < gone) this.#lowerSums(ring);
    const sizeClass = shorts[at + SIZE_CLASS];
    const isRoomy = sizeClass > 0 &&
      count + 2 + (capacity >> 4) < this.#capacities[wide][sizeClass - 1];
    return isRoomy ? this.#resize(ring, sizeClass - 1, wide) : ring;
  }

  /** Keeps sums within what a double holds exactly: only their differences count. */
  #lowerSums(ring: number): void {
    const doubles = this.#memory.doubles[ring >>> 15];
    const sums = ((ring & 0x7fff) >>> 1) + this.#sumsAt;
    for (const { first, last } of this.#groups) {
      const lowest = doubles[sums + last];
      if (Math.abs(lowest) <= SUM_MAX) continue;
      for (let bound = first; bound <= last; bound++) {
        doubles[sums + bound] -= lowest;
      }
    }
  }

  /** Looks at one more key and one more busy key, and frees them if all their events have expired. */
  #sweep(expired: number): void {
    if (this.#busy.size > 0) this.#sweepBusy(expired);
    const ring = this.#table.next();
    if (ring <= 0) return;
    if (this.#newest(ring) > expired) return;
    const key = this.#memory.words[ring >>> 15][(ring & 0x7fff) + KEY];
    this.#table.delete(key);
    this.#release(ring);
    this.#freed(key);
  }

  /** Time of a ring's newest event. */
  #newest(ring: number): number {
    const shorts = this.#memory.shorts[ring >>> 15];
    return this.#timeAt(ring, shorts[2 * (ring & 0x7fff) + COUNT] - 1);
  }

  /** Time of the event before which a ring has that number of events. */
  #timeAt(ring: number, number: number): number {
    const words = this.#memory.words[ring >>> 15];
    const shorts = this.#memory.shorts[ring >>> 15];
    const base = ring & 0x7fff;
    const stride = this.#strides[shorts[2 * base + WIDE]];
    const place = (shorts[2 * base + HEAD] + number) %
      shorts[2 * base + CAPACITY];
    return words[base + this.#eventsAt + place * stride] >>> 1;
  }

  #sweepBusy(expired: number): void {
    const { value: found } = this.#busySweep.next();
    if (found === undefined) {
      this.#busySweep = this.#busy.entries();
      return;
    }
    const [key, blocks] = found;
    if (blocks.newest > expired) return;
    this.#table.delete(key);
    this.#dropBusy(key, blocks);
    this.#freed(key);
  }

  #dropBusy(key: number, blocks: EventBlocks): void {
    this.#busy.delete(key);
    this.#moved += blocks.movedCells;
  }

  /** Frees a ring; other rings may move. */
  #release(ring: number): void {
    const shorts = this.#memory.shorts[ring >>> 15];
    this.#memory.release(ring, shorts[2 * (ring & 0x7fff) + SIZE_CLASS]);
  }

  /** Makes an empty ring for a key. */
  #open(key: number, sizeClass: number, wide: number): number {
    const ring = this.#memory.allocate(sizeClass);
    const shorts = this.#memory.shorts[ring >>> 15];
    const words = this.#memory.words[ring >>> 15];
    const base = ring & 0x7fff;
    words.fill(0, base, base + this.#eventsAt);
    words[base + KEY] = key;
    shorts[2 * base + CAPACITY] = this.#capacities[wide][sizeClass];
    shorts[2 * base + SIZE_CLASS] = sizeClass;
    shorts[2 * base + WIDE] = wide;
    this.#table.set(key, ring);
    return ring;
  }

  /** Makes room in a ring for one more event with that value; moves it elsewhere or to blocks if necessary. */
  #makeRoom(ring: number, value: number): number {
    const shorts = this.#memory.shorts[ring >>> 15];
    const at = 2 * (ring & 0x7fff);
    const count = shorts[at + COUNT];
    const wide = shorts[at + WIDE];
    const widens = wide === 0 && value !== (value | 0) &&
      this.#strides[0] < this.#strides[1];
    if (count < shorts[at + CAPACITY] && !widens) return ring;
    const sizeClass = widens
      ? this.#classFor(count + 1, 1)
      : this.#classFor(count + 1, wide, shorts[at + SIZE_CLASS]);
    if (sizeClass < 0) return this.#toBlocks(ring);
    return this.#resize(ring, sizeClass, widens ? 1 : wide);
  }

  /** The smallest size class from `first` on that holds this many events; -1 if none. */
  #classFor(count: number, wide: number, first = 0): number {
    const capacities = this.#capacities[wide];
    for (let at = first; at < capacities.length; at++) {
      if (capacities[at] >= count) return at;
    }
    return -1;
  }

  /** Moves a ring to another size or width; returns where it is. */
  #resize(ring: number, sizeClass: number, wide: number): number {
    const { shorts, words } = this.#memory;
    const base = ring & 0x7fff;
    const source = words[ring >>> 15];
    const key = source[base + KEY];
    const head = shorts[ring >>> 15][2 * base + HEAD];
    const count = shorts[ring >>> 15][2 * base + COUNT];
    const capacity = shorts[ring >>> 15][2 * base + CAPACITY];
    const wasWide = shorts[ring >>> 15][2 * base + WIDE];
    const made = this.#memory.allocate(sizeClass);
    const target = words[made >>> 15];
    const to = made & 0x7fff;
    for (let word = 0; word < this.#eventsAt; word++) {
      target[to + word] = source[base + word];
    }
    const half = 2 * to;
    shorts[made >>> 15][half + HEAD] = 0;
    shorts[made >>> 15][half + CAPACITY] = this.#capacities[wide][sizeClass];
    shorts[made >>> 15][half + SIZE_CLASS] = sizeClass;
    shorts[made >>> 15][half + WIDE] = wide;
    const from = this.#strides[wasWide];
    const stride = this.#strides[wide];
    let place = head;
    for (let number = 0; number < count; number++) {
      const cell = base + this.#eventsAt + place * from;
      const copy = to + this.#eventsAt + number * stride;
      target[copy] = source[cell];
      if (from > 1) target[copy + 1] = source[cell + 1];
      if (stride > 2) {
        target[copy + 2] = from > 2 ? source[cell + 2] : source[cell + 1] >> 31;
      }
      if (++place === capacity) place = 0;
    }
    this.#moved += count;
    this.#table.set(key, made);
    this.#release(ring);
    return this.#table.get(key);
  }

  /** Moves a key with all its events to blocks. */
  #toBlocks(ring: number): number {
    const words = this.#memory.words[ring >>> 15];
    const shorts = this.#memory.shorts[ring >>> 15];
    const base = ring & 0x7fff;
    const { [2 * base + HEAD]: head, [2 * base + COUNT]: count } = shorts;
    const { [2 * base + CAPACITY]: capacity, [2 * base + WIDE]: wide } = shorts;
    const stride = this.#strides[wide];
    const blocks = new EventBlocks(this.#columns, this.#boundaries);
    for (let number = 0; number < count; number++) {
      const place = (head + number) % capacity;
      const cell = base + this.#eventsAt + place * stride;
      const value = stride > 1 ? valueAt(words, cell, 0, wide) : 0;
      blocks.insert(words[cell] >>> 1, words[cell] & 1, value);
    }
    const key = words[base + KEY];
    this.#moved += count;
    this.#busy.set(key, blocks);
    this.#table.set(key, BUSY);
    this.#release(ring);
    return BUSY;
  }

  /** Drops the expired events of a busy key, and moves it back to a ring if few remain. */
  #settle(key: number, expired: number): number {
    const blocks = this.#busy.get(key);
    if (blocks === undefined) throw new Error(`key ${key} has no events`);
    blocks.evict(expired);
    if (blocks.length >= BUSY_MIN) return BUSY;
    let ring = this.#open(key, this.#classFor(blocks.length + 1, 0), 0);
    blocks.forEach((time, flag, value) => {
      ring = this.#insert(ring, time, flag, value);
    });
    this.#dropBusy(key, blocks);
    return ring;
  }
}

/** Memory whose rings a table finds by their keys. */
function memoryOf(table: KeyTable | SlotTable): RingMemory {
  return new RingMemory((key, address) => table.set(key, address));
}

/** The flag or the value of the event at a cell. */
function valueAt(
  words: Int32Array,
  cell: number,
  ofFlag: number,
  wide: number,
): number {
  if (ofFlag === 1) return words[cell] & 1;
  const low = words[cell + 1];
  return wide === 0 ? low : (low >>> 0) + words[cell + 2] * 2 ** 32;
}
