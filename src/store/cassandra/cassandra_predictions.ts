/**
 * Predictions and metrics in Cassandra: plain idempotent upserts, like the
 * payments'. The tables are made when somebody first writes: a stream that is
 * not scored has none. Nothing here knows the driver.
 */
import { DatetimeFormatter } from "../../payment/calendar.ts";
import { INT_MAX } from "../../payment/payment.ts";
import {
  idMaxOf,
  insertCql,
  type PlainTable,
  type ScoringTables,
  selectRangeCql,
} from "./cassandra_schema.ts";
import { type Page, scanRing } from "./cassandra_scan.ts";
import type { CassandraPositions } from "./cassandra_positions.ts";
import type { Write } from "./cassandra_writes.ts";
import {
  type ModelMetric,
  type PredictionStatus,
  type PredictionStore,
} from "../predictions.ts";
import {
  emptyPredictions,
  PREDICTION_CELLS,
  type PredictionRows,
} from "../../payment/prediction.ts";
import type { StreamPosition } from "../positions.ts";
import { RowSpool } from "../row_spool.ts";
import type { StoreRows } from "../store.ts";
import { StoredPredictionReader } from "../stored_prediction.ts";
import { type BadRowHandler, refuseBadRow } from "../stored_row.ts";

const PAGE_ROWS = 2000;
const RANGES = 64;
const RANGES_AT_ONCE = 4;
/** Explanations fetched side by side. */
const FETCHES = 64;

/** What a connected store does for its predictions. */
export interface CassandraAccess {
  /** The keyspace. */
  readonly keyspace: string;
  /** The tables as they are, or will be. */
  readonly tables: ScoringTables;
  /** Makes tables that are missing. */
  readonly ensure: (tables: readonly PlainTable[]) => Promise<void>;
  /** Sends writes until all are stored. */
  readonly send: (
    writes: Iterable<Write>,
    signal: AbortSignal | undefined,
  ) => Promise<void>;
  /** Reads a page. */
  readonly read: (
    cql: string,
    values: readonly unknown[],
    more?: {
      readonly pageState?: string | undefined;
      readonly signal?: AbortSignal | undefined;
    },
  ) => Promise<Page>;
  /** Counts rows and adds up a column. */
  readonly count: (
    table: PlainTable,
    column: string,
  ) => Promise<{ rows: number; sum: number }>;
  /** Removes all rows of a table. */
  readonly empty: (table: string) => Promise<void>;
  /** The keyspace's positions. */
  readonly positions: CassandraPositions;
}

/** The predictions of one keyspace. */
export class CassandraPredictions implements PredictionStore {
  readonly #access: CassandraAccess;
  readonly #tables: ScoringTables;
  readonly #datetime = new DatetimeFormatter();
  /** See PredictionStore. */
  readonly idMax: number;
  #made: Promise<void> | undefined;

  /** Uses a connected store. */
  constructor(access: CassandraAccess) {
    this.#access = access;
    this.#tables = access.tables;
    this.idMax = idMaxOf([access.tables.predictions]);
  }

  /** See PredictionStore. */
  async write(
    rows: PredictionRows,
    signal?: AbortSignal,
    positions: readonly StreamPosition[] = [],
  ): Promise<void> {
    if (rows.count > 0) {
      await this.#ensure();
      await this.#access.send(this.#writes(rows), signal);
    }
    await this.savePositions(positions, signal);
  }

  /** See StoredTable. */
  positions(): Promise<StreamPosition[]> {
    return this.#access.positions.all();
  }

  /** See StoredTable. */
  savePositions(
    positions: readonly StreamPosition[],
    signal?: AbortSignal,
  ): Promise<void> {
    return this.#access.positions.save(positions, signal);
  }

  /** See StoredTable. */
  async holds(transactionId: number): Promise<boolean> {
    await this.#ensure();
    const cql = `SELECT transaction_id FROM ${this.#table()} ` +
      "WHERE transaction_id = ?";
    const id = this.#id(transactionId);
    return (await this.#access.read(cql, [id])).rows.length > 0;
  }

  /** See StoredTable. */
  async isEmpty(): Promise<boolean> {
    await this.#ensure();
    const cql = `SELECT transaction_id FROM ${this.#table()} LIMIT 1`;
    return (await this.#access.read(cql, [])).rows.length === 0;
  }

  /** See StoredTable. */
  async clear(topic: string): Promise<void> {
    await this.#ensure();
    await this.#access.positions.remove(topic);
    await this.#access.empty(this.#tables.predictions.name);
  }

  #table(): string {
    return `${this.#access.keyspace}.${this.#tables.predictions.name}`;
  }

  *#writes(
    { cells, versions, contributions, count }: PredictionRows,
  ): Generator<Write> {
    const cql = insertCql(this.#access.keyspace, this.#tables.predictions);
    for (let row = 0; row < count; row++) {
      const at = row * PREDICTION_CELLS;
      const values = [
        this.#id(cells[at]),
        this.#datetime.format(cells[at + 1]),
        ...cells.subarray(at + 2, at + PREDICTION_CELLS),
        versions[row],
        contributions[row],
      ];
      yield { cql, rows: [{ values }], release() {} };
    }
  }

  #id(id: number): number | bigint {
    return this.idMax === INT_MAX ? id : BigInt(id);
  }

