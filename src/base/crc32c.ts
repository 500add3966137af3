/**
 * CRC-32C (Castagnoli), the checksum of Kafka's record batches, sixteen
 * bytes at a time, read as words ("slicing by 16", after Kounavis and Berry,
 * 2005). RFC 3720, appendix B.4 has the test vectors.
 */

const POLYNOMIAL = 0x82f6_3b78; // reflected
const TABLES = makeTables();
/** Shorter input is not worth reading in words. */
const WORDS_FROM = 19;
const NO_WORDS = new Int32Array(0);

function makeTables(): Int32Array {
  const tables = new Int32Array(16 * 256);
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

/** The checksum of `bytes`, a whole number without sign; given the checksum of the bytes before them, the checksum of both. */
export function crc32c(bytes: Uint8Array, before = 0): number {
  const table = TABLES;
  const { buffer, byteOffset, length } = bytes;
  let crc = ~before;
  let at = 0;
  let words: Int32Array<ArrayBufferLike> = NO_WORDS;
  if (length >= WORDS_FROM) {
    for (; (byteOffset + at) & 3; at++) {
      crc = (crc >>> 8) ^ table[(crc ^ bytes[at]) & 255];
    }
    // Little-endian, as all machines that Deno runs on.
    words = new Int32Array(buffer, byteOffset + at, (length - at) >> 4 << 2);
  }
  for (let i = 0; i < words.length; i += 4) {
    const a = crc ^ words[i];
    const b = words[i + 1];
    const c = words[i + 2];
    const d = words[i + 3];
    crc = table[3840 + (a & 255)] ^ table[3584 + (a >>> 8 & 255)] ^
      table[3328 + (a >>> 16 & 255)] ^ table[3072 + (a >>> 24)] ^
      table[2816 + (b & 255)] ^ table[2560 + (b >>> 8 & 255)] ^
      table[2304 + (b >>> 16 & 255)] ^ table[2048 + (b >>> 24)] ^
      table[1792 + (c & 255)] ^ table[1536 + (c >>> 8 & 255)] ^
      table[1280 + (c >>> 16 & 255)] ^ table[1024 + (c >>> 24)] ^
      table[768 + (d & 255)] ^ table[512 + (d >>> 8 & 255)] ^
      table[256 + (d >>> 16 & 255)] ^ table[d >>> 24];
  }
  for (at += 4 * words.length; at < length; at++) {
    crc = (crc >>> 8) ^ table[(crc ^ bytes[at]) & 255];
  }
  return ~crc >>> 0;
}
