/**
 * The store in a Cassandra cluster, the only file that knows its driver.
 * Writes are plain upserts of rows that are a function of the log: repeated at
 * will, never conditional, with no timestamp of event time, and never batched
 * across partitions. Reads go through the ring in ranges of tokens.
 */
import {
  auth,
  Client,
  policies,
  type QueryOptions,
  types,
} from "cassandra-driver";
import { REAL_CLOCK } from "../../base/clock.ts";
import { StoreError } from "../../base/error.ts";
import { PAYMENT_CELLS } from "../../payment/payment_cells.ts";
import {
  featureCount,
  type FeatureParameters,
} from "../../features/parameters.ts";
import {
  connectError,
  isTimeout,
  isTransient,
  reasonOf,
  requestError,
} from "./cassandra_error.ts";
import { CassandraLookUp } from "./cassandra_look_up.ts";
import {
  idMaxOf,
  type PlainTable,
  selectRangeCql,
} from "./cassandra_schema.ts";
import { scanRing } from "./cassandra_scan.ts";
import { CassandraPredictions } from "./cassandra_predictions.ts";
import {
  ensureSchema,
  ensureTables,
  type FoundTables,
} from "./cassandra_setup.ts";
import {
  type CassandraSettings,
  checkCassandraSettings,
} from "./cassandra_settings.ts";
import {
  type Write,
  WritePlanner,
  type WrittenTables,
} from "./cassandra_writes.ts";
import { InFlight } from "./in_flight.ts";
import { Outage } from "../../base/outage.ts";
import { CassandraPositions } from "./cassandra_positions.ts";
import type { StreamPosition } from "../positions.ts";
import type { PredictionStore } from "../predictions.ts";
import { RowSpool } from "../row_spool.ts";
import type { LookUp } from "../look_up.ts";
import type { Store, StoreRows, StoreStatus } from "../store.ts";
import type { OutageReport } from "../../base/outage.ts";
import {
  type BadRowHandler,
  refuseBadRow,
  StoredRowReader,
} from "../stored_row.ts";
import { overRing, type TokenRange } from "./token_ranges.ts";

/** Requests under way at once; more gained nothing (docs/PERFORMANCE.md). */
const IN_FLIGHT = 256;

/** Rows that are read at once. */
const PAGE_ROWS = 2000;

/** Ranges that the ring is cut into, and how many are read side by side. */
const RANGES = 64;
const RANGES_AT_ONCE = 4;
/** Ranges in a row that may take too long to count; each is then halved. */
const MISSES_MAX = 24;

/** A node that has not answered a write by then is taken for dead; Cassandra itself gives up after 2 s. */
const WRITE_TIMEOUT_MS = 5000;
const READ_TIMEOUT_MS = 20_000;
const SCHEMA_TIMEOUT_MS = 60_000;

/** Whoever reads waits so long for a cluster that does not answer; writes wait for ever. */
const READ_PATIENCE_MS = 60_000;

/** Opens the store, making or completing keyspace and tables. Throws ConfigError or StoreError, one line each. */
export async function openCassandraStore(
  settings: CassandraSettings,
  features: FeatureParameters,
  report: OutageReport,
): Promise<CassandraStore> {
  const client = await connectCassandra(settings);
  try {
    const execute = async (cql: string, values: string[] = []) =>
      (await client.execute(cql, values, SCHEMA_OPTIONS)).rows;
    const tables = await ensureSchema(execute, settings, features)
      .catch((error) => {
        throw requestError(error, `making keyspace ${settings.keyspace}`);
      });
    return new CassandraStore(client, settings.keyspace, tables, {
      features,
      report,
    });
  } catch (error) {
    await client.shutdown();
    throw error;
  }
}

/**
 * Connects to the cluster; whoever calls shuts the client down. Throws
 * ConfigError or StoreError.
 *
 * @internal (deno doc --lint would want the driver documented)
 */
export async function connectCassandra(
  settings: CassandraSettings,
): Promise<Client> {
  checkCassandraSettings(settings);
  const client = newClient(settings);
  try {
    await client.connect();
    return client;
  } catch (error) {
    await client.shutdown();
    throw connectError(error, settings);
  }
}