  /** See PredictionStore. */
  async *rows(
    signal?: AbortSignal,
    onBadRow: BadRowHandler = refuseBadRow,
  ): AsyncGenerator<PredictionRows> {
    await this.#ensure();
    const versions: string[] = [];
    await using spool = new RowSpool({ width: SPOOLED_CELLS });
    for await (const page of this.#scan(versions, onBadRow, signal)) {
      await spool.add(page);
    }
    for await (const { cells, count } of spool.rows()) {
      signal?.throwIfAborted();
      const page = emptyPredictions(count);
      const explained: number[] = [];
      for (let row = 0; row < count; row++) {
        const at = row * SPOOLED_CELLS;
        page.cells.set(
          cells.subarray(at, at + PREDICTION_CELLS),
          row * PREDICTION_CELLS,
        );
        page.versions[row] = versions[cells[at + VERSION_CELL]];
        if (cells[at + EXPLAINED_CELL] === 1) explained.push(row);
      }
      page.count = count;
      await this.#explain(page, explained, signal);
      yield page;
    }
  }

  /** All predictions in no order; explanations stay in the table. */
  #scan(
    versions: string[],
    onBadRow: BadRowHandler,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<StoreRows> {
    const one = emptyPredictions(1);
    const { keyspace } = this.#access;
    const reader = new StoredPredictionReader(
      `${keyspace}.${this.#tables.predictions.name}`,
    );
    const indexOf = new Map<string, number>();
    const names = this.#tables.predictions.columns.map(({ name }) => name);
    const cql = selectRangeCql(
      keyspace,
      this.#tables.predictions,
      names.join(", "),
    );
    return scanRing({
      reader: {
        read: (row, cells, at) => {
          const bad = reader.read(row, one, 0);
          if (bad) {
            onBadRow(bad);
            return false;
          }
          cells.set(one.cells, at);
          let index = indexOf.get(one.versions[0]);
          if (index === undefined) {
            index = versions.push(one.versions[0]) - 1;
            indexOf.set(one.versions[0], index);
          }
          cells[at + VERSION_CELL] = index;
          cells[at + EXPLAINED_CELL] = one.contributions[0] === null ? 0 : 1;
          return true;
        },
      },
      width: SPOOLED_CELLS,
      pageRows: PAGE_ROWS,
      ranges: RANGES,
      atOnce: RANGES_AT_ONCE,
      read: ({ from, to }, pageState) =>
        this.#access.read(cql, [from, to], { pageState, signal }),
    });
  }

  /** Fetches the explanations of some rows of a page. */
  async #explain(
    page: PredictionRows,
    rows: readonly number[],
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const { keyspace } = this.#access;
    const cql = `SELECT contributions FROM ${keyspace}.` +
      `${this.#tables.predictions.name} WHERE transaction_id = ?`;
    for (let from = 0; from < rows.length; from += FETCHES) {
      await Promise.all(
        rows.slice(from, from + FETCHES).map(async (row) => {
          const id = this.#id(page.cells[row * PREDICTION_CELLS]);
          const found = await this.#access.read(cql, [id], { signal });
          const why = found.rows[0]?.contributions;
          page.contributions[row] = typeof why === "string" ? why : null;
        }),
      );
    }
  }

  /** See PredictionStore. */
  async status(): Promise<PredictionStatus> {
    await this.#ensure();
    const { predictions } = this.#tables;
    const { rows, sum } = await this.#access.count(predictions, "alert");
    return { rows, alerts: sum };
  }

  /** See PredictionStore. */
  async writeMetrics(
    metrics: readonly ModelMetric[],
    signal?: AbortSignal,
  ): Promise<void> {
    if (metrics.length === 0) return;
    await this.#ensure();
    const cql = insertCql(this.#access.keyspace, this.#tables.metrics);
    await this.#access.send(
      metrics.map(({ day, version, metric, value }) => ({
        cql,
        rows: [{ values: [version, day, metric, value] }],
        release() {},
      })),
      signal,
    );
  }

  /** See PredictionStore. */
  async metrics(): Promise<ModelMetric[]> {
    await this.#ensure();
    const cql = `SELECT model_version, day, metric, value FROM ` +
      `${this.#access.keyspace}.${this.#tables.metrics.name}`;
    const found: ModelMetric[] = [];
    let pageState: string | undefined;
    do {
      const page = await this.#access.read(cql, [], { pageState });
      for (const row of page.rows) {
        found.push({
          day: Number(row.day),
          version: String(row.model_version),
          metric: String(row.metric),
          value: Number(row.value),
        });
      }
      pageState = page.pageState ?? undefined;
    } while (pageState !== undefined);
    const key = ({ version, metric }: ModelMetric) => `${version} ${metric}`;
    return found.sort((a, b) => a.day - b.day || (key(a) < key(b) ? -1 : 1));
  }

  #ensure(): Promise<void> {
    this.#made ??= this.#access.ensure(Object.values(this.#tables));
    return this.#made;
  }
}

const VERSION_CELL = PREDICTION_CELLS;
const EXPLAINED_CELL = PREDICTION_CELLS + 1;
const SPOOLED_CELLS = PREDICTION_CELLS + 2;
