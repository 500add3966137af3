/**
 * Memory for many small rings that grow and shrink: pages of words, each page
 * divided into rings of one size. A ring that is given back is filled with the
 * last ring of its size, so there are no holes, whatever the order; what is
 * unused at most is the end of the last page of every size. Pages come and go
 * one by one, none is ever copied.
 */
import type { StateSource } from "../base/state_stream.ts";

/** Words of 4 bytes in a page at most; an address is the page's number and the word in it. */
const PAGE_WORDS = 1 << 16;
/** Words in the first page of a size, about. */
const PAGE_WORDS_MIN = 1024;
/** A new page holds so many parts of the rings there are. */
const GROWTH = 10;
const PAGES_MAX = 0x7fff;
/** Words of the smallest ring; every size is a multiple of two doubles. */
const WORDS_MIN = 16;

const EMPTY = new ArrayBuffer(0);

/** The rings of one size. */
interface SizeClass {
  /** Words of a ring. */
  readonly words: number;
  /** Numbers of its pages: all but the last two are full, and the last may be a spare one. */
  readonly pages: number[];
  /** Which of them has the last ring; -1 without a ring. */
  last: number;
  /** Rings in that one. */
  used: number;
  /** Number of rings. */
  count: number;
}

/** Rings of up to a number of words. The first word of each is its owner's key. */
export class RingMemory {
  /** Words of the rings by page; so are `shorts` and `doubles`, over the same bytes. */
  readonly words: Int32Array[] = [new Int32Array(EMPTY)];
  /** The words as halves: of word w, 2w and 2w + 1. */
  readonly shorts: Uint16Array[] = [new Uint16Array(EMPTY)];
  /** The words in pairs: words 2d and 2d + 1. */
  readonly doubles: Float64Array[] = [new Float64Array(EMPTY)];
  /** Of each size class, the words of its rings, ascending by about an eighth. */
  readonly sizes: readonly number[];
  readonly #classes: readonly SizeClass[];
  readonly #freePages: number[] = [];
  #bytes = 0;

  /** Makes memory without rings; the greatest have at least `wordsMax` words. */
  constructor(wordsMax: number) {
    const sizes = [WORDS_MIN];
    for (let words = WORDS_MIN; words < wordsMax;) {
      words = Math.ceil(words * 1.125 / 4) * 4;
      sizes.push(words);
    }
    this.sizes = sizes;
    this.#classes = sizes.map((words) => ({
      words,
      pages: [],
      last: -1,
      used: 0,
      count: 0,
    }));
  }

  /** Bytes held. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * The address of an unused ring of a size class, with whatever stood there.
   * Its page is address >>> 16, its first word address & 0xffff. Throws
   * RangeError when 8 GiB are used.
   */
  allocate(sizeClass: number): number {
    const rings = this.#classes[sizeClass];
    const full = rings.last < 0 || rings.used === this.#roomOf(rings);
    if (full) {
      if (++rings.last === rings.pages.length) {
        this.#addPage(rings, rings.count / GROWTH);
      }
      rings.used = 0;
    }
    rings.count++;
    return rings.pages[rings.last] << 16 | rings.used++ * rings.words;
  }

  /**
   * Gives a ring back. The last of its class moves to its address, and its
   * key is returned; -1 if none had to move.
   */
  release(address: number, sizeClass: number): number {
    const rings = this.#classes[sizeClass];
    const { words, pages } = rings;
    const page = pages[rings.last];
    const from = --rings.used * words;
    rings.count--;
    let moved = -1;
    if (address !== (page << 16 | from)) {
      const source = this.words[page];
      const target = this.words[address >>> 16];
      const to = address & 0xffff;
      for (let i = 0; i < words; i++) target[to + i] = source[from + i];
      moved = target[to];
    }
    if (rings.used === 0) {
      rings.last--;
      if (rings.last >= 0) rings.used = this.#roomOf(rings);
    }
    // An empty page is kept until the one before it is half empty.
    while (
      pages.length > rings.last + 1 &&
      (rings.last < 0 || 2 * rings.used < this.#roomOf(rings))
    ) {
      this.#dropPage(pages.pop() ?? 0);
    }
    return moved;
  }

  /** Number of rings of a size class. */
  countOf(sizeClass: number): number {
    return this.#classes[sizeClass].count;
  }

  /** The rings of a size class in pieces: the page, and how many of its words are rings. */
  *usedOf(sizeClass: number): Generator<[page: number, words: number]> {
    const rings = this.#classes[sizeClass];
    for (let at = 0; at <= rings.last; at++) {
      const page = rings.pages[at];
      const isLast = at === rings.last;
      const room = Math.floor(this.words[page].length / rings.words);
      yield [page, (isLast ? rings.used : room) * rings.words];
    }
  }

  /**
   * Adds `count` rings of a size class that were saved, and hands out the
   * address of each as soon as its words are there. Throws what `source` does.
   */
  *load(
    sizeClass: number,
    count: number,
    source: StateSource,
  ): Generator<number> {
    if (count < 0) throw new Error(`${count} rings of one size`);
    const rings = this.#classes[sizeClass];
    for (let left = count; left > 0;) {
      this.#addPage(rings, Math.max(left, rings.count / GROWTH));
      rings.last = rings.pages.length - 1;
      const page = rings.pages[rings.last];
      rings.used = Math.min(left, this.#roomOf(rings));
      rings.count += rings.used;
      left -= rings.used;
      const length = 4 * rings.used * rings.words;
      const bytes = new Uint8Array(this.words[page].buffer, 0, length);
      bytes.set(source.read(length));
      for (let ring = 0; ring < rings.used; ring++) {
        yield page << 16 | ring * rings.words;
      }
    }
  }

  #roomOf({ pages, last, words }: SizeClass): number {
    return Math.floor(this.words[pages[last]].length / words);
  }

  /** Adds a page with room for `wanted` rings, within the bounds of a page. */
  #addPage({ pages, words }: SizeClass, wanted: number): void {
    const least = Math.ceil(Math.max(wanted, PAGE_WORDS_MIN / words));
    const rings = Math.min(least, Math.floor(PAGE_WORDS / words));
    const page = this.#freePages.pop() ?? this.words.length;
    if (page > PAGES_MAX) {
      throw new RangeError("the windows of one partition are over 8 GiB");
    }
    this.#setPage(page, new ArrayBuffer(4 * rings * words));
    pages.push(page);
  }

  #dropPage(page: number): void {
    this.#setPage(page, EMPTY);
    this.#freePages.push(page);
  }

  #setPage(page: number, buffer: ArrayBuffer): void {
    const held = page < this.words.length ? this.words[page].byteLength : 0;
    this.#bytes += buffer.byteLength - held;
    this.words[page] = new Int32Array(buffer);
    this.shorts[page] = new Uint16Array(buffer);
    this.doubles[page] = new Float64Array(buffer);
  }
}
