/**
 * Kafka's default partitioner: the same key lands in the same partition in
 * the embedded log and on a real broker.
 */

/**
 * 32-bit murmur2 of bytes with Kafka's seed (0x9747b28c), as a signed number.
 * After org.apache.kafka.common.utils.Utils.murmur2.
 */
export function murmur2(data: Uint8Array): number {
  const m = 0x5bd1_e995;
  const length = data.length;
  let h = 0x9747_b28c ^ length;
  let at = 0;
  for (; at + 4 <= length; at += 4) {
    let k = data[at] | data[at + 1] << 8 | data[at + 2] << 16 |
      data[at + 3] << 24;
    k = Math.imul(k, m);
    k ^= k >>> 24;
    h = Math.imul(h, m) ^ Math.imul(k, m);
  }
  const rest = length - at;
  if (rest >= 3) h ^= data[at + 2] << 16;
  if (rest >= 2) h ^= data[at + 1] << 8;
  if (rest >= 1) h = Math.imul(h ^ data[at], m);
  h ^= h >>> 13;
  h = Math.imul(h, m);
  h ^= h >>> 15;
  return h | 0;
}

/** Partition of a key among `partitions`, as Kafka's default partitioner chooses it. */
export function partitionOf(key: Uint8Array, partitions: number): number {
  return (murmur2(key) & 0x7fff_ffff) % partitions;
}

/**
 * Partitions of whole-number keys, written in decimal; remembers the small
 * ones, since a stream asks for the same ids over and over.
 */
export class IdPartitioner {
  readonly #partitions: number;
  readonly #encoder = new TextEncoder();
  #known = new Int32Array(1024).fill(-1);

  /** Chooses among `partitions`, at least 1. */
  constructor(partitions: number) {
    this.#partitions = partitions;
  }

  /** Partition of the id's decimal text. */
  partition(id: number): number {
    if (id >= REMEMBERED_MAX) return this.#compute(id);
    if (id >= this.#known.length) {
      let length = this.#known.length;
      while (length <= id) length *= 2;
      const larger = new Int32Array(length).fill(-1);
      larger.set(this.#known);
      this.#known = larger;
    }
    if (this.#known[id] < 0) this.#known[id] = this.#compute(id);
    return this.#known[id];
  }

  #compute(id: number): number {
    return partitionOf(this.#encoder.encode(String(id)), this.#partitions);
  }
}

const REMEMBERED_MAX = 1 << 20;
