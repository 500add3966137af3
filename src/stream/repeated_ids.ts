/**
 * Finds TRANSACTION_IDs that more than one row of a topic has: payments that
 * use an id again later than --dedupe, or in another partition. The end check
 * looks for them where a store holds fewer rows than were written.
 */
import { type Log, readRange } from "../log/log.ts";
import { type RecordBatch, recordValue } from "../log/record_batch.ts";
import { crc32c } from "../base/crc32c.ts";
import type { TransactionId } from "../payment/payment.ts";
import { readDeadLetters } from "./dead_letters.ts";

/** The ids that several rows have. */
export interface RepeatedIds {
  /** How many ids. */
  readonly ids: number;
  /** How many rows they have beyond one each. */
  readonly surplus: number;
  /** The smallest of them, numbers before texts. */
  readonly examples: readonly TransactionId[];
}

const EXAMPLES_MAX = 5;

/** Ids that are held at once, 8 bytes each and more for texts: a topic with more is read several times. */
const IDS_MAX = 4 << 20;

/** Reads the log's records of a topic, without its dead letters. `idsMax` is for tests. */
export async function findRepeatedIds(
  log: Log,
  topic: string,
  idsMax = IDS_MAX,
): Promise<RepeatedIds> {
  const [state] = await log.topics([topic]);
  const { startOffsets = [], endOffsets = [] } = state ?? {};
  const rows = endOffsets.reduce((sum, end, i) => sum + end - startOffsets[i]);
  // Shares of consecutive ids, and of texts by their checksum, are about equal.
  const passes = Math.max(1, Math.ceil(rows / idsMax));
  const letters = await letterPlaces(log, topic);
  let repeated: RepeatedIds = { ids: 0, surplus: 0, examples: [] };
  for (let pass = 0; pass < passes; pass++) {
    const ids: number[] = [];
    const texts: string[] = [];
    for (const [partition, end] of endOffsets.entries()) {
      const start = startOffsets[partition];
      for await (const batch of readRange(log, topic, partition, start, end)) {
        for (let i = 0; i < batch.count; i++) {
          if (letters.has(`${partition}/${batch.offsets[i]}`)) continue;
          const id = idOf(batch, i);
          if (id === undefined) continue;
          if (typeof id === "number") {
            if (id % passes === pass) ids.push(id);
          } else if (crc32c(ENCODER.encode(id)) % passes === pass) {
            texts.push(id);
          }
        }
      }
    }
    repeated = joined(repeated, repeatedOf(Float64Array.from(ids).sort()));
    repeated = joined(repeated, repeatedOf(texts.sort()));
  }
  return repeated;
}

function repeatedOf(sorted: ArrayLike<TransactionId>): RepeatedIds {
  const repeated: TransactionId[] = [];
  let surplus = 0;
  for (let i = 1; i < sorted.length; i++) {
    if (sorted[i] !== sorted[i - 1]) continue;
    surplus++;
    if (repeated.at(-1) !== sorted[i]) repeated.push(sorted[i]);
  }
  const examples = repeated.slice(0, EXAMPLES_MAX);
  return { ids: repeated.length, surplus, examples };
}

function joined(a: RepeatedIds, b: RepeatedIds): RepeatedIds {
  return {
    ids: a.ids + b.ids,
    surplus: a.surplus + b.surplus,
    examples: [...a.examples, ...b.examples]
      .sort((x, y) =>
        typeof x === typeof y ? x < y ? -1 : 1 : typeof x === "number" ? -1 : 1
      )
      .slice(0, EXAMPLES_MAX),
  };
}

const DECODER = new TextDecoder();
const ENCODER = new TextEncoder();
const HEAD_BYTES = 64;

/** The TRANSACTION_ID of a row; undefined if the record is not a row. */
function idOf(batch: RecordBatch, index: number): TransactionId | undefined {
  const value = recordValue(batch, index);
  const head = DECODER.decode(value.subarray(0, HEAD_BYTES));
  const match = /^\{"TRANSACTION_ID":(\d{1,16}),/.exec(head);
  if (match) return Number(match[1]);
  try {
    const id = JSON.parse(DECODER.decode(value)).TRANSACTION_ID;
    return typeof id === "number" || typeof id === "string" ? id : undefined;
  } catch {
    return undefined; // the writer has rejected it
  }
}

async function letterPlaces(log: Log, topic: string): Promise<Set<string>> {
  const places = new Set<string>();
  for await (const letter of readDeadLetters(log)) {
    if (letter.topic !== topic) continue;
    places.add(`${letter.partition}/${letter.offset}`);
  }
  return places;
}
