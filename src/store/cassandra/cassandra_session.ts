/**
 * A connection to a Cassandra cluster, and everything that a store needs from
 * it. Only this file and cassandra_connection.ts know the driver. Requests that
 * fail with a transient error are repeated until they succeed. What is written
 * is never conditional, has no timestamp of event time, and is never batched
 * across partitions. Whole tables are read through the ring, in ranges of
 * tokens.
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
import { Outage, type OutageReport } from "../../base/outage.ts";
import type { StoreRows } from "../store.ts";
import type { StoredRow } from "../stored_row.ts";
import { nameInStatement, type Table } from "../tables.ts";
import {
  giveUpStrayConnections,
  refreshOneAtATime,
} from "./cassandra_connection.ts";
import {
  connectError,
  isTimeout,
  isTransient,
  reasonOf,
  requestError,
} from "./cassandra_error.ts";
import { type Page, type RowReader, scanRing } from "./cassandra_scan.ts";
import { selectRangeCql } from "./cassandra_schema.ts";
import {
  type CassandraSettings,
  checkCassandraSettings,
} from "./cassandra_settings.ts";
import { ensureTables, type Execute } from "./cassandra_setup.ts";
import type { DriverValue, Write } from "./cassandra_writes.ts";
import { InFlight } from "./in_flight.ts";
import { overRing } from "./token_ranges.ts";

giveUpStrayConnections();
refreshOneAtATime();

/** Concurrent requests; more gained nothing (docs/PERFORMANCE.md). */
const IN_FLIGHT = 256;

/** Rows that are read at once. */
const PAGE_ROWS = 2000;

/** Ranges that the ring is cut into, and how many are read concurrently. */
const RANGES = 64;
const RANGES_AT_ONCE = 4;
/** Ranges in a row that may take too long to count; each is then halved. */
const MISSES_MAX = 24;

/** A node that has not answered a write by then is considered dead; Cassandra itself gives up after 2 s. */
const WRITE_TIMEOUT_MS = 5000;
const READ_TIMEOUT_MS = 20_000;
const SCHEMA_TIMEOUT_MS = 60_000;
/** Cassandra waits up to a minute for compactions of a table before it empties it. */
const TRUNCATE_TIMEOUT_MS = 90_000;
const TRUNCATES_MAX = 5;

/** How long reads wait for a cluster that does not answer; writes wait forever. */
const READ_PATIENCE_MS = 60_000;

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

const BATCH_OPTIONS: QueryOptions = { ...WRITE_OPTIONS, logged: false };

/** How a page is read. */
export interface ReadOptions {
  /** The token from the page before; undefined for the first. */
  readonly pageState?: string | undefined;
  /** Ends the waiting; its reason is thrown. */
  readonly signal?: AbortSignal | undefined;
  /** Whether it waits however long the cluster does not answer. */
  readonly waits?: boolean;
}

/** The values of a statement; a list is that of an IN. */
export type StatementValues = readonly (DriverValue | readonly DriverValue[])[];

/** A connection that uses one keyspace. */
export class CassandraSession implements AsyncDisposable {
  /** The keyspace. */
  readonly keyspace: string;
  readonly #client: Client;
  readonly #outage: Outage;
  readonly #inFlight = new InFlight(IN_FLIGHT);

