/**
 * The events of one busy key in order of time, in blocks of at most
 * BLOCK_EVENTS: an event moves only those of its block, however many are newer.
 * Numbers and sums of whole blocks are in a binary indexed tree (Fenwick 1994).
 * It is rebuilt when a block is added or removed, once for hundreds of events.
 * SlidingWindows, whose rings are smaller and faster, hands a key over when it
 * has more events than fit into a ring.
 */
import {
  readDoubles,
  readInts,
  type StateSink,
  type StateSource,
  writeView,
} from "../base/state_stream.ts";
import type { Boundary, Column } from "./window_layout.ts";

const BLOCK_EVENTS = 512;

/** Events `from` to `end` of a block; those before `from` have expired. */
interface Block {
  readonly times: Int32Array;
  /** Of each column, the sums of the block's values up to and including each; of flags, whose sums are small, in 16 bits. */
  readonly sums: readonly (Uint16Array | Float64Array)[];
  from: number;
  end: number;
}

/** Sliding windows over the events of one key. */
export class EventBlocks {
  /** A number kept with the key: see SlidingWindows.hint. */
  hint = 0;
  readonly #columns: readonly Column[];
  readonly #distances: Float64Array;
  // Of each boundary, the place of its column.
  readonly #columnOf: Uint8Array;
  // In order of time, never empty; only a block that is alone has no events.
  #blocks: Block[];
  // A node has a number and a sum for each column, of blocks i & (i + 1) … i.
  readonly #width: number;
  #tree: Float64Array;
  #moved = 0;
  #held = 0;
  #insertedAt = 0;
  // What query() has found of each boundary: place, number and sum of the events before it.
  readonly #blockAt: Int32Array;
  readonly #eventAt: Int32Array;
  readonly #counts: Float64Array;
  readonly #sums: Float64Array;

  /** Makes windows without events. */
  constructor(columns: readonly Column[], boundaries: readonly Boundary[]) {
    this.#columns = columns;
    this.#distances = Float64Array.from(boundaries, (b) => b.distance);
    this.#columnOf = Uint8Array.from(boundaries, (b) => columns.indexOf(b.sum));
    this.#blocks = [this.#emptyBlock()];
    this.#width = 1 + columns.length;
    this.#tree = new Float64Array(this.#width);
    this.#blockAt = new Int32Array(boundaries.length);
    this.#eventAt = new Int32Array(boundaries.length);
    this.#counts = new Float64Array(boundaries.length);
    this.#sums = new Float64Array(boundaries.length);
  }

  /** Cells that have been moved or summed again so far. */
  get movedCells(): number {
    return this.#moved;
  }

  /** Bytes held in typed arrays. */
  get bytes(): number {
    let bytes = this.#tree.byteLength;
    for (const { times, sums } of this.#blocks) {
      bytes += times.byteLength;
      for (const column of sums) bytes += column.byteLength;
    }
    return bytes;
  }

  /** Number of events. */
  get length(): number {
    return this.#held;
  }

  /** Time of the newest event; -Infinity without one. */
  get newest(): number {
    const { times, from, end } = this.#blocks[this.#blocks.length - 1];
    return from === end ? -Infinity : times[end - 1];
  }

  /** Whether there is an event of that time. */
  has(time: number): boolean {
    const block = this.#blocks[this.#blockOf(time, 0)];
    const later = firstLater(block, time);
    return later > block.from && block.times[later - 1] === time;
  }

  /** Adds an event after those that are not later. */
  insert(time: number, flag: number, value: number): void {
    let at = this.#blockOf(time, this.#insertedAt);
    let block = this.#blocks[at];
    if (block.end === BLOCK_EVENTS) {
      this.#makeRoom(at, time);
      at = this.#blockOf(time, at);
      block = this.#blocks[at];
    }
    this.#insertedAt = at;
    const { times, sums } = block;
    const place = firstLater(block, time);
    const last = block.end++;
    this.#moved += last - place;
    this.#held++;
    for (let event = last; event > place; event--) {
      times[event] = times[event - 1];
    }
    times[place] = time;
    const tree = this.#tree;
    const width = this.#width;
    const length = this.#blocks.length;
    for (let node = at; node < length; node |= node + 1) tree[node * width]++;
    for (let column = 0; column < sums.length; column++) {
      const added = this.#columns[column] === "flag" ? flag : value;
      const upTo = sums[column];
      for (let event = last; event > place; event--) {
        upTo[event] = upTo[event - 1] + added;
      }
      upTo[place] = added + (place === 0 ? 0 : upTo[place - 1]);
      for (let node = at; node < length; node |= node + 1) {
        tree[node * width + 1 + column] += added;
      }
    }
  }

