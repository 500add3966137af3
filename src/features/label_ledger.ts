/**
 * The labels of payments, and from when each counts. Of one payment they are
 * steps: a label counts from its time on until the next one does. Of the labels
 * that count at a time the one known last holds, of equal ones the later
 * record; a label that will never hold is not kept, so along the steps both
 * their times and the times at which they were known ascend.
 *
 * Steps lie in an arena of chunks, 36 bytes each. A table finds the first step
 * of the payments whose ids have the same hash, and each step names the next.
 * Freed places are used again; nothing is copied as the arena grows.
 */
import {
  readInts,
  type StateSink,
  type StateSource,
  writeView,
} from "../base/state_stream.ts";
import { DIGEST_WORDS, digestBits, isSameDigest } from "./id_digest.ts";
import { KEY_BYTES, KeyTable } from "./key_table.ts";

// A step, in words: first the digest of TRANSACTION_ID.
const TIME = 4; // of the payment; FREE in a place without a step
const KNOWN = 5;
const FROM = 6;
const FRAUD = 7;
const NEXT = 8; // number of the next step of the hash or free place, 0 for none
const STEP_WORDS = 9;
const FREE = -1;

/** Steps of a chunk. */
const CHUNK = 1024;
/** About how many bytes a label takes, its place in the table included; of four places in the arena one waits to be used again. */
export const LABEL_BYTES: number = 4 * STEP_WORDS * 4 / 3 + KEY_BYTES;
/** Places looked at for each label, to free those that have expired. */
const SWEPT = 8;
const VERSION = 2;

/** A label of a payment. */
export interface Label {
  /** Digest of the payment's TRANSACTION_ID, its first DIGEST_WORDS words. */
  readonly id: Int32Array;
  /** TX_TIME_SECONDS of the payment. */
  readonly timeSeconds: number;
  /** When the label was known, in the same seconds. */
  readonly knownSeconds: number;
  /** From which event time on it counts. */
  readonly fromSeconds: number;
  /** 1 for a fraud; 0 for a genuine payment, and where a label is withdrawn. */
  readonly fraud: 0 | 1;
}

/** What a label changes. */
export interface LabelChange {
  /** By how much the payment becomes more of a fraud: -1, 0 or 1. */
  readonly change: number;
  /** Event time from which another label holds; Infinity if none does. */
  readonly untilSeconds: number;
}

const NO_CHANGE: LabelChange = { change: 0, untilSeconds: Infinity };

/** Labels of payments. */
export class LabelLedger {
  // Random, so that nobody can choose ids that share a chain.
  readonly #seed = crypto.getRandomValues(new Int32Array(1))[0];
  #table = new KeyTable();
  // Step n, from 1 on, lies in chunk floor((n - 1) / CHUNK).
  #chunks: Int32Array[] = [];
  #used = 0;
  #free = 0;
  #size = 0;
  #swept = 0;

  /** Number of labels held. */
  get size(): number {
    return this.#size;
  }

  /** Bytes held in typed arrays. */
  get bytes(): number {
    return this.#chunks.length * 4 * CHUNK * STEP_WORDS + this.#table.bytes;
  }

