/**
 * Compares the rows of a store with the log, row by row: both sides in order of
 * TRANSACTION_ID, the log's through a spool, so that memory stays bounded. The
 * stream may be running: rows that are not stored yet, or were stored
 * meanwhile, are not differences.
 */
import { FeatureJsonReader } from "../features/feature_row.ts";
import { CELL, FRAUD_UNKNOWN } from "../payment/payment_cells.ts";
import { type Log, readRange, type TopicState } from "../log/log.ts";
import { type RecordBatch, valueEnd, valueStart } from "../log/record_batch.ts";
import { type CellRows, idsOf } from "../store/cell_rows.ts";
import { fraudOf, labelOf, type StoredLabel } from "../store/labels.ts";
import {
  emptyPredictions,
  PREDICTION_CELL,
  UNKNOWN_PLACE,
} from "../payment/prediction.ts";
import { RowCheck } from "../store/row_check.ts";
import { RowSpool } from "../store/row_spool.ts";
import type { Store, StoreRows } from "../store/store.ts";
import {
  type BadRow,
  badRowText,
  objectCheck,
  type StoredRow,
} from "../store/stored_row.ts";
import {
  type CellTable,
  labelTable,
  paymentTable,
  predictionTable,
  type TableRows,
} from "../store/tables.ts";
import { DAY_SECONDS, type TransactionId } from "../payment/payment.ts";
import { compareIds, TextHeap } from "../payment/text_heap.ts";
import type { Control, StreamParameters } from "./control.ts";
import { shapeOfStream } from "./stream_definition.ts";
import { readDeadLetters } from "./dead_letters.ts";
import { ShapedJsonReader } from "../payment/payment_json.ts";
import { PredictionJsonReader } from "../payment/prediction_json.ts";
import {
  LABEL_WRITER_GROUP,
  PREDICTION_GROUP,
  PREDICTION_TOPIC,
  SINK_TOPIC,
  TRANSACTION_LABEL_TOPIC,
  WRITER_GROUP,
} from "./topics.ts";

/** What is compared. */
export interface VerifyOptions {
  /** The log. */
  readonly log: Log;
  /** Its control topic. */
  readonly control: Control;
  /** What the stream's roles agreed on. */
  readonly parameters: StreamParameters;
  /** The store. */
  readonly store: Store;
  /** Ends the comparing: its reason is thrown. */
  readonly signal: AbortSignal;
  /** Called with the number of rows of the store that have been compared. */
  readonly compared: (rows: number) => void;
}

/** The result of comparing one table, in numbers of rows. */
export interface TableVerification {
  /** As the log says. */
  equal: number;
  /** In the log, stored according to the writer's commit, and not in the table. */
  missing: number;
  /** In both, with other values, or damaged in the table. */
  different: number;
  /** Only in the table, though the log holds everything of their time. */
  unknown: number;
  /** Only in the table, from a time that the log no longer fully holds. */
  notVerifiable: number;
  /** In the log and not stored yet. */
  pending: number;
  /** The first rows that are missing, different or unknown, for messages. */
  readonly first: string[];
}

/** The result of comparing a store. */
export interface StoreVerification {
  /** The payments with their features. */
  readonly payments: TableVerification;
  /** The labels, where they arrive later. */
  readonly labels: TableVerification | undefined;
  /** The predictions, in a stream that is scored. */
  readonly predictions: TableVerification | undefined;
}

/** How many differences are named one by one. */
const FIRST_MAX = 5;

/** Cells of a row of the log: id (which may refer to a text), checksum, partition, offset, and the checksum that an earlier release stored, NaN where it is the same. */
const LOG_CELLS = 5;
/** Cells of a row of the store: id, checksum, seconds since 1970. */
const STORE_CELLS = 3;

/** Compares all tables. Throws StoreError if the store cannot be read as a whole. */
export async function verifyStore(
  options: VerifyOptions,
): Promise<StoreVerification> {
  await options.store.verify();
  const payments = await verifyTable(options, comparedPayments(options));
  const labels = shapeOfStream(options.parameters).hasLabels
    ? await verifyTable(options, comparedLabels(options))
    : undefined;
  await options.control.refresh();
  const predictions = options.control.isScored
    ? await verifyTable(options, comparedPredictions(options))
    : undefined;
  return { payments, labels, predictions };
}

