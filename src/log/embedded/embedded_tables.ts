/**
 * The tables of an embedded log, every row of them checked. A batch's blob
 * carries a checksum of itself and its place. A partition's state says where
 * its records begin and end, and sums up its batches; the total sums up all
 * rows but the batches. So a row that was changed, lost, doubled or is older
 * than the rest is noticed when it is read. All methods must run in a
 * transaction of the caller.
 */
import { Buffer } from "node:buffer";
import type { DatabaseSync } from "node:sqlite";
import { LogError } from "../../base/error.ts";
import { RESTORE_ADVICE } from "../../base/sqlite/sqlite.ts";
import {
  type BatchPlace,
  decodeBatch,
  type EncodedBatch,
  isIntact,
  sealBatch,
  storedCheck,
} from "./batch_codec.ts";
import { crc32c } from "../../base/crc32c.ts";
import type { Commit, TopicSpec } from "../log.ts";
import type { RecordBatch } from "../record_batch.ts";

/** Version of these tables. */
export const LOG_VERSION = 2;

const ENCODER = new TextEncoder();
const NO_BYTES = new Uint8Array(0);

const NEW_TABLES = `
CREATE TABLE partition_state (
  topic INTEGER NOT NULL REFERENCES topic,
  partition INTEGER NOT NULL,
  start_offset INTEGER NOT NULL,
  next_offset INTEGER NOT NULL,
  checked_from INTEGER NOT NULL,
  batches INTEGER NOT NULL,
  batch_checks INTEGER NOT NULL,
  checksum INTEGER NOT NULL,
  PRIMARY KEY (topic, partition)
) STRICT, WITHOUT ROWID;
CREATE TABLE total (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  row_count INTEGER NOT NULL,
  row_checks INTEGER NOT NULL,
  checksum INTEGER NOT NULL
) STRICT;
`;

/** Makes the tables of an empty log. */
export const LOG_SCHEMA: string = `
CREATE TABLE topic (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  partitions INTEGER NOT NULL,
  compacted INTEGER NOT NULL,
  checksum INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE batch (
  topic INTEGER NOT NULL REFERENCES topic,
  partition INTEGER NOT NULL,
  base_offset INTEGER NOT NULL,
  next_offset INTEGER NOT NULL,
  record_key BLOB,
  data BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX batch_place ON batch (topic, partition, next_offset);
CREATE INDEX batch_key ON batch (topic, partition, record_key)
  WHERE record_key IS NOT NULL;
CREATE TABLE group_offset (
  consumer_group TEXT NOT NULL,
  topic INTEGER NOT NULL REFERENCES topic,
  partition INTEGER NOT NULL,
  next_offset INTEGER NOT NULL,
  metadata TEXT NOT NULL,
  checksum INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY (consumer_group, topic, partition)
) STRICT, WITHOUT ROWID;
CREATE TABLE producer (
  id TEXT PRIMARY KEY,
  epoch INTEGER NOT NULL,
  checksum INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;
${NEW_TABLES}
INSERT INTO total VALUES (1, 0, 0, ${rowCheck("total", 0, 0)});
`;

/** A topic of the log. */
export interface Topic {
  /** Its number in this log. */
  readonly id: number;
  /** What it was created as. */
  readonly spec: TopicSpec;
}

/** The offsets of a partition, and the sums over its batches. */
export interface PartitionState {
  /** Offset of the first record that has not been trimmed. */
  readonly start: number;
  /** Offset behind the last record. */
  readonly next: number;
  /** Batches from this offset on have checksums; those before are of the first version. */
  readonly checkedFrom: number;
  /** Number of stored batches. */
  readonly batches: number;
  /** Sum of their checksums, modulo 2^32. */
  readonly checks: number;
}