  /**
   * Takes a label and returns what it changes. No label before it may count
   * later than this one unless it was known later. Labels of payments up to
   * `expired` are forgotten, and so are those that another follows up to
   * `settled`: no label that comes later counts as early.
   */
  take(label: Label, settled: number, expired: number): LabelChange {
    for (let n = 0; n < SWEPT; n++) this.#sweep(expired);
    const { knownSeconds, fromSeconds, fraud } = label;
    const hash = digestBits(label.id, 0, this.#seed);
    this.#dropSettled(hash, label, settled);
    // The steps between which it belongs.
    let before = 0;
    let after = 0;
    for (let step = this.#table.get(hash); step !== 0;) {
      const chunk = this.#chunkOf(step);
      const at = wordOf(step);
      if (isOf(chunk, at, label)) {
        if (chunk[at + KNOWN] > knownSeconds) {
          if (after === 0 || chunk[at + FROM] < this.#word(after, FROM)) {
            after = step;
          }
        } else if (
          before === 0 || chunk[at + FROM] > this.#word(before, FROM)
        ) before = step;
      }
      step = chunk[at + NEXT];
    }
    const untilSeconds = after === 0 ? Infinity : this.#word(after, FROM);
    if (fromSeconds >= untilSeconds) return NO_CHANGE;
    const was = before === 0 ? 0 : this.#word(before, FRAUD);
    if (before !== 0) {
      const isRepeated = this.#word(before, KNOWN) === knownSeconds &&
        was === fraud;
      if (isRepeated) return NO_CHANGE;
      if (this.#word(before, FROM) === fromSeconds) {
        const at = wordOf(before);
        this.#chunkOf(before)[at + KNOWN] = knownSeconds;
        this.#chunkOf(before)[at + FRAUD] = fraud;
        return { change: fraud - was, untilSeconds };
      }
    }
    this.#add(hash, label);
    return { change: fraud - was, untilSeconds };
  }

  /** Writes all labels. */
  save(sink: StateSink): void {
    writeView(sink, Int32Array.of(VERSION, this.#used));
    for (const [at, chunk] of this.#chunks.entries()) {
      const steps = Math.min(CHUNK, this.#used - at * CHUNK);
      writeView(sink, chunk.subarray(0, steps * STEP_WORDS));
    }
  }

  /** Loads what save() wrote into an empty ledger. Throws an Error if it has another version, is damaged or too short. */
  load(source: StateSource): void {
    const [version, used] = readInts(source, 2);
    if (version !== VERSION || used < 0) {
      throw new Error("the saved labels have another version");
    }
    this.#used = used;
    for (let first = 0; first < used; first += CHUNK) {
      const chunk = new Int32Array(CHUNK * STEP_WORDS);
      const steps = Math.min(CHUNK, used - first);
      chunk.set(readInts(source, steps * STEP_WORDS));
      this.#chunks.push(chunk);
    }
    for (let step = 1; step <= used; step++) {
      const chunk = this.#chunkOf(step);
      const at = wordOf(step);
      if (chunk[at + TIME] === FREE) {
        chunk[at + NEXT] = this.#free;
        this.#free = step;
      } else this.#link(digestBits(chunk, at, this.#seed), step);
    }
  }

  #add(hash: number, label: Label): void {
    let step = this.#free;
    if (step === 0) {
      step = ++this.#used;
      if ((step - 1) % CHUNK === 0) {
        this.#chunks.push(new Int32Array(CHUNK * STEP_WORDS));
      }
    } else this.#free = this.#word(step, NEXT);
    const chunk = this.#chunkOf(step);
    const at = wordOf(step);
    for (let i = 0; i < DIGEST_WORDS; i++) chunk[at + i] = label.id[i];
    chunk[at + TIME] = label.timeSeconds;
    chunk[at + KNOWN] = label.knownSeconds;
    chunk[at + FROM] = label.fromSeconds;
    chunk[at + FRAUD] = label.fraud;
    this.#link(hash, step);
  }

  #link(hash: number, step: number): void {
    this.#chunkOf(step)[wordOf(step) + NEXT] = this.#table.get(hash);
    this.#table.set(hash, step);
    this.#size++;
  }

  /** Frees the steps of a payment that another one follows up to `settled`. */
  #dropSettled(hash: number, label: Label, settled: number): void {
    let newest = -1;
    let isOlder = false;
    for (let step = this.#table.get(hash); step !== 0;) {
      const chunk = this.#chunkOf(step);
      const at = wordOf(step);
      const from = chunk[at + FROM];
      if (isOf(chunk, at, label) && from <= settled) {
        isOlder = isOlder || newest >= 0;
        newest = Math.max(newest, from);
      }
      step = chunk[at + NEXT];
    }
    if (!isOlder) return;
    for (let step = this.#table.get(hash); step !== 0;) {
      const chunk = this.#chunkOf(step);
      const at = wordOf(step);
      const next = chunk[at + NEXT];
      if (isOf(chunk, at, label) && chunk[at + FROM] < newest) {
        this.#release(step);
      }
      step = next;
    }
  }

  /** Looks at one more place, round and round, and frees the step there if its payment has expired. */
  #sweep(expired: number): void {
    if (this.#used === 0) return;
    this.#swept = this.#swept % this.#used + 1;
    const time = this.#word(this.#swept, TIME);
    if (time !== FREE && time <= expired) this.#release(this.#swept);
  }

  /** Takes a step out of its chain and keeps its place for another. */
  #release(step: number): void {
    const chunk = this.#chunkOf(step);
    const at = wordOf(step);
    const hash = digestBits(chunk, at, this.#seed);
    const next = chunk[at + NEXT];
    let before = this.#table.get(hash);
    if (before !== step) {
      while (this.#word(before, NEXT) !== step) {
        before = this.#word(before, NEXT);
      }
      this.#chunkOf(before)[wordOf(before) + NEXT] = next;
    } else if (next === 0) this.#table.delete(hash);
    else this.#table.set(hash, next);
    chunk[at + TIME] = FREE;
    chunk[at + NEXT] = this.#free;
    this.#free = step;
    this.#size--;
  }

  #word(step: number, word: number): number {
    return this.#chunkOf(step)[wordOf(step) + word];
  }

  #chunkOf(step: number): Int32Array {
    return this.#chunks[Math.floor((step - 1) / CHUNK)];
  }
}

/** Where a step begins in its chunk. */
function wordOf(step: number): number {
  return (step - 1) % CHUNK * STEP_WORDS;
}

/** Whether the step at a word is of the payment of a label. */
function isOf(
  chunk: Int32Array,
  at: number,
  { id, timeSeconds }: Label,
): boolean {
  return chunk[at + TIME] === timeSeconds && isSameDigest(chunk, at, id, 0);
}