/** Whether a comparison found nothing wrong. */
export function isRight(
  { missing, different, unknown }: TableVerification,
): boolean {
  return missing + different + unknown === 0;
}

/** Where rows of a table come from, and how each side is read. */
interface ComparedTable {
  readonly topic: string;
  readonly group: string;
  /** Whether ids are texts. */
  readonly hasTextIds: boolean;
  /** Reads a record of the log into a row, whose text is added to `texts`; false if it is not a row. */
  readonly read: (
    batch: RecordBatch,
    index: number,
    row: Float64Array,
    texts: TextHeap,
    partition: number,
  ) => boolean;
  /** The store's rows as STORE_CELLS each, with the texts of the ids, ascending id. A row may be bad and there. */
  readonly rows: (
    onBadRow: (id: TransactionId, bad: BadRow) => void,
  ) => AsyncIterable<CellRows>;
  /** What messages call a row of the log; a transaction and its place where it is left out. */
  readonly nameOf?: (id: TransactionId) => string;
}

function comparedPayments(
  { parameters, control, store, signal }: VerifyOptions,
): ComparedTable {
  const { features, startSeconds } = parameters;
  const shape = shapeOfStream(parameters);
  const table = paymentTable(features, shape);
  const reader = new FeatureJsonReader(features, shape);
  const check = new RowCheck(table);
  const one = {
    cells: new Float64Array(table.width),
    texts: new TextHeap(),
    count: 1,
  };
  const start = control.begun ?? startSeconds;
  const hasTextIds = shape.transactionId === "text";
  return {
    topic: SINK_TOPIC,
    group: WRITER_GROUP,
    hasTextIds,
    read: (batch, index, row, texts) => {
      const [from, to] = [valueStart(batch, index), valueEnd(batch, index)];
      one.texts.clear();
      const { bytes } = batch;
      if (reader.read(bytes, from, to, start, one.cells, 0, one.texts)) {
        return false;
      }
      const id = one.cells[CELL.id];
      if (!hasTextIds && id > store.idMax) return false;
      row[0] = hasTextIds ? texts.copy(id, one.texts) : id;
      row[1] = check.of(one, 0);
      return true;
    },
    rows: async function* (onBadRow) {
      const bad = (row: BadRow) => onBadRow(badId(row, hasTextIds), row);
      for await (const page of store.rows(signal, bad)) {
        const wrong = shape.hasLabels
          ? await wrongLabels(store, page, table)
          : [];
        for (const { id, problem } of wrong) {
          const transactionId = String(id);
          bad({ table: table.name, transactionId, problem });
        }
        yield digests(page, table, check);
      }
    },
  };
}

/** Payments whose TX_FRAUD is not what the table of labels says, read again where a label may have come meanwhile. */
async function wrongLabels(
  store: Store,
  page: StoreRows,
  table: CellTable,
): Promise<{ id: TransactionId; problem: string }[]> {
  const labels = store.labels();
  const ids = idsOf(page, table);
  const known = await labels.newest(ids);
  const wrong: { id: TransactionId; problem: string }[] = [];
  for (const [row, id] of ids.entries()) {
    const said = fraudOf(known.get(id));
    if (page.cells[row * table.width + CELL.fraud] === said) continue;
    const before = fraudOf((await labels.newest([id])).get(id));
    const found = (await store.lookUp().payment(id))?.payment.fraud;
    const after = fraudOf((await labels.newest([id])).get(id));
    if (found === undefined || found === after || before !== after) continue;
    const text = (fraud: number) => fraud === FRAUD_UNKNOWN ? "null" : fraud;
    const problem = `tx_fraud is ${text(found)} and should be ${text(after)}`;
    wrong.push({ id, problem });
  }
  return wrong;
}

