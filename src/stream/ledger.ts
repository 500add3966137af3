/**
 * The payments that a partition has accepted recently, to recognize repeated
 * ones: of each its id, a 64-bit hash of its other fields, its time and its
 * offset, 28 bytes. Of a text id it holds 96 bits of its keyed hash of 128, and
 * 32 in the index, 32 bytes in all.
 *
 * The entries stand in a queue of chunks, in order of acceptance: they are
 * added at one end, removed at the other when they have expired, and never
 * move. An index finds them by id: a hash table of segments, each for the ids
 * whose hash begins with certain bits. A full segment is rebuilt without the
 * slots of entries that have left, larger or smaller by what remains, and one
 * that would become too large as two. So only a segment is ever copied, expired
 * entries leave no trace, and nothing is allocated per payment.
 */
import {
  readDoubles,
  readInts,
  type StateSink,
  type StateSource,
  writeView,
} from "../base/state_stream.ts";
import { DIGEST, DIGEST_WORDS, type IdDigests } from "../features/id_digest.ts";
import type { Payment } from "../payment/payment.ts";

/** What the ledger knows about a payment. */
export type Acquaintance = "new" | "duplicate" | "conflicting";

// An entry, in words of 32 bits. Ids and offsets are whole numbers below 2^53;
// of a text id the first two words are the second and third of its digest.
const ID_LOW = 0;
const ID_HIGH = 1;
const HASH_LOW = 2;
const HASH_HIGH = 3;
const TIME = 4;
const OFFSET_LOW = 5;
const OFFSET_HIGH = 6;
const ENTRY_WORDS = 7;
/** The fourth word of a text id's digest; only entries of text ids have it. */
const ID_LAST = 7;
const TEXT_ENTRY_WORDS = 8;
const WORD = 2 ** 32;

/** Bytes of a payment that the ledger holds, with its share of the index: between a fresh and a full one. */
export const LEDGER_BYTES: Readonly<Record<"numberId" | "textId", number>> = {
  numberId: 45,
  textId: 46,
};

/** Entries of a chunk. */
const CHUNK = 1024;

/** Accepted payments of the last `keepSeconds` of event time. */
export class Ledger {
  readonly #keepSeconds: number;
  readonly #hash: FieldsHash;
  // The digests of the payment in question where its id is a text.
  readonly #idDigests: Int32Array | undefined;
  readonly #entryWords: number;
  readonly #index: Index;
  // Entry n lies in chunk floor(n / CHUNK); #chunks[0] is that of the first.
  #chunks: Int32Array<ArrayBuffer>[] = [];
  #first = 0;
  #next = 0;
  #sweepDue = 0;
  #knownOffset = -1;
  // The last result of compare(); the index is still at that place.
  #soughtId = -1;
  #found = -1;

  /** Makes an empty ledger. With `digests`, which hold those of the payment at each call, ids may be texts, and cards and terminals any whole numbers; without them these are below 2^31. */
  constructor(keepSeconds: number, digests?: IdDigests) {
    this.#keepSeconds = keepSeconds;
    this.#hash = new FieldsHash(digests?.words);
    this.#idDigests = digests?.hasTextId ? digests.words : undefined;
    this.#index = new Index(this.#idDigests !== undefined);
    this.#entryWords = this.#idDigests ? TEXT_ENTRY_WORDS : ENTRY_WORDS;
  }

  /** Number of payments held. */
  get size(): number {
    return this.#next - this.#first;
  }

  /** Bytes held in typed arrays. */
  get bytes(): number {
    const entries = this.#chunks.length * CHUNK;
    return entries * this.#entryWords * 4 + this.#index.bytes;
  }

  /** Slots of the index moved so far, the whole cost of a payment besides a search; it grows with the number of payments. */
  get movedSlots(): number {
    return this.#index.moved;
  }

  /** Offset of the accepted payment that compare() has found last. */
  get knownOffset(): number {
    return this.#knownOffset;
  }

