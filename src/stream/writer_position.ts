/**
 * Where a writer begins. The group's commit says how far the topic was read,
 * and the store's own position how far it is stored. The two can differ: a
 * store is restored from a backup, deleted, truncated or cut by a power
 * failure; a commit expires or is moved by other tools. The writer starts at
 * the lower of the two. It refuses what it cannot repair (another stream's
 * store, records that the log no longer holds) and names the command that
 * helps.
 */
import { LogError, StoreError } from "../base/error.ts";
import {
  type Commit,
  holdsRecord,
  type Log,
  READ_LIMIT,
  type ReadLimit,
  readRange,
} from "../log/log.ts";
import type { RecordMark } from "../log/record_batch.ts";
import type { TransactionId } from "../payment/payment.ts";
import { CELL } from "../payment/payment_cells.ts";
import type { CellRows } from "../store/cell_rows.ts";
import type { CellTable } from "../store/tables.ts";
import type { StoredTable, StreamPosition } from "../store/positions.ts";
import { formatDate } from "../payment/calendar.ts";
import { readDeadLetters } from "./dead_letters.ts";
import { Progress } from "./checks.ts";
import {
  type Stage,
  type StageRun,
  type StageState,
  StageTask,
  type StageWork,
} from "./stage.ts";
import { shapeOfStream } from "./stream_definition.ts";
import type { StreamContext } from "./stream_context.ts";
import { noCounters, readCommit, type StageCounters } from "./commit.ts";

/** What a step of a writer stores. */
export interface StoredRows<Rows> {
  /** The rows. */
  readonly rows: Rows;
  /** TRANSACTION_ID of the last one; undefined where there are none. */
  readonly lastId: TransactionId | undefined;
}

/** TRANSACTION_ID of the last of a table's rows; undefined where there are none. */
export function lastIdOf(
  { cells, texts, count }: CellRows,
  { width, shape }: CellTable,
): TransactionId | undefined {
  if (count === 0) return undefined;
  const cell = cells[(count - 1) * width + CELL.id];
  return shape.transactionId === "text" ? texts?.text(cell) ?? "" : cell;
}

/** How a writer is run, of payments or of predictions. */
export interface FillOptions {
  /** Midnight of the first day, for payments of another program. */
  readonly startSeconds: number | undefined;
  /** Whether no other process writes to the store, so that it may be cleared if the log was cut back. */
  readonly clears?: boolean;
  /** Whether records that the log no longer holds may be missing from the store. */
  readonly acceptMissingStart?: boolean;
  /** Whether it ends when all existing records are stored, although more may come. */
  readonly onlyPresent?: boolean;
}

/** What a writer's checks need. */
export interface WriterBounds {
  /** The greatest TRANSACTION_ID that the table takes; Infinity where ids are texts. */
  readonly idMax: number;
  /** Returns midnight of the stream's first day, seconds since 1970, once known. */
  readonly startSeconds: () => Promise<number | undefined>;
}

/** What a writer works on. */
export interface WriterSource<Rows = unknown> {
  /** What every role works with. */
  readonly context: StreamContext;
  /** Its consumer group. */
  readonly group: string;
  /** The topic that it reads. */
  readonly topic: string;
  /** The table that it fills. */
  readonly table: StoredTable;
  /** How it is run. */
  readonly options: FillOptions;
  /** Makes the work on a partition. */
  work(state: StageState, bounds: WriterBounds): StageWork<StoredRows<Rows>>;
  /** Stores the rows of several steps and the positions that they reach. */
  write(
    rows: readonly Rows[],
    positions: readonly StreamPosition[],
  ): Promise<void>;
}

/** A place in a partition, and its state. */
interface WriterState {
  /** Offset of the next record to store. */
  readonly offset: number;
  /** Greatest TX_TIME_SECONDS of the rows before it. */
  readonly progress: number;
  /** What has been counted up to `counted`. */
  readonly counters: StageCounters;
  /** Records below it are in the counters and in the dead letters: at least `offset`. */
  readonly counted: number;
  /** Records that are lost. */
  readonly missing: number;
}

/**
 * How much a step stores. Text ids come in no order, so that each step of many
 * rows writes most pages of the index by id once: larger steps write fewer.
 */
