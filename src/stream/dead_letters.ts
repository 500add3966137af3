/**
 * Records that could not be processed: a JSON record with the source, the
 * reason and the raw bytes of each. A dead letter is identified by its source
 * topic, partition and offset.
 */
import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import {
  isCount,
  isObject,
  isOptional,
  parsedJson,
} from "../base/json_shape.ts";
import {
  type RecordBatch,
  RecordBatchBuilder,
  recordKey,
  recordValue,
} from "../log/record_batch.ts";
import { type Append, type Log, readRange } from "../log/log.ts";
import { DEAD_LETTER_TOPIC } from "./topics.ts";
import type { RejectionReason } from "../definition/rejection.ts";
import type { DefectReason } from "../payment/validation.ts";

/** Why a record is a dead letter. */
export type DeadLetterReason =
  | DefectReason
  | RejectionReason
  | "wrong key"
  | "wrong partition"
  | "implausible"
  | "id too large"
  | "unknown payment"
  | "conflicting id"
  | "late"
  | "unreadable pack"
  | "unreadable batch"
  | "not a dead letter";

/** A record that could not be processed. */
export interface DeadLetter {
  /** Topic that it was read from. */
  readonly topic: string;
  /** Partition that it was read from. */
  readonly partition: number;
  /** Its offset there. */
  readonly offset: number;
  /** Stable word for the kind of defect. */
  readonly reason: DeadLetterReason;
  /** One line for messages. */
  readonly message: string;
  /** The first 16 KiB of its key as raw bytes, base64. */
  readonly key: string;
  /** The first 16 KiB of its value as raw bytes, base64. */
  readonly value: string;
  /** The sizes and checksums of truncated bytes; absent where nothing is truncated. */
  readonly truncated?: {
    /** Of the whole key, if the letter has only its beginning. */
    readonly key?: Truncated;
    /** Of the whole value, if the letter has only its beginning. */
    readonly value?: Truncated;
  };
}

/** Size and checksum of bytes of which only the beginning is kept. */
export interface Truncated {
  /** How many there were. */
  readonly bytes: number;
  /** Their SHA-256, lower-case hexadecimal. */
  readonly sha256: string;
}

/**
 * How many bytes of a key or a value are kept. A letter must not be larger than
 * a broker accepts, whatever the record's own topic allows.
 */
export const KEPT_BYTES = 16_384;

/** What identifies a dead letter: topic/partition/offset of its source. */
export function letterId({ topic, partition, offset }: DeadLetter): string {
  return `${topic}/${partition}/${offset}`;
}

/** A dead letter's value as text; undefined if it is not text, or not all of it is there. */
export function letterValue(
  { value, truncated }: DeadLetter,
): string | undefined {
  if (truncated?.value) return undefined;
  try {
    return STRICT.decode(Buffer.from(value, "base64"));
  } catch {
    return undefined; // bytes that are not UTF-8
  }
}

const STRICT = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const ENCODER = new TextEncoder();

/** Collects the dead letters of one step. */
export class DeadLetterBox {
  readonly #records = new RecordBatchBuilder();

  /** Adds record `index` of a batch of that topic and partition. */
  add(
    source: { readonly topic: string; readonly partition: number },
    batch: RecordBatch,
    index: number,
    reason: DeadLetterReason,
    message: string,
  ): void {
    const letter = letterOf(source, batch, index, reason, message);
    this.#records.add(
      ENCODER.encode(letterId(letter)),
      ENCODER.encode(JSON.stringify(letter)),
      batch.timestamps[index],
    );
  }

  /** Empties the box for the next step. */
  clear(): void {
    this.#records.clear();
  }

  /** What to append; nothing if the box is empty. */
  appends(): Append[] {
    if (this.#records.count === 0) return [];
    return [{
      topic: DEAD_LETTER_TOPIC,
      partition: 0,
      records: this.#records,
    }];
  }
}

/**
 * All dead letters of a log, oldest first. A foreign record among them counts
 * as a dead letter itself, with its place there as its source.
 */
export async function* readDeadLetters(log: Log): AsyncGenerator<DeadLetter> {
  const ends = await log.endOffsets(DEAD_LETTER_TOPIC) ?? [];
  for (const [partition, end] of ends.entries()) {
    const batches = readRange(log, DEAD_LETTER_TOPIC, partition, 0, end);
    for await (const batch of batches) {
      for (let i = 0; i < batch.count; i++) {
        yield parsedLetter(recordValue(batch, i)) ??
          foreign(batch, i, { topic: DEAD_LETTER_TOPIC, partition });
      }
    }
  }
}

/** The letter in the value of a record; undefined if it is none. */
export function parsedLetter(
  value: Uint8Array,
): DeadLetter | undefined {
  const letter = parsedJson(value) as Partial<DeadLetter> | undefined;
  const texts = ["topic", "reason", "message", "key", "value"] as const;
  const isLetter = isObject(letter) &&
    texts.every((name) => typeof letter[name] === "string") &&
    isCount(letter.partition) && isCount(letter.offset) &&
    isOptional(letter.truncated, isMeasured);
  return isLetter ? letter as DeadLetter : undefined;
}

/** Whether these are measures of a letter's key and value, or of one of them. */
function isMeasured(truncated: unknown): boolean {
  return isObject(truncated) &&
    Object.values(truncated).every((whole) =>
      isObject(whole) && isCount(whole.bytes) &&
      typeof whole.sha256 === "string"
    );
}

function foreign(
  batch: RecordBatch,
  index: number,
  source: Pick<DeadLetter, "topic" | "partition">,
): DeadLetter {
  return letterOf(
    source,
    batch,
    index,
    "not a dead letter",
    "another program has put this among the dead letters",
  );
}

function letterOf(
  { topic, partition }: Pick<DeadLetter, "topic" | "partition">,
  batch: RecordBatch,
  index: number,
  reason: DeadLetterReason,
  message: string,
): DeadLetter {
  const offset = batch.offsets[index];
  // All stages treat an unreadable record alike.
  const unreadable = batch.unreadable?.get(offset);
  const key = keptOf(recordKey(batch, index));
  const value = keptOf(recordValue(batch, index));
  const truncated = {
    ...key.truncated && { key: key.truncated },
    ...value.truncated && { value: value.truncated },
  };
  return {
    topic,
    partition,
    offset,
    reason: unreadable ? "unreadable batch" : reason,
    message: unreadable ?? message,
    key: key.base64,
    value: value.base64,
    ...key.truncated || value.truncated ? { truncated } : {},
  };
}

function keptOf(
  bytes: Uint8Array,
): { base64: string; truncated?: Truncated } {
  const kept = Buffer.from(bytes.subarray(0, KEPT_BYTES));
  const base64 = kept.toString("base64");
  if (bytes.length <= KEPT_BYTES) return { base64 };
  const sha256 = createHash("sha256").update(bytes).digest("hex");
  return { base64, truncated: { bytes: bytes.length, sha256 } };
}
