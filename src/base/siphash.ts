/**
 * SipHash-2-4 with a result of 128 bits (Aumasson and Bernstein, "SipHash: a
 * fast short-input PRF", 2012): a hash of short texts under a secret key, for
 * which nobody without the key can find two texts of one hash. In words of 32
 * bits, since JavaScript has no fast ones of 64.
 */

/** Bytes of a key. */
export const SIPHASH_KEY_BYTES = 16;

// The four words of the state of 64 bits, each as a low and a high half.
const V0 = 0;
const V1 = 2;
const V2 = 4;
const V3 = 6;
const STATE_WORDS = 8;

/** Hashes bytes under one key. */
export class SipHash {
  readonly #start = new Int32Array(STATE_WORDS);
  readonly #state = new Int32Array(STATE_WORDS);

  /** Takes the key, SIPHASH_KEY_BYTES bytes. */
  constructor(key: Uint8Array) {
    if (key.length !== SIPHASH_KEY_BYTES) {
      throw new Error(`a key of ${key.length} bytes`);
    }
    const view = new DataView(key.buffer, key.byteOffset, key.length);
    const words = [0, 4, 8, 12].map((at) => view.getInt32(at, true));
    // "somepseudorandomlygeneratedbytes", and 0xee, as the paper's authors have it for 128 bits.
    this.#start.set([
      words[0] ^ 0x70736575,
      words[1] ^ 0x736f6d65,
      words[2] ^ 0x6e646f6d ^ 0xee,
      words[3] ^ 0x646f7261,
      words[0] ^ 0x6e657261,
      words[1] ^ 0x6c796765,
      words[2] ^ 0x79746573,
      words[3] ^ 0x74656462,
    ]);
  }

  /** Writes the hash of bytes `from` … `to` into four words from `out[at]` on. */
  hash(
    bytes: Uint8Array,
    from: number,
    to: number,
    out: Int32Array,
    at: number,
  ): void {
    const state = this.#state;
    state.set(this.#start);
    const last = to - (to - from) % 8;
    for (let place = from; place < last; place += 8) {
      absorb(state, wordAt(bytes, place), wordAt(bytes, place + 4));
    }
    let low = 0;
    let high = 0;
    for (let place = to - 1; place >= last + 4; place--) {
      high = high << 8 | bytes[place];
    }
    for (let place = Math.min(to, last + 4) - 1; place >= last; place--) {
      low = low << 8 | bytes[place];
    }
    absorb(state, low, high | (to - from) << 24);
    state[V2] ^= 0xee;
    rounds(state, 4);
    out[at] = state[V0] ^ state[V1] ^ state[V2] ^ state[V3];
    out[at + 1] = state[V0 + 1] ^ state[V1 + 1] ^ state[V2 + 1] ^
      state[V3 + 1];
    state[V1] ^= 0xdd;
    rounds(state, 4);
    out[at + 2] = state[V0] ^ state[V1] ^ state[V2] ^ state[V3];
    out[at + 3] = state[V0 + 1] ^ state[V1 + 1] ^ state[V2 + 1] ^
      state[V3 + 1];
  }
}

function wordAt(bytes: Uint8Array, at: number): number {
  return bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16 |
    bytes[at + 3] << 24;
}

/** Takes the next 8 bytes. */
function absorb(state: Int32Array, low: number, high: number): void {
  state[V3] ^= low;
  state[V3 + 1] ^= high;
  rounds(state, 2);
  state[V0] ^= low;
  state[V0 + 1] ^= high;
}

function rounds(state: Int32Array, count: number): void {
  let a = state[V0];
  let aHigh = state[V0 + 1];
  let b = state[V1];
  let bHigh = state[V1 + 1];
  let c = state[V2];
  let cHigh = state[V2 + 1];
  let d = state[V3];
  let dHigh = state[V3 + 1];
  let old = 0;
  for (; count > 0; count--) {
    // v0 += v1; v1 = v1 <<< 13 ^ v0; v0 <<<= 32.
    a = a + b | 0;
    aHigh = aHigh + bHigh + (a >>> 0 < b >>> 0 ? 1 : 0) | 0;
    old = b;
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
  state[V0] = a;
  state[V0 + 1] = aHigh;
  state[V1] = b;
  state[V1 + 1] = bHigh;
  state[V2] = c;
  state[V2 + 1] = cHigh;
  state[V3] = d;
  state[V3 + 1] = dHigh;
}