function limitOf({ context }: WriterSource): ReadLimit {
  const { transactionId } = shapeOfStream(context.parameters);
  return transactionId === "text"
    ? { records: 16_384, bytes: 16 << 20 }
    : READ_LIMIT;
}

/** A partition of a stream's topic. */
type Place = Pick<StreamPosition, "stream" | "topic" | "partition">;

/** How long a writer rests between small steps where each needs a sync. */
const REST_MS = 50;

/**
 * The stage that fills a table from a topic. Throws StoreError if the store
 * belongs to another stream, or holds what this stream's log does not.
 */
export async function fillStage<Rows>(
  source: WriterSource<Rows>,
): Promise<StageRun<StoredRows<Rows>>> {
  const { group, topic, options: { onlyPresent = false } } = source;
  await prepareTable(source);
  const stream = await streamId(source.context);
  const stage: Stage = {
    group,
    input: topic,
    output: undefined,
    limit: limitOf(source),
    writesLetters: true,
    markedBytes: Infinity,
  };
  const lastIds: (TransactionId | undefined)[] = [];
  return {
    stage,
    onlyPresent,
    // Beside an API, whose customers do not wait for the store.
    restMs: source.context.storesSynced ? REST_MS : undefined,
    open: async (partition, commit) => {
      const place = { stream, topic, partition };
      const opened = await openWriter(source, stage, place, commit);
      lastIds[partition] = opened.lastId;
      return opened.task;
    },
    store: async (steps) => {
      const positions = steps.map((step) => {
        const { partition, next, metadata, last, rows } = step;
        const lastId = lastIds[partition] = rows.lastId ?? lastIds[partition];
        const mark = last ?? undefined;
        return { stream, topic, partition, next, mark, lastId, metadata };
      });
      const { log, storesSynced } = source.context;
      if (storesSynced) await log.sync();
      await source.write(steps.map(({ rows }) => rows.rows), positions);
    },
  };
}

/**
 * Throws StoreError if the store belongs to another stream, or holds what this
 * stream's log does not. Where the log was cut back and `clears` allows it, the
 * table is emptied instead, to be filled again. Call before the group's work.
 */
async function prepareTable(source: WriterSource): Promise<void> {
  const { context: { log, logger }, group, topic, table } = source;
  const stream = await streamId(source.context);
  const positions = await table.positions();
  const commits = await log.committed(group, topic);
  const own = positions.filter((position) => position.topic === topic);
  const foreign = positions.find((position) => position.stream !== stream);
  const isNew = own.length === 0 && commits.every((commit) => !commit);
  if (foreign || isNew && !await table.isEmpty()) {
    throw new StoreError(
      `the store holds the rows of another stream${
        foreign ? ` (${foreign.stream}; this one is ${stream})` : ""
      }: choose another --data folder or --keyspace, or run './fraudstream ` +
        `rebuild', which clears the store and fills it from this stream's log`,
    );
  }
  for (const position of own) {
    const problem = await disagreement(log, position);
    if (problem === undefined) continue;
    const [state] = await log.topics([topic]);
    const isWhole = state?.startOffsets.every((start) => start === 0);
    if (source.options.clears && isWhole) {
      logger.warn("the store is ahead of the log, which was cut back", {
        problem,
        then: "clearing the table and filling it again from the log",
      });
      return await table.clear(topic);
    }
    throw new StoreError(
      `${problem}: the log was cut back or replaced; './fraudstream rebuild` +
        `${isWhole ? "" : " --accept-missing-start"}' clears the store and ` +
        `fills it with what the log holds`,
    );
  }
}

async function streamId({ control }: StreamContext): Promise<string> {
  if (!control.identity) await control.refresh();
  if (control.identity) return control.identity.id;
  throw new LogError("the stream has no identity yet; start a role first");
}

/** How a position contradicts the log; undefined if it may have been stored from this log. */
async function disagreement(
  log: Log,
  { topic, partition, next, mark }: StreamPosition,
): Promise<string | undefined> {
  const [state] = await log.topics([topic]);
  const end = state?.endOffsets[partition] ?? 0;
  const where = `${topic} partition ${partition}`;
  if (next > end) {
    return `the store holds ${where} up to offset ${next}, but the log ends ` +
      `at ${end}`;
  }
  if (!mark || mark.offset < (state?.startOffsets[partition] ?? 0)) return;
  if (await holdsRecord(log, topic, partition, mark)) return;
  return `at offset ${mark.offset} of ${where} the log holds another record ` +
    `than the one that was stored`;
}

