/**
 * The events of one busy key in order of time, where many come out of order:
 * in blocks of at most BLOCK_EVENTS, so that an event moves those of its own
 * block only, however many are newer. Numbers and sums of whole blocks stand in
 * a binary indexed tree (Fenwick 1994), which is made anew where a block comes
 * or goes: once for hundreds of events. SlidingWindows, whose rings are smaller
 * and faster in order, hands a key over when its events move too many others.
 */

const BLOCK_EVENTS = 512;

/** Events `from` to `end` of a block; those before `from` have expired. */
interface Block {
  readonly times: Int32Array;
  /** Sums of the block's values up to and including each. */
  readonly sums: Float64Array;
  from: number;
  end: number;
}

/** Sliding windows over the events of one key. */
export class EventBlocks {
  readonly #bounds: Int32Array;
  // In order of time, never empty; only a block that is alone has no events.
  readonly #blocks: Block[] = [emptyBlock()];
  // Number and sum of blocks i & (i + 1) … i at 2i and 2i + 1.
  #tree = new Float64Array(2);
  #moved = 0;
  // Of the query before: the events up to its end, those of its longest window.
  #endBlock = 0;
  #endEvent = 0;
  #inside = 0;
  // What #count() has found beside the number: the sum and the place.
  #sum = 0;
  #block = 0;
  #event = 0;

  /** Makes windows without events; `bounds` are the distances of their end and their beginnings from an event, in seconds. */
  constructor(bounds: Int32Array) {
    this.#bounds = bounds;
  }

  /** Cells that were moved or summed up again so far. */
  get movedCells(): number {
    return this.#moved;
  }

  /** Bytes held in typed arrays. */
  get bytes(): number {
    return this.#tree.byteLength + this.#blocks.length * BLOCK_EVENTS * 12;
  }

  /** Time of the newest event; -Infinity without one. */
  get newest(): number {
    const { times, from, end } = this.#blocks[this.#blocks.length - 1];
    return from === end ? -Infinity : times[end - 1];
  }

  /** Adds an event behind those that are not later. */
  insert(time: number, value: number): void {
    let at = this.#blockOf(time);
    let block = this.#blocks[at];
    if (block.end === BLOCK_EVENTS) {
      this.#makeRoom(at, time);
      at = this.#blockOf(time);
      block = this.#blocks[at];
    }
    const { times, sums } = block;
    const place = firstLater(block, time);
    const last = block.end++;
    this.#moved += last - place;
    for (let event = last; event > place; event--) {
      times[event] = times[event - 1];
      sums[event] = sums[event - 1] + value;
    }
    times[place] = time;
    sums[place] = value + (place === 0 ? 0 : sums[place - 1]);
    const tree = this.#tree;
    for (let node = at; node < this.#blocks.length; node |= node + 1) {
      tree[2 * node]++;
      tree[2 * node + 1] += value;
    }
  }

  /** Drops the events up to and including time `expired`. */
  evict(expired: number): void {
    const blocks = this.#blocks;
    let gone = 0;
    for (const block of blocks) {
      const { times, end } = block;
      while (block.from < end && times[block.from] <= expired) block.from++;
      if (block.from < end) break;
      gone++;
    }
    if (gone === 0) return;
    blocks.splice(0, gone);
    if (blocks.length === 0) blocks.push(emptyBlock());
    this.#index();
  }

  /** Writes the windows of an event of that time as SlidingWindows.add() does. */
  query(time: number, out: Float64Array, at: number): void {
    const bounds = this.#bounds;
    const end = this.#count(time - bounds[0]);
    const endSum = this.#sum;
    this.#endBlock = this.#block;
    this.#endEvent = this.#event;
    for (let bound = 1; bound < bounds.length; bound++) {
      this.#inside = end - this.#count(time - bounds[bound]);
      out[at++] = this.#inside;
      out[at++] = endSum - this.#sum;
    }
  }

  /** The newest events of the query before, as SlidingWindows.recent() has them. */
  recent(skip: number, times: Float64Array, values: Float64Array): number {
    const length = Math.max(0, this.#inside - skip);
    const wanted = Math.min(length, times.length);
    let at = this.#endBlock;
    let block = this.#blocks[at];
    let event = this.#endEvent;
    const back = () => {
      while (event === block.from) {
        block = this.#blocks[--at];
        event = block.end;
      }
      event--;
    };
    for (let skipped = 0; length > 0 && skipped < skip; skipped++) back();
    for (let place = wanted - 1; place >= 0; place--) {
      back();
      times[place] = block.times[event];
      values[place] = block.sums[event] -
        (event === 0 ? 0 : block.sums[event - 1]);
    }
    if (length === wanted) return wanted;
    back();
    const cut = block.times[event];
    let first = 0;
    while (first < wanted && times[first] === cut) first++;
    times.copyWithin(0, first, wanted);
    values.copyWithin(0, first, wanted);
    return wanted - first;
  }

  /** The number of events up to and including a time, counted from somewhere before all. */
  #count(time: number): number {
    const at = this.#blockOf(time);
    const block = this.#blocks[at];
    const event = firstLater(block, time);
    let count = event;
    let sum = event === 0 ? 0 : block.sums[event - 1];
    const tree = this.#tree;
    for (let node = at - 1; node >= 0; node = (node & (node + 1)) - 1) {
      count += tree[2 * node];
      sum += tree[2 * node + 1];
    }
    this.#sum = sum;
    this.#block = at;
    this.#event = event;
    return count;
  }

  /** The last block that begins not later than `time`, or the first. */
  #blockOf(time: number): number {
    const blocks = this.#blocks;
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

  /** Parts a full block in two, or begins another behind the last if that is where `time` belongs. */
  #makeRoom(at: number, time: number): void {
    const block = this.#blocks[at];
    const isLast = at === this.#blocks.length - 1;
    if (isLast && block.times[block.end - 1] <= time) {
      const next = emptyBlock();
      // Where a block begins is looked for before it has an event.
      next.times[0] = time;
      this.#blocks.push(next);
    } else {
      const middle = (block.from + block.end) >>> 1;
      const halves = [
        part(block, block.from, middle),
        part(block, middle, block.end),
      ].filter(({ end }) => end > 0);
      this.#blocks.splice(at, 1, ...halves);
      this.#moved += block.end - block.from;
    }
    this.#index();
  }

  /** Makes the tree of the blocks as they are. */
  #index(): void {
    const blocks = this.#blocks;
    const length = blocks.length;
    if (this.#tree.length < 2 * length) {
      this.#tree = new Float64Array(4 * length);
    }
    const tree = this.#tree.fill(0, 0, 2 * length);
    for (let node = 0; node < length; node++) {
      const { sums, end } = blocks[node];
      tree[2 * node] += end;
      tree[2 * node + 1] += end === 0 ? 0 : sums[end - 1];
      const above = node | (node + 1);
      if (above >= length) continue;
      tree[2 * above] += tree[2 * node];
      tree[2 * above + 1] += tree[2 * node + 1];
    }
    this.#moved += length;
  }
}

function emptyBlock(): Block {
  return {
    times: new Int32Array(BLOCK_EVENTS),
    sums: new Float64Array(BLOCK_EVENTS),
    from: 0,
    end: 0,
  };
}

/** A block with some of another's events. */
function part(block: Block, from: number, end: number): Block {
  const { times, sums } = block;
  const before = from === 0 ? 0 : sums[from - 1];
  const made = emptyBlock();
  made.times.set(times.subarray(from, end));
  for (let event = from; event < end; event++) {
    made.sums[event - from] = sums[event] - before;
  }
  made.end = end - from;
  return made;
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
