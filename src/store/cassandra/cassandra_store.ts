/**
 * The store in a Cassandra cluster. Writes are plain upserts of rows that are a
 * function of the log: they may be repeated, and their positions are written
 * after them. Nothing here knows the driver.
 */
import { counted, thousands } from "../../base/counted.ts";
import { StoreError } from "../../base/error.ts";
import type { OutageReport } from "../../base/outage.ts";
import type { FeatureParameters } from "../../features/parameters.ts";
import type { TransactionId } from "../../payment/payment.ts";
import type { PaymentShape } from "../../payment/payment_shape.ts";
import { textCellsOf } from "../cell_rows.ts";
import type { LabelStore } from "../labels.ts";
import type { LookUp } from "../look_up.ts";
import type { StreamPosition } from "../positions.ts";
import type { PredictionStore } from "../predictions.ts";
import { RowSpool } from "../row_spool.ts";
import type { Store, StoreRows, StoreStatus } from "../store.ts";
import {
  type BadRowHandler,
  refuseBadRow,
  StoredRowReader,
} from "../stored_row.ts";
import type { PaymentTable } from "../tables.ts";
import { CassandraLabels } from "./cassandra_labels.ts";
import { CassandraLookUp } from "./cassandra_look_up.ts";
import { CassandraPredictions } from "./cassandra_predictions.ts";
import { idMaxOf, type OtherTables } from "./cassandra_schema.ts";
import { CassandraSession } from "./cassandra_session.ts";
import type { CassandraSettings } from "./cassandra_settings.ts";
import { ensureSchema } from "./cassandra_setup.ts";
import { CassandraTable } from "./cassandra_table.ts";
import { WritePlanner, type WrittenTables } from "./cassandra_writes.ts";

/** Opens the store, making or completing keyspace and tables. Throws ConfigError or StoreError, one line each. */
export async function openCassandraStore(
  settings: CassandraSettings,
  features: FeatureParameters,
  report: OutageReport,
  shape?: PaymentShape,
): Promise<CassandraStore> {
  const session = await CassandraSession.open(settings, report);
  try {
    const define = session.define.bind(session);
    const tables = await ensureSchema(define, settings, features, shape);
    return new CassandraStore(session, tables);
  } catch (error) {
    await session[Symbol.asyncDispose]();
    throw error;
  }
}

/** Most payments of one card or terminal in one second that are searched for one. */
const SAME_SECOND_MAX = 10_000;

/** The tables that a store works with: all, or the payments' without the query tables. */
export interface StoreTables extends OtherTables {
  /** The tables of payments. */
  readonly payments: WrittenTables;
}

/** The store of one keyspace. */
export class CassandraStore extends CassandraTable implements Store {
  /** See Store. */
  readonly idMax: number;
  readonly #session: CassandraSession;
  readonly #tables: StoreTables;
  readonly #table: PaymentTable;
  readonly #planner: WritePlanner;
  readonly #labels: CassandraLabels;

  /** Uses existing tables, see openCassandraStore(); closes the session when it is closed. */
  constructor(session: CassandraSession, tables: StoreTables) {
    const { transactions, ...others } = tables.payments;
    super(session, tables, transactions.shape, [
      transactions,
      ...Object.values(others),
    ]);
    this.#session = session;
    this.#tables = tables;
    this.#table = tables.payments.transactions;
    this.idMax = idMaxOf(Object.values(tables.payments));
    this.#planner = new WritePlanner(session.keyspace, tables.payments);
    this.#labels = new CassandraLabels(session, tables);
  }

  /** See RowTable. */
  async write(
    rows: StoreRows,
    signal?: AbortSignal,
    positions: readonly StreamPosition[] = [],
  ): Promise<void> {
    await this.#session.send(this.#planner.writes(rows), signal);
    if (this.#table.shape.hasLabels) await this.#labels.label(rows, signal);
    await this.savePositions(positions, signal);
  }

  /** See StoredTable. */
  async holds(transactionId: TransactionId): Promise<boolean> {
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
    const cql = `SELECT * FROM ${this.#session.keyspace}.${this.#table.name} ` +
      "LIMIT 1";
    return (await this.#session.all(cql)).length === 0;
  }

  /**
   * See Store. Cassandra keeps checksums of all that it stores. It cannot know
   * that the tables of one payment belong together, so one table alone may have
   * lost rows.
   */
  async verify(): Promise<void> {
    const { rows, frauds } = await this.status();
    const { byCustomer, byTerminal, fraudsByDay } = this.#tables.payments;
    const expected = [
      [byCustomer, rows],
      [byTerminal, rows],
      [fraudsByDay, frauds],
    ] as const;
    for (const [table, count] of expected) {
      if (!table) continue;
      const found = await this.#session.count(table, "tx_time_seconds");
      if (found.rows === count) continue;
      // A running writer fills the tables one after the other.
      if ((await this.status()).rows !== rows) return;
      throw new StoreError(
        `${this.#session.keyspace}.${table.name} holds ` +
          `${counted(found.rows, "row")} and should hold ${
            thousands(count)
          }; ` +
          "'./fraudstream rebuild' fills all tables again from the log",
      );
    }
  }

  /** See RowTable. */
  async *rows(
    signal?: AbortSignal,
    onBadRow: BadRowHandler = refuseBadRow,
  ): AsyncGenerator<StoreRows> {
    const table = this.#table;
    const { width, name } = table;
    await using spool = new RowSpool({
      width,
      textCells: textCellsOf(table),
    });
    const place = `${this.#session.keyspace}.${name}`;
    const reader = new StoredRowReader(place, table);
    const pages = this.#session.scan(table, {
      width,
      read: (row, page, index) => {
        const bad = reader.read(row, page, index);
        if (bad) onBadRow(bad);
        return bad === undefined;
      },
    }, signal);
    for await (const page of pages) await spool.add(page);
    for await (const page of spool.rows()) {
      signal?.throwIfAborted();
      yield page;
    }
  }

  /** See Store. */
  async status(): Promise<StoreStatus> {
    const { rows, sum } = await this.#session.count(this.#table, "tx_fraud");
    return { rows, frauds: sum };
  }

  /** See Store. */
  predictions(): PredictionStore {
    return new CassandraPredictions(this.#session, this.#tables);
  }

  /** See Store. */
  labels(): LabelStore {
    return this.#labels;
  }

  /** See Store. */
  lookUp(): LookUp {
    return new CassandraLookUp(this.#session, {
      payments: this.#table,
      verdicts: this.#tables.verdicts,
      predictions: this.predictions(),
    });
  }

  /** Ends the connections. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session[Symbol.asyncDispose]();
  }
}
