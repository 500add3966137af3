/**
 * Which TRANSACTION_IDs have been read, and where. Ids that are consecutive
 * along the lines of a file, as generated ones are, cost almost nothing; others
 * take about 32 bytes each.
 */

/** Consecutive ids from `first`, at consecutive places from `place`. */
interface Range {
  readonly first: number;
  readonly place: number;
  count: number;
}

/** Slots of the first table of single ids; a power of two. */
const SLOTS_MIN = 1024;

/** Remembers ids and their places. */
export class IdLedger {
  /** Ascending ids. */
  readonly #ranges: Range[] = [];
  readonly #limit: number;
  #ids = new Float64Array(SLOTS_MIN).fill(-1);
  #places = new Float64Array(SLOTS_MIN);
  #count = 0;

  /** Makes an empty ledger for up to `limit` ids that are not consecutive. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Whether one more id that is not consecutive would exceed the limit. */
  get full(): boolean {
    return this.#count + this.#ranges.length >= this.#limit;
  }

  /**
   * Adds an id (0 … 2^53 - 1) with its place, or returns the place of the same
   * id; undefined if it is new.
   */
  add(id: number, place: number): number | undefined {
    const last = this.#ranges.at(-1);
    if (last !== undefined && id === last.first + last.count) {
      if (place === last.place + last.count) {
        // Above every range, but it may be among the single ids.
        const before = this.#single(id);
        if (before === undefined) last.count++;
        return before;
      }
    }
    const before = this.#inRange(id) ?? this.#single(id);
    if (before !== undefined) return before;
    if (last === undefined || id >= last.first + last.count) {
      this.#ranges.push({ first: id, place, count: 1 });
    } else this.#insert(id, place);
    return undefined;
  }

  #inRange(id: number): number | undefined {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#ranges[middle].first <= id) low = middle + 1;
      else high = middle;
    }
    const range = low === 0 ? undefined : this.#ranges[low - 1];
    if (range === undefined || id >= range.first + range.count) {
      return undefined;
    }
    return range.place + (id - range.first);
  }

  #single(id: number): number | undefined {
    if (this.#count === 0) return undefined;
    const slot = this.#slotOf(id);
    return this.#ids[slot] === id ? this.#places[slot] : undefined;
  }

  /** The slot that holds `id`, or the free one where it belongs. */
  #slotOf(id: number): number {
    const mask = this.#ids.length - 1;
    const low = id | 0;
    const high = Math.floor(id / 2 ** 32) | 0;
    let slot = Math.imul(low ^ Math.imul(high, 0x85ebca6b), 0x9e3779b1);
    slot = (slot ^ (slot >>> 15)) & mask;
    while (this.#ids[slot] !== id && this.#ids[slot] >= 0) {
      slot = (slot + 1) & mask;
    }
    return slot;
  }

  #insert(id: number, place: number): void {
    if (2 * this.#count >= this.#ids.length) this.#grow();
    const slot = this.#slotOf(id);
    this.#ids[slot] = id;
    this.#places[slot] = place;
    this.#count++;
  }

  #grow(): void {
    const ids = this.#ids;
    const places = this.#places;
    this.#ids = new Float64Array(2 * ids.length).fill(-1);
    this.#places = new Float64Array(2 * ids.length);
    for (let slot = 0; slot < ids.length; slot++) {
      if (ids[slot] < 0) continue;
      const to = this.#slotOf(ids[slot]);
      this.#ids[to] = ids[slot];
      this.#places[to] = places[slot];
    }
  }
}
