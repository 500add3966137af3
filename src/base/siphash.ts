/**
 * SipHash-2-4 with a result of 128 bits (Aumasson and Bernstein, "SipHash: a
 * fast short-input PRF", 2012): a hash of short texts under a secret key, for
 * which nobody without the key can find two texts of one hash. In words of 32
 * bits, since JavaScript has no fast ones of 64.
 */

/** Bytes of a key. */
export const SIPHASH_KEY_BYTES = 16;

/** Hashes bytes under one key. */
export class SipHash {
  readonly #start: Int32Array;

  /** Takes the key, SIPHASH_KEY_BYTES bytes. */
  constructor(key: Uint8Array) {
    if (key.length !== SIPHASH_KEY_BYTES) {
      throw new Error(`a key of ${key.length} bytes`);
    }
    const view = new DataView(key.buffer, key.byteOffset, key.length);
    const words = [0, 4, 8, 12].map((at) => view.getInt32(at, true));
    // "somepseudorandomlygeneratedbytes", and 0xee, as the paper's authors have it for 128 bits.
    this.#start = Int32Array.of(
      words[0] ^ 0x70736575,
      words[1] ^ 0x736f6d65,
      words[2] ^ 0x6e646f6d ^ 0xee,
      words[3] ^ 0x646f7261,
      words[0] ^ 0x6e657261,
      words[1] ^ 0x6c796765,
      words[2] ^ 0x79746573,
      words[3] ^ 0x74656462,
    );
  }

  /** Writes the hash of bytes `from` … `to` into four words from `out[at]` on. */
  hash(
    bytes: Uint8Array,
    from: number,
    to: number,
    out: Int32Array,
    at: number,
  ): void {
    // v0 to v3, each as a low and a high half.
    const start = this.#start;
    let a = start[0];
    let aHigh = start[1];
    let b = start[2];
    let bHigh = start[3];
    let c = start[4];
    let cHigh = start[5];
    let d = start[6];
    let dHigh = start[7];
    const blocks = (to - from) >> 3;
    // All blocks of 8 bytes, what is left, and two times the result's.
    for (let step = 0; step < blocks + 3; step++) {
      let low = 0;
      let high = 0;
      let rounds = 2;
      if (step < blocks) {
        low = wordAt(bytes, from + 8 * step);
        high = wordAt(bytes, from + 8 * step + 4);
      } else if (step === blocks) {
        low = tailAt(bytes, from + 8 * blocks, to);
        high = tailAt(bytes, from + 8 * blocks + 4, to) | (to - from) << 24;
      } else {
        rounds = 4;
        if (step === blocks + 1) c ^= 0xee;
        else b ^= 0xdd;
      }
      d ^= low;
      dHigh ^= high;
      for (; rounds > 0; rounds--) {
        // v0 += v1; v1 = v1 <<< 13 ^ v0; v0 <<<= 32.
        a = a + b | 0;
        aHigh = aHigh + bHigh + (a >>> 0 < b >>> 0 ? 1 : 0) | 0;
        let old = b;
        b = (b << 13 | bHigh >>> 19) ^ a;
        bHigh = (bHigh << 13 | old >>> 19) ^ aHigh;
        old = a;
        a = aHigh;
        aHigh = old;
        // v2 += v3; v3 = v3 <<< 16 ^ v2.
        c = c + d | 0;
        cHigh = cHigh + dHigh + (c >>> 0 < d >>> 0 ? 1 : 0) | 0;
        old = d;
        d = (d << 16 | dHigh >>> 16) ^ c;
        dHigh = (dHigh << 16 | old >>> 16) ^ cHigh;
        // v0 += v3; v3 = v3 <<< 21 ^ v0.
        a = a + d | 0;
        aHigh = aHigh + dHigh + (a >>> 0 < d >>> 0 ? 1 : 0) | 0;
        old = d;
        d = (d << 21 | dHigh >>> 11) ^ a;
        dHigh = (dHigh << 21 | old >>> 11) ^ aHigh;
        // v2 += v1; v1 = v1 <<< 17 ^ v2; v2 <<<= 32.
        c = c + b | 0;
        cHigh = cHigh + bHigh + (c >>> 0 < b >>> 0 ? 1 : 0) | 0;
        old = b;
        b = (b << 17 | bHigh >>> 15) ^ c;
        bHigh = (bHigh << 17 | old >>> 15) ^ cHigh;
        old = c;
        c = cHigh;
        cHigh = old;
      }
      a ^= low;
      aHigh ^= high;
      if (step > blocks) {
        const place = at + 2 * (step - blocks - 1);
        out[place] = a ^ b ^ c ^ d;
        out[place + 1] = aHigh ^ bHigh ^ cHigh ^ dHigh;
      }
    }
  }
}

function wordAt(bytes: Uint8Array, at: number): number {
  return bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16 |
    bytes[at + 3] << 24;
}

/** Up to 4 bytes from `at` on, of those before `to`. */
function tailAt(bytes: Uint8Array, at: number, to: number): number {
  let word = 0;
  for (let i = Math.min(to, at + 4) - 1; i >= at; i--) {
    word = word << 8 | bytes[i];
  }
  return word;
}
