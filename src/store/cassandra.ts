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
import type { Buffer } from "node:buffer";
import { TRANSACTION_CELLS } from "../features/feature_row.ts";
import {
  featureCount,
  type FeatureParameters,
} from "../features/parameters.ts";
import {
  connectError,
  isTimeout,
  isTransient,
  reasonOf,
  requestError,
} from "./cassandra_error.ts";
import { CellReader } from "./cassandra_row.ts";
import { selectRangeCql } from "./cassandra_schema.ts";
import { ensureSchema } from "./cassandra_setup.ts";
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
import { Outage } from "./outage.ts";
import { RowSpool } from "./row_spool.ts";
import type { Store, StoreReport, StoreRows, StoreStatus } from "./store.ts";
import { halves, type TokenRange, tokenRanges } from "./token_ranges.ts";

/** Requests under way at once; more gained nothing (docs/PERFORMANCE.md). */
const IN_FLIGHT = 256;

/** Rows that are read at once. */
const PAGE_ROWS = 2000;

/** Ranges that the ring is cut into, and how many are read side by side. */
const RANGES = 64;
const RANGES_AT_ONCE = 4;

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
  report: StoreReport,
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

/** The store of one keyspace. */
export class CassandraStore implements Store {
  readonly #client: Client;
  readonly #keyspace: string;
  readonly #tables: WrittenTables;
  readonly #width: number;
  readonly #outage: Outage;
  readonly #inFlight = new InFlight(IN_FLIGHT);
  readonly #planner: WritePlanner;

  /**
   * Uses a connected client and tables that are there: see openCassandraStore().
   *
   * @internal (deno doc --lint would want the driver documented)
   */
  constructor(
    client: Client,
    keyspace: string,
    tables: WrittenTables,
    { features, report }: {
      readonly features: FeatureParameters;
      readonly report: StoreReport;
    },
  ) {
    this.#client = client;
    this.#keyspace = keyspace;
    this.#tables = tables;
    this.#width = TRANSACTION_CELLS + featureCount(features);
    this.#outage = new Outage({
      isTransient,
      reasonOf,
      report,
      pauseMsMin: 50,
      pauseMsMax: 2000,
      now: () => performance.now(),
      random: Math.random,
    });
    this.#planner = new WritePlanner(keyspace, tables, this.#width);
  }

  /** See Store. */
  async write(rows: StoreRows, signal?: AbortSignal): Promise<void> {
    const failures: unknown[] = [];
    const finished = Promise.withResolvers<void>();
    let open = 1;
    const settle = () => {
      if (--open === 0) finished.resolve();
    };
    try {
      for (const write of this.#planner.writes(rows)) {
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
  async *rows(signal?: AbortSignal): AsyncGenerator<StoreRows> {
    await using spool = new RowSpool({ width: this.#width });
    for await (const page of this.#pages(signal)) await spool.add(page);
    for await (const page of spool.rows()) {
      signal?.throwIfAborted();
      yield page;
    }
  }

  /** All rows in the order of the ring, from several ranges side by side. */
  async *#pages(signal: AbortSignal | undefined): AsyncGenerator<StoreRows> {
    const ranges = tokenRanges(RANGES);
    const lanes = Array.from(
      { length: RANGES_AT_ONCE },
      () => this.#lane(ranges, signal),
    );
    const next = (lane: AsyncGenerator<StoreRows>) => {
      const page = lane.next().then((result) => ({ lane, result }));
      page.catch(() => {}); // met when its turn comes
      return page;
    };
    const turns = lanes.map(next);
    for (let turn = turns.shift(); turn; turn = turns.shift()) {
      const { lane, result } = await turn;
      if (result.done) continue;
      yield result.value;
      turns.push(next(lane));
    }
  }

  /** Takes ranges until none is left; the cells are valid until the next page. */
  async *#lane(
    ranges: TokenRange[],
    signal: AbortSignal | undefined,
  ): AsyncGenerator<StoreRows> {
    const { columns } = this.#tables.transactions;
    const reader = new CellReader(
      `${this.#keyspace}.${this.#tables.transactions.name}`,
      columns,
    );
    const cells = new Float64Array(PAGE_ROWS * this.#width);
    const names = columns.map(({ name }) => name).join(", ");
    for (let range = ranges.pop(); range; range = ranges.pop()) {
      let pageState: string | undefined;
      do {
        signal?.throwIfAborted();
        const page = await this.#read(names, range, signal, pageState);
        for (const [i, row] of page.rows.entries()) {
          reader.read(row, cells, i * this.#width);
        }
        if (page.rowLength > 0) yield { cells, count: page.rowLength };
        pageState = page.pageState ?? undefined;
      } while (pageState !== undefined);
    }
  }

  /** See Store. */
  async status(): Promise<StoreStatus> {
    const ranges = tokenRanges(RANGES);
    const total = { rows: 0, frauds: 0 };
    const lane = async () => {
      for (let range = ranges.pop(); range; range = ranges.pop()) {
        const counted = await this.#count(range, ranges);
        total.rows += Number(counted?.n ?? 0);
        total.frauds += Number(counted?.frauds ?? 0);
      }
    };
    await Promise.all(Array.from({ length: RANGES_AT_ONCE }, lane));
    return total;
  }

  /** Counts a range; one that takes too long goes back to the others as halves. */
  async #count(
    range: TokenRange,
    ranges: TokenRange[],
  ): Promise<types.Row | undefined> {
    try {
      const what = "count(*) AS n, sum(tx_fraud) AS frauds";
      return (await this.#read(what, range, undefined)).first();
    } catch (error) {
      const parts = isTimeout((error as Error).cause) && halves(range);
      if (!parts) throw error;
      ranges.push(...parts);
      return undefined;
    }
  }

  async #read(
    what: string,
    { from, to }: TokenRange,
    signal: AbortSignal | undefined,
    pageState?: string,
  ): Promise<types.ResultSet> {
    const { transactions } = this.#tables;
    const cql = selectRangeCql(this.#keyspace, transactions, what);
    const options = pageState === undefined ? {} : { pageState };
    try {
      return await this.#outage.run(
        () => this.#client.execute(cql, [from, to], options),
        { signal, patienceMs: READ_PATIENCE_MS },
      );
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

const BATCH_OPTIONS: QueryOptions = { ...WRITE_OPTIONS, logged: false };

function batchOf({ cql, rows }: Write): { query: string; params: Buffer[] }[] {
  return rows.map(({ values }) => ({ query: cql, params: values }));
}