/** The summed rows, by table: the columns that their checksums cover. */
const SUMMED = {
  topic: ["id", "name", "partitions", "compacted"],
  partition_state: [
    "topic",
    "partition",
    "start_offset",
    "next_offset",
    "checked_from",
    "batches",
    "batch_checks",
  ],
  group_offset: [
    "consumer_group",
    "topic",
    "partition",
    "next_offset",
    "metadata",
  ],
  producer: ["id", "epoch"],
} as const;

type Row = Readonly<Record<string, unknown>>;

/** The checksum of a row of small values. */
function rowCheck(table: string, ...values: readonly unknown[]): number {
  return crc32c(ENCODER.encode(JSON.stringify([table, ...values])));
}

function checkOf(table: keyof typeof SUMMED, row: Row): number {
  return rowCheck(table, ...SUMMED[table].map((column) => row[column]));
}

/** A sum of checksums, modulo 2^32. */
function sum(checks: number, more: number): number {
  return (checks + more) >>> 0;
}

/** The columns of a partition's state, in their order. */
function stateValues(
  topic: number,
  partition: number,
  { start, next, checkedFrom, batches, checks }: PartitionState,
): number[] {
  return [topic, partition, start, next, checkedFrom, batches, checks];
}

/** The tables of one log, through one connection. */
export class LogTables {
  readonly #path: string;
  readonly #statements: ReturnType<typeof prepareStatements>;
  /** What the present changes add to the total. */
  #change = { count: 0, checks: 0 };

  /** Over a connection to the file at `path`, which has the tables. */
  constructor(db: DatabaseSync, path: string) {
    this.#path = path;
    this.#statements = prepareStatements(db);
  }

  /** The error of a damaged log. */
  damage(what: string): LogError {
    return new LogError(
      `the log ${this.#path} is damaged: ${what}; ${RESTORE_ADVICE}`,
    );
  }