function newClient(settings: CassandraSettings): Client {
  const { contactPoints, localDataCenter, consistency, tls, user } = settings;
  return new Client({
    contactPoints: [...contactPoints],
    localDataCenter,
    applicationName: "fraudstream",
    ...user &&
      {
        authProvider: new auth.PlainTextAuthProvider(user.name, user.password),
      },
    // The driver would take any certificate otherwise.
    ...tls && {
      sslOptions: {
        rejectUnauthorized: true,
        ...tls.ca !== undefined && { ca: [tls.ca] },
      },
    },
    queryOptions: {
      consistency: consistencyOf(consistency),
      prepare: true,
      isIdempotent: true,
      fetchSize: PAGE_ROWS,
      readTimeout: READ_TIMEOUT_MS,
    },
    policies: {
      // A node that comes back is found within 2 s.
      reconnection: new policies.reconnection.ExponentialReconnectionPolicy(
        200,
        2000,
        false,
      ),
      // Cells are stamped by the cluster: the clock of a writer that runs
      // behind would hide rows under a deletion made before.
      timestampGeneration: NO_TIMESTAMPS,
    },
    encoding: { useBigIntAsLong: true },
    // It would ask for the host's name, processors and so on.
    monitorReporting: { enabled: false },
  });
}

/** What the driver's documentation says for "let the cluster do it"; its types do not. */
const NO_TIMESTAMPS =
  null as unknown as policies.timestampGeneration.TimestampGenerator;

function consistencyOf(name: string): types.consistencies {
  const camel = name.toLowerCase()
    .replaceAll(/_(.)/g, (_, letter: string) => letter.toUpperCase());
  return types.consistencies[camel as keyof typeof types.consistencies];
}

const SCHEMA_OPTIONS: QueryOptions = {
  prepare: false,
  fetchSize: 0,
  readTimeout: SCHEMA_TIMEOUT_MS,
};

const WRITE_OPTIONS: QueryOptions = {
  prepare: true,
  isIdempotent: true,
  readTimeout: WRITE_TIMEOUT_MS,
};

/** Payments of one card or terminal in one second that are looked through for one. */
const SAME_SECOND_MAX = 10_000;

/** The tables that a store works with: all, or the payments' without the query tables. */
export type StoreTables = Omit<FoundTables, "payments"> & {
  readonly payments: WrittenTables;
};

/** The store of one keyspace. */
export class CassandraStore implements Store {
  /** See Store. */
  readonly idMax: number;
  readonly #client: Client;
  readonly #keyspace: string;
  readonly #tables: StoreTables;
  readonly #features: FeatureParameters;
  readonly #width: number;
  readonly #outage: Outage;
  readonly #inFlight = new InFlight(IN_FLIGHT);
  readonly #planner: WritePlanner;
  readonly #positions: CassandraPositions;

