/**
 * Labels in Cassandra: plain idempotent upserts, like the payments'. The first
 * use creates the table; a stream whose payments carry their labels has none.
 * Nothing here knows the driver.
 */
import type { TransactionId } from "../../payment/payment.ts";
import { type LabelStore, laterLabel, type StoredLabel } from "../labels.ts";
import type { StreamPosition } from "../positions.ts";
import { objectOf, objectValues } from "../stored_row.ts";
import type { CellTable, ObjectTable } from "../tables.ts";
import { idMaxOf, type OtherTables } from "./cassandra_schema.ts";
import type { CassandraSession } from "./cassandra_session.ts";
import { CassandraTable } from "./cassandra_table.ts";
import { rowWrites } from "./cassandra_writes.ts";

/** Payments whose labels are fetched concurrently. */
const FETCHES = 64;

/** The labels of one keyspace. */
export class CassandraLabels extends CassandraTable implements LabelStore {
  /** See StoredTable. */
  readonly idMax: number;
  readonly #session: CassandraSession;
  readonly #table: ObjectTable<StoredLabel>;
  readonly #place: string;
  #made: Promise<void> | undefined;

  /** Uses the tables of a keyspace as they are, or will be. */
  constructor(
    session: CassandraSession,
    tables: Pick<OtherTables, "labels" | "positions">,
    { shape }: CellTable,
  ) {
    super(session, tables, shape, [tables.labels]);
    this.#session = session;
    this.#table = tables.labels;
    this.#place = `${session.keyspace}.${tables.labels.name}`;
    this.idMax = idMaxOf([tables.labels]);
  }

  /** See LabelStore. */
  async write(
    labels: readonly StoredLabel[],
    signal?: AbortSignal,
    positions: readonly StreamPosition[] = [],
  ): Promise<void> {
    const table = this.#table;
    if (labels.length > 0) {
      await this.#ensure();
      const rows = labels.map((label) => objectValues(table.columns, label));
      const writes = rowWrites(this.#session.keyspace, table, rows);
      await this.#session.send(writes, signal);
    }
    await this.savePositions(positions, signal);
  }

  /** See LabelStore. */
  async newest(
    ids: readonly TransactionId[],
    asOf?: string,
  ): Promise<ReadonlyMap<TransactionId, StoredLabel>> {
    await this.#ensure();
    const found = new Map<TransactionId, StoredLabel>();
    const left = ids.values();
    const lane = async () => {
      for (const id of left) {
        for (const label of await this.#labelsOf(id)) {
          if (asOf !== undefined && label.knownTime > asOf) continue;
          found.set(id, laterLabel(found.get(id), label));
        }
      }
    };
    await Promise.all(Array.from({ length: FETCHES }, lane));
    return found;
  }

  /** See StoredTable. */
  async holds(transactionId: TransactionId): Promise<boolean> {
    await this.#ensure();
    return (await this.#labelsOf(transactionId)).length > 0;
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

  async #labelsOf(id: TransactionId): Promise<StoredLabel[]> {
    const cql = `SELECT * FROM ${this.#place} WHERE transaction_id = ?`;
    const key = typeof id === "string" ? id : BigInt(id);
    const rows = await this.#session.all(cql, [key]);
    return rows.map((row) => objectOf(this.#table, row));
  }

  #ensure(): Promise<void> {
    return this.#made ??= this.#session.ensure([this.#table]);
  }
}
