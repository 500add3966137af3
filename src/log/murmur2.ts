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

/** Ids remembered at most; a power of two. */
const REMEMBERED = 1 << 14;

/**
 * Partitions of whole-number keys, written in decimal; remembers some of the
 * last ones, since a stream asks for the same ids over and over.
 */
export class IdPartitioner {
  readonly #partitions: number;
  readonly #encoder = new TextEncoder();
  // The id at a place and its partition; ids with the same low bits share one.
  readonly #ids = new Float64Array(REMEMBERED).fill(-1);
  readonly #known = new Int32Array(REMEMBERED);

  /** Chooses among `partitions`, at least 1. */
  constructor(partitions: number) {
    this.#partitions = partitions;
  }

  /** Partition of the id's decimal text. */
  partition(id: number): number {
    const place = id & (REMEMBERED - 1);
    if (this.#ids[place] !== id) {
      const key = this.#encoder.encode(String(id));
      this.#known[place] = partitionOf(key, this.#partitions);
      this.#ids[place] = id;
    }
    return this.#known[place];
  }
}
