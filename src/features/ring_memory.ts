/**
 * Memory for many small rings that grow and shrink: pages of words, each page
 * divided into rings of one size. The last ring of a size replaces a ring that
 * is freed, and the last page replaces a page that is freed, so there are no
 * holes in any order. At most the end of the last page of each size is unused.
 * Pages lie in slabs that are added and freed one by one; no step copies more
 * than a page.
 */
import type { StateSource } from "../base/state_stream.ts";

/** Words of 4 bytes in a page, and in the largest ring. */
const PAGE_WORDS = 2048;
const PAGE_BITS = 11;
/** Words in a slab: an address is a slab's number and 15 bits of the word in it. */
const SLAB_WORDS = 1 << 15;
const SLAB_PAGES = SLAB_WORDS / PAGE_WORDS;
const SLABS_MAX = 0xffff;
/** Words of the smallest ring; every size is a whole number of doubles. */
const WORDS_MIN = 16;

const EMPTY = new ArrayBuffer(0);

/** The rings of one size. */
interface SizeClass {
  /** Words of a ring. */
  readonly words: number;
  /** Rings in a page. */
  readonly room: number;
  /** Numbers of its pages: all are full except the last two, and the last may be a spare. */
  readonly pages: number[];
  /** Number of rings. */
  count: number;
}

/** Rings of up to a page of words. The first word of each is its owner's key. */
export class RingMemory {
  /** The words of the rings by slab; so are `shorts` and `doubles`, over the same bytes. No ring is in slab 0. */
  readonly words: Int32Array[] = [];
  /** The words as halves: of word w, 2w and 2w + 1. */
  readonly shorts: Uint16Array[] = [];
  /** The words in pairs: words 2d and 2d + 1. */
  readonly doubles: Float64Array[] = [];
  /** Of each size class, the words of its rings, ascending by about an eighth up to a page. */
  readonly sizes: readonly number[];
  readonly #moved: (key: number, address: number) => void;
  readonly #classes: SizeClass[] = [];
  // Of each page, its size class and its place among the pages of that.
  readonly #classOf: number[] = [];
  readonly #placeOf: number[] = [];
  #pages = SLAB_PAGES;

  /** Makes memory without rings. `moved` is called with each key whose ring has moved to another address. */
  constructor(moved: (key: number, address: number) => void) {
    this.#moved = moved;
    this.#addSlab(EMPTY);
    let room = PAGE_WORDS / WORDS_MIN;
    let smaller = 0;
    for (; room > 0; room = Math.min(room - 1, Math.round(room / 1.125))) {
      const words = 2 * Math.floor(PAGE_WORDS / room / 2);
      if (words > smaller) {
        this.#classes.push({ words, room, pages: [], count: 0 });
      }
      smaller = words;
    }
    this.sizes = this.#classes.map(({ words }) => words);
  }

  /** Bytes held. */
  get bytes(): number {
    return (this.words.length - 1) * 4 * SLAB_WORDS;
  }