  /**
   * Uses a connected client and tables that are there: see openCassandraStore().
   *
   * @internal (deno doc --lint would want the driver documented)
   */
  constructor(
    client: Client,
    keyspace: string,
    tables: StoreTables,
    { features, report }: {
      readonly features: FeatureParameters;
      readonly report: OutageReport;
    },
  ) {
    this.#client = client;
    this.#keyspace = keyspace;
    this.#tables = tables;
    this.#features = features;
    this.#width = PAYMENT_CELLS + featureCount(features);
    this.#outage = new Outage({
      isTransient,
      reasonOf,
      report,
      pauseMs: { min: 50, max: 2000 },
      clock: REAL_CLOCK,
    });
    this.idMax = idMaxOf(Object.values(tables.payments));
    this.#planner = new WritePlanner(keyspace, tables.payments, this.#width);
    this.#positions = new CassandraPositions({
      keyspace,
      send: (writes, signal) => this.#sendAll(writes, signal),
      all: (cql) => this.#all(cql),
    });
  }

  /** See Store. */
  async write(
    rows: StoreRows,
    signal?: AbortSignal,
    positions: readonly StreamPosition[] = [],
  ): Promise<void> {
    await this.#sendAll(this.#planner.writes(rows), signal);
    await this.#positions.save(positions, signal);
  }

  /** See StoredTable. */
  positions(): Promise<StreamPosition[]> {
    return this.#positions.all();
  }

  /** See StoredTable. */
  savePositions(
    positions: readonly StreamPosition[],
    signal?: AbortSignal,
  ): Promise<void> {
    return this.#positions.save(positions, signal);
  }

  /** See StoredTable. */
  async holds(transactionId: number): Promise<boolean> {
    const lookUp = this.lookUp();
    const found = await lookUp.payment(transactionId);
    if (!found) return false;
    // Each table may have been truncated on its own.
    const { customerId, terminalId, timeSeconds } = found.payment;
    const range = {
      fromSeconds: timeSeconds,
      toSeconds: timeSeconds,
      limit: SAME_SECOND_MAX,
    };
    const { payments } = this.#tables;
    const kept = [
      payments.byCustomer
        ? await lookUp.ofCustomer(customerId, range)
        : [found.payment],
      payments.byTerminal
        ? await lookUp.ofTerminal(terminalId, range)
        : [found.payment],
    ];
    return kept.every((rows) =>
      rows.some((row) => row.transactionId === transactionId)
    );
  }

  /** See StoredTable. */
  async isEmpty(): Promise<boolean> {
    const { name } = this.#tables.payments.transactions;
    return (await this.#all(`SELECT * FROM ${this.#keyspace}.${name} LIMIT 1`))
      .length === 0;
  }

  /** See StoredTable. */
  async clear(topic: string): Promise<void> {
    await this.#positions.remove(topic);
    const { payments } = this.#tables;
    for (const { name } of Object.values(payments)) await this.#empty(name);
  }

  /**
   * See Store. Cassandra keeps checksums of all that it stores; what it cannot
   * know is that the tables of one payment belong together, so that one of them
   * alone may have lost rows.
   */
  async verify(): Promise<void> {
    const { rows, frauds } = await this.status();
    const { byCustomer, byTerminal, fraudsByDay } = this.#tables.payments;
    const expected = [
      [byCustomer, "customer_id", rows],
      [byTerminal, "terminal_id", rows],
      [fraudsByDay, "tx_time_days", frauds],
    ] as const;
    for (const [table, column, count] of expected) {
      if (!table) continue;
      const found = await this.#count(table, column);
      if (found.rows === count) continue;
      // A writer at work fills the tables one after the other.
      if ((await this.status()).rows !== rows) return;
      throw new StoreError(
        `${this.#keyspace}.${table.name} holds ${found.rows} rows and should ` +
          `hold ${count}; 'fraudstream rebuild' fills all tables again from ` +
          "the log",
      );
    }
  }

  /** Removes all rows of a table. */
  async #empty(table: string): Promise<void> {
    const cql = `TRUNCATE ${this.#keyspace}.${table}`;
    await this.#patiently(
      () => this.#client.execute(cql, [], SCHEMA_OPTIONS),
      undefined,
    );
  }

  /** All rows of a statement without values. */
  async #all(
    cql: string,
  ): Promise<readonly Readonly<Record<string, unknown>>[]> {
    const execute = () => this.#client.execute(cql, [], { fetchSize: 0 });
    return (await this.#patiently(execute, undefined)).rows;
  }

  /** Sends requests, some side by side; all are stored in the end, or the first error is thrown. */
  async #sendAll(
    writes: Iterable<Write>,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const failures: unknown[] = [];
    const finished = Promise.withResolvers<void>();
    let open = 1;
    const settle = () => {
      if (--open === 0) finished.resolve();
    };
    try {
      for (const write of writes) {
        await this.#inFlight.enter();
        if (failures.length > 0) {
          this.#inFlight.leave();
          break;
        }
        open++;
        this.#send(write, signal)
          .catch((error) => failures.push(error))
          .finally(settle);
      }
    } finally {
      settle();
      await finished.promise;
    }
    if (failures.length > 0) throw failures[0];
  }

  async #send(write: Write, signal: AbortSignal | undefined): Promise<void> {
    const { cql, rows } = write;
    const attempt = rows.length === 1
      ? () => this.#client.execute(cql, rows[0].values, WRITE_OPTIONS)
      : () => this.#client.batch(batchOf(write), BATCH_OPTIONS);
    try {
      await this.#outage.run(attempt, { signal, patienceMs: Infinity });
      // Only now: a request that failed may still read them.
      write.release();
    } catch (error) {
      if (signal?.aborted && error === signal.reason) throw error;
      throw requestError(error, `writing to keyspace ${this.#keyspace}`);
    } finally {
      this.#inFlight.leave();
    }
  }

  /** See Store. */
  async *rows(
    signal?: AbortSignal,
    onBadRow: BadRowHandler = refuseBadRow,
  ): AsyncGenerator<StoreRows> {
    await using spool = new RowSpool({ width: this.#width });
    const { columns, name } = this.#tables.payments.transactions;
    const table = `${this.#keyspace}.${name}`;
    const reader = new StoredRowReader(table, this.#features);
    const names = columns.map(({ name }) => name).join(", ");
    const pages = scanRing({
      reader: {
        read: (row, cells, at) => {
          const bad = reader.read(row, cells, at);
          if (bad) onBadRow(bad);
          return bad === undefined;
        },
      },
      width: this.#width,
      pageRows: PAGE_ROWS,
      ranges: RANGES,
      atOnce: RANGES_AT_ONCE,
      read: (range, pageState) => {
        signal?.throwIfAborted();
        const select = () => this.#select(names, range, pageState);
        return this.#patiently(select, signal);
      },
    });
    for await (const page of pages) await spool.add(page);
    for await (const page of spool.rows()) {
      signal?.throwIfAborted();
      yield page;
    }
  }

  /** See Store. */
  async status(): Promise<StoreStatus> {
    const { transactions } = this.#tables.payments;
    const { rows, sum } = await this.#count(transactions, "tx_fraud");
    return { rows, frauds: sum };
  }

  /** See Store. */
  predictions(): PredictionStore {
    const execute = async (cql: string, values: string[] = []) =>
      (await this.#client.execute(cql, values, SCHEMA_OPTIONS)).rows;
    return new CassandraPredictions({
      keyspace: this.#keyspace,
      tables: this.#tables.scoring,
      ensure: async (tables) => {
        await ensureTables(execute, this.#keyspace, tables).catch((error) => {
          throw requestError(error, `making keyspace ${this.#keyspace}`);
        });
      },
      send: (writes, signal) => this.#sendAll(writes, signal),
      read: (cql, values, { pageState, signal } = {}) => {
        signal?.throwIfAborted();
        const options = pageState === undefined ? {} : { pageState };
        return this.#patiently(
          () => this.#client.execute(cql, [...values], options),
          signal,
        );
      },
      count: (table, column) => this.#count(table, column),
      empty: (table) => this.#empty(table),
      positions: this.#positions,
    });
  }

  /** Counts the rows of a table and adds up a column. */
  async #count(
    table: PlainTable,
    column: string,
  ): Promise<{ rows: number; sum: number }> {
    const total = { rows: 0, sum: 0 };
    const what = `count(*) AS n, sum(${column}) AS total`;
    const cql = selectRangeCql(this.#keyspace, table, what);
    const done = await overRing(async ({ from, to }) => {
      const counted = await this.#patiently(
        () => this.#client.execute(cql, [from, to]).catch(undefinedIfTimeout),
        undefined,
      );
      const row = counted?.first();
      total.rows += Number(row?.n ?? 0);
      total.sum += Number(row?.total ?? 0);
      return counted !== undefined;
    }, { ranges: RANGES, atOnce: RANGES_AT_ONCE, missesMax: MISSES_MAX });
    if (done) return total;
    throw new StoreError(
      `Cassandra, reading keyspace ${this.#keyspace}: even small parts of ` +
        `the table take longer than ${READ_TIMEOUT_MS / 1000} s to count; ` +
        `look at the cluster and try again`,
    );
  }

  /** See Store. */
  lookUp(): LookUp {
    const query = async (
      cql: string,
      values: readonly (number | string | bigint)[],
    ) => {
      // What makes a table has no values and cannot be prepared.
      const options = values.length === 0 ? SCHEMA_OPTIONS : {};
      const execute = () => this.#client.execute(cql, [...values], options);
      return (await this.#patiently(execute, undefined)).rows;
    };
    return new CassandraLookUp(query, {
      keyspace: this.#keyspace,
      features: this.#features,
      payments: this.#tables.payments.transactions,
      verdicts: this.#tables.verdicts,
    });
  }

  #select(
    what: string,
    { from, to }: TokenRange,
    pageState: string | undefined = undefined,
  ): Promise<types.ResultSet> {
    const { transactions } = this.#tables.payments;
    const cql = selectRangeCql(this.#keyspace, transactions, what);
    const options = pageState === undefined ? {} : { pageState };
    return this.#client.execute(cql, [from, to], options);
  }

  async #patiently<T>(
    read: () => Promise<T>,
    signal: AbortSignal | undefined,
  ): Promise<T> {
    try {
      return await this.#outage.run(read, {
        signal,
        patienceMs: READ_PATIENCE_MS,
      });
    } catch (error) {
      if (signal?.aborted && error === signal.reason) throw error;
      throw requestError(error, `reading keyspace ${this.#keyspace}`);
    }
  }

  /** Ends the connections. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.shutdown();
  }
}

function undefinedIfTimeout(error: unknown): undefined {
  if (!isTimeout(error)) throw error;
}

const BATCH_OPTIONS: QueryOptions = { ...WRITE_OPTIONS, logged: false };

function batchOf(
  { cql, rows }: Write,
): { query: string; params: unknown[] }[] {
  return rows.map(({ values }) => ({ query: cql, params: values }));
}
