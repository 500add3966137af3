/**
 * Small numbers for keys that are texts or large numbers, while something is
 * kept for them: windows take keys below 2^31. A key is known by its digest
 * (id_digest.ts). The digests lie in chunks that never move, a key table finds
 * them, and a number that is given up is used again. No step copies more than a
 * segment of that table.
 */
import {
  readInts,
  type StateSink,
  type StateSource,
  writeView,
} from "../base/state_stream.ts";
import { DIGEST_WORDS, digestBits, isSameDigest } from "./id_digest.ts";
import { KeyTable } from "./key_table.ts";

// A slot: the digest, then one more than the slot that follows in its chain, 0
// at the end; in a free one -1 less the next free one.
const NEXT = DIGEST_WORDS;
const SLOT_WORDS = DIGEST_WORDS + 1;
/** Bytes of a key: its slot, and its place in the table. */
export const SLOT_BYTES: number = 4 * SLOT_WORDS + 14;
/** Slots of a chunk. */
const CHUNK = 1024;
/** More slots than any memory holds. */
const SLOTS_MAX = 2 ** 30;

/** Numbers of keys. */
export class KeySlots {
  // Random, so that nobody can choose numbers that share a chain.
  readonly #seed = crypto.getRandomValues(new Int32Array(1))[0];
  // From 31 bits of a digest to one more than the first slot with them.
  #table = new KeyTable();
  #chunks: Int32Array<ArrayBuffer>[] = [];
  #count = 0;
  // One more than the first free slot; 0 for none.
  #free = 0;
  #size = 0;
  #latest = -1;

  /** Number of keys. */
  get size(): number {
    return this.#size;
  }

  /** Bytes held in typed arrays. */
  get bytes(): number {
    return this.#table.bytes + this.#chunks.length * CHUNK * SLOT_WORDS * 4;
  }

  /** The number of the key whose digest begins at `words[at]`; a new one if it has none. */
  slotOf(words: Int32Array, at: number): number {
    const bits = digestBits(words, at, this.#seed);
    const first = this.#table.get(bits);
    const known = this.#search(first, words, at);
    if (known >= 0) return this.#latest = known;
    const slot = this.#newSlot();
    const chunk = this.#chunkOf(slot);
    const place = placeOf(slot);
    for (let i = 0; i < DIGEST_WORDS; i++) chunk[place + i] = words[at + i];
    chunk[place + NEXT] = first;
    this.#table.set(bits, slot + 1);
    this.#size++;
    return this.#latest = slot;
  }

  /** The number of the key whose digest begins at `words[at]`; -1 if it has none. */
  find(words: Int32Array, at: number): number {
    this.#latest = -1; // nothing is added for what is only looked for
    const bits = digestBits(words, at, this.#seed);
    return this.#search(this.#table.get(bits), words, at);
  }

  /** The slot of a digest in the chain that begins with a slot, one more than its number; -1 if it is not there. */
  #search(first: number, words: Int32Array, at: number): number {
    for (let next = first; next !== 0;) {
      const chunk = this.#chunkOf(next - 1);
      const place = placeOf(next - 1);
      if (isSameDigest(chunk, place, words, at)) return next - 1;
      next = chunk[place + NEXT];
    }
    return -1;
  }

  /** Gives up a number; but not the one that slotOf() gave last, for which something is being added. */
  release(slot: number): void {
    if (slot === this.#latest) return;
    const chunk = this.#chunkOf(slot);
    const place = placeOf(slot);
    const bits = digestBits(chunk, place, this.#seed);
    this.#unlink(bits, slot, chunk[place + NEXT]);
    chunk[place + NEXT] = -1 - this.#free;
    this.#free = slot + 1;
    this.#size--;
  }

  /** Writes all keys with their numbers. */
  save(sink: StateSink): void {
    writeView(sink, Int32Array.of(this.#count));
    for (let slot = 0; slot < this.#count; slot += CHUNK) {
      const slots = Math.min(CHUNK, this.#count - slot);
      writeView(sink, this.#chunkOf(slot).subarray(0, slots * SLOT_WORDS));
    }
  }

  /** Loads what save() wrote, in place of what there is. Throws an Error if it cannot be valid. */
  load(source: StateSource): void {
    const [count] = readInts(source, 1);
    if (count < 0 || count > SLOTS_MAX) throw new Error(`${count} keys`);
    this.#table = new KeyTable();
    this.#chunks = [];
    this.#count = count;
    this.#free = 0;
    this.#size = 0;
    this.#latest = -1;
    for (let slot = 0; slot < count; slot++) {
      if (slot % CHUNK === 0) {
        const slots = Math.min(CHUNK, count - slot);
        const chunk = new Int32Array(CHUNK * SLOT_WORDS);
        const bytes = source.read(4 * slots * SLOT_WORDS);
        new Uint8Array(chunk.buffer).set(bytes);
        this.#chunks.push(chunk);
      }
      this.#link(slot);
    }
  }

  /** Puts a loaded slot into its chain, or among the free ones. */
  #link(slot: number): void {
    const chunk = this.#chunkOf(slot);
    const place = placeOf(slot);
    if (chunk[place + NEXT] < 0) {
      chunk[place + NEXT] = -1 - this.#free;
      this.#free = slot + 1;
      return;
    }
    const bits = digestBits(chunk, place, this.#seed);
    chunk[place + NEXT] = this.#table.get(bits);
    this.#table.set(bits, slot + 1);
    this.#size++;
  }

  /** Takes a slot out of its chain; `next` follows it there. */
  #unlink(bits: number, slot: number, next: number): void {
    const first = this.#table.get(bits);
    if (first === slot + 1) {
      if (next === 0) this.#table.delete(bits);
      else this.#table.set(bits, next);
      return;
    }
    for (let before = first; before !== 0;) {
      const chunk = this.#chunkOf(before - 1);
      const at = placeOf(before - 1) + NEXT;
      if (chunk[at] === slot + 1) {
        chunk[at] = next;
        return;
      }
      before = chunk[at];
    }
  }

  #newSlot(): number {
    if (this.#free === 0) {
      if (this.#count % CHUNK === 0) {
        this.#chunks.push(new Int32Array(CHUNK * SLOT_WORDS));
      }
      return this.#count++;
    }
    const slot = this.#free - 1;
    this.#free = -1 - this.#chunkOf(slot)[placeOf(slot) + NEXT];
    return slot;
  }

  #chunkOf(slot: number): Int32Array<ArrayBuffer> {
    return this.#chunks[Math.floor(slot / CHUNK)];
  }
}

function placeOf(slot: number): number {
  return slot % CHUNK * SLOT_WORDS;
}