  /** Compares the rows of all tables but the batches with the total; throws LogError if any was changed, lost or doubled. */
  verify(): void {
    let count = 0;
    let checks = 0;
    for (const [table, statement] of this.#statements.summed) {
      for (const row of statement.all()) {
        count++;
        checks = sum(checks, this.#checked(table, row));
      }
    }
    const total = this.#expected();
    if (count === total.count && checks === total.checks) return;
    throw this.damage(
      `topics, commits, producers and states of partitions are ${count} rows ` +
        `and should be ${total.count}, or are not of one moment`,
    );
  }

  /** Lets SQLite check all pages and indexes; throws LogError if it finds something. */
  verifyPages(): void {
    const row = this.#statements.integrity.get();
    const found = String(row?.integrity_check);
    if (found !== "ok") throw this.damage(found.replaceAll("\n", " "));
  }

  /** All topics, ascending number. */
  topics(): Topic[] {
    return this.#statements.topics.all().map((row) => {
      this.#checked("topic", row);
      return {
        id: Number(row.id),
        spec: {
          name: String(row.name),
          partitions: Number(row.partitions),
          compacted: Number(row.compacted) === 1,
        },
      };
    });
  }

  /** Creates a topic, which must not exist. */
  addTopic({ name, partitions, compacted }: TopicSpec): void {
    const { addTopic, lastTopic } = this.#statements;
    const id = Number(lastTopic.get()?.id ?? 0) + 1;
    const values = [id, name, partitions, compacted ? 1 : 0];
    const check = rowCheck("topic", ...values);
    addTopic.run(...values, check);
    this.#summed(1, check);
    for (let partition = 0; partition < partitions; partition++) {
      const empty = {
        start: 0,
        next: 0,
        checkedFrom: 0,
        batches: 0,
        checks: 0,
      };
      const check = this.#setState(id, partition, empty);
      this.#summed(1, check);
    }
  }

  /** The state of a partition; throws LogError if its last batch is missing. */
  state(topic: Topic, partition: number): PartitionState {
    const state = this.#state(topic, partition);
    const last = this.#statements.end.get(topic.id, partition);
    const end = last ? Number(last.next_offset) : state.start;
    if (end === state.next) return state;
    throw this.damage(
      `${placeOf(topic, partition)} should end at offset ${state.next} and ` +
        `ends at ${end}`,
    );
  }

  #state(topic: Topic, partition: number): PartitionState {
    const row = this.#statements.state.get(topic.id, partition);
    if (!row) {
      throw this.damage(`the state of ${placeOf(topic, partition)} is missing`);
    }
    this.#checked("partition_state", row);
    return {
      start: Number(row.start_offset),
      next: Number(row.next_offset),
      checkedFrom: Number(row.checked_from),
      batches: Number(row.batches),
      checks: Number(row.batch_checks),
    };
  }

  /** Writes a state; returns its checksum. */
  #setState(topic: number, partition: number, state: PartitionState): number {
    const values = stateValues(topic, partition, state);
    const check = rowCheck("partition_state", ...values);
    this.#statements.setState.run(...values, check);
    return check;
  }

  #changeState(
    { id }: Topic,
    partition: number,
    before: PartitionState,
    after: PartitionState,
  ): void {
    const values = stateValues(id, partition, before);
    const old = rowCheck("partition_state", ...values);
    this.#summed(0, this.#setState(id, partition, after) - old);
  }

  /** Appends blobs to a partition; in a compacted topic each replaces the one with its key. Returns the first record's offset, which the others follow. */
  append(
    topic: Topic,
    partition: number,
    blobs: readonly EncodedBatch[],
  ): number {
    const before = this.state(topic, partition);
    let { next, batches, checks } = before;
    for (const blob of blobs) {
      if (blob.key) {
        for (
          const removed of this.#remove(topic, partition, before, blob.key)
        ) {
          batches--;
          checks = sum(checks, -removed);
        }
      }
      const place = {
        topic: topic.id,
        partition,
        base: next,
        next: next + blob.count,
        key: blob.key,
      };
      batches++;
      checks = sum(checks, sealBatch(blob, place));
      this.#statements.addBatch.run(
        topic.id,
        partition,
        place.base,
        place.next,
        blob.key,
        blob.data,
      );
      next = place.next;
    }
    this.#changeState(topic, partition, before, {
      ...before,
      next,
      batches,
      checks,
    });
    return before.next;
  }

  /** Removes the batch with a key; returns its checksum. */
  #remove(
    topic: Topic,
    partition: number,
    state: PartitionState,
    key: Uint8Array,
  ): number[] {
    const rows = this.#statements.removeKey.all(topic.id, partition, key);
    return rows.map((row) => {
      const place = placeOfRow(row);
      const isTheOne = place.topic === topic.id &&
        place.partition === partition && place.key !== null &&
        Buffer.compare(place.key, key) === 0;
      if (!isTheOne) {
        throw this.damage(
          `the keys of ${placeOf(topic, partition)} lead to other records`,
        );
      }
      this.#requireIntact(topic, row, state);
      return storedCheck(blobOf(row.data));
    });
  }

  /** Removes whole batches below an offset, never the last one. */
  trim(topic: Topic, partition: number, before: number): void {
    const state = this.state(topic, partition);
    const removed = this.#statements.trim
      .all(topic.id, partition, before, state.next)
      .map((row) => ({
        base: Number(row.base_offset),
        next: Number(row.next_offset),
        check: storedCheck(blobOf(row.header)),
      })).sort((a, b) => a.base - b.base);
    if (removed.length === 0) return;
    let { start, checks } = state;
    for (const { base, next, check } of removed) {
      if (base !== start && !topic.spec.compacted) {
        throw this.hole(topic, partition, start, base);
      }
      start = next;
      checks = sum(checks, -check);
    }
    const batches = state.batches - removed.length;
    const after = { ...state, start, batches, checks };
    this.#changeState(topic, partition, state, after);
  }

  /** The batch that holds the record at `from` or, where that is gone, the next one; `state` is the partition's at this moment. */
  batchAt(
    topic: Topic,
    partition: number,
    from: number,
    state: PartitionState,
  ): RecordBatch | undefined {
    if (from >= state.next) return undefined;
    const row = this.#statements.batchAt.get(topic.id, partition, from);
    if (!row) throw this.hole(topic, partition, from, state.next);
    const place = { ...placeOfRow(row), topic: topic.id, partition };
    const first = Math.max(from, state.start);
    if (place.base > first && !topic.spec.compacted) {
      throw this.hole(topic, partition, first, place.base);
    }
    const checked = place.base >= state.checkedFrom;
    const batch = decodeBatch(blobOf(row.data), place, checked);
    if (batch) return batch;
    throw this.#damagedBatch(topic, partition, place.base);
  }

  #damagedBatch(topic: Topic, partition: number, base: number): LogError {
    return this.damage(
      `the batch at offset ${base} of ${placeOf(topic, partition)} is damaged`,
    );
  }

  #requireIntact(topic: Topic, row: Row, { checkedFrom }: PartitionState) {
    const place = placeOfRow(row);
    const checked = place.base >= checkedFrom;
    if (isIntact(blobOf(row.data), place, checked)) return;
    throw this.#damagedBatch(topic, place.partition, place.base);
  }

  /** The error of records that are missing. */
  hole(topic: Topic, partition: number, from: number, to: number): LogError {
    return this.damage(
      `the records of ${placeOf(topic, partition)} from offset ${from} to ` +
        `${to} are missing`,
    );
  }

  /**
   * Reads all batches of a partition; throws LogError if one is damaged,
   * missing or too many. Takes as long as reading the partition.
   */
  verifyPartition(topic: Topic, partition: number): void {
    const state = this.state(topic, partition);
    let count = 0;
    let checks = 0;
    let next = state.start;
    for (const row of this.#batches(topic, partition)) {
      const { base, next: end } = placeOfRow(row);
      if (base > next && !topic.spec.compacted) {
        throw this.hole(topic, partition, next, base);
      }
      this.#requireIntact(topic, row, state);
      if (base < next) throw this.#damagedBatch(topic, partition, base);
      count++;
      checks = sum(checks, storedCheck(blobOf(row.data)));
      next = end;
    }
    if (count === state.batches && checks === state.checks) return;
    throw this.damage(
      `${placeOf(topic, partition)} holds ${count} batches and should hold ` +
        `${state.batches}, or holds another one`,
    );
  }

  /** The rows of a partition, a few at a time (a statement's iterate() returns nothing the second time in Deno 2.4). */
  *#batches(topic: Topic, partition: number): Generator<Row> {
    for (let after = -1;;) {
      const rows = this.#statements.batches.all(topic.id, partition, after);
      yield* rows;
      if (rows.length === 0) return;
      after = Number(rows[rows.length - 1].next_offset);
    }
  }

  /** A group's commits on a topic, by partition. */
  commits(group: string, topic: Topic): Map<number, Commit> {
    const rows = this.#statements.commits.all(group, topic.id);
    return new Map(rows.map((row) => {
      this.#checked("group_offset", row);
      const commit = {
        offset: Number(row.next_offset),
        metadata: String(row.metadata),
      };
      return [Number(row.partition), commit];
    }));
  }

  /** A group's commit on a partition; undefined if it has none. */
  commitAt(group: string, topic: Topic, partition: number): Commit | undefined {
    const row = this.#statements.commitAt.get(group, topic.id, partition);
    if (!row) {
      this.verify(); // none, or lost
      return undefined;
    }
    this.#checked("group_offset", row);
    return { offset: Number(row.next_offset), metadata: String(row.metadata) };
  }

  /** Moves a group that stands at `before`. */
  setCommit(
    group: string,
    topic: Topic,
    partition: number,
    commit: Commit,
    before: Commit | undefined,
  ): void {
    const check = ({ offset, metadata }: Commit) =>
      rowCheck("group_offset", group, topic.id, partition, offset, metadata);
    const { offset, metadata } = commit;
    this.#statements.setCommit.run(
      group,
      topic.id,
      partition,
      offset,
      metadata,
      check(commit),
    );
    const old = before ? check(before) : 0;
    this.#summed(before ? 0 : 1, check(commit) - old);
  }

  /** The epoch of a producer, 0 if there is none. */
  epoch(id: string): number {
    const row = this.#statements.epoch.get(id);
    if (!row) return 0;
    this.#checked("producer", row);
    return Number(row.epoch);
  }

  /** Raises the epoch of a producer; returns the new one. */
  fence(id: string): number {
    const before = this.epoch(id);
    const epoch = before + 1;
    const check = rowCheck("producer", id, epoch);
    this.#statements.setEpoch.run(id, epoch, check);
    const old = before > 0 ? rowCheck("producer", id, before) : 0;
    this.#summed(before > 0 ? 0 : 1, check - old);
    return epoch;
  }

  /** The checksum of a row; throws LogError if it is wrong. */
  #checked(table: keyof typeof SUMMED, row: Row): number {
    const check = checkOf(table, row);
    if (check === row.checksum) return check;
    const values = SUMMED[table].slice(0, 3).map((column) =>
      String(row[column]).slice(0, 60)
    );
    throw this.damage(`a row of ${table} is damaged (${values.join(", ")})`);
  }

  #total(): { count: number; checks: number } {
    const row = this.#statements.total.get();
    const count = Number(row?.row_count);
    const checks = Number(row?.row_checks);
    if (row && rowCheck("total", count, checks) === row.checksum) {
      return { count, checks };
    }
    throw this.damage("the total of its rows is damaged");
  }

  /** Runs `body`, which alone may change rows, and brings the total up to date: once, as the last thing of a transaction. */
  changing<T>(body: () => T): T {
    try {
      const result = body();
      const { count, checks } = this.#expected();
      const check = rowCheck("total", count, checks);
      this.#statements.setTotal.run(count, checks, check);
      return result;
    } finally {
      this.#change = { count: 0, checks: 0 };
    }
  }

  /** The total with the changes that are being made. */
  #expected(): { count: number; checks: number } {
    const { count, checks } = this.#total();
    return {
      count: count + this.#change.count,
      checks: sum(checks, this.#change.checks),
    };
  }

  /** Adds rows and checksums to what the total is to become. */
  #summed(rows: number, checks: number): void {
    this.#change.count += rows;
    this.#change.checks = sum(this.#change.checks, checks);
  }
}

