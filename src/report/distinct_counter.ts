/**
 * How many different values came, in bounded memory: exactly up to a limit,
 * beyond it from a sample (Wegman's adaptive sampling: Flajolet, "On adaptive
 * sampling", 1990). Values are known by keys of 53 bits, a hash of texts; among
 * a million values two have the same key once in 18,000 reports.
 */
import { SipHash, SIPHASH_KEY_BYTES } from "../base/siphash.ts";
import { type TextHeap, textLength, textStart } from "../payment/text_heap.ts";

const WORD = 2 ** 32;

/** One more than the greatest key. */
const KEYS = 2 ** 53;

const SLOTS_FIRST = 16;

/** Makes keys of ids and texts. The same value always has the same key, so that a report of the same data is the same. */
export class ValueKeys {
  readonly #hash = new SipHash(new Uint8Array(SIPHASH_KEY_BYTES));
  readonly #words = new Int32Array(4);

  /** The key of a cell's text. */
  ofText(cell: number, texts: TextHeap): number {
    const start = textStart(cell);
    const words = this.#words;
    this.#hash.hash(texts.bytes, start, start + textLength(cell), words, 0);
    return (words[1] >>> 11) * WORD + (words[0] >>> 0);
  }

  /** The key of a whole number, 0 … 2^53 - 1; no two have the same. */
  ofNumber(value: number): number {
    const high = Math.floor(value / WORD);
    let low = (value ^ Math.imul(high, 0x9e3779b1)) + 0x7f4a7c15 | 0;
    low = Math.imul(low ^ low >>> 16, 0x85ebca6b);
    low = Math.imul(low ^ low >>> 13, 0xc2b2ae35);
    low ^= low >>> 16;
    return (high ^ low >>> 11) * WORD + (low >>> 0);
  }
}

/** A count of different values. */
export interface DistinctCount {
  /** How many. */
  readonly count: number;
  /** Whether there are exactly this many, or only about. */
  readonly isExact: boolean;
}

/** Counts different keys. */
export class DistinctCounter {
  readonly #limit: number;
  /** Keys below `#end`, each plus 1, by open addressing; 0 is a free slot. */
  #slots = new Float64Array(SLOTS_FIRST);
  #size = 0;
  /** Keys from here on are not in the sample. */
  #end = KEYS;

  /** Counts exactly up to `limit` different keys, at 32 bytes each at most. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Takes a key. */
  add(key: number): void {
    if (key >= this.#end) return;
    const at = slotOf(this.#slots, key);
    if (this.#slots[at] !== 0) return;
    this.#slots[at] = key + 1;
    this.#size++;
    while (this.#size > this.#limit) {
      this.#end /= 2;
      this.#refill(this.#slots.length);
    }
    if (2 * this.#size > this.#slots.length) {
      this.#refill(2 * this.#slots.length);
    }
  }

  /** How many different keys came. */
  get distinct(): DistinctCount {
    return {
      count: this.#size * (KEYS / this.#end),
      isExact: this.#end === KEYS,
    };
  }

  /** Puts the keys of the sample into this many slots. */
  #refill(length: number): void {
    const before = this.#slots;
    this.#slots = new Float64Array(length);
    this.#size = 0;
    for (const held of before) {
      if (held === 0 || held > this.#end) continue;
      this.#slots[slotOf(this.#slots, held - 1)] = held;
      this.#size++;
    }
  }
}

/** Where a key stands, or the free slot for it. */
function slotOf(slots: Float64Array, key: number): number {
  const mask = slots.length - 1;
  // The lowest bits; those of the sample are the highest.
  let at = key & mask;
  while (slots[at] !== 0 && slots[at] !== key + 1) at = at + 1 & mask;
  return at;
}