  /**
   * Compares a payment with the accepted ones whose time lies less than the
   * ledger's keep behind both `progress` and the payment.
   */
  compare(row: Payment, progress: number): Acquaintance {
    const entry = this.#find(row.transactionId);
    this.#soughtId = row.transactionId;
    this.#found = entry;
    if (entry < 0) return "new";
    const chunk = this.#chunkOf(entry);
    const at = this.#wordOf(entry);
    const newest = Math.max(progress, row.timeSeconds);
    if (chunk[at + TIME] <= newest - this.#keepSeconds) return "new";
    this.#knownOffset = chunk[at + OFFSET_HIGH] * WORD +
      (chunk[at + OFFSET_LOW] >>> 0);
    const hash = this.#hash;
    hash.take(row);
    const same = chunk[at + HASH_LOW] === hash.low &&
      chunk[at + HASH_HIGH] === hash.high;
    return same ? "duplicate" : "conflicting";
  }

  /** Adds the payment accepted at `offset` and drops those that are too old for any comparison. */
  add(row: Payment, progress: number, offset: number): void {
    const { transactionId } = row;
    // compare() has usually just searched for it. A text has no number.
    const isSought = transactionId === this.#soughtId && !this.#idDigests;
    const known = isSought ? this.#found : this.#find(transactionId);
    this.#soughtId = -1;
    const entry = this.#next++;
    if (entry % CHUNK === 0) this.#chunks.push(this.#newChunk());
    const chunk = this.#chunkOf(entry);
    const at = this.#wordOf(entry);
    const hash = this.#hash;
    hash.take(row);
    if (this.#idDigests) {
      chunk[at + ID_LOW] = this.#idDigests[DIGEST.id + 1];
      chunk[at + ID_HIGH] = this.#idDigests[DIGEST.id + 2];
      chunk[at + ID_LAST] = this.#idDigests[DIGEST.id + 3];
    } else {
      chunk[at + ID_LOW] = transactionId;
      chunk[at + ID_HIGH] = highWord(transactionId);
    }
    chunk[at + HASH_LOW] = hash.low;
    chunk[at + HASH_HIGH] = hash.high;
    chunk[at + TIME] = row.timeSeconds;
    chunk[at + OFFSET_LOW] = offset;
    chunk[at + OFFSET_HIGH] = highWord(offset);
    if (known < 0) this.#index.insert(entry, this.#first);
    else this.#index.replace(entry);
    this.#expire(progress);
  }

  /** Writes the entries and the index, as they lie in memory. */
  save(sink: StateSink): void {
    writeView(sink, Float64Array.of(this.#first, this.#next));
    for (let entry = this.#first; entry < this.#next;) {
      const end = Math.min(this.#next, endOfChunk(entry));
      const from = this.#wordOf(entry);
      const to = from + (end - entry) * this.#entryWords;
      writeView(sink, this.#chunkOf(entry).subarray(from, to));
      entry = end;
    }
    this.#index.save(sink);
  }

  /** Loads what save() has written into an empty ledger. */
  load(source: StateSource): void {
    const [first, next] = readDoubles(source, 2);
    this.#first = first;
    this.#next = next;
    for (let entry = first; entry < next;) {
      const end = Math.min(next, endOfChunk(entry));
      const chunk = this.#newChunk();
      this.#chunks.push(chunk);
      const bytes = source.read(4 * this.#entryWords * (end - entry));
      new Uint8Array(chunk.buffer).set(bytes, 4 * this.#wordOf(entry));
      entry = end;
    }
    // The next entry allocates a chunk only if it is the first of one.
    if (first === next && next % CHUNK > 0) {
      this.#chunks.push(this.#newChunk());
    }
    this.#index.load(source);
  }

  /** Drops the oldest entries that are too old for any comparison. */
  #expire(progress: number): void {
    const expired = progress - this.#keepSeconds;
    while (this.#first < this.#next) {
      const chunk = this.#chunks[0];
      if (chunk[this.#wordOf(this.#first) + TIME] > expired) break;
      this.#first++;
      if (this.#first % CHUNK === 0) this.#chunks.shift();
    }
    // Sweeps the whole index twice in the time that a payment is kept, so that
    // memory is freed even if few payments come.
    if (!this.#index.sweep(this.#first, this.#next)) return;
    if (progress < this.#sweepDue) return;
    this.#sweepDue = progress + this.#keepSeconds / 2;
    this.#index.beginSweep();
  }

  /** Number of the newest entry of an id; -1 if there is none. The index is then at the place to insert it. */
  #find(id: number): number {
    if (this.#idDigests) return this.#findText(this.#idDigests);
    const index = this.#index;
    const low = id | 0;
    const high = highWord(id);
    index.start(low, high);
    for (;;) {
      const entry = index.nextEntry(this.#first, this.#next);
      if (entry < 0) return -1;
      const chunk = this.#chunkOf(entry);
      const at = this.#wordOf(entry);
      if (chunk[at + ID_LOW] === low && chunk[at + ID_HIGH] === high) {
        return entry;
      }
    }
  }

  /** The same for the text id whose digest has been taken. */
  #findText(digests: Int32Array): number {
    const index = this.#index;
    index.startAt(digests[DIGEST.id]);
    for (;;) {
      const entry = index.nextEntry(this.#first, this.#next);
      if (entry < 0) return -1;
      const chunk = this.#chunkOf(entry);
      const at = this.#wordOf(entry);
      const isSame = chunk[at + ID_LOW] === digests[DIGEST.id + 1] &&
        chunk[at + ID_HIGH] === digests[DIGEST.id + 2] &&
        chunk[at + ID_LAST] === digests[DIGEST.id + 3];
      if (isSame) return entry;
    }
  }

  #chunkOf(entry: number): Int32Array<ArrayBuffer> {
    const before = Math.floor(this.#first / CHUNK);
    return this.#chunks[Math.floor(entry / CHUNK) - before];
  }

  #newChunk(): Int32Array<ArrayBuffer> {
    return new Int32Array(CHUNK * this.#entryWords);
  }

  /** Where an entry begins in its chunk. */
  #wordOf(entry: number): number {
    return entry % CHUNK * this.#entryWords;
  }
}

/** Number of the first entry of the next chunk. */
function endOfChunk(entry: number): number {
  return entry - entry % CHUNK + CHUNK;
}

// A slot: the hash of an id, 0 in a free one, and the low word of an entry's
// number. It is stale once the entry has left: it may be reused, but a search
// continues after it.
const SLOT_HASH = 0;
const SLOT_ENTRY = 1;
const SLOT_WORDS = 2;

/** Slots of the largest segment. Rebuilding one takes some tens of microseconds. */
const SEGMENT_MAX = 8192;
const SEGMENT_MIN = 16;
/** A directory of 2^26 segments exceeds any memory. */
const BITS_MAX = 26;
/** A segment is full at this share of used slots … */
const FULL = 0.75;
/** … and a new one is filled to this share. */
const FRESH = 0.5;
/** The same of the segments of text ids, whose entries are larger. */
const TEXT_FULL = 0.8;
const TEXT_FRESH = 0.6;
/** Below this share a sweep makes it smaller … */
const SPARSE = 0.4;
/** … and merges it with its neighbour if both are below this share. */
const UNITED = 1024;

/** The slots of all ids whose hash begins with certain bits. */
interface Segment {
  /** How many bits these are. */
  readonly depth: number;
  /** Number of slots. */
  readonly capacity: number;
  /** The slots: linear probing. */
  readonly words: Int32Array<ArrayBuffer>;
  /** Number of slots that are not free. */
  used: number;
}

/**
 * Finds the numbers of entries by the ids' hashes. A search stops at a slot and
 * may continue; inserts and replacements happen at that slot.
 */
class Index {
  // Random, so that no one can choose ids that share a slot.
  #seed = crypto.getRandomValues(new Int32Array(1))[0];
  // The segment of a hash is that at its first #bits bits. One that has fewer
  // bits stands there several times, side by side.
  #directory: Segment[] = [newSegment(0, SEGMENT_MIN)];
  #bits = 0;
  #sweepAt = 1;
  #hash = 0;
  #segment = this.#directory[0];
  #at = -1; // of the slot, -1 before the first
  #free = -1; // the first that may be used
  readonly #full: number;
  readonly #fresh: number;
  moved = 0;

  constructor(hasTextIds: boolean) {
    this.#full = hasTextIds ? TEXT_FULL : FULL;
    this.#fresh = hasTextIds ? TEXT_FRESH : FRESH;
  }

  get bytes(): number {
    let bytes = 0;
    for (let at = 0; at < this.#directory.length;) {
      const { words, depth } = this.#directory[at];
      bytes += words.byteLength;
      at += 1 << (this.#bits - depth);
    }
    return bytes;
  }

  /** Writes all slots, and the data that their places follow from. */
  save(sink: StateSink): void {
    writeView(sink, Int32Array.of(this.#seed, this.#bits));
    for (let at = 0; at < this.#directory.length;) {
      const segment = this.#directory[at];
      const { depth, capacity, used, words } = segment;
      writeView(sink, Int32Array.of(depth, capacity, used));
      writeView(sink, words);
      at += this.#placesOf(segment);
    }
  }

  /** Loads what save() has written. Throws an Error if the sizes are impossible. */
  load(source: StateSource): void {
    [this.#seed, this.#bits] = readInts(source, 2);
    requireSize(this.#bits, 0, BITS_MAX);
    this.#directory = [];
    while (this.#directory.length < 1 << this.#bits) {
      const [depth, capacity, used] = readInts(source, 3);
      requireSize(depth, 0, this.#bits);
      requireSize(capacity, SEGMENT_MIN, 2 * SEGMENT_MAX);
      requireSize(used, 0, capacity);
      const segment = newSegment(depth, capacity);
      const { words } = segment;
      new Uint8Array(words.buffer).set(source.read(words.byteLength));
      segment.used = used;
      const places = this.#placesOf(segment);
      for (let i = 0; i < places; i++) this.#directory.push(segment);
    }
    this.#sweepAt = this.#directory.length;
  }

  /** Begins a search. */
  start(idLow: number, idHigh: number): void {
    this.startAt(mixed(mixed(idLow ^ this.#seed) ^ idHigh));
  }

  /** Begins a search for an id whose hash is known. */
  startAt(hash: number): void {
    this.#hash = hash || 1;
    this.#segment = this.#directory[this.#place()];
    this.#at = -1;
    this.#free = -1;
  }

  /** The next entry whose id has the hash; -1 after the last. Entries below `first` have left. */
  nextEntry(first: number, next: number): number {
    const hash = this.#hash;
    const { words, capacity } = this.#segment;
    let at = this.#at < 0 ? home(hash, capacity) : after(this.#at, words);
    for (; words[at + SLOT_HASH] !== 0; at = after(at, words)) {
      const ahead = (words[at + SLOT_ENTRY] - first) >>> 0;
      if (ahead >= next - first) {
        if (this.#free < 0) this.#free = at;
      } else if (words[at + SLOT_HASH] === hash) {
        this.#at = at;
        return first + ahead;
      }
    }
    if (this.#free < 0) this.#free = at;
    return -1;
  }

  /** Points the slot of the search to a newer entry. */
  replace(entry: number): void {
    this.#segment.words[this.#at + SLOT_ENTRY] = entry;
  }

  /** Adds the entry that the search has not found. */
  insert(entry: number, first: number): void {
    let segment = this.#segment;
    let free = this.#free;
    if (segment.words[free + SLOT_HASH] === 0) {
      if (segment.used >= this.#full * segment.capacity) {
        this.#renew(this.#place(), first, entry);
        segment = this.#directory[this.#place()];
        free = freeSlot(segment, this.#hash);
      }
      segment.used++;
    }
    segment.words[free + SLOT_HASH] = this.#hash;
    segment.words[free + SLOT_ENTRY] = entry;
  }

  /** Looks at all segments once more, one at each call of sweep(). */
  beginSweep(): void {
    this.#sweepAt = 0;
  }

  /** Makes one segment smaller if much of it has become free; true if all have been looked at. */
  sweep(first: number, next: number): boolean {
    if (this.#sweepAt >= this.#directory.length) return true;
    const at = this.#firstPlace(this.#sweepAt);
    const segment = this.#directory[at];
    const places = this.#placesOf(segment);
    this.#sweepAt = at + places;
    const live = liveIn(segment, first, next);
    if (segment.depth > 0 && live < UNITED / 2) {
      const neighbour = this.#directory[at ^ places];
      const isWhole = neighbour.depth === segment.depth;
      const all = live + liveIn(neighbour, first, next);
      if (isWhole && all < UNITED) {
        const lower = Math.min(at, at ^ places);
        const united = newSegment(segment.depth - 1, this.#capacityFor(all));
        this.#move(segment, first, next, united, united);
        this.#move(neighbour, first, next, united, united);
        this.#put(lower, united);
        this.#sweepAt = lower + 2 * places;
        return false;
      }
    }
    if (this.#capacityFor(live) < SPARSE / this.#fresh * segment.capacity) {
      this.#resize(at, live, first, next);
    }
    return false;
  }

  /** Rebuilds a segment, as two if it is large. */
  #renew(place: number, first: number, next: number): void {
    const segment = this.#directory[place];
    const live = liveIn(segment, first, next);
    if (live <= this.#fresh * SEGMENT_MAX) {
      this.#resize(this.#firstPlace(place), live, first, next);
      return;
    }
    if (segment.depth === this.#bits) {
      this.#directory = this.#directory.flatMap((one) => [one, one]);
      this.#bits++;
      this.#sweepAt *= 2;
      place *= 2;
    }
    const at = this.#firstPlace(place);
    const depth = segment.depth + 1;
    const half = live / 2;
    const slots = this.#capacityFor(half + 3 * Math.sqrt(half));
    const lower = newSegment(depth, slots);
    const upper = newSegment(depth, slots);
    this.#move(segment, first, next, lower, upper);
    this.#put(at, lower);
    this.#put(at + this.#placesOf(lower), upper);
  }

  #resize(at: number, live: number, first: number, next: number): void {
    const segment = this.#directory[at];
    const resized = newSegment(segment.depth, this.#capacityFor(live));
    this.#move(segment, first, next, resized, resized);
    this.#put(at, resized);
  }

  /** Moves the slots of entries that have not left: by the first bit in which their hashes differ to the lower or the upper half. */
  #move(
    { words, depth }: Segment,
    first: number,
    next: number,
    lower: Segment,
    upper: Segment,
  ): void {
    for (let at = 0; at < words.length; at += SLOT_WORDS) {
      const hash = words[at + SLOT_HASH];
      if (hash === 0) continue;
      if ((words[at + SLOT_ENTRY] - first) >>> 0 >= next - first) continue;
      const half = (hash >>> (31 - depth)) & 1 ? upper : lower;
      const free = freeSlot(half, hash);
      half.words[free + SLOT_HASH] = hash;
      half.words[free + SLOT_ENTRY] = words[at + SLOT_ENTRY];
      half.used++;
      this.moved++;
    }
  }

  #capacityFor(live: number): number {
    return Math.max(SEGMENT_MIN, Math.ceil(live / this.#fresh));
  }

  /** The place in the directory of the hash that is searched for. */
  #place(): number {
    // A shift by 32 is a shift by 0.
    return this.#bits === 0 ? 0 : this.#hash >>> (32 - this.#bits);
  }

  #placesOf({ depth }: Segment): number {
    return 1 << (this.#bits - depth);
  }

  /** The first place of the segment that has this one. */
  #firstPlace(place: number): number {
    return place - place % this.#placesOf(this.#directory[place]);
  }

  /** Gives a segment its places, from this one on. */
  #put(at: number, segment: Segment): void {
    this.#directory.fill(segment, at, at + this.#placesOf(segment));
  }
}

function requireSize(size: number, min: number, max: number): void {
  if (size >= min && size <= max) return;
  throw new Error(`${size} is no size of the ledger's index`);
}

function newSegment(depth: number, capacity: number): Segment {
  const words = new Int32Array(capacity * SLOT_WORDS);
  return { depth, capacity, words, used: 0 };
}

function liveIn({ words }: Segment, first: number, next: number): number {
  let live = 0;
  for (let at = 0; at < words.length; at += SLOT_WORDS) {
    if (words[at + SLOT_HASH] === 0) continue;
    if ((words[at + SLOT_ENTRY] - first) >>> 0 < next - first) live++;
  }
  return live;
}

/** The slot where the search for a hash begins, by other bits than those that choose the segment. */
function home(hash: number, capacity: number): number {
  const spread = Math.imul(hash, 0x9e37_79b1) >>> 0;
  return Math.floor(spread / WORD * capacity) * SLOT_WORDS;
}

function after(at: number, { length }: Int32Array): number {
  return at + SLOT_WORDS === length ? 0 : at + SLOT_WORDS;
}

function freeSlot({ words, capacity }: Segment, hash: number): number {
  let at = home(hash, capacity);
  while (words[at + SLOT_HASH] !== 0) at = after(at, words);
  return at;
}

/** The upper 32 bits of a whole number below 2^53. */
function highWord(whole: number): number {
  return whole < WORD ? 0 : Math.floor(whole / WORD);
}

/** The finalizer of MurmurHash3 (Austin Appleby, public domain): every bit of the input changes every bit of the output in half of all cases. */
function mixed(bits: number): number {
  bits = Math.imul(bits ^ (bits >>> 16), 0x85eb_ca6b);
  bits = Math.imul(bits ^ (bits >>> 13), 0xc2b2_ae35);
  return bits ^ (bits >>> 16);
}

/** Words of the fields that are hashed besides the ids. */
const FIELD_WORDS = 7;

/**
 * A hash of 64 bits of all fields of a payment but its id, every bit of them:
 * two of MurmurHash3's 32 bits, each with its own constants. Two payments of
 * one id that differ hash alike once in 2^64 times.
 */
class FieldsHash {
  // The two doubles, then the card and the terminal, then the whole numbers
  // below 2^31.
  readonly #words: Int32Array;
  readonly #doubles: Float64Array;
  readonly #digests: Int32Array | undefined;
  readonly #idWords: number;
  /** The first half. */
  low = 0;
  /** The second. */
  high = 0;

  constructor(digests: Int32Array | undefined) {
    this.#digests = digests;
    this.#idWords = digests ? DIGEST_WORDS : 1;
    const buffer = new ArrayBuffer(4 * (FIELD_WORDS + 2 * this.#idWords) + 4);
    this.#words = new Int32Array(
      buffer,
      0,
      FIELD_WORDS + 2 * this.#idWords,
    );
    this.#doubles = new Float64Array(buffer, 0, 2);
  }

  /** Computes the hash of a payment. */
  take(row: Payment): void {
    const words = this.#words;
    // Plus 0, so that -0 counts as 0.
    this.#doubles[0] = row.amount + 0;
    this.#doubles[1] = row.datetimeSeconds + 0;
    if (this.#digests === undefined) {
      words[4] = row.customerId;
      words[5] = row.terminalId;
    } else {
      for (let i = 0; i < 2 * DIGEST_WORDS; i++) {
        words[4 + i] = this.#digests[DIGEST.customer + i];
      }
    }
    const { length } = words;
    words[length - 3] = row.timeSeconds;
    words[length - 2] = row.fraud;
    words[length - 1] = row.scenario;
    let low = 0x2545_f491;
    let high = 0x4f6c_dd1d;
    for (let i = 0; i < length; i++) {
      const word = words[i];
      let k = Math.imul(word, 0xcc9e_2d51);
      k = Math.imul((k << 15) | (k >>> 17), 0x1b87_3593);
      low ^= k;
      low = Math.imul((low << 13) | (low >>> 19), 5) + 0xe654_6b64 | 0;
      k = Math.imul(word, 0x239b_961b);
      k = Math.imul((k << 16) | (k >>> 16), 0xab0e_9789);
      high ^= k;
      high = Math.imul((high << 17) | (high >>> 15), 9) + 0x561c_cd1b | 0;
    }
    this.low = mixed(low ^ length);
    this.high = mixed(high ^ length);
  }
}