  private constructor(client: Client, keyspace: string, report: OutageReport) {
    this.keyspace = keyspace;
    this.#client = client;
    this.#outage = new Outage({
      isTransient,
      reasonOf,
      report,
      pauseMs: { min: 50, max: 2000 },
      clock: REAL_CLOCK,
    });
  }

  /** Connects to the cluster; the caller closes it. Throws ConfigError or StoreError, one line each. */
  static async open(
    settings: CassandraSettings,
    report: OutageReport,
  ): Promise<CassandraSession> {
    checkCassandraSettings(settings);
    const client = newClient(settings);
    try {
      await client.connect();
      return new CassandraSession(client, settings.keyspace, report);
    } catch (error) {
      await client.shutdown();
      throw connectError(error, settings);
    }
  }

  /** Runs a schema statement without retries; returns all its rows. */
  define(
    cql: string,
    values: readonly string[] = [],
  ): Promise<readonly StoredRow[]> {
    return this.#define(cql, values).catch((error) => {
      throw requestError(error, `making keyspace ${this.keyspace}`);
    });
  }

  async #define(
    cql: string,
    values: readonly string[] = [],
  ): Promise<readonly StoredRow[]> {
    return (await this.#client.execute(cql, [...values], SCHEMA_OPTIONS)).rows;
  }

  /** Creates missing tables, and missing columns of existing ones. Throws ConfigError if one has another form. */
  ensure(tables: readonly Table[]): Promise<void> {
    const execute: Execute = (cql, values) => this.#define(cql, values);
    return this.#patiently(
      () => ensureTables(execute, this.keyspace, tables),
      { doing: "making" },
    );
  }

  /** Removes all rows of a table. Cassandra leaves them, and says nothing, where it could not stop a compaction of the table. */
  async truncate({ name }: Table): Promise<void> {
    const table = `${this.keyspace}.${name}`;
    const options = { ...SCHEMA_OPTIONS, readTimeout: TRUNCATE_TIMEOUT_MS };
    for (let left = TRUNCATES_MAX; left > 0; left--) {
      await this.#patiently(
        () => this.#client.execute(`TRUNCATE ${table}`, [], options),
        { doing: "emptying" },
      );
      const { rows } = await this.read(`SELECT * FROM ${table} LIMIT 1`);
      if (rows.length === 0) return;
    }
    throw new StoreError(
      `Cassandra, emptying keyspace ${this.keyspace}: the rows of ${name} ` +
        "stay; wait until its compactions end and try again",
    );
  }

  /** Reads a page. */
  async read(
    cql: string,
    values: StatementValues = [],
    { pageState, signal, waits }: ReadOptions = {},
  ): Promise<Page> {
    signal?.throwIfAborted();
    const options = pageState === undefined ? {} : { pageState };
    const result = await this.#patiently(
      () => this.#client.execute(cql, [...values], options),
      { signal, waits },
    );
    // A statement that writes returns no rows, despite the driver's types.
    const rows: readonly StoredRow[] | undefined = result.rows;
    return { rows: rows ?? [], pageState: result.pageState };
  }

  /** All rows of a statement, page by page; none of one that writes. With a signal it waits however long the cluster does not answer. */
  async all(
    cql: string,
    values?: StatementValues,
    signal?: AbortSignal,
  ): Promise<readonly StoredRow[]> {
    const found: StoredRow[] = [];
    let pageState: string | undefined;
    do {
      const page = await this.read(cql, values, {
        pageState,
        signal,
        waits: signal !== undefined,
      });
      found.push(...page.rows);
      pageState = page.pageState ?? undefined;
    } while (pageState !== undefined);
    return found;
  }

  /** All rows of a table, in no order; the cells are valid until the next. */
  scan(
    table: Table,
    reader: RowReader,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<StoreRows> {
    const names = table.columns.map(nameInStatement).join(", ");
    const cql = selectRangeCql(this.keyspace, table, names);
    return scanRing({
      reader,
      pageRows: PAGE_ROWS,
      ranges: RANGES,
      atOnce: RANGES_AT_ONCE,
      read: ({ from, to }, pageState) =>
        this.read(cql, [from, to], { pageState, signal }),
    });
  }

  /** All rows of a table as they are, in no order, page by page. */
  async *pages(
    table: Table,
    signal: AbortSignal | undefined,
  ): AsyncGenerator<readonly StoredRow[]> {
    const names = table.columns.map(nameInStatement).join(", ");
    const cql = `SELECT ${names} FROM ${this.keyspace}.${table.name}`;
    let pageState: string | undefined;
    do {
      const page = await this.read(cql, [], { pageState, signal });
      yield page.rows;
      pageState = page.pageState ?? undefined;
    } while (pageState !== undefined);
  }

  /** Counts the rows of a table and adds up a column. */
  async count(
    table: Table,
    column: string,
  ): Promise<{ rows: number; sum: number }> {
    const total = { rows: 0, sum: 0 };
    const what = `count(*) AS n, sum(${column}) AS total`;
    const cql = selectRangeCql(this.keyspace, table, what);
    const done = await overRing(async ({ from, to }) => {
      const counted = await this.#patiently(() =>
        this.#client.execute(cql, [from, to]).catch(undefinedIfTimeout)
      );
      const row = counted?.first();
      total.rows += Number(row?.n ?? 0);
      total.sum += Number(row?.total ?? 0);
      return counted !== undefined;
    }, { ranges: RANGES, atOnce: RANGES_AT_ONCE, missesMax: MISSES_MAX });
    if (done) return total;
    throw new StoreError(
      `Cassandra, reading keyspace ${this.keyspace}: even small parts of ` +
        `the table take longer than ${READ_TIMEOUT_MS / 1000} s to count; ` +
        `check the cluster and try again`,
    );
  }

  /** Sends requests, some concurrently; all are stored in the end, or the first error is thrown. */
  async send(
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
      // Only here, because a failed request may still read them.
      write.release();
    } catch (error) {
      if (signal?.aborted && error === signal.reason) throw error;
      throw requestError(error, `writing to keyspace ${this.keyspace}`);
    } finally {
      this.#inFlight.leave();
    }
  }

  async #patiently<T>(
    read: () => Promise<T>,
    { signal, waits, doing = "reading" }: {
      readonly signal?: AbortSignal | undefined;
      readonly waits?: boolean | undefined;
      readonly doing?: string;
    } = {},
  ): Promise<T> {
    try {
      return await this.#outage.run(read, {
        signal,
        patienceMs: waits ? Infinity : READ_PATIENCE_MS,
      });
    } catch (error) {
      if (signal?.aborted && error === signal.reason) throw error;
      throw requestError(error, `${doing} keyspace ${this.keyspace}`);
    }
  }

  /** Ends the connections. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#client.shutdown();
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
      // The cluster stamps the cells: a writer whose clock runs behind would
      // hide rows under an earlier deletion.
      timestampGeneration: NO_TIMESTAMPS,
    },
    encoding: { useBigIntAsLong: true },
    // It would report the host's name, processors and so on.
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

function undefinedIfTimeout(error: unknown): undefined {
  if (!isTimeout(error)) throw error;
}

function batchOf(
  { cql, rows }: Write,
): { query: string; params: unknown[] }[] {
  return rows.map(({ values }) => ({ query: cql, params: values }));
}