/** A payment has several labels: what is compared is the place of each in its topic, as one number. */
function comparedLabels(
  { log, control, parameters, store, signal }: VerifyOptions,
): ComparedTable {
  const shape = shapeOfStream(parameters);
  const table = labelTable(shape);
  const labels = store.labels();
  const start = control.begun ?? parameters.startSeconds;
  const reader = new ShapedJsonReader(shape);
  const { partitions } = parameters;
  const keyOf = (
    { offset, partition }: Pick<StoredLabel, "offset" | "partition">,
  ) => offset * partitions + partition;
  return {
    topic: TRANSACTION_LABEL_TOPIC,
    group: LABEL_WRITER_GROUP,
    hasTextIds: false,
    nameOf: (key) => {
      const partition = Number(key) % partitions;
      const offset = (Number(key) - partition) / partitions;
      return `the label of ${TRANSACTION_LABEL_TOPIC} partition ${partition}, ` +
        `offset ${offset}`;
    },
    read: (batch, index, row, _texts, partition) => {
      const [from, to] = [valueStart(batch, index), valueEnd(batch, index)];
      if (reader.read(batch.bytes, from, to, start)) return false;
      const id = reader.cells[CELL.id];
      const isTooLarge = shape.transactionId === "number" && id > labels.idMax;
      if (isTooLarge || !reader.isLabel) return false;
      const offset = batch.offsets[index];
      const label = labelOf(reader, shape, { partition, offset });
      row[0] = keyOf(label);
      row[1] = objectCheck(table, label);
      return true;
    },
    rows: async function* (onBadRow) {
      await using spool = new RowSpool({ width: STORE_CELLS });
      const bad = (bad: BadRow, row: StoredRow) => {
        const offset = Number(row.topic_offset);
        const partition = Number(row.topic_partition);
        onBadRow(keyOf({ offset, partition }), bad);
      };
      const [topic] = await log.topics([TRANSACTION_LABEL_TOPIC]);
      // The place of a label says whether the log still holds it; its time
      // does not, for labels may be known long after they are said.
      const timeOf = ({ partition, offset }: StoredLabel) =>
        offset < (topic?.startOffsets[partition] ?? 0) ? -Infinity : Infinity;
      for await (const page of labels.labels(signal, bad)) {
        const cells = Float64Array.from(page.flatMap((label) => [
          keyOf(label),
          objectCheck(table, label),
          timeOf(label),
        ]));
        await spool.add({ cells, count: page.length });
      }
      yield* spool.rows();
    },
  };
}

function comparedPredictions(
  { parameters, store, signal }: VerifyOptions,
): ComparedTable {
  const shape = shapeOfStream(parameters);
  const table = predictionTable(shape);
  const reader = new PredictionJsonReader(shape);
  const check = new RowCheck(table);
  const hasTextIds = shape.transactionId === "text";
  const one = emptyPredictions(1);
  const { idMax } = store.predictions();
  return {
    topic: PREDICTION_TOPIC,
    group: PREDICTION_GROUP,
    hasTextIds,
    read: (batch, index, row, texts, partition) => {
      const [from, to] = [valueStart(batch, index), valueEnd(batch, index)];
      if (reader.read(batch.bytes, from, to, one, 0)) return false;
      const id = one.cells[PREDICTION_CELL.id];
      if (!hasTextIds && id > idMax) return false;
      row[0] = hasTextIds ? texts.copy(id, one.texts) : id;
      one.partitions[0] = one.offsets[0] = UNKNOWN_PLACE;
      row[4] = check.of(one, 0);
      one.partitions[0] = partition;
      one.offsets[0] = batch.offsets[index];
      row[1] = check.of(one, 0);
      return true;
    },
    rows: async function* (onBadRow) {
      const bad = (row: BadRow) => onBadRow(badId(row, hasTextIds), row);
      for await (const page of store.predictions().rows(signal, bad)) {
        yield digests(page, table, check);
      }
    },
  };
}

/** Rows of a table as STORE_CELLS each. A prediction's id and time are where a payment's are. */
function digests(
  page: TableRows,
  { width }: CellTable,
  check: RowCheck,
): CellRows {
  const { cells, count, texts } = page;
  const rows = new Float64Array(count * STORE_CELLS);
  for (let row = 0; row < count; row++) {
    const at = row * width;
    const [id, datetime] = [cells[at + CELL.id], cells[at + CELL.datetime]];
    rows.set([id, check.of(page, row), datetime], row * STORE_CELLS);
  }
  return { cells: rows, count, ...texts && { texts } };
}

/** The id of a row that cannot be read. */
function badId({ transactionId }: BadRow, hasTextIds: boolean): TransactionId {
  return hasTextIds ? transactionId : Number(transactionId);
}

/** The id in a cell. */
function idOf(
  cell: number,
  hasTextIds: boolean,
  texts: TextHeap | undefined,
): TransactionId {
  return hasTextIds ? texts?.text(cell) ?? "" : cell;
}