function placeOf({ spec }: Topic, partition: number): string {
  return `${spec.name} partition ${partition}`;
}

function placeOfRow(row: Row): BatchPlace {
  return {
    topic: Number(row.topic),
    partition: Number(row.partition),
    base: Number(row.base_offset),
    next: Number(row.next_offset),
    key: row.record_key === null ? null : blobOf(row.record_key),
  };
}

/** A blob; an empty one where a damaged file holds something else. */
function blobOf(value: unknown): Uint8Array {
  return value instanceof Uint8Array ? value : NO_BYTES;
}

function prepareStatements(db: DatabaseSync) {
  const summed = Object.keys(SUMMED).map((table) =>
    [
      table as keyof typeof SUMMED,
      db.prepare(`SELECT * FROM ${table}`),
    ] as const
  );
  return {
    summed,
    // By the table itself: an index could be damaged.
    topics: db.prepare("SELECT * FROM topic ORDER BY id"),
    lastTopic: db.prepare("SELECT max(id) AS id FROM topic"),
    addTopic: db.prepare("INSERT INTO topic VALUES (?, ?, ?, ?, ?)"),
    state: db.prepare(
      "SELECT * FROM partition_state WHERE topic = ? AND partition = ?",
    ),
    setState: db.prepare(
      "INSERT OR REPLACE INTO partition_state VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
    ),
    addBatch: db.prepare("INSERT INTO batch VALUES (?, ?, ?, ?, ?, ?)"),
    removeKey: db.prepare(
      "DELETE FROM batch WHERE topic = ? AND partition = ? " +
        "AND record_key = ? RETURNING *",
    ),
    batchAt: db.prepare(
      "SELECT * FROM batch WHERE topic = ? AND partition = ? " +
        "AND next_offset > ? ORDER BY next_offset LIMIT 1",
    ),
    batches: db.prepare(
      "SELECT * FROM batch WHERE topic = ? AND partition = ? " +
        "AND next_offset > ? ORDER BY next_offset LIMIT 64",
    ),
    end: db.prepare(
      "SELECT next_offset FROM batch WHERE topic = ? AND partition = ? " +
        "ORDER BY next_offset DESC LIMIT 1",
    ),
    trim: db.prepare(
      "DELETE FROM batch WHERE topic = ? AND partition = ? " +
        "AND next_offset <= ? AND next_offset < ? " +
        "RETURNING base_offset, next_offset, substr(data, 1, 16) AS header",
    ),
    commits: db.prepare(
      "SELECT * FROM group_offset WHERE consumer_group = ? AND topic = ?",
    ),
    commitAt: db.prepare(
      "SELECT * FROM group_offset " +
        "WHERE consumer_group = ? AND topic = ? AND partition = ?",
    ),
    setCommit: db.prepare(
      "INSERT OR REPLACE INTO group_offset VALUES (?, ?, ?, ?, ?, ?)",
    ),
    epoch: db.prepare("SELECT * FROM producer WHERE id = ?"),
    setEpoch: db.prepare("INSERT OR REPLACE INTO producer VALUES (?, ?, ?)"),
    integrity: db.prepare("PRAGMA integrity_check(1)"),
    total: db.prepare("SELECT * FROM total WHERE id = 1"),
    setTotal: db.prepare(
      "UPDATE total SET row_count = ?, row_checks = ?, checksum = ? " +
        "WHERE id = 1",
    ),
  };
}

