/**
 * CRC-32C (Castagnoli), the checksum of Kafka's record batches, eight bytes at
 * a time ("slicing by 8": Kounavis and Berry, 2005). RFC 3720, appendix B.4
 * has the test vectors.
 */

const POLYNOMIAL = 0x82f6_3b78; // reflected
const TABLES = makeTables();

function makeTables(): Int32Array {
  const tables = new Int32Array(8 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte;
    for (let bit = 0; bit < 8; bit++) {
      crc = crc & 1 ? (crc >>> 1) ^ POLYNOMIAL : crc >>> 1;
    }
    tables[byte] = crc;
  }
  for (let at = 256; at < tables.length; at++) {
    const before = tables[at - 256];
    tables[at] = (before >>> 8) ^ tables[before & 255];
  }
  return tables;
}

/** The checksum of `bytes`, a whole number without sign. */
export function crc32c(bytes: Uint8Array): number {
  const table = TABLES;
  const { length } = bytes;
  let crc = -1;
  let at = 0;
  for (; at + 8 <= length; at += 8) {
    crc ^= bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16 |
      bytes[at + 3] << 24;
    crc = table[1792 + (crc & 255)] ^
      table[1536 + (crc >>> 8 & 255)] ^
      table[1280 + (crc >>> 16 & 255)] ^
      table[1024 + (crc >>> 24)] ^
      table[768 + bytes[at + 4]] ^
      table[512 + bytes[at + 5]] ^
      table[256 + bytes[at + 6]] ^
      table[bytes[at + 7]];
  }
  for (; at < length; at++) {
    crc = (crc >>> 8) ^ table[(crc ^ bytes[at]) & 255];
  }
  return ~crc >>> 0;
}
