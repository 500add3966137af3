/**
 * Records that could not be taken: a JSON record that says where each came
 * from, why, and its raw bytes. A dead letter is identified by its source
 * topic, partition and offset.
 */
import { Buffer } from "node:buffer";
import {
  type RecordBatch,
  RecordBatchBuilder,
  recordKey,
  recordValue,
} from "../log/record_batch.ts";
import { type Append, type Log, readRange } from "../log/log.ts";
import { DEAD_LETTER_TOPIC } from "./topics.ts";
import type { DefectReason } from "../transaction/validation.ts";

/** Why a record is a dead letter. */
export type DeadLetterReason =
  | DefectReason
  | "wrong key"
  | "wrong partition"
  | "implausible"
  | "conflicting id"
  | "late"
  | "unreadable pack"
  | "not a dead letter";

/** A record that could not be taken. */
export interface DeadLetter {
  /** Topic that it was read from. */
  readonly topic: string;
  /** Partition that it was read from. */
  readonly partition: number;
  /** Its offset there. */
  readonly offset: number;
  /** Stable word for the kind of defect. */
  readonly reason: DeadLetterReason;
  /** One line for people. */
  readonly message: string;
  /** Its key as raw bytes, base64. */
  readonly key: string;
  /** Its value as raw bytes, base64. */
  readonly value: string;
}

/** What identifies a dead letter: topic/partition/offset of its source. */
export function letterId({ topic, partition, offset }: DeadLetter): string {
  return `${topic}/${partition}/${offset}`;
}

/** A dead letter's value as text; undefined if it is not text. */
export function letterValue({ value }: DeadLetter): string | undefined {
  try {
    return STRICT.decode(Buffer.from(value, "base64"));
  } catch {
    return undefined; // bytes that no text has
  }
}

const STRICT = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const ENCODER = new TextEncoder();
const DECODER = new TextDecoder();

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
 * All dead letters of a log, oldest first. What somebody else has put among
 * them is one itself, with its place there as its source.
 */
export async function* readDeadLetters(log: Log): AsyncGenerator<DeadLetter> {
  const ends = await log.endOffsets(DEAD_LETTER_TOPIC) ?? [];
  for (const [partition, end] of ends.entries()) {
    const batches = readRange(log, DEAD_LETTER_TOPIC, partition, 0, end);
    for await (const batch of batches) {
      for (let i = 0; i < batch.count; i++) {
        yield parsed(recordValue(batch, i)) ??
          foreign(batch, i, { topic: DEAD_LETTER_TOPIC, partition });
      }
    }
  }
}

/** The letter in a value; undefined if it is none. */
function parsed(value: Uint8Array): DeadLetter | undefined {
  let letter: Partial<Record<keyof DeadLetter, unknown>> | null;
  try {
    letter = JSON.parse(DECODER.decode(value));
  } catch {
    return undefined;
  }
  const texts = ["topic", "reason", "message", "key", "value"] as const;
  const numbers = ["partition", "offset"] as const;
  const isLetter = texts.every((name) => typeof letter?.[name] === "string") &&
    numbers.every((name) => Number.isInteger(letter?.[name]));
  return isLetter ? letter as DeadLetter : undefined;
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
  return {
    topic,
    partition,
    offset: batch.offsets[index],
    reason,
    message,
    key: Buffer.from(recordKey(batch, index)).toString("base64"),
    value: Buffer.from(recordValue(batch, index)).toString("base64"),
  };
}
