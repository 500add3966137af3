/**
 * What stands for an id of any kind in tables of numbers: four words of 32 bits.
 * Of a whole number they are the number itself. Of a text they are a hash of 128
 * bits under a secret key, so that nobody can make two texts that collide, and
 * among 10^9 texts two do by chance once in 10^20 cases.
 */
import { SipHash, SIPHASH_KEY_BYTES } from "../base/siphash.ts";
import type { StateSink, StateSource } from "../base/state_stream.ts";
import type { IdKind, PaymentShape } from "../payment/payment_shape.ts";
import { type TextHeap, textLength, textStart } from "../payment/text_heap.ts";

/** Words of a digest. */
export const DIGEST_WORDS = 4;

/** Where the digest of each id begins in IdDigests.words. */
export const DIGEST = { id: 0, customer: 4, terminal: 8 } as const;

const WORD = 2 ** 32;

/** 31 bits that depend on all of the digest that begins at `words[at]`, and on a seed that nobody else knows. */
export function digestBits(
  words: Int32Array,
  at: number,
  seed: number,
): number {
  let hash = seed;
  for (let i = 0; i < DIGEST_WORDS; i++) {
    hash = Math.imul(hash ^ words[at + i], 0x9e37_79b1);
    hash ^= hash >>> 15;
  }
  return hash & 0x7fff_ffff;
}

/** Whether two digests, which begin at `a[aAt]` and `b[bAt]`, are the same. */
export function isSameDigest(
  a: Int32Array,
  aAt: number,
  b: Int32Array,
  bAt: number,
): boolean {
  return a[aAt] === b[bAt] && a[aAt + 1] === b[bAt + 1] &&
    a[aAt + 2] === b[bAt + 2] && a[aAt + 3] === b[bAt + 3];
}

/** The digests of a payment's ids. */
export class IdDigests {
  /** The digests taken last: see DIGEST. */
  readonly words: Int32Array = new Int32Array(3 * DIGEST_WORDS);
  readonly #shape: PaymentShape;
  #key = crypto.getRandomValues(new Uint8Array(SIPHASH_KEY_BYTES));
  #hash = new SipHash(this.#key);

  /** Takes digests of payments of a shape, under a new key. */
  constructor(shape: PaymentShape) {
    this.#shape = shape;
  }

  /** Whether TRANSACTION_ID is a text. */
  get hasTextId(): boolean {
    return this.#shape.transactionId === "text";
  }

  /** Takes the TRANSACTION_ID of a cell. */
  takeId(cell: number, texts: TextHeap): void {
    this.#take(this.#shape.transactionId, cell, texts, DIGEST.id);
  }

  /** Takes the CUSTOMER_ID of a cell. */
  takeCustomer(cell: number, texts: TextHeap): void {
    this.#take(this.#shape.customerId, cell, texts, DIGEST.customer);
  }

  /** Takes the TERMINAL_ID of a cell. */
  takeTerminal(cell: number, texts: TextHeap): void {
    this.#take(this.#shape.terminalId, cell, texts, DIGEST.terminal);
  }

  #take(kind: IdKind, cell: number, texts: TextHeap, at: number): void {
    const words = this.words;
    if (kind === "text") {
      const start = textStart(cell);
      const end = start + textLength(cell);
      this.#hash.hash(texts.bytes, start, end, words, at);
      return;
    }
    words[at] = cell;
    words[at + 1] = Math.floor(cell / WORD);
    words[at + 2] = 0;
    words[at + 3] = 0;
  }

  /** Writes the key: what is kept by digests needs it. */
  save(sink: StateSink): void {
    sink.write(this.#key);
  }

  /** Loads a key that save() wrote. */
  load(source: StateSource): void {
    this.#key = source.read(SIPHASH_KEY_BYTES).slice();
    this.#hash = new SipHash(this.#key);
  }
}
