/**
 * A map from small whole numbers, such as the slots of KeySlots, to whole
 * numbers other than 0: an array in chunks that never move, without hashing.
 */

/** Keys of a chunk. */
const CHUNK_BITS = 10;
const CHUNK_KEYS = 1 << CHUNK_BITS;
/** Keys that next() looks at. */
const NEXT_KEYS = 16;
/** Bytes of a key. */
export const SLOT_KEY_BYTES = 4;
/** Stands for every chunk that has had no key. */
const NO_KEYS = new Int32Array(CHUNK_KEYS);

/** A map from keys 0 … 2^31 - 1, best close together, to 32-bit whole numbers other than 0. It has the methods of KeyTable. */
export class SlotTable {
  readonly #chunks: Int32Array[] = [];
  #allocated = 0;
  #size = 0;
  #next = 0;

  /** Number of keys. */
  get size(): number {
    return this.#size;
  }

  /** Bytes held. */
  get bytes(): number {
    return this.#allocated * CHUNK_KEYS * SLOT_KEY_BYTES;
  }

  /** The value of a key; 0 if it has none, or is -1. */
  get(key: number): number {
    const chunk = key >>> CHUNK_BITS;
    return chunk < this.#chunks.length
      ? this.#chunks[chunk][key & (CHUNK_KEYS - 1)]
      : 0;
  }

  /** Gives a key a value other than 0. */
  set(key: number, value: number): void {
    const chunk = key >> CHUNK_BITS;
    while (this.#chunks.length <= chunk) this.#chunks.push(NO_KEYS);
    if (this.#chunks[chunk] === NO_KEYS) {
      this.#chunks[chunk] = new Int32Array(CHUNK_KEYS);
      this.#allocated++;
    }
    const values = this.#chunks[chunk];
    const place = key & (CHUNK_KEYS - 1);
    if (values[place] === 0) this.#size++;
    values[place] = value;
  }

  /** Removes a key that has a value. */
  delete(key: number): void {
    if (this.get(key) === 0) return;
    this.#chunks[key >> CHUNK_BITS][key & (CHUNK_KEYS - 1)] = 0;
    this.#size--;
  }

  /** The value of one more key, round and round; 0 where the next few keys have none. */
  next(): number {
    const chunk = this.#next >> CHUNK_BITS;
    if (chunk >= this.#chunks.length) {
      this.#next = 0;
      return 0;
    }
    const values = this.#chunks[chunk];
    const first = this.#next & (CHUNK_KEYS - 1);
    for (let place = first; place < first + NEXT_KEYS; place++) {
      if (place === CHUNK_KEYS) break;
      this.#next++;
      if (values[place] !== 0) return values[place];
    }
    return 0;
  }
}
