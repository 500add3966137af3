/**
 * Up to where a topic is stored: for each partition the next offset, the mark
 * of the record before it, the last row that came from it, and what the writer
 * had counted by then. In SQLite a position is written in one transaction with
 * its rows, in Cassandra after them, so it never promises rows that are not
 * there. It names its stream, so that no two streams mix in one store.
 */
import { StoreError } from "../base/error.ts";
import type { RecordMark } from "../log/record_batch.ts";
import { textCheck } from "./row_check.ts";

/** The table of positions, in either store. */
export const POSITION_TABLE = "stream_position";

/** Up to where a partition of a stream is stored. */
export interface StreamPosition {
  /** The stream's id, see StreamIdentity. */
  readonly stream: string;
  /** The topic that the rows come from. */
  readonly topic: string;
  /** Its partition. */
  readonly partition: number;
  /** Offset of the next record to store. */
  readonly next: number;
  /** The last record before it; undefined where none was read. */
  readonly mark: RecordMark | undefined;
  /** TRANSACTION_ID of the last row stored from this partition; undefined before the first. */
  readonly lastId: number | undefined;
  /** What the writer commits with this offset: its progress and counters. */
  readonly metadata: string;
}

/** A table of the store that is filled from a topic; its write() takes the positions that its rows reach. */
export interface StoredTable {
  /** The greatest TRANSACTION_ID that it takes; write() must not be given a greater one. */
  readonly idMax: number;
  /** All positions in the store, of all topics and streams. Throws StoreError if one is damaged. */
  positions(): Promise<StreamPosition[]>;
  /** Writes positions without rows; see Store.write for the signal. */
  savePositions(
    positions: readonly StreamPosition[],
    signal?: AbortSignal,
  ): Promise<void>;
  /** Whether the table has a row with that TRANSACTION_ID. */
  holds(transactionId: number): Promise<boolean>;
  /** Whether the table has no rows. */
  isEmpty(): Promise<boolean>;
  /** Removes all rows, and all streams' positions in a topic. */
  clear(topic: string): Promise<void>;
}

/** The columns of a position in the order of positionValues(). */
export const POSITION_COLUMNS = [
  "stream",
  "topic",
  "topic_partition",
  "next_offset",
  "mark_offset",
  "mark_check",
  "last_id",
  "metadata",
  "row_check",
] as const;

/** A position as a row of its table, checksum included. */
export function positionValues(
  position: StreamPosition,
): (string | number | null)[] {
  const { stream, topic, partition, next, mark, lastId, metadata } = position;
  const values = [
    ...[stream, topic, partition, next],
    ...[mark?.offset ?? null, mark?.check ?? null, lastId ?? null, metadata],
  ];
  return [...values, textCheck(values)];
}

/** The position in a row of the table in `place`. Throws StoreError if its checksum is wrong. */
export function positionOf(
  row: Readonly<Record<string, unknown>>,
  place: string,
): StreamPosition {
  const number = (column: string) =>
    row[column] === null ? undefined : Number(row[column]);
  const offset = number("mark_offset");
  const check = number("mark_check");
  const position = {
    stream: String(row.stream),
    topic: String(row.topic),
    partition: Number(row.topic_partition),
    next: Number(row.next_offset),
    mark: offset === undefined || check === undefined
      ? undefined
      : { offset, check },
    lastId: number("last_id"),
    metadata: String(row.metadata),
  };
  if (Number(row.row_check) === positionValues(position).at(-1)) {
    return position;
  }
  throw new StoreError(
    `${place}, table ${POSITION_TABLE}: the position in ${position.topic} ` +
      `partition ${position.partition} does not match its checksum; ` +
      `'fraudstream rebuild' fills the store again from the log`,
  );
}