/** A row of the log, or several of one TRANSACTION_ID. */
interface LogRow {
  readonly id: TransactionId;
  /** The checksums that each may have in the store. */
  readonly checks: readonly number[];
  /** Where the first of them is. */
  readonly partition: number;
  readonly offset: number;
}

async function verifyTable(
  options: VerifyOptions,
  table: ComparedTable,
): Promise<TableVerification> {
  const { log } = options;
  const { topic, group } = table;
  const [state] = await log.topics([topic]);
  const { startOffsets, endOffsets } = state;
  const commits = await log.committed(group, topic);
  const letters = await letterPlaces(log, topic);
  const { hasTextIds } = table;
  await using spool = new RowSpool({
    width: LOG_CELLS,
    textCells: hasTextIds ? [0] : [],
  });
  const spooled = logRows(options, table, letters, startOffsets, endOffsets);
  for await (const rows of spooled) await spool.add(rows);
  const comparison = new Comparison({
    kept: await keptSince(log, state, options.parameters),
    isStored: ({ partition, offset }) =>
      offset < (commits[partition]?.offset ?? 0),
    nameOf: table.nameOf,
  });
  await compare(options, table, grouped(spool.rows(), hasTextIds), comparison);
  // Rows stored meanwhile are after the earlier ends.
  const ends = await log.endOffsets(topic) ?? [];
  const later = logRows(options, table, letters, endOffsets, ends);
  for await (const { cells, count, texts } of later) {
    for (let row = 0; row < count; row++) {
      comparison.excuse(idOf(cells[row * LOG_CELLS], hasTextIds, texts));
    }
  }
  return comparison.result();
}

/** Merges both sides, each in ascending order of id. */
async function compare(
  { compared }: VerifyOptions,
  table: ComparedTable,
  records: AsyncGenerator<LogRow, undefined>,
  comparison: Comparison,
): Promise<void> {
  let record = (await records.next()).value;
  let done = 0;
  for await (
    const page of table.rows((id, bad) => comparison.bad(id, bad))
  ) {
    const { cells, count, texts } = page;
    for (let at = 0; at < count * STORE_CELLS; at += STORE_CELLS) {
      const id = idOf(cells[at], table.hasTextIds, texts);
      while (record && compareIds(record.id, id) < 0) {
        comparison.onlyInLog(record);
        record = (await records.next()).value;
      }
      if (record?.id !== id) {
        comparison.onlyInStore(id, cells[at + 2]);
        continue;
      }
      comparison.inBoth(record, cells[at + 1]);
      record = (await records.next()).value;
    }
    compared(done += count);
  }
  for (; record; record = (await records.next()).value) {
    comparison.onlyInLog(record);
  }
}