/**
 * Upgrades the tables of the first version to this one. Existing batches stay
 * as they are, without checksums; everything else gets them.
 */
export function upgradeLog(db: DatabaseSync): void {
  for (const table of ["topic", "group_offset", "producer"]) {
    db.exec(
      `ALTER TABLE ${table} ADD COLUMN checksum INTEGER NOT NULL DEFAULT 0`,
    );
  }
  db.exec(NEW_TABLES);
  db.exec(
    `INSERT INTO partition_state
     WITH RECURSIVE number (n) AS
       (SELECT 0 UNION ALL SELECT n + 1 FROM number WHERE n < 4096)
     SELECT t.id, n,
       CASE t.compacted WHEN 1 THEN 0 ELSE coalesce((
         SELECT base_offset FROM batch WHERE topic = t.id AND partition = n
         ORDER BY next_offset LIMIT 1), 0) END,
       coalesce((SELECT max(next_offset) FROM batch
         WHERE topic = t.id AND partition = n), 0),
       coalesce((SELECT max(next_offset) FROM batch
         WHERE topic = t.id AND partition = n), 0),
       (SELECT count(*) FROM batch WHERE topic = t.id AND partition = n),
       0, 0
     FROM topic t JOIN number ON n < t.partitions`,
  );
  let count = 0;
  let checks = 0;
  for (const name of Object.keys(SUMMED)) {
    const table = name as keyof typeof SUMMED;
    const columns = SUMMED[table];
    const where = columns.map((column) => `${column} = ?`).join(" AND ");
    const set = db.prepare(`UPDATE ${table} SET checksum = ? WHERE ${where}`);
    for (const row of db.prepare(`SELECT * FROM ${table}`).all()) {
      const check = checkOf(table, row);
      set.run(check, ...columns.map((column) => row[column]));
      count++;
      checks = sum(checks, check);
    }
  }
  db.prepare("INSERT INTO total VALUES (1, ?, ?, ?)")
    .run(count, checks, rowCheck("total", count, checks));
}
