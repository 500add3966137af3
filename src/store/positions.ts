/**
 * How far a topic is stored: for each partition the next offset, the mark of
 * the record before it, the last row that came from it, and what the writer had
 * counted by then. In SQLite a position is written in one transaction with its
 * rows, in Cassandra after them, so it never covers rows that are not stored.
 * It names its stream, so that no two streams mix in one store.
 */
import { StoreError } from "../base/error.ts";
import type { RecordMark } from "../log/record_batch.ts";
import {
  type BadRowHandler,
  objectCheck,
  objectOf,
  type StoredRow,
} from "./stored_row.ts";
import type { TransactionId } from "../payment/payment.ts";
import {
  CHECK_COLUMN,
  type ObjectTable,
  type PositionRow,
  POSITIONS,
} from "./tables.ts";

/** How far a partition of a stream is stored. */
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
  readonly lastId: TransactionId | undefined;
  /** What the writer commits with this offset: its progress and counters. */
  readonly metadata: string;
}

/** A table of the store that is filled from a topic; writing takes the positions that its rows reach. */
export interface StoredTable {
  /** The greatest TRANSACTION_ID that it takes, where ids are numbers; write() must not be given a greater one. */
  readonly idMax: number;
  /** All positions in the store, of all topics and streams; the signal as in LookUp.payment. Throws StoreError if one is damaged. */
  positions(signal?: AbortSignal): Promise<StreamPosition[]>;
  /** Writes positions without rows; see RowTable.write for the signal. */
  savePositions(
    positions: readonly StreamPosition[],
    signal?: AbortSignal,
  ): Promise<void>;
  /** Whether the table has a row with that TRANSACTION_ID. */
  holds(transactionId: TransactionId): Promise<boolean>;
  /** Whether the table has no rows. */
  isEmpty(): Promise<boolean>;
  /** Removes all rows, and all streams' positions in a topic. */
  clear(topic: string): Promise<void>;
}

/** A stored table with its rows. */
export interface RowTable<Rows> extends StoredTable {
  /**
   * Writes rows, replacing those with the same TRANSACTION_ID, and the
   * positions that they reach; resolves once both are stored, however long the
   * store does not answer. The signal only ends that wait: its reason is
   * thrown, and the rows may or may not have been stored.
   */
  write(
    rows: Rows,
    signal?: AbortSignal,
    positions?: readonly StreamPosition[],
  ): Promise<void>;
  /**
   * All rows, ascending TRANSACTION_ID (texts by their bytes), some thousand at a time; they are valid
   * until the next. The signal's reason is thrown as soon as it is aborted. A
   * row that another program has made unusable goes to `onBadRow`; without it
   * StoreError is thrown.
   */
  rows(signal?: AbortSignal, onBadRow?: BadRowHandler): AsyncIterable<Rows>;
}

/** A position as a row of its table. */
export function positionRow(position: StreamPosition): PositionRow {
  const { mark, ...row } = position;
  return { ...row, markOffset: mark?.offset, markCheck: mark?.check };
}

/** The position in a row of the table in `place`. Throws StoreError if its checksum is wrong. */
export function positionOf(
  row: StoredRow,
  place: string,
  table: ObjectTable<PositionRow> = POSITIONS,
): StreamPosition {
  const found = objectOf(table, row);
  const { markOffset: offset, markCheck: check, ...position } = found;
  if (Number(row[CHECK_COLUMN]) === objectCheck(table, found)) {
    const isMarked = offset !== undefined && check !== undefined;
    return { ...position, mark: isMarked ? { offset, check } : undefined };
  }
  throw new StoreError(
    `${place}, table ${POSITIONS.name}: the position in ${position.topic} ` +
      `partition ${position.partition} does not match its checksum; ` +
      `'./fraudstream rebuild' fills the store again from the log`,
  );
}