/** Where a partition's writer begins. */
interface Opened<Rows> {
  readonly task: StageTask<StoredRows<Rows>>;
  /** The last row stored from the partition. */
  readonly lastId: TransactionId | undefined;
}

/**
 * Opens a partition of a writer at its start. Throws StoreError if the store
 * lacks records that the log no longer holds.
 */
async function openWriter<Rows>(
  source: WriterSource<Rows>,
  stage: Stage,
  place: Place,
  commit: Commit | undefined,
): Promise<Opened<Rows>> {
  const { table, options, context } = source;
  const { log, control, parameters, signal } = context;
  const { topic, partition } = place;
  const bounds: WriterBounds = {
    idMax: shapeOfStream(parameters).transactionId === "text"
      ? Infinity
      : table.idMax,
    startSeconds: () => control.startSeconds(options.startSeconds),
  };
  const position = await storedPosition(source, place);
  const recount: Recount = async (from, to) => {
    const state = stageState(source, partition, from);
    const task = new StageTask(stage, state, source.work(state, bounds));
    await task.discard(readRange(log, topic, partition, from.offset, to));
    return state.counters;
  };
  const ours = commit && stateOf(commit.offset, commit.metadata);
  const begin = await beginning(source, { partition, commit, ours, position });
  const found = await withCounters(source, { begin, partition, ours, recount });
  const valid = position?.kind === "valid" ? position.position : undefined;
  const { offset } = found;
  const mark = valid?.next === offset ? valid.mark : undefined;
  const state = stageState(source, partition, found, mark);
  const task = new StageTask(stage, state, source.work(state, bounds));
  const metadata = task.metadata(offset);
  if (!valid) {
    // Before any row: rows without a position count as another stream's.
    const claim = { ...place, next: offset, mark, lastId: undefined, metadata };
    await table.savePositions([claim], signal);
  }
  if (!ours || offset !== ours.offset) task.start = { offset, metadata };
  return { task, lastId: valid?.lastId };
}

function stageState(
  { context: { parameters } }: WriterSource,
  partition: number,
  { offset, progress, counters, counted, missing }: WriterState,
  mark?: RecordMark,
): StageState {
  return {
    partition,
    progress: new Progress(parameters, { offset, progress }),
    counters: { ...counters },
    counted,
    missing,
    last: mark ?? null,
  };
}

/** Counts the records from a state up to an offset, storing nothing. */
type Recount = (from: WriterState, to: number) => Promise<StageCounters>;

/** The store's position in a partition. */
type FoundPosition =
  /** Its rows are stored up to this position. */
  | { readonly kind: "valid"; readonly position: StreamPosition }
  /** The last row of this position is missing. */
  | { readonly kind: "lost" };

async function storedPosition(
  { table, context: { logger } }: WriterSource,
  { stream, topic, partition }: Place,
): Promise<FoundPosition | undefined> {
  const position = (await table.positions()).find((found) =>
    found.stream === stream && found.topic === topic &&
    found.partition === partition
  );
  if (!position) return undefined;
  const { lastId } = position;
  if (lastId === undefined || await table.holds(lastId)) {
    return { kind: "valid", position };
  }
  logger.warn("rows are gone from the store", {
    topic,
    partition,
    missing: `TRANSACTION_ID ${lastId}, the last that was stored`,
    then: "storing the partition again from the start of the log",
  });
  return { kind: "lost" };
}

/** What a commit or a position says; undefined if another program has set it. */
function stateOf(offset: number, metadata: string): WriterState | undefined {
  const commit = readCommit({ offset, metadata });
  if (!commit) return undefined;
  const { progress, counters, counted = offset, missing = 0 } = commit;
  return {
    offset,
    progress,
    counters: { ...counters },
    counted: Math.max(offset, counted),
    missing,
  };
}