  /** Drops the events up to and including time `expired`. */
  evict(expired: number): void {
    const blocks = this.#blocks;
    let gone = 0;
    for (const block of blocks) {
      const { times, from, end } = block;
      const isWhole = from < end && times[end - 1] <= expired;
      block.from = isWhole ? end : firstLater(block, expired);
      this.#held -= block.from - from;
      if (block.from < end) break;
      gone++;
    }
    if (gone === 0) return;
    blocks.splice(0, gone);
    if (blocks.length === 0) blocks.push(this.#emptyBlock());
    this.#index();
  }

  /** Moves the boundaries to where an event of that time sees them. */
  query(time: number): void {
    const distances = this.#distances;
    for (let bound = 0; bound < distances.length; bound++) {
      this.#seek(bound, time - distances[bound]);
    }
  }

  /** Writes the numbers and sums between boundary `first` and those after it, to boundary `last`. */
  write(first: number, last: number, out: Float64Array, at: number): void {
    for (let bound = first + 1; bound <= last; bound++) {
      out[at++] = this.#counts[first] - this.#counts[bound];
      out[at++] = this.#sums[first] - this.#sums[bound];
    }
  }

  /** One column of the newest events between boundaries `last` and `first`, as SlidingWindows.recent() has it. */
  recent(
    first: number,
    last: number,
    column: Column | "time",
    skip: number,
    out: Float64Array,
  ): number {
    const inside = this.#counts[first] - this.#counts[last];
    const length = Math.max(0, inside - skip);
    const wanted = Math.min(length, out.length);
    const place = this.#columns.findIndex((name) => name === column);
    let at = this.#blockAt[first];
    let block = this.#blocks[at];
    let event = this.#eventAt[first];
    const back = () => {
      while (event === block.from) {
        block = this.#blocks[--at];
        event = block.end;
      }
      event--;
    };
    for (let skipped = 0; length > 0 && skipped < skip; skipped++) back();
    const times: number[] = [];
    for (let to = wanted - 1; to >= 0; to--) {
      back();
      times.push(block.times[event]);
      out[to] = column === "time"
        ? block.times[event]
        : valueAt(block, place, event);
    }
    if (length === wanted) return wanted;
    back();
    const cut = block.times[event];
    let from = 0;
    while (from < wanted && times[wanted - 1 - from] === cut) from++;
    out.copyWithin(0, from, wanted);
    return wanted - from;
  }

  /** The time of the newest event before boundary `first`, as SlidingWindows.newestTime() has it. */
  newestTime(first: number, last: number, skip: number): number {
    const inside = this.#counts[first] - this.#counts[last];
    if (inside <= skip) return -1;
    let at = this.#blockAt[first];
    let left = skip;
    let end = this.#eventAt[first];
    while (end - this.#blocks[at].from <= left) {
      left -= end - this.#blocks[at].from;
      end = this.#blocks[--at].end;
    }
    return this.#blocks[at].times[end - 1 - left];
  }

  /** Calls `take` with every event, in order of time. */
  forEach(
    take: (time: number, flag: number, value: number) => void,
  ): void {
    const flag = this.#columns.indexOf("flag");
    const value = this.#columns.indexOf("value");
    for (const block of this.#blocks) {
      for (let event = block.from; event < block.end; event++) {
        take(
          block.times[event],
          flag < 0 ? 0 : valueAt(block, flag, event),
          value < 0 ? 0 : valueAt(block, value, event),
        );
      }
    }
  }

  /** Writes all events. */
  save(sink: StateSink): void {
    writeView(sink, Int32Array.of(this.#blocks.length));
    for (const { times, sums, from, end } of this.#blocks) {
      writeView(sink, Int32Array.of(from, end));
      writeView(sink, times.subarray(0, end));
      for (const column of sums) {
        writeView(sink, Float64Array.from(column.subarray(0, end)));
      }
    }
  }

  /** Loads the events that save() wrote. Throws an Error if they cannot be valid. */
  load(source: StateSource): void {
    const [length] = readInts(source, 1);
    if (length < 1) throw new Error(`${length} blocks of events`);
    this.#blocks = [];
    this.#held = 0;
    for (let at = 0; at < length; at++) {
      const [from, end] = readInts(source, 2);
      const isEmpty = from === end && length > 1;
      if (isEmpty || from < 0 || from > end || end > BLOCK_EVENTS) {
        throw new Error(`events ${from} to ${end} of a block`);
      }
      const block = { ...this.#emptyBlock(), from, end };
      block.times.set(readInts(source, end));
      for (const column of block.sums) column.set(readDoubles(source, end));
      this.#blocks.push(block);
      this.#held += end - from;
    }
    this.#index();
  }

  /** Finds the last event up to and including a time, for a boundary. */
  #seek(bound: number, time: number): void {
    const at = this.#blockOf(time, this.#blockAt[bound]);
    const block = this.#blocks[at];
    const event = firstLater(block, time);
    const column = this.#columnOf[bound];
    let count = event;
    let sum = event === 0 ? 0 : block.sums[column][event - 1];
    const tree = this.#tree;
    const width = this.#width;
    for (let node = at - 1; node >= 0; node = (node & (node + 1)) - 1) {
      count += tree[node * width];
      sum += tree[node * width + 1 + column];
    }
    this.#blockAt[bound] = at;
    this.#eventAt[bound] = event;
    this.#counts[bound] = count;
    this.#sums[bound] = sum;
  }

  /** The last block that begins not later than `time`, or the first; often it is `guess`, or the next one. */
  #blockOf(time: number, guess: number): number {
    const blocks = this.#blocks;
    for (let at = guess; at < Math.min(guess + 2, blocks.length); at++) {
      const { times, from } = blocks[at];
      if (times[from] > time) break;
      const next = blocks[at + 1];
      if (!next || next.times[next.from] > time) return at;
    }
    let low = 0;
    let high = blocks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      const { times, from } = blocks[middle];
      if (times[from] <= time) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  /** Splits a full block in two, or starts another after the last if `time` belongs there. */
  #makeRoom(at: number, time: number): void {
    const block = this.#blocks[at];
    const isLast = at === this.#blocks.length - 1;
    if (isLast && block.times[block.end - 1] <= time) {
      const next = this.#emptyBlock();
      // The start of a block is needed before it has an event.
      next.times[0] = time;
      this.#blocks.push(next);
    } else {
      const middle = (block.from + block.end) >>> 1;
      const halves = [
        this.#part(block, block.from, middle),
        this.#part(block, middle, block.end),
      ].filter(({ end }) => end > 0);
      this.#blocks.splice(at, 1, ...halves);
      this.#moved += block.end - block.from;
    }
    this.#index();
  }

  /** Builds the tree of the present blocks. */
  #index(): void {
    const blocks = this.#blocks;
    const width = this.#width;
    const length = blocks.length * width;
    if (this.#tree.length < length) this.#tree = new Float64Array(2 * length);
    const tree = this.#tree.fill(0, 0, length);
    for (let node = 0; node < blocks.length; node++) {
      const { sums, end } = blocks[node];
      tree[node * width] += end;
      for (let column = 0; column < sums.length; column++) {
        const total = end === 0 ? 0 : sums[column][end - 1];
        tree[node * width + 1 + column] += total;
      }
      const above = node | (node + 1);
      if (above >= blocks.length) continue;
      for (let cell = 0; cell < width; cell++) {
        tree[above * width + cell] += tree[node * width + cell];
      }
    }
    this.#moved += blocks.length;
  }

  #emptyBlock(): Block {
    return {
      times: new Int32Array(BLOCK_EVENTS),
      sums: this.#columns.map((column) =>
        new (column === "flag" ? Uint16Array : Float64Array)(BLOCK_EVENTS)
      ),
      from: 0,
      end: 0,
    };
  }

  /** A block with some of another's events. */
  #part(block: Block, from: number, end: number): Block {
    const made = this.#emptyBlock();
    made.times.set(block.times.subarray(from, end));
    for (const [column, sums] of block.sums.entries()) {
      const before = from === 0 ? 0 : sums[from - 1];
      for (let event = from; event < end; event++) {
        made.sums[column][event - from] = sums[event] - before;
      }
    }
    made.end = end - from;
    return made;
  }
}

/** An event's value of a column. */
function valueAt({ sums }: Block, column: number, event: number): number {
  const upTo = sums[column];
  return upTo[event] - (event === 0 ? 0 : upTo[event - 1]);
}

/** The first event of a block that is later than `time`; its end if none is. */
function firstLater({ times, from, end }: Block, time: number): number {
  let low = from;
  let high = end;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (times[middle] <= time) low = middle + 1;
    else high = middle;
  }
  return low;
}