/** Counts the results for one table. */
class Comparison {
  readonly #kept: number;
  readonly #isStored: (record: LogRow) => boolean;
  readonly #name: ((id: TransactionId) => string) | undefined;
  readonly #result: TableVerification = {
    equal: 0,
    missing: 0,
    different: 0,
    unknown: 0,
    notVerifiable: 0,
    pending: 0,
    first: [],
  };
  readonly #bad = new Map<TransactionId, string>();
  readonly #unknown = new Set<TransactionId>();

  constructor({ kept, isStored, nameOf }: {
    /** Seconds since 1970 from which on the log holds everything. */
    readonly kept: number;
    /** Whether the writer has committed a record. */
    readonly isStored: (record: LogRow) => boolean;
    /** Names a row in messages. */
    readonly nameOf: ((id: TransactionId) => string) | undefined;
  }) {
    this.#kept = kept;
    this.#isStored = isStored;
    this.#name = nameOf;
  }

  /** A row of the table that cannot be read. */
  bad(id: TransactionId, row: BadRow): void {
    this.#bad.set(id, badRowText(row));
  }

  onlyInLog(record: LogRow): void {
    if (this.#isBad(record)) return;
    if (this.#isStored(record)) {
      this.#tell("missing", `${this.#nameOf(record)} is missing`);
    } else this.#result.pending++;
  }

  onlyInStore(id: TransactionId, seconds: number): void {
    if (seconds < this.#kept) this.#result.notVerifiable++;
    else this.#unknown.add(id);
  }

  inBoth(record: LogRow, check: number): void {
    if (this.#isBad(record)) return;
    if (record.checks.includes(check)) this.#result.equal++;
    else this.#tell("different", `${this.#nameOf(record)} is different`);
  }

  #isBad({ id }: LogRow): boolean {
    const bad = this.#bad.get(id);
    if (bad !== undefined) this.#tell("different", bad);
    return this.#bad.delete(id);
  }

  /** A row that the log has got since. */
  excuse(id: TransactionId): void {
    if (this.#unknown.delete(id)) this.#result.equal++;
    this.#bad.delete(id);
  }

  result(): TableVerification {
    for (const id of this.#unknown) {
      this.#tell("unknown", `${this.#nameOf({ id })} is not in the log`);
    }
    for (const bad of this.#bad.values()) this.#tell("unknown", bad);
    return this.#result;
  }

  #nameOf({ id, partition, offset }: Pick<LogRow, "id"> & Partial<LogRow>) {
    const place = partition === undefined
      ? ""
      : ` (partition ${partition}, offset ${offset})`;
    return this.#name?.(id) ?? `transaction ${id}${place}`;
  }

  #tell(kind: "missing" | "different" | "unknown", text: string): void {
    this.#result[kind]++;
    if (this.#result.first.length < FIRST_MAX) this.#result.first.push(text);
  }
}

/** The rows of all partitions from some offsets to others, LOG_CELLS each, without the dead letters. */
async function* logRows(
  { log, signal }: VerifyOptions,
  { topic, read }: ComparedTable,
  letters: ReadonlySet<string>,
  from: readonly number[],
  to: readonly number[],
): AsyncGenerator<CellRows> {
  const row = new Float64Array(LOG_CELLS);
  for (const [partition, end] of to.entries()) {
    const batches = readRange(log, topic, partition, from[partition] ?? 0, end);
    for await (const batch of batches) {
      signal.throwIfAborted();
      const cells = new Float64Array(batch.count * LOG_CELLS);
      const texts = new TextHeap();
      let count = 0;
      for (let i = 0; i < batch.count; i++) {
        const offset = batch.offsets[i];
        if (letters.has(`${partition}/${offset}`)) continue;
        row[4] = NaN;
        if (!read(batch, i, row, texts, partition)) continue;
        row[2] = partition;
        row[3] = offset;
        cells.set(row, count++ * LOG_CELLS);
      }
      yield { cells, count, texts };
    }
  }
}

/** The rows of a spool, those of one id together. */
async function* grouped(
  pages: AsyncIterable<CellRows>,
  hasTextIds: boolean,
): AsyncGenerator<LogRow, undefined> {
  let group: (LogRow & { checks: number[] }) | undefined;
  for await (const { cells, count, texts } of pages) {
    for (let at = 0; at < count * LOG_CELLS; at += LOG_CELLS) {
      const [cell, check, partition, offset, earlier] = cells.subarray(
        at,
        at + LOG_CELLS,
      );
      const id = idOf(cell, hasTextIds, texts);
      if (group?.id !== id) {
        if (group) yield group;
        group = { id, checks: [], partition, offset };
      }
      group.checks.push(check);
      if (!Number.isNaN(earlier)) group.checks.push(earlier);
    }
  }
  if (group) yield group;
  return undefined;
}

/** Partition and offset of the records of a topic that are dead letters. */
async function letterPlaces(log: Log, topic: string): Promise<Set<string>> {
  const places = new Set<string>();
  for await (const letter of readDeadLetters(log)) {
    if (letter.topic !== topic) continue;
    // Another table may take it: its own greatest id decides.
    if (letter.reason === "id too large") continue;
    places.add(`${letter.partition}/${letter.offset}`);
  }
  return places;
}

/**
 * Seconds since 1970 from which on the log holds every row. Its rows are nearly
 * in order of time, never further apart than the delay.
 */
async function keptSince(
  log: Log,
  { name, startOffsets }: TopicState,
  { features: { delayDays } }: StreamParameters,
): Promise<number> {
  let since = -Infinity;
  for (const [partition, start] of startOffsets.entries()) {
    if (start === 0) continue;
    const limit = { records: 1, bytes: 1 };
    const { timestamps } = await log.read(name, partition, start, limit);
    const first = timestamps.length === 0 ? Infinity : timestamps[0] / 1000;
    since = Math.max(since, first + delayDays * DAY_SECONDS);
  }
  return since;
}