function stateAt(offset: number): WriterState {
  const counters = noCounters();
  return { offset, progress: 0, counters, counted: offset, missing: 0 };
}

/** What is known about a partition when it is opened. */
interface Known {
  readonly partition: number;
  readonly commit: Commit | undefined;
  /** The commit's state, unless another program has set it. */
  readonly ours: WriterState | undefined;
  readonly position: FoundPosition | undefined;
}

/** The lower of commit and position, as far as each can be trusted, not below what the log holds. */
async function beginning(
  source: WriterSource,
  { partition, commit, ours, position }: Known,
): Promise<WriterState> {
  const { context: { log, logger }, table, topic } = source;
  const [topicState] = await log.topics([topic]);
  const first = topicState?.startOffsets[partition] ?? 0;
  const stored = position?.kind === "valid"
    ? stateOf(position.position.next, position.position.metadata)
    : undefined;
  if (stored) {
    if (ours && ours.offset <= stored.offset) return ours;
    if (ours || !commit || commit.offset >= stored.offset) {
      return await notBelow(source, { partition, first, state: stored, ours });
    }
    // A bare offset further back is a request to store rows again from there.
    if (first === 0) return stateAt(0);
    return { ...stored, offset: Math.max(first, commit.offset) };
  }
  if (!position && ours) {
    if (ours.counters.emitted === 0) return ours;
    if (first > 0 && !await table.isEmpty()) {
      logger.info("the store has no position of an older version", {
        topic,
        partition,
        then: "continuing at the commit, since the log no longer holds all",
      });
      return ours;
    }
  }
  const state = stateAt(0);
  return await notBelow(source, { partition, first, state, ours });
}

/** The state, or the first record that the log holds where `acceptMissingStart` says so. Throws StoreError if records are missing. */
async function notBelow(
  source: WriterSource,
  { partition, first, state, ours }: {
    readonly partition: number;
    readonly first: number;
    readonly state: WriterState;
    readonly ours: WriterState | undefined;
  },
): Promise<WriterState> {
  const { context: { log, control }, topic } = source;
  if (state.offset >= first) return state;
  if (source.options.acceptMissingStart) {
    return {
      ...state,
      offset: first,
      counted: first,
      progress: Math.max(state.progress, ours?.progress ?? 0),
      missing: state.missing + first - state.offset,
    };
  }
  const limit = { records: 1, bytes: 1 };
  const { timestamps } = await log.read(topic, partition, first, limit);
  const start = await control.startSeconds(source.options.startSeconds);
  const from = start === undefined ? "?" : formatDate(start + state.progress);
  const to = timestamps.length === 0 ? "?" : formatDate(timestamps[0] / 1000);
  throw new StoreError(
    `the store lacks payments from ${from} to ${to} that the log no longer ` +
      `holds (offsets ${state.offset} to ${first} of ${topic} partition ` +
      `${partition} were deleted): restore the store from a newer copy, or ` +
      `let './fraudstream rebuild --accept-missing-start' clear it and fill it ` +
      `with what is left`,
  );
}

/** The state with the counters that the records counted before lead to, so that none is counted, or made a dead letter, twice. */
async function withCounters(
  { context: { log }, topic }: WriterSource,
  { begin, partition, ours, recount }: {
    readonly begin: WriterState;
    readonly partition: number;
    readonly ours: WriterState | undefined;
    readonly recount: Recount;
  },
): Promise<WriterState> {
  const counted = ours?.counted ?? await letteredUpTo(log, topic, partition);
  if (counted <= begin.counted) return begin;
  // Rejected rows may fit into the table that is filled now.
  const mayDiffer = ours && ours.counters.deadLettered > 0;
  if (ours && begin.missing === ours.missing && !mayDiffer) {
    return { ...begin, counters: ours.counters, counted };
  }
  return { ...begin, counters: await recount(begin, counted), counted };
}

/** The offset behind the last record of a partition that is a dead letter; 0 if none is. */
async function letteredUpTo(
  log: Log,
  topic: string,
  partition: number,
): Promise<number> {
  let end = 0;
  for await (const letter of readDeadLetters(log)) {
    if (letter.topic !== topic || letter.partition !== partition) continue;
    end = Math.max(end, letter.offset + 1);
  }
  return end;
}
