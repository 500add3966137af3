/**
 * Which partition a key belongs to. With murmur2 a key has the same partition
 * in the embedded log and on a broker that Kafka's Java clients fill; CRC-32 is
 * that of librdkafka's clients.
 */
import { murmur2 } from "./murmur2.ts";

/** Ways to choose a partition: of Kafka's Java clients, and of librdkafka's (consistent, consistent_random). */
export const PARTITIONERS = ["murmur2", "crc32"] as const;

/** One of PARTITIONERS. */
export type Partitioner = typeof PARTITIONERS[number];

/** Partition of a key among `partitions`. */
export function partitionOf(
  key: Uint8Array,
  partitions: number,
  partitioner: Partitioner = "murmur2",
): number {
  const hash = partitioner === "murmur2"
    ? murmur2(key) & 0x7fff_ffff
    : crc32(key);
  return hash % partitions;
}

/** CRC-32 as in zlib, a whole number without sign. */
function crc32(bytes: Uint8Array): number {
  let crc = -1;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) {
      crc = crc & 1 ? (crc >>> 1) ^ 0xedb8_8320 : crc >>> 1;
    }
  }
  return ~crc >>> 0;
}

/** Most ids in the cache; a power of two. */
const REMEMBERED = 1 << 14;

/**
 * Partitions of ids: of whole numbers by their decimal text, some of which are
 * cached, since a stream repeats the same ids; of texts by their bytes.
 */
export class IdPartitioner {
  readonly #partitions: number;
  readonly #partitioner: Partitioner;
  readonly #encoder = new TextEncoder();
  // The id at a place and its partition; ids with the same low bits share one.
  readonly #ids = new Float64Array(REMEMBERED).fill(-1);
  readonly #known = new Int32Array(REMEMBERED);

  /** Chooses among `partitions`, at least 1. */
  constructor(partitions: number, partitioner: Partitioner = "murmur2") {
    this.#partitions = partitions;
    this.#partitioner = partitioner;
  }

  /** Partition of a text id, by its bytes. */
  partitionOfText(id: Uint8Array): number {
    if (this.#partitions === 1) return 0;
    return partitionOf(id, this.#partitions, this.#partitioner);
  }

  /** Partition of the id's decimal text. */
  partition(id: number): number {
    const place = id & (REMEMBERED - 1);
    if (this.#ids[place] !== id) {
      const key = this.#encoder.encode(String(id));
      this.#known[place] = partitionOf(
        key,
        this.#partitions,
        this.#partitioner,
      );
      this.#ids[place] = id;
    }
    return this.#known[place];
  }
}
