/**
 * Where a payment must be: all payments of a card are in one partition, because
 * its windows are kept there. The key is the CUSTOMER_ID as decimal text, and
 * the stream's partitioner chooses the partition.
 */
import type { Log } from "../log/log.ts";
import {
  IdPartitioner,
  type Partitioner,
  PARTITIONERS,
  partitionOf,
} from "../log/partitioner.ts";
import { type RecordBatch, recordKey } from "../log/record_batch.ts";
import { type TextHeap, textLength, textStart } from "../payment/text_heap.ts";
import type { StreamParameters } from "./control.ts";
import { TRANSACTION_TOPIC } from "./topics.ts";

/** What is wrong with the place of a payment. */
export interface Misplaced {
  /** Stable word for it. */
  readonly reason: "wrong key" | "wrong partition";
  /** One line for messages. */
  readonly message: string;
}

/** Checks the places of one partition's payments. */
export class Placement {
  readonly #cards: IdPartitioner;
  readonly #partitioner: Partitioner | undefined;
  readonly #partitions: number;
  readonly #partition: number;

  /** Checks nothing in a stream from before partitioners were recorded. */
  constructor(
    { partitioner, partitions }: StreamParameters,
    partition: number,
  ) {
    this.#partitioner = partitioner;
    this.#partitions = partitions;
    this.#partition = partition;
    this.#cards = new IdPartitioner(partitions, partitioner);
  }

  /** Partition of a card, a number or a text in `texts`. */
  partition(customerId: number, texts?: TextHeap): number {
    return texts
      ? this.#cards.partitionOfText(texts.view(customerId))
      : this.#cards.partition(customerId);
  }

  /** What is wrong with the place of record `index`, a payment of that card, a number or a text in `texts`; undefined if nothing is. */
  check(
    batch: RecordBatch,
    index: number,
    customerId: number,
    texts?: TextHeap,
  ): Misplaced | undefined {
    if (!this.#partitioner) return undefined;
    const { bytes, positions } = batch;
    const from = positions[4 * index];
    const to = positions[4 * index + 1];
    const isRight = texts
      ? isText(bytes, from, to, texts.bytes, customerId)
      : isDecimal(bytes, from, to, customerId);
    const shown = () => texts?.text(customerId) ?? String(customerId);
    if (!isRight) return wrongKey(recordKey(batch, index), shown());
    const home = this.partition(customerId, texts);
    return home === this.#partition
      ? undefined
      : this.#wrongPartition(this.#partitioner, shown(), home);
  }

  #wrongPartition(
    partitioner: Partitioner,
    customerId: string,
    home: number,
  ): Misplaced {
    const key = ENCODER.encode(customerId);
    const other = PARTITIONERS.find((one) =>
      one !== partitioner &&
      partitionOf(key, this.#partitions, one) === this.#partition
    );
    return {
      reason: "wrong partition",
      message:
        `the payments of CUSTOMER_ID ${customerId} belong to partition ` +
        `${home} by ${partitioner}, not to ${this.#partition}` +
        (other ? ` (where ${other} places them: see --partitioner)` : ""),
    };
  }
}

const ENCODER = new TextEncoder();
const DECODER = new TextDecoder();
/** How many bytes of a wrong key are shown. */
const SHOWN_BYTES = 40;

/** More digits than any valid id. */
const DIGITS_MAX = 16;

/** Whether the bytes are a whole number in decimal digits, as String() writes it. */
function isDecimal(
  bytes: Uint8Array,
  from: number,
  to: number,
  number: number,
): boolean {
  const length = to - from;
  if (length === 0 || length > DIGITS_MAX) return false;
  if (bytes[from] === ZERO && length > 1) return false;
  let value = 0;
  for (let at = from; at < to; at++) {
    const digit = bytes[at] - ZERO;
    if (digit < 0 || digit > 9) return false;
    value = 10 * value + digit;
  }
  return value === number;
}

const ZERO = 48;

/** Whether bytes `from` … `to` are those of the text that a cell refers to. */
function isText(
  bytes: Uint8Array,
  from: number,
  to: number,
  texts: Uint8Array,
  cell: number,
): boolean {
  if (to - from !== textLength(cell)) return false;
  const shift = textStart(cell) - from;
  for (let at = from; at < to; at++) {
    if (bytes[at] !== texts[at + shift]) return false;
  }
  return true;
}

function wrongKey(key: Uint8Array, customerId: string): Misplaced {
  const shown = JSON.stringify(DECODER.decode(key.subarray(0, SHOWN_BYTES)));
  const found = key.length === 0
    ? "the record has no key"
    : `the record's key is ${shown}`;
  return {
    reason: "wrong key",
    message: `${found}, not its CUSTOMER_ID ${customerId}`,
  };
}

/** Most keyed records of a partition that are read. */
const LOOKED_AT = 300;

/**
 * The default partitioner of a new stream: that of the producer that has
 * already filled the topic of payments; murmur2 if there is none, or if the
 * keys do not show it.
 */
export async function findPartitioner(log: Log): Promise<Partitioner> {
  const [state] = await log.topics([TRANSACTION_TOPIC]);
  const misses = new Map<Partitioner, number>();
  for (let partition = 0; partition < (state?.partitions ?? 0); partition++) {
    const batch = await log.read(
      TRANSACTION_TOPIC,
      partition,
      state.startOffsets[partition],
      { records: LOOKED_AT, bytes: 1 << 18 },
    );
    for (let i = 0; i < Math.min(batch.count, LOOKED_AT); i++) {
      const key = recordKey(batch, i);
      if (key.length === 0) continue;
      for (const one of PARTITIONERS) {
        const isHere = partitionOf(key, state.partitions, one) === partition;
        misses.set(one, (misses.get(one) ?? 0) + (isHere ? 0 : 1));
      }
    }
  }
  const fitsOnlyCrc32 = misses.get("crc32") === 0 &&
    misses.get("murmur2") !== 0;
  return fitsOnlyCrc32 ? "crc32" : "murmur2";
}
