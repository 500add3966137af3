/**
 * How far `ingest` has come in another program's topic: a record of the control
 * topic that is appended in one transaction with what the source's records led
 * to. So it is exactly what has been taken, whatever becomes of a group's
 * offsets.
 */
import { isCount, isObject, isOptional } from "../base/json_shape.ts";
import type { StageCounters } from "./commit.ts";

/** What has been taken of the source. */
export interface SourcePosition {
  /** The source topic, as its own program names it. */
  readonly topic: string;
  /** Its id, where the log knows ids: another topic of that name has another. */
  readonly id?: string | undefined;
  /** How many steps have led here. */
  readonly steps: number;
  /** Offset of the next record of each partition. */
  readonly offsets: readonly number[];
  /** Greatest TX_DATETIME that each partition has delivered, seconds since 1970; null before the first. */
  readonly reached: readonly (number | null)[];
  /** Greatest TX_DATETIME that was appended, seconds since 1970; null before the first. */
  readonly newest: number | null;
  /** Midnight of the stream's first day, seconds since 1970; null before the first payment. */
  readonly startSeconds: number | null;
  /** Records that were there and not yet taken. */
  readonly lag: number;
  /** What has become of the records. */
  readonly counters: StageCounters;
}

/** Whether fields are those of a position. */
export function isSourcePosition(
  fields: Readonly<Record<string, unknown>>,
): boolean {
  const { topic, id, steps, offsets, reached, newest, startSeconds } = fields;
  const { lag, counters } = fields;
  const isTime = (time: unknown) => time === null || Number.isSafeInteger(time);
  return typeof topic === "string" && topic !== "" &&
    isOptional(id, (id) => typeof id === "string") && isCount(steps) &&
    Array.isArray(offsets) && offsets.every(isCount) &&
    Array.isArray(reached) && reached.length === offsets.length &&
    reached.every(isTime) && isTime(newest) && isTime(startSeconds) &&
    isCount(lag) && isObject(counters) &&
    ["read", "emitted", "deadLettered", "duplicates", "frauds"]
      .every((name) => isCount(counters[name]));
}
