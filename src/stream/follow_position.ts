/**
 * How far a stream is that follows another one: a record in the control topic
 * of the follower, appended in one transaction with the records that it has
 * taken; and a record in that of the followed stream, which keeps what its
 * followers have still to read.
 */
import { isCount, isOptional } from "../base/json_shape.ts";
import {
  type FeatureParameters,
  reachSeconds,
} from "../features/parameters.ts";
import { DAY_SECONDS } from "../payment/payment.ts";

/** What a stream has taken of the one that it follows. */
export interface FollowPosition {
  /** Where that is: its data folder, or its topic prefix. */
  readonly place: string;
  /** Its identity: another stream at the same place has another. */
  readonly stream: string;
  /** Midnight of its first day, seconds since 1970; null before its first payment. */
  readonly startSeconds: number | null;
  /** Offset of the next record of each partition of its transaction_topic. */
  readonly offsets: readonly number[];
  /** Time from which on all its payments are there, seconds since 1970; null where none was deleted before it was read. */
  readonly sinceSeconds: number | null;
  /** Records that were taken. */
  readonly records: number;
  /** Records that were there and not yet taken. */
  readonly lag: number;
  /** Set once its payments come from elsewhere. */
  readonly isOver?: true | undefined;
}

/** Whether fields are those of a position. */
export function isFollowPosition(
  fields: Readonly<Record<string, unknown>>,
): boolean {
  const { place, stream, startSeconds, offsets, sinceSeconds } = fields;
  const { records, lag, isOver } = fields;
  const isTime = (time: unknown) => time === null || Number.isSafeInteger(time);
  return typeof place === "string" && typeof stream === "string" &&
    isTime(startSeconds) && Array.isArray(offsets) && offsets.every(isCount) &&
    isTime(sinceSeconds) && isCount(records) && isCount(lag) &&
    isOptional(isOver, (isOver) => isOver === true);
}

/** How many records a position has still to take. More may have come, and been taken, since the ends were looked up. */
export function recordsBehind(
  ends: readonly number[],
  offsets: readonly number[],
): number {
  return ends.reduce((sum, end, partition) => {
    return sum + Math.max(0, end - (offsets[partition] ?? 0));
  }, 0);
}

/** A stream that follows this one. */
export interface Follower {
  /** Its identity. */
  readonly id: string;
  /** Where it is: its data folder, or its topic prefix. */
  readonly place: string;
  /** Offset from which on it needs each partition of transaction_topic. */
  readonly offsets: readonly number[];
  /** When it said so, ISO 8601 in UTC. */
  readonly at: string;
  /** Set once it needs nothing more, or was forgotten. */
  readonly isOver?: true | undefined;
  /** Set once the source of the payments has moved to it. */
  readonly hasSource?: true | undefined;
}

/** Whether fields are those of a follower. */
export function isFollower(
  fields: Readonly<Record<string, unknown>>,
): boolean {
  const { id, place, offsets, at, isOver, hasSource } = fields;
  return typeof id === "string" && id !== "" && typeof place === "string" &&
    Array.isArray(offsets) && offsets.every(isCount) &&
    typeof at === "string" &&
    isOptional(isOver, (isOver) => isOver === true) &&
    isOptional(hasSource, (hasSource) => hasSource === true);
}

/** Midnight of the first day whose features are complete where all payments from `sinceSeconds` on are there, both in seconds since 1970. */
export function completeFrom(
  sinceSeconds: number,
  { features, latenessSeconds }: {
    /** The stream's features. */
    readonly features: FeatureParameters;
    /** How late a payment may be, seconds. */
    readonly latenessSeconds: number;
  },
): number {
  const seconds = sinceSeconds + latenessSeconds + reachSeconds(features);
  return Math.ceil(seconds / DAY_SECONDS) * DAY_SECONDS;
}
