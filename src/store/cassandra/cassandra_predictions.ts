/**
 * Predictions and metrics in Cassandra: plain idempotent upserts, like the
 * payments'. The first write creates the tables; a stream that is not scored
 * has none. Nothing here knows the driver.
 */
import { INT_MAX, type TransactionId } from "../../payment/payment.ts";
import {
  emptyPredictions,
  type PredictedDecision,
  PREDICTION_CELLS,
  type PredictionRows,
} from "../../payment/prediction.ts";
import { NO_TEXT } from "../../payment/text_heap.ts";
import { ColumnValues, idsOf, textCellsOf } from "../cell_rows.ts";
import type { StreamPosition } from "../positions.ts";
import {
  foundPredictions,
  type PredictionStatus,
  type PredictionStore,
} from "../predictions.ts";
import { RowSpool } from "../row_spool.ts";
import type { StoreRows } from "../store.ts";
import {
  type BadRowHandler,
  checkedObjectOf,
  objectValues,
  refuseBadRow,
  type StoredRow,
  StoredRowReader,
} from "../stored_row.ts";
import {
  type CellTable,
  type ModelMetric,
  nameInStatement,
} from "../tables.ts";
import { CassandraTable } from "./cassandra_table.ts";
import { idMaxOf, type OtherTables } from "./cassandra_schema.ts";
import type { CassandraSession } from "./cassandra_session.ts";
import { rowWrites, usedColumns, type Write } from "./cassandra_writes.ts";

/** Rows, or explanations of them, fetched concurrently. */
const FETCHES = 64;

/** After a prediction's cells while rows are sorted: the indexes of its version and of its decision, whether it has contributions, its shadow scores as a text, and its record's place. */
const VERSION_CELL = PREDICTION_CELLS;
const DECISION_CELL = PREDICTION_CELLS + 1;
const EXPLAINED_CELL = PREDICTION_CELLS + 2;
const SHADOWS_CELL = PREDICTION_CELLS + 3;
const PARTITION_CELL = PREDICTION_CELLS + 4;
const OFFSET_CELL = PREDICTION_CELLS + 5;
const SPOOLED_CELLS = PREDICTION_CELLS + 6;

/** Different values by number: there are few beside many rows. */
class Interned<T> {
  readonly values: T[] = [];
  readonly #indexes = new Map<string, number>();

  /** The number of a value. */
  indexOf(value: T): number {
    const key = JSON.stringify(value);
    const known = this.#indexes.get(key);
    if (known !== undefined) return known;
    const index = this.values.push(value) - 1;
    this.#indexes.set(key, index);
    return index;
  }
}

function* valuesOf(
  table: CellTable,
  rows: PredictionRows,
): Generator<(number | string | null)[]> {
  const columns = new ColumnValues(table, table.columns);
  for (let row = 0; row < rows.count; row++) {
    const values: (number | string | null)[] = [];
    columns.fill(values, 0, rows, row);
    yield values;
  }
}