  /** Bytes that would be held by rings of which there are as many of each size class as given, with half of the spare pages and slabs. */
  bytesFor(rings: ReadonlyMap<number, number>): number {
    let pages = 0;
    for (const [sizeClass, count] of rings) {
      pages += Math.ceil(count / this.#classes[sizeClass].room) + 0.5;
    }
    return (Math.ceil(pages / SLAB_PAGES) + 0.5) * 4 * SLAB_WORDS;
  }

  /**
   * The address of an unused ring of a size class, with arbitrary content. Its
   * slab is address >>> 15, its first word there address & 0x7fff. Throws
   * RangeError when 8 GiB are used.
   */
  allocate(sizeClass: number): number {
    const { pages, room, words, count } = this.#classes[sizeClass];
    const page = Math.floor(count / room);
    if (page === pages.length) this.#addPage(sizeClass);
    this.#classes[sizeClass].count++;
    return pages[page] << PAGE_BITS | (count % room) * words;
  }

  /** Frees a ring: the last of its size class takes its address, and the last page that of a page that is no longer needed. */
  release(address: number, sizeClass: number): void {
    const rings = this.#classes[sizeClass];
    const { words, pages, room } = rings;
    const last = --rings.count;
    const page = Math.floor(last / room);
    const from = pages[page] << PAGE_BITS | (last % room) * words;
    if (address !== from) {
      this.#copy(from, address, words);
      this.#moved(this.words[address >>> 15][address & 0x7fff], address);
    }
    // An empty page is kept until the one before it is half empty.
    const needed = Math.ceil((last + (room >> 1)) / room);
    while (pages.length > (last === 0 ? 0 : needed)) this.#dropPage(pages);
  }

  /** Number of rings of a size class. */
  countOf(sizeClass: number): number {
    return this.#classes[sizeClass].count;
  }

  /** The words of a size class's rings, page by page. */
  *wordsOf(sizeClass: number): Generator<Int32Array> {
    const { pages, room, words, count } = this.#classes[sizeClass];
    for (let at = 0; at * room < count; at++) {
      const address = pages[at] << PAGE_BITS;
      const from = address & 0x7fff;
      const length = Math.min(count - at * room, room) * words;
      yield this.words[address >>> 15].subarray(from, from + length);
    }
  }

  /**
   * Adds `count` rings of a size class that were saved to memory that has none,
   * and passes on the address of each once its words are loaded. Throws what
   * `source` does.
   */
  *load(
    sizeClass: number,
    count: number,
    source: StateSource,
  ): Generator<number> {
    if (count < 0) throw new Error(`${count} rings of one size`);
    const rings = this.#classes[sizeClass];
    const { pages, room, words } = rings;
    for (let left = count; left > 0; left -= room) {
      const used = Math.min(left, room);
      const bytes = source.read(4 * used * words);
      this.#addPage(sizeClass);
      rings.count += used;
      const address = pages[pages.length - 1] << PAGE_BITS;
      const { buffer } = this.words[address >>> 15];
      new Uint8Array(buffer, 4 * (address & 0x7fff)).set(bytes);
      for (let at = 0; at < used; at++) yield address | at * words;
    }
  }

  #addPage(sizeClass: number): void {
    const page = this.#pages++;
    const slab = Math.floor(page / SLAB_PAGES);
    if (slab > SLABS_MAX) {
      throw new RangeError(
        "the windows of one partition need more than 8 GiB; use more " +
          "--partitions or fewer --windows",
      );
    }
    if (slab === this.words.length) {
      this.#addSlab(new ArrayBuffer(4 * SLAB_WORDS));
    }
    const { pages } = this.#classes[sizeClass];
    this.#classOf[page] = sizeClass;
    this.#placeOf[page] = pages.length;
    pages.push(page);
  }

  /** Frees the last of some pages. */
  #dropPage(pages: number[]): void {
    const hole = pages.pop() ?? 0;
    const page = --this.#pages;
    if (page !== hole) {
      this.#copy(page << PAGE_BITS, hole << PAGE_BITS, PAGE_WORDS);
      const sizeClass = this.#classOf[page];
      const place = this.#placeOf[page];
      const rings = this.#classes[sizeClass];
      this.#classOf[hole] = sizeClass;
      this.#placeOf[hole] = place;
      rings.pages[place] = hole;
      const end = Math.min(rings.room, rings.count - place * rings.room);
      for (let at = 0; at < end; at++) {
        const address = hole << PAGE_BITS | at * rings.words;
        this.#moved(this.words[address >>> 15][address & 0x7fff], address);
      }
    }
    // An empty slab, too, is kept until the one before it is half empty.
    const used = this.#pages - SLAB_PAGES;
    const needed = Math.ceil((used + SLAB_PAGES / 2) / SLAB_PAGES);
    while (this.words.length - 1 > (used === 0 ? 0 : needed)) {
      this.words.pop();
      this.shorts.pop();
      this.doubles.pop();
    }
  }

  #addSlab(buffer: ArrayBuffer): void {
    this.words.push(new Int32Array(buffer));
    this.shorts.push(new Uint16Array(buffer));
    this.doubles.push(new Float64Array(buffer));
  }

  #copy(from: number, to: number, length: number): void {
    const source = this.words[from >>> 15];
    const target = this.words[to >>> 15];
    const first = from & 0x7fff;
    const second = to & 0x7fff;
    for (let i = 0; i < length; i++) target[second + i] = source[first + i];
  }
}
