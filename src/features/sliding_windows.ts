/**
 * Exact counts and sums over sliding windows of event time, for many keys at
 * once: the one structure behind every window feature.
 *
 * A key's events lie in a ring buffer ordered by time, each with the running
 * sum of the values up to it, so that a window is the difference of two
 * positions. Each boundary of the windows remembers its position (a cursor)
 * and moves on from there: amortised O(1) for events in order; an older event
 * costs its displacement, and a query further away the logarithm of the
 * distance. All rings live in two typed arrays (an arena) that are rebuilt,
 * compacted, when they are full or mostly empty: nothing is allocated per
 * event, and memory follows the events still in reach of a window. A key with
 * an event older than DISPLACED_MAX others leaves its ring for EventBlocks,
 * where one more such event costs no more than before.
 */
import { EventBlocks } from "./event_blocks.ts";

/** What the windows of one structure look like, all in seconds. */
export interface WindowLayout {
  /** Distance of every window's end from the event: 0 for windows that end at the event itself, the label delay for labels. */
  readonly lagSeconds: number;
  /** Lengths of the windows, ascending. */
  readonly windowSeconds: readonly number[];
  /** How far behind the greatest event time a query may still come. */
  readonly slackSeconds: number;
}

// A slot holds what is known of one key, in this order, then the cursors.
const KEY = 0;
const START = 1; // first cell of the ring in the arena
const MASK = 2; // capacity of the ring - 1; the capacity is a power of two
const HEAD = 3; // number of the oldest event; a number's cell is number & MASK
const TAIL = 4; // number of the next event
const OLDEST = 5; // time of the oldest event
const CURSOR = 6;

const UNUSED = -1;
const RING_MIN = 4;
const SLOTS_MIN = 64;
const ARENA_MIN = 1024;
const NUMBER_MAX = 0x3fff_ffff;
const SUM_MAX = 2 ** 52;
const NARROW_LIMIT = 2 ** 32;
const SWEEP_MASK = 31;
/** Newer events that one may move in a ring. */
const DISPLACED_MAX = 256;

/** Sliding windows over events (key, time, value) of whole numbers. */
export class SlidingWindows {
  readonly #bounds: Int32Array;
  readonly #touched: Float64Array;
  readonly #keepSeconds: number;
  readonly #stride: number;
  readonly #slotOf = new Map<number, number>();
  #slots: Int32Array;
  // Of each slot: running sum of the events that are gone, sum of those held.
  #slotSums: Float64Array;
  #slotCount = 0;
  #freeSlots: number[] = [];
  // Cell c of the arena: the event's time at 2c, the running sum at 2c + 1.
  // 32 bits do for both while no key's events sum up to 2^32: running sums
  // wrap around, their differences do not. Half the memory is twice the cache.
  #arena: Int32Array | Float64Array = new Int32Array(2 * ARENA_MIN);
  #wide = false;
  #arenaUsed = 0;
  #arenaLive = 0;
  #sweepSlot = 0;
  #adds = 0;
  #latest = 0;
  #moved = 0;
  readonly #busy = new Map<number, EventBlocks>();
  #busySweep = this.#busy.entries();
  // The key added last, where it is a busy one.
  #latestBusy: EventBlocks | undefined;

