/**
 * Which ids have come, at about 20 bytes each: whole numbers exactly, text by a
 * hash of 95 bits with a random seed, for which two of a thousand million ids
 * are equal once in 10^10 imports. Memory grows in small steps.
 */

/** Words of 32 bits of an id. The last is never 0. */
const WORDS = 3;

/** Parts that grow on their own, so that no growth needs much memory. */
const PARTS = 256;

const SLOTS_FIRST = 64;

/** A part grows beyond this share of its slots, by half. */
const LOAD_MAX = 0.8;

/** Multipliers of the three hashes, those of MurmurHash3. */
const FIRST = [0x239b961b, 0x38b34ae5, 0xcc9e2d51] as const;
const SECOND = [0xab0e9789, 0xa1e38b93, 0x1b873593] as const;

/** A set of whole numbers, or of texts. */
export class IdSet {
  readonly #parts = Array.from({ length: PARTS }, () => {
    return { slots: new Uint32Array(WORDS * SLOTS_FIRST), count: 0 };
  });
  readonly #seeds = crypto.getRandomValues(new Uint32Array(WORDS));
  readonly #words = new Uint32Array(WORDS);

  /** Adds an id, a whole number of 0 to 2^53 - 1 or text; returns whether it is new. */
  add(id: number | string): boolean {
    const words = this.#words;
    if (typeof id === "number") {
      const high = Math.floor(id / 2 ** 32);
      // Neighbouring numbers are spread over the parts; both steps can be undone.
      words[0] = Math.imul(id ^ Math.imul(high, 0x9e3779b1), 0x85ebca6b);
      words[1] = high;
      words[2] = 1;
    } else {
      for (let at = 0; at < WORDS; at++) {
        words[at] = hash(id, this.#seeds[at], FIRST[at], SECOND[at]);
      }
      words[2] |= 1;
    }
    const part = this.#parts[words[0] % PARTS];
    const at = slotOf(part.slots, words, 0);
    if (part.slots[at + 2] !== 0) return false;
    put(words, 0, part.slots, at);
    if (++part.count * WORDS > LOAD_MAX * part.slots.length) {
      part.slots = grown(part.slots);
    }
    return true;
  }
}

/** Where the id at `from` of `words` stands, or the free slot for it. */
function slotOf(slots: Uint32Array, words: Uint32Array, from: number): number {
  const { length } = slots;
  const first = words[from];
  // The greater the hash the later the slot, so that growing goes through memory in order.
  let at = WORDS * Math.floor(first / 2 ** 32 * (length / WORDS));
  while (
    slots[at + 2] !== 0 &&
    !(slots[at] === first && slots[at + 1] === words[from + 1] &&
      slots[at + 2] === words[from + 2])
  ) {
    at += WORDS;
    if (at === length) at = 0;
  }
  return at;
}

function put(
  words: Uint32Array,
  from: number,
  slots: Uint32Array,
  at: number,
): void {
  slots[at] = words[from];
  slots[at + 1] = words[from + 1];
  slots[at + 2] = words[from + 2];
}

function grown(slots: Uint32Array): Uint32Array<ArrayBuffer> {
  const larger = new Uint32Array(WORDS * Math.ceil(1.5 * slots.length / WORDS));
  for (let from = 0; from < slots.length; from += WORDS) {
    if (slots[from + 2] === 0) continue;
    put(slots, from, larger, slotOf(larger, slots, from));
  }
  return larger;
}

/** MurmurHash3 of 32 bits over the UTF-16 units of a text, two at a time. */
function hash(
  text: string,
  seed: number,
  first: number,
  second: number,
): number {
  let state = seed;
  for (let at = 0; at < text.length; at += 2) {
    // Behind the end charCodeAt() is NaN, which counts as 0.
    let block = text.charCodeAt(at) | text.charCodeAt(at + 1) << 16;
    block = Math.imul(block, first);
    block = block << 15 | block >>> 17;
    state ^= Math.imul(block, second);
    state = Math.imul(state << 13 | state >>> 19, 5) + 0xe6546b64;
  }
  state ^= text.length;
  state = Math.imul(state ^ state >>> 16, 0x85ebca6b);
  state = Math.imul(state ^ state >>> 13, 0xc2b2ae35);
  return (state ^ state >>> 16) >>> 0;
}
