/** The hash of Kafka's default partitioner. */

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