  /** Makes empty windows of the given layout. */
  constructor(layout: WindowLayout) {
    const { lagSeconds, windowSeconds, slackSeconds } = layout;
    this.#bounds = Int32Array.from([
      lagSeconds,
      ...windowSeconds.map((seconds) => lagSeconds + seconds),
    ]);
    this.#touched = new Float64Array(this.#bounds.length);
    this.#keepSeconds = lagSeconds + Math.max(...windowSeconds) + slackSeconds;
    this.#stride = CURSOR + this.#bounds.length;
    this.#slots = new Int32Array(SLOTS_MIN * this.#stride);
    this.#slotSums = new Float64Array(2 * SLOTS_MIN);
  }

  /** How long an event is kept, in seconds behind the greatest event time. */
  get keepSeconds(): number {
    return this.#keepSeconds;
  }

  /** Number of keys that hold state. */
  get keys(): number {
    return this.#slotOf.size + this.#busy.size;
  }

  /** Bytes held in typed arrays. */
  get bytes(): number {
    let bytes = this.#arena.byteLength +
      this.#slots.byteLength + this.#slotSums.byteLength;
    for (const blocks of this.#busy.values()) bytes += blocks.bytes;
    return bytes;
  }

  /**
   * Cells moved so far to keep events in order, to make room or to give it back:
   * all that an event may cost beside a search. It grows with the number of
   * events added, whatever their keys and order.
   */
  get movedCells(): number {
    let moved = this.#moved;
    for (const blocks of this.#busy.values()) moved += blocks.movedCells;
    return moved;
  }

  /**
   * Adds an event and writes the windows as it sees them: for window w of
   * length N, out[at + 2w] is the number and out[at + 2w + 1] the sum of the
   * values of the key's events so far with time - lag - N < t <= time - lag,
   * in the order of the layout. `progress` is the greatest event time so far,
   * this one included; `time` may lie up to the layout's slack behind it.
   * Keys are 0 … 2^31 - 1, times and progress seconds below 2^31.
   */
  add(
    key: number,
    time: number,
    value: number,
    progress: number,
    out: Float64Array,
    at: number,
  ): void {
    const expired = progress - this.#keepSeconds;
    // Idle keys are let go in passing. A new key pays for looking at two
    // others, which alone keeps the idle from outnumbering the active.
    if ((++this.#adds & SWEEP_MASK) === 0) this.#sweep(expired);
    let slot = this.#slotOf.get(key);
    if (slot === undefined) {
      const blocks = this.#busy.get(key);
      if (blocks !== undefined) {
        blocks.evict(expired);
        blocks.insert(time, value);
        blocks.query(time, out, at);
        this.#latestBusy = blocks;
        return;
      }
      this.#sweep(expired);
      this.#sweep(expired);
      slot = this.#open(key);
    }
    this.#touch(slot);
    this.#evict(slot, expired);
    const displaced = this.#insert(slot, time, value);
    if (displaced > DISPLACED_MAX) {
      this.#latestBusy = this.#toBlocks(slot);
      this.#latestBusy.query(time, out, at);
      return;
    }
    this.#query(slot, time, out, at);
    this.#latest = slot;
    this.#latestBusy = undefined;
  }

  /**
   * The newest events of the longest window of the event added last, oldest
   * first: writes their times and values and returns their number. `skip` of
   * the newest are left out: 1 leaves out the event itself where its windows
   * end at it. There are at most as many as fit into `times`; where there were
   * more, only those later than the newest that does not fit, so that events of
   * equal times are all in or all out.
   */
  recent(skip: number, times: Float64Array, values: Float64Array): number {
    if (this.#latestBusy) return this.#latestBusy.recent(skip, times, values);
    const slots = this.#slots;
    const arena = this.#arena;
    const s = this.#latest * this.#stride;
    const start = slots[s + START];
    const mask = slots[s + MASK];
    const oldest = slots[s + CURSOR + this.#bounds.length - 1];
    const end = slots[s + CURSOR] - skip;
    let first = oldest;
    if (end - first > times.length) {
      first = end - times.length;
      const cut = arena[2 * (start + ((first - 1) & mask))];
      while (first < end && arena[2 * (start + (first & mask))] === cut) {
        first++;
      }
    }
    let before = first === slots[s + HEAD]
      ? this.#slotSums[2 * this.#latest]
      : arena[2 * (start + ((first - 1) & mask)) + 1];
    for (let number = first; number < end; number++) {
      const cell = 2 * (start + (number & mask));
      const sum = arena[cell + 1];
      times[number - first] = arena[cell];
      values[number - first] = this.#wide ? sum - before : (sum - before) >>> 0;
      before = sum;
    }
    return Math.max(0, end - first);
  }

  /**
   * Reads the cells that will be needed, all at once: they lie far apart, and
   * a processor waits for them side by side only if no branch is in between.
   */
  #touch(slot: number): void {
    const slots = this.#slots;
    const arena = this.#arena;
    const s = slot * this.#stride;
    const start = slots[s + START];
    const mask = slots[s + MASK];
    const touched = this.#touched;
    for (let bound = 0; bound < touched.length; bound++) {
      const cursor = slots[s + CURSOR + bound];
      touched[bound] = arena[2 * (start + ((cursor - 1) & mask))] +
        arena[2 * (start + (cursor & mask))];
    }
  }

  /** Adds an event to a key's ring; returns how many newer ones it has moved. */
  #insert(slot: number, time: number, value: number): number {
    const s = slot * this.#stride;
    this.#slotSums[2 * slot + 1] += value;
    if (!this.#wide && this.#slotSums[2 * slot + 1] >= NARROW_LIMIT) {
      this.#widen();
    }
    if (this.#slots[s + TAIL] - this.#slots[s + HEAD] > this.#slots[s + MASK]) {
      this.#resize(slot, 2 * (this.#slots[s + MASK] + 1));
    }
    const slots = this.#slots;
    const arena = this.#arena;
    const start = slots[s + START];
    const mask = slots[s + MASK];
    const head = slots[s + HEAD];
    const last = slots[s + TAIL]++;
    let number = last;
    let sum = value;
    while (number > head) {
      const before = 2 * (start + ((number - 1) & mask));
      if (arena[before] <= time) {
        sum += arena[before + 1];
        break;
      }
      const cell = 2 * (start + (number & mask));
      arena[cell] = arena[before];
      arena[cell + 1] = arena[before + 1] + value;
      number--;
    }
    if (number === head) sum += this.#slotSums[2 * slot];
    const cell = 2 * (start + (number & mask));
    arena[cell] = time;
    arena[cell + 1] = sum;
    if (number === head) slots[s + OLDEST] = time;
    this.#moved += last - number;
    return last - number;
  }

  /** Hands a key with all its events over to blocks, and gives its slot back. */
  #toBlocks(slot: number): EventBlocks {
    const slots = this.#slots;
    const arena = this.#arena;
    const s = slot * this.#stride;
    const start = slots[s + START];
    const mask = slots[s + MASK];
    const tail = slots[s + TAIL];
    const blocks = new EventBlocks(this.#bounds);
    let before = this.#slotSums[2 * slot];
    for (let number = slots[s + HEAD]; number < tail; number++) {
      const cell = 2 * (start + (number & mask));
      const sum = arena[cell + 1];
      const value = this.#wide ? sum - before : (sum - before) >>> 0;
      blocks.insert(arena[cell], value);
      before = sum;
    }
    this.#moved += tail - slots[s + HEAD];
    this.#busy.set(slots[s + KEY], blocks);
    this.#release(slot);
    return blocks;
  }

  #query(slot: number, time: number, out: Float64Array, at: number): void {
    const slots = this.#slots;
    const arena = this.#arena;
    const bounds = this.#bounds;
    const s = slot * this.#stride;
    const start = slots[s + START];
    const mask = slots[s + MASK];
    const head = slots[s + HEAD];
    const tail = slots[s + TAIL];
    const evicted = this.#slotSums[2 * slot];
    const wide = this.#wide;
    let end = 0;
    let endSum = 0;
    for (let bound = 0; bound < bounds.length; bound++) {
      const limit = time - bounds[bound];
      let cursor = slots[s + CURSOR + bound];
      if (cursor < head) cursor = head;
      // Mostly the boundary passes one event or none since the last time.
      if (cursor < tail && arena[2 * (start + (cursor & mask))] <= limit) {
        cursor++;
      }
      const passed = cursor === tail ||
        arena[2 * (start + (cursor & mask))] > limit;
      let sum = evicted;
      let kept = true;
      if (cursor > head) {
        const before = 2 * (start + ((cursor - 1) & mask));
        sum = arena[before + 1];
        kept = arena[before] <= limit;
      }
      if (!passed || !kept) {
        cursor = this.#seek(s, cursor, limit);
        sum = cursor === head
          ? evicted
          : arena[2 * (start + ((cursor - 1) & mask)) + 1];
      }
      slots[s + CURSOR + bound] = cursor;
      if (bound === 0) {
        end = cursor;
        endSum = sum;
      } else {
        out[at] = end - cursor;
        out[at + 1] = wide ? endSum - sum : (endSum - sum) >>> 0;
        at += 2;
      }
    }
  }

  /** Number of the first event later than `time`, looked for from `cursor` on in both directions. */
  #seek(s: number, cursor: number, time: number): number {
    const slots = this.#slots;
    const arena = this.#arena;
    const start = slots[s + START];
    const mask = slots[s + MASK];
    const head = slots[s + HEAD];
    const tail = slots[s + TAIL];
    // In growing steps, then halving between the last two.
    let step = 1;
    if (cursor < tail && arena[2 * (start + (cursor & mask))] <= time) {
      let last = cursor;
      let low = cursor + 1;
      while (low < tail && arena[2 * (start + (low & mask))] <= time) {
        last = low;
        low = Math.min(low + step, tail);
        step *= 2;
      }
      return this.#bisect(start, mask, last + 1, low, time);
    }
    let high = cursor;
    let low = cursor;
    while (low > head && arena[2 * (start + ((low - 1) & mask))] > time) {
      high = low - 1;
      low = Math.max(high - step, head);
      step *= 2;
    }
    return this.#bisect(start, mask, low, high, time);
  }

  /** First number in low … high whose event is later than `time`; high if none. */
  #bisect(
    start: number,
    mask: number,
    low: number,
    high: number,
    time: number,
  ): number {
    const arena = this.#arena;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (arena[2 * (start + (middle & mask))] <= time) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** Drops a key's events up to and including time `expired`. */
  #evict(slot: number, expired: number): void {
    const slots = this.#slots;
    const s = slot * this.#stride;
    let head = slots[s + HEAD];
    const tail = slots[s + TAIL];
    if (head === tail || slots[s + OLDEST] > expired) return;
    const arena = this.#arena;
    const start = slots[s + START];
    const mask = slots[s + MASK];
    const before = this.#slotSums[2 * slot];
    let evicted = before;
    let cell = 0;
    do {
      evicted = arena[2 * (start + (head & mask)) + 1];
      head++;
      cell = 2 * (start + (head & mask));
    } while (head < tail && arena[cell] <= expired);
    const gone = this.#wide ? evicted - before : (evicted - before) >>> 0;
    this.#slotSums[2 * slot] = evicted;
    this.#slotSums[2 * slot + 1] -= gone;
    slots[s + HEAD] = head;
    if (head < tail) slots[s + OLDEST] = arena[cell];
    const few = tail - head < (mask + 1) >> 3 && mask + 1 > 2 * RING_MIN;
    if (few) this.#resize(slot, (mask + 1) >> 1);
    else if (tail > NUMBER_MAX || evicted > SUM_MAX) {
      this.#resize(slot, mask + 1);
    }
  }

  /** Looks at one more slot, and at one more busy key, and lets it go if all its events have expired. */
  #sweep(expired: number): void {
    if (this.#busy.size > 0) this.#sweepBusy(expired);
    if (this.#sweepSlot >= this.#slotCount) this.#sweepSlot = 0;
    const slot = this.#sweepSlot++;
    const slots = this.#slots;
    const s = slot * this.#stride;
    if (slot >= this.#slotCount || slots[s + KEY] === UNUSED) return;
    const { [s + START]: start, [s + MASK]: mask, [s + TAIL]: tail } = slots;
    const empty = slots[s + HEAD] === tail;
    if (!empty && this.#arena[2 * (start + ((tail - 1) & mask))] > expired) {
      return;
    }
    this.#release(slot);
  }

  #sweepBusy(expired: number): void {
    const { value: found } = this.#busySweep.next();
    if (found === undefined) {
      this.#busySweep = this.#busy.entries();
      return;
    }
    const [key, blocks] = found;
    if (blocks.newest > expired) return;
    this.#busy.delete(key);
    this.#moved += blocks.movedCells;
  }

  /** Gives a key's slot and ring back. */
  #release(slot: number): void {
    const slots = this.#slots;
    const s = slot * this.#stride;
    this.#slotOf.delete(slots[s + KEY]);
    slots[s + KEY] = UNUSED;
    this.#arenaLive -= slots[s + MASK] + 1;
    this.#freeSlots.push(slot);
    const mostlyIdle = this.#slotCount > SLOTS_MIN &&
      this.#slotOf.size < this.#slotCount >> 2;
    if (mostlyIdle) this.#renumber();
  }

  #open(key: number): number {
    const start = this.#allocate(RING_MIN);
    const slot = this.#freeSlots.pop() ?? this.#slotCount++;
    const s = slot * this.#stride;
    if (s === this.#slots.length) {
      this.#slots = copied(this.#slots, new Int32Array(2 * s));
      this.#slotSums = copied(this.#slotSums, new Float64Array(4 * slot));
    }
    this.#slots.fill(0, s, s + this.#stride);
    this.#slots[s + KEY] = key;
    this.#slots[s + START] = start;
    this.#slots[s + MASK] = RING_MIN - 1;
    this.#slotSums.fill(0, 2 * slot, 2 * slot + 2);
    this.#slotOf.set(key, slot);
    this.#arenaLive += RING_MIN;
    return slot;
  }

  /** Moves a key's ring to another capacity and numbers its events from 0. */
  #resize(slot: number, capacity: number): void {
    const to = this.#allocate(capacity);
    this.#arenaLive += capacity - (this.#slots[slot * this.#stride + MASK] + 1);
    this.#move(slot, this.#arena, !this.#wide, to, capacity);
  }

  /** Copies a key's ring to cell `to` of the arena; sums restart at 0. */
  #move(
    slot: number,
    from: Int32Array | Float64Array,
    narrow: boolean,
    to: number,
    capacity: number,
  ): void {
    const slots = this.#slots;
    const s = slot * this.#stride;
    const start = slots[s + START];
    const mask = slots[s + MASK];
    const head = slots[s + HEAD];
    const length = slots[s + TAIL] - head;
    const evicted = this.#slotSums[2 * slot];
    for (let i = 0; i < length; i++) {
      const cell = 2 * (start + ((head + i) & mask));
      this.#arena[2 * (to + i)] = from[cell];
      const sum = from[cell + 1] - evicted;
      this.#arena[2 * (to + i) + 1] = narrow ? sum >>> 0 : sum;
    }
    for (let bound = 0; bound < this.#bounds.length; bound++) {
      const cursor = slots[s + CURSOR + bound] - head;
      slots[s + CURSOR + bound] = Math.max(0, cursor);
    }
    this.#moved += length;
    slots[s + START] = to;
    slots[s + MASK] = capacity - 1;
    slots[s + HEAD] = 0;
    slots[s + TAIL] = length;
    this.#slotSums[2 * slot] = 0;
  }

  /** First cell of `capacity` unused ones, after a rebuild if there are none. */
  #allocate(capacity: number): number {
    if (2 * (this.#arenaUsed + capacity) > this.#arena.length) {
      this.#rebuild(capacity);
    }
    const start = this.#arenaUsed;
    this.#arenaUsed += capacity;
    return start;
  }

  /** Gives the used slots consecutive numbers and frees the rest. */
  #renumber(): void {
    const slots = this.#slots;
    const stride = this.#stride;
    let used = 0;
    for (let slot = 0; slot < this.#slotCount; slot++) {
      const s = slot * stride;
      if (slots[s + KEY] === UNUSED) continue;
      slots.copyWithin(used * stride, s, s + stride);
      this.#slotSums.copyWithin(2 * used, 2 * slot, 2 * slot + 2);
      this.#slotOf.set(slots[s + KEY], used++);
    }
    this.#slotCount = used;
    this.#freeSlots = [];
    const room = Math.max(SLOTS_MIN, 2 * used);
    this.#slots = slots.slice(0, room * stride);
    this.#slotSums = this.#slotSums.slice(0, 2 * room);
    this.#rebuild(0);
  }

  /** Goes over to 64 bits, before the first sum that needs them. */
  #widen(): void {
    this.#wide = true;
    this.#rebuild(0);
  }

  /** Copies all rings into a new arena with room for as much again. */
  #rebuild(wanted: number): void {
    const from = this.#arena;
    const narrow = from instanceof Int32Array;
    let size = ARENA_MIN;
    while (size < 2 * (this.#arenaLive + wanted)) size *= 2;
    this.#arena = this.#wide
      ? new Float64Array(2 * size)
      : new Int32Array(2 * size);
    this.#arenaUsed = 0;
    for (let slot = 0; slot < this.#slotCount; slot++) {
      const s = slot * this.#stride;
      if (this.#slots[s + KEY] === UNUSED) continue;
      const capacity = this.#slots[s + MASK] + 1;
      this.#move(slot, from, narrow, this.#arenaUsed, capacity);
      this.#arenaUsed += capacity;
    }
  }
}

function copied<T extends Int32Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}