/** The predictions of one keyspace. */
export class CassandraPredictions extends CassandraTable
  implements PredictionStore {
  readonly #session: CassandraSession;
  readonly #tables: OtherTables;
  readonly #table: CellTable;
  readonly #place: string;
  /** See StoredTable. */
  readonly idMax: number;
  #made: Promise<void> | undefined;
  /** Columns that rows are written with; see usedColumns(). */
  #used = 0;

  /** Uses the tables of a keyspace as they are, or will be. */
  constructor(session: CassandraSession, tables: OtherTables) {
    super(session, tables, tables.predictions.shape, [tables.predictions]);
    this.#session = session;
    this.#tables = tables;
    this.#table = tables.predictions;
    this.#place = `${session.keyspace}.${this.#table.name}`;
    this.idMax = idMaxOf([this.#table]);
  }

  /** See RowTable. */
  async write(
    rows: PredictionRows,
    signal?: AbortSignal,
    positions: readonly StreamPosition[] = [],
  ): Promise<void> {
    if (rows.count > 0) {
      await this.#ensure();
      const { keyspace } = this.#session;
      // From the first value on, a row without one replaces one with it.
      this.#used = Math.max(this.#used, usedColumns(this.#table, rows));
      const columns = this.#table.columns.slice(0, this.#used);
      const table = { ...this.#table, columns };
      const writes = rowWrites(keyspace, table, valuesOf(table, rows));
      await this.#session.send(writes, signal);
    }
    await this.savePositions(positions, signal);
  }

  /** See StoredTable. */
  async holds(transactionId: TransactionId): Promise<boolean> {
    await this.#ensure();
    const cql = `SELECT transaction_id FROM ${this.#place} ` +
      "WHERE transaction_id = ?";
    const id = this.#id(transactionId);
    return (await this.#session.all(cql, [id])).length > 0;
  }

  /** See PredictionStore. */
  async find(
    transactionId: TransactionId,
  ): Promise<PredictionRows | undefined> {
    const found = await this.findAll([transactionId]);
    return found.count > 0 ? found : undefined;
  }

  /** See PredictionStore. */
  async findAll(
    transactionIds: readonly TransactionId[],
  ): Promise<PredictionRows> {
    await this.#ensure();
    const ids = [...new Set(transactionIds)].filter((id) =>
      typeof id === "string" || id <= this.idMax
    );
    const names = this.#table.columns.map(nameInStatement).join(", ");
    const found = await this.#fetch(names, ids);
    const reader = new StoredRowReader(this.#place, this.#table);
    return foundPredictions(reader, found.flat());
  }

  /** Reads some columns of single rows, FETCHES at a time; each answer has one row, or none. */
  async #fetch(
    columns: string,
    ids: readonly TransactionId[],
    signal?: AbortSignal,
  ): Promise<(readonly StoredRow[])[]> {
    const cql = `SELECT ${columns} FROM ${this.#place} ` +
      "WHERE transaction_id = ?";
    const found: (readonly StoredRow[])[] = [];
    for (let from = 0; from < ids.length; from += FETCHES) {
      const some = ids.slice(from, from + FETCHES).map(async (id) => {
        const page = await this.#session.read(cql, [this.#id(id)], { signal });
        return page.rows;
      });
      found.push(...await Promise.all(some));
    }
    return found;
  }

  /** See StoredTable. */
  async isEmpty(): Promise<boolean> {
    await this.#ensure();
    const cql = `SELECT transaction_id FROM ${this.#place} LIMIT 1`;
    return (await this.#session.all(cql)).length === 0;
  }

  /** See StoredTable. */
  override async clear(topic: string): Promise<void> {
    await this.#ensure();
    await super.clear(topic);
  }

  #id(id: TransactionId): number | bigint | string {
    if (typeof id === "string") return id;
    return this.idMax === INT_MAX ? id : BigInt(id);
  }

  /** See RowTable. */
  async *rows(
    signal?: AbortSignal,
    onBadRow: BadRowHandler = refuseBadRow,
  ): AsyncGenerator<PredictionRows> {
    await this.#ensure();
    const versions = new Interned<string>();
    const decisions = new Interned<PredictedDecision | null>();
    const textCells = textCellsOf(this.#table);
    await using spool = new RowSpool({
      width: SPOOLED_CELLS,
      textCells: [...textCells, SHADOWS_CELL],
    });
    const interned = { versions, decisions };
    for await (const page of this.#scan(interned, onBadRow, signal)) {
      await spool.add(page);
    }
    for await (const { cells, count, texts } of spool.rows()) {
      signal?.throwIfAborted();
      const page = emptyPredictions(count);
      if (texts) page.texts.wrap(texts.bytes);
      const explained: number[] = [];
      for (let row = 0; row < count; row++) {
        const at = row * SPOOLED_CELLS;
        page.cells.set(
          cells.subarray(at, at + PREDICTION_CELLS),
          row * PREDICTION_CELLS,
        );
        page.versions[row] = versions.values[cells[at + VERSION_CELL]];
        page.decisions[row] = decisions.values[cells[at + DECISION_CELL]];
        page.shadowScores[row] = texts?.text(cells[at + SHADOWS_CELL]) ?? null;
        page.partitions[row] = cells[at + PARTITION_CELL];
        page.offsets[row] = cells[at + OFFSET_CELL];
        if (cells[at + EXPLAINED_CELL] === 1) explained.push(row);
      }
      page.count = count;
      await this.#explain(page, explained, signal);
      yield page;
    }
  }

  /** All predictions in no order; explanations stay in the table. */
  #scan(
    { versions, decisions }: {
      readonly versions: Interned<string>;
      readonly decisions: Interned<PredictedDecision | null>;
    },
    onBadRow: BadRowHandler,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<StoreRows> {
    const one = emptyPredictions(1);
    const textCells = textCellsOf(this.#table);
    const reader = new StoredRowReader(this.#place, this.#table);
    return this.#session.scan(this.#table, {
      width: SPOOLED_CELLS,
      read: (row, { cells, texts }, place) => {
        one.texts.clear();
        const bad = reader.read(row, one, 0);
        if (bad) {
          onBadRow(bad);
          return false;
        }
        const at = place * SPOOLED_CELLS;
        cells.set(one.cells, at);
        for (const cell of textCells) {
          cells[at + cell] = texts.copy(one.cells[cell], one.texts);
        }
        cells[at + VERSION_CELL] = versions.indexOf(one.versions[0]);
        cells[at + DECISION_CELL] = decisions.indexOf(one.decisions[0]);
        cells[at + EXPLAINED_CELL] = one.contributions[0] === null ? 0 : 1;
        const shadows = one.shadowScores[0];
        cells[at + SHADOWS_CELL] = shadows === null
          ? NO_TEXT
          : texts.addText(shadows);
        cells[at + PARTITION_CELL] = one.partitions[0];
        cells[at + OFFSET_CELL] = one.offsets[0];
        return true;
      },
    }, signal);
  }

  /** Fetches the explanations of some rows of a page. */
  async #explain(
    page: PredictionRows,
    rows: readonly number[],
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const ids = idsOf(page, this.#table);
    const of = rows.map((row) => ids[row]);
    const found = await this.#fetch("contributions", of, signal);
    for (const [i, row] of rows.entries()) {
      const why = found[i][0]?.contributions;
      page.contributions[row] = typeof why === "string" ? why : null;
    }
  }

  /** See PredictionStore. */
  async status(): Promise<PredictionStatus> {
    await this.#ensure();
    const { rows, sum } = await this.#session.count(this.#table, "alert");
    return { rows, alerts: sum };
  }

  /** See PredictionStore. */
  async writeMetrics(
    metrics: readonly ModelMetric[],
    signal?: AbortSignal,
  ): Promise<void> {
    if (metrics.length === 0) return;
    await this.#ensure();
    const table = this.#tables.metrics;
    const { keyspace } = this.#session;
    const rows = metrics.filter(({ value }) => !Number.isNaN(value))
      .map((metric) => objectValues(table.columns, metric));
    const removals = metrics.filter(({ value }) => Number.isNaN(value))
      .map(({ version, day, metric }): Write => ({
        cql: `DELETE FROM ${keyspace}.${table.name} ` +
          "WHERE model_version = ? AND day = ? AND metric = ?",
        rows: [{ values: [version, day, metric] }],
        release() {},
      }));
    const writes = [...rowWrites(keyspace, table, rows), ...removals];
    await this.#session.send(writes, signal);
  }

  /** See PredictionStore. */
  async metrics(): Promise<ModelMetric[]> {
    await this.#ensure();
    const table = this.#tables.metrics;
    const names = table.columns.map(({ name }) => name).join(", ");
    const cql = `SELECT ${names} FROM ${this.#session.keyspace}.${table.name}`;
    const found = (await this.#session.all(cql))
      .map((row) => checkedObjectOf(table, row));
    const key = ({ version, metric }: ModelMetric) => `${version} ${metric}`;
    return found.sort((a, b) => a.day - b.day || (key(a) < key(b) ? -1 : 1));
  }

  /** Makes the tables that are missing, once; after a failure again. */
  #ensure(): Promise<void> {
    const { predictions, metrics } = this.#tables;
    this.#made ??= this.#session.ensure([predictions, metrics])
      .catch((error) => {
        this.#made = undefined;
        throw error;
      });
    return this.#made;
  }
}
