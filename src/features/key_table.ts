/**
 * A map from whole-number keys to whole numbers other than 0 that never
 * rehashes as a whole: open addressing inside segments of a fixed size, and a
 * directory that picks the segment by the first bits of the hash (extendible
 * hashing, Fagin et al. 1979). A full segment splits in two, two mostly empty
 * ones merge, and nothing else moves.
 */

/** Places in a segment, a power of two. */
const SEGMENT_PLACES = 1024;
const PLACE_MASK = SEGMENT_PLACES - 1;
/** Entries from which a segment splits: linear probing is short below this. */
const SEGMENT_FULL = 800;
/** Entries below which a segment tries to merge. */
const SEGMENT_SPARSE = 200;
/** About how many bytes a key takes, between a segment that is full and one that was split. */
export const KEY_BYTES = 14;
/** Places that next() looks at. */
const NEXT_PLACES = 16;

/** Keys at 2i and their values at 2i + 1; a value of 0 is an empty place. */
interface Segment {
  readonly cells: Int32Array;
  /** How many leading bits of the hash all its keys share. */
  depth: number;
  used: number;
}

/** A map from keys 0 … 2^31 - 1 to 32-bit whole numbers other than 0. */
export class KeyTable {
  // For each sequence of #depth bits, the segment of the hashes that begin with
  // it.
  #directory: Segment[] = [emptySegment(0)];
  #depth = 0;
  #segments = 1;
  #size = 0;
  #nextEntry = 0;
  #nextPlace = 0;

  /** Number of keys. */
  get size(): number {
    return this.#size;
  }

  /** Bytes held. */
  get bytes(): number {
    return this.#segments * SEGMENT_PLACES * 8 + this.#directory.length * 8;
  }

  /** The value of a key; 0 if it has none. */
  get(key: number): number {
    const hash = hashOf(key);
    const { cells } = this.#segmentOf(hash);
    for (let place = hash & PLACE_MASK;; place = (place + 1) & PLACE_MASK) {
      const value = cells[2 * place + 1];
      if (value === 0 || cells[2 * place] === key) return value;
    }
  }

  /** Gives a key a value other than 0. */
  set(key: number, value: number): void {
    const hash = hashOf(key);
    let segment = this.#segmentOf(hash);
    let place = placeOf(segment, key, hash);
    if (segment.cells[2 * place + 1] === 0) {
      while (segment.used === SEGMENT_FULL) {
        this.#split(segment, hash);
        segment = this.#segmentOf(hash);
        place = placeOf(segment, key, hash);
      }
      segment.used++;
      this.#size++;
      segment.cells[2 * place] = key;
    }
    segment.cells[2 * place + 1] = value;
  }

  /** Removes a key that has a value. */
  delete(key: number): void {
    const hash = hashOf(key);
    const segment = this.#segmentOf(hash);
    const { cells } = segment;
    let empty = placeOf(segment, key, hash);
    if (cells[2 * empty + 1] === 0) return;
    // Later entries of the run move up if they may: no gap remains.
    let place = empty;
    while (true) {
      place = (place + 1) & PLACE_MASK;
      if (cells[2 * place + 1] === 0) break;
      const first = hashOf(cells[2 * place]) & PLACE_MASK;
      if (((place - first) & PLACE_MASK) < ((place - empty) & PLACE_MASK)) {
        continue;
      }
      cells[2 * empty] = cells[2 * place];
      cells[2 * empty + 1] = cells[2 * place + 1];
      empty = place;
    }
    cells[2 * empty + 1] = 0;
    segment.used--;
    this.#size--;
    if (segment.used < SEGMENT_SPARSE) this.#merge(segment, hash);
  }

  /** The value of one more key, round and round; 0 where the next few places are empty. */
  next(): number {
    if (this.#nextEntry >= this.#directory.length) this.#nextEntry = 0;
    const { cells, depth } = this.#directory[this.#nextEntry];
    const end = Math.min(this.#nextPlace + NEXT_PLACES, SEGMENT_PLACES);
    while (this.#nextPlace < end) {
      const value = cells[2 * this.#nextPlace++ + 1];
      if (value !== 0) return value;
    }
    if (end === SEGMENT_PLACES) {
      this.#nextPlace = 0;
      this.#nextEntry += 1 << (this.#depth - depth);
    }
    return 0;
  }

  #segmentOf(hash: number): Segment {
    return this.#directory[(hash >>> 1) >>> (31 - this.#depth)];
  }

  /** Splits a segment by the first bit of the hash that its keys do not share. */
  #split(segment: Segment, hash: number): void {
    if (segment.depth === this.#depth) {
      this.#directory = this.#directory.flatMap((same) => [same, same]);
      this.#depth++;
      this.#nextEntry *= 2;
    }
    const depth = segment.depth + 1;
    const halves = [emptySegment(depth), emptySegment(depth)];
    const { cells } = segment;
    for (let place = 0; place < SEGMENT_PLACES; place++) {
      if (cells[2 * place + 1] === 0) continue;
      const bit = (hashOf(cells[2 * place]) >>> (32 - depth)) & 1;
      put(halves[bit], cells[2 * place], cells[2 * place + 1]);
    }
    this.#replace(hash, depth - 1, halves);
    this.#segments++;
  }

  /** Joins a sparse segment with the one it was split from, if both fit into one. */
  #merge(segment: Segment, hash: number): void {
    const { depth } = segment;
    if (depth === 0) return;
    const other = this.#segmentOf(hash ^ (1 << (32 - depth)));
    if (other.depth !== depth) return;
    if (segment.used + other.used > SEGMENT_FULL / 2) return;
    const joined = emptySegment(depth - 1);
    for (const { cells } of [segment, other]) {
      for (let place = 0; place < SEGMENT_PLACES; place++) {
        if (cells[2 * place + 1] === 0) continue;
        put(joined, cells[2 * place], cells[2 * place + 1]);
      }
    }
    this.#replace(hash, depth - 1, [joined, joined]);
    this.#segments--;
  }

  /** Puts two segments in the place of all whose hashes share `depth` bits with `hash`. */
  #replace(hash: number, depth: number, [first, second]: Segment[]): void {
    const half = 1 << (this.#depth - depth - 1);
    const entry = (hash >>> 1) >>> (31 - this.#depth);
    const from = entry - entry % (2 * half);
    this.#directory.fill(first, from, from + half);
    this.#directory.fill(second, from + half, from + 2 * half);
  }
}

function emptySegment(depth: number): Segment {
  return { cells: new Int32Array(2 * SEGMENT_PLACES), depth, used: 0 };
}

/** The place of a key, or the empty place where it belongs. */
function placeOf({ cells }: Segment, key: number, hash: number): number {
  let place = hash & PLACE_MASK;
  while (cells[2 * place + 1] !== 0 && cells[2 * place] !== key) {
    place = (place + 1) & PLACE_MASK;
  }
  return place;
}

/** Adds a key that a segment does not have. */
function put(segment: Segment, key: number, value: number): void {
  const place = placeOf(segment, key, hashOf(key));
  segment.cells[2 * place] = key;
  segment.cells[2 * place + 1] = value;
  segment.used++;
}

/** 32 bits that all depend on every bit of the key (the finalizer of MurmurHash3). */
function hashOf(key: number): number {
  let hash = Math.imul(key ^ (key >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}
